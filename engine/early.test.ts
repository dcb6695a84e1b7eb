/** Transactions larger than the memory meant for pages. */

import { describe, expect, test } from 'vitest'
import { Random } from '../base/random.ts'
import { PowerCut } from '../disk/fault-plan.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import {
  DB_PATH,
  bucketOf,
  keysOf,
  mustBeClean,
  openInMemory,
} from '../proptest/engine/memory-engine.ts'
import type { Engine } from './engine.ts'
import { isKvError } from '../base/errors.ts'

const CACHE_BYTES = 64 * 1024
const PAGES = CACHE_BYTES / 1024

/** Puts, overwrites and deletes many times what memory holds, in one transaction. */
function churn(engine: Engine, seed: number, model: Map<string, string>, steps = 6000): void {
  const random = new Random(seed)
  engine.update((tx) => {
    const bucket = tx.createBucketIfNotExists('b')
    for (let i = 0; i < steps; i++) {
      const key = `key ${random.below(4000)}`
      if (random.chance(0.3)) {
        expect(bucket.delete(key)).toBe(model.delete(key))
      } else {
        const value = `${i} `.repeat(random.below(random.chance(0.01) ? 1500 : 30))
        bucket.put(key, value)
        model.set(key, value)
      }
      if (i % 50 === 0) {
        const found = bucket.get(key)
        expect(found && Buffer.from(found).toString()).toBe(model.get(key))
      }
    }
    expect(keysOf(bucket)).toEqual([...model.keys()].sort())
  })
}

function contentOf(engine: Engine): Map<string, string> {
  return engine.view((tx) => {
    const content = new Map<string, string>()
    for (const { key, value } of bucketOf(tx, 'b').entries()) {
      content.set(Buffer.from(key).toString(), Buffer.from(value ?? []).toString())
    }
    return content
  })
}

function sorted(model: Map<string, string>): [string, string][] {
  return [...model].sort(([a], [b]) => (a < b ? -1 : 1))
}

