/** `revbolt import`: lines of `revbolt export` into a store, or into a new one. */
import { createReadStream, openSync, closeSync, readSync, fstatSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ImportLinesOptions, Lines, LinesSource } from '../../index.ts'
import { UsageError } from '../arguments.ts'
import { readChoice } from '../bolt/call.ts'
import type { Call } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { Failure } from '../bolt/failure.ts'
import { printJson } from '../bolt/output.ts'
import { plural } from '../format.ts'
import { jsonOf, parseBytes, readBytesFormat } from './bytes.ts'
import type { StoreCommand, StoreSetting, Work } from './command.ts'
import { runJob } from './job.ts'
import { explainWork, placeOf, readWait, runOnStore } from './opening.ts'

const STANDARD_INPUT = '-'
/** A head is shorter. */
const HEAD_BYTES = 64 * 1024
const LINE_FEED = 0x0a

interface Source {
  readonly lines: LinesSource
  /** The first line, or as much of it as there is. */
  readonly head: string
  readonly sizeBytes: number | undefined
}

/** The last argument; the one before it is the directory. */
function fileOf(call: Call): string {
  return call.positionals.at(-1) ?? ''
}

function directoryOf(call: Call): string | undefined {
  return call.positionals.length === 2 ? call.positionals[0] : undefined
}

async function run(call: Call, setting: StoreSetting): Promise<number> {
  readOptions(call)
  readWait(call)
  placeOf(call, setting, directoryOf(call))
  const source = await sourceOf(call, setting)
  if (isHistory(source.head, fileOf(call))) return await runHistory(call, source, setting)
  const prepare = (): Work => putKeys(call, source, setting)
  return await runOnStore({ ...importCommand, prepare }, call, setting)
}

async function sourceOf(call: Call, setting: StoreSetting): Promise<Source> {
  const name = fileOf(call)
  return name === STANDARD_INPUT ? await fromInput(setting) : fromFile(name, setting)
}

function putKeys(call: Call, { lines, sizeBytes }: Source, setting: StoreSetting): Work {
  const options = { ...readOptions(call), sizeBytes }
  const { screen } = setting
  return async (db) => {
    const { importLines } = await import('../../index.ts')
    const result = await runJob(setting, (job) => importLines(lines, db, { ...options, ...job }))
    if (call.isJson) printJson(screen, jsonOf(result, 'text'))
    else {
      const { putCount, skippedCount, unleasedCount } = result
      const skipped = skippedCount === 0 ? '' : `, ${plural(skippedCount, 'key')} left as they are`
      const unleased = unleasedCount === 0 ? '' : `, ${unleasedCount} of them no longer on a lease`
      screen.print(`${plural(putCount, 'key')} put${unleased}${skipped}`)
    }
    return EXIT.ok
  }
}

function readOptions(call: Call): ImportLinesOptions {
  const prefix = call.text('prefix')
  const existing = readChoice(call, 'existing', ['refuse', 'replace', 'skip'])
  const bytes = prefix === undefined ? undefined : parseBytes(prefix, readBytesFormat(call))
  return { existing, prefix: bytes }
}

async function runHistory(call: Call, source: Source, setting: StoreSetting): Promise<number> {
  for (const name of ['prefix', 'existing']) {
    if (call.text(name) === undefined) continue
    throw new UsageError(`--${name} is for keys; ${fileOf(call)} is a history`)
  }
  const { name, path } = placeOf(call, setting, directoryOf(call))
  const lockTimeoutMs = readWait(call)
  const { importHistory } = await import('../../index.ts')
  try {
    const { sizeBytes } = source
    const result = await runJob(setting, (job) =>
      importHistory(source.lines, path, { ...job, lockTimeoutMs, sizeBytes }),
    )
    if (call.isJson) printJson(setting.screen, jsonOf({ path, ...result }, 'text'))
    else {
      const { revision, keyCount, leaseCount } = result
      const leases = leaseCount === 0 ? '' : `, ${plural(leaseCount, 'lease')}`
      setting.screen.print(`${name}: ${plural(keyCount, 'key')} at revision ${revision}${leases}`)
    }
    return EXIT.ok
  } catch (error) {
    throw explainHistory(error, name)
  }
}

