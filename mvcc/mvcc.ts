/**
 * The multi-version core: revisions over an engine file in etcd's schema.
 *
 * `revision` is the newest one made, durable or not; who serves readers decides which revision they
 * may see and gives it to `read`. Writers work in groups: a `WriteGroup` belongs to one engine
 * transaction and runs any number of writing transactions on it, each with its own revision. When
 * the engine transaction failed or was rolled back, the group's `rollback` takes index, leases and
 * revision back with it.
 *
 * There is one group at a time. Nothing here is asynchronous but `restore` (restore.ts).
 */

import type { Tx } from '../engine/index.ts'
import { assert } from '../base/assert.ts'
import { KvError } from '../base/errors.ts'
import { Example } from '../base/example.ts'
import type { KeyIndex } from './key-index.ts'
import { NO_LEASES } from './lease-book.ts'
import type { LeaseBook } from './lease-book.ts'
import { ReadFloors } from './read-floors.ts'
import { ReadTxn } from './read-txn.ts'
import { FIRST_REVISION, MAIN_MAX } from './revision.ts'
import { Rows } from './rows.ts'
import { NO_QUOTA } from './space-book.ts'
import type { SpaceBook } from './space-book.ts'
import { WriteTxn } from './write-txn.ts'

export interface MvccSetup {
  /** The data file's path, for messages. */
  readonly file: string
  readonly index: KeyIndex
  readonly revision: number
  /** See `CompactedRevisions`. */
  readonly compactedRevision: number
  readonly finishedRevision: number
  /** Default: there are none. */
  readonly leases?: LeaseBook | undefined
  /** Default: there is no quota. */
  readonly space?: SpaceBook | undefined
}

/** How the store stands at its head, durable or not. */
export interface Head {
  /** Counts the groups: a later head has a higher one. */
  readonly group: number
  readonly revision: number
  /** Keys that exist. */
  readonly keyCount: number
  /** Rows of the `key` bucket that are revisions of a key, tombstones included. */
  readonly revisionCount: number
  readonly leaseCount: number
}

export class Mvcc {
  readonly file: string
  readonly index: KeyIndex
  readonly leases: LeaseBook
  readonly space: SpaceBook
  #revision: number
  #compactedRevision: number
  #scheduledRevision: number
  #finishedRevision: number
  readonly #floors: ReadFloors
  #group: WriteGroup | undefined
  #groupCount = 0
  /** See `Head`. What the index knows of may be more: it is pruned late. */
  #revisionCount: number
  /** A small group that is done, and a transaction of it. */
  readonly #groupExample = new Example<WriteGroup>()
  readonly #txnExample = new Example<WriteTxn>()

  constructor(setup: MvccSetup) {
    assert(setup.revision >= FIRST_REVISION, 'a store has a first revision')
    this.file = setup.file
    this.index = setup.index
    this.leases = setup.leases ?? NO_LEASES
    this.space = setup.space ?? NO_QUOTA
    this.#revision = setup.revision
    this.#compactedRevision = setup.compactedRevision
    this.#scheduledRevision = setup.compactedRevision
    this.#finishedRevision = setup.finishedRevision
    this.#floors = new ReadFloors()
    this.#revisionCount = setup.index.revisionCount
  }

  /** The newest revision made. */
  get revision(): number {
    return this.#revision
  }

  get head(): Head {
    return {
      group: this.#groupCount,
      revision: this.#revision,
      keyCount: this.index.liveCount,
      revisionCount: this.#revisionCount,
      leaseCount: this.leases.leaseCount,
    }
  }

  /** The oldest revision that readers who begin now can read; 0: all that were ever made. */
  get compactedRevision(): number {
    return this.#compactedRevision
  }

  /** As `compactedRevision`, for writers, who see what is not durable yet. */
  get scheduledRevision(): number {
    return this.#scheduledRevision
  }

  /** All rows are gone that a compaction up to here drops. */
  get finishedRevision(): number {
    return this.#finishedRevision
  }

