/** The file as a person looks at it: the tree of buckets, and what each page is. */

import { formatBytes, readU64 } from '../base/bytes.ts'
import type { Bucket } from './bucket.ts'
import type { Core } from './core.ts'
import { PAGE_BRANCH, PAGE_FREELIST, PAGE_LEAF, PAGE_META } from './format.ts'
import { MetBuckets, bucketNamesOf, walkTree } from './reach.ts'

/** A bucket and what is in it. */
export interface BucketTree {
  /** For people: quoted text, or hex. '' for the root. */
  readonly name: string
  /** Entries that are values. */
  readonly keys: number
  readonly sequence: bigint
  readonly isInline: boolean
  readonly buckets: readonly BucketTree[]
}

/** What a page is in the newest generation. */
export type PageType = 'meta' | 'branch' | 'leaf' | 'freelist' | 'free' | 'unknown'

/** A page, as a list of pages has it. */
export interface PageInfo {
  readonly pgid: number
  readonly type: PageType
  /** Elements in it, as its header says. */
  readonly count: number
  readonly overflow: number
}

type Building = { -readonly [K in keyof BucketTree]: BucketTree[K] } & { buckets: Building[] }

/** The tree of buckets under `root`. Reads every page of every bucket. */
export function inspectBuckets(root: Bucket): BucketTree {
  const met = new MetBuckets()
  const top = describe(met.add(root), '')
  const stack = [{ bucket: root, tree: top.tree, names: top.names }]
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    for (const name of item.names) {
      const bucket = met.add(item.bucket.mustFindBucket(name))
      const inner = describe(bucket, formatBytes(name, 256))
      item.tree.buckets.push(inner.tree)
      stack.push({ bucket, tree: inner.tree, names: inner.names })
    }
  }
  return top.tree
}

function describe(bucket: Bucket, name: string): { tree: Building; names: Uint8Array[] } {
  const names: Uint8Array[] = []
  let entries = 0
  walkTree(bucket.tree, (ref) => {
    if (!ref.isLeaf) return
    entries += ref.count
    names.push(...bucketNamesOf(ref))
  })
  const tree: Building = {
    name,
    keys: entries - names.length,
    sequence: bucket.sequence,
    isInline: bucket.tree.inlinePage !== undefined,
    buckets: [],
  }
  return { tree, names }
}

/** What the header of page `pgid` says; undefined past the high-water mark. */
export function pageInfo(core: Core, pgid: number): PageInfo | undefined {
  if (pgid >= core.visible.highWaterMark) return undefined
  if (core.isFreelistLoaded && core.freelist.has(pgid)) {
    return { pgid, type: 'free', count: 0, overflow: 0 }
  }
  const header = new Uint8Array(16)
  const inMemory = core.pager.findDirty(pgid)
  if (inMemory !== undefined) {
    header.set(inMemory.bytes.subarray(inMemory.base, inMemory.base + header.length))
  }
  const got =
    inMemory === undefined ? core.file.read(header, pgid * core.pageSizeBytes) : header.length
  const view = new DataView(header.buffer)
  const isRight = got === 16 && readU64(view, 0) === pgid
  const type = isRight ? typeOf(view.getUint16(8, true)) : 'unknown'
  return { pgid, type, count: view.getUint16(10, true), overflow: view.getUint32(12, true) }
}

function typeOf(flags: number): PageType {
  switch (flags) {
    case PAGE_BRANCH:
      return 'branch'
    case PAGE_LEAF:
      return 'leaf'
    case PAGE_META:
      return 'meta'
    case PAGE_FREELIST:
      return 'freelist'
    default:
      return 'unknown'
  }
}
