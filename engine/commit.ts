/**
 * The commit: bbolt's, with two syncs.
 *
 *   1. spill: nodes become placed pages; freelist and high-water mark follow     memory only
 *      where opening passed over a newer meta: write ours over it; data sync     once
 *   2. grow the file (truncate, full sync)                                        only when needed
 *   3. write the pages, ascending, in runs of at most 1 MiB; data sync
 *   4. write the meta into the slot that does not hold the newest one; data sync
 *   5. publish: readers that begin from now on see it
 *
 * Why in this order: until the sync of step 4 returns, a power cut finds the old meta or the new
 * one; the new one is never there without its pages, because step 3's sync came first; and no page
 * of the two older generations is among those written (freelist.ts).
 *
 * A failure before anything was written, or a disk that is full in step 3, undoes the transaction
 * and nothing else. Any other failure poisons the handle: after a failed sync the kernel counts the
 * pages as clean, and a second try would succeed without writing them.
 */

import { assert } from '../base/assert.ts'
import { isKvError, withOutcome } from '../base/errors.ts'
import type { SyncKind } from '../disk/disk.ts'
import type { Allocation } from './allocation.ts'
import type { Core, PageRun } from './core.ts'
import { encodeFreelistPage, freelistPages } from './freelist-page.ts'
import { GROW_STEP } from './format.ts'
import type { Meta } from './meta.ts'
import { encodeMetaPage } from './meta.ts'
import { Page } from './page.ts'
import { PageSet } from './page-set.ts'
import { spill } from './spill.ts'
import type { Tx } from './tx.ts'
import { writeImages, writeOverPassed } from './write-images.ts'

const FILE_SIZE_MIN = 32 * 1024
/** A commit of more nodes is not kept as an example. */
const EXAMPLE_NODES_MAX = 64
/** So many freed runs are compared with each other one by one. */
const FEW_RUNS = 16
const FREED_FREE = 'it is in use and on the freelist'
const FREED_TWICE = 'two places lead to it'

type Phase = 'spill' | 'revert' | 'grow' | 'grow sync' | 'pages' | 'pages sync' | 'meta'

/** The file's length for content of `sizeBytes`: powers of two, then steps of 16 MiB. */
export function grownSize(sizeBytes: number): number {
  if (sizeBytes > GROW_STEP) return Math.ceil(sizeBytes / GROW_STEP) * GROW_STEP
  let size = FILE_SIZE_MIN
  while (size < sizeBytes) size *= 2
  return size
}

/**
 * Commits the changes of `tx`. Yields whenever the file must be synced; whoever drives it does
 * that and goes on, or throws the failure into it.
 */
function* commitSteps(core: Core, tx: Tx): Generator<SyncKind, void, void> {
  const plan = new CommitPlan(core, tx)
  let phase: Phase = 'spill'
  try {
    plan.build()
    plan.buildFreelist()
    if (core.passedOverSlot !== undefined) {
      phase = 'revert'
      writeOverPassed(core, core.passedOverSlot)
      yield 'data'
      core.passedOverSlot = undefined
    }
    phase = 'grow'
    if (plan.growFile()) {
      phase = 'grow sync'
      yield 'full'
    }
    phase = 'pages'
    plan.writePages()
    phase = 'pages sync'
    yield 'data'
    phase = 'meta'
    core.file.write(encodeMetaPage(plan.meta), plan.meta.slot * core.pageSizeBytes)
    yield 'data'
  } catch (error) {
    throw plan.failed(phase, error)
  }
  plan.publish()
}

/** Commits the changes of `tx`, blocking until they are durable. */
export function commitToFile(core: Core, tx: Tx): void {
  const steps = commitSteps(core, tx)
  for (let step = steps.next(); step.done !== true;) {
    try {
      core.file.sync(step.value)
    } catch (error) {
      step = steps.throw(error)
      continue
    }
    step = steps.next()
  }
}

/** As `commitToFile`, the event loop free during the syncs. */
export async function commitToFileAsync(core: Core, tx: Tx): Promise<void> {
  const steps = commitSteps(core, tx)
  let step = steps.next()
  while (step.done !== true) {
    const failure = await core.file.syncAsync(step.value).then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    step = failure === undefined ? steps.next() : steps.throw(failure.error)
  }
}

/** A commit on its way: what `tx` has changed, placed, and what the file must be told of it. */
export class CommitPlan {
  readonly #core: Core
  readonly #tx: Tx
  readonly #txid: number
  readonly #allocation: Allocation
  /** Nodes that have become page images, and the freelist's image. */
  readonly #nodes: Page[] = []
  #freelistImage: Page | undefined
  #meta: Meta | undefined

