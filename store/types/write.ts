/** Writing one key, deleting one or many. */
import type { Encoding } from './encoding.ts'
import type { LeaseReference } from './lease.ts'
import type { KeyValue, ResultJson } from './key-value.ts'

export interface WriteOptions<E extends Encoding = never> {
  /** Overrides the store's encoding for this call: of the value given and of `previous`. */
  readonly encoding?: E | undefined
  /**
   * Abort before anything was queued: nothing is written and the call rejects with `signal.reason`.
   * Later the call can't be stopped, and resolves or rejects by what became of it.
   */
  readonly signal?: AbortSignal | undefined
}

/** How a key is put, on its own or in a transaction. */
export interface PutSelection {
  /** Attaches the key to a lease. Without it a put takes the key off the lease it was on. */
  readonly lease?: LeaseReference | undefined
  /** Returns what the key held before. Default false. */
  readonly previous?: boolean | undefined
  /**
   * Keeps the value and writes the rest; the value argument must be undefined. The key must exist,
   * before the whole transaction where it stands in one. Default false.
   */
  readonly ignoreValue?: boolean | undefined
  /**
   * Keeps the lease; not together with `lease`. The key must exist, as with `ignoreValue`. Default
   * false.
   */
  readonly ignoreLease?: boolean | undefined
}

/** What `put` takes. */
export interface PutOptions<E extends Encoding = never> extends WriteOptions<E>, PutSelection {}

/** What a put came to: it is durable. */
export interface PutResult<V = string, K = string> {
  /** The revision that this put made. */
  readonly revision: number
  /** What the key held before, where it was asked for and there was something. */
  readonly previous: KeyValue<V, K> | undefined
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** What `delete` takes. */
export interface DeleteOptions<E extends Encoding = never> extends WriteOptions<E> {
  /** Returns what was deleted. Default false. */
  readonly previous?: boolean | undefined
}

/** What a delete came to: it is durable. */
export interface DeleteResult<V = string, K = string> {
  /** How many keys were deleted. 0: nothing was written and there is no new revision. */
  readonly deleted: number
  /** The store's revision after the call. */
  readonly revision: number
  /** What was deleted, in key order; empty unless asked for. */
  readonly previous: readonly KeyValue<V, K>[]
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}
