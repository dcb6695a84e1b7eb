/** `revbolt export`: a store as lines of JSON, to standard output or into a file. */
import { existsSync } from 'node:fs'
import { open as openFile, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { JobOptions } from '../../index.ts'
import { UsageError } from '../arguments.ts'
import { readCount } from '../bolt/call.ts'
import type { Call } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { Failure } from '../bolt/failure.ts'
import { printJson } from '../bolt/output.ts'
import { formatBytes, plural } from '../format.ts'
import { jsonOf, parseBytes, readBytesFormat } from './bytes.ts'
import type { Db, StoreCommand, StoreSetting, Work } from './command.ts'
import { runJob } from './job.ts'

/** Lines are written together up to so many characters. */
const CHUNK_LENGTH = 64 * 1024
const HEAD_AND_END = 2

type Lines = AsyncIterable<string>
type Write = (text: string) => Promise<void>

interface Wanted {
  readonly isHistory: boolean
  readonly prefix: Uint8Array | undefined
  readonly revision: number | undefined
  readonly output: string | undefined
}

function readWanted(call: Call): Wanted {
  const isHistory = call.flag('history')
  const [prefix, output] = [call.text('prefix'), call.text('output')]
  const revision = readCount(call, 'rev', 1)
  if (isHistory && prefix !== undefined) throw new UsageError('--prefix does not go with --history')
  if (isHistory && revision !== undefined) throw new UsageError('--rev does not go with --history')
  if (call.isJson && output === undefined) {
    throw new UsageError('what goes to standard output is JSON already: --json is for --output')
  }
  if (output === '') throw new UsageError('--output: it is empty')
  const bytes = prefix === undefined ? undefined : parseBytes(prefix, readBytesFormat(call))
  return { isHistory, prefix: bytes, revision, output }
}

function prepare(call: Call, setting: StoreSetting): Work {
  const wanted = readWanted(call)
  const { output } = wanted
  const { screen, signal, directory } = setting
  const target = output === undefined ? undefined : resolve(directory, output)
  if (output !== undefined && target !== undefined) mustBeWritable(output, target)
  return async (db) => {
    if (output === undefined || target === undefined) {
      await pour(await linesOf(db, wanted, { signal }), async (text) => {
        screen.write(Buffer.from(text))
        await screen.catchUp(signal)
      })
      return EXIT.ok
    }
    const poured = await runJob(setting, async (options) =>
      intoFile({ output, target }, await linesOf(db, wanted, options)),
    )
    tell(call, setting, { ...poured, ...wanted, output })
    return EXIT.ok
  }
}

async function linesOf(
  db: Db,
  { isHistory, prefix, revision }: Wanted,
  options: JobOptions,
): Promise<Lines> {
  const { exportLines } = await import('../../index.ts')
  if (isHistory) return exportLines(db, { history: true, ...options })
  return exportLines(db, { prefix, revision, ...options })
}

interface Poured {
  readonly count: number
  readonly sizeBytes: number
}

async function pour(lines: Lines, write: Write): Promise<Poured> {
  let pending = ''
  let count = -HEAD_AND_END
  let sizeBytes = 0
  const flush = async (): Promise<void> => {
    sizeBytes += Buffer.byteLength(pending)
    await write(pending)
    pending = ''
  }
  for await (const line of lines) {
    pending += line
    count++
    if (pending.length >= CHUNK_LENGTH) await flush()
  }
  await flush()
  return { count, sizeBytes }
}

interface Target {
  /** As it was written, for messages. */
  readonly output: string
  readonly target: string
}

function mustBeWritable(output: string, target: string): void {
  if (existsSync(target)) {
    const hints = ['nothing is replaced: name another file, or remove that one first']
    throw new Failure(EXIT.refused, `${output} exists`, { hints })
  }
  if (existsSync(dirname(target))) return
  throw new Failure(EXIT.refused, `${output} can’t be written: there is no directory for it`)
}

/** Writes a file that is complete and durable when it appears. */
async function intoFile({ output, target }: Target, lines: Lines): Promise<Poured> {
  const partial = `${target}.partial`
  try {
    const poured = await writeDurably(partial, lines)
    await place(partial, target)
    return poured
  } catch (error) {
    await rm(partial, { force: true })
    if (!(error instanceof Error && 'syscall' in error)) throw error
    const hints = ['nothing was left behind there']
    const message = `${output} can’t be written: ${error.message}`
    throw new Failure(EXIT.refused, message, { hints, cause: error })
  }
}

async function writeDurably(path: string, lines: Lines): Promise<Poured> {
  const file = await openFile(path, 'w', 0o600)
  try {
    const poured = await pour(lines, (text) => file.writeFile(text))
    await file.sync()
    return poured
  } finally {
    await file.close()
  }
}

async function place(partial: string, target: string): Promise<void> {
  await rename(partial, target)
  const directory = await openFile(dirname(target), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function tell(
  call: Call,
  { screen }: StoreSetting,
  { isHistory, output, count, sizeBytes }: Poured & Omit<Wanted, 'output'> & { output: string },
): void {
  if (call.isJson) {
    printJson(screen, jsonOf({ output, history: isHistory, lines: count, sizeBytes }, 'text'))
    return
  }
  const what = isHistory
    ? plural(count, 'lease and change', 'leases and changes')
    : plural(count, 'key')
  screen.print(`${what} → ${output}, ${formatBytes(sizeBytes)}`)
}

export const exportCommand: StoreCommand = {
  name: 'export',
  positionals: '[DIR]',
  counts: [0, 1],
  summary: 'keys, or all history, as lines of JSON',
  details:
    'Writes the keys of one revision as lines of JSON, or with --history every revision that can ' +
    'be read and the leases. The last line has a checksum of the others. `revbolt import` reads ' +
    'it.',
  examples: [
    'revbolt export --prefix config/ > config.jsonl',
    'revbolt export /srv/app/data --history -o history.jsonl',
  ],
  options: {
    history: { type: 'boolean', help: 'every revision, with deletes, and the leases' },
    prefix: { type: 'string', value: 'P', help: 'only keys that begin with P' },
    rev: { type: 'string', value: 'N', help: 'the keys as they were after revision N' },
    output: {
      type: 'string',
      short: 'o',
      value: 'FILE',
      help: 'write a new file, complete and durable when it appears; -o FILE does the same',
    },
  },
  access: 'read',
  directory: (call) => call.positionals[0],
  prepare,
}
