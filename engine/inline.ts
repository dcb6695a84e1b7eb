/** The value of a bucket entry: header, and for an inline bucket the page behind it. */

import { readU64, writeU64 } from '../base/bytes.ts'
import {
  BUCKET_HEADER_SIZE,
  ELEMENT_SIZE,
  LEAF_FLAG_BUCKET,
  PAGE_HEADER_SIZE,
  PAGE_LEAF,
} from './format.ts'
import { writeHeader } from './node.ts'
import { pageFault } from './page.ts'
import type { Page } from './page.ts'

export interface BucketHeader {
  /** 0: the bucket is inline. */
  readonly rootPgid: number
  readonly sequence: bigint
}

/** The header of the bucket that element `index` of a leaf holds. */
export function readBucketHeader(leaf: Page, index: number): BucketHeader {
  const start = leaf.valueStart(index)
  const { view } = leaf
  return { rootPgid: readU64(view, start), sequence: readSequence(view, start + 8) }
}

/** Mostly it is 0. */
function readSequence(view: DataView, at: number): bigint {
  if (view.getUint32(at, true) === 0 && view.getUint32(at + 4, true) === 0) return 0n
  return view.getBigUint64(at, true)
}

/** What is wrong with the inline page `[base, base + size)`, or undefined. */
export function inlinePageFault(
  bytes: Uint8Array,
  base: number,
  size: number,
  isStrict: boolean,
): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (size < PAGE_HEADER_SIZE) return `${size} bytes are no page`
  if (view.getUint16(base + 8, true) !== PAGE_LEAF) return 'its page is not a leaf'
  if (isStrict && (readU64(view, base) !== 0 || view.getUint32(base + 12, true) !== 0)) {
    return 'its page has an id or overflow pages'
  }
  const rules = { isInline: true, isStrict }
  const fault = pageFault(bytes, view, { base, sizeBytes: size }, rules)?.message
  if (fault !== undefined || !isStrict) return fault
  const end = base + PAGE_HEADER_SIZE + view.getUint16(base + 10, true) * ELEMENT_SIZE
  for (let e = base + PAGE_HEADER_SIZE; e < end; e += ELEMENT_SIZE) {
    // No writer inlines a bucket that holds buckets: what looks like it could nest without end.
    if ((view.getUint32(e, true) & LEAF_FLAG_BUCKET) !== 0) return 'it holds a bucket'
  }
  return undefined
}

const HEADER = new Uint8Array(BUCKET_HEADER_SIZE)
const HEADER_VIEW = new DataView(HEADER.buffer)

/** A bucket value without a page. Valid until the next call: each commit needs one or two. */
export function encodeBucketHeader(rootPgid: number, sequence: bigint): Uint8Array {
  writeU64(HEADER_VIEW, 0, rootPgid)
  // Mostly it is 0, and a bigint in a view takes a microsecond.
  if (sequence === 0n) HEADER.fill(0, 8)
  else HEADER_VIEW.setBigUint64(8, sequence, true)
  return HEADER
}

/** Whether a root node may stand inside its parent's value: bbolt's rule. */
export function isInlineable(root: Page, pageSizeBytes: number): boolean {
  if (!root.isLeaf || root.packedSize() > Math.floor(pageSizeBytes / 4)) return false
  for (let i = 0; i < root.count; i++) if (root.isBucket(i)) return false
  return true
}

/** A bucket value with the page of `root` behind the header. */
export function encodeInlineBucket(root: Page, sequence: bigint): Uint8Array {
  const bytes = new Uint8Array(BUCKET_HEADER_SIZE + root.used)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(8, sequence, true)
  writeHeader(root, 0, 0)
  bytes.set(root.bytes.subarray(root.base, root.base + root.used), BUCKET_HEADER_SIZE)
  return bytes
}
