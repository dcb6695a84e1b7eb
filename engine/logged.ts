/**
 * A file whose commits go into a log, and into the file by checkpoints.
 *
 *   txid   … 40 ─────── 52 ──────── 57 58 59 ── 60
 *            previous   meta        visible      head
 *            └ in the file, whole ┘ └ durable    └ what the writer builds on
 *                                     in the log
 *
 * A commit turns what its transaction changed into pages in memory and is then the head; its record
 * may be on its way before, where nothing can go wrong with that. When the record is durable it
 * becomes visible. The file stays at the last checkpoint, whose pages, and
 * those of the one before, nobody writes over.
 *
 * Roots that must stay whole, beside those of the file and of readers: the visible one, each
 * between it and the head, for they are about to be visible, and the one that a checkpoint is
 * writing.
 */

import { assert } from '../base/assert.ts'
import { KvError, withOutcome } from '../base/errors.ts'
import type { LogGroup } from '../base/log-group.ts'
import { CommitPlan, planInMemory } from './commit.ts'
import type { CommitLog } from './commit-log.ts'
import type { Core } from './core.ts'
import { Journal } from './journal.ts'
import type { Meta } from './meta.ts'
import { takeIn } from './spill.ts'
import type { Tx } from './tx.ts'

export class Logged {
  /** What the writer builds on. */
  head: Meta
  /** What readers see. */
  visible: Meta
  isReplaying = true
  /** The log's mark, which each checkpoint puts into its meta: u32, not 0. */
  readonly logId: number
  readonly #core: Core
  readonly #log: CommitLog | undefined
  /** Heads whose records are not durable yet, oldest first. */
  #waiting: Meta[] = []
  /** The root that a checkpoint is writing. */
  #checkpoint: Meta | undefined
  /** Settles when the last record queued has. Never rejects; nor does the next one. */
  #last: Promise<void> = Promise.resolve()
  #lastCheckpoint: Promise<void> = Promise.resolve()

  constructor(core: Core, log: CommitLog | undefined, logId: number) {
    assert(Number.isInteger(logId) && logId > 0 && logId < 2 ** 32, 'logged: a mark is a u32')
    this.#core = core
    this.#log = log
    this.logId = logId
    this.head = core.meta
    this.visible = core.meta
  }

