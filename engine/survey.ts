/**
 * A survey of a file: what each of its pages is, and which bucket it belongs to.
 *
 * It walks one generation from its root as the checker does, page by page and past any cache, but
 * goes on where nothing can be opened: without a meta that can be used it takes each page for what
 * its header says. What it finds wrong is a `SurveyProblem`; nothing is thrown for damage.
 *
 * A file of n pages takes 17 n bytes of memory.
 */

import { readU64 } from '../base/bytes.ts'
import type { FindingCode } from './check.ts'
import {
  BUCKET_HEADER_SIZE,
  ELEMENT_SIZE,
  LEAF_FLAG_BUCKET,
  PAGE_BRANCH,
  PAGE_FREELIST,
  PAGE_HEADER_SIZE,
  PAGE_LEAF,
  PAGE_META,
  TREE_DEPTH_MAX,
} from './format.ts'
import { decodeFreelistPage } from './freelist-page.ts'
import { inlinePageFault } from './inline.ts'
import type { Meta } from './meta.ts'
import { pageFault } from './page.ts'
import type { RawFile } from './raw-file.ts'

/**
 * What a page is.
 *   - `overflow`: it continues a branch or leaf; `freelist` counts its own further pages;
 *   - `unreached`: nothing leads to it, and it is not on the freelist;
 *   - `damaged`: something leads to it, and it can't be what is wanted there;
 *   - `ahead`: at or past the high-water mark: room that the file was given beforehand.
 */
export type SurveyKind =
  | 'unreached'
  | 'meta'
  | 'freelist'
  | 'branch'
  | 'leaf'
  | 'overflow'
  | 'free'
  | 'damaged'
  | 'ahead'

const KINDS: readonly SurveyKind[] = [
  'unreached',
  'meta',
  'freelist',
  'branch',
  'leaf',
  'overflow',
  'free',
  'damaged',
  'ahead',
]
const KIND_INDEX: Readonly<Record<SurveyKind, number>> = {
  unreached: 0,
  meta: 1,
  freelist: 2,
  branch: 3,
  leaf: 4,
  overflow: 5,
  free: 6,
  damaged: 7,
  ahead: 8,
}

const PROBLEMS_MAX = 1000

/** A bucket that has pages of its own, or is inline and at the top. */
export interface SurveyedBucket {
  /** Names that lead to it, outermost first; none for the root. */
  readonly path: readonly Uint8Array[]
  /** Index, in `tops`, of the top-level bucket it lies in; 0 for the root itself. */
  readonly top: number
  readonly isInline: boolean
  readonly sequence: bigint
}

/** Something that a survey found wrong. */
export interface SurveyProblem {
  readonly code: FindingCode
  readonly pgid: number
  /** Of the page, in bytes from the start of the file. */
  readonly offset: number
  /** Index of the bucket; undefined where it is none's. */
  readonly bucket: number | undefined
  readonly message: string
}

type Tally = { -readonly [K in keyof SurveyTop]: SurveyTop[K] }

/** Sums over one top-level bucket and all inside it; the root's own pages are the first. */
export interface SurveyTop {
  readonly bucket: number
  readonly branchPages: number
  readonly leafPages: number
  readonly overflowPages: number
  readonly damagedPages: number
  /** Entries that are values. */
  readonly keys: number
  /** Buckets inside it. */
  readonly buckets: number
  /** Bytes of its pages that hold something. */
  readonly inuseBytes: number
}

