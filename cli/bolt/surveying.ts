/** Runs a survey of a file with progress on standard error, and names what it found. */
import type { Meta, RawFile, Survey } from '../../engine/index.ts'
import { Surveyor } from '../../engine/index.ts'
import { Progress } from '../progress.ts'
import type { Call, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { Failure } from './failure.ts'
import { pathOf } from './opening.ts'
import { showShort } from './value-format.ts'

const PAGES_PER_TURN = 256

/** Columns that a bucket's name may take. */
export const NAME_WIDTH = 32

/** @throws {Failure} where nothing says the file's page size */
export async function surveyFile(
  file: RawFile,
  meta: Meta | undefined,
  { call, setting }: { readonly call: Call; readonly setting: Setting },
): Promise<Survey> {
  if (file.pageSizeBytes === undefined) {
    throw new Failure(EXIT.found, `${pathOf(call)}: nothing in it says its page size`, {
      hints: ['name it: --page-size 4096 is the most common'],
    })
  }
  const total = Math.min(meta?.highWaterMark ?? Infinity, file.pageCount)
  const { complaints, now, signal } = setting
  const progress = new Progress(complaints, { total, noun: 'pages', now })
  const steps = new Surveyor(file, meta).run()
  try {
    for (let turn = 1; ; turn++) {
      const step = steps.next()
      if (step.done === true) return step.value
      if (turn % PAGES_PER_TURN !== 0) continue
      progress.update(step.value)
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    }
  } finally {
    progress.clear()
  }
}

/** The names that lead to a bucket, as one text; `(root)` for the root. */
export function bucketName(path: readonly Uint8Array[]): string {
  if (path.length === 0) return '(root)'
  return path.map((name) => nameOf(name)).join(' / ')
}

const PLAIN = /^[\p{L}\p{N}_.:@+-]+$/u

/** A bucket's name: as it is where it is a word, else quoted or in hex. */
export function nameOf(name: Uint8Array): string {
  const shown = showShort(name, NAME_WIDTH)
  const bare = shown.slice(1, -1)
  const isHexLike = /^0x/i.test(bare)
  return shown.startsWith('"') && shown.endsWith('"') && PLAIN.test(bare) && !isHexLike
    ? bare
    : shown
}
