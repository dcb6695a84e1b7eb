/** `revbolt bolt keys` and `get`: what is in a bucket. */
import type { Bucket, Cursor, Entry, Tx } from '../../engine/index.ts'
import { UsageError } from '../arguments.ts'
import { plural } from '../format.ts'
import { mustFindBucket } from './bucket-path.ts'
import { readCount } from './call.ts'
import type { Call, Command, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { isEtcd, isRowBucket, jsonRow, readRow, showKeyValue, showRevision } from './etcd.ts'
import { Failure } from './failure.ts'
import { withEngine } from './opening.ts'
import { printJson } from './output.ts'
import { bucketName } from './surveying.ts'
import type { Format } from './value-format.ts'
import {
  FORMAT_OPTION,
  KEY_FORMAT_OPTION,
  jsonBytes,
  parseKey,
  readFormat,
  readKeys,
  showBytes,
} from './value-format.ts'

/** Keys printed before the reader is waited for. */
const KEYS_PER_TURN = 256

interface View {
  readonly format: Format
  readonly hasValues: boolean
  readonly isJson: boolean
  /** The bucket holds etcd's rows. */
  readonly hasRows: boolean
}

async function runKeys(call: Call, setting: Setting): Promise<number> {
  const path = readKeys(call, call.positionals.slice(1))
  const format = readFormat(call)
  const limit = readCount(call, 'limit', 1) ?? Infinity
  const prefixText = call.text('prefix')
  const prefix = prefixText === undefined ? undefined : parsePrefix(call, prefixText)
  const { screen, signal } = setting
  return withEngine(call, setting, async (engine) => {
    const tx = await engine.begin()
    try {
      const bucket = mustFindBucket(tx, path)
      const hasRows = isRowBucket(path) && isEtcd(tx)
      const view = { format, hasValues: call.flag('values'), isJson: call.isJson, hasRows }
      let count = 0
      for (const entry of entriesOf(bucket, prefix, call.flag('reverse'))) {
        if (count === limit) break
        count++
        if (view.isJson) printJson(screen, jsonEntry(entry, view))
        else screen.print(showEntry(entry, view))
        if (count % KEYS_PER_TURN !== 0) continue
        await screen.catchUp(signal)
        // A stop is heard only when the event loop turns.
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      tx.rollback()
    }
    return EXIT.ok
  })
}

function parsePrefix(call: Call, text: string): Uint8Array {
  if (text === '') throw new UsageError('--prefix is empty; leave it away for all keys')
  const format = call.text('key-format')
  const isRevision = format === 'revision'
  return isRevision ? parseKey(text, 'auto') : (readKeys(call, [text])[0] ?? new Uint8Array())
}

function* entriesOf(
  bucket: Bucket,
  prefix: Uint8Array | undefined,
  isReverse: boolean,
): Generator<Entry, void, void> {
  const cursor = bucket.cursor()
  const starts = (entry: Entry): boolean =>
    prefix === undefined || Buffer.compare(entry.key.subarray(0, prefix.length), prefix) === 0
  let entry = isReverse ? lastOf(cursor, prefix) : firstOf(cursor, prefix)
  while (entry !== undefined && starts(entry)) {
    yield entry
    entry = isReverse ? cursor.prev() : cursor.next()
  }
}

function firstOf(cursor: Cursor, prefix: Uint8Array | undefined): Entry | undefined {
  return prefix === undefined ? cursor.first() : cursor.seek(prefix)
}

/** The last key with a prefix, or whatever is before where it would be. */
function lastOf(cursor: Cursor, prefix: Uint8Array | undefined): Entry | undefined {
  const end = prefix === undefined ? undefined : prefixEnd(prefix)
  if (end === undefined) return cursor.last()
  return cursor.seek(end) === undefined ? cursor.last() : cursor.prev()
}

/** The first key behind all that begin with `prefix`; undefined where there is none. */
function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  let size = prefix.length
  while (size > 0 && prefix[size - 1] === 0xff) size--
  if (size === 0) return undefined
  // `slice` of a Buffer would share its bytes.
  const end = Uint8Array.from(prefix.subarray(0, size))
  end[size - 1] = (end[size - 1] ?? 0) + 1
  return end
}

function showEntry(entry: Entry, view: View): string {
  const { key, value } = entry
  const row = view.hasRows && view.format === 'auto' ? readRow(key, value) : undefined
  if (row !== undefined) {
    const revision = showRevision(row.revision)
    if (!view.hasValues) return revision
    if (row.kv === undefined) return `${revision}  (no KeyValue: ${showBytes(value ?? key)})`
    return `${revision}  ${showKeyValue(row.kv, row.revision.isTombstone, view.format)}`
  }
  const shown = showBytes(key, view.format)
  if (value === undefined) return `${shown}  (bucket)`
  return view.hasValues ? `${shown} = ${showBytes(value, view.format)}` : shown
}

function jsonEntry(entry: Entry, view: View): unknown {
  const { key, value } = entry
  const row = view.hasRows ? readRow(key, view.hasValues ? value : undefined) : undefined
  const etcd = row === undefined ? {} : { etcd: jsonRow(row) }
  const json = { key: jsonBytes(key), ...etcd }
  if (value === undefined) return { ...json, isBucket: true }
  return view.hasValues ? { ...json, value: jsonBytes(value) } : json
}

async function runGet(call: Call, setting: Setting): Promise<number> {
  const words = readKeys(call, call.positionals.slice(1))
  const path = words.slice(0, -1)
  const key = words.at(-1) ?? new Uint8Array()
  const format = readFormat(call)
  return withEngine(call, setting, (engine) =>
    engine.view((tx) => {
      const bucket = mustFindBucket(tx, path)
      const value = bucket.get(key)
      if (value === undefined) throw noKey(bucket, path, key)
      printValue({ key, value }, { tx, path, format, call, setting })
      return EXIT.ok
    }),
  )
}

interface Shown {
  readonly tx: Tx
  readonly path: readonly Uint8Array[]
  readonly format: Format
  readonly call: Call
  readonly setting: Setting
}

function printValue(
  { key, value }: { readonly key: Uint8Array; readonly value: Uint8Array },
  { tx, path, format, call, setting: { screen } }: Shown,
): void {
  const hasRows = isRowBucket(path) && isEtcd(tx)
  if (call.flag('raw')) {
    // Lent: the stream may write it later.
    screen.write(Uint8Array.from(value))
  } else if (call.isJson) {
    const view = { format, hasValues: true, isJson: true, hasRows }
    printJson(screen, jsonEntry({ key, value }, view))
  } else {
    const row = hasRows && format === 'auto' ? readRow(key, value) : undefined
    const kv = row?.kv
    screen.print(
      kv === undefined || row === undefined
        ? showBytes(value, format)
        : showKeyValue(kv, row.revision.isTombstone, format),
    )
  }
}

function noKey(bucket: Bucket, path: readonly Uint8Array[], key: Uint8Array): Failure {
  const where = `${bucketName(path)}`
  if (bucket.bucket(key) !== undefined) {
    const hints = ['`keys` lists what is in it']
    return new Failure(EXIT.found, `${showBytes(key)} in ${where} is a bucket`, { hints })
  }
  const near = bucket.cursor().seek(key)
  const hints =
    near === undefined
      ? ['it would be behind the last key there']
      : [`the next key there is ${showBytes(near.key)}`]
  const size = plural(key.length, 'byte')
  const message = `there is no key ${showBytes(key)} (${size}) in ${where}`
  return new Failure(EXIT.found, message, { hints })
}

export const keys: Command = {
  name: 'keys',
  positionals: 'FILE BUCKET…',
  counts: [2, Infinity],
  summary: 'the keys of a bucket, in order',
  details:
    'Prints one key a line; with --json one object a line. In the bucket "key" of an etcd ' +
    'database keys are revisions, {main, sub}, and values are taken apart.',
  options: {
    prefix: { type: 'string', value: 'P', help: 'only keys that begin with this' },
    limit: { type: 'string', value: 'N', help: 'at most so many' },
    reverse: { type: 'boolean', help: 'the last key first' },
    values: { type: 'boolean', help: 'show the values, too' },
    format: FORMAT_OPTION,
    'key-format': KEY_FORMAT_OPTION,
  },
  run: runKeys,
}

export const get: Command = {
  name: 'get',
  positionals: 'FILE BUCKET… KEY',
  counts: [3, Infinity],
  summary: 'the value of a key',
  details: 'Prints the value of one key. Exits with 1 where there is none.',
  options: {
    raw: { type: 'boolean', help: 'the bytes as they are, and nothing else' },
    format: FORMAT_OPTION,
    'key-format': KEY_FORMAT_OPTION,
  },
  run: runGet,
}
