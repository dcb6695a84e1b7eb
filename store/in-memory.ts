/**
 * What a store without files stands on: a disk in memory that is its own.
 *
 * The store is the same one, log and checkpoints included, so that it behaves the same in all else.
 * What only takes room here is kept short: the log, which nobody will ever read, and the cache of
 * pages, which are in memory as it is.
 */

import { MemoryDisk } from '../disk/memory-disk.ts'
import type { Disk } from '../disk/disk.ts'
import type { Defaults, Tuning } from './open.ts'

const MIB = 1024 * 1024

const DEFAULTS: Defaults = { sync: 'none', checkpointBytes: 4 * MIB, cacheBytes: 32 * MIB }

export function inMemory(): { disk: Disk; tuning: Tuning; defaults: Defaults } {
  const disk = new MemoryDisk({ isPlain: true, asyncOrder: 'asCalled' })
  return { disk, tuning: { segmentBytes: MIB }, defaults: DEFAULTS }
}
