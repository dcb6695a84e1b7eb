/**
 * How far back the readers that are open may read: each as far as the compacted revision was when
 * it began. There are few different ones at a time.
 */

import { assert } from '../base/assert.ts'

export class ReadFloors {
  readonly #counts = new Map<number, number>()
  #onRise: () => void = () => {}

  /** The lowest floor of an open reader; Infinity where there is none. */
  get lowest(): number {
    return Math.min(Infinity, ...this.#counts.keys())
  }

  add(floor: number): void {
    this.#counts.set(floor, (this.#counts.get(floor) ?? 0) + 1)
  }

  remove(floor: number): void {
    const count = this.#counts.get(floor)
    assert(count !== undefined, 'a reader ends once')
    if (count > 1) {
      this.#counts.set(floor, count - 1)
      return
    }
    this.#counts.delete(floor)
    this.#onRise()
  }

  /** Calls `handler` when the last reader of a floor has ended. */
  onRise(handler: () => void): void {
    this.#onRise = handler
  }
}
