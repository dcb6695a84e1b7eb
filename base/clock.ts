/**
 * Time: the one place that reads it.
 *
 * Whoever needs the time or a timer is handed a `Clock`. `systemClock` is the real one; `FakeClock`
 * stands still until it is told to move, so a test of an hour takes no time and has no race.
 */

export interface Clock {
  /** Wall-clock time in ms since 1970. May jump either way. */
  wallMs(): number
  /** Ms since some fixed moment. Never goes back; not affected by setting the wall clock. */
  monotonicMs(): number
  /**
   * Calls `callback` once after `delayMs`; returns a function that cancels it. A pending timer
   * keeps the process alive unless the options say otherwise. Delays of 2^31 ms and more are cut to
   * 2^31 - 1.
   */
  setTimer(delayMs: number, callback: () => void, options?: TimerOptions): () => void
}

export interface TimerOptions {
  /** Whether the process lives on while the timer is pending. Default true. */
  readonly keepsAlive?: boolean
}

const TIMER_DELAY_MS_MAX = 2147483647

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, callback, { keepsAlive = true } = {}) {
    const timer = setTimeout(callback, Math.min(delayMs, TIMER_DELAY_MS_MAX))
    if (!keepsAlive) timer.unref()
    return () => clearTimeout(timer)
  },
}

interface FakeTimer {
  readonly dueMs: number
  readonly callback: () => void
}

/**
 * A clock that moves only when told to. Timers due at the same moment run in the order they were
 * set.
 */
export class FakeClock implements Clock {
  #nowMs = 0
  #wallOffsetMs: number
  readonly #timers: Set<FakeTimer> = new Set()

  constructor(wallMs = 1700000000000) {
    this.#wallOffsetMs = wallMs
  }

  wallMs(): number {
    // Whole, as `Date.now()` is, also where timers were set to fractions.
    return Math.floor(this.#wallOffsetMs + this.#nowMs)
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  /**
   * Sets the wall clock, as an administrator or NTP would. Timers and monotonic time don't notice.
   */
  setWallMs(wallMs: number): void {
    this.#wallOffsetMs = wallMs - this.#nowMs
  }

  /** How many timers are waiting. */
  get timerCount(): number {
    return this.#timers.size
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const dueMs = this.#nowMs + Math.max(0, Math.min(delayMs, TIMER_DELAY_MS_MAX))
    const timer: FakeTimer = { dueMs, callback }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** Moves time on, running what falls due on the way, timers set meanwhile included. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs
    for (let next = this.#nextDue(endMs); next !== undefined; next = this.#nextDue(endMs)) {
      this.#run(next)
    }
    this.#nowMs = endMs
  }

  /**
   * As `advance`, but lets promises settle after each timer, so that loops of await and sleep go
   * on.
   */
  async advanceAsync(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs
    await settle()
    for (let next = this.#nextDue(endMs); next !== undefined; next = this.#nextDue(endMs)) {
      this.#run(next)
      await settle()
    }
    this.#nowMs = endMs
  }

  #nextDue(endMs: number): FakeTimer | undefined {
    let first: FakeTimer | undefined
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (first === undefined || timer.dueMs < first.dueMs)) first = timer
    }
    return first
  }

  #run(timer: FakeTimer): void {
    this.#timers.delete(timer)
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs)
    timer.callback()
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
