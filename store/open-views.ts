/**
 * The views and snapshots of a store that are open, and those that were forgotten.
 *
 * Only what a view holds is known here, not the view itself: one that its user lost without closing
 * it is collected as garbage, and then what it holds is released, with a warning.
 */

import type { Clock } from '../base/clock.ts'
import type { ReadRoot } from './read-root.ts'
import type { StoreLog } from './store-log.ts'
import { ViewAges, factsOf } from './view-ages.ts'
import { ViewHold } from './view-hold.ts'

export interface OpenViewsSetup {
  /** Pins the newest durable state. */
  readonly pin: () => ReadRoot
  readonly clock: Clock
  readonly log: StoreLog
  /** Views older than that are warned of; undefined: none are. */
  readonly maxViewAgeMs: number | undefined
}

export class OpenViews {
  readonly #setup: OpenViewsSetup
  /** Oldest first. */
  readonly #open = new Set<ViewHold>()
  readonly #ages: ViewAges | undefined
  readonly #lost = new FinalizationRegistry<ViewHold>((hold) => this.#collected(hold))

  constructor(setup: OpenViewsSetup) {
    this.#setup = setup
    const { maxViewAgeMs, clock, log } = setup
    const isHeard = maxViewAgeMs !== undefined && log.takesWarnings
    this.#ages = isHeard ? new ViewAges({ maxViewAgeMs, clock, log }) : undefined
  }

  /**
   * Opens a view at a revision (0: the current one); `make` makes it of what it holds.
   * @throws {KvError} `KV_FUTURE_REVISION`, `KV_COMPACTED`
   */
  open<T extends object>(revision: number, make: (hold: ViewHold) => T): T {
    const hold = this.#hold(revision)
    try {
      const view = make(hold)
      this.#lost.register(view, hold, hold)
      return view
    } catch (error) {
      hold.release()
      throw error
    }
  }

  get count(): number {
    return this.#open.size
  }

  /** How long the oldest has been open, in ms; 0 where there is none. */
  get oldestMs(): number {
    for (const hold of this.#open) return this.#ageMs(hold)
    return 0
  }

  /** Closes those that are open. */
  close(): void {
    for (const hold of this.#open) hold.release()
    this.#ages?.close()
  }

  #hold(revision: number): ViewHold {
    const { pin, clock } = this.#setup
    const root = pin()
    try {
      const hold = new ViewHold(root, {
        revision: root.txn.resolve(revision),
        openedMs: clock.monotonicMs(),
        stack: this.#ages === undefined ? undefined : callers(),
        released: (released) => this.#released(released),
      })
      this.#open.add(hold)
      this.#ages?.opened(hold)
      return hold
    } catch (error) {
      root.unpin()
      throw error
    }
  }

  #released(hold: ViewHold): void {
    this.#open.delete(hold)
    this.#ages?.closed(hold)
    this.#lost.unregister(hold)
  }

  #collected(hold: ViewHold): void {
    const facts = factsOf(hold, this.#ageMs(hold))
    this.#setup.log.warn('a view was collected as garbage without having been closed', facts)
    hold.release()
  }

  #ageMs({ openedMs }: ViewHold): number {
    return this.#setup.clock.monotonicMs() - openedMs
  }
}

/**
 * Who opens a view, as text. That costs some 10 µs more than an `Error`, which makes the text when
 * it is asked for: until then it holds on to the objects whose methods the stack is in, and so
 * maybe to the view.
 */
function callers(): string {
  const trace: { stack?: string } = {}
  Error.captureStackTrace(trace, callers)
  const { stack = '' } = trace
  return stack.slice(stack.indexOf('\n') + 1)
}
