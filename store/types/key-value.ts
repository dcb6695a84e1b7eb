/**
 * A key with its value and its history numbers, and the ways to name keys.
 *
 * Keys are ordered by their bytes, unsigned, a prefix before what it begins: for text that is the
 * order of UTF-8, which differs from JavaScript's `<` beyond U+FFFF.
 */
import type { BytesInput } from './encoding.ts'

/**
 * A result as JSON: the same fields, with revisions, versions, counts and lease ids as decimal
 * strings (as etcd's JSON has them), bytes as base64, and absent fields left out.
 */
export type ResultJson = Readonly<Record<string, unknown>>

/** One key at one revision. Owned by the caller; its bytes are a copy. */
export interface KeyValue<V = string, K = string> {
  readonly key: K
  readonly value: V
  /** The revision that created the key, since it was last absent. At least 2. */
  readonly createRevision: number
  /** The revision that wrote this value. At least `createRevision`. */
  readonly modRevision: number
  /** How many times the key has been put since it was created; 1 for a new key. */
  readonly version: number
  /** The lease that the key is attached to; 0n: none. */
  readonly lease: bigint
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/**
 * Which keys. One of `key`, `prefix`, `start` with `end`, or `fromKey`; two of them together are a
 * TypeError. Where a call allows none of them, it means every key.
 */
export interface KeyRange {
  /** This key alone. Not empty. */
  readonly key?: BytesInput | undefined
  /** Every key that begins with it. Empty: every key. */
  readonly prefix?: BytesInput | undefined
  /** From this key, inclusive. Needs `end`. Empty: from the first key. */
  readonly start?: BytesInput | undefined
  /** Up to this key, exclusive. Needs `start`, and `start < end` by bytes, else a RangeError. */
  readonly end?: BytesInput | undefined
  /** From this key, inclusive, to the last one. Empty: every key. */
  readonly fromKey?: BytesInput | undefined
}
