/**
 * Memory for pages: slabs of frames, each frame as long as a page.
 *
 * One buffer, one DataView and one table of key heads serve a whole slab, so a page costs neither
 * an allocation nor a typed array of its own, and frames are used again without the help of the
 * garbage collector.
 *
 * A frame is in one of three states:
 *   free      to be taken;
 *   live      a page stands in it;
 *   retired   its page was dropped, but what it holds may still be looked at: bytes lent from it,
 *             a cursor that stands on it. It becomes free when every transaction that was open at
 *             that moment has ended.
 * A slab whose frames are all retired is let go of: the garbage collector takes it as soon as
 * nobody holds bytes of it. So a transaction that reads more than memory holds stays small.
 */

import { assert, verifying } from '../base/assert.ts'
import type { Page } from './page.ts'

const SLAB_SIZE = 256 * 1024
const SLAB_FRAMES_MIN = 4
/** A page has one key head for this many of its bytes at most. */
export const BYTES_PER_HEAD = 64

const SCRIBBLE = 0xdb

export class Slab {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Rows of key heads, one row a frame. */
  readonly heads: Int32Array
  readonly pages: (Page | undefined)[]
  liveCount = 0
  /** Indexes of retired frames. */
  retired: number[] = []
  /** When the last of them was retired. */
  retiredAt = 0

  constructor(frameCount: number, pageSizeBytes: number) {
    this.bytes = new Uint8Array(frameCount * pageSizeBytes)
    this.view = new DataView(this.bytes.buffer)
    this.heads = new Int32Array(this.bytes.length / BYTES_PER_HEAD)
    this.pages = new Array<Page | undefined>(frameCount).fill(undefined)
  }
}

export class Frames {
  readonly pageSizeBytes: number
  readonly #framesPerSlab: number
  readonly #slabs: Set<Slab> = new Set<Slab>()
  readonly #withRetired: Set<Slab> = new Set<Slab>()
  #freeSlabs: Slab[] = []
  #freeIndexes: number[] = []
  #retiredCount = 0
  #compactAbove = 0

  constructor(pageSizeBytes: number) {
    this.pageSizeBytes = pageSizeBytes
    this.#framesPerSlab = Math.max(SLAB_FRAMES_MIN, SLAB_SIZE / pageSizeBytes)
  }

  /** Bytes of all slabs, whatever their frames' state. */
  get sizeBytes(): number {
    return this.#slabs.size * this.#framesPerSlab * this.pageSizeBytes
  }

  get retiredBytes(): number {
    return this.#retiredCount * this.pageSizeBytes
  }

  get freeBytes(): number {
    return this.#freeIndexes.length * this.pageSizeBytes
  }

  /** Gives `page` a frame; what it holds is whatever was there before. */
  take(page: Page): void {
    let slab = this.#freeSlabs.pop()
    let index = this.#freeIndexes.pop()
    if (slab === undefined || index === undefined) {
      slab = this.#grow()
      index = 0
    }
    slab.pages[index] = page
    slab.liveCount++
    page.enterFrame(slab, index * this.pageSizeBytes)
  }

  /** Takes the frame back from a page that nobody looks at any more. */
  give(page: Page): void {
    const slab = page.slab
    if (slab === undefined) return
    const index = this.#leave(page, slab)
    if (verifying) this.#scribble(slab, index)
    this.#freeSlabs.push(slab)
    this.#freeIndexes.push(index)
  }

