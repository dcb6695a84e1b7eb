/**
 * Which pages of the file may be written: *free* ones now, *pending* ones when nothing can reach
 * them any more.
 *
 * The rule of reuse. A page allocated by transaction A and freed by transaction T is part of the
 * roots A … T−1 and of no other. It may be reused if and only if none of these roots is *pinned*.
 * Pinned are
 *   - the root of each open reader;
 *   - the newest durable root, and the one before it: the two kept generations. bbolt keeps one,
 *     and reuses pages of N−1 while it writes N+1; a power cut then, with meta N damaged, leaves
 *     nothing to fall back to. With two, the older generation is whole at every moment.
 *
 * A is remembered only for pages allocated while readers are open; elsewhere it counts as 0,
 * which is safe: it withholds more.
 *
 * What is written to the file is free ∪ pending: no reader outlives the process. So on opening,
 * the pages that the newest commit freed are held back as pending again, since the generation
 * before still needs them.
 *
 * Source of the format: etcd-io/bbolt internal/freelist @ 4e65d8f; of the rule of gaps: bbolt PR 3.
 */

import { assert } from '../base/assert.ts'
import { PageSet } from './page-set.ts'

/** Pages that may not be reused yet, three numbers each. */
class PendingPages {
  readonly pgids: number[] = []
  /** The transaction that allocated the page, 0 where unknown. */
  readonly born: number[] = []
  /** The transaction that freed it. */
  readonly freedBy: number[] = []

  add(pgid: number, born: number, freedBy: number): void {
    this.pgids.push(pgid)
    this.born.push(born)
    this.freedBy.push(freedBy)
  }
}

export class Freelist {
  #free = new PageSet()
  /** Pages freed since pins were last looked at. */
  #unweighed = new PendingPages()
  /**
   * The other pending pages by a pin that can reach them, so that as long as it stands nobody looks
   * at them: there may be as many as the file has pages.
   */
  readonly #heldBy = new Map<number, PendingPages>()
  /** The ids of all pending pages. */
  #pendingSet = new PageSet()
  #allocatedBy = new Map<number, number>()
  #onFree: (pgid: number) => void = () => {}

  get freeCount(): number {
    return this.#free.size
  }

  get pendingCount(): number {
    return this.#pendingSet.size
  }

  /** Whether the page is free or pending. */
  has(pgid: number): boolean {
    return this.#free.has(pgid) || this.#pendingSet.has(pgid)
  }

  isFree(pgid: number): boolean {
    return this.#free.has(pgid)
  }

