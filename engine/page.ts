/**
 * A page of the data file, read in place. It is never changed once it stands here, unless it is a
 * node: the writable copy that one write transaction has of it (node.ts).
 *
 * The layout is in format.ts. Invariants, all of them checked by `validatePage` before a page is
 * believed:
 *   1. the header names the page's own id and exactly one type;
 *   2. keys and values are packed in element order, without gaps, inside the run;
 *   3. keys ascend strictly; a branch has two children or more;
 *   4. the tail behind the content is a good seal or all zeros (seal.ts).
 *
 * Where a page stands, in a frame or a buffer of its own, is the business of frames.ts; what is
 * lent of its bytes is valid until its transaction ends.
 */

import { assert } from '../base/assert.ts'
import { compareRange, readU64 } from '../base/bytes.ts'
import {
  BRANCH_CHILDREN_MIN,
  BUCKET_HEADER_SIZE,
  ELEMENT_SIZE,
  LEAF_FLAG_BUCKET,
  PAGE_BRANCH,
  PAGE_COUNT_MAX,
  PAGE_HEADER_SIZE,
  PAGE_LEAF,
} from './format.ts'
import type { Slab } from './frames.ts'
import { checkSeal } from './seal.ts'

/** `headShift` of a page that was not searched yet: only a second search is worth making heads. */
const HEADS_UNSOUGHT = -3
/** `headShift` of a page whose key heads are to be made. */
const HEADS_UNMADE = -2
/** `headShift` of a page that has none. */
const HEADS_NONE = -1
/** Shorter common prefixes are left in the heads: comparing them would cost more. */
const PREFIX_MIN = 3

/** Turns the order of unsigned numbers into that of signed ones. */
const SIGN = 0x80000000 | 0

const NO_BYTES = new Uint8Array(0)
const NO_VIEW = new DataView(NO_BYTES.buffer)
const NO_HEADS = new Int32Array(0)

export class Page {
  // First what a point read looks at: an object is spread over several cache lines, and on a large
  // tree most of them are cold.
  isLeaf = true
  /** A node: the writable page of one write transaction (node.ts). Its header is not kept. */
  isNode = false
  /** Set on each touch, cleared by the clock that looks for pages to drop. */
  isTouched = true
  isDirty = false // newer than the file: see `Pager.installDirty`
  count = 0
  /** Of a clean branch: which way a point read goes, and the frames of leaves (signpost.ts). */
  signpost: Int32Array | undefined = undefined
  /** Of every 2^headShift-th key there is a head. */
  headShift: number = HEADS_NONE
  /** How many bytes all keys have in common, where that is worth comparing apart; else 0. */
  prefixSize = 0
  /**
   * Key heads: the four bytes behind what all keys have in common, as a signed number in the order
   * of the bytes. Made by the second search.
   */
  heads: Int32Array = NO_HEADS
  headsAt = 0
  /** Where the page's header begins in `bytes`. */
  base: number
  view: DataView
  bytes: Uint8Array
  /** What `bytes` is a view of, from its first byte on. */
  buffer: ArrayBufferLike
  /** Children already found, by element. Each link was checked once by whoever set it. */
  kids: (Page | undefined)[] | undefined = undefined
  /** The use in which its bytes were lent last (pager.ts). */
  lentAt = 0
  pgid: number
  /** False once the cache has dropped the page; a link to it is then followed anew. */
  isResident = true
  /** How many cursors stand on it or have it on their path, where pages may be dropped. */
  holders = 0
  /** The one list that leads here: a page has one link at most, so dropping it drops the page. */
  linkKids: (Page | undefined)[] | undefined = undefined
  linkIndex = 0
  /** The one signpost that leads to this page's frame (frames.ts). */
  frameLinkList: Int32Array | undefined = undefined
  frameLinkIndex = 0
  /** Length of the whole run in bytes, overflow pages included. Not kept in a node. */
  sizeBytes: number
  /** The slab whose frame it stands in; undefined where it has a buffer of its own. */
  slab: Slab | undefined = undefined
  /** Bytes of header, elements, keys and values; 0 where unknown, which a node never is. */
  used = 0
  /** Of a node: something was taken away, so it may have become too thin. */
  isShrunk = false
  /** Of a node: its first key may be another than the separator above it says. */
  isFirstChanged = false

  /** A page that stands in `bytes[base, base + sizeBytes)`, or nowhere yet where that is empty. */
  constructor(pgid: number, bytes: Uint8Array = NO_BYTES, base = 0, sizeBytes = 0) {
    assert(bytes.byteOffset === 0, 'page: its bytes begin inside a buffer')
    this.base = base
    this.view = NO_VIEW
    this.bytes = bytes
    this.buffer = bytes.buffer
    this.pgid = pgid
    this.sizeBytes = sizeBytes
    if (sizeBytes > 0) {
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      this.readHeader(sizeBytes)
    }
  }