  /** Takes the frame back once all that began at `now` or before has ended: see `release`. */
  retire(page: Page, now: number): void {
    const slab = page.slab
    if (slab === undefined) return
    slab.retired.push(this.#leave(page, slab))
    slab.retiredAt = now
    this.#retiredCount++
    this.#withRetired.add(slab)
    if (slab.retired.length === this.#framesPerSlab) this.#drop(slab)
  }

  /** Frees what was retired before `oldest`, when the oldest of those under way began. */
  release(oldest: number): void {
    this.#compactAbove = 0
    for (const slab of this.#withRetired) {
      if (slab.retiredAt >= oldest) continue
      for (const index of slab.retired) {
        if (verifying) this.#scribble(slab, index)
        this.#freeSlabs.push(slab)
        this.#freeIndexes.push(index)
      }
      this.#retiredCount -= slab.retired.length
      slab.retired = []
      this.#withRetired.delete(slab)
    }
  }

  /**
   * Where more than `limitBytes` are retired: moves pages out of slabs that are mostly retired, so
   * that these can be let go of. Bytes lent stay where they are; the pages themselves, those of a
   * write transaction too, may stand elsewhere afterwards.
   */
  compact(limitBytes: number): void {
    if (this.retiredBytes <= Math.max(limitBytes, this.#compactAbove)) return
    const sparse = new Set<Slab>()
    for (const slab of this.#withRetired) {
      if (slab.retired.length * 2 >= this.#framesPerSlab) sparse.add(slab)
    }
    this.#forgetFree(sparse)
    for (const slab of sparse) {
      for (const page of slab.pages) if (page !== undefined) this.#move(page, slab)
      this.#drop(slab)
    }
    // What is left is spread too thin; it is looked at again when there is more of it.
    this.#compactAbove = this.retiredBytes + (limitBytes >>> 1)
  }

  /** Lets go of slabs that are free as a whole, while more than `keepBytes` are free. */
  shrink(keepBytes: number): void {
    if (this.freeBytes <= keepBytes) return
    const surplus = new Set<Slab>()
    let keep = this.freeBytes - keepBytes
    const slabSize = this.#framesPerSlab * this.pageSizeBytes
    for (const slab of this.#slabs) {
      if (keep < slabSize) break
      if (slab.liveCount > 0 || slab.retired.length > 0) continue
      surplus.add(slab)
      keep -= slabSize
    }
    this.#forgetFree(surplus)
    for (const slab of surplus) this.#slabs.delete(slab)
  }

  /** Lets go of everything. */
  clear(): void {
    this.#slabs.clear()
    this.#withRetired.clear()
    this.#freeSlabs = []
    this.#freeIndexes = []
    this.#retiredCount = 0
  }

  /** Takes the free frames of these slabs off the list. */
  #forgetFree(gone: ReadonlySet<Slab>): void {
    if (gone.size === 0) return
    const slabs: Slab[] = []
    const indexes: number[] = []
    this.#freeSlabs.forEach((slab, i) => {
      if (gone.has(slab)) return
      slabs.push(slab)
      indexes.push(this.#freeIndexes[i] as number)
    })
    this.#freeSlabs = slabs
    this.#freeIndexes = indexes
  }

  /** Makes a slab; all of its frames but the first are free. */
  #grow(): Slab {
    const slab = new Slab(this.#framesPerSlab, this.pageSizeBytes)
    this.#slabs.add(slab)
    // In falling order, so that frames are taken in rising order.
    for (let index = this.#framesPerSlab - 1; index > 0; index--) {
      this.#freeSlabs.push(slab)
      this.#freeIndexes.push(index)
    }
    return slab
  }

  #leave(page: Page, slab: Slab): number {
    const index = page.base / this.pageSizeBytes
    assert(slab.pages[index] === page, 'frames: another page stands there')
    slab.pages[index] = undefined
    slab.liveCount--
    page.slab = undefined
    return index
  }

  /** Copies a page to a frame elsewhere; the old one keeps its bytes. */
  #move(page: Page, slab: Slab): void {
    const from = page.base
    this.#leave(page, slab)
    this.take(page)
    page.bytes.set(slab.bytes.subarray(from, from + this.pageSizeBytes), page.base)
    if (page.isNode && page.isLeaf) page.refuseHeads()
  }

  #drop(slab: Slab): void {
    assert(slab.liveCount === 0, 'frames: a slab with pages was dropped')
    this.#retiredCount -= slab.retired.length
    this.#slabs.delete(slab)
    this.#withRetired.delete(slab)
  }

  #scribble(slab: Slab, index: number): void {
    const start = index * this.pageSizeBytes
    slab.bytes.fill(SCRIBBLE, start, start + this.pageSizeBytes)
  }
}
