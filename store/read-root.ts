/**
 * What readers see: the newest durable revision, through one engine transaction that pins its root.
 *
 * There is one visible root at a time. A commit that has become durable replaces it; readers under
 * way keep the one they began with until they are through, and it ends with the last of them.
 */

import type { Tx } from '../engine/index.ts'
import { assert } from '../base/assert.ts'
import type { Mvcc } from '../mvcc/mvcc.ts'
import type { ReadTxn } from '../mvcc/read-txn.ts'

export class ReadRoot {
  readonly txn: ReadTxn
  readonly #tx: Tx
  readonly #ended: () => void
  #pins = 1

  /** Takes over a reading engine transaction that holds `revision`, with one pin. */
  constructor(mvcc: Mvcc, tx: Tx, ended: () => void) {
    this.txn = mvcc.read(tx, mvcc.revision)
    this.#tx = tx
    this.#ended = ended
  }

  get revision(): number {
    return this.txn.revision
  }

  pin(): this {
    assert(this.#pins > 0, 'pin of a root that has ended')
    this.#pins++
    return this
  }

  unpin(): void {
    assert(this.#pins > 0, 'unpin of a root that has ended')
    this.#pins--
    if (this.#pins > 0) return
    this.#tx.rollback()
    this.#ended()
  }
}

/** The visible root and those that readers still hold. */
export class ReadRoots {
  readonly #mvcc: Mvcc
  #visible: ReadRoot
  #openCount = 1
  #whenEmpty: (() => void) | undefined

  constructor(mvcc: Mvcc, tx: Tx) {
    this.#mvcc = mvcc
    this.#visible = new ReadRoot(mvcc, tx, () => this.#rootEnded())
  }

  /** The newest durable revision. */
  get revision(): number {
    return this.#visible.revision
  }

  /** The visible root, pinned until `unpin`. */
  pin(): ReadRoot {
    return this.#visible.pin()
  }

  /** Makes a newer root visible. All of the core's revisions must be durable in it. */
  replace(tx: Tx): void {
    const before = this.#visible
    this.#openCount++
    this.#visible = new ReadRoot(this.#mvcc, tx, () => this.#rootEnded())
    before.unpin()
  }

  /**
   * Ends the visible root and resolves when the last reader is through. Nothing may be pinned
   * after.
   */
  async close(): Promise<void> {
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve
    })
    this.#visible.unpin()
    await empty
  }

  #rootEnded(): void {
    this.#openCount--
    if (this.#openCount === 0) this.#whenEmpty?.()
  }
}
