/**
 * The checker: reads one generation of the file afresh, page by page, past the cache, and says
 * everything that is wrong with it.
 *
 * It finds what bbolt's own check finds (pages reached twice, reached though free, free by nobody,
 * out of bounds, of the wrong type, out of order) and what that one lets pass though a later writer
 * trips over it: a separator that is not its child's first key, a branch with one child, an empty
 * leaf, a gap or stray bytes in a page, a broken seal. docs/check-report.md explains each code.
 *
 * Damage never stops it: what can't be read is a finding, and the rest is looked at.
 */

import { compareBytes, formatBytes } from '../base/bytes.ts'
import type { Core } from './core.ts'
import { decodeFreelistPage } from './freelist-page.ts'
import { PAGE_HEADER_SIZE, TREE_DEPTH_MAX } from './format.ts'
import { inlinePageFault, readBucketHeader } from './inline.ts'
import type { Meta } from './meta.ts'
import { decodeMeta } from './meta.ts'
import { Page, pageFault } from './page.ts'
import { findSealed } from './pages-in-memory.ts'
import type { PageFaultCode } from './page.ts'
import { PageSet } from './page-set.ts'
import type { ReadAhead } from './read-ahead.ts'
import { SEAL_MAGIC } from './seal.ts'

/** What is wrong with a page or a tree: docs/check-report.md explains each. */
export type FindingCode =
  | PageFaultCode
  | 'page-damaged'
  | 'page-reached-twice'
  | 'page-reached-free'
  | 'page-lost'
  | 'separator'
  | 'bound'
  | 'empty-leaf'
  | 'depth'
  | 'bucket-damaged'
  | 'freelist-damaged'
  | 'freelist-memory'

/** Something that is wrong with the file. */
export interface Finding {
  readonly code: FindingCode
  /** The page it was found on; -1 where it is no single page. */
  readonly pgid: number
  /** Names of the buckets that lead there, outermost first, for people. */
  readonly bucketPath: string
  readonly message: string
}

/** How many pages of each kind a generation has. */
export interface PageCounts {
  readonly branch: number
  readonly leaf: number
  readonly overflow: number
  readonly freelist: number
  readonly free: number
  /** Branch and leaf runs with a full checksum in their tail. */
  readonly sealed: number
}

/** What a check found. */
export interface CheckReport {
  /** No findings. */
  readonly isClean: boolean
  readonly findings: readonly Finding[]
  /** More findings there were than are listed. */
  readonly findingsOmitted: number
  /** Worth knowing, and no damage: a meta page that a power cut tore, say. */
  readonly notices: readonly string[]
  readonly txid: number
  readonly highWaterMark: number
  readonly pages: PageCounts
  readonly keys: number
  readonly buckets: number
}

/** Which generation is checked: the newest, by default, or the one before it. */
export interface CheckOptions {
  readonly generation?: 'newest' | 'previous'
}

/** What a check takes that lets the event loop run. */
export interface CheckAsyncOptions extends CheckOptions {
  /** Called now and then with the pages reached so far and the high-water mark. */
  readonly onProgress?: (pages: number, highWaterMark: number) => void
  readonly signal?: AbortSignal
}

const FINDINGS_MAX = 1000
/** So many pages are looked for in the freelist at a time. */
const REUSE_STEP = 4096

interface Visit {
  readonly pgid: number
  readonly depth: number
  readonly bucketPath: string
  /** The separator that leads here, undefined for a root. */
  readonly separator: Uint8Array | undefined
  /** Every key here is smaller than this one. */
  readonly bound: Uint8Array | undefined
}

export interface CheckerOptions {
  /** A root, rather than a generation of the file: its pages may be in memory only. */
  readonly isRoot?: boolean
  /**
   * Is lent every leaf as long as nothing was found, those of a bucket in the order of its keys.
   * `bucketPath` is as in findings.
   */
  readonly onLeaf?: (bucketPath: string, leaf: Page) => void
}