  /** A compaction to `revision` is durable. */
  noteCompacted(revision: number): void {
    assert(revision <= this.#scheduledRevision, 'a compaction is scheduled first')
    this.#compactedRevision = Math.max(this.#compactedRevision, revision)
  }

  /** The rows of a compaction to `revision` are gone. */
  noteFinished(revision: number): void {
    assert(revision <= this.#compactedRevision, 'a compaction is durable before it is finished')
    this.#finishedRevision = Math.max(this.#finishedRevision, revision)
  }

  /**
   * What the index may be pruned to: compactions that are finished, as far as no reader is open
   * that began before and may read further back.
   */
  get prunableRevision(): number {
    return Math.min(this.#finishedRevision, this.#floors.lowest)
  }

  /** Calls `handler` when `prunableRevision` may have gone up because a reader ended. */
  onReadersEnded(handler: () => void): void {
    this.#floors.onRise(handler)
  }

  /**
   * Reads at `revision`, through an engine transaction that holds it, until the reader's `end`.
   */
  read(tx: Tx, revision: number): ReadTxn {
    assert(revision <= this.#revision, 'read of a revision that was never made')
    const floor = this.#compactedRevision
    this.#floors.add(floor)
    return new ReadTxn(this, tx, { revision, floor, ended: () => this.#floors.remove(floor) })
  }

  /**
   * Begins a group of writing transactions on a writing engine transaction. `timeMs`: when it is,
   * in ms since 1970, for the log.
   */
  beginGroup(tx: Tx, timeMs: number): WriteGroup {
    assert(this.#group === undefined, 'there is a write group already')
    this.#groupCount++
    const revisionsBefore = this.#revisionCount
    const group = new WriteGroup(
      this,
      { tx, timeMs },
      {
        advance: (revision) => {
          this.#revision = revision
        },
        schedule: (revision) => {
          this.#scheduledRevision = revision
        },
        addRevisions: (count) => {
          this.#revisionCount += count
        },
        takeBackRevisions: () => {
          this.#revisionCount = revisionsBefore
        },
        end: (txn) => {
          if (tx.isSmall) this.#groupExample.keep(group)
          if (tx.isSmall && txn !== undefined) this.#txnExample.keep(txn)
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
  /** A compaction is scheduled, or taken back. */
  readonly schedule: (revision: number) => void
  /** So many came, or went where it is negative. */
  readonly addRevisions: (count: number) => void
  readonly takeBackRevisions: () => void
  /** `txn`: the last transaction that ran to its end. */
  readonly end: (txn: WriteTxn | undefined) => void
}

export class WriteGroup {
  readonly tx: Tx
  readonly #mvcc: Mvcc
  readonly #host: GroupHost
  readonly #timeMs: number
  readonly #rows: Rows
  readonly #before: number
  readonly #scheduledBefore: number
  readonly #mark: number
  readonly #leaseMark: number
  /** The last one that ran to its end. */
  #txn: WriteTxn | undefined
  #isChanged = false
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
    this.#scheduledBefore = mvcc.scheduledRevision
    this.#mark = mvcc.index.changeCount
    this.#leaseMark = mvcc.leases.changeCount
    mvcc.space.begin()
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Whether the group wrote anything; that may be other than keys, and then made no revision. */
  get isChanged(): boolean {
    return this.#isChanged
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
    const txn = new WriteTxn(this.#mvcc, this.tx, this.#rows)
    try {
      const result = work(txn)
      this.#host.advance(txn.revision)
      this.#host.addRevisions(txn.addedCount)
      if (txn.scheduled !== undefined) this.#host.schedule(txn.scheduled)
      if (txn.isDirty) this.#isChanged = true
      this.#txn = txn
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
    this.#mvcc.leases.forget()
    this.#host.end(this.#txn)
  }

  /** The engine transaction is gone: index, leases and revision are as before the group. */
  rollback(): void {
    assert(this.#isOpen, 'the write group is over')
    this.#isOpen = false
    this.#mvcc.index.undo(this.#mark)
    this.#mvcc.leases.undo(this.#leaseMark)
    this.#host.advance(this.#before)
    this.#host.takeBackRevisions()
    this.#host.schedule(this.#scheduledBefore)
    this.#host.end(this.#txn)
  }
}