  /** Stands for another page from now on; nobody may know it as the one it was. */
  renew(pgid: number): void {
    this.pgid = pgid
    this.isResident = true
    this.isTouched = true
    this.lentAt = 0
    this.prefixSize = 0
    this.used = 0
    this.isDirty = false
  }

  /** Moves to a frame of a slab. */
  enterFrame(slab: Slab, base: number, headsAt: number): void {
    this.slab = slab
    this.bytes = slab.bytes
    this.buffer = slab.bytes.buffer
    this.view = slab.view
    this.base = base
    this.heads = slab.heads
    this.headsAt = headsAt
    this.headShift = HEADS_UNSOUGHT
  }

  /** Moves to a buffer of its own. */
  enterBuffer(bytes: Uint8Array, view: DataView): void {
    this.slab = undefined
    this.bytes = bytes
    this.buffer = bytes.buffer
    this.view = view
    this.base = 0
    this.heads = NO_HEADS
    this.headShift = HEADS_NONE
  }

  /** Believes the header that stands in its bytes; the run is `sizeBytes` long. */
  readHeader(sizeBytes: number): void {
    this.sizeBytes = sizeBytes
    this.isLeaf = this.view.getUint16(this.base + 8, true) === PAGE_LEAF
    this.count = this.view.getUint16(this.base + 10, true)
  }

  /** Its keys changed, or it is another page than before: heads are to be made anew. */
  forgetHeads(): void {
    this.headShift = this.slab === undefined ? HEADS_NONE : HEADS_UNSOUGHT
  }

  /** A leaf that is edited between any two searches is quicker without. */
  refuseHeads(): void {
    this.headShift = HEADS_NONE
  }

  element(index: number): number {
    return this.base + PAGE_HEADER_SIZE + index * ELEMENT_SIZE
  }

  // Here and below the place is made before the call, not within it: V8 inlines an access to a
  // DataView only where nothing branches between looking it up and calling it.
  keyStart(index: number): number {
    const e = this.base + PAGE_HEADER_SIZE + index * ELEMENT_SIZE
    const field = this.isLeaf ? e + 4 : e
    return e + this.view.getUint32(field, true)
  }

  keySize(index: number): number {
    const e = this.base + PAGE_HEADER_SIZE + index * ELEMENT_SIZE
    const field = this.isLeaf ? e + 8 : e + 4
    return this.view.getUint32(field, true)
  }

  /** A copy of a key. */
  key(index: number): Uint8Array {
    const start = this.keyStart(index)
    return this.bytes.slice(start, start + this.keySize(index))
  }

  /** Leaf only: where the value begins. */
  valueStart(index: number): number {
    const e = this.element(index)
    return e + this.view.getUint32(e + 4, true) + this.view.getUint32(e + 8, true)
  }

  /** Leaf only. */
  valueSize(index: number): number {
    return this.view.getUint32(this.element(index) + 12, true)
  }

  /** Leaf only: whether the value is a bucket. */
  isBucket(index: number): boolean {
    return (this.view.getUint32(this.element(index), true) & LEAF_FLAG_BUCKET) !== 0
  }

  /** Branch only; 0 where the child is a node. */
  childPgid(index: number): number {
    return readU64(this.view, this.element(index) + 8)
  }

  /**
   * Index of the first element whose key is not smaller than `key`, or ~index where it is larger.
   */
  search(key: Uint8Array): number {
    const { count } = this
    let low = 0
    let high = count
    let shift = this.headShift
    if (shift < HEADS_NONE) {
      if (shift === HEADS_UNMADE) shift = this.#makeHeads()
      else this.headShift = HEADS_UNMADE
    }
    if (shift >= 0) {
      const prefix = this.prefixSize
      if (prefix > 0) {
        const order = this.#comparePrefix(key)
        if (order !== 0) return order < 0 ? ~0 : ~count
      }
      // Keys with a smaller head are smaller, those with a larger head larger; among equal heads
      // (and, where not every key has a head, between two of them) the keys must be compared.
      const head = headOf(key, prefix, key.length)
      const { heads, headsAt } = this
      const end = headsAt + ((count - 1) >>> shift) + 1
      let from = headsAt
      let to = end
      while (from < to) {
        const middle = (from + to) >>> 1
        if ((heads[middle] as number) < head) from = middle + 1
        else to = middle
      }
      if (from > headsAt) low = ((from - headsAt - 1) << shift) + 1
      while (from < end && heads[from] === head) from++
      if (from < end) high = (from - headsAt) << shift
    }
    return low < high ? this.#searchBetween(key, low, high) : ~low
  }

