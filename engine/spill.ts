/**
 * Turns what a transaction has changed into pages with ids: buckets from the innermost out, each
 * tree balanced, small buckets inlined, everything else given a place.
 */

import type { Bucket } from './bucket.ts'
import { balance } from './balance.ts'
import { BUCKET_HEADER_SIZE, pagesFor } from './format.ts'
import { encodeBucketHeader, encodeInlineBucket, isInlineable } from './inline.ts'
import type { Page } from './page.ts'

/** A node and the run that it will be written to. */
export interface PlacedNode {
  readonly node: Page
  readonly pageCount: number
}

/** Finds room for `pageCount` consecutive pages and returns the first. */
export type Allocate = (pageCount: number) => number

interface NamedBucket {
  readonly bucket: Bucket
  readonly parent: Bucket | undefined
  readonly name: string
}

/**
 * Places all changed nodes under `root`; returns them. The root bucket's `rootPgid` is then final.
 */
export function spill(root: Bucket, allocate: Allocate): PlacedNode[] {
  const placed: PlacedNode[] = []
  const order = openBuckets(root)
  // Innermost first: a bucket's new header is an edit of the bucket it is in.
  for (let i = order.length - 1; i > 0; i--) {
    const { bucket, parent, name } = order[i] as NamedBucket
    const value = spillBucket(bucket, allocate, placed)
    if (value === undefined) continue
    parent?.tree.put(bucket.name ?? Buffer.from(name, 'latin1'), value, true)
  }
  place(root, balance(root.tree), allocate, placed)
  return placed
}

/**
 * Takes into memory, as nodes, what `spill` will touch. Returns whether it can then meet neither
 * the disk nor damage: not where nodes may be merged with siblings, or values of buckets change
 * their length, which may come to that.
 */
export function takeIn(root: Bucket): boolean {
  const order = openBuckets(root)
  const { pages } = root.tree
  for (let i = order.length - 1; i > 0; i--) {
    const { bucket, parent, name } = order[i] as NamedBucket
    const { tree } = bucket
    if (tree.rootNode === undefined) {
      if (bucket.isHeaderChanged || tree.isRootMoved) return false
      continue
    }
    if (parent === undefined || isInlineable(tree.rootNode, pages.pageSizeBytes)) return false
    const index = parent.tree.findOwned(bucket.name ?? Buffer.from(name, 'latin1'))
    const leaf = parent.tree.leaf as Page
    if (index < 0 || leaf.valueSize(index) !== BUCKET_HEADER_SIZE) return false
  }
  return !pages.mayMerge
}

/** The root and every bucket opened under it, outer before inner. */
export function openBuckets(root: Bucket): NamedBucket[] {
  const order: NamedBucket[] = [{ bucket: root, parent: undefined, name: '' }]
  for (let i = 0; i < order.length; i++) {
    const { bucket } = order[i] as NamedBucket
    for (const [name, child] of bucket.children) order.push({ bucket: child, parent: bucket, name })
  }
  return order
}

/** The new value of a bucket's entry; undefined where it need not change. */
function spillBucket(
  bucket: Bucket,
  allocate: Allocate,
  placed: PlacedNode[],
): Uint8Array | undefined {
  const { tree, sequence } = bucket
  if (tree.rootNode === undefined) {
    if (!bucket.isHeaderChanged && !tree.isRootMoved) return undefined
    const page = tree.inlinePage
    if (page === undefined) return encodeBucketHeader(tree.rootPgid, sequence)
    const header = encodeBucketHeader(0, sequence)
    const image = page.bytes.subarray(page.base, page.base + page.sizeBytes)
    return Buffer.concat([header, image])
  }
  const levels = balance(tree)
  const root = tree.rootNode
  if (root !== undefined && isInlineable(root, tree.pages.pageSizeBytes)) {
    return encodeInlineBucket(root, sequence)
  }
  place(bucket, levels, allocate, placed)
  return encodeBucketHeader(tree.rootPgid, sequence)
}

/**
 * Gives each node of a bucket's tree a run, leaves first and in key order, so that scans read on.
 * `levels`: its nodes by depth.
 */
function place(
  bucket: Bucket,
  levels: readonly (readonly Page[])[],
  allocate: Allocate,
  placed: PlacedNode[],
): void {
  const { tree } = bucket
  const root = tree.rootNode
  if (root === undefined) return
  for (let depth = levels.length - 1; depth >= 0; depth--) {
    for (const node of levels[depth] as readonly Page[]) {
      const pageCount = pagesFor(node.packedSize(), tree.pages.pageSizeBytes)
      node.pgid = allocate(pageCount)
      placed.push({ node, pageCount })
    }
  }
  tree.rootPgid = root.pgid
}
