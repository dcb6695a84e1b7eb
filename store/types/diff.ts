/** Comparing two states of keys: what was added, changed and removed. */
import type { Encoding } from './encoding.ts'
import type { KeyRange, KeyValue, ResultJson } from './key-value.ts'

/**
 * When a key that is there on both sides is told as changed.
 *
 * - `revision`: it was put in between, be it with the value that it had; or, of two stores,
 *   anything of it differs: value, revisions, version, lease.
 * - `value`: its value differs.
 */
export type DiffBy = 'revision' | 'value'

/** What every comparison takes. No `key`, `prefix`, `start` or `fromKey`: every key. */
export interface DiffSelection<
  E extends Encoding = never,
  N extends boolean = false,
> extends KeyRange {
  /** Default `revision`. */
  readonly by?: DiffBy | undefined
  /** Leaves the values out: every `value` is undefined and nothing is decoded. Default false. */
  readonly keysOnly?: N | undefined
  /** Overrides the encoding: the store's, or `utf8` where files are compared. */
  readonly encoding?: E | undefined
  /** Abort rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** What `diff` takes. */
export interface DiffOptions<
  E extends Encoding = never,
  N extends boolean = false,
> extends DiffSelection<E, N> {
  /**
   * The state before: right after this revision, an integer from the compacted revision to the
   * current one.
   */
  readonly from: number
  /** The state after, likewise; also an older one. Default: the current revision. */
  readonly to?: number | undefined
}

/** What `diffBackups` takes. */
export interface DiffBackupsOptions<
  E extends Encoding = 'utf8',
  N extends boolean = false,
> extends DiffSelection<E, N> {
  /** At which revision the first one is looked at. Default: its newest. */
  readonly beforeRevision?: number | undefined
  /** At which revision the second one is looked at. Default: its newest. */
  readonly afterRevision?: number | undefined
}

/** A key that differs, and what it was and is. Owned by the caller. */
export type KeyChange<V = string, K = string> = AddedKey<V, K> | ChangedKey<V, K> | RemovedKey<V, K>

/** A key that was not there before. */
export interface AddedKey<V = string, K = string> {
  readonly kind: 'added'
  readonly key: K
  readonly before: undefined
  readonly after: KeyValue<V, K>
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/**
 * A key that is there on both sides. Where the create revisions differ it was deleted and made
 * again in between.
 */
export interface ChangedKey<V = string, K = string> {
  readonly kind: 'changed'
  readonly key: K
  readonly before: KeyValue<V, K>
  readonly after: KeyValue<V, K>
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** A key that is there no more. */
export interface RemovedKey<V = string, K = string> {
  readonly kind: 'removed'
  readonly key: K
  readonly before: KeyValue<V, K>
  readonly after: undefined
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}
