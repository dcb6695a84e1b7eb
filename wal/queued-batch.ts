/**
 * A batch in the queue: where it goes, and who waits for it.
 */

import { assert } from '../base/assert.ts'
import type { Batch } from './batch.ts'
import type { Segment } from './segment.ts'

export class QueuedBatch {
  readonly batch: Batch
  readonly segment: Segment
  /** The newest group in it. */
  lastTxid: number
  /** Nothing may be added any more. */
  isSealed = false
  /** Its write has begun. */
  isBegun = false
  /** The pump has handed its bytes to the disk, which may read them until it answers. */
  isInFlight = false
  /** It was written, or given up. */
  isDone = false
  /** Made for who asks: the blocking path does not. */
  #durable: Promise<void> | undefined
  #resolve: () => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(batch: Batch, segment: Segment, lastTxid: number) {
    this.batch = batch
    this.segment = segment
    this.lastTxid = lastTxid
  }

  /** Settles when it is done, which it isn't yet. */
  get durable(): Promise<void> {
    assert(!this.isDone, 'a batch that is done settles nothing more')
    if (this.#durable === undefined) {
      this.#durable = new Promise<void>((resolve, reject) => {
        this.#resolve = resolve
        this.#reject = reject
      })
      // Who doesn't await it learns from the next call that the log is poisoned.
      this.#durable.catch(() => {})
    }
    return this.#durable
  }

  resolve(): void {
    this.isDone = true
    this.#resolve()
  }

  reject(error: unknown): void {
    this.isDone = true
    this.#reject(error)
  }
}
