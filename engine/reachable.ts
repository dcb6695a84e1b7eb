/** The set of pages that one generation reaches: for files whose freelist is not persisted. */

import type { Core } from './core.ts'
import type { Meta } from './meta.ts'
import { PageSet } from './page-set.ts'
import { collectPages } from './reach.ts'
import { Tx } from './tx.ts'

/** Walks all buckets of `meta`. Throws CorruptionError where the walk meets damage. */
export function reachablePages(core: Core, meta: Meta): PageSet {
  const host = {
    allocation: noCommit,
    writeEarly: noCommit,
    commit: noCommit,
    commitAsync: noCommit,
    commitQueued: noCommit,
    ended: () => {},
  }
  const { pager } = core
  const usedPages = core.usedPagesAt(meta)
  const tx = new Tx({ pager, meta, id: meta.txid, usedPages, host, writable: false })
  const reachable = new PageSet()
  const runs = collectPages(tx.root)
  for (let i = 0; i < runs.length; i += 2) {
    for (let k = 0; k < (runs[i + 1] as number); k++) {
      const pgid = (runs[i] as number) + k
      if (!reachable.add(pgid)) throw core.pager.corruption(pgid, 'it is reached twice')
    }
  }
  tx.close()
  return reachable
}

function noCommit(): never {
  throw new TypeError('a read transaction has nothing to commit')
}
