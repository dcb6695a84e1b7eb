/**
 * The data file as an address space of pages that fault in on first touch and are dropped by a
 * clock when a memory budget is reached.
 *
 * A page is validated once, when it is read, and trusted from then on. A single page stands in a
 * frame (frames.ts); an overflow run has one contiguous buffer, which goes to the garbage collector
 * when it is dropped. What is dropped while a transaction is open keeps its bytes until that one
 * has ended; on a file larger than the budget only what was lent does, and memory stays bounded
 * however much a transaction reads.
 */

import { compareRange, readU64 } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import type { DiskFile } from '../disk/disk.ts'
import { Frames, lentAt } from './frames.ts'
import { NodeEditor } from './node.ts'
import { Page, pageFault } from './page.ts'
import { PageSet } from './page-set.ts'
import { ReadAhead } from './read-ahead.ts'

const CHUNK_BITS = 10
const CHUNK_SIZE = 1 << CHUNK_BITS
/** Free frames below this are not worth being let go of. */
const FREE_BYTES_KEPT = 4 * 1024 * 1024
/** Objects of dropped pages kept for pages to come. */
const SHELLS_MAX = 2048

/** The cache of pages. */
export interface PagerStats {
  /** Bytes of page images in memory, those of an open write transaction not counted. */
  readonly residentBytes: number
  /** Bytes of dropped pages that open transactions may still look at. */
  readonly retiredBytes: number
  readonly budgetBytes: number
  /** Page runs read from the file since it was opened. */
  readonly faults: number
  /** Page runs dropped to stay within the budget. */
  readonly evictions: number
}

export class Pager {
  readonly file: DiskFile
  readonly pageSizeBytes: number
  readonly isStrict: boolean
  readonly budgetBytes: number
  readonly frames: Frames
  readonly editor: NodeEditor
  /** Set on one leaf after another by `Tree.look`: an object that stays in the cache. */
  readonly lens: Page = new Page(0)
  #chunks: ((Page | undefined)[] | undefined)[] = []
  #residentBytes = 0
  /**
   * The first page of each run that is newer than the file. They are not dropped, and don't count
   * towards the budget.
   */
  readonly #dirty: PageSet = new PageSet()
  #dirtyBytes = 0
  #faults = 0
  #evictions = 0
  #hand = 0
  /** Counts the uses begun; a use is the time in which a transaction is open. */
  #now = 0
  /** When the open uses began, oldest first. */
  readonly #uses: Set<number> = new Set<number>()
  /** Those of them that are not sparing. */
  readonly #lavish: Set<number> = new Set<number>()
  /** Walks under way that hold pages through descents of others. */
  #walks = 0
  /** Objects of pages that are cooling and that nobody knows any more afterwards. */
  #cooling: Page[] = []
  #ahead: ReadAhead | undefined
  /** How often pages were written to the file, for windows of it. */
  #changes = 0
  #shells: Page[] = []

  constructor(file: DiskFile, pageSizeBytes: number, budgetBytes: number, isStrict: boolean) {
    this.file = file
    this.pageSizeBytes = pageSizeBytes
    this.budgetBytes = budgetBytes
    this.isStrict = isStrict
    this.frames = new Frames(pageSizeBytes, budgetBytes)
    this.editor = new NodeEditor(this.frames, isStrict)
  }

  stats(): PagerStats {
    return {
      residentBytes: this.#residentBytes,
      retiredBytes: this.frames.retiredBytes,
      budgetBytes: this.budgetBytes,
      faults: this.#faults,
      evictions: this.#evictions,
    }
  }

  /**
   * A transaction begins: from now on dropped pages keep their bytes. One that is `isSparing` looks
   * at a page that was dropped in an operation before only where it has had bytes of it lent.
   * Returns what ends it.
   */
  beginUse(isSparing: boolean): number {
    this.#uses.add(++this.#now)
    if (!isSparing) this.#lavish.add(this.#now)
    return this.#now
  }

