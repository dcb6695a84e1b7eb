/**
 * The quota: how much room the store's data may take in the file, and which writes go beyond it.
 *
 *   counted   pages that the newest state needs, durable or not, the free list among them, and
 *             what the writes of the group have added to them so far
 *   asked     what the write may add: its rows in pages, at worst
 *
 * Pages that are free, or held for a reader or an older generation only, don't count: later writes
 * get them. So compaction makes room at once, and the file itself may be longer than the quota.
 *
 * Rows arrive in the order of revisions, at the right edge of their tree, where a page is left full
 * before the next is begun. So rows of half a page or less fill half of each page or more, and a
 * longer one takes the pages it needs, with what its neighbours leave over. What came of it is
 * known when the group has its pages; a write that would be refused for what others of its group
 * were thought to add is run again in the next one.
 */

import { KvError } from '../base/errors.ts'
import type { Engine } from '../engine/index.ts'
import { pagesInUse } from '../engine/standing.ts'
import type { SpaceBook } from '../mvcc/space-book.ts'

/** What a row takes beside its key and value, at most: the element, the revision, field tags. */
const ROW_BYTES = 128
/** One leaf in so many pages of them is what the branches above take, at most. */
const LEAVES_PER_BRANCH = 64
/** New pages on the way from the root to the right edge, of all trees that a write may touch. */
const EDGE_PAGES = 8
/** An alarm ends when one part in so many of the quota is free. */
const EASE_PARTS = 16

export interface SpaceSetup {
  readonly engine: Engine
  readonly quotaBytes: number
  /** A write was refused. Must not write itself. */
  readonly onRefused: () => void
}

export class Space implements SpaceBook {
  readonly isLimited: boolean
  readonly #setup: SpaceSetup
  /** What the file's pages took when the group began. */
  #usedBytes = 0
  /** What its writes have added. */
  #addedBytes = 0
  isTooEarly = false
  /** The most that a write asked for that was refused, since there was last room. */
  #lackedBytes = 0

  /** `quotaBytes` may be Infinity: no quota. */
  constructor(setup: SpaceSetup) {
    this.#setup = setup
    this.isLimited = setup.quotaBytes !== Infinity
  }

  /** What counts now. */
  get usedBytes(): number {
    const { engine } = this.#setup
    return pagesInUse(engine) * engine.pageSizeBytes
  }

  /** Whether so much is free again that an alarm may end. */
  get isEased(): boolean {
    const { quotaBytes, engine } = this.#setup
    if (!this.isLimited) return true
    // Also what every write asks for: else one that was refused for little would end it at once.
    const leastBytes = quotaBytes / EASE_PARTS + EDGE_PAGES * engine.pageSizeBytes
    const wanted = Math.max(this.#lackedBytes, leastBytes)
    // What takes more than half of the quota is not waited for.
    const isEased = this.usedBytes + Math.min(wanted, quotaBytes / 2) <= quotaBytes
    if (isEased) this.#lackedBytes = 0
    return isEased
  }

  begin(): void {
    if (!this.isLimited) return
    this.#usedBytes = this.usedBytes
    this.#addedBytes = 0
    this.isTooEarly = false
  }

  costOf(byteCount: number): number {
    const { pageSizeBytes } = this.#setup.engine
    const rowBytes = byteCount + ROW_BYTES
    const leafBytes =
      rowBytes > pageSizeBytes / 2
        ? Math.ceil(rowBytes / pageSizeBytes) * pageSizeBytes
        : rowBytes * 2
    return leafBytes + Math.ceil(leafBytes / LEAVES_PER_BRANCH)
  }

  admit(cost: number): void {
    if (cost === 0 || !this.isLimited) return
    const { quotaBytes, engine, onRefused } = this.#setup
    const usedBytes = this.#usedBytes + this.#addedBytes
    const askedBytes = cost + EDGE_PAGES * engine.pageSizeBytes
    if (usedBytes + askedBytes <= quotaBytes) {
      this.#addedBytes += cost
      return
    }
    this.isTooEarly = this.#addedBytes > 0
    if (!this.isTooEarly) {
      this.#lackedBytes = Math.max(this.#lackedBytes, askedBytes)
      onRefused()
    }
    const excess = usedBytes + askedBytes - quotaBytes
    throw new KvError(
      'KV_NO_SPACE',
      `${engine.path}: its data takes ${usedBytes} bytes and the write may add ${askedBytes}: ` +
        `${excess} more than quotaBytes, ${quotaBytes}, allows. Make room with compact(), after ` +
        `delete() where all of it is current, and defragment(); or open it with a higher quota`,
    )
  }

  add(cost: number): void {
    this.#addedBytes += cost
  }
}
