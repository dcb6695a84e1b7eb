/**
 * Consistent reads of one revision that is held open: synchronous (`View`) and asynchronous
 * (`Snapshot`).
 */
import type { DiffOptions, KeyChange } from './diff.ts'
import type { BytesInput, Encoding, KeyFor, ValueFor } from './encoding.ts'
import type { KeyValue } from './key-value.ts'
import type { GetOptions, RangeOptions, RangeResult, ScanOptions } from './read.ts'

/**
 * A consistent view with synchronous reads, from `LocalStore.view()`. A read that misses the page
 * cache reads the file in line and blocks the event loop meanwhile. Held open it keeps its revision
 * and the pages under it: close it (`using` does). Reads after that throw `KV_TX_CLOSED`.
 *
 * Reads throw what the store's own reads reject with. A `revision` of their own may go further
 * back, never beyond the view's.
 */
export interface View<V = string, K = string> {
  /** The current revision of the view. */
  readonly revision: number
  /** Reads one key, as the store's `get`. */
  get<E extends Encoding = never>(
    key: BytesInput,
    options?: Omit<GetOptions<E>, 'signal' | 'serializable'>,
  ): KeyValue<ValueFor<V, E>, KeyFor<K, E>> | undefined
  /** Reads a page of keys, as the store's `range`. */
  range<E extends Encoding = never, N extends boolean = false>(
    options?: Omit<RangeOptions<E, N>, 'signal' | 'serializable'>,
  ): RangeResult<N extends true ? undefined : ValueFor<V, E>, KeyFor<K, E>>
  /**
   * Entries are read as the iteration goes; it ends with `KV_TX_CLOSED` when the view was closed
   * meanwhile.
   */
  scan<E extends Encoding = never, N extends boolean = false>(
    options?: Omit<ScanOptions<E, N>, 'signal' | 'serializable'>,
  ): IterableIterator<KeyValue<N extends true ? undefined : ValueFor<V, E>, KeyFor<K, E>>>
  /** Lets go of the revision. Idempotent. */
  close(): void
  /** As `close`. */
  [Symbol.dispose](): void
}

/**
 * A consistent view with asynchronous reads, from `LocalStore.snapshot()`: they are paced as the
 * store's own, so a long one lets the event loop run. Held open it keeps its revision and the pages
 * under it: close it (`await using` does). Reads after that reject with `KV_TX_CLOSED`, also where
 * the store closed it.
 *
 * Reads reject with what the store's own reads do. A `revision` of their own may go further back,
 * never beyond the snapshot's.
 */
export interface Snapshot<V = string, K = string> {
  /** The current revision of the snapshot. */
  readonly revision: number
  /** Reads one key, as the store's `get`. */
  get<E extends Encoding = never>(
    key: BytesInput,
    options?: GetOptions<E>,
  ): Promise<KeyValue<ValueFor<V, E>, KeyFor<K, E>> | undefined>
  /** Reads a page of keys, as the store's `range`. */
  range<E extends Encoding = never, N extends boolean = false>(
    options?: RangeOptions<E, N>,
  ): Promise<RangeResult<N extends true ? undefined : ValueFor<V, E>, KeyFor<K, E>>>
  /** Iterates over keys, as the store's `scan`. */
  scan<E extends Encoding = never, N extends boolean = false>(
    options?: ScanOptions<E, N>,
  ): AsyncIterableIterator<KeyValue<N extends true ? undefined : ValueFor<V, E>, KeyFor<K, E>>>
  /** Compares two revisions, as the store's `diff`. `to`: by default the snapshot's. */
  diff<E extends Encoding = never, N extends boolean = false>(
    options: DiffOptions<E, N>,
  ): AsyncIterableIterator<KeyChange<N extends true ? undefined : ValueFor<V, E>, KeyFor<K, E>>>
  /**
   * Lets go of the revision. Reads under way go on to their end, iterations end with
   * `KV_TX_CLOSED`. Idempotent.
   */
  close(): Promise<void>
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>
}
