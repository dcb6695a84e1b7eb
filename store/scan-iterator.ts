/**
 * The iteration that `scan()` returns: key by key at one revision, through whatever root is visible
 * then.
 *
 * It holds nothing between two entries, so it may be dropped at any time. Its entries come without
 * waiting as long as a step is short; then it lets the event loop run.
 */

import type { Clock } from '../base/clock.ts'
import type { KeyScan } from '../mvcc/key-scan.ts'
import type { MakeResult } from '../mvcc/range-scan.ts'
import type { RangeRequest } from '../mvcc/request.ts'
import { Pacer } from './pause.ts'
import type { ReadRoot } from './read-root.ts'

export interface ScanSetup<T> {
  readonly request: RangeRequest
  readonly make: MakeResult<T>
  readonly clock: Clock
  /** The revision that a request for one (0: none named) is answered at. */
  readonly resolve: (requested: number) => number
  /** Pins the visible root; throws when the store can't be read any more. */
  readonly pin: () => ReadRoot
}

export class ScanIterator<T> implements AsyncIterableIterator<T> {
  readonly #setup: ScanSetup<T>
  readonly #pacer: Pacer
  #scan: KeyScan | undefined
  #isDone = false
  /** The step asked for last: `next` may be called again before it is there. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(setup: ScanSetup<T>) {
    this.#setup = setup
    this.#pacer = new Pacer(setup.clock)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const step = this.#last.then(() => this.#next())
    this.#last = step.catch(() => {})
    return step
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#isDone = true
    return Promise.resolve({ done: true, value: undefined })
  }

  throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    this.#isDone = true
    return Promise.reject(error)
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      if (this.#isDone) return { done: true, value: undefined }
      if (this.#pacer.isDue) await this.#pacer.pause()
      const step = this.#step()
      if (step === 'more') continue
      if (step !== 'end') return { done: false, value: step.found }
      this.#isDone = true
    }
  }

  #step(): { readonly found: T } | 'more' | 'end' {
    const { request, make, resolve, pin } = this.#setup
    try {
      const root = pin()
      try {
        this.#scan ??= root.txn.scan({ ...request, revision: resolve(request.revision) })
        return root.txn.step(this.#scan, make)
      } finally {
        root.unpin()
      }
    } catch (error) {
      this.#isDone = true
      throw error
    }
  }
}