  /** Adds the roots that must stay whole, ascending; all are the file's newest, or newer. */
  addPins(pins: number[]): void {
    const { txid } = this.visible
    // A checkpoint is beyond the visible root until its record is durable, and behind it then.
    if (this.#checkpoint !== undefined && this.#checkpoint.txid < txid) {
      pins.push(this.#checkpoint.txid)
    }
    pins.push(txid)
    for (const meta of this.#waiting) pins.push(meta.txid)
  }

  /** A writer's journal; none while the log is being replayed. */
  journal(): Journal | undefined {
    return this.isReplaying ? undefined : new Journal()
  }

  /** Commits `tx`: the head moves at once, and the promise resolves when that is durable. */
  commit(tx: Tx): Promise<void> {
    if (takeIn(tx.root)) return this.#commitAhead(tx)
    const meta = this.#advance(tx)
    return this.append(meta, tx.journal?.entries() ?? [])
  }

  /**
   * As `commit`: the record is on its way while the pages are made. For what can't fail at that
   * but by a fault of ours: what the log holds is done again when the file is opened next.
   */
  #commitAhead(tx: Tx): Promise<void> {
    const plan = new CommitPlan(this.#core, tx)
    plan.mustBeFreedOnce()
    let recorded: Promise<void>
    try {
      const entries = tx.journal?.entries() ?? []
      recorded = this.#mustFindLog().append({ txid: tx.id, entries })
    } catch (error) {
      this.#core.poisonWith(error)
      throw error
    }
    try {
      plan.build()
      plan.skipFreelist(true)
      plan.settleInMemory()
    } catch (error) {
      recorded.catch(() => {})
      this.#core.poisonWith(error)
      throw withOutcome(error, 'unknown')
    }
    this.#begin(plan.meta)
    return this.#follow(recorded, plan.meta)
  }

  /** As `commit`, blocking until it is durable. */
  commitSync(tx: Tx): void {
    const meta = this.#advance(tx)
    this.#begin(meta)
    try {
      this.#mustFindLog().appendSync({ txid: meta.txid, entries: tx.journal?.entries() ?? [] })
    } catch (error) {
      this.#core.poisonWith(error)
      throw error
    }
    this.#settle(meta)
  }

  /** Throws until all that the log holds has been done again. */
  mustBeAttached(): void {
    if (!this.isReplaying) return
    const { path } = this.#core.file
    throw new KvError('KV_TX_BUSY', `${path}: what its log holds is being done again`)
  }

  #mustFindLog(): CommitLog {
    assert(this.#log !== undefined, 'logged: a file opened read-only has no writer')
    return this.#log
  }

  /** The head is what the log says it was, and durable. */
  replayed(meta: Meta): void {
    assert(meta.txid > this.head.txid, 'logged: txids go up')
    this.head = meta
    this.visible = meta
  }

  /** A head that needs no more than a record. */
  append(meta: Meta, entries: LogGroup['entries']): Promise<void> {
    this.#begin(meta)
    return this.#follow(this.#appendTo(this.#mustFindLog(), { txid: meta.txid, entries }), meta)
  }

  /**
   * What the log throws at once is a rejection, too. The promise is the log's own, as it is of a
   * record that goes ahead of its pages: those that are durable together are told of in their
   * order.
   */
  #appendTo(log: CommitLog, group: LogGroup): Promise<void> {
    try {
      return log.append(group)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** `recorded` settles when the record of `meta` is durable, or lost. */
  #follow(recorded: Promise<void>, meta: Meta): Promise<void> {
    const durable = recorded.then(
      () => this.#settle(meta),
      (error: unknown) => {
        this.#core.poisonWith(error)
        throw error
      },
    )
    this.#last = durable.catch(() => {})
    return durable
  }

  /** Resolves when the record of `txid` is on the disk. */
  flush(txid: number): Promise<void> {
    return this.isReplaying ? Promise.resolve() : this.#mustFindLog().flush(txid)
  }

  /** Blocks until all records are on the disk. */
  flushSync(): void {
    try {
      this.#mustFindLog().flushSync()
    } catch (error) {
      this.#core.poisonWith(error)
      throw error
    }
    this.#settle(this.head)
  }

  /** Resolves when no record and no checkpoint is under way. */
  async idle(): Promise<void> {
    await this.#last
    await this.#lastCheckpoint
  }

  /** Notes that a checkpoint is under way. */
  watch(checkpoint: Promise<void>): Promise<void> {
    this.#lastCheckpoint = checkpoint.catch(() => {})
    return checkpoint
  }

  beginCheckpoint(meta: Meta): void {
    assert(this.#checkpoint === undefined, 'logged: one checkpoint at a time')
    this.#checkpoint = meta
  }

  endCheckpoint(): void {
    this.#checkpoint = undefined
  }

  get isCheckpointing(): boolean {
    return this.#checkpoint !== undefined
  }

  #begin(meta: Meta): void {
    assert(meta.txid === this.head.txid + 1, 'logged: txids have no gaps')
    this.head = meta
    this.#waiting.push(meta)
  }

  /** The record of `meta` is durable, and so are all before it. */
  #settle(meta: Meta): void {
    while ((this.#waiting[0]?.txid ?? Infinity) <= meta.txid) this.#waiting.shift()
    if (meta.txid > this.visible.txid) this.visible = meta
  }

  /** Makes pages in memory of what `tx` has changed; returns the head that it is to be. */
  #advance(tx: Tx): Meta {
    const plan = planInMemory(this.#core, tx, { txid: tx.id, hasFreelist: false })
    plan.settleInMemory()
    return plan.meta
  }
}