  #searchBetween(key: Uint8Array, from: number, to: number): number {
    const { view, bytes } = this
    const keyField = this.isLeaf ? 4 : 0
    const first = this.base + PAGE_HEADER_SIZE
    let low = from
    let high = to
    while (low < high) {
      const middle = (low + high) >>> 1
      const e = first + middle * ELEMENT_SIZE
      const start = e + view.getUint32(e + keyField, true)
      const end = start + view.getUint32(e + keyField + 4, true)
      const order = compareRange(bytes, start, end, key, 0, key.length)
      if (order === 0) return middle
      if (order < 0) low = middle + 1
      else high = middle
    }
    return ~low
  }

  /** Fills the page's row of heads; returns `headShift`. */
  #makeHeads(): number {
    const { count, bytes, slab } = this
    this.headShift = HEADS_NONE
    if (count === 0 || slab === undefined) return HEADS_NONE
    const capacity = this.#makeRoom(slab)
    const { heads, headsAt } = this
    let shift = 0
    while ((count - 1) >>> shift >= capacity) shift++
    const shared = this.#commonPrefix()
    const prefix = shared < PREFIX_MIN ? 0 : shared
    for (let i = 0, at = headsAt; i < count; i += 1 << shift, at++) {
      const start = this.keyStart(i)
      heads[at] = headOf(bytes, start + prefix, start + this.keySize(i))
    }
    this.prefixSize = prefix
    this.headShift = shift
    return shift
  }

  /** Makes room for heads; returns for how many. */
  #makeRoom(slab: Slab): number {
    const capacity = slab.headCount
    if (this.isLeaf || this.count <= capacity) return capacity
    // Branches are few and every search passes some: each of their keys has a head.
    if (this.heads === slab.heads || this.heads.length < this.count) {
      this.heads = new Int32Array(this.count + (this.count >>> 2))
      this.headsAt = 0
    }
    return this.heads.length
  }

  /** How many bytes the first key shares with the last one, and so with all. */
  #commonPrefix(): number {
    const a = this.keyStart(0)
    const b = this.keyStart(this.count - 1)
    const size = Math.min(this.keySize(0), this.keySize(this.count - 1))
    let shared = 0
    while (shared < size && this.bytes[a + shared] === this.bytes[b + shared]) shared++
    return shared
  }

  /** How `key` compares with what all keys begin with; 0 where it begins so too. */
  #comparePrefix(key: Uint8Array): number {
    const { bytes, prefixSize } = this
    const start = this.keyStart(0)
    const size = key.length < prefixSize ? key.length : prefixSize
    for (let i = 0; i < size; i++) {
      const d = (key[i] as number) - (bytes[start + i] as number)
      if (d !== 0) return d
    }
    return size - prefixSize
  }

  /** Where the last value (or key, in a branch) ends: the first byte of the tail. */
  contentEnd(): number {
    return this.used > 0
      ? this.base + this.used
      : contentEndOf(this.view, this.base, this.isLeaf, this.count)
  }

  /** What its content takes as a page, header included. */
  packedSize(): number {
    return this.contentEnd() - this.base
  }
}

/** Up to four bytes from `at` on as a signed number in the order of the bytes. */
export function headOf(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return (
      (((bytes[at] as number) << 24) |
        ((bytes[at + 1] as number) << 16) |
        ((bytes[at + 2] as number) << 8) |
        (bytes[at + 3] as number)) ^
      SIGN
    )
  }
  let head = 0
  for (let i = 0; i < 4; i++) head = (head << 8) | (at + i < end ? (bytes[at + i] as number) : 0)
  return head ^ SIGN
}

function contentEndOf(view: DataView, base: number, isLeaf: boolean, count: number): number {
  const elementsEnd = base + PAGE_HEADER_SIZE + count * ELEMENT_SIZE
  if (count === 0) return elementsEnd
  const e = elementsEnd - ELEMENT_SIZE
  return isLeaf
    ? e + view.getUint32(e + 4, true) + view.getUint32(e + 8, true) + view.getUint32(e + 12, true)
    : e + view.getUint32(e, true) + view.getUint32(e + 4, true)
}

export interface PageRules {
  /** The page image ends with its content: an inline bucket has no tail. */
  readonly isInline: boolean
  /** Refuse what bbolt would not have written even where it could be read: gaps, odd tails. */
  readonly isStrict: boolean
}

/** What is wrong within one page. */
export type PageFaultCode =
  | 'page-type'
  | 'page-count'
  | 'page-packing'
  | 'page-element'
  | 'page-order'
  | 'page-seal'
  | 'branch-children'

/** What is wrong with a page. */
export interface PageFault {
  readonly code: PageFaultCode
  readonly message: string
}

/**
 * Says what is wrong with the branch or leaf page run `[base, base + sizeBytes)`, or undefined.
 * Takes one pass over the elements; never reads outside the run.
 */