  /** `txid`: which commit it is to be, where that is not what `tx` was given. */
  constructor(core: Core, tx: Tx, txid: number = tx.id) {
    this.#core = core
    this.#tx = tx
    this.#txid = txid
    this.#allocation = tx.allocate()
  }

  get meta(): Meta {
    assert(this.#meta !== undefined, 'commit: no meta yet')
    return this.#meta
  }

  /** The nodes that have become pages, and the freelist's image. */
  get images(): Page[] {
    const images = [...this.#nodes]
    if (this.#freelistImage !== undefined) images.push(this.#freelistImage)
    return images
  }

  /** Step 1, all in memory: the tree. */
  build(): void {
    const core = this.#core
    const allocation = this.#allocation
    const { pages, root } = this.#tx
    const id = this.#txid
    allocation.plan(pages.nodeCount)
    const placed = spill(root, (count) => allocation.take(count))
    for (const { node, pageCount } of placed) {
      pages.editor.place(node, node.pgid, pageCount)
      this.#nodes.push(node)
    }
    const { pageSizeBytes, flags } = core.head
    this.#meta = {
      pageSizeBytes,
      flags,
      rootPgid: root.tree.rootPgid,
      rootSequence: root.sequence,
      freelistPgid: undefined,
      highWaterMark: allocation.highWaterMark,
      txid: id,
      slot: id % 2 === 0 ? 0 : 1,
    }
  }

  /**
   * Of step 1, for a commit that goes into a log: the freelist stays as the last checkpoint's.
   * `isChecked`: `mustBeFreedOnce` was called, and all is freed that will be.
   */
  skipFreelist(isChecked = false): void {
    this.#freeRest()
    if (!isChecked) this.mustBeFreedOnce()
  }

  /** Of step 1: the freelist, and with it where the file ends. */
  buildFreelist(): void {
    const core = this.#core
    const { pages } = this.#tx
    const old = core.freelistRun
    if (old !== undefined) pages.freeRun(old.first, old.count)
    this.#freeRest()
    const freed = this.#freedOnce()
    this.#allocation.trimTail()
    if (core.persistFreelist) this.#encodeFreelist(freed)
    this.#meta = {
      ...this.meta,
      freelistPgid: this.#freelistImage?.pgid,
      highWaterMark: this.#allocation.highWaterMark,
    }
  }

  #freeRest(): void {
    const { freedRuns } = this.#tx.pages
    for (const pgid of this.#allocation.leaveOver()) freedRuns.push(pgid, 1)
  }

  /** As `#freedOnce`, without the set, which takes a bit for each page of the file. */
  mustBeFreedOnce(): void {
    const { freelist, pager } = this.#core
    const { freedRuns } = this.#tx.pages
    if (freedRuns.length > FEW_RUNS * 2) {
      this.#freedOnce()
      return
    }
    for (let i = 0; i < freedRuns.length; i += 2) {
      const first = freedRuns[i] as number
      const end = first + (freedRuns[i + 1] as number)
      for (let pgid = first; pgid < end; pgid++) {
        if (freelist.has(pgid)) throw pager.corruption(pgid, FREED_FREE)
      }
      for (let k = 0; k < i; k += 2) {
        const other = freedRuns[k] as number
        if (other >= end || other + (freedRuns[k + 1] as number) <= first) continue
        throw pager.corruption(Math.max(first, other), FREED_TWICE)
      }
    }
  }

  /**
   * The pages that this transaction frees. One that is freed twice, or free already, is reached
   * from two places: damage, which must not spread.
   */
  #freedOnce(): PageSet {
    const { freelist, pager } = this.#core
    const runs = this.#tx.pages.freedRuns
    const freed = new PageSet()
    for (let i = 0; i < runs.length; i += 2) {
      const first = runs[i] as number
      const end = first + (runs[i + 1] as number)
      for (let pgid = first; pgid < end; pgid++) {
        if (freelist.has(pgid)) throw pager.corruption(pgid, FREED_FREE)
        if (!freed.add(pgid)) throw pager.corruption(pgid, FREED_TWICE)
      }
    }
    return freed
  }

