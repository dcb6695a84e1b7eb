/**
 * One watcher: what it wants, how far it has come, and the batches that wait to be taken.
 *
 * Its queue is filled by the front that it follows and read by one consumer, at the consumer's own
 * pace. A consumer that waits is handed the next batch at once. A queue that is overfull gets no
 * more: the hub moves its watcher aside until all of it is taken.
 *
 * Invariants
 *   1. batches are taken in the order they were delivered; each one's `revision` is above the one
 *      before, and so are its events' revisions.
 *   2. no event below `next` is delivered; `told` is the last batch's `revision`, and below `next`.
 *   3. after the end nothing is delivered. What was delivered before can still be taken, unless the
 *      watch was aborted.
 */

import { assert } from '../base/assert.ts'
import type { EventType, StoreEvent } from '../mvcc/event-reader.ts'
import type { KeySpan } from '../mvcc/request.ts'
import type { Front } from './front.ts'

/** What a batch takes beside its events, roughly, in bytes. */
const BATCH_BYTES = 64

export interface WatchRequest extends KeySpan {
  /** The first revision to see; 0: the next one. */
  readonly startRevision: number
  readonly only: EventType | undefined
  readonly wantsPrevious: boolean
  readonly wantsProgress: boolean
}

/** Events of whole revisions, in order. */
export interface EventBatch {
  readonly events: readonly StoreEvent[]
  /** All events wanted up to and including this revision were delivered. */
  readonly revision: number
}

/** Who moves a watcher from group to group. */
export interface WatcherHost {
  /** The last batch was taken. */
  readonly emptied: (watcher: Watcher) => void
  readonly ended: (watcher: Watcher) => void
}

interface Consumer {
  readonly resolve: (batch: EventBatch | undefined) => void
  readonly reject: (error: unknown) => void
}

export class Watcher {
  readonly request: WatchRequest
  /** The first revision that may be delivered still. */
  next: number
  /** The revision up to which the consumer knows that it has everything. */
  told: number
  /** What it follows; undefined: nothing, it waits or is aside or has ended. */
  front: Front | undefined
  readonly #host: WatcherHost
  readonly #queueBytesMax: number
  #queue: EventBatch[] = []
  #taken = 0
  #queuedBytes = 0
  #consumer: Consumer | undefined
  #isEnded = false
  /** Thrown when the queue is read, once. */
  #failure: { readonly error: unknown } | undefined

  constructor(request: WatchRequest, next: number, host: WatcherHost & QueueLimit) {
    this.request = request
    this.next = next
    this.told = next - 1
    this.#host = host
    this.#queueBytesMax = host.queueBytesMax
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Whether the consumer is too far behind to be given more. */
  get isOverfull(): boolean {
    return this.#queuedBytes > this.#queueBytesMax
  }

  /** Bytes of what waits to be taken. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  wants(type: EventType): boolean {
    return this.request.only === undefined || this.request.only === type
  }

  /** Hands over everything that it wants up to `batch.revision`. */
  deliver(batch: EventBatch): void {
    assert(!this.#isEnded, 'delivered to a watcher that has ended')
    assert(batch.revision > this.told, 'delivered twice')
    this.told = batch.revision
    this.next = Math.max(this.next, batch.revision + 1)
    const consumer = this.#consumer
    if (consumer !== undefined) {
      this.#consumer = undefined
      consumer.resolve(batch)
      return
    }
    this.#queue.push(batch)
    this.#queuedBytes += sizeOf(batch)
  }

  /**
   * The next batch, as soon as there is one; undefined when the watch is over. To be called again
   * only when it has settled.
   */
  take(): Promise<EventBatch | undefined> {
    assert(this.#consumer === undefined, 'a watcher has one consumer')
    const batch = this.#queue[this.#taken]
    if (batch !== undefined) {
      this.#shift(batch)
      return Promise.resolve(batch)
    }
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) return Promise.reject(failure.error)
    if (this.#isEnded) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      this.#consumer = { resolve, reject }
    })
  }

  /** Ends it; what was delivered can still be taken. Idempotent. */
  end(): void {
    this.#end(undefined)
  }

  /** Ends it with an error, thrown when what was delivered has been taken. */
  fail(error: unknown): void {
    this.#end({ error })
  }

  /** Ends it with an error, thrown at once: what was delivered is dropped. */
  abort(error: unknown): void {
    if (this.#isEnded) return
    this.#queue = []
    this.#taken = 0
    this.#queuedBytes = 0
    this.#end({ error })
  }

  #end(failure: { readonly error: unknown } | undefined): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#host.ended(this)
    const consumer = this.#consumer
    this.#consumer = undefined
    if (consumer === undefined) this.#failure = failure
    else if (failure === undefined) consumer.resolve(undefined)
    else consumer.reject(failure.error)
  }

  #shift(batch: EventBatch): void {
    this.#taken++
    this.#queuedBytes -= sizeOf(batch)
    if (this.#taken === this.#queue.length) {
      this.#queue = []
      this.#taken = 0
      if (!this.#isEnded) this.#host.emptied(this)
    } else if (this.#taken >= 1024) {
      this.#queue = this.#queue.slice(this.#taken)
      this.#taken = 0
    }
  }
}

export interface QueueLimit {
  /** A queue with more bytes than this is overfull. */
  readonly queueBytesMax: number
}

function sizeOf(batch: EventBatch): number {
  let size = BATCH_BYTES
  for (const event of batch.events) size += event.byteCount
  return size
}
