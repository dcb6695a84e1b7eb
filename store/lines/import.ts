/**
 * Puts the keys that lines hold into a store, by transactions of bounded size. The store may be
 * any, here or elsewhere, and is written to as by anybody: the keys get new revisions.
 */

import { EMPTY_BYTES, compareBytes, formatBytes } from '../../base/bytes.ts'
import { KvError } from '../../base/errors.ts'
import { describeType } from '../../base/text.ts'
import { readOptions } from '../fields.ts'
import type { Fields } from '../fields.ts'
import { compare, put, range, txnOp } from '../op.ts'
import { asResult } from '../result.ts'
import type { BuiltStore } from '../types.ts'
import type { ImportLinesOptions, ImportLinesResult, LinesSource } from '../types/lines.ts'
import type { TxnRequest } from '../types/txn.ts'
import { Arriving } from './arriving.ts'
import type { KeyLine, KeysHead } from './line.ts'
import { LineReader, chunksOf } from './line-reader.ts'

const OPTIONS: ReadonlySet<string> = new Set([
  'prefix',
  'existing',
  'maxTxnOps',
  'sizeBytes',
  'signal',
  'onProgress',
])
const MAX_TXN_OPS_DEFAULT = 128
/** Keys and values in one transaction, unless one pair is larger: well below etcd's limit. */
const TXN_BYTES = 512 * 1024
const EXISTING = ['refuse', 'replace', 'skip'] as const

type Existing = (typeof EXISTING)[number]
type BytesStore = BuiltStore<unknown, unknown>

/**
 * Puts keys and values into a store: of the lines that `exportLines` gives without `history`. They
 * get new revisions, and are on no lease.
 *
 * Lines that are a function are read twice, and nothing is put unless all of them are whole. Other
 * lines are put as they come, so where they turn out to be cut off or changed some are put already;
 * the error's message says how many.
 *
 * @throws {KvError} `KV_BAD_FILE`, `KV_BAD_VERSION` (no lines of keys); `KV_CORRUPT` (they were cut
 *   off or changed; the message begins with the number of the line); `KV_EXISTS` with
 *   `existing: 'refuse'`; whatever `txn` and reading the lines throw; the signal's reason
 */
export async function importLines<V, K>(
  lines: LinesSource,
  store: BuiltStore<V, K>,
  options?: ImportLinesOptions,
): Promise<ImportLinesResult> {
  const fields = readOptions(options, OPTIONS)
  const arriving = new Arriving(fields)
  const target = new Target(mustBeStore(store), fields)
  arriving.signal?.throwIfAborted()
  if (typeof lines === 'function') {
    const reader = new LineReader(chunksOf(lines))
    try {
      for await (const _ of keysOf(reader)) arriving.signal?.throwIfAborted()
    } finally {
      await reader.close()
    }
  }
  const reader = new LineReader(chunksOf(lines))
  try {
    return await bring(reader, target, arriving)
  } finally {
    await reader.close()
  }
}

function mustBeStore(store: unknown): BytesStore {
  if (typeof store === 'object' && store !== null && 'txn' in store) return store as BytesStore
  throw new TypeError(`store: expected a store, got ${describeType(store)}`)
}

async function bring(
  reader: LineReader,
  target: Target,
  arriving: Arriving,
): Promise<ImportLinesResult> {
  let exportedRevision = 0
  try {
    for await (const line of keysOf(reader)) {
      if (line.type === 'head') exportedRevision = line.revision
      else if (await target.take(line, reader.lineNumber)) arriving.look(reader)
    }
    await target.flush()
  } catch (error) {
    throw target.withCount(error)
  }
  arriving.end(reader)
  return asResult({ ...target.counts, exportedRevision })
}

/** The head, then the keys, whose order is checked. */
async function* keysOf(reader: LineReader): AsyncGenerator<KeysHead | KeyLine, void, void> {
  const head = await reader.head('keys', 'importHistory makes a store of that')
  if (head.content !== 'keys') throw reader.fault('it is no head of keys')
  yield head
  let last: Uint8Array | undefined
  for await (const line of reader.body(head)) {
    if (line.type !== 'key') throw reader.fault(`${line.type} is of a history, which this is not`)
    if (last !== undefined && compareBytes(line.key, last) <= 0) {
      throw reader.fault('its key does not come after that of the line before')
    }
    if (line.modRevision > head.revision) throw reader.fault('it is newer than the head says')
    last = line.key
    yield line
  }
}