  /** The transaction has ended: what only it could look at may be used again. Idempotent. */
  endUse(use: number): void {
    if (!this.#uses.delete(use)) return
    this.#lavish.delete(use)
    this.frames.release(this.#oldestUse())
    this.trim()
    this.frames.shrink(Math.max(FREE_BYTES_KEPT, this.budgetBytes >>> 2))
  }

  /** An operation begins to look for its pages: nobody looks any more at what the last one did. */
  beginDescent(): void {
    if (!this.frames.hasCooling || this.#walks > 0) return
    this.frames.useCooled()
    for (const page of this.#cooling) if (this.#shells.length < SHELLS_MAX) this.#shells.push(page)
    this.#cooling = []
  }

  /** Within `walk` pages stay as they are through any number of descents. */
  holding<T>(walk: () => T): T {
    this.#walks++
    try {
      return walk()
    } finally {
      this.#walks--
    }
  }

  /** Whether no transaction is open but the one that `use` stands for. */
  isOnlyUse(use: number): boolean {
    return this.#uses.size === 1 && this.#uses.has(use)
  }

  #oldestUse(): number {
    for (const use of this.#uses) return use
    return Infinity
  }

  /**
   * From now on, until what it returns is called, pages that follow each other in the file are read
   * many at a time: for whoever goes through all of them.
   */
  beginReadAhead(): () => void {
    this.#ahead = this.newWindow()
    return () => {
      this.#ahead = undefined
    }
  }

  /** A window of the file for a walk of one's own: see `readRun`. */
  newWindow(): ReadAhead {
    return new ReadAhead(this.file, this.pageSizeBytes)
  }

  /** The branch or leaf page `pgid`, read and validated if it isn't in memory. */
  page(pgid: number, highWaterMark: number): Page {
    const cached = this.#chunks[Math.floor(pgid / CHUNK_SIZE)]?.[pgid % CHUNK_SIZE]
    if (cached !== undefined) {
      cached.isTouched = true
      return cached
    }
    return this.#fault(pgid, highWaterMark)
  }

  /** Takes in a page that was just written, in place of whatever the id named before. */
  install(page: Page): void {
    this.#changes++
    this.#enter(page)
  }

  #enter(page: Page): void {
    this.forget(page.pgid)
    const at = Math.floor(page.pgid / CHUNK_SIZE)
    const chunk = (this.#chunks[at] ??= new Array<Page | undefined>(CHUNK_SIZE).fill(undefined))
    chunk[page.pgid % CHUNK_SIZE] = page
    page.isTouched = true
    this.#residentBytes += page.sizeBytes
  }

  /** The ids of pages that are not in the file yet, as of now. */
  dirtyIds(): PageSet {
    return this.#dirty.copy()
  }

  get dirtyBytes(): number {
    return this.#dirtyBytes
  }

  /** As `install`, of a page that is not in the file yet. */
  installDirty(page: Page): void {
    this.install(page)
    page.isDirty = true
    this.#dirty.add(page.pgid)
    this.#dirtyBytes += page.sizeBytes
    this.#residentBytes -= page.sizeBytes
  }

  /** The page `pgid` where the file does not have it yet; undefined where it does. */
  findDirty(pgid: number): Page | undefined {
    const page = this.#chunks[Math.floor(pgid / CHUNK_SIZE)]?.[pgid % CHUNK_SIZE]
    return page?.isDirty === true ? page : undefined
  }

  /** The file has the page now. */
  settleDirty(page: Page): void {
    if (!page.isDirty) return
    this.#changes++
    page.isDirty = false
    this.#dirty.delete(page.pgid)
    this.#dirtyBytes -= page.sizeBytes
    this.#residentBytes += page.sizeBytes
  }

  /**
   * Takes the page out of the cache without letting go of it: it becomes a node. False where it is
   * not there, or may not stand for itself: what `bounds` lets pass must be packed anew.
   */
  takeOut(page: Page): boolean {
    const { pgid } = page
    const chunk = this.#chunks[Math.floor(pgid / CHUNK_SIZE)]
    if (!this.isStrict || page.isDirty || chunk?.[pgid % CHUNK_SIZE] !== page) return false
    this.#clearSlot(page)
    // Where commits go into a log, a root that readers see may lead to it by another page.
    unlink(page)
    return true
  }

  #clearSlot(page: Page): void {
    const chunk = this.#chunks[Math.floor(page.pgid / CHUNK_SIZE)]
    if (chunk !== undefined) chunk[page.pgid % CHUNK_SIZE] = undefined
    this.settleDirty(page)
    this.#residentBytes -= page.sizeBytes
  }

  /** Drops the page from memory, if it is there. */
  forget(pgid: number): void {
    const page = this.#chunks[Math.floor(pgid / CHUNK_SIZE)]?.[pgid % CHUNK_SIZE]
    if (page === undefined) return
    this.#clearSlot(page)
    page.isResident = false
    page.kids = undefined
    page.signpost = undefined
    unlink(page)
    if (this.#uses.size === 0) this.#give(page)
    else if (this.#mayBeSeen(page)) this.frames.retire(page, this.#now)
    else this.#cool(page)
  }

  #give(page: Page): void {
    if (page.slab !== undefined && this.#shells.length < SHELLS_MAX) this.#shells.push(page)
    this.frames.give(page)
  }

  #cool(page: Page): void {
    // Pages that are read once and dropped would leave the collector an object each, and it takes
    // its time: some 40 MiB of them.
    if (page.slab !== undefined && page.holders === 0) this.#cooling.push(page)
    this.frames.cool(page)
  }

  /** Whether an open transaction may look at this page again after the operation under way. */
  #mayBeSeen(page: Page): boolean {
    return this.#lavish.size > 0 || this.#walks > 0 || lentAt(page) >= this.#oldestUse()
  }

  /** Lets go of every page: the file is closed. */
  clear(): void {
    this.#chunks = []
    this.#residentBytes = 0
    this.#dirtyBytes = 0
    this.#cooling = []
    this.#shells = []
    this.frames.clear()
  }

  /** Brings memory under the budget. Pages of the path under way stand in memory that is kept. */
  trim(): void {
    if (this.#residentBytes <= this.budgetBytes) return
    // A little more than asked, so that not every fault has to.
    const target = this.budgetBytes - (this.budgetBytes >>> 6)
    const size = this.#chunks.length * CHUNK_SIZE
    // Two rounds: the first clears marks, the second finds what nobody touched since.
    for (let steps = 2 * size; steps > 0 && this.#residentBytes > target; steps--) {
      if (this.#hand >= size) this.#hand = 0
      const chunk = this.#chunks[this.#hand >>> CHUNK_BITS]
      if (chunk === undefined) {
        this.#hand += CHUNK_SIZE
        steps -= CHUNK_SIZE - 1
        continue
      }
      const page = chunk[this.#hand % CHUNK_SIZE]
      this.#hand++
      if (page === undefined || page.isDirty) continue
      if (this.frames.takeMark(page)) continue
      this.forget(page.pgid)
      this.#evictions++
    }
    this.frames.compact(this.budgetBytes >>> 3)
  }

  /**
   * The first page of run `pgid` as it stands in the file, for those that look at pages without
   * believing them. `bytes` holds the whole run where its header makes sense. Who walks through
   * many has a window of its own, and room for one page, where most runs then stand; else `bytes`
   * is fresh.
   */
  readRun(
    pgid: number,
    highWaterMark: number,
    walk?: { readonly window: ReadAhead; readonly room: Uint8Array },
  ): { bytes: Uint8Array; fault: string | undefined } {
    const first = walk?.room ?? new Uint8Array(this.pageSizeBytes)
    const fault = this.#readFirst(pgid, first, { highWaterMark, ahead: walk?.window })
    if (fault !== undefined) return { bytes: first, fault }
    return overflowOf(first) === 0 ? { bytes: first, fault } : this.#readOverflow(pgid, first)
  }

  corruption(pgid: number, message: string): CorruptionError {
    return new CorruptionError(`page ${pgid}: ${message}`, {
      file: this.file.path,
      offset: pgid * this.pageSizeBytes,
    })
  }

  /** Reads the first page of a run; returns what is wrong with its place or its name. */
  #readFirst(
    pgid: number,
    target: Uint8Array,
    {
      highWaterMark,
      ahead,
    }: { readonly highWaterMark: number; readonly ahead: ReadAhead | undefined },
  ): string | undefined {
    const { pageSizeBytes } = this
    if (pgid >= highWaterMark) return `it lies beyond the high-water mark ${highWaterMark}`
    this.#faults++
    ahead?.keepUp(this.#changes)
    const position = pgid * pageSizeBytes
    const got = ahead === undefined ? this.file.read(target, position) : ahead.read(target, pgid)
    if (got < pageSizeBytes) return `the file ends ${pageSizeBytes - got} bytes before its end`
    const id = idOf(target)
    if (id !== pgid) return `it calls itself page ${id}`
    const overflow = overflowOf(target)
    return pgid + overflow >= highWaterMark
      ? `its ${overflow} overflow pages pass the high-water mark`
      : undefined
  }

  /** Reads the rest of the run that `first` begins. */
  #readOverflow(pgid: number, first: Uint8Array): { bytes: Uint8Array; fault: string | undefined } {
    const { pageSizeBytes } = this
    const bytes = new Uint8Array((overflowOf(first) + 1) * pageSizeBytes)
    bytes.set(first)
    const rest = bytes.subarray(pageSizeBytes)
    const got = this.file.read(rest, (pgid + 1) * pageSizeBytes)
    const fault = got < rest.length ? 'the file ends inside its overflow pages' : undefined
    return { bytes, fault }
  }

  #fault(pgid: number, highWaterMark: number): Page {
    this.trim()
    const page = this.#shells.pop() ?? new Page(pgid)
    page.renew(pgid)
    this.frames.take(page)
    try {
      this.#readInto(page, highWaterMark)
    } catch (error) {
      this.frames.give(page)
      throw error
    }
    this.#enter(page)
    return page
  }

  /** Reads and validates the run of `page`, which stands in a frame and leaves it for overflow. */
  #readInto(page: Page, highWaterMark: number): void {
    const { pgid } = page
    const { pageSizeBytes, isStrict } = this
    const frame = page.bytes.subarray(page.base, page.base + pageSizeBytes)
    const fault = this.#readFirst(pgid, frame, { highWaterMark, ahead: this.#ahead })
    if (fault !== undefined) throw this.corruption(pgid, fault)
    let sizeBytes = pageSizeBytes
    if (overflowOf(frame) > 0) {
      const run = this.#readOverflow(pgid, frame)
      if (run.fault !== undefined) throw this.corruption(pgid, run.fault)
      this.frames.give(page)
      page.enterBuffer(run.bytes, new DataView(run.bytes.buffer))
      sizeBytes = run.bytes.length
    }
    const range = { base: page.base, sizeBytes }
    const wrong = pageFault(page.bytes, page.view, range, { isInline: false, isStrict })
    if (wrong !== undefined) throw this.corruption(pgid, wrong.message)
    page.readHeader(sizeBytes)
  }
}

function idOf(page: Uint8Array): number {
  return readU64(new DataView(page.buffer, page.byteOffset, 8), 0)
}

function overflowOf(page: Uint8Array): number {
  return new DataView(page.buffer, page.byteOffset, 16).getUint32(12, true)
}

function unlink(page: Page): void {
  const kids = page.linkKids
  if (kids === undefined) return
  page.linkKids = undefined
  // In a node the children after an inserted one stand one further than they know.
  const at = kids[page.linkIndex] === page ? page.linkIndex : kids.indexOf(page)
  if (at >= 0) kids[at] = undefined
}

/** Remembers that element `index` of `parent` leads to `child`, which the caller has checked. */
export function link(parent: Page, index: number, child: Page): void {
  if (!parent.isResident) return
  unlink(child)
  const kids = (parent.kids ??= new Array<Page | undefined>(parent.count).fill(undefined))
  kids[index] = child
  child.linkKids = kids
  child.linkIndex = index
}

/** Whether the first key of `page` is byte-equal to a separator. */
export function startsWithKey(page: Page, bytes: Uint8Array, start: number, end: number): boolean {
  if (page.count === 0) return false
  const at = page.keyStart(0)
  return compareRange(page.bytes, at, at + page.keySize(0), bytes, start, end) === 0
}
