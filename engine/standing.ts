/** How a file stands to its log. */

import type { Engine } from './engine.ts'
import { freelistPages } from './freelist-page.ts'

/** Whether commits were made that the file's newest generation doesn't have. */
export function isAheadOfFile({ core }: Engine): boolean {
  return core.head.txid > core.meta.txid
}

/** Whether the generation before the newest one, where it is kept, has the same log's mark. */
export function isPreviousStamped({ core: { meta, previous } }: Engine): boolean {
  return previous === undefined || previous.flags === meta.flags
}

/**
 * How many pages the head needs: all that its root leads to, the metas, and the free list as the
 * next checkpoint will write it. What is free, or is kept for older roots only, doesn't count. Of a
 * file that is written to.
 */
export function pagesInUse({ core }: Engine): number {
  const { head, freelist, freelistRun, pageSizeBytes } = core
  const oldRun = freelistRun?.count ?? 0
  const listed = freelist.freeCount + freelist.pendingCount + oldRun
  const newRun = core.persistFreelist ? freelistPages(listed, pageSizeBytes) : 0
  return head.highWaterMark - listed + newRun
}

/**
 * How long the file is or has to be for the head, and how much of that is in use, in bytes. Both of
 * one moment: readers may see an older root, whose end is another.
 */
export function sizesOf(engine: Engine): {
  readonly sizeBytes: number
  readonly sizeInUseBytes: number
} {
  const { head, fileSizeBytes, pageSizeBytes, isFreelistLoaded } = engine.core
  const neededBytes = head.highWaterMark * pageSizeBytes
  return {
    sizeBytes: Math.max(fileSizeBytes, neededBytes),
    sizeInUseBytes: isFreelistLoaded ? pagesInUse(engine) * pageSizeBytes : neededBytes,
  }
}
