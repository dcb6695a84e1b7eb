/**
 * Writing to the file: page images in ascending order, those that stand side by side there in one
 * call of at most 1 MiB.
 */

import type { Core } from './core.ts'
import { encodeMetaPage } from './meta.ts'
import type { Page } from './page.ts'

const RUN_SIZE_MAX = 1024 * 1024
/** So much is written before the disk is set to work on it, while the rest is being sealed. */
const WRITEBACK_SIZE = 8 * 1024 * 1024

/**
 * Writes pages and placed nodes to their places. Not durable before the file is synced. A node is
 * sealed just before it is written: so its bytes come from memory once, not twice.
 */
export function writeImages(core: Core, pages: Page[]): void {
  const { file, pageSizeBytes } = core
  pages.sort((a, b) => a.pgid - b.pgid)
  let unsent = 0
  for (const run of runsOf(pages, pageSizeBytes)) {
    file.write(joined(core, pages, run), (pages[run.from] as Page).pgid * pageSizeBytes)
    unsent += run.size
    if (unsent < WRITEBACK_SIZE) continue
    file.beginWriteback()
    unsent = 0
  }
}

/** Which of `pages`, in ascending order, one call writes; a longer page has a call of its own. */
function* runsOf(pages: readonly Page[], pageSizeBytes: number): Generator<Run, void, undefined> {
  for (let from = 0; from < pages.length;) {
    const first = pages[from] as Page
    let size = first.sizeBytes
    let to = from + 1
    for (; to < pages.length; to++) {
      const next = pages[to] as Page
      if (next.pgid !== first.pgid + size / pageSizeBytes) break
      if (size + next.sizeBytes > RUN_SIZE_MAX) break
      size += next.sizeBytes
    }
    yield { from, to, size }
    from = to
  }
}

/**
 * Puts a copy of the meta that this file stands at over a newer one in `slot` that was passed over:
 * its pages are about to be used again, and a power cut must not bring it back. To be synced before
 * anything else is written.
 */
export function writeOverPassed(core: Core, slot: 0 | 1): void {
  const { file, meta, pageSizeBytes } = core
  file.write(encodeMetaPage({ ...meta, slot }), slot * pageSizeBytes)
}

/** Pages `[from, to)` of a list, and their bytes in all. */
interface Run {
  readonly from: number
  readonly to: number
  readonly size: number
}

function joined(core: Core, pages: readonly Page[], { from, to, size }: Run): Uint8Array {
  if (to === from + 1) return imageOf(core, pages[from] as Page)
  // One buffer for all: a write has taken the bytes when it returns.
  core.writeBuffer ??= new Uint8Array(RUN_SIZE_MAX)
  const run = core.writeBuffer
  let at = 0
  for (let i = from; i < to; i++) {
    const page = pages[i] as Page
    run.set(imageOf(core, page), at)
    at += page.sizeBytes
  }
  return run.subarray(0, size)
}

function imageOf(core: Core, page: Page): Uint8Array {
  if (page.isNode) {
    core.pager.frames.warm(page)
    core.pager.editor.seal(page)
  }
  return page.bytes.subarray(page.base, page.base + page.sizeBytes)
}
