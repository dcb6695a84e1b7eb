import { expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openEngine } from './engine.ts'

test('openEngine() that waited for the lock of a file since replaced opens the new file', async () => {
  const disk = new MemoryDisk()
  const other = await openEngine('/new.db', { disk })
  other.update((tx) => tx.createBucket('of the new file'))
  await other.close()
  const holder = await openEngine('/a.db', { disk })
  const waiting = openEngine('/a.db', { disk, lockTimeoutMs: 5000 })
  disk.rename('/new.db', '/a.db')
  await holder.close()
  const engine = await waiting
  expect(engine.inspect().buckets.map(({ name }) => name)).toEqual(['"of the new file"'])
  await engine.close()
})
