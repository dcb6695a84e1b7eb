/**
 * What `stats()` tells: how much the store holds at the newest durable revision, and who holds
 * something of it. Nothing is walked for it; what is counted is counted as it comes and goes.
 */

import { sizesOf } from '../engine/standing.ts'
import type { Head, Mvcc } from '../mvcc/mvcc.ts'
import type { Database } from '../snapshot/database.ts'
import type { WatchHub } from '../watch/watch-hub.ts'
import type { GroupQueue } from './group-queue.ts'
import type { OpenViews } from './open-views.ts'
import { asResult } from './result.ts'
import type { StoreStats } from './types/maintenance.ts'

export interface StatisticsSetup {
  readonly database: Database
  readonly mvcc: Mvcc
  readonly hub: WatchHub
  readonly queue: GroupQueue
  readonly views: OpenViews
  /** The newest head that is durable. */
  readonly head: () => Head
}

/** The newest of the heads that became durable, in whatever order that is told. */
export class DurableHead {
  #newest: Head

  /** Nothing is under way yet. */
  constructor(head: Head) {
    this.#newest = head
  }

  get newest(): Head {
    return this.#newest
  }

  advance(head: Head): void {
    if (head.group > this.#newest.group) this.#newest = head
  }
}

export function readStatistics(setup: StatisticsSetup): StoreStats {
  const { database, mvcc, hub, queue, views } = setup
  const { revision, keyCount, revisionCount, leaseCount } = setup.head()
  const { synced, unsynced, slow } = hub.counts
  const { recordBytes, treeBytes, tableBytes, historyBytes } = mvcc.index.memory
  return asResult({
    revision,
    compactedRevision: mvcc.compactedRevision,
    keyCount,
    revisionCount,
    ...sizesOf(database.engine),
    indexBytes: recordBytes + treeBytes + tableBytes + historyBytes,
    pendingBytes: queue.pendingBytes,
    logBytes: database.checkpointer?.grownBytes ?? 0,
    viewCount: views.count,
    oldestViewMs: views.oldestMs,
    watchCount: synced + unsynced + slow,
    leaseCount,
  })
}
