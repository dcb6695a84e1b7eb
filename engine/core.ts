/**
 * The state of one open file, shared by opening, committing, checking and copying: the file, its
 * pages in memory, the two generations that are kept whole, and who reads.
 */

import type { DiskFile } from '../disk/disk.ts'
import { KvError } from '../base/errors.ts'
import { Example } from '../base/example.ts'
import type { Allocation } from './allocation.ts'
import type { CommitPlan } from './commit.ts'
import { Freelist } from './freelist.ts'
import type { Logged } from './logged.ts'
import type { Meta } from './meta.ts'
import type { Pager } from './pager.ts'
import type { Tx } from './tx.ts'

export interface PageRun {
  readonly first: number
  readonly count: number
}

/**
 * A checkpoint may set free as many pages as the file has. Where commits go into a log and take
 * microseconds, each writer sets free so many as it begins.
 */
const RELEASE_MAX = 2048

export class Core {
  readonly file: DiskFile
  readonly pager: Pager
  readonly pageSizeBytes: number
  /** Whether commits write the freelist to the file. */
  readonly persistFreelist: boolean
  /** The newest generation of the file. */
  meta: Meta
  /** Set where commits go into a log, and into the file by checkpoints. */
  logged: Logged | undefined = undefined
  /** The generation before it, while it is known to be whole. */
  previous: Meta | undefined
  /** The slot of a newer meta that opening passed over; the first commit must make an end of it. */
  passedOverSlot: 0 | 1 | undefined = undefined
  freelist: Freelist = new Freelist()
  /** False in a file opened read-only, which needs no freelist. */
  isFreelistLoaded = false
  /** Where the freelist of `meta` stands. */
  freelistRun: PageRun | undefined
  fileSizeBytes: number
  readonly readers: Set<Tx> = new Set<Tx>()
  /** What the open writer has taken, once it has taken any. */
  allocation: Allocation | undefined = undefined
  /** Where pages are put together for one write; made when first needed. */
  writeBuffer: Uint8Array | undefined = undefined
  /** A small commit that is done. */
  readonly example: Example<CommitPlan> = new Example<CommitPlan>()
  readonly #pins: number[] = []
  readonly #forget: (pgid: number) => void = (pgid) => this.pager.forget(pgid)
  #freelistBuffer: Uint8Array = new Uint8Array(0)
  /** Set by the failure after which nothing more may be written. */
  poison: unknown = undefined
  isPoisoned = false

  constructor(file: DiskFile, pager: Pager, meta: Meta, persistFreelist: boolean) {
    this.file = file
    this.pager = pager
    this.pageSizeBytes = pager.pageSizeBytes
    this.meta = meta
    this.previous = undefined
    this.freelistRun = undefined
    this.persistFreelist = persistFreelist
    this.fileSizeBytes = file.size()
  }

  /** What the writer builds on. */
  get head(): Meta {
    return this.logged?.head ?? this.meta
  }

  /** What readers that begin now see: durable, in the file or in the log. */
  get visible(): Meta {
    return this.logged?.visible ?? this.meta
  }

  /** How many pages what a transaction at `meta` sees may take. */
  usedPagesAt(meta: Meta): number {
    return meta.highWaterMark - (this.isFreelistLoaded ? this.freelist.freeCount : 0)
  }

  /** Where a commit makes the image of the freelist: `sizeBytes` of anything. */
  freelistRoom(sizeBytes: number): Uint8Array {
    // It may be long, and a buffer for each commit would wait long for the garbage collector.
    if (this.#freelistBuffer.length < sizeBytes) {
      this.#freelistBuffer = new Uint8Array(sizeBytes + (sizeBytes >>> 2))
    }
    return this.#freelistBuffer.subarray(0, sizeBytes)
  }

  /** The txids of all roots that must stay whole, mostly ascending. Valid until the next call. */
  pins(): readonly number[] {
    const pins = this.#pins
    pins.length = 0
    if (this.previous !== undefined) pins.push(this.previous.txid)
    pins.push(this.meta.txid)
    this.logged?.addPins(pins)
    for (const reader of this.readers) pins.push(reader.id)
    return pins
  }

  /** Sets free what no root that must stay whole can reach: a writer is about to begin. */
  releasePages(): void {
    const pagesMax = this.logged === undefined ? Infinity : RELEASE_MAX
    this.freelist.release(this.pins(), this.#forget, pagesMax)
  }

  /** Lets nothing through any more: what is on disk is no longer what memory says. */
  poisonWith(cause: unknown): void {
    if (this.isPoisoned) return
    this.isPoisoned = true
    this.poison = cause
  }

  mustBeSound(): void {
    if (!this.isPoisoned) return
    throw new KvError(
      'KV_POISONED',
      `${this.file.path}: an earlier failure makes it unsafe to go on; close it and open it again`,
      { cause: this.poison },
    )
  }
}
