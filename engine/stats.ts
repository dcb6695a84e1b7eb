/**
 * What a bucket or a file is made of, in numbers. The bucket's are bbolt's `BucketStats`, field by
 * field.
 */

import type { Bucket } from './bucket.ts'
import type { Core } from './core.ts'
import { pagesFor } from './format.ts'
import type { PagerStats } from './pager.ts'
import { MetBuckets, bucketNamesOf, walkTree } from './reach.ts'
import type { Page } from './page.ts'

/** Sums over a bucket and all buckets inside it. */
export interface BucketStats {
  readonly branchPages: number
  readonly branchOverflowPages: number
  readonly leafPages: number
  readonly leafOverflowPages: number
  /** Entries, those that are buckets included. */
  readonly keys: number
  /** Levels of pages, the deepest bucket inside added. */
  readonly depth: number
  readonly branchAllocBytes: number
  readonly branchInuseBytes: number
  readonly leafAllocBytes: number
  readonly leafInuseBytes: number
  /** Buckets, this one included. */
  readonly buckets: number
  readonly inlineBuckets: number
  readonly inlineInuseBytes: number
}

/** What an open file is made of, and what memory it takes. */
export interface EngineStats {
  readonly pageSizeBytes: number
  readonly fileSizeBytes: number
  /** Pages in use or free: what the file needs. */
  readonly highWaterMark: number
  readonly txid: number
  /** Pages that the next writer may use; undefined in a file opened read-only. */
  readonly freePages: number | undefined
  /** Pages that some reader or kept generation still needs; undefined as above. */
  readonly pendingPages: number | undefined
  readonly freelistPages: number
  readonly openReaders: number
  /** The oldest root that a reader holds, undefined without readers. */
  readonly oldestReaderTxid: number | undefined
  readonly cache: PagerStats
}

/** Of the root that readers get; free pages are those that the writer may use. */
export function engineStats(core: Core): EngineStats {
  const { visible, freelist, freelistRun, isFreelistLoaded, readers, pager } = core
  let oldest: number | undefined
  for (const reader of readers) oldest = Math.min(oldest ?? Infinity, reader.id)
  return {
    pageSizeBytes: core.pageSizeBytes,
    fileSizeBytes: core.fileSizeBytes,
    highWaterMark: visible.highWaterMark,
    txid: visible.txid,
    freePages: isFreelistLoaded ? freelist.freeCount : undefined,
    pendingPages: isFreelistLoaded ? freelist.pendingCount : undefined,
    freelistPages: freelistRun?.count ?? 0,
    openReaders: readers.size,
    oldestReaderTxid: oldest,
    cache: pager.stats(),
  }
}

type Counts = { -readonly [K in keyof BucketStats]: number }

interface Frame {
  readonly bucket: Bucket
  readonly counts: Counts
  readonly names: Uint8Array[]
  /** Depth of the deepest bucket inside. */
  innerDepth: number
}

/** Walks a bucket and everything in it. Reads every page. */
export function bucketStats(bucket: Bucket): BucketStats {
  const met = new MetBuckets()
  const stack: Frame[] = [frameOf(met.add(bucket))]
  for (;;) {
    const top = stack[stack.length - 1] as Frame
    const name = top.names.pop()
    if (name !== undefined) {
      stack.push(frameOf(met.add(top.bucket.mustFindBucket(name))))
      continue
    }
    top.counts.depth += top.innerDepth
    stack.pop()
    const outer = stack[stack.length - 1]
    if (outer === undefined) return top.counts
    outer.innerDepth = Math.max(outer.innerDepth, top.counts.depth)
    addCounts(outer.counts, top.counts)
  }
}

function frameOf(bucket: Bucket): Frame {
  const counts = emptyCounts()
  const names: Uint8Array[] = []
  const { pageSizeBytes } = bucket.tx
  counts.buckets = 1
  walkTree(bucket.tree, (ref, depth) => {
    countPage(counts, ref, pageSizeBytes)
    if (!isInline(ref)) counts.depth = Math.max(counts.depth, depth + 1)
    if (ref.isLeaf) names.push(...bucketNamesOf(ref))
  })
  counts.branchAllocBytes = (counts.branchPages + counts.branchOverflowPages) * pageSizeBytes
  counts.leafAllocBytes = (counts.leafPages + counts.leafOverflowPages) * pageSizeBytes
  return { bucket, counts, names, innerDepth: 0 }
}

function isInline(ref: Page): boolean {
  return !ref.isNode && ref.pgid === 0
}

function countPage(counts: Counts, ref: Page, pageSizeBytes: number): void {
  const used = ref.isNode ? ref.packedSize() : ref.contentEnd() - ref.base
  if (ref.isLeaf) counts.keys += ref.count
  if (isInline(ref)) {
    counts.inlineBuckets++
    counts.inlineInuseBytes += used
    return
  }
  const overflow = (ref.isNode ? pagesFor(used, pageSizeBytes) : ref.sizeBytes / pageSizeBytes) - 1
  if (ref.isLeaf) {
    counts.leafPages++
    counts.leafOverflowPages += overflow
    counts.leafInuseBytes += used
  } else {
    counts.branchPages++
    counts.branchOverflowPages += overflow
    counts.branchInuseBytes += used
  }
}

function addCounts(into: Counts, from: Counts): void {
  for (const name of Object.keys(into) as (keyof Counts)[]) {
    if (name !== 'depth') into[name] += from[name]
  }
}

function emptyCounts(): Counts {
  return {
    branchPages: 0,
    branchOverflowPages: 0,
    leafPages: 0,
    leafOverflowPages: 0,
    keys: 0,
    depth: 0,
    branchAllocBytes: 0,
    branchInuseBytes: 0,
    leafAllocBytes: 0,
    leafInuseBytes: 0,
    buckets: 0,
    inlineBuckets: 0,
    inlineInuseBytes: 0,
  }
}
