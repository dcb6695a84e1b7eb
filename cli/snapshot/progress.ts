/** Shows how far a backup has come, in KiB. */
import type { Setting } from '../bolt/command.ts'
import { Progress } from '../progress.ts'

const KIB = 1024

interface Told {
  readonly doneBytes: number
  readonly totalBytes: number
}

/** Runs `work` with somebody to tell; what was shown is gone when it has ended. */
export async function withProgress<T>(
  { complaints, now }: Setting,
  work: (onProgress: (told: Told) => void) => Promise<T>,
): Promise<T> {
  let progress: Progress | undefined
  try {
    return await work(({ doneBytes, totalBytes }) => {
      const total = Math.ceil(totalBytes / KIB)
      progress ??= new Progress(complaints, { total, noun: 'KiB', now })
      progress.update(Math.min(total, Math.floor(doneBytes / KIB)))
    })
  } finally {
    progress?.clear()
  }
}
