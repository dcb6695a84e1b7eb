/** Reading: one key, a page of keys, an iteration. */
import type { Encoding } from './encoding.ts'
import type { KeyRange, KeyValue, ResultJson } from './key-value.ts'

/** What every read takes. */
export interface ReadOptions<E extends Encoding = never> {
  /**
   * Reads the store as it was right after this revision: an integer from the compacted revision to
   * the current one. Default: the current one.
   * @throws {KvError} `KV_FUTURE_REVISION` above the current revision, `KV_COMPACTED` below the
   *   compacted one.
   */
  readonly revision?: number | undefined
  /** Overrides the store's encoding for this call. */
  readonly encoding?: E | undefined
  /**
   * Lets a cluster answer from the member asked, without agreeing with the others; it may be
   * behind. No difference in-process. Default false.
   */
  readonly serializable?: boolean | undefined
  /** Abort rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** What `get` takes. */
export interface GetOptions<E extends Encoding = never> extends ReadOptions<E> {}

/** Keeps a key only if its revisions lie within these bounds, all inclusive integers ≥ 1. */
export interface RevisionFilter {
  readonly minModRevision?: number | undefined
  readonly maxModRevision?: number | undefined
  readonly minCreateRevision?: number | undefined
  readonly maxCreateRevision?: number | undefined
}

/** From the smallest to the largest, or the other way round. */
export type Order = 'ascend' | 'descend'

/** What a range is sorted by. Keys and values are compared by their bytes. */
export type SortBy = 'key' | 'version' | 'createRevision' | 'modRevision' | 'value'

/**
 * What a range selects and how it is shown, on its own or in a transaction. No `key`, `prefix`,
 * `start` or `fromKey`: every key.
 */
export interface RangeSelection<N extends boolean = boolean> extends KeyRange, RevisionFilter {
  /** At most so many keys: an integer ≥ 1, or Infinity for no limit. Default 10,000. */
  readonly limit?: number | undefined
  /** Default `ascend`. */
  readonly order?: Order | undefined
  /**
   * Default `key`. `value` compares the stored bytes. Equal ones stand in ascending key order, save
   * on an etcd cluster, which promises no order among them.
   */
  readonly sortBy?: SortBy | undefined
  /** Leaves the values out: every `value` is undefined and nothing is decoded. Default false. */
  readonly keysOnly?: N | undefined
  /** Counts only: `kvs` is empty and `more` is false. Default false. */
  readonly countOnly?: boolean | undefined
}

/** What `range` takes. */
export interface RangeOptions<E extends Encoding = never, N extends boolean = false>
  extends ReadOptions<E>, RangeSelection<N> {}

/** A page of a range. Owned by the caller. */
export interface RangeResult<V = string, K = string> {
  readonly kvs: readonly KeyValue<V, K>[]
  /** How many keys lie in the range at that revision, before `limit` and the revision filters. */
  readonly count: number
  /** Whether `limit` cut something off. */
  readonly more: boolean
  /** The store's current revision when it answered, also where an older one was read. */
  readonly revision: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** A range's options, save those that need the whole result before the first key. */
export interface ScanOptions<E extends Encoding = never, N extends boolean = false>
  extends ReadOptions<E>, KeyRange, RevisionFilter {
  /** At most so many keys: an integer ≥ 1, or Infinity. Default Infinity. */
  readonly limit?: number | undefined
  /** Key order. Default `ascend`. */
  readonly order?: Order | undefined
  readonly keysOnly?: N | undefined
}
