import { expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openEngine } from './engine.ts'

test('Bucket.stats() counts pages, keys, levels and buckets, inner buckets included', async () => {
  const engine = await openEngine('/a.db', { disk: new MemoryDisk(), pageSizeBytes: 1024 })
  engine.update((tx) => {
    const outer = tx.createBucket('outer')
    outer.put('large', 'x'.repeat(3000))
    const inner = outer.createBucket('inner')
    for (let i = 0; i < 100; i++) inner.put(`key ${String(i).padStart(3, '0')}`, 'v'.repeat(50))
    inner.createBucket('inline').put('k', 'v')
  })
  const stats = engine.view((tx) => tx.bucket('outer')?.stats())
  expect(stats).toMatchObject({
    // 'large' and 'inner'; 100 keys and 'inline'; 'k'
    keys: 2 + 101 + 1,
    buckets: 3,
    inlineBuckets: 1,
    // header 16, element 16, key and value
    inlineInuseBytes: 34,
    // of 'outer', whose large value has a leaf of its own, and of 'inner'
    branchPages: 2,
    branchOverflowPages: 0,
    leafOverflowPages: 2,
  })
  expect(stats?.depth).toBe(2 + 2)
  expect(stats?.leafAllocBytes).toBe(((stats?.leafPages ?? 0) + 2) * 1024)
  expect(stats?.leafInuseBytes).toBeLessThanOrEqual(stats?.leafAllocBytes ?? 0)
  expect(engine.inspect()).toMatchObject({
    keys: 0,
    buckets: [
      {
        name: '"outer"',
        keys: 1,
        isInline: false,
        buckets: [
          { name: '"inner"', keys: 100, buckets: [{ name: '"inline"', keys: 1, isInline: true }] },
        ],
      },
    ],
  })
  await engine.close()
})

test('Bucket.stats() of a bucket being written counts what a commit would write', async () => {
  const engine = await openEngine('/a.db', { disk: new MemoryDisk(), pageSizeBytes: 1024 })
  engine.update((tx) => {
    const bucket = tx.createBucket('b')
    for (let i = 0; i < 100; i++) bucket.put(`key ${String(i).padStart(3, '0')}`, 'v'.repeat(50))
    expect(bucket.stats()).toMatchObject({ keys: 100, depth: 2, branchPages: 1 })
  })
  await engine.close()
})

test('Engine.stats() and Engine.page() say how many pages there are and what each one is', async () => {
  const engine = await openEngine('/a.db', { disk: new MemoryDisk(), pageSizeBytes: 1024 })
  for (let i = 0; i < 5; i++) engine.update((tx) => tx.createBucket(`b${i}`).put('k', 'v'))
  const reader = await engine.begin()
  engine.update((tx) => tx.deleteBucket('b0'))
  const stats = engine.stats()
  expect(stats).toMatchObject({ pageSizeBytes: 1024, txid: 7, openReaders: 1, oldestReaderTxid: 6 })
  const types = Array.from({ length: stats.highWaterMark }, (_, pgid) => engine.page(pgid)?.type)
  expect(types.filter((type) => type === 'meta')).toHaveLength(2)
  expect(types.filter((type) => type === 'freelist')).toHaveLength(1)
  expect(types.filter((type) => type === 'free')).toHaveLength(
    (stats.freePages ?? 0) + (stats.pendingPages ?? 0),
  )
  expect(engine.page(stats.highWaterMark)).toBeUndefined()
  expect(() => engine.page(-1)).toThrow(RangeError)
  reader.rollback()
  await engine.close()
})
