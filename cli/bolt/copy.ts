/** `revbolt bolt copy` and `compact`: the database into a new file. */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { CopyProgress, Engine } from '../../engine/index.ts'
import { isKvError } from '../../engine/index.ts'
import { formatBytes } from '../format.ts'
import { Progress } from '../progress.ts'
import type { Call, Command, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { Failure } from './failure.ts'
import { pathOf, withEngine } from './opening.ts'
import { percent, printJson } from './output.ts'

const KIB = 1024

type Write = (
  engine: Engine,
  path: string,
  options: { readonly signal: AbortSignal; onProgress(progress: CopyProgress): void },
) => Promise<void>

async function writeCopy(call: Call, setting: Setting, write: Write): Promise<number> {
  const { screen, signal, complaints, now, directory } = setting
  const name = call.positionals[1] ?? ''
  const target = resolve(directory, name)
  if (existsSync(target)) throw targetExists(name)
  return withEngine(call, setting, async (engine) => {
    const { fileSizeBytes, highWaterMark, pageSizeBytes } = engine.stats()
    // For a compaction only an upper bound is known.
    const total = Math.ceil((highWaterMark * pageSizeBytes) / KIB)
    const progress = new Progress(complaints, { total, noun: 'KiB', now })
    const onProgress = ({ bytes }: CopyProgress): void => progress.update(Math.floor(bytes / KIB))
    try {
      await write(engine, target, { signal, onProgress })
    } catch (error) {
      throw explainWriting(error, name)
    } finally {
      progress.clear()
    }
    const sizeBytes = statSync(target).size
    if (call.isJson) {
      const result = { source: pathOf(call), sourceBytes: fileSizeBytes }
      printJson(screen, { ...result, target: name, targetBytes: sizeBytes, txid: engine.txid })
    } else {
      const [before, after] = [formatBytes(fileSizeBytes), formatBytes(sizeBytes)]
      const share = percent(sizeBytes, fileSizeBytes)
      screen.print(`${pathOf(call)}, ${before} → ${name}, ${after} (${share})`)
    }
    return EXIT.ok
  })
}

function targetExists(name: string, cause?: unknown): Failure {
  const hints = ['nothing is replaced: name another file, or remove that one first']
  return new Failure(EXIT.refused, `${name} exists`, { hints, cause })
}

function explainWriting(error: unknown, name: string): unknown {
  if (!isKvError(error) || error.code === 'KV_CORRUPT') return error
  if (error.code === 'KV_EXISTS') return targetExists(name, error)
  const hints = ['nothing was left behind there']
  return new Failure(EXIT.refused, `${name} can’t be written: ${error.message}`, {
    hints,
    cause: error,
  })
}

export const copy: Command = {
  name: 'copy',
  positionals: 'SOURCE TARGET',
  counts: [2, 2],
  summary: 'the database into a new file, page by page',
  details:
    'Copies the pages as they are, free ones too, and writes both metas anew. The target is ' +
    'complete and durable when it appears. With --generation previous it is the state before ' +
    'the last commit.',
  options: {},
  run: (call, setting) =>
    writeCopy(call, setting, (engine, path, options) => engine.copyTo(path, options)),
}

export const compact: Command = {
  name: 'compact',
  positionals: 'SOURCE TARGET',
  counts: [2, 2],
  summary: 'the database into a new file, key by key, without free space',
  details:
    'Writes every bucket, sequence and key in order into a new file, so that its pages are full. ' +
    'The target is complete and durable when it appears.',
  options: {},
  run: (call, setting) =>
    writeCopy(call, setting, (engine, path, options) => engine.compactTo(path, options)),
}