export class Checker {
  /** Entries by the bucket they are in, as findings name it. */
  readonly counts: Map<string, number> = new Map()
  readonly #core: Core
  readonly #meta: Meta
  readonly #isRoot: boolean
  readonly #onLeaf: CheckerOptions['onLeaf']
  readonly #walk: { readonly window: ReadAhead; readonly room: Uint8Array }
  readonly #reached = new PageSet()
  readonly #findings: Finding[] = []
  readonly #notices: string[] = []
  readonly #stack: Visit[] = []
  #omitted = 0
  #branch = 0
  #leaf = 0
  #overflow = 0
  #freelist = 0
  #free = 0
  #sealed = 0
  #keys = 0
  #buckets = 0

  constructor(core: Core, meta: Meta, { isRoot = false, onLeaf }: CheckerOptions = {}) {
    this.#core = core
    this.#onLeaf = onLeaf
    const { pager } = core
    this.#walk = { window: pager.newWindow(), room: new Uint8Array(pager.pageSizeBytes) }
    this.#meta = isRoot ? { ...meta, freelistPgid: undefined } : meta
    this.#isRoot = isRoot
  }

  /** The pages reached. Not to be changed. */
  get reached(): PageSet {
    return this.#reached
  }

  /** Yields the number of pages reached so far after each page, so that a caller may pause. */
  *run(): Generator<number, CheckReport, void> {
    if (!this.#isRoot) this.#checkMetas()
    this.#stack.push({
      pgid: this.#meta.rootPgid,
      depth: 0,
      bucketPath: '',
      separator: undefined,
      bound: undefined,
    })
    for (let visit = this.#stack.pop(); visit !== undefined; visit = this.#stack.pop()) {
      this.#visit(visit)
      yield this.#reached.size
    }
    if (this.#isRoot) yield* this.#checkReuse()
    else yield* this.#checkFreelist()
    return this.#report()
  }

