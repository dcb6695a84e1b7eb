/** Long jobs of a store: how far they are. */
import type { JobOptions } from '../../index.ts'
import type { Setting } from '../bolt/command.ts'
import { Progress } from '../progress.ts'

const KIB = 1024

/** Runs a job, showing how far it is on standard error. */
export async function runJob<T>(
  { complaints, signal, now }: Setting,
  job: (options: Required<JobOptions>) => Promise<T>,
): Promise<T> {
  let progress: Progress | undefined
  const onProgress: JobOptions['onProgress'] = ({ doneBytes, totalBytes }) => {
    const total = Math.ceil(totalBytes / KIB)
    progress ??= new Progress(complaints, { total, noun: 'KiB', now })
    progress.update(Math.floor(doneBytes / KIB))
  }
  try {
    return await job({ signal, onProgress })
  } finally {
    progress?.clear()
  }
}
