/**
 * Watching keys change.
 *
 * Every event of a watched key from the start revision on, in revision order, exactly once; the
 * events of one revision are never split over two batches. Only durable revisions are seen. A slow
 * reader loses nothing: it catches up from disk.
 */
import type { Encoding } from './encoding.ts'
import type { KeyRange, KeyValue } from './key-value.ts'

/** What `watch` takes. No keys named: every key. */
export interface WatchOptions<E extends Encoding = never> extends KeyRange {
  /** The first revision to see, inclusive; it may lie ahead. Default: the next one. */
  readonly startRevision?: number | undefined
  /** Adds what the key held before to each event, unless that is compacted. Default false. */
  readonly previous?: boolean | undefined
  /** Only puts, or only deletes. Default both. */
  readonly only?: 'put' | 'delete' | undefined
  /**
   * Also delivers batches without events now and then, to tell how far the watch has come. Default
   * false.
   */
  readonly progress?: boolean | undefined
  readonly encoding?: E | undefined
  /** Abort ends the iteration with `signal.reason` thrown. */
  readonly signal?: AbortSignal | undefined
}

/** A key was put. */
export interface PutEvent<V = string, K = string> {
  readonly type: 'put'
  readonly kv: KeyValue<V, K>
  readonly previous: KeyValue<V, K> | undefined
}

/** A key was deleted, by a call or by the end of its lease. */
export interface DeleteEvent<V = string, K = string> {
  readonly type: 'delete'
  readonly key: K
  /** The revision that deleted the key. */
  readonly modRevision: number
  readonly previous: KeyValue<V, K> | undefined
}

/** What happened to one key in one revision. */
export type WatchEvent<V = string, K = string> = PutEvent<V, K> | DeleteEvent<V, K>

/** Events of whole revisions. */
export interface WatchBatch<V = string, K = string> {
  /**
   * In revision order; within a revision in the order of the writes. Empty only with `progress`.
   */
  readonly events: readonly WatchEvent<V, K>[]
  /** Every event up to and including this revision has been delivered; resume at the next one. */
  readonly revision: number
}

/**
 * A running watch. To be iterated once: `for await (const { events } of watch)`. `break` cancels
 * it. It ends normally when it is cancelled or the store is closed. A start that is compacted
 * already throws `KV_COMPACTED` (`CompactedError`, whose `compacted` is where to resume); a store
 * that can't go on throws `KV_POISONED`, after the batches already received.
 */
export interface Watch<V = string, K = string> extends AsyncIterable<WatchBatch<V, K>> {
  /**
   * Resolves when the watch is registered: at once in-process, after a round trip on a remote
   * store.
   */
  readonly ready: Promise<void>
  /** Ends the watch; batches already received can still be read. Idempotent. */
  cancel(): Promise<void>
  /** As `cancel`. */
  [Symbol.asyncDispose](): Promise<void>
}
