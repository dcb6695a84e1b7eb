import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { effort } from '../proptest/effort.ts'
import { inMemory } from './in-memory.ts'
import { open, openOn } from './open.ts'
import { nextTurn } from './pause.ts'

const ROUNDS = effort({ smoke: 30, ci: 100, soak: 1000 })
const BYTES_MAX = 22 * 1024 * 1024

describe("open(':memory:')", () => {
  test('is a store like any other', async () => {
    await using store = await open(':memory:', { encoding: 'json' })
    expect(store.path).toBe(':memory:')
    const watch = store.watch({ key: 'a' })
    await store.put('a', { n: 1 })
    store.putSync('a', { n: 2 })
    await using snapshot = store.snapshot()
    await store.delete('a')
    expect((await store.get('a', { revision: 2 }))?.value).toEqual({ n: 1 })
    expect((await snapshot.get('a'))?.value).toEqual({ n: 2 })
    await store.compact(4, { physical: true })
    expect(store.stats()).toMatchObject({ revision: 4, keyCount: 0, revisionCount: 1 })
    for await (const { events } of watch) {
      expect(events[0]?.type).toBe('put')
      break
    }
  })

  test('is a new one each time, and gone when it is closed', async () => {
    const one = await open(':memory:')
    await using other = await open(':memory:')
    await one.put('a', '1')
    expect(await other.get('a')).toBeUndefined()
    await one.close()
    await expect(one.get('a')).rejects.toThrow(/^:memory:: the store is closed/)
    await using again = await open(':memory:')
    expect(await again.get('a')).toBeUndefined()
    await expect(open(':memory:', { readOnly: true })).rejects.toHaveProperty(
      'code',
      'KV_NOT_FOUND',
    )
  })

  test('touches no file', async () => {
    const before = readdirSync('.')
    await using store = await open(':memory:', { sync: 'full', lockTimeoutMs: 5, lock: 'file' })
    await store.put('a', '1')
    expect(existsSync(':memory:')).toBe(false)
    expect(readdirSync('.')).toEqual(before)
  })

  test('takes transactions longer than a segment of its log', async () => {
    await using store = await open(':memory:', { maxRequestBytes: 1e8 })
    const value = 'v'.repeat(5_000_000)
    await Promise.all([store.put('a', value), store.put('b', value), store.put('c', value)])
    expect((await store.get('b'))?.value).toBe(value)
  })

  test(`takes no more memory for ${ROUNDS} thousand overwrites of a thousand keys`, async () => {
    const { disk, tuning, defaults } = inMemory()
    if (!(disk instanceof MemoryDisk)) throw new Error('another disk than was thought')
    // What the disk itself might keep of what was overwritten is not in its `usedBytes`.
    expect(() => disk.clone()).toThrow(/plain/)
    const options = { ...defaults, checkpointBytes: 1024 * 1024, retain: { revisions: 1000 } }
    await using store = await openOn(disk, '/data', options, tuning)
    let most = 0
    for (let round = 0; round < ROUNDS; round++) {
      const value = `${round} ${'v'.repeat(1000)}`
      await Promise.all(Array.from({ length: 1000 }, (_, k) => store.put(`key ${k}`, value)))
      for (let i = 0; i < 20; i++) await nextTurn()
      most = Math.max(most, disk.usedBytes + store.stats().indexBytes)
    }
    expect(store.stats()).toMatchObject({ revision: 1000 * ROUNDS + 1, keyCount: 1000 })
    // The log comes and goes; all that was written would be more than 1000 bytes a revision.
    expect(most).toBeLessThan(BYTES_MAX)
    expect(1000 * 1000 * ROUNDS).toBeGreaterThan(1.2 * BYTES_MAX)
  })
})

describe('a plain disk in memory', () => {
  test('keeps nothing of what was overwritten', async () => {
    const disk = new MemoryDisk({ isPlain: true })
    const file = disk.open('/file', { mode: 'create' })
    for (let i = 0; i < 10_000; i++) file.write(new Uint8Array(100).fill(i), (i % 50) * 100)
    expect(disk.usedBytes).toBe(8192)
    file.allocate(0, 1_000_000)
    expect(disk.usedBytes).toBe(0)
    file.write(new Uint8Array([1]), 999_999)
    expect(disk.usedBytes).toBe(4096)
    file.truncate(10)
    expect(disk.usedBytes).toBe(0)
    expect(() => disk.afterPowerLoss(1)).toThrow(/plain/)
    expect(() => disk.clone()).toThrow(/plain/)
  })
})
