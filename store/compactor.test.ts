import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openEngine } from '../engine/index.ts'
import { openOn } from './open.ts'
import { nextTurn } from './pause.ts'
import type { BuiltLocalStore } from './types.ts'

const DATA = '/data'

/** Overwrites `a` and `b` in turns, from revision 2 on. */
async function fill(store: BuiltLocalStore, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, i) => store.put(i % 2 === 0 ? 'a' : 'b', String(i))),
  )
}

/** Rows in the file of a store that is closed. */
async function rowCount(disk: MemoryDisk): Promise<number> {
  const store = await openOn(disk, DATA)
  await store.close()
  const engine = await openEngine(`${DATA}/db`, { disk, readOnly: true })
  try {
    return engine.view((tx) => {
      let count = 0
      const cursor = tx.bucket('key')?.cursor()
      for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) count++
      return count
    })
  } finally {
    await engine.close()
  }
}

describe('compact()', () => {
  test('refuses what is compacted, and keeps the revision it names', async () => {
    await using store = await openOn(new MemoryDisk(), DATA)
    await fill(store, 10)
    expect((await store.compact(6)).revision).toBe(11)
    expect((await store.status()).compactedRevision).toBe(6)
    expect((await store.get('a', { revision: 6 }))?.value).toBe('4')
    expect((await store.get('b', { revision: 6 }))?.value).toBe('3')
    const error: unknown = await store.get('a', { revision: 5 }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'KV_COMPACTED', requested: 5, compacted: 6 })
    await expect(store.compact(6)).rejects.toMatchObject({ code: 'KV_COMPACTED' })
    await expect(store.compact(12)).rejects.toMatchObject({ code: 'KV_FUTURE_REVISION' })
    expect((await store.status()).revision).toBe(11)
  })

  test('refuses what is no revision', async () => {
    await using store = await openOn(new MemoryDisk(), DATA)
    await expect(store.compact(0)).rejects.toMatchObject({ code: 'KV_COMPACTED' })
    await expect(store.compact(-1)).rejects.toThrow(RangeError)
    await expect(store.compact(1.5)).rejects.toThrow(/^revision: 1.5 is no integer/)
    await expect(store.compact('3' as unknown as number)).rejects.toThrow(/^revision: expected/)
    const options = { force: true } as object
    await expect(store.compact(1, options)).rejects.toThrow(/^force: there is no such option/)
  })

  test('is seen by calls that come after it, in its order', async () => {
    await using store = await openOn(new MemoryDisk(), DATA)
    await fill(store, 6)
    const calls = await Promise.allSettled([
      store.compact(4),
      store.compact(3),
      store.put('c', '1'),
      store.compact(8),
      store.compact(9),
    ])
    const codes = calls.map((call) =>
      call.status === 'fulfilled' ? call.value.revision : (call.reason as { code: string }).code,
    )
    expect(codes).toEqual([7, 'KV_COMPACTED', 8, 8, 'KV_FUTURE_REVISION'])
  })

  test('with `physical` resolves when the rows are gone', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, DATA)
    await fill(store, 2000)
    await store.compact(1991, { physical: true })
    const killed = disk.processKilled()
    await store.close()
    expect(await rowCount(killed)).toBe(2 + 10)
  })

  test('goes on when the store is opened again', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, DATA)
    await fill(store, 2000)
    await store.compact(1991)
    const killed = disk.processKilled()
    await store.close()
    const again = await openOn(killed, DATA)
    expect((await again.status()).compactedRevision).toBe(1991)
    // A compaction that has nothing more to do waits for the one under way.
    await again.compact(1992, { physical: true })
    await again.close()
    expect(await rowCount(killed)).toBe(2 + 9)
  })

  test('a reader that began before reads on', async () => {
    await using store = await openOn(new MemoryDisk(), DATA)
    for (let i = 0; i < 3000; i++) void store.put(`k${10_000 + i}`, 'old')
    await store.put('a', '1')
    const { revision } = await store.status()
    const reading = store.range({ revision, limit: Infinity })
    await store.delete({ prefix: 'k' })
    const { revision: after } = await store.put('a', '2')
    await store.compact(after, { physical: true })
    for (let i = 0; i < 50; i++) await nextTurn()
    const { kvs } = await reading
    expect(kvs.length).toBe(3001)
    expect((await store.range({})).kvs.map(({ value }) => value)).toEqual(['2'])
  })

  test('ends a scan of what is compacted', async () => {
    await using store = await openOn(new MemoryDisk(), DATA)
    for (let i = 0; i < 10; i++) await store.put(`k${i}`, 'old')
    const scan = store.scan({ revision: 9 })
    await scan.next()
    await store.compact(10)
    await expect(scan.next()).rejects.toMatchObject({ code: 'KV_COMPACTED' })
  })

  test('is refused by a store opened read-only', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, DATA)
    await fill(store, 6)
    await store.close()
    await using again = await openOn(disk, DATA, { readOnly: true })
    await expect(again.compact(3)).rejects.toMatchObject({ code: 'KV_READ_ONLY' })
  })

  test('a store closed meanwhile says that it goes on later', async () => {
    const store = await openOn(new MemoryDisk(), DATA)
    await fill(store, 5000)
    await store.compact(4000)
    const waiting = store.compact(5000, { physical: true })
    const settled = waiting.catch((error: unknown) => error)
    await store.close()
    expect(await settled).toMatchObject({ code: 'KV_CLOSED' })
  })
})
