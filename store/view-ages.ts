/**
 * Warns of views that are open for longer than `maxViewAgeMs`, once each, with the stack that
 * opened them.
 *
 * There is one timer, for the oldest view that was not warned of; it keeps no process alive. It is
 * not moved when that view is closed: it then finds nothing to do, and is set for the next one.
 */

import type { Clock } from '../base/clock.ts'
import type { StoreLog } from './store-log.ts'
import type { ViewHold } from './view-hold.ts'

export interface ViewAgesSetup {
  readonly maxViewAgeMs: number
  readonly clock: Clock
  readonly log: StoreLog
}

export class ViewAges {
  readonly #setup: ViewAgesSetup
  /** Not warned of, oldest first. */
  readonly #young = new Set<ViewHold>()
  #cancelTimer: (() => void) | undefined

  constructor(setup: ViewAgesSetup) {
    this.#setup = setup
  }

  opened(hold: ViewHold): void {
    this.#young.add(hold)
    if (this.#cancelTimer === undefined) this.#setTimer(this.#setup.maxViewAgeMs)
  }

  closed(hold: ViewHold): void {
    this.#young.delete(hold)
  }

  /** Warns of none any more. */
  close(): void {
    this.#young.clear()
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #setTimer(delayMs: number): void {
    const later = (): void => this.#look()
    this.#cancelTimer = this.#setup.clock.setTimer(delayMs, later, { keepsAlive: false })
  }

  #look(): void {
    const { maxViewAgeMs, clock, log } = this.#setup
    this.#cancelTimer = undefined
    const nowMs = clock.monotonicMs()
    for (const hold of this.#young) {
      const ageMs = nowMs - hold.openedMs
      if (ageMs < maxViewAgeMs) {
        this.#setTimer(maxViewAgeMs - ageMs)
        return
      }
      this.#young.delete(hold)
      log.warn('a view has been open for longer than maxViewAgeMs', factsOf(hold, ageMs))
    }
  }
}

/** What is known of a view that was forgotten. */
export function factsOf(hold: ViewHold, ageMs: number): Readonly<Record<string, unknown>> {
  const { revision, stack } = hold
  return { revision, ageMs, ...(stack === undefined ? {} : { stack }) }
}
