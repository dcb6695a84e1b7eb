/**
 * Durable writes of one file on the real disk: in order, one at a time, and none after a failure.
 *
 * They go through the lane (real-lane.ts). Where it can't be started, because threads are not
 * allowed or not to be had, they go through libuv's pool: the same, but other work there delays
 * them. Which of the two is settled by the first write, or by who expects one, and stays.
 *
 * A write is followed by a data sync of the file: fdatasync on Linux, a full sync elsewhere
 * (real-descriptor.ts). So what other calls wrote to the file before is durable too.
 */

import type { KvError } from '../base/errors.ts'
import { durableRefusal, toKvError } from './io-error.ts'
import { DATA_SYNC, syncAsync, writeAtAsync } from './real-descriptor.ts'
import { Lane } from './real-lane.ts'
import type { LaneOutcome } from './real-lane.ts'

export class DurableWriter {
  readonly #descriptor: number
  readonly #path: string
  /** Undefined while nothing was written, and in the pool. */
  #lane: Lane | undefined
  /** Among those of the lane. */
  #file = 0
  #isInPool = false
  /** Settles, never rejecting, when the last write in the pool has. */
  #poolTail: Promise<void> = Promise.resolve()
  #failure: KvError | undefined

  /** `descriptor` stays the caller's, who closes it after `close()`. */
  constructor(descriptor: number, path: string) {
    this.#descriptor = descriptor
    this.#path = path
  }

  /** Resolves when all of `source` is durable. Rejects with a `KvError`. */
  write(source: Uint8Array, position: number): Promise<void> {
    if (this.#failure !== undefined)
      return Promise.reject(durableRefusal(this.#path, this.#failure))
    const lane = this.#enteredLane()
    if (lane === undefined) return this.#writeInPool(source, position)
    return new Promise((resolve, reject) => {
      lane.submit({
        file: this.#file,
        descriptor: this.#descriptor,
        source,
        position,
        sync: DATA_SYNC,
        settle: (outcome) => {
          if (outcome.kind === 'done') resolve()
          else if (outcome.kind !== 'unavailable') reject(this.#failed(outcome))
          else resolve(this.#writeInPool(source, position))
        },
      })
    })
  }

  /** Starts the lane where it isn't. */
  prepare(): void {
    this.#enteredLane()
  }

  /** No write may be under way. */
  close(): void {
    this.#lane?.leave()
    this.#lane = undefined
  }

  #enteredLane(): Lane | undefined {
    // It ended while this file had no writes in it: nothing was lost here.
    if (this.#lane?.isGone === true) this.close()
    if (this.#lane !== undefined || this.#isInPool) return this.#lane
    try {
      this.#lane = Lane.enter()
      this.#file = this.#lane.newFile()
    } catch {
      // No thread is to be had.
      this.#isInPool = true
    }
    return this.#lane
  }

  #failed(outcome: Exclude<LaneOutcome, { kind: 'done' | 'unavailable' }>): KvError {
    if (outcome.kind === 'failed') return this.#fail(outcome.error, outcome.in)
    // The thread skips nothing before it has failed.
    return durableRefusal(this.#path, this.#failure)
  }

  /** The first failure is kept; all later writes are refused for it. */
  #fail(cause: unknown, operation: 'write' | 'sync'): KvError {
    const error = toKvError(cause, operation, this.#path)
    this.#failure ??= error
    return error
  }

  #writeInPool(source: Uint8Array, position: number): Promise<void> {
    this.#isInPool = true
    this.close()
    const write = this.#poolTail.then(() => this.#writeNow(source, position))
    this.#poolTail = write.catch(() => undefined)
    return write
  }

  async #writeNow(source: Uint8Array, position: number): Promise<void> {
    if (this.#failure !== undefined) throw durableRefusal(this.#path, this.#failure)
    let operation: 'write' | 'sync' = 'write'
    try {
      await writeAtAsync(this.#descriptor, source, position)
      operation = 'sync'
      await syncAsync(this.#descriptor, DATA_SYNC)
    } catch (error) {
      throw this.#fail(error, operation)
    }
  }
}
