/**
 * One run of the function of a `transact`: the handle that it is passed, and what becomes of it.
 *
 * Reads go to the store, all at one revision unless the isolation is weaker: the first one that is
 * asked says which, the others wait for it. What was read is noted before the function sees it, so
 * that it can't act on anything that isn't compared. Writes are laid over reads as they were when
 * the read was called.
 *
 * A read that the store refused leaves a hole in what is noted, and the function may have caught
 * the error and gone on as if there were nothing. So such a run is never committed. A slip in the
 * arguments or a value that can't be decoded leaves no hole.
 */

import { assert } from '../base/assert.ts'
import { compareBytes } from '../base/bytes.ts'
import { KvError, isKvError } from '../base/errors.ts'
import type { KeySpan } from '../mvcc/request.ts'
import type { KeyValue as Row } from '../proto/mvccpb.ts'
import { Arguments, SPAN } from './arguments.ts'
import type { Codec, OutputKey } from './codec.ts'
import { Fields, readOptions } from './fields.ts'
import { EVERY_KEY, isEmptySpan, rangeOf } from './key-span.ts'
import { ReadSet, olderCompare } from './read-set.ts'
import { entryMaker } from './result.ts'
import type { Entry } from './result.ts'
import type { KeyValue } from './types/key-value.ts'
import type { RangeOptions } from './types/read.ts'
import type { Isolation, NumberCompare, Transaction, TxnOptions, TxnRequest } from './types/txn.ts'
import { WriteSet } from './write-set.ts'

/** What a transaction needs of a store, whatever its encoding: bytes in, bytes out. */
export interface TransactStore {
  range(options: RangeOptions<'bytes'>): Promise<{
    readonly kvs: readonly KeyValue<unknown, unknown>[]
    readonly revision: number
  }>
  txn(
    request: TxnRequest<Uint8Array>,
    options: TxnOptions<'bytes'>,
  ): Promise<{ readonly succeeded: boolean; readonly revision: number }>
}

export interface RunSetup {
  readonly store: TransactStore
  readonly codec: Codec
  readonly isolation: Isolation
  readonly signal: AbortSignal | undefined
}

interface Found {
  readonly rows: readonly Row[]
  readonly revision: number
}

const PUT_OPTIONS: ReadonlySet<string> = new Set(['lease'])
/** The least key there can be. */
const FIRST_KEY: KeySpan = { key: new Uint8Array(1), end: undefined }

export class TransactionRun implements Transaction<unknown, OutputKey> {
  readonly #setup: RunSetup
  /** All reads are of one revision. */
  readonly #isPinned: boolean
  readonly #make: (row: Row) => Entry
  readonly #reads = new ReadSet()
  readonly #writes = new WriteSet()
  #first: Promise<Found> | undefined
  #revision: number | undefined
  #refusal: { readonly error: unknown } | undefined
  #isOver = false

  constructor(setup: RunSetup) {
    const { codec, isolation } = setup
    this.#setup = setup
    this.#isPinned = isolation === 'serializable' || isolation === 'serializableSnapshot'
    this.#make = entryMaker(codec, false)
  }

  get revision(): number | undefined {
    return this.#revision
  }

