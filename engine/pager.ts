/**
 * The data file as an address space of pages that fault in on first touch and are dropped by a
 * clock when a memory budget is reached.
 *
 * A page is validated once, when it is read, and trusted from then on. An overflow run is one
 * page object over one contiguous buffer. Buffers of dropped pages go to the garbage collector and
 * are never written again, so bytes lent from them stay good for as long as someone holds them.
 */

import { compareRange, readU64 } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import type { DiskFile } from '../disk/disk.ts'
import { Page, pageFault } from './page.ts'

const CHUNK_BITS = 10
const CHUNK_SIZE = 1 << CHUNK_BITS

export interface PagerStats {
  /** Bytes of page images in memory, dirty ones not counted. */
  readonly residentBytes: number
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
  #chunks: ((Page | undefined)[] | undefined)[] = []
  #residentBytes = 0
  #faults = 0
  #evictions = 0
  #hand = 0

  constructor(file: DiskFile, pageSizeBytes: number, budgetBytes: number, isStrict: boolean) {
    this.file = file
    this.pageSizeBytes = pageSizeBytes
    this.budgetBytes = budgetBytes
    this.isStrict = isStrict
  }

  stats(): PagerStats {
    return {
      residentBytes: this.#residentBytes,
      budgetBytes: this.budgetBytes,
      faults: this.#faults,
      evictions: this.#evictions,
    }
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
    this.forget(page.pgid)
    const at = Math.floor(page.pgid / CHUNK_SIZE)
    const chunk = (this.#chunks[at] ??= new Array<Page | undefined>(CHUNK_SIZE).fill(undefined))
    chunk[page.pgid % CHUNK_SIZE] = page
    this.#residentBytes += page.sizeBytes
  }

  /** Drops the page from memory, if it is there. Its bytes stay good for those who hold them. */
  forget(pgid: number): void {
    const chunk = this.#chunks[Math.floor(pgid / CHUNK_SIZE)]
    const page = chunk?.[pgid % CHUNK_SIZE]
    if (chunk === undefined || page === undefined) return
    chunk[pgid % CHUNK_SIZE] = undefined
    page.isResident = false
    page.kids = undefined
    unlink(page)
    this.#residentBytes -= page.sizeBytes
  }

  /** Lets go of every page: the file is closed. */
  clear(): void {
    this.#chunks = []
    this.#residentBytes = 0
  }

  /** Brings memory under the budget. Called between operations, never inside one. */
  trim(): void {
    if (this.#residentBytes <= this.budgetBytes) return
    const size = this.#chunks.length * CHUNK_SIZE
    // Two rounds: the first clears marks, the second finds what nobody touched since.
    for (let steps = 2 * size; steps > 0 && this.#residentBytes > this.budgetBytes; steps--) {
      if (this.#hand >= size) this.#hand = 0
      const chunk = this.#chunks[this.#hand >>> CHUNK_BITS]
      if (chunk === undefined) {
        this.#hand += CHUNK_SIZE
        steps -= CHUNK_SIZE - 1
        continue
      }
      const page = chunk[this.#hand % CHUNK_SIZE]
      this.#hand++
      if (page === undefined) continue
      if (page.isTouched) {
        page.isTouched = false
      } else {
        this.forget(page.pgid)
        this.#evictions++
      }
    }
  }

  /**
   * The first page of run `pgid` as it stands in the file, for those that look at pages without
   * believing them. `bytes` is fresh and holds the whole run where its header makes sense.
   */
  readRun(pgid: number, highWaterMark: number): { bytes: Uint8Array; fault: string | undefined } {
    const { pageSizeBytes } = this
    const position = pgid * pageSizeBytes
    const first = new Uint8Array(pageSizeBytes)
    if (pgid >= highWaterMark) {
      return { bytes: first, fault: `it lies beyond the high-water mark ${highWaterMark}` }
    }
    this.#faults++
    const got = this.file.read(first, position)
    if (got < pageSizeBytes) {
      return { bytes: first, fault: `the file ends ${pageSizeBytes - got} bytes before its end` }
    }
    const view = new DataView(first.buffer)
    const id = readU64(view, 0)
    if (id !== pgid) return { bytes: first, fault: `it calls itself page ${id}` }
    const overflow = view.getUint32(12, true)
    if (overflow === 0) return { bytes: first, fault: undefined }
    if (pgid + overflow >= highWaterMark) {
      return { bytes: first, fault: `its ${overflow} overflow pages pass the high-water mark` }
    }
    const bytes = new Uint8Array((overflow + 1) * pageSizeBytes)
    bytes.set(first)
    const rest = bytes.subarray(pageSizeBytes)
    if (this.file.read(rest, position + pageSizeBytes) < rest.length) {
      return { bytes, fault: `the file ends inside its overflow pages` }
    }
    return { bytes, fault: undefined }
  }

  corruption(pgid: number, message: string): CorruptionError {
    return new CorruptionError(`page ${pgid}: ${message}`, {
      file: this.file.path,
      offset: pgid * this.pageSizeBytes,
    })
  }

  #fault(pgid: number, highWaterMark: number): Page {
    const { bytes, fault } = this.readRun(pgid, highWaterMark)
    if (fault !== undefined) throw this.corruption(pgid, fault)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const rules = { isInline: false, isStrict: this.isStrict }
    const wrong = pageFault(bytes, view, { base: 0, sizeBytes: bytes.length }, rules)
    if (wrong !== undefined) throw this.corruption(pgid, wrong.message)
    const page = new Page(pgid, bytes, 0, bytes.length)
    this.install(page)
    return page
  }
}

function unlink(page: Page): void {
  const owner = page.linkOwner
  if (owner?.kids !== undefined && owner.kids[page.linkIndex] === page) {
    owner.kids[page.linkIndex] = undefined
  }
  page.linkOwner = undefined
}

/** Remembers that element `index` of `parent` leads to `child`, which the caller has checked. */
export function link(parent: Page, index: number, child: Page): void {
  if (!parent.isResident) return
  unlink(child)
  parent.kids ??= new Array<Page | undefined>(parent.count).fill(undefined)
  parent.kids[index] = child
  child.linkOwner = parent
  child.linkIndex = index
}

/** Whether the first key of `page` is byte-equal to a separator. */
export function startsWithKey(page: Page, bytes: Uint8Array, start: number, end: number): boolean {
  if (page.count === 0) return false
  const at = page.keyStart(0)
  return compareRange(page.bytes, at, at + page.keySize(0), bytes, start, end) === 0
}
