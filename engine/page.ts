/**
 * A page of the data file, read in place, and never changed once it stands here.
 *
 * The layout is in format.ts. Invariants, all of them checked by `validatePage` before a page is
 * believed:
 *   1. the header names the page's own id and exactly one type;
 *   2. keys and values are packed in element order, without gaps, inside the run;
 *   3. keys ascend strictly; a branch has two children or more;
 *   4. the tail behind the content is a good seal or all zeros (seal.ts).
 *
 * A page owns its bytes; what `lend` hands out of them is valid until its transaction ends.
 */

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
import { checkSeal } from './seal.ts'

export class Page {
  readonly isNode = false
  readonly pgid: number
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Where the page's header begins in `bytes`; not 0 only for an inline bucket's page. */
  readonly base: number
  /** Length of the whole run in bytes, overflow pages included. */
  readonly sizeBytes: number
  readonly isLeaf: boolean
  readonly count: number

  /** Children already found, by element. Each link was checked once by whoever set it. */
  kids: (Page | undefined)[] | undefined = undefined
  /** The one parent that links here: a page has one link at most, so dropping it drops the page. */
  linkOwner: Page | undefined = undefined
  linkIndex = 0
  /** Set on each touch, cleared by the clock that looks for pages to drop. */
  isTouched = true
  /** False once the cache has dropped the page; a link to it is then followed anew. */
  isResident = true

  constructor(pgid: number, bytes: Uint8Array, base: number, sizeBytes: number) {
    this.pgid = pgid
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.base = base
    this.sizeBytes = sizeBytes
    this.isLeaf = this.view.getUint16(base + 8, true) === PAGE_LEAF
    this.count = this.view.getUint16(base + 10, true)
  }

  element(index: number): number {
    return this.base + PAGE_HEADER_SIZE + index * ELEMENT_SIZE
  }

  keyStart(index: number): number {
    const e = this.base + PAGE_HEADER_SIZE + index * ELEMENT_SIZE
    return e + this.view.getUint32(this.isLeaf ? e + 4 : e, true)
  }

  keySize(index: number): number {
    const e = this.base + PAGE_HEADER_SIZE + index * ELEMENT_SIZE
    return this.view.getUint32(this.isLeaf ? e + 8 : e + 4, true)
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

  /** Branch only. */
  childPgid(index: number): number {
    return readU64(this.view, this.element(index) + 8)
  }

  /**
   * Index of the first element whose key is not smaller than `key`, or ~index where it is larger.
   */
  search(key: Uint8Array): number {
    const { view, bytes } = this
    const keyField = this.isLeaf ? 4 : 0
    const first = this.base + PAGE_HEADER_SIZE
    let low = 0
    let high = this.count
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

  /** Where the last value (or key, in a branch) ends: the first byte of the tail. */
  contentEnd(): number {
    return contentEndOf(this.view, this.base, this.isLeaf, this.count)
  }
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
    const start = e + view.getUint32(isLeaf ? e + 4 : e, true)
    const keySize = view.getUint32(isLeaf ? e + 8 : e + 4, true)
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
    const start = e + view.getUint32(isLeaf ? e + 4 : e, true)
    const end = start + view.getUint32(isLeaf ? e + 8 : e + 4, true)
    if (i > 0 && compareRange(bytes, previousStart, previousEnd, bytes, start, end) >= 0) {
      return fault('page-order', `key ${i} is not larger than the key before it`)
    }
    previousStart = start
    previousEnd = end
  }
  return undefined
}
