/**
 * Renewing a lease in the background, thrice in its time to live.
 *
 * A renewal that is refused for now (the queue or the disk is full) is tried again while the lease
 * is known to live: from the call of the last renewal that succeeded, for its time to live. After
 * that, or when trying again can't help, the lease counts as lost.
 */

import type { Clock } from '../base/clock.ts'
import { isKvError } from '../base/errors.ts'
import type { KeepAlive } from './types/lease.ts'

const RENEWALS_PER_TTL = 3
const RETRY_MS = 500
/** Before the first renewal nothing is known but that no lease is shorter. */
const LIVES_MS_MIN = 2000

export interface KeepAliveSetup {
  readonly id: bigint
  readonly clock: Clock
  /** Renews the lease and tells its time to live. */
  readonly renew: () => Promise<{ readonly ttlSeconds: number }>
  readonly signal: AbortSignal | undefined
  /** Called once, when it is over. */
  readonly ended: (ended: LeaseKeeper) => void
}

export class LeaseKeeper implements KeepAlive {
  readonly id: bigint
  readonly #setup: KeepAliveSetup
  readonly #lost = new AbortController()
  readonly #aborted: () => void
  #livesUntilMs: number
  #cancelTimer: (() => void) | undefined
  #renewal: Promise<void> | undefined
  #isOver = false

  constructor(setup: KeepAliveSetup) {
    const { id, clock, signal } = setup
    this.id = id
    this.#setup = setup
    this.#livesUntilMs = clock.monotonicMs() + LIVES_MS_MIN
    this.#aborted = (): void => this.lose(signal?.reason)
    if (signal?.aborted === true) this.#aborted()
    else {
      signal?.addEventListener('abort', this.#aborted)
      this.#renew()
    }
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** Gives up, for this reason. */
  lose(reason: unknown): void {
    if (this.#end()) this.#lost.abort(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end()
    await this.#renewal
  }

  /** False where it is over already. */
  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#cancelTimer?.()
    this.#setup.signal?.removeEventListener('abort', this.#aborted)
    this.#setup.ended(this)
    return true
  }

  #renew(): void {
    this.#renewal = this.#renewOnce()
  }

  /** Never rejects. */
  async #renewOnce(): Promise<void> {
    const { clock, renew } = this.#setup
    const askedMs = clock.monotonicMs()
    let waitMs: number
    try {
      const lifeMs = (await renew()).ttlSeconds * 1000
      this.#livesUntilMs = askedMs + lifeMs
      waitMs = askedMs + lifeMs / RENEWALS_PER_TTL - clock.monotonicMs()
    } catch (error) {
      const leftMs = this.#livesUntilMs - clock.monotonicMs()
      const isPassing = isKvError(error, 'KV_BUSY') || isKvError(error, 'KV_NO_SPACE')
      if (!isPassing || leftMs <= 0) {
        this.lose(error)
        return
      }
      waitMs = Math.min(RETRY_MS, leftMs)
    }
    if (this.#isOver) return
    const again = (): void => this.#renew()
    this.#cancelTimer = clock.setTimer(Math.max(0, waitMs), again, { keepsAlive: false })
  }
}
