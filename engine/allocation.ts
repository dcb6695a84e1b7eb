/**
 * The pages that one write transaction takes: from the freelist, else from behind the high-water
 * mark. They are unreachable until its meta is written, so they may be written at any time before,
 * and a transaction that never commits gives them back.
 */

import { assert } from '../base/assert.ts'
import type { Core } from './core.ts'
import { PageSet } from './page-set.ts'

/** From this many pages on, a commit is worth looking for regions. */
const REGION_COMMIT_MIN = 64
/** Pages of a region. */
const REGION_PAGES = 256
/** Free pages from which on a region is better than the end of the file. */
const REGION_DENSE = 160

export class Allocation {
  readonly #core: Core
  readonly #txid: number
  /** Where the file will end: first page never used. */
  highWaterMark: number
  /** Pages that came off the freelist. */
  readonly #taken: number[] = []
  /** Pages that were written before the commit; made when there are any. */
  #early: PageSet | undefined
  /** Early pages that this transaction has left again. */
  #returned: PageSet | undefined
  /** Where to take single pages, best first: [start, end, start, end, …]. */
  #regions: number[] = []
  #regionAt = 0
  /** Single pages for which there is no region come from the end of the file. */
  #isExtending = false
  /** Pages from here to the old mark were free and have been passed over. */
  #trimmedTo = Infinity

  constructor(core: Core, txid: number) {
    this.#core = core
    this.#txid = txid
    this.highWaterMark = core.head.highWaterMark
  }

  /** Chooses where about `pageCount` single pages will be taken from. */
  plan(pageCount: number): void {
    const { freelist, logged } = this.#core
    this.#regionAt = 0
    this.#isExtending = false
    // A checkpoint writes the pages of many commits, side by side or not: the lowest will do.
    if (logged !== undefined) {
      this.#regions = []
      return
    }
    if (pageCount < REGION_COMMIT_MIN) {
      const first = freelist.findRun(pageCount)
      this.#regions = first === undefined ? [] : [first, first + pageCount]
      return
    }
    this.#isExtending = freelist.freeCount * 2 < this.highWaterMark - freelist.pendingCount
    const freeMin = this.#isExtending ? REGION_DENSE : 1
    this.#regions = freelist.regions(REGION_PAGES, pageCount, freeMin)
  }

  /** Finds room for `count` consecutive pages and returns the first. */
  take(count: number): number {
    const { freelist, readers, logged } = this.#core
    const returned = this.#returned?.takeRun(count)
    if (returned !== undefined) return returned
    const remember = readers.size > 0 || logged !== undefined
    const reused =
      count === 1 ? this.#takeOne(remember) : freelist.allocate(this.#txid, count, remember)
    if (reused !== undefined) {
      for (let i = 0; i < count; i++) this.#taken.push(reused + i)
      return reused
    }
    const first = this.highWaterMark
    this.highWaterMark += count
    freelist.noteAllocation(this.#txid, first, remember)
    return first
  }

  /** A free page where the plan says; undefined where it says the end of the file. */
  #takeOne(remember: boolean): number | undefined {
    const { freelist } = this.#core
    for (; this.#regionAt < this.#regions.length; this.#regionAt += 2) {
      const start = this.#regions[this.#regionAt] as number
      const end = this.#regions[this.#regionAt + 1] as number
      const pgid = freelist.allocateWithin(this.#txid, start, end, remember)
      if (pgid === undefined) continue
      this.#regions[this.#regionAt] = pgid + 1
      return pgid
    }
    return this.#isExtending ? undefined : freelist.allocate(this.#txid, 1, remember)
  }

  /** As `take`, for a run that is written before the commit and may be given back. */
  takeEarly(count: number): number {
    const first = this.take(count)
    this.#early ??= new PageSet()
    for (let i = 0; i < count; i++) this.#early.add(first + i)
    return first
  }

  /** The pages that came off the freelist and are in the transaction's hands. */
  get taken(): PageSet {
    const taken = new PageSet()
    for (const pgid of this.#taken) taken.add(pgid)
    return taken
  }

  /** Takes back a run that was written early; false where it was not. */
  giveBack(first: number, count: number): boolean {
    if (this.#early?.has(first) !== true) return false
    this.#returned ??= new PageSet()
    for (let i = 0; i < count; i++) {
      assert(this.#returned.add(first + i), 'allocation: a page was given back twice')
    }
    return true
  }

  /** The pages given back and not taken again: the commit frees them, so none is taken now. */
  leaveOver(): number[] {
    const returned = this.#returned
    if (returned === undefined) return []
    const pgids = [...returned]
    for (const pgid of pgids) returned.delete(pgid)
    return pgids
  }

  /** How many pages below `end` are free now. */
  freeBelow(end: number): number {
    return this.#core.freelist.freeBelow(end)
  }

  /** The first page of the lowest run of `count` free ones; undefined where there is none. */
  lowestRun(count: number): number | undefined {
    return this.#core.freelist.findRun(count)
  }

  /** Passes over the free pages at the end of the file. */
  trimTail(): void {
    this.highWaterMark = this.#core.freelist.trimTail(this.highWaterMark)
    this.#trimmedTo = this.highWaterMark
  }

  /** The pages are part of a durable root now. */
  settle(): void {
    this.#core.allocation = undefined
  }

  /** The transaction never happened. */
  undo(): void {
    const { freelist, pager, head } = this.#core
    this.#core.allocation = undefined
    this.#early?.forEach((pgid) => pager.forget(pgid))
    for (const pgid of this.#taken) freelist.giveBack(pgid, 1)
    for (let pgid = this.#trimmedTo; pgid < head.highWaterMark; pgid++) freelist.addFree(pgid)
  }
}
