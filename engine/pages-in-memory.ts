/**
 * Pages that only memory has when a copy begins. A checkpoint may bring them to the file while the
 * copy goes on, and then memory may drop them: so those of a stretch are taken before it is read.
 * What is not in memory by then was in the file before.
 */

import type { Core } from './core.ts'
import { sealPage } from './node.ts'
import type { Page } from './page.ts'
import type { PageSet } from './page-set.ts'

export class PagesInMemory {
  readonly #core: Core
  readonly #wanted: PageSet | undefined
  readonly #pgids: Iterator<number>
  #next: IteratorResult<number, unknown>

  /** `wanted`: others are left out. Default: all there are. */
  constructor(core: Core, wanted?: PageSet) {
    this.#core = core
    this.#wanted = wanted
    this.#pgids = core.pager.dirtyIds()[Symbol.iterator]()
    this.#next = this.#pgids.next()
  }

  /** Copies of what lies in `[position, position + size)`. Stretches are asked for in order. */
  within(position: number, size: number): { bytes: Uint8Array; at: number }[] {
    const { pageSizeBytes } = this.#core
    const patches: { bytes: Uint8Array; at: number }[] = []
    for (; this.#next.done !== true; this.#next = this.#pgids.next()) {
      const start = this.#next.value * pageSizeBytes
      if (start >= position + size) break
      if (this.#wanted?.has(this.#next.value) === false) continue
      const page = findSealed(this.#core, this.#next.value)
      if (page === undefined) continue
      const end = start + page.sizeBytes
      const from = Math.max(start, position)
      const to = Math.min(end, position + size)
      if (from < to) {
        const base = page.base - start
        patches.push({ bytes: page.bytes.slice(base + from, base + to), at: from - position })
      }
      // It goes on in the next stretch.
      if (end > position + size) break
    }
    return patches
  }
}

/** The page as a checkpoint would write it, where the file does not have it yet. */
export function findSealed({ pager }: Core, pgid: number): Page | undefined {
  const page = pager.findDirty(pgid)
  if (page !== undefined) sealPage(page)
  return page
}
