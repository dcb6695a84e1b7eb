/** `revbolt get`. */
import type { RangeSelection, RevisionFilter } from '../../index.ts'
import { UsageError } from '../arguments.ts'
import { readCount } from '../bolt/call.ts'
import type { Call, Options } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { Failure } from '../bolt/failure.ts'
import { printJson } from '../bolt/output.ts'
import { plural } from '../format.ts'
import type { BytesFormat } from './bytes.ts'
import { jsonOf, printableText, readBytesFormat, showBytes } from './bytes.ts'
import type { Db, StoreCommand, StoreSetting, Work } from './command.ts'
import type { Entry } from './entry.ts'
import { entryLine } from './entry.ts'
import type { Keys } from './keys.ts'
import { FROM_KEY_OPTION, PREFIX_OPTION, readKeys } from './keys.ts'

/** Keys printed before the reader is waited for. */
const KEYS_PER_TURN = 256

const SORTS = {
  key: 'key',
  version: 'version',
  create: 'createRevision',
  mod: 'modRevision',
  value: 'value',
} as const

/** What a get selects, also in a transaction. */
export const GET_OPTIONS: Options = {
  ...PREFIX_OPTION,
  ...FROM_KEY_OPTION,
  rev: { type: 'string', value: 'N', help: 'as it was right after this revision' },
  limit: { type: 'string', value: 'N', help: 'at most so many keys' },
  order: { type: 'string', value: 'WHICH', help: 'ascend (default) or descend' },
  'sort-by': { type: 'string', value: 'WHAT', help: `${Object.keys(SORTS).join(', ')}` },
  'keys-only': { type: 'boolean', help: 'leave the values out' },
  'count-only': { type: 'boolean', help: 'only how many keys there are' },
  'min-mod-rev': { type: 'string', value: 'N', help: 'only what was written at N or later' },
  'max-mod-rev': { type: 'string', value: 'N', help: 'only what was written at N or before' },
  'min-create-rev': { type: 'string', value: 'N', help: 'only what was created at N or later' },
  'max-create-rev': { type: 'string', value: 'N', help: 'only what was created at N or before' },
}

const SHOW_OPTIONS: Options = {
  'print-value-only': { type: 'boolean', help: 'values alone, a line each' },
  raw: { type: 'boolean', help: 'the bytes of one value as they are, and nothing else' },
  long: { type: 'boolean', help: 'show revisions, version and lease, too' },
}

/** A range, with the revision to read. */
export interface Selection extends RangeSelection {
  readonly revision?: number
}

/** @throws {UsageError} */
export function readSelection(call: Call, { range }: Keys): Selection {
  const revision = readCount(call, 'rev', 1)
  const order = readWord(call, 'order', { ascend: 'ascend', descend: 'descend' } as const)
  const sortBy = readWord(call, 'sort-by', SORTS)
  return {
    ...range,
    ...readFilters(call),
    ...(revision === undefined ? {} : { revision }),
    ...(order === undefined ? {} : { order }),
    ...(sortBy === undefined ? {} : { sortBy }),
    limit: readCount(call, 'limit', 1) ?? Infinity,
    keysOnly: call.flag('keys-only'),
    countOnly: call.flag('count-only'),
  }
}

function readFilters(call: Call): RevisionFilter {
  return {
    minModRevision: readCount(call, 'min-mod-rev', 1),
    maxModRevision: readCount(call, 'max-mod-rev', 1),
    minCreateRevision: readCount(call, 'min-create-rev', 1),
    maxCreateRevision: readCount(call, 'max-create-rev', 1),
  }
}

/** One of a few words, in upper or lower case, and what it stands for. */
function readWord<T>(
  call: Call,
  name: string,
  meanings: Readonly<Record<string, T>>,
): T | undefined {
  const text = call.text(name)?.toLowerCase()
  if (text === undefined) return undefined
  if (Object.hasOwn(meanings, text)) return meanings[text]
  throw new UsageError(`--${name}: expected ${Object.keys(meanings).join(', ')}; got ${text}`)
}

interface Shape {
  readonly keys: Keys
  readonly selection: Selection
  readonly format: BytesFormat
  readonly form: 'line' | 'value' | 'raw'
  readonly isLong: boolean
  readonly isJson: boolean
}

function prepare(call: Call, setting: StoreSetting): Work {
  const keys = readKeys(call)
  const shape: Shape = {
    keys,
    selection: readSelection(call, keys),
    format: readBytesFormat(call),
    form: readForm(call, keys),
    isLong: call.flag('long'),
    isJson: call.isJson,
  }
  return async (db) => {
    if (shape.selection.countOnly === true) return count(db, shape, setting)
    if (shape.form === 'raw') return raw(db, shape, setting)
    const found = shape.isJson
      ? await printRange(db, shape, setting)
      : await printEntries(db, shape, setting)
    if (found > 0 || keys.single === undefined) return EXIT.ok
    if (shape.isJson) return EXIT.found
    throw await noKey(db, keys.single, shape)
  }
}