  /** Takes over a set of pages known to be unreachable from every root, where it has none yet. */
  adopt(free: PageSet): void {
    assert(this.#free.size === 0, 'freelist: it has free pages already')
    this.#free = free
  }

  /** Adds a page known to be unreachable from every root. */
  addFree(pgid: number): void {
    assert(pgid >= 2, () => `freelist: page ${pgid} can't be free`)
    assert(this.#free.add(pgid), () => `freelist: page ${pgid} is free twice`)
  }

  /**
   * Hands out `count` consecutive free pages to transaction `txid`; undefined where there are none.
   * `remember` asks to keep the allocating transaction: readers are open.
   */
  allocate(txid: number, count: number, remember: boolean): number | undefined {
    const first = this.#free.takeRun(count)
    if (first !== undefined) this.noteAllocation(txid, first, remember)
    return first
  }

  /** As `allocate` for the lowest free page of `[start, end)`. */
  allocateWithin(txid: number, start: number, end: number, remember: boolean): number | undefined {
    const pgid = this.#free.takeWithin(start, end)
    if (pgid !== undefined) this.noteAllocation(txid, pgid, remember)
    return pgid
  }

  /** The lowest run of `count` free pages, which stay free. */
  findRun(count: number): number | undefined {
    return this.#free.findRun(count)
  }

  /**
   * Regions of `size` pages with `pageCount` free ones in all, or fewer, those with most free ones
   * first and none with less than `freeMin`: [start, end, start, end, …].
   */
  regions(size: number, pageCount: number, freeMin: number): number[] {
    return this.#free.densest(size, pageCount, freeMin)
  }

  noteAllocation(txid: number, pgid: number, remember: boolean): void {
    if (remember) this.#allocatedBy.set(pgid, txid)
    else if (this.#allocatedBy.size > 0) this.#allocatedBy.delete(pgid)
  }

  /** Takes back a run whose transaction never happened. */
  giveBack(first: number, count: number): void {
    this.#allocatedBy.delete(first)
    for (let i = 0; i < count; i++) this.addFree(first + i)
  }

  /** Records the runs [first, count, first, count, …] that committed transaction `txid` freed. */
  addPending(txid: number, runs: readonly number[]): void {
    if (runs.length === 0) return
    for (let i = 0; i < runs.length; i += 2) {
      const first = runs[i] as number
      const count = runs[i + 1] as number
      const allocatedBy = this.#allocatedBy.get(first) ?? 0
      this.#allocatedBy.delete(first)
      for (let k = 0; k < count; k++) {
        assert(this.#pendingSet.add(first + k), () => `freelist: page ${first + k} is freed twice`)
        this.#unweighed.add(first + k, allocatedBy, txid)
      }
    }
  }

  /**
   * Moves to the free set what no pinned root can reach, and names each to `onFree`. `pins` are
   * txids, in any order.
   */
  release(pins: readonly number[], onFree: (pgid: number) => void = () => {}): void {
    if (this.#pendingSet.size === 0) return
    this.#onFree = onFree
    const sorted = [...pins].sort((a, b) => a - b)
    for (const [pin, pages] of this.#heldBy) {
      if (sorted.includes(pin)) continue
      this.#heldBy.delete(pin)
      this.#weigh(pages, sorted)
    }
    if (this.#unweighed.pgids.length === 0) return
    const pages = this.#unweighed
    this.#unweighed = new PendingPages()
    this.#weigh(pages, sorted)
  }

  /** Frees each page that none of `pins`, in ascending order, can reach; the others are held. */
  #weigh({ pgids, born, freedBy }: PendingPages, pins: readonly number[]): void {
    let newestBelow = -1
    for (let i = 0; i < pgids.length; i++) {
      const pgid = pgids[i] as number
      const since = born[i] as number
      const until = freedBy[i] as number
      // Some pin in [A, T−1] exists if and only if the newest pin older than T is A or newer.
      if (i === 0 || until !== freedBy[i - 1]) {
        newestBelow = pins.findLast((pin) => pin < until) ?? -1
      }
      if (newestBelow < since) this.#settle(pgid)
      else this.#hold(newestBelow, pgid, since, until)
    }
  }

  #hold(pin: number, pgid: number, born: number, freedBy: number): void {
    let pages = this.#heldBy.get(pin)
    if (pages === undefined) this.#heldBy.set(pin, (pages = new PendingPages()))
    pages.add(pgid, born, freedBy)
  }

  #settle(pgid: number): void {
    this.#pendingSet.delete(pgid)
    this.addFree(pgid)
    this.#onFree(pgid)
  }

  /** Forgets who allocated what: right when no reader is open. */
  forgetAllocations(): void {
    this.#allocatedBy.clear()
  }

  /**
   * Takes free pages that end at the high-water mark out of the set; returns the new, lower mark.
   * They are unreachable from every pinned root, so the mark may pass over them.
   */
  trimTail(highWaterMark: number): number {
    let mark = highWaterMark
    while (mark > 3 && this.#free.delete(mark - 1)) mark--
    return mark
  }

  /** Free and pending ids, and those in `freed`, as a set: what a commit writes to the file. */
  persistent(freed: PageSet): PageSet {
    const all = this.#free.copy()
    all.addAll(this.#pendingSet)
    all.addAll(freed)
    return all
  }

  /** Takes all free and pending ids out of `pgids`. */
  deleteAllFrom(pgids: PageSet): void {
    pgids.deleteAll(this.#free)
    pgids.deleteAll(this.#pendingSet)
  }

  /** Free ids in ascending order. */
  freeIds(): IterableIterator<number> {
    return this.#free[Symbol.iterator]()
  }

  /** Pending ids in ascending order. */
  pendingIds(): IterableIterator<number> {
    return this.#pendingSet[Symbol.iterator]()
  }
}
