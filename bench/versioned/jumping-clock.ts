/** The system's clock, which can be set forward: what was to last an hour is over then. */

import type { Clock } from '../../base/clock.ts'

interface Timer {
  readonly dueMs: number
  readonly callback: () => void
  handle: NodeJS.Timeout
}

export class JumpingClock implements Clock {
  #offsetMs = 0
  readonly #timers = new Set<Timer>()

  wallMs(): number {
    return Date.now() + this.#offsetMs
  }

  monotonicMs(): number {
    return performance.now() + this.#offsetMs
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer: Timer = {
      dueMs: this.monotonicMs() + delayMs,
      callback,
      handle: setTimeout(() => this.#fire(timer), delayMs),
    }
    this.#timers.add(timer)
    return () => {
      clearTimeout(timer.handle)
      this.#timers.delete(timer)
    }
  }

  jump(byMs: number): void {
    this.#offsetMs += byMs
    for (const timer of this.#timers) {
      clearTimeout(timer.handle)
      const delayMs = Math.max(0, timer.dueMs - this.monotonicMs())
      timer.handle = setTimeout(() => this.#fire(timer), delayMs)
    }
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer)
    timer.callback()
  }
}