/** What each page of a file is, and whose. Per-page answers take a page's number. */
export interface Survey {
  /** The generation that was looked at; undefined: no meta can be used. */
  readonly meta: Meta | undefined
  /**
   * No tree could be walked, for want of a meta or of its root page: pages are what their headers
   * say, and belong to no bucket.
   */
  readonly isByHeaders: boolean
  readonly pageSizeBytes: number
  /** Pages that begin within the file. */
  readonly pageCount: number
  /** Pages below the high-water mark that the file ends before. */
  readonly missingPages: number
  readonly buckets: readonly SurveyedBucket[]
  /** In key order, the root first. */
  readonly tops: readonly SurveyTop[]
  readonly problems: readonly SurveyProblem[]
  readonly problemsOmitted: number
  /** What a page is. */
  kind(pgid: number): SurveyKind
  /** Index of the bucket that a page belongs to; undefined where it is none's. */
  bucket(pgid: number): number | undefined
  /** Elements in a page; 0 for one without a header of its own. */
  items(pgid: number): number
  /** Further pages of the run that begins here. */
  overflow(pgid: number): number
  /** Bytes of the run that begins here that hold something. */
  inuse(pgid: number): number
}

interface Visit {
  readonly pgid: number
  readonly depth: number
  readonly bucket: number
}

/** Makes a survey in steps, so that others run in between. */
export class Surveyor {
  readonly #file: RawFile
  readonly #meta: Meta | undefined
  readonly #pageSizeBytes: number
  readonly #kinds: Uint8Array
  readonly #owners: Int32Array
  readonly #items: Uint32Array
  readonly #overflows: Uint32Array
  readonly #inuse: Uint32Array
  readonly #buckets: SurveyedBucket[] = []
  readonly #tops: Tally[] = []
  readonly #problems: SurveyProblem[] = []
  readonly #stack: Visit[] = []
  #omitted = 0
  #isByHeaders = false

  /** @throws {RangeError} where the page size of the file is not known */
  constructor(file: RawFile, meta: Meta | undefined) {
    if (file.pageSizeBytes === undefined) throw new RangeError('file: its page size is not known')
    this.#file = file
    this.#meta = meta
    this.#pageSizeBytes = file.pageSizeBytes
    const { pageCount } = file
    this.#kinds = new Uint8Array(pageCount)
    this.#owners = new Int32Array(pageCount).fill(-1)
    this.#items = new Uint32Array(pageCount)
    this.#overflows = new Uint32Array(pageCount)
    this.#inuse = new Uint32Array(pageCount)
  }

  /** Yields how many pages it has read, so that a caller may pause and show it. */
  *run(): Generator<number, Survey, void> {
    const meta = this.#meta
    if (meta !== undefined) yield* this.#walk(meta)
    if (meta === undefined || this.#items[meta.rootPgid] === undefined) yield* this.#readHeaders()
    else if (this.#kinds[meta.rootPgid] === KIND_INDEX.damaged && this.#buckets.length === 1) {
      yield* this.#readHeaders()
    }
    return this.#survey()
  }

  #survey(): Survey {
    const mark = this.#meta?.highWaterMark ?? 0
    const kinds = this.#kinds
    return {
      meta: this.#meta,
      isByHeaders: this.#isByHeaders,
      pageSizeBytes: this.#pageSizeBytes,
      pageCount: kinds.length,
      missingPages: Math.max(0, mark - Math.floor(this.#file.sizeBytes / this.#pageSizeBytes)),
      buckets: this.#buckets,
      tops: this.#tops,
      problems: this.#problems,
      problemsOmitted: this.#omitted,
      kind: (pgid) => KINDS[kinds[pgid] ?? 0] ?? 'unreached',
      bucket: (pgid) => {
        const owner = this.#owners[pgid] ?? -1
        return owner < 0 ? undefined : owner
      },
      items: (pgid) => this.#items[pgid] ?? 0,
      overflow: (pgid) => this.#overflows[pgid] ?? 0,
      inuse: (pgid) => this.#inuse[pgid] ?? 0,
    }
  }

  *#walk(meta: Meta): Generator<number, void, void> {
    const kinds = this.#kinds
    kinds.fill(KIND_INDEX.ahead, Math.min(meta.highWaterMark, kinds.length))
    kinds.fill(KIND_INDEX.meta, 0, 2)
    const root = this.#addBucket({ path: [], isInline: false, sequence: meta.rootSequence })
    this.#stack.push({ pgid: meta.rootPgid, depth: 0, bucket: root })
    let read = 0
    for (let visit = this.#stack.pop(); visit !== undefined; visit = this.#stack.pop()) {
      this.#visit(visit, meta.highWaterMark)
      yield ++read
    }
    this.#readFreelist(meta)
  }

  #problem(code: FindingCode, pgid: number, bucket: number | undefined, message: string): void {
    if (this.#problems.length >= PROBLEMS_MAX) {
      this.#omitted++
      return
    }
    const offset = pgid * this.#pageSizeBytes
    this.#problems.push({ code, pgid, offset, bucket, message })
  }

