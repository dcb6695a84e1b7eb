/**
 * What a store does, told on channels of `node:diagnostics_channel`, for tracing tools that know
 * nothing of the program's stores. A store that nobody listens to pays a look at a flag.
 *
 * Told in a microtask of its own, never from within the store's work, so a listener may use the
 * store. There is never a key or a value in a message.
 */

import { type Channel, channel } from 'node:diagnostics_channel'
import type { Clock } from '../base/clock.ts'
import type { CheckpointReport } from '../snapshot/checkpointer.ts'
import type { CommitMessage, RecoverMessage, SlowMessage } from './types/channels.ts'

/** A commit that took longer is slow. */
export const SLOW_MS = 100

const COMMIT = channel('revbolt:commit')
const CHECKPOINT = channel('revbolt:checkpoint')
const RECOVER = channel('revbolt:recover')
const SLOW = channel('revbolt:slow')

export class StoreChannels {
  readonly #path: string
  readonly #clock: Clock

  /** `path`: the store's, which stands in every message. */
  constructor(path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  /**
   * A group of writes is on its way to the disk; what it returns is to be called when it is
   * durable. Undefined where nobody listens.
   */
  sent(writeCount: number): ((head: { readonly revision: number }) => void) | undefined {
    if (!COMMIT.hasSubscribers && !SLOW.hasSubscribers) return undefined
    const beganMs = this.#clock.monotonicMs()
    return ({ revision }) => {
      const tookMs = this.#clock.monotonicMs() - beganMs
      const message: CommitMessage = { path: this.#path, revision, writeCount, tookMs }
      tell(COMMIT, message)
      if (tookMs <= SLOW_MS) return
      const slow: SlowMessage = { ...message, what: 'commit' }
      tell(SLOW, slow)
    }
  }

  checkpointed(report: CheckpointReport): void {
    if (CHECKPOINT.hasSubscribers) tell(CHECKPOINT, { path: this.#path, ...report })
  }

  opened(message: Omit<RecoverMessage, 'path'>): void {
    if (RECOVER.hasSubscribers) tell(RECOVER, { path: this.#path, ...message })
  }
}

function tell(on: Channel, message: object): void {
  queueMicrotask(() => on.publish(message))
}