function readForm(call: Call, { single }: Keys): Shape['form'] {
  const isRaw = call.flag('raw')
  const isValue = call.flag('print-value-only')
  const isKeys = call.flag('keys-only')
  const isCount = call.flag('count-only')
  const chosen = [isRaw, isValue, isKeys, isCount].filter(Boolean).length
  if (chosen > 1) {
    throw new UsageError('--raw, --print-value-only, --keys-only, --count-only: choose one')
  }
  if (call.isJson && (isRaw || isValue)) {
    throw new UsageError(`--json does not go with ${isRaw ? '--raw' : '--print-value-only'}`)
  }
  if (isRaw && single === undefined) throw new UsageError('--raw is for one key')
  if (isRaw) return 'raw'
  return isValue ? 'value' : 'line'
}

async function count(db: Db, shape: Shape, { screen, signal }: StoreSetting): Promise<number> {
  const result = await db.range({ ...shape.selection, signal })
  if (shape.isJson) printJson(screen, jsonOf(result, shape.format))
  else screen.print(String(result.count))
  return EXIT.ok
}

/** Keys in the order that was asked for, read as they are taken. */
async function* entriesOf(
  db: Db,
  selection: Selection,
  signal: AbortSignal,
): AsyncGenerator<Entry, void, void> {
  const { sortBy, countOnly: _, ...options } = selection
  if (sortBy === undefined || sortBy === 'key') yield* db.scan({ ...options, signal })
  else yield* (await db.range({ ...options, sortBy, signal })).kvs
}

async function printEntries(db: Db, shape: Shape, setting: StoreSetting): Promise<number> {
  const { screen, signal } = setting
  let printed = 0
  for await (const entry of entriesOf(db, shape.selection, signal)) {
    if (shape.form === 'value') printValue(entry, shape, setting)
    else screen.print(entryLine(screen, entry, { ...shape, isCut: isListing(shape, setting) }))
    if (++printed % KEYS_PER_TURN === 0) await screen.catchUp(signal)
  }
  return printed
}

/** One value is shown whole; of many on a terminal each has a line. */
function isListing({ keys }: Shape, { screen }: StoreSetting): boolean {
  return keys.single === undefined && screen.isTerminal
}

function printValue({ value }: Entry, { format }: Shape, { screen }: StoreSetting): void {
  if (value === undefined) return
  if (format !== 'text') {
    screen.print(showBytes(value, format))
  } else if (screen.isTerminal) {
    screen.print(printableText(value) ?? showBytes(value, format))
  } else {
    screen.write(value)
    screen.print()
  }
}

/** One object, written as it is read: a range may be larger than memory. */
async function printRange(db: Db, shape: Shape, { screen, signal }: StoreSetting): Promise<number> {
  const { limit = Infinity, ...rest } = shape.selection
  const { count, revision } = await db.range({ ...rest, countOnly: true, signal })
  const write = (text: string): void => screen.write(Buffer.from(text))
  write('{"kvs":[')
  let printed = 0
  let more = false
  for await (const entry of entriesOf(db, { ...rest, limit: limit + 1 }, signal)) {
    if (printed === limit) {
      more = true
      break
    }
    write((printed === 0 ? '' : ',') + JSON.stringify(jsonOf(entry, shape.format)))
    if (++printed % KEYS_PER_TURN === 0) await screen.catchUp(signal)
  }
  screen.print(`],"count":"${count}","more":${more},"revision":"${revision}"}`)
  return printed
}

async function raw(db: Db, shape: Shape, { screen, signal }: StoreSetting): Promise<number> {
  const { keys, selection } = shape
  const key = keys.single ?? new Uint8Array()
  const [entry] = (await db.range({ ...selection, keysOnly: false, signal })).kvs
  const value = entry?.value
  if (value === undefined) throw await noKey(db, key, shape)
  if (screen.isTerminal && printableText(value) === undefined) {
    const message = '--raw: the value is no text, and could disturb the terminal'
    throw new Failure(EXIT.found, message, { hints: ['send it to a file or a pipe'] })
  }
  screen.write(value)
  return EXIT.ok
}

async function noKey(db: Db, key: Uint8Array, { format, selection }: Shape): Promise<Failure> {
  const { revision } = selection
  const at = revision === undefined ? {} : { revision }
  const { count: like } = await db.range({ prefix: key, countOnly: true, ...at })
  const { single } = { single: await db.range({ key, countOnly: true, ...at }) }
  const when = revision === undefined ? '' : ` at revision ${revision}`
  const shown = showBytes(key, format)
  if (single.count > 0) {
    return new Failure(EXIT.found, `${shown} is there${when}, but not within those revisions`)
  }
  const begin = like === 1 ? 'begins' : 'begin'
  const hints = like === 0 ? [] : [`${plural(like, 'key')} ${begin} with it: --prefix`]
  return new Failure(EXIT.found, `there is no key ${shown}${when}`, { hints })
}

export const get: StoreCommand = {
  name: 'get',
  positionals: 'KEY [END]',
  counts: [0, 2],
  summary: 'read a key, or the keys from KEY up to END',
  details:
    'Prints KEY = VALUE, a line each; what is no plain text is quoted, or 0x and hex. END itself ' +
    'is not among them. A single key that is not there is an error; a range may be empty.',
  examples: ['revbolt get config/theme', 'revbolt get config/ --prefix --rev 12'],
  options: { ...GET_OPTIONS, ...SHOW_OPTIONS },
  takesEmpty: true,
  access: 'read',
  prepare,
}
