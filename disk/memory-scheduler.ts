/**
 * The order in which asynchronous calls happen on a disk in memory.
 *
 * Calls that are under way at the same time happen in any order, as in a thread pool; here the
 * order is drawn from a seed. One happens in each turn of the event loop, or none in a turn that is
 * idle, and what was awaiting it goes on before the next.
 */

import type { Random } from '../base/random.ts'

export class MemoryScheduler {
  readonly #random: Random | undefined
  readonly #idleTurns: number
  readonly #waiting: (() => void)[] = []
  #isArmed = false

  /**
   * Without `random` the calls happen in the order they were made. `idleTurns` is the probability
   * that a turn is idle.
   */
  constructor(random: Random | undefined, idleTurns: number) {
    this.#random = random
    this.#idleTurns = idleTurns
  }

  /** Runs `body` later; resolves or rejects with what it returns or throws. */
  run<T>(body: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(body())
        } catch (error) {
          reject(error)
        }
      })
      this.#arm()
    })
  }

  #arm(): void {
    if (this.#isArmed) return
    this.#isArmed = true
    setImmediate(() => {
      this.#isArmed = false
      if (this.#idleTurns > 0 && this.#random?.chance(this.#idleTurns) === true) {
        this.#arm()
        return
      }
      const index = this.#random?.below(this.#waiting.length) ?? 0
      const [next] = this.#waiting.splice(index, 1)
      if (this.#waiting.length > 0) this.#arm()
      next?.()
    })
  }
}
