/**
 * Reads pages of the file many at a time where they are asked for one after the other.
 *
 * A call for each page costs more than what it copies: a quarter of opening a large store. A page
 * that follows one of the last two read begins a window; a branch page between leaves breaks no
 * row. Where nothing follows, each page is one read of its own, as without.
 *
 * What is in the window is what the file held when it was read; it is dropped where the file has
 * changed since.
 */

import type { DiskFile } from '../disk/disk.ts'

const WINDOW_BYTES = 128 * 1024

export class ReadAhead {
  readonly #file: DiskFile
  readonly #pageSizeBytes: number
  readonly #window: Uint8Array
  /** The pages in the window: [start, end). */
  #start = 0
  #end = 0
  /** Where the last two reads ended. */
  #next = -1
  #nextBefore = -1
  /** What the count of changes was when the window was read. */
  #changes = 0

  constructor(file: DiskFile, pageSizeBytes: number) {
    this.#file = file
    this.#pageSizeBytes = pageSizeBytes
    this.#window = new Uint8Array(Math.max(WINDOW_BYTES, 2 * pageSizeBytes))
  }

  /** As `DiskFile.read` of the page. */
  read(target: Uint8Array, pgid: number): number {
    const size = this.#pageSizeBytes
    if (pgid < this.#start || pgid >= this.#end) {
      const isNext = pgid === this.#next || pgid === this.#nextBefore
      if (!isNext || !this.#fill(pgid)) {
        this.#note(pgid + 1)
        return this.#file.read(target, pgid * size)
      }
    }
    const at = (pgid - this.#start) * size
    target.set(this.#window.subarray(at, at + size))
    return size
  }

  /** To be told before a read how often the file was written to so far. */
  keepUp(changes: number): void {
    if (changes === this.#changes) return
    this.#changes = changes
    this.#start = 0
    this.#end = 0
  }

  /** Reads the window that begins with a page; false where the file ends within that. */
  #fill(pgid: number): boolean {
    const size = this.#pageSizeBytes
    const got = this.#file.read(this.#window, pgid * size)
    this.#start = pgid
    this.#end = pgid + Math.floor(got / size)
    if (this.#end === pgid) return false
    this.#note(this.#end)
    return true
  }

  #note(next: number): void {
    this.#nextBefore = this.#next
    this.#next = next
  }
}
