/**
 * What a view or a snapshot holds: a pinned root and the revision it shows of it, until it is
 * released.
 *
 * It knows nothing of the view, which may so be collected as garbage while this is held: see
 * open-views.ts.
 */

import { KvError } from '../base/errors.ts'
import type { ReadTxn } from '../mvcc/read-txn.ts'
import type { ReadRoot } from './read-root.ts'

export interface HoldSetup {
  readonly revision: number
  /** When it was opened, by the monotonic clock. */
  readonly openedMs: number
  /** The stack that opened it, where that was asked for. */
  readonly stack: string | undefined
  readonly released: (hold: ViewHold) => void
}

export class ViewHold {
  readonly revision: number
  readonly openedMs: number
  readonly stack: string | undefined
  readonly #released: (hold: ViewHold) => void
  /** Undefined once it is released. */
  #root: ReadRoot | undefined

  /** Takes over a pinned root. */
  constructor(root: ReadRoot, { revision, openedMs, stack, released }: HoldSetup) {
    this.#root = root
    this.revision = revision
    this.openedMs = openedMs
    this.stack = stack
    this.#released = released
  }

  /** @throws {KvError} `KV_TX_CLOSED` */
  get txn(): ReadTxn {
    return this.#held().txn
  }

  /**
   * Pins the root once more, for a read that goes on for a while.
   * @throws {KvError} `KV_TX_CLOSED`
   */
  pin(): ReadRoot {
    return this.#held().pin()
  }

  /** @throws {KvError} `KV_TX_CLOSED` */
  mustBeHeld(): void {
    this.#held()
  }

  /** Idempotent. */
  release(): void {
    const root = this.#root
    if (root === undefined) return
    this.#root = undefined
    root.unpin()
    this.#released(this)
  }

  #held(): ReadRoot {
    if (this.#root === undefined) throw new KvError('KV_TX_CLOSED', 'the view is closed')
    return this.#root
  }
}