  /** Notes damage on a page that something leads to. */
  #damage(visit: Visit, code: FindingCode, message: string): void {
    const { pgid, bucket } = visit
    this.#problem(code, pgid, bucket, message)
    this.#topOf(bucket).damagedPages++
    if (pgid < 2 || pgid >= this.#kinds.length) return
    this.#kinds[pgid] = KIND_INDEX.damaged
    this.#owners[pgid] = bucket
  }

  #topOf(bucket: number): Tally {
    const index = this.#buckets[bucket]?.top ?? 0
    const tally = this.#tops[index]
    if (tally === undefined) throw new RangeError(`bucket: there is none of index ${bucket}`)
    return tally
  }

  #addBucket(bucket: Omit<SurveyedBucket, 'top'>, outer?: number): number {
    const index = this.#buckets.length
    // The root, and each bucket at the top, begins a sum of its own.
    const isTop = bucket.path.length <= 1
    const top = isTop ? this.#tops.length : (this.#buckets[outer ?? 0]?.top ?? 0)
    this.#buckets.push({ ...bucket, top })
    if (!isTop) return index
    this.#tops.push({
      bucket: index,
      branchPages: 0,
      leafPages: 0,
      overflowPages: 0,
      damagedPages: 0,
      keys: 0,
      buckets: 0,
      inuseBytes: 0,
    })
    return index
  }

  #visit(visit: Visit, highWaterMark: number): void {
    const { pgid, depth, bucket } = visit
    if (depth >= TREE_DEPTH_MAX) {
      this.#damage(visit, 'depth', `it is ${TREE_DEPTH_MAX} levels below its bucket's root`)
      return
    }
    if (pgid < 2) {
      this.#problem('page-damaged', pgid, bucket, 'a tree leads to a meta page')
      this.#topOf(bucket).damagedPages++
      return
    }
    const run = this.#readRun(pgid, highWaterMark)
    if (typeof run === 'string') {
      this.#damage(visit, 'page-damaged', run)
      return
    }
    if (!this.#reach(visit, run.length / this.#pageSizeBytes)) return
    const view = new DataView(run.buffer, run.byteOffset, run.byteLength)
    const range = { base: 0, sizeBytes: run.length }
    const strict = pageFault(run, view, range, { isInline: false, isStrict: true })
    const fatal =
      strict === undefined
        ? undefined
        : pageFault(run, view, range, { isInline: false, isStrict: false })
    const isLeaf = view.getUint16(8, true) === PAGE_LEAF
    if (fatal === undefined) this.#count(visit, view, isLeaf)
    if (strict !== undefined) this.#damage(visit, strict.code, strict.message)
    if (fatal !== undefined) return
    if (isLeaf) this.#visitLeaf(visit, run, view)
    else this.#visitBranch(visit, view)
  }

  /** The bytes of a run, or what is wrong with its header. */
  #readRun(pgid: number, highWaterMark: number): Uint8Array | string {
    if (pgid >= highWaterMark) return `it lies beyond the high-water mark, ${highWaterMark}`
    const first = this.#file.readPages(pgid, 1)
    if (first.length < this.#pageSizeBytes) return 'the file ends before it, or inside it'
    const view = new DataView(first.buffer, first.byteOffset, first.byteLength)
    const id = view.getBigUint64(0, true)
    if (id !== BigInt(pgid)) return `it calls itself page ${id}`
    const overflow = view.getUint32(12, true)
    if (overflow === 0) return first
    if (pgid + overflow >= highWaterMark) {
      return `its ${overflow} overflow pages pass the high-water mark`
    }
    const run = this.#file.readPages(pgid, overflow + 1)
    if (run.length === (overflow + 1) * this.#pageSizeBytes) return run
    return `the file ends inside its ${overflow} overflow pages`
  }

  /** Marks a run as reached. False where one of its pages was before. */
  #reach(visit: Visit, count: number): boolean {
    const { pgid, bucket } = visit
    for (let at = pgid; at < pgid + count; at++) {
      if (this.#kinds[at] !== KIND_INDEX.unreached) {
        this.#problem('page-reached-twice', at, bucket, 'two places lead to this page')
        this.#topOf(bucket).damagedPages++
        return false
      }
      this.#kinds[at] = KIND_INDEX.overflow
      this.#owners[at] = bucket
    }
    return true
  }

  #count(visit: Visit, view: DataView, isLeaf: boolean): void {
    const { pgid, bucket } = visit
    const items = view.getUint16(10, true)
    const overflow = view.byteLength / this.#pageSizeBytes - 1
    const inuse = contentEnd(view, isLeaf, items)
    this.#kinds[pgid] = isLeaf ? KIND_INDEX.leaf : KIND_INDEX.branch
    this.#items[pgid] = items
    this.#overflows[pgid] = overflow
    this.#inuse[pgid] = inuse
    const tally = this.#topOf(bucket)
    if (isLeaf) tally.leafPages++
    else tally.branchPages++
    tally.overflowPages += overflow
    tally.inuseBytes += inuse
  }

  #visitBranch(visit: Visit, view: DataView): void {
    const items = view.getUint16(10, true)
    for (let i = items - 1; i >= 0; i--) {
      const e = PAGE_HEADER_SIZE + i * ELEMENT_SIZE
      this.#stack.push({ ...visit, pgid: readU64(view, e + 8), depth: visit.depth + 1 })
    }
  }

  #visitLeaf(visit: Visit, run: Uint8Array, view: DataView): void {
    const items = view.getUint16(10, true)
    const tally = this.#topOf(visit.bucket)
    const inner: Visit[] = []
    for (let i = 0; i < items; i++) {
      const e = PAGE_HEADER_SIZE + i * ELEMENT_SIZE
      if (view.getUint32(e, true) !== LEAF_FLAG_BUCKET) {
        tally.keys++
        continue
      }
      tally.buckets++
      const found = this.#visitBucket(visit, { run, view }, e)
      if (found !== undefined) inner.push(found)
    }
    // The first is to be walked first.
    for (const found of inner.reverse()) this.#stack.push(found)
  }

  /** A bucket's entry in a leaf. Returns where to go on, where it has pages. */
  #visitBucket(
    visit: Visit,
    leaf: { readonly run: Uint8Array; readonly view: DataView },
    element: number,
  ): Visit | undefined {
    const { run, view } = leaf
    const keyStart = element + view.getUint32(element + 4, true)
    const at = keyStart + view.getUint32(element + 8, true)
    const size = view.getUint32(element + 12, true)
    const rootPgid = readU64(view, at)
    const outer = this.#buckets[visit.bucket]?.path ?? []
    const isInline = rootPgid === 0
    const sequence = view.getBigUint64(at + 8, true)
    const fault = isInline
      ? inlinePageFault(run, at + BUCKET_HEADER_SIZE, size - BUCKET_HEADER_SIZE, false)
      : undefined
    let bucket = visit.bucket
    if (!isInline || outer.length === 0) {
      const path = [...outer, run.slice(keyStart, at)]
      bucket = this.#addBucket({ path, isInline, sequence }, visit.bucket)
    }
    if (!isInline) return { pgid: rootPgid, depth: 0, bucket }
    if (fault !== undefined) this.#problem('bucket-damaged', visit.pgid, bucket, fault)
    else this.#topOf(bucket).keys += view.getUint16(at + BUCKET_HEADER_SIZE + 10, true)
    return undefined
  }

  #readFreelist(meta: Meta): void {
    const { freelistPgid, highWaterMark } = meta
    const kinds = this.#kinds
    const end = Math.min(highWaterMark, kinds.length)
    if (freelistPgid === undefined) {
      // What nothing leads to is free, unless damage hides where it is led to from.
      if (this.#problems.length > 0) return
      for (let pgid = 2; pgid < end; pgid++) {
        if (kinds[pgid] === KIND_INDEX.unreached) kinds[pgid] = KIND_INDEX.free
      }
      return
    }
    const run = this.#readRun(freelistPgid, highWaterMark)
    const ids = typeof run === 'string' ? run : decodeFreelistPage(run, highWaterMark)
    if (typeof ids === 'string' || typeof run === 'string') {
      this.#problem('freelist-damaged', freelistPgid, undefined, String(ids))
      if (kinds[freelistPgid] === KIND_INDEX.unreached) kinds[freelistPgid] = KIND_INDEX.damaged
      return
    }
    this.#markFreelist(freelistPgid, run, ids.length)
    for (const id of ids) {
      if (id >= end) continue
      if (kinds[id] === KIND_INDEX.unreached) kinds[id] = KIND_INDEX.free
      else this.#problem('page-reached-free', id, undefined, 'it is in use and on the freelist')
    }
    const isWhole = this.#problems.length === 0
    for (let pgid = 2; isWhole && pgid < end; pgid++) {
      if (kinds[pgid] !== KIND_INDEX.unreached) continue
      this.#problem('page-lost', pgid, undefined, 'nothing leads to it, and it is not free')
    }
  }

  #markFreelist(first: number, run: Uint8Array, ids: number): void {
    const pages = run.length / this.#pageSizeBytes
    this.#items[first] = ids
    this.#overflows[first] = pages - 1
    this.#inuse[first] = PAGE_HEADER_SIZE + 8 * ids
    for (let pgid = first; pgid < first + pages; pgid++) {
      if (this.#kinds[pgid] === KIND_INDEX.unreached) this.#kinds[pgid] = KIND_INDEX.freelist
      else this.#problem('page-reached-twice', pgid, undefined, 'a tree and the freelist share it')
    }
  }

  /** Takes each page that nothing leads to for what its header says. */
  *#readHeaders(): Generator<number, void, void> {
    const kinds = this.#kinds
    this.#isByHeaders = true
    for (let pgid = 0; pgid < kinds.length; pgid++) {
      if (kinds[pgid] !== KIND_INDEX.unreached) continue
      const bytes = this.#file.readPages(pgid, 1)
      yield pgid + 1
      if (bytes.length < PAGE_HEADER_SIZE) continue
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const kind = kindOfFlags(view.getUint16(8, true))
      if (kind === undefined || view.getBigUint64(0, true) !== BigInt(pgid)) continue
      kinds[pgid] = KIND_INDEX[kind]
      this.#items[pgid] = kind === 'meta' ? 0 : view.getUint16(10, true)
      if (kind === 'meta') continue
      const overflow = Math.min(view.getUint32(12, true), kinds.length - pgid - 1)
      this.#overflows[pgid] = overflow
      const rest = kind === 'freelist' ? kind : 'overflow'
      for (let left = overflow; left > 0 && kinds[pgid + 1] === KIND_INDEX.unreached; left--) {
        kinds[++pgid] = KIND_INDEX[rest]
      }
    }
  }
}

function kindOfFlags(flags: number): 'branch' | 'leaf' | 'meta' | 'freelist' | undefined {
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
      return undefined
  }
}

/** Where the last element's key and value end. */
function contentEnd(view: DataView, isLeaf: boolean, items: number): number {
  const end = PAGE_HEADER_SIZE + items * ELEMENT_SIZE
  if (items === 0) return end
  const e = end - ELEMENT_SIZE
  if (!isLeaf) return e + view.getUint32(e, true) + view.getUint32(e + 4, true)
  const value = e + view.getUint32(e + 4, true) + view.getUint32(e + 8, true)
  return value + view.getUint32(e + 12, true)
}
