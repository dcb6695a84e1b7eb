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

/** Who reads a watcher. Called from within the hub's work, it only notes what it is given. */
export interface Consumer {
  /** Takes a batch; undefined: the watch is over. */
  take(batch: EventBatch | undefined): void
  fail(error: unknown): void
}

export class Watcher {
  readonly request: WatchRequest
  readonly #only: EventType | undefined
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
  /** What the step under way has found for it. */
  #found: readonly StoreEvent[] | undefined
  /** The same list, where it is its own. */
  #foundMore: StoreEvent[] | undefined

  constructor(request: WatchRequest, next: number, host: WatcherHost & QueueLimit) {
    this.request = request
    this.#only = request.only
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
    return this.#only === undefined || this.#only === type
  }

  /**
   * Notes an event for the batch to come; says whether it is the first. `alone` holds just this
   * event, and may be noted by others, too.
   */
  find(event: StoreEvent, alone: readonly StoreEvent[]): boolean {
    const found = this.#found
    if (found === undefined) {
      this.#found = alone
      return true
    }
    if (this.#foundMore === undefined) this.#found = this.#foundMore = [...found, event]
    else this.#foundMore.push(event)
    return false
  }

  /** What was noted since the last call, in that order. */
  takeFound(): readonly StoreEvent[] {
    const found = this.#found
    assert(found !== undefined, 'nothing was found for a watcher')
    this.#found = undefined
    this.#foundMore = undefined
    return found
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
      consumer.take(batch)
      return
    }
    this.#queue.push(batch)
    this.#queuedBytes += sizeOf(batch)
  }

  /**
   * Hands the next batch to `consumer`, now or as soon as there is one. To be called again only
   * when it was given something.
   */
  handTo(consumer: Consumer): void {
    assert(this.#consumer === undefined, 'a watcher has one consumer')
    const batch = this.#queue[this.#taken]
    const failure = this.#failure
    if (batch !== undefined) {
      this.#shift(batch)
      consumer.take(batch)
    } else if (failure !== undefined) {
      this.#failure = undefined
      consumer.fail(failure.error)
    } else if (this.#isEnded) {
      consumer.take(undefined)
    } else {
      this.#consumer = consumer
    }
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
    else if (failure === undefined) consumer.take(undefined)
    else consumer.fail(failure.error)
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
