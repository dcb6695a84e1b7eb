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

  /** Index of the first element whose key is not smaller than `key`, or ~index where it is larger. */
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

/**
 * Says what is wrong with the branch or leaf page run `[base, base + sizeBytes)`, or undefined.
 * Takes one pass over the elements; never reads outside the run.
 */
export function pageFault(
  bytes: Uint8Array,
  view: DataView,
  base: number,
  sizeBytes: number,
  rules: PageRules,
): string | undefined {
  const flags = view.getUint16(base + 8, true)
  if (flags !== PAGE_LEAF && flags !== PAGE_BRANCH) {
    return `flags 0x${flags.toString(16)}, expected a branch or a leaf page`
  }
  const count = view.getUint16(base + 10, true)
  if (count > PAGE_COUNT_MAX) return `count ${count} is more than a page can hold`
  const isLeaf = flags === PAGE_LEAF
  const end = base + sizeBytes
  const contentStart = base + PAGE_HEADER_SIZE + count * ELEMENT_SIZE
  if (contentStart > end) return `count ${count} does not fit in ${sizeBytes} bytes`
  if (!isLeaf && count < BRANCH_CHILDREN_MIN) return `a branch with ${count} children`
  const contentEnd = packingFault(view, base, end, isLeaf, count, rules)
  if (typeof contentEnd === 'string') return contentEnd
  if (rules.isInline) {
    if (contentEnd !== end && rules.isStrict)
      return `${end - contentEnd} bytes behind the last value`
    return orderFault(bytes, view, base, isLeaf, count)
  }
  if (!rules.isStrict) return orderFault(bytes, view, base, isLeaf, count)
  const seal = checkSeal(bytes, view, base, contentEnd, end)
  if (seal === 'broken') return 'the seal in its tail does not match'
  return seal === 'sealed' && end - contentEnd >= 8
    ? undefined
    : orderFault(bytes, view, base, isLeaf, count)
}

/** Walks the elements: each must begin where the one before ended. Returns the end, or the fault. */
function packingFault(
  view: DataView,
  base: number,
  end: number,
  isLeaf: boolean,
  count: number,
  rules: PageRules,
): number | string {
  let expected = base + PAGE_HEADER_SIZE + count * ELEMENT_SIZE
  let e = base + PAGE_HEADER_SIZE
  for (let i = 0; i < count; i++, e += ELEMENT_SIZE) {
    const start = e + view.getUint32(isLeaf ? e + 4 : e, true)
    const keySize = view.getUint32(isLeaf ? e + 8 : e + 4, true)
    if (start !== expected && (rules.isStrict || start < expected)) {
      return `element ${i} lies at ${start - base}, expected ${expected - base}`
    }
    if (keySize === 0) return `element ${i} has an empty key`
    let next = start + keySize
    if (isLeaf) {
      const fault = leafElementFault(view, e, next, end, i)
      if (fault !== undefined) return fault
      next += view.getUint32(e + 12, true)
    }
    if (next > end) return `element ${i} reaches ${next - end} bytes beyond the page`
    expected = next
  }
  return expected
}

function leafElementFault(
  view: DataView,
  e: number,
  valueStart: number,
  end: number,
  index: number,
): string | undefined {
  const flags = view.getUint32(e, true)
  if (flags > LEAF_FLAG_BUCKET) return `element ${index} has flags 0x${flags.toString(16)}`
  if (flags !== LEAF_FLAG_BUCKET) return undefined
  const size = view.getUint32(e + 12, true)
  if (size < BUCKET_HEADER_SIZE || valueStart + BUCKET_HEADER_SIZE > end) {
    return `element ${index} is a bucket of ${size} bytes`
  }
  const root = readU64(view, valueStart)
  if (root === 0 && size < BUCKET_HEADER_SIZE + PAGE_HEADER_SIZE) {
    return `element ${index} is an inline bucket of ${size} bytes`
  }
  if (root !== 0 && size !== BUCKET_HEADER_SIZE) {
    return `element ${index} is a bucket header of ${size} bytes`
  }
  return undefined
}

function orderFault(
  bytes: Uint8Array,
  view: DataView,
  base: number,
  isLeaf: boolean,
  count: number,
): string | undefined {
  let previousStart = 0
  let previousEnd = 0
  let e = base + PAGE_HEADER_SIZE
  for (let i = 0; i < count; i++, e += ELEMENT_SIZE) {
    const start = e + view.getUint32(isLeaf ? e + 4 : e, true)
    const end = start + view.getUint32(isLeaf ? e + 8 : e + 4, true)
    if (i > 0 && compareRange(bytes, previousStart, previousEnd, bytes, start, end) >= 0) {
      return `key ${i} is not larger than the key before it`
    }
    previousStart = start
    previousEnd = end
  }
  return undefined
}
