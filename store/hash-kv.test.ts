/**
 * `hashKV` against the numbers that etcd's own tests hold (server/storage/mvcc/hash_test.go at
 * c34dc7ee): nine keys written in turns, hashed and compacted every 72 revisions.
 */

import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openOn } from './open.ts'
import type { BuiltLocalStore } from './types.ts'

const CYCLE = 71
const CYCLES = 18
const LONG = 1210
const NAMES = ['alice', 'bob', 'celine', 'dominik', 'eve', 'frederica', 'gorge']

function keyOf(i: number): string {
  if (i % (CYCLE * 2) === 30) return 'zenek'
  if (i % CYCLE === 30) return 'xavery'
  return NAMES[i % NAMES.length] ?? ''
}

async function putAll(store: BuiltLocalStore, first: number, count: number): Promise<void> {
  const puts = Array.from({ length: count + 1 }, (_, i) => first + i)
  await Promise.all(puts.map((i) => store.put(keyOf(i), String(i))))
}

/** Hashes, then compacts: [hash, compacted revision, revision]. */
async function hashed(store: BuiltLocalStore, revision?: number): Promise<readonly number[]> {
  const { hash, compactedRevision, hashRevision } = await store.hashKV({ revision })
  await store.compact(hashRevision)
  return [hash, compactedRevision, hashRevision]
}

const AT_HALF = [
  [4082599214, 0, 35],
  [2279933401, 35, 106],
  [3284231217, 106, 177],
  [126286495, 177, 248],
  [900108730, 248, 319],
  [2475485232, 319, 390],
  [1226296507, 390, 461],
  [2503661030, 461, 532],
  [4155130747, 532, 603],
  [106915399, 603, 674],
  [406914006, 674, 745],
  [1882211381, 745, 816],
  [806177088, 816, 887],
  [664311366, 887, 958],
  [1496914449, 958, 1029],
  [2434525091, 1029, 1100],
  [3988652253, 1100, 1171],
  [1122462288, 1171, 1242],
  [724436716, 1242, 1883],
]

const AT_THE_END = [
  [1913897190, 0, 73],
  [224860069, 73, 145],
  [1565167519, 145, 217],
  [1566261620, 217, 289],
  [2037173024, 289, 361],
  [691659396, 361, 433],
  [2713730748, 433, 505],
  [3919322507, 505, 577],
  [769967540, 577, 649],
  [2909194793, 649, 721],
  [1576921157, 721, 793],
  [4067701532, 793, 865],
  [2226384237, 865, 937],
  [2923408134, 937, 1009],
  [2680329256, 1009, 1081],
  [1546717673, 1081, 1153],
  [2713657846, 1153, 1225],
  [1046575299, 1225, 1297],
  [2017735779, 1297, 2508],
]

describe('hashKV()', () => {
  test.each([
    ['at a revision in the middle of what was put', AT_HALF, true],
    ['at the current revision', AT_THE_END, false],
  ] as const)("is etcd's %s", async (_, expected, isHalf) => {
    await using store = await openOn(new MemoryDisk(), '/store')
    const found: (readonly number[])[] = []
    for (let cycle = 0; cycle <= CYCLES; cycle++) {
      const first = cycle * CYCLE
      const count = cycle < CYCLES ? CYCLE : LONG
      await putAll(store, first, count)
      found.push(await hashed(store, isHalf ? first + Math.floor(count / 2) : undefined))
    }
    expect(found).toEqual(expected)
  })

  test('is the same before the rows are gone, after, and when opened again', async () => {
    const disk = new MemoryDisk()
    {
      await using store = await openOn(disk, '/store')
      for (let i = 0; i < 300; i++) {
        if (i % 7 === 6) await store.delete(keyOf(i + 3))
        else await store.put(keyOf(i), String(i))
      }
      const { revision } = await store.status()
      const whole = await store.hashKV({ revision: revision - 20 })
      await store.compact(revision - 40)
      const scheduled = await store.hashKV({ revision: revision - 20 })
      expect(scheduled.hash).not.toBe(whole.hash)
      await store.put('x', '1')
      await store.compact(revision - 30, { physical: true })
      const gone = await store.hashKV()
      expect(await store.hashKV()).toEqual(gone)
    }
    const before = await openOn(disk, '/store')
    const hash = await before.hashKV()
    await before.close()
    await using again = await openOn(disk, '/store')
    expect(await again.hashKV()).toEqual(hash)
  })

  test('is that of the file, though a compaction has left no key at all', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/store')
    await store.put('a', '1')
    const { revision } = await store.delete('a')
    let isGone = false
    const gone = store.compact(revision, { physical: true }).then(() => (isGone = true))
    // Whoever reads meanwhile makes a root that has the rows still.
    while (!isGone) await Promise.all([store.hashKV(), new Promise(setImmediate)])
    await gone
    const { hash } = await store.hashKV()
    await store.close()
    await using again = await openOn(disk, '/store')
    expect((await again.hashKV()).hash).toBe(hash)
  })

  test('refuses revisions that are compacted or ahead', async () => {
    await using store = await openOn(new MemoryDisk(), '/store')
    for (let i = 0; i < 5; i++) await store.put('a', String(i))
    await store.compact(4)
    await expect(store.hashKV({ revision: 3 })).rejects.toMatchObject({ code: 'KV_COMPACTED' })
    await expect(store.hashKV({ revision: 9 })).rejects.toMatchObject({
      code: 'KV_FUTURE_REVISION',
    })
    expect((await store.hashKV({ revision: 4 })).compactedRevision).toBe(4)
  })
})
