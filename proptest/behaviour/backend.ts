/**
 * What the behaviour suite runs against: anything that can open a `Store`.
 *
 * To add a backend write one test file that describes it and calls `behaviourSuite(backend)`. What
 * a backend can't do yet is said in `supports`; the suite then leaves those cases out and lists
 * them as skipped.
 */
import { expect } from 'vitest'
import type { ErrorCode } from '../../base/errors.ts'
import { KvError } from '../../base/errors.ts'
import type { BuiltStore } from '../../store/types.ts'
import type { Encoding, Encodings } from '../../store/types/encoding.ts'
import type { KeyValue } from '../../store/types/key-value.ts'
import type { OpResult } from '../../store/types/txn.ts'

export interface Supports {
  /** Transactions within transactions. */
  readonly nestedTxn: boolean
  /** `reopen`: the same data through a new store. */
  readonly reopen: boolean
  /** Opening for reading only. */
  readonly readOnly: boolean
  /** Equal sort keys stand in ascending key order. A real etcd promises nothing there. */
  readonly stableTies: boolean
  /**
   * A result that can't be decoded keeps the write from happening. A remote store finds out too
   * late.
   */
  readonly decodesBeforeWriting: boolean
  /** `scan` pins its revision when it is called, not with its first entry. */
  readonly scanPinsAtCall: boolean
  /** Calls made one after the other without waiting take effect in that order. */
  readonly ordersCalls: boolean
  /** `close()` gives watches what was acknowledged before it; else they may end earlier. */
  readonly closeDrainsWatches: boolean
  /** The sizes of `status()` hold what was acknowledged, not what was written a while ago. */
  readonly sizesAtOnce: boolean
  /** A watch that asks for progress is told how far it has come as soon as it has caught up. */
  readonly progressAtOnce: boolean
  /** A put and a delete of all keys from one on, in one transaction, are seen to be of one key. */
  readonly openEndedDuplicates: boolean
  /** The full-length property runs are not too slow. */
  readonly properties: boolean
}

/** What a store in this process supports: all of it. */
export const EVERYTHING: Supports = {
  nestedTxn: true,
  reopen: true,
  readOnly: true,
  stableTies: true,
  decodesBeforeWriting: true,
  scanPinsAtCall: true,
  ordersCalls: true,
  closeDrainsWatches: true,
  sizesAtOnce: true,
  progressAtOnce: true,
  openEndedDuplicates: true,
  properties: true,
}

/** The store type of an encoding. */
export type StoreOf<E extends Encoding> = BuiltStore<Encodings[E]['value'], Encodings[E]['key']>

export interface ReopenOptions {
  readonly readOnly?: boolean
}

/** An open store and what belongs to it. */
export interface Opened<E extends Encoding = 'utf8'> {
  readonly store: StoreOf<E>
  /** Closes the store and opens the same data anew. Only where `supports.reopen`. */
  reopen?(options?: ReopenOptions): Promise<StoreOf<E>>
  /** Closes whatever store is open and removes the data. Idempotent. */
  close(): Promise<void>
}

export interface Backend {
  readonly name: string
  readonly supports: Supports
  /** Whether UPDATE_GOLDEN=1 takes the golden scripts' outcome from this backend; one does. */
  readonly writesGolden?: boolean
  /** Opens a store that nothing was ever written to (revision 1), with etcd's default limits. */
  open<E extends Encoding>(encoding: E): Promise<Opened<E>>
}

/** Runs `fn` on a new store of text, which is closed and removed whatever happens. */
export async function withStore(
  backend: Backend,
  fn: (store: StoreOf<'utf8'>, opened: Opened) => Promise<void>,
): Promise<void> {
  await withEncoding(backend, 'utf8', fn)
}

export async function withEncoding<E extends Encoding>(
  backend: Backend,
  encoding: E,
  fn: (store: StoreOf<E>, opened: Opened<E>) => Promise<void>,
): Promise<void> {
  const opened = await backend.open(encoding)
  try {
    await fn(opened.store, opened)
  } finally {
    await opened.close()
  }
}

/**
 * The data of a key and value, short and comparable: `a=b c2 m3 v2`, with the lease where there is
 * one.
 */
export function brief(kv: KeyValue<unknown, unknown> | undefined): string {
  if (kv === undefined) return 'none'
  const value = kv.value === undefined ? '' : `=${show(kv.value)}`
  const lease = kv.lease === 0n ? '' : ` l${kv.lease}`
  return `${show(kv.key)}${value} c${kv.createRevision} m${kv.modRevision} v${kv.version}${lease}`
}

/** Text as it is where it is plain, bytes as hex, anything else as JSON. */
export function show(value: unknown): string {
  if (typeof value === 'string') return /^[!-<>-~]*$/.test(value) ? value : JSON.stringify(value)
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`
  return JSON.stringify(value)
}

export function briefAll(kvs: readonly KeyValue<unknown, unknown>[]): string[] {
  return kvs.map((kv) => brief(kv))
}

/** The result of one operation of a transaction, on one line. */
export function briefResult(result: OpResult<unknown, unknown>): string {
  switch (result.type) {
    case 'put':
      return `put previous ${brief(result.previous)}`
    case 'get':
      return `get ${brief(result.kv)}`
    case 'range': {
      const more = result.more ? ' more' : ''
      return `range count ${result.count}${more} ${list(briefAll(result.kvs))}`
    }
    case 'delete':
      return `delete ${result.deleted} ${list(briefAll(result.previous))}`
    case 'txn': {
      const inner = result.results.map((one) => briefResult(one))
      return `txn ${result.succeeded} {${inner.join('; ')}}`
    }
  }
}

function list(items: readonly string[]): string {
  return `[${items.join(', ')}]`
}

/** All keys of the store, now or at a revision, each on a line. */
export async function dump(store: StoreOf<'utf8'>, revision?: number): Promise<string[]> {
  const { kvs } = await store.range({ limit: Infinity, revision })
  return briefAll(kvs)
}

export async function revisionOf(store: StoreOf<'utf8'>): Promise<number> {
  return (await store.status()).revision
}

/** Collects an iteration. */
export async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of iterable) all.push(item)
  return all
}

/** What a call was refused with; fails where it was not refused. */
export async function refusalOf(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  return expect.fail('the call was not refused')
}

/** The code of the operating error that a call is refused with; anything else is thrown on. */
export async function codeOf(call: () => Promise<unknown>): Promise<ErrorCode> {
  const error = await refusalOf(call)
  if (error instanceof KvError) return error.code
  throw error
}

/** Claims that a call is refused with this operating error. */
export async function expectCode(code: ErrorCode, call: () => Promise<unknown>): Promise<KvError> {
  const error = await refusalOf(call)
  if (!(error instanceof KvError)) throw error
  expect(error.code).toBe(code)
  return error
}

/** All that a revision holds, and how its pages end just at and just before the last key. */
export async function rowsAt(store: StoreOf<'bytes'>, revision: number): Promise<string[]> {
  const { kvs, count } = await store.range({ revision, limit: Infinity })
  const lines = [`@${revision} ${count}`, ...briefAll(kvs)]
  for (const limit of [count, count - 1]) {
    if (limit < 1) continue
    const page = await store.range({ revision, limit, order: 'descend', keysOnly: true })
    lines.push(`${limit} of ${page.count} ${page.more}`, ...briefAll(page.kvs))
    lines.push(...briefAll(await collect(store.scan({ revision, limit }))))
  }
  return lines
}
