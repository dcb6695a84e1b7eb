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
import { Example } from '../base/example.ts'
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

const CHUNK_SIZE = 1024

/** Which transaction allocated a page, where that is known: eight bytes a page. */
class Births {
  #chunks: (Float64Array | undefined)[] = []

  set(pgid: number, txid: number): void {
    const at = Math.floor(pgid / CHUNK_SIZE)
    const chunk = (this.#chunks[at] ??= new Float64Array(CHUNK_SIZE))
    chunk[pgid % CHUNK_SIZE] = txid
  }

  /** Says it and forgets it; 0 where it is not known. */
  take(pgid: number): number {
    const chunk = this.#chunks[Math.floor(pgid / CHUNK_SIZE)]
    if (chunk === undefined) return 0
    const txid = chunk[pgid % CHUNK_SIZE] as number
    chunk[pgid % CHUNK_SIZE] = 0
    return txid
  }

  clear(): void {
    if (this.#chunks.length > 0) this.#chunks = []
  }
}

/** Mostly they ascend already. */
function ascending(pins: readonly number[]): readonly number[] {
  for (let i = 1; i < pins.length; i++) {
    if ((pins[i] as number) < (pins[i - 1] as number)) return pins.toSorted((a, b) => a - b)
  }
  return pins
}

/** Whether `pin` is one of `pins`, which ascend. */
function isAmong(pins: readonly number[], pin: number): boolean {
  return newestUnder(pins, pin + 1) === pin
}

/** The highest of `pins`, which ascend, below `end`; −1 where there is none. */
function newestUnder(pins: readonly number[], end: number): number {
  let low = 0
  let high = pins.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((pins[middle] as number) < end) low = middle + 1
    else high = middle
  }
  return low === 0 ? -1 : (pins[low - 1] as number)
}

export class Freelist {
  #free = new PageSet()
  /** Pages freed since pins were last looked at, and those whose pin is gone. */
  readonly #unweighed: PendingPages[] = []
  /**
   * The other pending pages by a pin that can reach them, so that as long as it stands nobody looks
   * at them: there may be as many as the file has pages.
   */
  /** Emptied when its pages have been looked at. */
  readonly #example = new Example<PendingPages>()
  readonly #heldBy = new Map<number, PendingPages>()
  /** The ids of all pending pages. */
  #pendingSet = new PageSet()
  readonly #births = new Births()
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
    if (remember) this.#births.set(pgid, txid)
    else this.#births.take(pgid)
  }

  /** Takes back a run whose transaction never happened. */
  giveBack(first: number, count: number): void {
    this.#births.take(first)
    for (let i = 0; i < count; i++) this.addFree(first + i)
  }

  /** Records the runs [first, count, first, count, …] that committed transaction `txid` freed. */
  addPending(txid: number, runs: readonly number[]): void {
    if (runs.length === 0) return
    const pages = new PendingPages()
    this.#unweighed.push(pages)
    this.#example.keep(pages)
    for (let i = 0; i < runs.length; i += 2) {
      const first = runs[i] as number
      const count = runs[i + 1] as number
      const allocatedBy = this.#births.take(first)
      for (let k = 0; k < count; k++) {
        assert(this.#pendingSet.add(first + k), () => `freelist: page ${first + k} is freed twice`)
        pages.add(first + k, allocatedBy, txid)
      }
    }
  }

  /**
   * Moves to the free set what no pinned root can reach, and names each to `onFree`. `pins` are
   * txids, in any order. Looks at `pagesMax` pages, or some more; the rest waits for the next call.
   */
  release(
    pinned: readonly number[],
    onFree: (pgid: number) => void = () => {},
    pagesMax: number = Infinity,
  ): void {
    if (this.#pendingSet.size === 0) return
    this.#onFree = onFree
    const pins = ascending(pinned)
    this.#heldBy.forEach((pages, pin) => {
      if (isAmong(pins, pin)) return
      this.#heldBy.delete(pin)
      this.#unweighed.push(pages)
    })
    for (let left = pagesMax; left > 0;) {
      const pages = this.#unweighed.at(-1)
      if (pages === undefined) return
      left -= this.#weigh(pages, pins, left)
      if (pages.pgids.length === 0) this.#unweighed.pop()
    }
  }

  /**
   * Frees each page that none of `pins`, in ascending order, can reach; the others are held. Takes
   * up to `pagesMax` pages from the end, and returns how many.
   */
  #weigh(
    { pgids, born, freedBy }: PendingPages,
    pins: readonly number[],
    pagesMax: number,
  ): number {
    const end = Math.max(0, pgids.length - pagesMax)
    const count = pgids.length - end
    let newestBelow = -1
    let lastUntil = -1
    for (let i = pgids.length - 1; i >= end; i--) {
      const pgid = pgids[i] as number
      const since = born[i] as number
      const until = freedBy[i] as number
      // Some pin in [A, T−1] exists if and only if the newest pin older than T is A or newer.
      if (until !== lastUntil) newestBelow = newestUnder(pins, until)
      lastUntil = until
      if (newestBelow < since) this.#settle(pgid)
      else this.#hold(newestBelow, pgid, since, until)
    }
    pgids.length = born.length = freedBy.length = end
    return count
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

  /** Whether there are pending pages that `release` has not looked at. */
  get isUnweighed(): boolean {
    return this.#unweighed.length > 0
  }

  /** How many pages below `end` are free. */
  freeBelow(end: number): number {
    return this.#free.countBelow(end)
  }

  /** Forgets who allocated what: right when no reader is open. */
  forgetAllocations(): void {
    this.#births.clear()
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

  /** How many of `pgids` are pending. */
  pendingAmong(pgids: PageSet): number {
    return this.#pendingSet.countCommon(pgids)
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
