/**
 * Notes how long the event loop takes from one look at it to the next, and when: what
 * `monitorEventLoopDelay` doesn't say.
 */

import { Latencies } from './latency-summary.ts'
import type { LoopDelay } from './latency-protocol.ts'
import { type Span, Spans } from './spans.ts'

/** In ms. */
const LOOK_EVERY = 1

export class LoopGaps {
  readonly #gaps = new Spans()
  readonly #timer: NodeJS.Timeout
  #last = performance.now()

  /** Looks until `stop`. */
  constructor() {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY)
  }

  stop(): void {
    this.#look()
    clearInterval(this.#timer)
  }

  /** The gaps that the caller wants. */
  summarize(isWanted: (gap: Span) => boolean): LoopDelay {
    const wanted = new Latencies()
    for (const gap of this.#gaps) {
      if (isWanted(gap)) wanted.note((gap.ended - gap.begun) * 1000)
    }
    const { p99Us, maxUs } = wanted.summarize()
    return { p99Ms: p99Us / 1000, maxMs: maxUs / 1000 }
  }

  #look(): void {
    const now = performance.now()
    this.#gaps.note(this.#last, now)
    this.#last = now
  }
}
