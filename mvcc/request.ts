/**
 * What the store is asked to do, in bytes and whole: every field is there, text is encoded, ranges
 * are resolved. Who makes them (the public store, a server) has checked types and copied the bytes.
 */

/**
 * As the end of a span: no end, to the last key. (No key can lie below it, so it is no other end.)
 */
export const TO_LAST_KEY: Uint8Array = new Uint8Array([0])

/** A key, or the keys from `key` (inclusive) to `end` (exclusive). */
export interface KeySpan {
  readonly key: Uint8Array
  /** undefined: `key` alone. `[0]`: to the last key. An end not above `key`: no keys. */
  readonly end: Uint8Array | undefined
}

export type SortTarget = 'key' | 'version' | 'createRevision' | 'modRevision' | 'value'

export interface RangeRequest extends KeySpan {
  readonly type: 'range'
  /** 0: the current revision. */
  readonly revision: number
  /** At most so many keys; Infinity: all. */
  readonly limit: number
  readonly sortBy: SortTarget
  readonly isDescending: boolean
  readonly isCountOnly: boolean
  /** Bounds, inclusive; 0 and Infinity are off. */
  readonly minModRevision: number
  readonly maxModRevision: number
  readonly minCreateRevision: number
  readonly maxCreateRevision: number
}

export interface PutRequest {
  readonly type: 'put'
  readonly key: Uint8Array
  readonly value: Uint8Array
  /** 0n: none. */
  readonly lease: bigint
  readonly wantsPrevious: boolean
  /** Keeps the value or the lease that the key has; it must exist. */
  readonly ignoreValue: boolean
  readonly ignoreLease: boolean
}

export interface DeleteRequest extends KeySpan {
  readonly type: 'delete'
  readonly wantsPrevious: boolean
}

export type CompareOperator = '=' | '!=' | '<' | '>'

export interface NumberCompare extends KeySpan {
  readonly target: 'version' | 'createRevision' | 'modRevision'
  readonly operator: CompareOperator
  readonly value: number
}

export interface ValueCompare extends KeySpan {
  readonly target: 'value'
  readonly operator: CompareOperator
  readonly value: Uint8Array
}

export interface LeaseCompare extends KeySpan {
  readonly target: 'lease'
  readonly operator: CompareOperator
  readonly value: bigint
}

export type Compare = NumberCompare | ValueCompare | LeaseCompare

/** An operation that is not a transaction itself. */
export type LeafRequest = PutRequest | DeleteRequest | RangeRequest

export type OpRequest = LeafRequest | TxnRequest

export interface TxnRequest {
  readonly type: 'txn'
  readonly compare: readonly Compare[]
  readonly success: readonly OpRequest[]
  readonly failure: readonly OpRequest[]
}

/** `T` is what the caller makes of a row. */
export interface RangeResult<T> {
  readonly type: 'range'
  readonly kvs: readonly T[]
  /** Keys in the span at the revision read, before limit and bounds. */
  readonly count: number
  /** Whether the limit cut something off. */
  readonly more: boolean
}

export interface PutResult<T> {
  readonly type: 'put'
  readonly previous: T | undefined
}

export interface DeleteResult<T> {
  readonly type: 'delete'
  readonly deleted: number
  /** In key order; empty unless asked for. */
  readonly previous: readonly T[]
}

export type OpResult<T> = RangeResult<T> | PutResult<T> | DeleteResult<T> | TxnResult<T>

export interface TxnResult<T> {
  readonly type: 'txn'
  readonly succeeded: boolean
  /** One for each operation of the list that ran, in its order. */
  readonly results: readonly OpResult<T>[]
}

/** A read of one key, or of a span with the defaults. */
export function rangeRequest(
  span: KeySpan,
  options: Partial<Omit<RangeRequest, keyof KeySpan | 'type'>> = {},
): RangeRequest {
  return {
    type: 'range',
    key: span.key,
    end: span.end,
    revision: options.revision ?? 0,
    limit: options.limit ?? Infinity,
    sortBy: options.sortBy ?? 'key',
    isDescending: options.isDescending ?? false,
    isCountOnly: options.isCountOnly ?? false,
    minModRevision: options.minModRevision ?? 0,
    maxModRevision: options.maxModRevision ?? Infinity,
    minCreateRevision: options.minCreateRevision ?? 0,
    maxCreateRevision: options.maxCreateRevision ?? Infinity,
  }
}
