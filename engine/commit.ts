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
import { KvError, isKvError } from '../base/errors.ts'
import type { SyncKind } from '../disk/disk.ts'
import type { Core } from './core.ts'
import { encodeFreelistPage, freelistPages } from './freelist-page.ts'
import { GROW_STEP } from './format.ts'
import type { Meta } from './meta.ts'
import { encodeMetaPage } from './meta.ts'
import { Page } from './page.ts'
import { spill } from './spill.ts'
import type { Tx } from './tx.ts'

const RUN_SIZE_MAX = 1024 * 1024
const FILE_SIZE_MIN = 32 * 1024

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
export function* commitSteps(core: Core, tx: Tx): Generator<SyncKind, void, void> {
  const plan = new CommitPlan(core, tx)
  let phase: Phase = 'spill'
  try {
    plan.build()
    if (core.passedOverSlot !== undefined) {
      phase = 'revert'
      plan.revert(core.passedOverSlot)
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

class CommitPlan {
  readonly #core: Core
  readonly #tx: Tx
  readonly #pages: Page[] = []
  /** Runs taken from the freelist: [first, count, …]. */
  readonly #taken: number[] = []
  #highWaterMark: number
  /** Pages from here to the old mark were free and have been passed over. */
  #trimmedTo = Infinity
  #freelistImage: { readonly pgid: number; readonly bytes: Uint8Array } | undefined
  #meta: Meta | undefined

  constructor(core: Core, tx: Tx) {
    this.#core = core
    this.#tx = tx
    this.#highWaterMark = core.meta.highWaterMark
  }

  get meta(): Meta {
    assert(this.#meta !== undefined, 'commit: no meta yet')
    return this.#meta
  }

  /** Step 1, all in memory. */
  build(): void {
    const core = this.#core
    const { pages, root, id } = this.#tx
    const placed = spill(root, (count) => this.#allocate(count))
    for (const { node, pageCount } of placed) {
      const bytes = node.toRun(pageCount, core.pageSizeBytes, pages.nodes)
      this.#pages.push(new Page(node.pgid, bytes, 0, bytes.length))
    }
    const old = core.freelistRun
    if (old !== undefined) pages.freeRun(old.first, old.count)
    this.#mustBeFreedOnce(pages.freedRuns)
    this.#highWaterMark = core.freelist.trimTail(this.#highWaterMark)
    this.#trimmedTo = this.#highWaterMark
    if (core.persistFreelist) this.#buildFreelist()
    this.#meta = {
      ...core.meta,
      rootPgid: root.tree.rootPgid,
      rootSequence: root.sequence,
      freelistPgid: this.#freelistImage?.pgid,
      highWaterMark: this.#highWaterMark,
      txid: id,
      slot: id % 2 === 0 ? 0 : 1,
    }
  }

  /**
   * A page that is freed and free already is reached from two places: damage, which must not
   * spread.
   */
  #mustBeFreedOnce(runs: readonly number[]): void {
    const { freelist, pager } = this.#core
    const freed = new Set<number>()
    for (let i = 0; i < runs.length; i += 2) {
      for (let k = 0; k < (runs[i + 1] as number); k++) {
        const pgid = (runs[i] as number) + k
        if (freelist.has(pgid)) throw pager.corruption(pgid, 'it is in use and on the freelist')
        if (freed.has(pgid)) throw pager.corruption(pgid, 'two places lead to it')
        freed.add(pgid)
      }
    }
  }

  #buildFreelist(): void {
    const { freelist, pageSizeBytes } = this.#core
    const { freedRuns } = this.#tx.pages
    const pageCount = freelistPages(freelist.persistent(freedRuns).size, pageSizeBytes)
    const pgid = this.#allocate(pageCount)
    const ids = freelist.persistent(freedRuns)
    this.#freelistImage = { pgid, bytes: encodeFreelistPage(pgid, ids, pageCount, pageSizeBytes) }
  }

  #allocate(count: number): number {
    const { freelist, readers } = this.#core
    const remember = readers.size > 0
    const reused = freelist.allocate(this.#tx.id, count, remember)
    if (reused !== undefined) {
      this.#taken.push(reused, count)
      return reused
    }
    const first = this.#highWaterMark
    this.#highWaterMark += count
    freelist.noteAllocation(this.#tx.id, first, remember)
    return first
  }

  /**
   * Puts a copy of the meta that this file stands at over a newer one that was passed over: its
   * pages are about to be used again, and a power cut must not bring it back.
   */
  revert(slot: 0 | 1): void {
    const { file, meta, pageSizeBytes } = this.#core
    file.write(encodeMetaPage({ ...meta, slot }), slot * pageSizeBytes)
  }

  /** Step 2; true when the new size must be synced. */
  growFile(): boolean {
    const core = this.#core
    const needed = this.#highWaterMark * core.pageSizeBytes
    if (needed <= core.fileSizeBytes) return false
    const size = grownSize(needed)
    core.file.truncate(size)
    core.fileSizeBytes = size
    return true
  }

  /** Step 3, without the sync. */
  writePages(): void {
    const { file, pageSizeBytes } = this.#core
    const images = this.#pages.map(({ pgid, bytes }) => ({ pgid, bytes }))
    if (this.#freelistImage !== undefined) images.push(this.#freelistImage)
    images.sort((a, b) => a.pgid - b.pgid)
    let from = 0
    while (from < images.length) {
      let to = from + 1
      let size = imageAt(images, from).bytes.length
      while (to < images.length) {
        const before = imageAt(images, to - 1)
        const next = imageAt(images, to)
        if (next.pgid * pageSizeBytes !== before.pgid * pageSizeBytes + before.bytes.length) break
        if (size + next.bytes.length > RUN_SIZE_MAX) break
        size += next.bytes.length
        to++
      }
      file.write(joined(images, from, to, size), imageAt(images, from).pgid * pageSizeBytes)
      from = to
    }
  }

  /** Step 5. */
  publish(): void {
    const core = this.#core
    core.previous = core.meta
    core.meta = this.meta
    core.freelist.addPending(this.#tx.id, this.#tx.pages.freedRuns)
    for (const page of this.#pages) core.pager.install(page)
    const image = this.#freelistImage
    core.freelistRun =
      image === undefined
        ? undefined
        : { first: image.pgid, count: image.bytes.length / core.pageSizeBytes }
    this.#shrinkFile()
  }

  /**
   * Gives the tail of the file back when it is much too long. Both generations and all readers lie
   * below the new end. A crash leaves either length, and both are right.
   */
  #shrinkFile(): void {
    const core = this.#core
    let highest = Math.max(core.meta.highWaterMark, core.previous?.highWaterMark ?? 0)
    for (const reader of core.readers) highest = Math.max(highest, reader.meta.highWaterMark)
    const size = grownSize(highest * core.pageSizeBytes)
    const excess = core.fileSizeBytes - size
    if (excess < 2 * GROW_STEP && core.fileSizeBytes <= 2 * size) return
    try {
      core.file.truncate(size)
      core.fileSizeBytes = size
    } catch (error) {
      // The commit is durable; a file that stays long is only long.
      if (!isKvError(error)) throw error
    }
  }

  /** Undoes what memory knows of the transaction; returns the error to throw. */
  failed(phase: Phase, error: unknown): unknown {
    const core = this.#core
    const isHarmless =
      isKvError(error) &&
      (phase === 'spill' ||
        ((phase === 'grow' || phase === 'pages') && error.code === 'KV_NO_SPACE'))
    if (isHarmless) this.#undo()
    else core.poisonWith(error)
    if (!isKvError(error)) return error
    const outcome = phase === 'meta' ? 'unknown' : 'none'
    if (outcome === error.outcome) return error
    return new KvError(error.code, error.message, { cause: error, outcome })
  }

  #undo(): void {
    const { freelist } = this.#core
    const taken = this.#taken
    for (let i = 0; i < taken.length; i += 2) {
      freelist.giveBack(taken[i] as number, taken[i + 1] as number)
    }
    const mark = this.#core.meta.highWaterMark
    for (let pgid = this.#trimmedTo; pgid < mark; pgid++) freelist.addFree(pgid)
  }
}

interface Image {
  readonly pgid: number
  readonly bytes: Uint8Array
}

function imageAt(images: readonly Image[], index: number): Image {
  const image = images[index]
  assert(image !== undefined, 'commit: no such image')
  return image
}

function joined(images: readonly Image[], from: number, to: number, size: number): Uint8Array {
  if (to === from + 1) return imageAt(images, from).bytes
  const run = new Uint8Array(size)
  let at = 0
  for (let i = from; i < to; i++) {
    const { bytes } = imageAt(images, i)
    run.set(bytes, at)
    at += bytes.length
  }
  return run
}
