/**
 * Compactions of a store: scheduled by a write of its own, then carried out in the background, in
 * steps that commit like other writes and let the event loop run.
 *
 *   compact(9) ─▶ scheduled, durable: nothing below 9 can be read ─▶ resolves
 *                   └▶ rows go, step by step ─▶ finished, durable ─▶ the index is pruned
 *
 * A step takes part in a group like any write, so a commit waits for one step at most. Rows that
 * are still there after a crash go when the store is opened again. A disk that is full, or damage,
 * stops the job; the next compaction begins where it stopped.
 */

import type { Clock } from '../base/clock.ts'
import { KvError } from '../base/errors.ts'
import type { CompactionPlace } from '../mvcc/compaction.ts'
import { IndexPruner } from '../mvcc/index-pruner.ts'
import type { Mvcc } from '../mvcc/mvcc.ts'
import type { GroupQueue } from './group-queue.ts'
import { Pacer, nextTurn } from './pause.ts'
import type { ReadRoots } from './read-root.ts'
import type { StoreLog } from './store-log.ts'

/** Keys of the index between two looks at the clock. */
const PRUNE_KEYS = 256

export interface CompactorSetup {
  readonly mvcc: Mvcc
  readonly queue: GroupQueue
  readonly roots: ReadRoots
  readonly clock: Clock
  readonly log: StoreLog
}

export class Compactor {
  readonly #mvcc: Mvcc
  readonly #queue: GroupQueue
  readonly #roots: ReadRoots
  readonly #clock: Clock
  readonly #log: StoreLog
  /** Settles when no rows are left to go; rejects with what stopped that. */
  #job: Promise<void> | undefined
  #pruning: Promise<void> | undefined
  #prunedRevision = 0
  #isClosed = false

  constructor(setup: CompactorSetup) {
    this.#mvcc = setup.mvcc
    this.#queue = setup.queue
    this.#roots = setup.roots
    this.#clock = setup.clock
    this.#log = setup.log
    // What opening reads has no more than that in it.
    this.#prunedRevision = setup.mvcc.finishedRevision
    this.#mvcc.onReadersEnded(() => this.#prune())
  }

  /** Goes on with what a crash cut short. */
  resume(): void {
    if (this.#mvcc.finishedRevision < this.#mvcc.compactedRevision) void this.#start()
  }

  /**
   * Compacts to `revision`; resolves when that is durable, with the store's revision. `isPhysical`:
   * when the rows are gone, too.
   */
  async compact(revision: number, isPhysical: boolean): Promise<number> {
    const current = await this.#queue.submit({
      byteCount: 0,
      isFreeing: true,
      run: (txn) => {
        txn.scheduleCompaction(revision)
        return txn.revision
      },
    })
    this.#mvcc.noteCompacted(revision)
    this.#log.debug('compaction begins', { through: revision })
    this.#roots.refresh()
    const job = this.#start()
    if (!isPhysical) return current
    await job
    if (this.#mvcc.finishedRevision >= revision) return current
    throw new KvError('KV_CLOSED', 'closed while compacting; opening the store goes on with it')
  }

  /** Stops after the step under way. What is left goes when the store is opened again. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#job?.catch(() => {})
    await this.#pruning
  }

  /** Resolves when no rows are left to go. */
  #start(): Promise<void> {
    this.#job ??= this.#run().finally(() => {
      this.#job = undefined
      this.#prune()
    })
    // Who doesn't wait for it learns of a failing disk from the next write.
    this.#job.catch((error: unknown) => this.#log.warn('a compaction stopped', { error }))
    return this.#job
  }

  async #run(): Promise<void> {
    const mvcc = this.#mvcc
    while (mvcc.finishedRevision < mvcc.compactedRevision && !this.#isClosed) {
      const through = mvcc.compactedRevision
      let place: CompactionPlace | undefined = { main: mvcc.finishedRevision, sub: 0 }
      while (place !== undefined) {
        if (this.#isClosed) return
        place = await this.#step(place, through)
      }
      mvcc.noteFinished(through)
      // The root that the next reader would get may hold rows that are gone, though no key changed.
      this.#roots.refresh()
      this.#log.debug('compaction is done', { through })
    }
  }

  async #step(from: CompactionPlace, through: number): Promise<CompactionPlace | undefined> {
    const pacer = new Pacer(this.#clock)
    return await this.#queue.submit({
      byteCount: 0,
      isFreeing: true,
      isExempt: true,
      run: (txn) => {
        pacer.restart()
        return txn.compactRows(from, through, () => pacer.isDue)
      },
    })
  }

  /** Prunes the index as far as it may be. */
  #prune(): void {
    const main = this.#mvcc.prunableRevision
    if (this.#pruning !== undefined || main <= this.#prunedRevision || this.#isClosed) return
    this.#pruning = this.#pruneTo(main).finally(() => {
      this.#pruning = undefined
      this.#prune()
    })
  }

  async #pruneTo(main: number): Promise<void> {
    const pruner = new IndexPruner(this.#mvcc.index, main)
    const pacer = new Pacer(this.#clock)
    await nextTurn()
    pacer.restart()
    while (!pruner.step(PRUNE_KEYS)) {
      if (!pacer.isDue) continue
      if (this.#isClosed) return
      await pacer.pause()
    }
    this.#prunedRevision = main
  }
}
