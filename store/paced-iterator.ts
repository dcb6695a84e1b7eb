/**
 * The iteration that `scan()` and `diff()` return: result by result, each found in steps.
 *
 * It holds nothing between two results, so it may be dropped at any time. Its results come without
 * waiting as long as a step is short; then it lets the event loop run.
 */

import type { Clock } from '../base/clock.ts'
import type { ScanStep } from '../mvcc/key-scan.ts'
import { Pacer } from './pause.ts'

export interface PacedSetup<T> {
  readonly clock: Clock
  /** Looks for the next result. What it throws ends the iteration. */
  readonly step: () => ScanStep<T>
}

export class PacedIterator<T> implements AsyncIterableIterator<T> {
  readonly #step: () => ScanStep<T>
  readonly #pacer: Pacer
  #isDone = false
  /** The step asked for last: `next` may be called again before it is there. */
  #last: Promise<unknown> = Promise.resolve()

  constructor({ clock, step }: PacedSetup<T>) {
    this.#step = step
    this.#pacer = new Pacer(clock)
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
      const step = this.#tryStep()
      if (step === 'more') continue
      if (step !== 'end') return { done: false, value: step.found }
      this.#isDone = true
    }
  }

  #tryStep(): ScanStep<T> {
    try {
      return this.#step()
    } catch (error) {
      this.#isDone = true
      throw error
    }
  }
}