  #encodeFreelist(freed: PageSet): void {
    const { freelist, pageSizeBytes } = this.#core
    const listed = freelist.persistent(freed)
    const pageCount = freelistPages(listed.size, pageSizeBytes)
    const pgid = this.#allocation.take(pageCount)
    for (let i = 0; i < pageCount; i++) listed.delete(pgid + i)
    const size = pageCount * pageSizeBytes
    const bytes = this.#core.freelistRoom(size)
    encodeFreelistPage(bytes, pgid, listed, pageSizeBytes)
    this.#freelistImage = new Page(pgid, bytes, 0, size)
  }

  /** Step 2; true when the new size must be synced. */
  growFile(): boolean {
    return growFile(this.#core, this.meta)
  }

  /** Step 3, without the sync. */
  writePages(): void {
    writeImages(this.#core, this.images)
  }

  /** Step 5. */
  publish(): void {
    const { pager } = this.#core
    this.settle((page) => pager.install(page))
    publishMeta(this.#core, this.meta, this.freelistRun)
  }

  /** What has changed is part of the head from now on. `install` takes each new page. */
  settle(install: (page: Page) => void): void {
    this.#core.freelist.addPending(this.#txid, this.#tx.pages.freedRuns)
    for (const node of this.#nodes) {
      this.#tx.pages.editor.settle(node)
      install(node)
    }
    this.#tx.pages.allocation = undefined
    this.#allocation.settle()
    if (this.#nodes.length <= EXAMPLE_NODES_MAX && this.#tx.isSmall) {
      this.#core.example.keep(this)
    }
  }

  /** As `settle`, with pages that only memory has for now. */
  settleInMemory(): void {
    const { pager } = this.#core
    for (const node of this.#nodes) pager.editor.finish(node)
    this.settle((page) => pager.installDirty(page))
  }

  /** The freelist of this commit; undefined where it has none. */
  get freelistImage(): Page | undefined {
    return this.#freelistImage
  }

  /** Where the freelist of this commit stands. */
  get freelistRun(): PageRun | undefined {
    const image = this.#freelistImage
    if (image === undefined) return undefined
    return { first: image.pgid, count: image.sizeBytes / this.#core.pageSizeBytes }
  }

  /** Undoes what memory knows of the transaction; returns the error to throw. */
  failed(phase: Phase, error: unknown): unknown {
    const core = this.#core
    const isHarmless =
      isKvError(error) &&
      (phase === 'spill' ||
        ((phase === 'grow' || phase === 'pages') && error.code === 'KV_NO_SPACE'))
    // What was taken goes back when the transaction ends, which it does now.
    if (!isHarmless) core.poisonWith(error)
    return withOutcome(error, phase === 'meta' ? 'unknown' : 'none')
  }
}

/** Step 1 of a commit that goes into a log, with a freelist where it is a checkpoint's. */
export function planInMemory(
  core: Core,
  tx: Tx,
  commit: { readonly txid: number; readonly hasFreelist: boolean },
): CommitPlan {
  const plan = new CommitPlan(core, tx, commit.txid)
  try {
    plan.build()
    if (commit.hasFreelist) plan.buildFreelist()
    else plan.skipFreelist()
  } catch (error) {
    throw plan.failed('spill', error)
  }
  return plan
}

/** Makes the file long enough for a generation; true when the new size must be synced. */
export function growFile(core: Core, meta: Meta): boolean {
  const needed = meta.highWaterMark * core.pageSizeBytes
  if (needed <= core.fileSizeBytes) return false
  // Pages written before their commit may have made it longer than anyone was told.
  const size = Math.max(grownSize(needed), core.file.size())
  core.file.truncate(size)
  core.fileSizeBytes = size
  return true
}

/** A generation has become the newest one of the file. */
export function publishMeta(core: Core, meta: Meta, freelistRun: PageRun | undefined): void {
  core.previous = core.meta
  core.meta = meta
  core.freelistRun = freelistRun
  shrinkFile(core)
}

/**
 * Gives the tail of the file back when it is much too long; `isEager`: when it is longer at all.
 * Both generations, the head and all readers lie below the new end. A crash leaves either length,
 * and both are right.
 */
export function shrinkFile(core: Core, isEager = false): void {
  let highest = Math.max(core.meta.highWaterMark, core.previous?.highWaterMark ?? 0)
  highest = Math.max(highest, core.head.highWaterMark, core.allocation?.highWaterMark ?? 0)
  for (const reader of core.readers) highest = Math.max(highest, reader.meta.highWaterMark)
  const size = grownSize(highest * core.pageSizeBytes)
  const excess = core.fileSizeBytes - size
  if (excess <= 0) return
  if (!isEager && excess < 2 * GROW_STEP && core.fileSizeBytes <= 2 * size) return
  try {
    core.file.truncate(size)
    core.fileSizeBytes = size
  } catch (error) {
    // The commit is durable; a file that stays long is only long.
    if (!isKvError(error)) throw error
  }
}