export function pageFault(
  bytes: Uint8Array,
  view: DataView,
  range: { readonly base: number; readonly sizeBytes: number },
  rules: PageRules,
): PageFault | undefined {
  const { base, sizeBytes } = range
  const { isStrict } = rules
  const flags = view.getUint16(base + 8, true)
  if (flags !== PAGE_LEAF && flags !== PAGE_BRANCH) {
    return fault('page-type', `flags 0x${flags.toString(16)}, expected a branch or a leaf page`)
  }
  const count = view.getUint16(base + 10, true)
  const isLeaf = flags === PAGE_LEAF
  const end = base + sizeBytes
  if (count > PAGE_COUNT_MAX || base + PAGE_HEADER_SIZE + count * ELEMENT_SIZE > end) {
    return fault('page-count', `${count} elements do not fit in ${sizeBytes} bytes`)
  }
  if (!isLeaf && count < (isStrict ? BRANCH_CHILDREN_MIN : 1)) {
    return fault('branch-children', `a branch with ${count} children`)
  }
  const shape: Shape = { bytes, view, base, end, isLeaf, count }
  const contentEnd = packingFault(shape, isStrict)
  if (typeof contentEnd !== 'number') return contentEnd
  if (!isStrict) return orderFault(shape)
  if (rules.isInline) {
    return contentEnd === end
      ? orderFault(shape)
      : fault('page-packing', `${end - contentEnd} bytes behind the last value`)
  }
  const seal = checkSeal(bytes, view, base, contentEnd, end)
  if (seal === 'broken') return fault('page-seal', 'the seal in its tail does not match')
  // A full seal vouches for the keys; the short forms and foreign pages don't.
  return seal === 'sealed' && end - contentEnd >= 8 ? undefined : orderFault(shape)
}

interface Shape {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly base: number
  readonly end: number
  readonly isLeaf: boolean
  readonly count: number
}

function fault(code: PageFaultCode, message: string): PageFault {
  return { code, message }
}

/**
 * Walks the elements: each must begin where the one before ended. Returns the end, or the fault.
 */
function packingFault(shape: Shape, isStrict: boolean): number | PageFault {
  const { view, base, end, isLeaf, count } = shape
  let expected = base + PAGE_HEADER_SIZE + count * ELEMENT_SIZE
  let e = base + PAGE_HEADER_SIZE
  for (let i = 0; i < count; i++, e += ELEMENT_SIZE) {
    const field = isLeaf ? e + 4 : e
    const start = e + view.getUint32(field, true)
    const keySize = view.getUint32(field + 4, true)
    if (start !== expected && (isStrict || start < expected)) {
      const message = `element ${i} lies at ${start - base}, expected ${expected - base}`
      return fault('page-packing', message)
    }
    if (keySize === 0) return fault('page-element', `element ${i} has an empty key`)
    let next = start + keySize
    if (isLeaf) {
      const wrong = leafElementFault(view, e, next, end)
      if (wrong !== undefined) return fault('page-element', `element ${i} ${wrong}`)
      next += view.getUint32(e + 12, true)
    }
    if (next > end) {
      return fault('page-packing', `element ${i} reaches ${next - end} bytes beyond the page`)
    }
    expected = next
  }
  return expected
}

function leafElementFault(
  view: DataView,
  e: number,
  valueStart: number,
  end: number,
): string | undefined {
  const flags = view.getUint32(e, true)
  if (flags > LEAF_FLAG_BUCKET) return `has flags 0x${flags.toString(16)}`
  if (flags !== LEAF_FLAG_BUCKET) return undefined
  const size = view.getUint32(e + 12, true)
  if (size < BUCKET_HEADER_SIZE || valueStart + size > end) return `is a bucket of ${size} bytes`
  const root = readU64(view, valueStart)
  if (root === 0 && size < BUCKET_HEADER_SIZE + PAGE_HEADER_SIZE) {
    return `is an inline bucket of ${size} bytes`
  }
  if (root !== 0 && size !== BUCKET_HEADER_SIZE) return `is a bucket header of ${size} bytes`
  return undefined
}

function orderFault({ bytes, view, base, isLeaf, count }: Shape): PageFault | undefined {
  let previousStart = 0
  let previousEnd = 0
  let e = base + PAGE_HEADER_SIZE
  for (let i = 0; i < count; i++, e += ELEMENT_SIZE) {
    const field = isLeaf ? e + 4 : e
    const start = e + view.getUint32(field, true)
    const end = start + view.getUint32(field + 4, true)
    if (i > 0 && compareRange(bytes, previousStart, previousEnd, bytes, start, end) >= 0) {
      return fault('page-order', `key ${i} is not larger than the key before it`)
    }
    previousStart = start
    previousEnd = end
  }
  return undefined
}
