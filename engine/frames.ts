/**
 * Memory for pages: slabs of frames, each frame as long as a page and a row of key heads before it.
 *
 * One buffer and one view of each kind serve a whole slab, so a page costs neither an allocation
 * nor a typed array of its own, and frames are used again without the help of the garbage
 * collector. A row stands beside its page: they share a page of the machine's memory, and to find
 * out where that lies costs more than to read it.
 *
 *   lentAt f64 | count, headShift and mark i32 | prefixSize i32 | heads i32 … | page
 *
 * A frame is in one of four states:
 *   free      to be taken;
 *   live      a page stands in it;
 *   cooling   its page was dropped by the operation under way, which may still look at it. It
 *             becomes free when the next one begins: see `Pager.beginDescent`;
 *   retired   its page was dropped, but what it holds may still be looked at: bytes lent from it,
 *             a cursor that stands on it. It becomes free when every transaction that was open at
 *             that moment has ended.
 * A slab whose frames are all retired is let go of: the garbage collector takes it as soon as
 * nobody holds bytes of it. So a transaction that reads more than memory holds stays small.
 *
 * A leaf that is often searched is linked from its parent by the number of its frame (`linkFrame`):
 * a point read then needs no look at the leaf's object, which on a large tree is two cold cache
 * lines. The number is struck out when the page leaves its frame.
 */

import { assert, verifying } from '../base/assert.ts'
import type { Page } from './page.ts'
import { frameAt, makeSignpost } from './signpost.ts'

const SLAB_SIZE_MIN = 256 * 1024
const SLAB_SIZE_MAX = 4 * 1024 * 1024
const SLAB_FRAMES_MIN = 4
/** A slab takes this part of the memory meant for pages, at most. */
const SLABS_PER_BUDGET = 64
/** A page has one key head for this many of its bytes at most. */
const BYTES_PER_HEAD = 64
/** Numbers of a row that are not heads. */
const ROW_FIELDS = 4
const MARK = 1 << 30
/** Numbers in a cache line, and how many from a row on are asked for at once. */
const LINE_NUMBERS = 16
const WARM_NUMBERS = 12 * LINE_NUMBERS

const SCRIBBLE = 0xdb

/** A frame and the row before it, in bytes. */
function strideOf(pageSizeBytes: number): number {
  return pageSizeBytes + (pageSizeBytes / BYTES_PER_HEAD) * 4
}

export class Slab {
  readonly bytes: Uint8Array
  readonly buffer: ArrayBufferLike
  readonly view: DataView
  /** The same bytes as numbers, for the rows. */
  readonly heads: Int32Array
  /** How many heads a row has room for. */
  readonly headCount: number
  readonly pages: (Page | undefined)[]
  /** Its place among the slabs; its frames are numbered from `index` times their count on. */
  readonly index: number
  liveCount = 0
  /** Indexes of retired frames. */
  retired: number[] = []
  /** When the last of them was retired. */
  retiredAt = 0

  constructor(index: number, frameCount: number, pageSizeBytes: number) {
    this.index = index
    this.bytes = new Uint8Array(frameCount * strideOf(pageSizeBytes))
    this.buffer = this.bytes.buffer
    this.view = new DataView(this.buffer)
    this.heads = new Int32Array(this.buffer)
    this.headCount = pageSizeBytes / BYTES_PER_HEAD - ROW_FIELDS
    this.pages = new Array<Page | undefined>(frameCount).fill(undefined)
  }
}

export class Frames {
  readonly pageSizeBytes: number
  /** Slabs grow to so many frames. */
  readonly #slabFramesMax: number
  readonly #frameBits: number
  readonly #stride: number
  readonly #slabs: Set<Slab> = new Set<Slab>()
  /** The slabs by their index. */
  readonly #places: (Slab | undefined)[] = []
  readonly #withRetired: Set<Slab> = new Set<Slab>()
  #frameCount = 0
  #freeSlabs: Slab[] = []
  #freeIndexes: number[] = []
  #coolingSlabs: Slab[] = []
  #coolingIndexes: number[] = []
  #retiredCount = 0
  /** Of no use but that the loads which make it are not left out. */
  warmth = 0
  #compactAbove = 0