interface Counts {
  readonly putCount: number
  readonly skippedCount: number
  readonly unleasedCount: number
  readonly revision: number | undefined
}

/** The store that keys are put into, and those that wait for the next transaction. */
class Target {
  readonly #store: BytesStore
  readonly #prefix: Uint8Array
  readonly #existing: Existing
  readonly #opsMax: number
  readonly #signal: AbortSignal | undefined
  #batch: { readonly line: KeyLine; readonly lineNumber: number }[] = []
  #batchBytes = 0
  #putCount = 0
  #skippedCount = 0
  #unleasedCount = 0
  #revision: number | undefined

  constructor(store: BytesStore, fields: Fields) {
    this.#store = store
    this.#prefix = fields.has('prefix') ? new Uint8Array(fields.bytes('prefix')) : EMPTY_BYTES
    this.#existing = fields.word('existing', EXISTING) ?? 'refuse'
    const opsMax = fields.integer('maxTxnOps', 1) ?? MAX_TXN_OPS_DEFAULT
    // A put that looks before it is put is a transaction within one, which needs an operation more.
    this.#opsMax = this.#existing === 'skip' ? Math.max(1, opsMax - 1) : opsMax
    this.#signal = fields.signal()
  }

  get counts(): Counts {
    return {
      putCount: this.#putCount,
      skippedCount: this.#skippedCount,
      unleasedCount: this.#unleasedCount,
      revision: this.#revision,
    }
  }

  /** Takes a key; true where it, or those before it, were put. */
  async take(line: KeyLine, lineNumber: number): Promise<boolean> {
    const { key, value } = line
    if (compareBytes(key.subarray(0, this.#prefix.length), this.#prefix) !== 0) return false
    const byteCount = key.length + value.length
    const isFull = this.#batch.length === this.#opsMax || this.#batchBytes + byteCount > TXN_BYTES
    if (isFull) await this.flush()
    this.#batch.push({ line, lineNumber })
    this.#batchBytes += byteCount
    return isFull
  }

  async flush(): Promise<void> {
    const batch = this.#batch
    if (batch.length === 0) return
    this.#batch = []
    this.#batchBytes = 0
    const request = requestOf(
      batch.map(({ line }) => line),
      this.#existing,
    )
    const options = { encoding: 'bytes', signal: this.#signal } as const
    const { succeeded, revision, results } = await this.#store.txn(request, options)
    if (!succeeded && this.#existing === 'refuse') {
      const at = results.findIndex((result) => result.type === 'range' && result.count > 0)
      const found = batch[at]
      const key = formatBytes(found?.line.key ?? EMPTY_BYTES)
      throw new KvError('KV_EXISTS', `line ${found?.lineNumber}: there is a key ${key} already`)
    }
    for (const [i, { line }] of batch.entries()) {
      const result = results[i]
      const isPut = succeeded && (result?.type !== 'txn' || result.succeeded)
      if (!isPut) this.#skippedCount++
      else {
        this.#putCount++
        if (line.lease !== 0n) this.#unleasedCount++
        this.#revision = revision
      }
    }
  }

  /** The error, saying what was put before it. */
  withCount(error: unknown): unknown {
    if (!(error instanceof KvError) || this.#putCount === 0) return error
    const keys = this.#putCount === 1 ? '1 key was' : `${this.#putCount} keys were`
    const { code, message, outcome } = error
    return new KvError(code, `${message}; ${keys} put before`, { cause: error, outcome })
  }
}

/** Puts the lines' keys; those that exist are replaced, or left, or keep all from being put. */
function requestOf(lines: readonly KeyLine[], existing: Existing): TxnRequest<Uint8Array> {
  const puts = lines.map(({ key, value }) => put(key, value))
  if (existing === 'replace') return { success: puts }
  const absent = lines.map(({ key }) => compare(key).createRevision('=', 0))
  if (existing === 'refuse') {
    return { compare: absent, success: puts, failure: lines.map(({ key }) => keyAlone(key)) }
  }
  if (lines.length === 1) return { compare: absent, success: puts }
  return {
    success: lines.map(({ key, value }) =>
      txnOp({ compare: [compare(key).createRevision('=', 0)], success: [put(key, value)] }),
    ),
  }
}

function keyAlone(key: Uint8Array): ReturnType<typeof range> {
  return range({ key, keysOnly: true })
}
