/** A small store with something of everything, for tests that do one thing to it many times. */

import type { MemoryDisk } from '../../disk/memory-disk.ts'
import { openOn } from '../../store/open.ts'
import type { BuiltLocalStore } from '../../store/types.ts'

export const BACKUP = '/backups/b.db'
export const BACKUP_MANIFEST = '/backups/b.db.manifest.json'

/** Its history, a tombstone, a lease, compacted rows and an overflow page; nothing is under way. */
export async function smallStore(disk: MemoryDisk): Promise<BuiltLocalStore> {
  disk.makeDirectory('/backups')
  const store = await openOn(disk, '/data', { checkpointBytes: 8 * 1024 })
  await store.grant({ id: 7n, ttlSeconds: 5000 })
  for (let i = 0; i < 12; i++) await store.put(`key ${i % 5}`, `${i}`.repeat(60), { lease: 7n })
  await store.put('long', 'x'.repeat(5000))
  await store.delete('key 3')
  await store.compact(6, { physical: true })
  for (const directory of ['/', '/backups']) disk.syncDirectory(directory)
  return store
}

/** What a store answers, to be compared. */
export async function contentOf(store: BuiltLocalStore): Promise<unknown> {
  const { revision, compactedRevision = 0 } = await store.status()
  const states: unknown[] = []
  for (let at = Math.max(1, compactedRevision); at <= revision; at++) {
    states.push((await store.range({ revision: at, limit: Infinity })).kvs)
  }
  const { hash } = await store.hashKV()
  return { revision, compactedRevision, hash, states, leases: await store.leases() }
}

/** What the store in `directory` answers. */
export async function contentIn(disk: MemoryDisk, directory: string): Promise<unknown> {
  const store = await openOn(disk, directory)
  try {
    return await contentOf(store)
  } finally {
    await store.close()
  }
}
