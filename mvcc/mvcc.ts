/**
 * The multi-version core: revisions over an engine file in etcd's schema.
 *
 * `revision` is the newest one made, durable or not; who serves readers decides which revision they
 * may see and gives it to `read`. Writers work in groups: a `WriteGroup` belongs to one engine
 * transaction and runs any number of writing transactions on it, each with its own revision. When
 * the engine transaction failed or was rolled back, the group's `rollback` takes index and revision
 * back with it.
 *
 * There is one group at a time. Nothing here is asynchronous but `restore` (restore.ts).
 */

import type { Tx } from '../engine/index.ts'
import { assert } from '../base/assert.ts'
import { KvError } from '../base/errors.ts'
import type { KeyIndex } from './key-index.ts'
import { ReadTxn } from './read-txn.ts'
import { FIRST_REVISION, MAIN_MAX } from './revision.ts'
import { Rows } from './rows.ts'
import { WriteTxn } from './write-txn.ts'

export interface MvccSetup {
  /** The data file's path, for messages. */
  readonly file: string
  readonly index: KeyIndex
  readonly revision: number
  readonly compactedRevision: number
}

export class Mvcc {
  readonly file: string
  readonly index: KeyIndex
  readonly compactedRevision: number
  #revision: number
  #group: WriteGroup | undefined

  constructor(setup: MvccSetup) {
    assert(setup.revision >= FIRST_REVISION, 'a store has a first revision')
    this.file = setup.file
    this.index = setup.index
    this.compactedRevision = setup.compactedRevision
    this.#revision = setup.revision
  }

  /** The newest revision made. */
  get revision(): number {
    return this.#revision
  }

  /** Reads at `revision`, through an engine transaction that holds it. */
  read(tx: Tx, revision: number): ReadTxn {
    assert(revision <= this.#revision, 'read of a revision that was never made')
    return new ReadTxn(this, tx, revision)
  }

  /**
   * Begins a group of writing transactions on a writing engine transaction. `timeMs`: when it is,
   * in ms since 1970, for the log.
   */
  beginGroup(tx: Tx, timeMs: number): WriteGroup {
    assert(this.#group === undefined, 'there is a write group already')
    const group = new WriteGroup(
      this,
      { tx, timeMs },
      {
        advance: (revision) => {
          this.#revision = revision
        },
        end: () => {
          this.#group = undefined
        },
      },
    )
    this.#group = group
    return group
  }
}

/** How a group moves its core's state. */
interface GroupHost {
  readonly advance: (revision: number) => void
  readonly end: () => void
}

export class WriteGroup {
  readonly tx: Tx
  readonly #mvcc: Mvcc
  readonly #host: GroupHost
  readonly #timeMs: number
  readonly #rows: Rows
  readonly #before: number
  readonly #mark: number
  #isBroken = false
  #isOpen = true

  constructor(
    mvcc: Mvcc,
    { tx, timeMs }: { readonly tx: Tx; readonly timeMs: number },
    host: GroupHost,
  ) {
    this.#mvcc = mvcc
    this.#host = host
    this.tx = tx
    this.#timeMs = timeMs
    this.#rows = new Rows(tx, mvcc.file)
    this.#before = mvcc.revision
    this.#mark = mvcc.index.changeCount
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Whether the group made a revision. */
  get isChanged(): boolean {
    return this.#mvcc.revision > this.#before
  }

  /** Whether a transaction failed after its first write: the group can only be rolled back. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /**
   * Runs one writing transaction. What it throws before it wrote anything concerns it alone, and
   * the group goes on; after that the group is broken.
   */
  run<T>(work: (txn: WriteTxn) => T): T {
    assert(this.#isOpen && !this.#isBroken, 'the write group is over')
    if (this.#mvcc.revision >= MAIN_MAX) {
      throw new KvError('KV_NO_SPACE', 'the store has used up its revisions')
    }
    this.tx.journal?.begin(this.#mvcc.revision + 1, this.#timeMs)
    const txn = new WriteTxn(this.#mvcc, this.#rows)
    try {
      const result = work(txn)
      this.#host.advance(txn.revision)
      return result
    } catch (error) {
      if (txn.isDirty) this.#isBroken = true
      throw error
    }
  }

  /** The engine transaction is committed: its changes stay. */
  commit(): void {
    assert(this.#isOpen && !this.#isBroken, 'the write group is over')
    this.#isOpen = false
    this.#mvcc.index.forget()
    this.#host.end()
  }

  /** The engine transaction is gone: index and revision are as before the group. */
  rollback(): void {
    assert(this.#isOpen, 'the write group is over')
    this.#isOpen = false
    this.#mvcc.index.undo(this.#mark)
    this.#host.advance(this.#before)
    this.#host.end()
  }
}
