/**
 * Walks over everything that a bucket reaches: pages, nodes, buckets inside. Iterative, bounded in
 * depth.
 */

import type { Bucket } from './bucket.ts'
import { PageSet } from './page-set.ts'
import type { Tree } from './tree.ts'
import { childAt } from './tree.ts'
import type { Page } from './page.ts'

/** Calls `visit` for each page or node of one tree, parents first, in key order. */
export function walkTree(tree: Tree, visit: (ref: Page, depth: number) => void): void {
  tree.pages.pager.holding(() => walk(tree, visit))
}

function walk(tree: Tree, visit: (ref: Page, depth: number) => void): void {
  const refs: Page[] = [tree.root()]
  const indexes: number[] = [0]
  let depth = 0
  visit(refs[0] as Page, 0)
  while (depth >= 0) {
    const ref = refs[depth] as Page
    const index = indexes[depth] as number
    if (ref.isLeaf || index >= ref.count) {
      depth--
      if (depth >= 0) indexes[depth] = (indexes[depth] as number) + 1
      continue
    }
    const child = childAt(tree.pages, refs, indexes, depth)
    depth++
    refs[depth] = child
    indexes[depth] = 0
    visit(child, depth)
  }
}

/** Names of the buckets that a leaf holds, owned. */
export function bucketNamesOf(leaf: Page): Uint8Array[] {
  const names: Uint8Array[] = []
  for (let i = 0; i < leaf.count; i++) {
    if (!leaf.isBucket(i)) continue
    const start = leaf.keyStart(i)
    names.push(leaf.bytes.slice(start, start + leaf.keySize(i)))
  }
  return names
}

/**
 * The buckets that a walk has met. In a damaged file a bucket can lead to itself, or twice to
 * another one; keys can't tell, since every bucket begins a key space of its own.
 */
export class MetBuckets {
  readonly #roots = new PageSet()

  /** Notes a bucket. Throws CorruptionError where its root page is that of one met before. */
  add(bucket: Bucket): Bucket {
    const { rootPgid, pages } = bucket.tree
    if (rootPgid >= pages.highWaterMark) {
      throw pages.pager.corruption(rootPgid, 'a bucket leads to it, beyond the high-water mark')
    }
    if (rootPgid !== 0 && !this.#roots.add(rootPgid)) {
      throw pages.pager.corruption(rootPgid, 'two buckets lead to it')
    }
    return bucket
  }
}

/**
 * The page runs of a bucket and of all buckets in it: [first, count, first, count, …]. Throws
 * CorruptionError where two places lead to one page: a bucket's root in a damaged file may lead
 * back to the bucket it is in, and the walk would not end.
 */
export function collectPages(bucket: Bucket): number[] {
  const { pages } = bucket.tx
  const runs: number[] = []
  const reached = new PageSet()
  const stack: Bucket[] = [bucket]
  for (let b = stack.pop(); b !== undefined; b = stack.pop()) {
    const names: Uint8Array[] = []
    walkTree(b.tree, (ref) => {
      // A node's page was freed when the node was made; an inline page has none.
      if (!ref.isNode && ref.pgid !== 0) {
        const count = ref.sizeBytes / pages.pageSizeBytes
        for (let pgid = ref.pgid; pgid < ref.pgid + count; pgid++) {
          if (!reached.add(pgid)) throw pages.pager.corruption(pgid, 'it is reached twice')
        }
        runs.push(ref.pgid, count)
      }
      if (ref.isLeaf) names.push(...bucketNamesOf(ref))
    })
    for (const name of names) stack.push(b.mustFindBucket(name))
  }
  return runs
}
