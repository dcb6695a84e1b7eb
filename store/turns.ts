/**
 * Turns: those who lost a race go on one after the other instead of racing each other again.
 *
 * Nobody waits for ever: whoever has waited for a second goes on all the same. A turn is a courtesy
 * and no lock, so holders may wait for each other without harm.
 */

import type { Clock } from '../base/clock.ts'

const WAIT_MS_MAX = 1000

export class Turns {
  readonly #clock: Clock
  #last: Promise<void> = Promise.resolve()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Resolves when it is the caller's turn, with what ends it.
   * @throws the signal's reason
   */
  async take(signal: AbortSignal | undefined): Promise<() => void> {
    signal?.throwIfAborted()
    const before = this.#last
    let end = (): void => {}
    this.#last = new Promise((resolve) => {
      end = resolve
    })
    await new Promise<void>((resolve) => {
      const go = (): void => {
        cancel()
        signal?.removeEventListener('abort', go)
        resolve()
      }
      const cancel = this.#clock.setTimer(WAIT_MS_MAX, go)
      signal?.addEventListener('abort', go)
      void before.then(go)
    })
    if (signal?.aborted === true) end()
    signal?.throwIfAborted()
    return end
  }
}
