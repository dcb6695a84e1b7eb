/** Long work in steps: whoever reads for long lets the event loop run every few milliseconds. */

import type { Clock } from '../base/clock.ts'

/** How long a step may take, in ms. */
const STEP_MS = 2

/** Resolves in a later turn of the event loop, which it keeps alive until then. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Tells when a step has taken long enough. */
export class Pacer {
  readonly #clock: Clock
  #startedMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#startedMs = clock.monotonicMs()
  }

  get isDue(): boolean {
    return this.#clock.monotonicMs() - this.#startedMs >= STEP_MS
  }

  /** Lets the event loop run. */
  async pause(): Promise<void> {
    await nextTurn()
    this.restart()
  }

  /** A step begins now. */
  restart(): void {
    this.#startedMs = this.#clock.monotonicMs()
  }
}

/** Calls `step` until it says that it is done, letting the event loop run in between. */
export async function paced(
  step: () => boolean,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> {
  const pacer = new Pacer(clock)
  while (!step()) {
    if (!pacer.isDue) continue
    await pacer.pause()
    signal?.throwIfAborted()
  }
}