  /** `budgetBytes`: how much memory is meant for pages; slabs are cut accordingly. */
  constructor(pageSizeBytes: number, budgetBytes = 0) {
    this.pageSizeBytes = pageSizeBytes
    this.#stride = strideOf(pageSizeBytes)
    const wanted = Math.min(SLAB_SIZE_MAX, Math.max(SLAB_SIZE_MIN, budgetBytes / SLABS_PER_BUDGET))
    const frameCount = Math.max(SLAB_FRAMES_MIN, wanted / pageSizeBytes)
    this.#frameBits = 31 - Math.clz32(frameCount)
    this.#slabFramesMax = 1 << this.#frameBits
  }

  /** Bytes of the frames of all slabs, whatever their state. */
  get sizeBytes(): number {
    return this.#frameCount * this.pageSizeBytes
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
    const row = index * this.#stride
    page.enterFrame(slab, row + this.#stride - this.pageSizeBytes, row / 4 + ROW_FIELDS)
  }

  /**
   * Lets element `index` of a clean branch lead to the frame of `leaf`, a clean one that has heads.
   * `lens` can be set on it then.
   */
  linkFrame(parent: Page, index: number, leaf: Page): void {
    const { slab } = leaf
    if (slab === undefined || leaf.headShift < 0 || !leaf.isResident || !parent.isResident) return
    strike(leaf)
    const row = leaf.headsAt - ROW_FIELDS
    slab.heads[row + 2] = leaf.count | (leaf.headShift << 16)
    slab.heads[row + 3] = leaf.prefixSize
    slab.view.setFloat64(row * 4, 0)
    const links = (parent.signpost ??= makeSignpost(parent))
    const at = frameAt(links, index)
    const frame = Math.floor(leaf.base / this.#stride)
    // Zero stands for none.
    links[at] = ((slab.index << this.#frameBits) | frame) + 1
    leaf.frameLinkList = links
    leaf.frameLinkIndex = at
  }

  /** Sets `lens` on the leaf in a frame, given by what `linkFrame` has left in the parent. */
  look(lens: Page, link: number): void {
    const number = link - 1
    const slab = this.#places[number >>> this.#frameBits] as Slab
    const start = (number & (this.#slabFramesMax - 1)) * this.#stride
    if (lens.slab !== slab) {
      lens.slab = slab
      lens.bytes = slab.bytes
      lens.buffer = slab.buffer
      lens.view = slab.view
      lens.heads = slab.heads
    }
    const { heads } = slab
    const row = start >>> 2
    // The search to come would ask memory for one line after another. Asking for all of the row and
    // of the elements behind it at once takes as long as one: a fifth less for a point read.
    let warmth = 0
    for (let i = row; i < row + WARM_NUMBERS; i += LINE_NUMBERS) warmth ^= heads[i] as number
    this.warmth = warmth
    const packed = heads[row + 2] as number
    if ((packed & MARK) === 0) heads[row + 2] = packed | MARK
    lens.base = start + this.#stride - this.pageSizeBytes
    lens.headsAt = row + ROW_FIELDS
    lens.count = packed & 0xffff
    lens.headShift = (packed >>> 16) & 0xff
    lens.prefixSize = heads[row + 3] as number
  }

  /**
   * Asks for all cache lines of a node at once: a put searches it, then moves half of it.
   */
  warm(node: Page): void {
    if (node.slab === undefined) return
    const { heads } = node.slab
    const first = node.base >>> 2
    const end = first + (node.used >>> 2)
    let warmth = 0
    for (let i = first; i < end; i += LINE_NUMBERS) warmth ^= heads[i] as number
    this.warmth = warmth
  }

  /** Notes that bytes of the frame that `lens` is set on are lent. */
  noteLent(lens: Page, use: number): void {
    lens.view.setFloat64((lens.headsAt - ROW_FIELDS) * 4, use)
  }

  /** Whether the page was touched since it was asked last. */
  takeMark(page: Page): boolean {
    let isMarked = page.isTouched
    page.isTouched = false
    if (page.frameLinkList === undefined || page.slab === undefined) return isMarked
    const at = page.headsAt - ROW_FIELDS + 2
    const packed = page.slab.heads[at] as number
    if ((packed & MARK) !== 0) {
      page.slab.heads[at] = packed & ~MARK
      isMarked = true
    }
    return isMarked
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

  /** Takes the frame back when the operation under way has ended: see `useCooled`. */
  cool(page: Page): void {
    const slab = page.slab
    if (slab === undefined) return
    this.#coolingIndexes.push(this.#leave(page, slab))
    this.#coolingSlabs.push(slab)
  }

  get hasCooling(): boolean {
    return this.#coolingSlabs.length > 0
  }

  /** Nobody looks any more at pages that are cooling. */
  useCooled(): void {
    this.#coolingSlabs.forEach((slab, i) => {
      // One that was let go of meanwhile has no frames to give.
      if (this.#places[slab.index] !== slab) return
      const index = this.#coolingIndexes[i] as number
      if (verifying) this.#scribble(slab, index)
      this.#freeSlabs.push(slab)
      this.#freeIndexes.push(index)
    })
    this.#coolingSlabs = []
    this.#coolingIndexes = []
  }

  /** Takes the frame back once all that began at `now` or before has ended: see `release`. */
  retire(page: Page, now: number): void {
    const slab = page.slab
    if (slab === undefined) return
    slab.retired.push(this.#leave(page, slab))
    slab.retiredAt = now
    this.#retiredCount++
    this.#withRetired.add(slab)
    if (slab.retired.length === slab.pages.length) this.#drop(slab)
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
      if (slab.retired.length * 2 >= slab.pages.length) sparse.add(slab)
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
    this.useCooled()
    if (this.freeBytes <= keepBytes) return
    const surplus = new Set<Slab>()
    let keep = this.freeBytes - keepBytes
    for (const slab of this.#slabs) {
      const slabSize = slab.pages.length * this.pageSizeBytes
      if (keep < slabSize || slab.liveCount > 0 || slab.retired.length > 0) continue
      surplus.add(slab)
      keep -= slabSize
    }
    this.#forgetFree(surplus)
    for (const slab of surplus) this.#letGo(slab)
  }

  /** Lets go of everything. */
  clear(): void {
    this.#slabs.clear()
    this.#places.length = 0
    this.#frameCount = 0
    this.#withRetired.clear()
    this.#freeSlabs = []
    this.#freeIndexes = []
    this.#coolingSlabs = []
    this.#coolingIndexes = []
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
    let place = this.#places.indexOf(undefined)
    if (place < 0) place = this.#places.length
    // As much again as there is, so that opening a file to look at a page takes little.
    const least = Math.max(SLAB_FRAMES_MIN, SLAB_SIZE_MIN / this.pageSizeBytes)
    const wanted = Math.max(least, 1 << (31 - Math.clz32(this.#frameCount)))
    const frameCount = Math.min(this.#slabFramesMax, wanted)
    const slab = new Slab(place, frameCount, this.pageSizeBytes)
    this.#places[place] = slab
    this.#frameCount += frameCount
    this.#slabs.add(slab)
    // In falling order, so that frames are taken in rising order.
    for (let index = frameCount - 1; index > 0; index--) {
      this.#freeSlabs.push(slab)
      this.#freeIndexes.push(index)
    }
    return slab
  }

  #leave(page: Page, slab: Slab): number {
    const index = Math.floor(page.base / this.#stride)
    assert(slab.pages[index] === page, 'frames: another page stands there')
    strike(page)
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
    this.#letGo(slab)
    this.#withRetired.delete(slab)
  }

  #letGo(slab: Slab): void {
    this.#slabs.delete(slab)
    this.#places[slab.index] = undefined
    this.#frameCount -= slab.pages.length
  }

  #scribble(slab: Slab, index: number): void {
    const start = index * this.#stride
    slab.bytes.fill(SCRIBBLE, start, start + this.#stride)
  }
}

/** When bytes of a page were lent last: by way of its object or of its frame. */
export function lentAt(page: Page): number {
  if (page.frameLinkList === undefined || page.slab === undefined) return page.lentAt
  return Math.max(page.lentAt, page.slab.view.getFloat64((page.headsAt - ROW_FIELDS) * 4))
}

/** Makes an end of the link to the frame of a page: the page leaves it, or is about to change. */
export function strike(page: Page): void {
  const links = page.frameLinkList
  if (links === undefined) return
  page.lentAt = lentAt(page)
  links[page.frameLinkIndex] = 0
  page.frameLinkList = undefined
}