describe('a transaction larger than memory', () => {
  test('commits what it was told, transaction after transaction, and leaks no page', async () => {
    const { engine, disk } = await openInMemory({ cacheBytes: CACHE_BYTES })
    const model = new Map<string, string>()
    for (let seed = 1; seed <= 4; seed++) {
      churn(engine, seed, model)
      mustBeClean(engine)
      expect([...contentOf(engine)]).toEqual(sorted(model))
    }
    expect(engine.stats().cache.residentBytes).toBeLessThan(2 * CACHE_BYTES)
    await engine.close()
    const again = await openInMemory({}, disk)
    mustBeClean(again.engine)
    expect([...contentOf(again.engine)]).toEqual(sorted(model))
    await again.engine.close()
  })

  test('writes before it commits, and nothing of it is there when it rolls back', async () => {
    const { engine, disk } = await openInMemory({ cacheBytes: CACHE_BYTES })
    const model = new Map<string, string>()
    churn(engine, 1, model)
    const free = engine.stats().freePages
    const before = disk.operationCount
    expect(() => {
      engine.update((tx) => {
        const bucket = bucketOf(tx, 'b')
        for (let i = 0; i < 5000; i++) bucket.put(`other ${i}`, 'x'.repeat(100))
        mustBeClean(engine)
        throw new Error('enough')
      })
    }).toThrow('enough')
    expect(disk.operationCount).toBeGreaterThan(before)
    expect([...contentOf(engine)]).toEqual(sorted(model))
    expect(engine.stats().freePages).toBeGreaterThanOrEqual(free ?? 0)
    mustBeClean(engine)
    churn(engine, 2, model)
    mustBeClean(engine)
    await engine.close()
  })

  test('readers of the moment before see that moment all the while', async () => {
    const { engine } = await openInMemory({ cacheBytes: CACHE_BYTES })
    const model = new Map<string, string>()
    churn(engine, 1, model)
    const before = sorted(model)
    const reader = await engine.begin()
    churn(engine, 2, model)
    churn(engine, 3, model)
    const found = [...bucketOf(reader, 'b').entries()].map(({ key, value }) => [
      Buffer.from(key).toString(),
      Buffer.from(value ?? []).toString(),
    ])
    expect(found).toEqual(before)
    reader.rollback()
    expect([...contentOf(engine)]).toEqual(sorted(model))
    mustBeClean(engine)
    await engine.close()
  })

  test('a power cut in the midst of it leaves the commit before', async () => {
    const model = new Map<string, string>()
    const first = await openInMemory({ cacheBytes: CACHE_BYTES })
    churn(first.engine, 1, model)
    const before = sorted(model)
    const start = first.disk.operationCount
    await first.engine.close()
    for (const after of [1, 5, 20, 60, 150]) {
      const disk = new MemoryDisk()
      const { engine } = await openInMemory({ cacheBytes: CACHE_BYTES }, disk)
      const own = new Map<string, string>()
      churn(engine, 1, own)
      disk.cutPowerAt(start + after)
      expect(() => churn(engine, 2, own)).toThrow(PowerCut)
      const found = disk.afterPowerLoss(after)
      const again = await openInMemory({}, found)
      mustBeClean(again.engine)
      expect([...contentOf(again.engine)]).toEqual(before)
      await again.engine.close()
    }
  })

  test('a generation that was passed over does not come back over pages written early', async () => {
    const made = await openInMemory({ cacheBytes: CACHE_BYTES })
    const model = new Map<string, string>()
    churn(made.engine, 1, model)
    const older = sorted(model)
    churn(made.engine, 2, model)
    const newer = sorted(model)
    await made.engine.close()
    const found = { older: 0, newer: 0 }
    for (let after = 1; after <= 60; after += 3) {
      const disk = made.disk.clone()
      const options = { cacheBytes: CACHE_BYTES, generation: 'previous' } as const
      const { engine } = await openInMemory(options, disk)
      const own = contentOf(engine)
      expect([...own]).toEqual(older)
      disk.cutPowerAt(disk.operationCount + after)
      expect(() => churn(engine, 3, own)).toThrow(PowerCut)
      const again = await openInMemory({}, disk.afterPowerLoss(after))
      mustBeClean(again.engine)
      const content = [...contentOf(again.engine)]
      const isOlder = content.length === older.length && String(content) === String(older)
      if (!isOlder) expect(content).toEqual(newer)
      found[isOlder ? 'older' : 'newer']++
      await again.engine.close()
    }
    expect(found.older).toBeGreaterThan(5)
  })

  test('a full disk refuses the put, and the pages taken are there for others', async () => {
    const roomy = await openInMemory({ cacheBytes: CACHE_BYTES })
    const model = new Map<string, string>()
    churn(roomy.engine, 1, model)
    await roomy.engine.close()
    const capacityBytes = roomy.disk.readFile(DB_PATH).length + 512 * 1024
    const disk = roomy.disk.clone({ capacityBytes })
    const { engine } = await openInMemory({ cacheBytes: CACHE_BYTES }, disk)
    let error: unknown
    try {
      engine.update((tx) => {
        const bucket = bucketOf(tx, 'b')
        for (let i = 0; i < 20_000; i++) bucket.put(`other ${i}`, 'x'.repeat(100))
      })
    } catch (thrown) {
      error = thrown
    }
    expect(isKvError(error, 'KV_NO_SPACE')).toBe(true)
    expect([...contentOf(engine)]).toEqual(sorted(model))
    mustBeClean(engine)
    engine.update((tx) => bucketOf(tx, 'b').put('key 1', 'still'))
    model.set('key 1', 'still')
    expect([...contentOf(engine)]).toEqual(sorted(model))
    mustBeClean(engine)
    await engine.close()
  })

  test('memory for changed pages is kept to what was asked', async () => {
    const { engine } = await openInMemory({ cacheBytes: CACHE_BYTES })
    engine.update((tx) => {
      const bucket = tx.createBucket('b')
      for (let i = 0; i < 20_000; i++) bucket.put(`key ${(i * 7919) % 20_000}`, 'v'.repeat(60))
      expect(engine.core.pager.frames.sizeBytes).toBeLessThan(6 * CACHE_BYTES + 512 * 1024)
    })
    expect(engine.stats().highWaterMark).toBeGreaterThan(20 * PAGES)
    await engine.close()
  })
})
