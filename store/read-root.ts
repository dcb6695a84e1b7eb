/**
 * What readers see: the newest durable revision, through an engine transaction that pins its root.
 *
 * There is one visible root at a time. A commit that has become durable takes its place; readers
 * under way keep the one they began with until they are through, and it ends with the last of them.
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

  /** Takes over `txn` and the reading engine transaction that it reads through, with one pin. */
  constructor(txn: ReadTxn, tx: Tx, ended: () => void) {
    this.txn = txn
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
    this.txn.end()
    this.#tx.rollback()
    this.#ended()
  }
}

/**
 * The visible root and those that readers still hold. A root is opened when the first reader asks
 * for it: between two of them any number of commits may pass.
 */
export class ReadRoots {
  readonly #mvcc: Mvcc
  readonly #begin: () => Tx
  #revision: number
  #visible: ReadRoot | undefined
  #openCount = 0
  #whenEmpty: (() => void) | undefined

  /** `begin` opens a reading engine transaction that holds all that is durable. */
  constructor(mvcc: Mvcc, begin: () => Tx) {
    this.#mvcc = mvcc
    this.#begin = begin
    this.#revision = mvcc.revision
  }

  /** The newest durable revision. */
  get revision(): number {
    return this.#revision
  }

  /** The visible root, pinned until `unpin`. */
  pin(): ReadRoot {
    this.#visible ??= this.#open()
    return this.#visible.pin()
  }

  /** Readers that come from now on see `revision`, which must be durable. */
  advance(revision: number): void {
    if (revision <= this.#revision) return
    this.#revision = revision
    this.refresh()
  }

  /** Readers that come from now on get a root of their own: what they may read has changed. */
  refresh(): void {
    this.#visible?.unpin()
    this.#visible = undefined
  }

  /**
   * Ends the visible root and resolves when the last reader is through. Nothing may be pinned
   * after.
   */
  async close(): Promise<void> {
    this.refresh()
    if (this.#openCount === 0) return
    await new Promise<void>((resolve) => {
      this.#whenEmpty = resolve
    })
  }

  #open(): ReadRoot {
    const tx = this.#begin()
    this.#openCount++
    return new ReadRoot(this.#mvcc.read(tx, this.#revision), tx, () => this.#rootEnded())
  }

  #rootEnded(): void {
    this.#openCount--
    if (this.#openCount === 0) this.#whenEmpty?.()
  }
}