  #report(): CheckReport {
    return {
      isClean: this.#findings.length === 0,
      findings: this.#findings,
      findingsOmitted: this.#omitted,
      notices: this.#notices,
      txid: this.#meta.txid,
      highWaterMark: this.#meta.highWaterMark,
      pages: {
        branch: this.#branch,
        leaf: this.#leaf,
        overflow: this.#overflow,
        freelist: this.#freelist,
        free: this.#free,
        sealed: this.#sealed,
      },
      keys: this.#keys,
      buckets: this.#buckets,
    }
  }

  #find(code: FindingCode, pgid: number, bucketPath: string, message: string): void {
    if (this.#findings.length >= FINDINGS_MAX) this.#omitted++
    else this.#findings.push({ code, pgid, bucketPath, message })
  }

  #checkMetas(): void {
    for (const slot of [0, 1] as const) {
      const bytes = new Uint8Array(this.#core.pageSizeBytes)
      const got = this.#core.file.read(bytes, slot * this.#core.pageSizeBytes)
      const reading = decodeMeta(bytes.subarray(0, got), PAGE_HEADER_SIZE, slot)
      if ('meta' in reading) continue
      this.#notices.push(`meta page ${slot} can not be used: ${reading.fault.kind}`)
    }
  }

  /** Marks a run as reached. False when it is out of bounds or was reached before. */
  #reach(visit: Visit, count: number): boolean {
    const { pgid, bucketPath } = visit
    for (let i = 0; i < count; i++) {
      if (this.#reached.add(pgid + i)) continue
      this.#find('page-reached-twice', pgid + i, bucketPath, 'two places lead to this page')
      return false
    }
    this.#overflow += count - 1
    return true
  }

  #readRun(pgid: number): { readonly bytes: Uint8Array; readonly fault: string | undefined } {
    const page = this.#isRoot ? findSealed(this.#core, pgid) : undefined
    if (page === undefined) {
      return this.#core.pager.readRun(pgid, this.#meta.highWaterMark, this.#walk)
    }
    const bytes = page.bytes.slice(page.base, page.base + page.sizeBytes)
    return { bytes, fault: undefined }
  }

  #visit(visit: Visit): void {
    const { pager } = this.#core
    const { pgid, bucketPath } = visit
    if (visit.depth >= TREE_DEPTH_MAX) {
      this.#find('depth', pgid, bucketPath, `deeper than ${TREE_DEPTH_MAX} levels`)
      return
    }
    if (pgid < 2) {
      this.#find('page-damaged', pgid, bucketPath, 'a meta page can not be part of a tree')
      return
    }
    const { bytes, fault } = this.#readRun(pgid)
    if (fault !== undefined) {
      this.#find('page-damaged', pgid, bucketPath, fault)
      return
    }
    if (!this.#reach(visit, bytes.length / pager.pageSizeBytes)) return
    const view = new DataView(bytes.buffer)
    const range = { base: 0, sizeBytes: bytes.length }
    const strict = pageFault(bytes, view, range, { isInline: false, isStrict: true })
    if (strict !== undefined) this.#find(strict.code, pgid, bucketPath, strict.message)
    const fatal = pageFault(bytes, view, range, { isInline: false, isStrict: false })
    if (fatal !== undefined) {
      if (strict === undefined) this.#find(fatal.code, pgid, bucketPath, fatal.message)
      return
    }
    const page = new Page(pgid, bytes, 0, bytes.length)
    const hasSeal = page.contentEnd() + 8 <= bytes.length
    if (hasSeal && view.getUint32(bytes.length - 8, true) === SEAL_MAGIC) this.#sealed++
    this.#checkPlace(visit, page)
    if (page.isLeaf) this.#visitLeaf(visit, page)
    else this.#visitBranch(visit, page)
  }

  /** Whether the page fits between its separator and the one after it. */
  #checkPlace(visit: Visit, page: Page): void {
    const { separator, bound, bucketPath, pgid } = visit
    if (page.count === 0) {
      if (separator !== undefined) {
        this.#find('empty-leaf', pgid, bucketPath, 'an empty leaf below a branch')
      }
      return
    }
    if (separator !== undefined && compareBytes(keyAt(page, 0), separator) !== 0) {
      const names = `${formatBytes(keyAt(page, 0))}, and ${formatBytes(separator)} leads to it`
      this.#find('separator', pgid, bucketPath, `its first key is ${names}`)
    }
    if (bound !== undefined && compareBytes(keyAt(page, page.count - 1), bound) >= 0) {
      const last = formatBytes(keyAt(page, page.count - 1))
      const message = `its last key is ${last}, and the next page starts at ${formatBytes(bound)}`
      this.#find('bound', pgid, bucketPath, message)
    }
  }

  #visitBranch(visit: Visit, page: Page): void {
    this.#branch++
    // The page's own bytes are another page's by then.
    const own = page.bytes.slice()
    let { bound } = visit
    for (let i = page.count - 1; i >= 0; i--) {
      const start = page.keyStart(i)
      const separator = own.subarray(start, start + page.keySize(i))
      const { bucketPath } = visit
      this.#stack.push({
        pgid: page.childPgid(i),
        depth: visit.depth + 1,
        bucketPath,
        separator,
        bound,
      })
      bound = separator
    }
  }

  #visitLeaf(visit: Visit, page: Page): void {
    if (page.base === 0) this.#leaf++
    this.#keys += page.count
    const { bucketPath } = visit
    this.counts.set(bucketPath, (this.counts.get(bucketPath) ?? 0) + page.count)
    if (this.#findings.length === 0) this.#onLeaf?.(bucketPath, page)
    for (let i = 0; i < page.count; i++) {
      if (page.isBucket(i)) this.#visitBucket(visit, page, i)
    }
  }

  #visitBucket(visit: Visit, leaf: Page, index: number): void {
    this.#buckets++
    const name = formatBytes(keyAt(leaf, index))
    const bucketPath = visit.bucketPath === '' ? name : `${visit.bucketPath} / ${name}`
    const { rootPgid } = readBucketHeader(leaf, index)
    const inner: Visit = {
      pgid: rootPgid,
      depth: 0,
      bucketPath,
      separator: undefined,
      bound: undefined,
    }
    if (rootPgid !== 0) {
      this.#stack.push(inner)
      return
    }
    const base = leaf.valueStart(index) + 16
    const size = leaf.valueSize(index) - 16
    const fault = inlinePageFault(leaf.bytes, base, size, true)
    if (fault === undefined) {
      this.#visitLeaf({ ...inner, pgid: visit.pgid }, new Page(leaf.pgid, leaf.bytes, base, size))
      return
    }
    this.#find('bucket-damaged', visit.pgid, bucketPath, fault)
    if (inlinePageFault(leaf.bytes, base, size, false) !== undefined) return
    // Its keys can be counted, but buckets inside are not looked for: there could be no end to
    // them.
    this.#keys += new Page(leaf.pgid, leaf.bytes, base, size).count
  }

  *#checkFreelist(): Generator<number, void, void> {
    const { pager } = this.#core
    const { freelistPgid, highWaterMark } = this.#meta
    if (freelistPgid === undefined) {
      this.#free = highWaterMark - 2 - this.#reached.size
      yield* this.#checkMemory()
      return
    }
    const { bytes, fault } = pager.readRun(freelistPgid, highWaterMark)
    const ids = fault ?? decodeFreelistPage(bytes, highWaterMark)
    if (typeof ids === 'string') {
      this.#find('freelist-damaged', freelistPgid, '', ids)
      return
    }
    this.#freelist = bytes.length / pager.pageSizeBytes
    for (let i = 0; i < this.#freelist; i++) {
      if (this.#reached.add(freelistPgid + i)) continue
      this.#find(
        'page-reached-twice',
        freelistPgid + i,
        '',
        'it is in a tree and in the freelist run',
      )
    }
    this.#free = ids.length
    const free = new PageSet()
    for (const id of ids) {
      free.add(id)
      if (!this.#reached.has(id)) continue
      this.#find('page-reached-free', id, '', 'it is in use and on the freelist')
    }
    // Without a whole walk nothing can be said of what was not reached.
    const isWhole = this.#findings.length === 0
    for (let pgid = 2; isWhole && pgid < highWaterMark; pgid++) {
      if (this.#reached.has(pgid) || free.has(pgid)) continue
      this.#find('page-lost', pgid, '', 'nothing leads to it, and it is not on the freelist')
    }
    yield* this.#checkMemory()
  }

  /** The freelist that a writer would work with must say the same as the walk. */
  *#checkMemory(): Generator<number, void, void> {
    const { freelist, meta, head, isFreelistLoaded, allocation } = this.#core
    if (!isFreelistLoaded || this.#findings.length > 0) return
    if (this.#meta.txid !== head.txid) {
      yield* this.#checkReuse()
      return
    }
    const known = freelist.persistent(allocation?.taken ?? new PageSet())
    for (let pgid = 2; pgid < meta.highWaterMark; pgid++) {
      if (known.has(pgid) !== this.#reached.has(pgid)) continue
      const message = known.has(pgid) ? 'free in memory, in use in the file' : 'lost in memory'
      this.#find('freelist-memory', pgid, '', message)
    }
  }

  /** Of a generation that is not the head: no page of it may be handed out. */
  *#checkReuse(): Generator<number, void, void> {
    let count = 0
    for (const pgid of this.#reached) {
      if (++count % REUSE_STEP === 0) yield this.#reached.size
      if (!this.#core.freelist.isFree(pgid)) continue
      this.#find('freelist-memory', pgid, '', 'free in memory, in use in the file')
    }
  }
}

function keyAt(page: Page, index: number): Uint8Array {
  const start = page.keyStart(index)
  return page.bytes.subarray(start, start + page.keySize(index))
}
