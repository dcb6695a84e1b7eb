import { describe, expect, test } from 'vitest'
import { bucketOf, keysOf, openInMemory } from '../proptest/engine/memory-engine.ts'
import type { Engine } from './engine.ts'
import type { Page } from './page.ts'

const CACHE_BYTES = 16 * 1024
const KEYS = 3000

async function filled(): Promise<Engine> {
  const { engine } = await openInMemory({ cacheBytes: CACHE_BYTES })
  engine.update((tx) => {
    const bucket = tx.createBucket('b')
    for (let i = 0; i < KEYS; i++) bucket.put(`key ${i}`, `value ${i} `.repeat(5))
  })
  return engine
}

function imageOf(page: Page): Uint8Array {
  return page.bytes.slice(page.base, page.base + page.sizeBytes)
}

describe('the cache of pages', () => {
  test('keeps to its budget through reads of any length, with what is held counted', async () => {
    const engine = await filled()
    const { pager } = engine.core
    engine.view((tx) => {
      for (let round = 0; round < 3; round++) {
        expect(keysOf(bucketOf(tx, 'b'))).toHaveLength(KEYS)
        expect(pager.stats().residentBytes).toBeLessThanOrEqual(CACHE_BYTES + 1024)
      }
      expect(pager.stats().evictions).toBeGreaterThan(2 * (CACHE_BYTES / 1024))
      expect(pager.frames.sizeBytes).toBeLessThan(1024 * 1024)
    })
    expect(pager.stats().retiredBytes).toBe(0)
    await engine.close()
  })

  test('a dropped page keeps its bytes while a transaction may look at it', async () => {
    const engine = await filled()
    const reader = await engine.begin()
    const held: { page: Page; image: Uint8Array }[] = []
    const cursor = bucketOf(reader, 'b').cursor()
    for (let e = cursor.first(), i = 0; e !== undefined; e = cursor.next(), i++) {
      if (i % 40 !== 0) continue
      const page = reader.pages.page(leafOf(engine, e.key))
      held.push({ page, image: imageOf(page) })
    }
    for (let round = 0; round < 5; round++) {
      engine.update((tx) => bucketOf(tx, 'b').put(`new ${round}`, 'x'.repeat(3000)))
      engine.view((tx) => expect(keysOf(bucketOf(tx, 'b')).length).toBeGreaterThan(KEYS))
    }
    expect(held.length).toBeGreaterThan(50)
    expect(held.some(({ page }) => !page.isResident)).toBe(true)
    for (const { page, image } of held) expect(imageOf(page)).toEqual(image)
    reader.rollback()
    await engine.close()
  })

  test('a page that is read again is as it was', async () => {
    const engine = await filled()
    engine.view((tx) => {
      const bucket = bucketOf(tx, 'b')
      for (let i = 0; i < 4 * KEYS; i++) {
        const n = (i * 7919) % KEYS
        expect(Buffer.from(bucket.get(`key ${n}`) ?? []).toString()).toBe(`value ${n} `.repeat(5))
      }
    })
    await engine.close()
  })
})

/** The page id of the leaf that holds `key`. */
function leafOf(engine: Engine, key: Uint8Array): number {
  return engine.view((tx) => {
    const { tree } = bucketOf(tx, 'b')
    expect(tree.find(key)).toBeGreaterThanOrEqual(0)
    return tree.leaf?.pgid ?? 0
  })
}