  async get(key: unknown): Promise<Entry | undefined> {
    this.#mustBeOpen()
    const args = new Arguments(this.#setup.codec)
    const span: KeySpan = { key: args.key(key, 'key'), end: undefined }
    args.throwRefusal()
    const [row] = await this.#read(span)
    return row === undefined ? undefined : this.#make(row)
  }

  async range(keys: unknown): Promise<readonly Entry[]> {
    this.#mustBeOpen()
    const args = new Arguments(this.#setup.codec)
    const span = args.span(new Fields(keys, SPAN, { name: 'keys', path: '' })) ?? EVERY_KEY
    args.throwRefusal()
    return (await this.#read(span)).map((row) => this.#make(row))
  }

  put(key: unknown, value: unknown, options?: unknown): void {
    this.#mustBeOpen()
    const fields = readOptions(options, PUT_OPTIONS)
    const args = new Arguments(this.#setup.codec)
    const ownKey = args.key(key, 'key')
    const ownValue = args.value(value, 'value')
    const lease = fields.lease('lease')
    args.throwRefusal()
    this.#writes.put(ownKey, ownValue, lease)
  }

  delete(keys: unknown): void {
    this.#mustBeOpen()
    const args = new Arguments(this.#setup.codec)
    const span = args.keys(keys, 'keys')
    args.throwRefusal()
    this.#writes.delete(span)
  }

  /** The function has returned: the handle is of no use any more. */
  end(): void {
    this.#isOver = true
  }

  /** Whether what was to be read is compacted, so that only running again can help. */
  get staleness(): unknown {
    const error = this.#refusal?.error
    return isKvError(error, 'KV_COMPACTED') ? error : undefined
  }

  /**
   * Commits what was written, if all that was read is still so: the store's revision then, or
   * undefined.
   * @throws whatever keeps it from being known: a read that was refused, the store's refusal
   */
  async commit(): Promise<number | undefined> {
    if (this.#refusal !== undefined) throw this.#refusal.error
    const { store, signal } = this.#setup
    signal?.throwIfAborted()
    if (this.#writes.isEmpty && this.#isPinned) {
      // What one revision holds was so, all of it, at one moment.
      return this.#revision ?? (await this.#fetch(FIRST_KEY)).revision
    }
    const compare = this.#compares()
    const success = this.#writes.ops()
    try {
      const done = await store.txn({ compare, success }, { encoding: 'bytes', signal })
      return done.succeeded ? done.revision : undefined
    } catch (error) {
      if (!isKvError(error, 'KV_TXN_TOO_MANY_OPS')) throw error
      throw new KvError(
        'KV_TXN_TOO_MANY_OPS',
        `the transaction needs ${compare.length} compares, one for each key and each range that ` +
          `it read, and ${success.length} operations: ${error.message}`,
        { cause: error },
      )
    }
  }

  /** What a span holds for the function. */
  async #read(span: KeySpan): Promise<readonly Row[]> {
    if (isEmptySpan(span)) return []
    const overlay = this.#writes.over(span)
    const stored = this.#writes.decides(span) ? [] : await this.#readStored(span)
    const rows = stored.filter(({ key }) => !overlay.hides(key))
    return overlay.rows.length === 0 ? rows : inKeyOrder([...rows, ...overlay.rows])
  }

  async #readStored(span: KeySpan): Promise<readonly Row[]> {
    const { isolation } = this.#setup
    const known = span.end === undefined ? this.#reads.get(span.key) : undefined
    if (known !== undefined) return known.row === undefined ? [] : [known.row]
    const { rows, revision } = await this.#fetch(span)
    if (isolation === 'readCommitted') return rows
    this.#reads.add(span, rows, revision)
    if (this.#isPinned) return rows
    // What was read before is so still, whatever became of it.
    const repeated = this.#reads.within(span).map(({ row }) => row)
    return inKeyOrder(repeated.filter((row) => row !== undefined))
  }

  async #fetch(span: KeySpan): Promise<Found> {
    if (!this.#isPinned) return await this.#ask(span, undefined)
    if (this.#first === undefined) {
      this.#first = this.#ask(span, undefined)
      return await this.#first
    }
    const { revision } = await this.#first
    return await this.#ask(span, revision)
  }

  async #ask(span: KeySpan, revision: number | undefined): Promise<Found> {
    const { store, signal } = this.#setup
    // Unpinned, a member of a cluster may answer alone: what it says is compared, or promises less.
    const serializable = !this.#isPinned
    const where = { ...rangeOf(span), revision, serializable }
    try {
      const found = await store.range({ ...where, limit: Infinity, encoding: 'bytes', signal })
      // An answer names the current revision, whichever was read.
      const read = revision ?? found.revision
      this.#revision ??= read
      return { rows: found.kvs.map((kv) => rowOf(kv)), revision: read }
    } catch (error) {
      this.#refusal ??= { error }
      throw error
    }
  }

  #compares(): NumberCompare[] {
    const compares = this.#reads.compares(this.#isPinned)
    const revision = this.#revision
    if (this.#setup.isolation !== 'serializableSnapshot' || revision === undefined) return compares
    const unread = this.#writes.spans().filter((span) => !this.#reads.guards(span))
    return [...compares, ...unread.map((span) => olderCompare(span, revision))]
  }

  #mustBeOpen(): void {
    if (!this.#isOver) return
    throw new KvError('KV_TX_CLOSED', 'the function of this transaction has returned')
  }
}

function inKeyOrder(rows: readonly Row[]): readonly Row[] {
  return rows.toSorted((a, b) => compareBytes(a.key, b.key))
}

function rowOf(kv: KeyValue<unknown, unknown>): Row {
  const { key, value } = kv
  assert(key instanceof Uint8Array && value instanceof Uint8Array, 'bytes were asked for')
  const { createRevision, modRevision, version, lease } = kv
  return { key, value, createRevision, modRevision, version, lease }
}