function explainHistory(error: unknown, name: string): unknown {
  const isThere = error instanceof Error && 'code' in error && error.code === 'KV_EXISTS'
  if (!isThere) return explainWork(error)
  const hints = [
    'a history makes a new store: name an empty directory, or one that is not there yet',
  ]
  return new Failure(EXIT.refused, `${name} is not empty`, { hints, cause: error })
}

/** Whether it is a history. Told before a store is made for it. @throws {Failure} for no export */
function isHistory(head: string, name: string): boolean {
  const fields = parse(head)
  if (typeof fields === 'object' && fields !== null && 'content' in fields) {
    return fields.content === 'history'
  }
  const what = name === STANDARD_INPUT ? 'standard input' : name
  const hints = ['`revbolt export` writes one']
  throw new Failure(EXIT.refused, `${what} is no export: its first line is no head`, { hints })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A file is read twice: nothing is put unless all of it is whole. */
function fromFile(name: string, { directory }: StoreSetting): Source {
  const path = resolve(directory, name)
  try {
    const descriptor = openSync(path, 'r')
    try {
      const facts = fstatSync(descriptor)
      if (facts.isDirectory()) throw new Failure(EXIT.refused, `${name} is a directory, not a file`)
      // What can be read only once, as a pipe, is not to be opened again.
      if (!facts.isFile()) throw new Failure(EXIT.refused, `${name} is no file: \`-\` reads a pipe`)
      const start = new Uint8Array(HEAD_BYTES)
      const size = readSync(descriptor, start, 0, HEAD_BYTES, 0)
      const head = firstLine(start.subarray(0, size))
      return { lines: () => createReadStream(path), head, sizeBytes: facts.size }
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if (error instanceof Failure || !(error instanceof Error)) throw error
    const isMissing = 'code' in error && error.code === 'ENOENT'
    const message = isMissing
      ? `there is no file ${name}`
      : `${name} can’t be read: ${error.message}`
    throw new Failure(EXIT.refused, message, { cause: error })
  }
}

async function fromInput({ input, signal }: StoreSetting): Promise<Source> {
  const stream = input?.()
  if (stream === undefined) throw new UsageError('there is no standard input here')
  signal.addEventListener('abort', () => void stream.destroy(), { once: true })
  const chunks: AsyncIterator<Uint8Array, void> = stream[Symbol.asyncIterator]()
  const first: Uint8Array[] = []
  let size = 0
  for (;;) {
    const next = await chunks.next()
    if (next.done === true) break
    const chunk = Buffer.from(next.value)
    first.push(chunk)
    size += chunk.length
    if (chunk.includes(LINE_FEED) || size >= HEAD_BYTES) break
  }
  signal.throwIfAborted()
  async function* all(): AsyncGenerator<Uint8Array, void, void> {
    yield* first
    for (;;) {
      const next = await chunks.next()
      signal.throwIfAborted()
      if (next.done === true) return
      yield Buffer.from(next.value)
    }
  }
  const lines: Lines = all()
  return { lines, head: firstLine(Buffer.concat(first)), sizeBytes: undefined }
}

function firstLine(bytes: Uint8Array): string {
  const end = bytes.indexOf(LINE_FEED)
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end)).toString()
}

export const importCommand: StoreCommand = {
  name: 'import',
  positionals: '[DIR] FILE',
  counts: [1, 2],
  summary: 'lines of JSON into a store, or into a new one',
  details:
    'Reads what `revbolt export` wrote; - is standard input. Keys are put into the store, which ' +
    'is made if it is missing, and get new revisions. A history makes a new store with the same ' +
    'revisions and leases, all or nothing. A file is checked to its end before anything is put; ' +
    'standard input is put as it comes.',
  examples: [
    'revbolt import config.jsonl --existing skip',
    'revbolt import new-data history.jsonl',
    'revbolt export | revbolt import copy -',
  ],
  options: {
    prefix: { type: 'string', value: 'P', help: 'only keys that begin with P' },
    existing: {
      type: 'string',
      value: 'WHAT',
      help: 'keys that are there already: refuse (default), replace, skip',
    },
  },
  access: 'create',
  directory: directoryOf,
  run,
  prepare: async (call, setting) => putKeys(call, await sourceOf(call, setting), setting),
}
