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

  test('what is dropped is used again at once, with transactions open that read everything', async () => {
    const engine = await filled()
    const { pager } = engine.core
    const reader = await engine.begin()
    engine.view((tx) => {
      for (let round = 0; round < 3; round++) {
        expect(keysOf(bucketOf(tx, 'b'))).toHaveLength(KEYS)
        expect(keysOf(bucketOf(reader, 'b'))).toHaveLength(KEYS)
      }
      const views = CACHE_BYTES / 1024 / 16
      expect(pager.stats().retiredBytes).toBeLessThanOrEqual(2 * views * 1024)
      expect(pager.frames.sizeBytes).toBeLessThanOrEqual(256 * 1024)
    })
    reader.rollback()
    await engine.close()
  })

  test('cursors find their places again after their pages were dropped', async () => {
    const engine = await filled()
    const reader = await engine.begin()
    const bucket = bucketOf(reader, 'b')
    const all = keysOf(bucket)
    const cursors = Array.from({ length: 60 }, (_, i) => {
      const cursor = bucket.cursor()
      cursor.seek(all[i * 50] ?? '')
      return cursor
    })
    const past = bucket.cursor()
    expect(past.seek('zzz')).toBeUndefined()
    for (let step = 1; step < 40; step++) {
      engine.update((tx) => bucketOf(tx, 'b').put(`new ${step}`, 'x'.repeat(3000)))
      cursors.forEach((cursor, i) => {
        // Every other one is asked where it stands before it moves on.
        if (i % 2 === 0) expect(textOf(cursor.key)).toBe(all[i * 50 + step - 1])
        const entry = step === 39 ? cursor.prev() : cursor.next()
        const at = i * 50 + (step === 39 ? 37 : step)
        expect(textOf(entry?.key)).toBe(all[at])
        expect(textOf(entry?.value)).toBe(`value ${(all[at] ?? '').slice(4)} `.repeat(5))
      })
    }
    expect(past.next()).toBeUndefined()
    expect(textOf(past.prev()?.key)).toBe(all.at(-1))
    expect(engine.core.pager.stats().evictions).toBeGreaterThan(1000)
    reader.rollback()
    await engine.close()
  })

  test('a page from which bytes were lent keeps them, by whichever way it was found', async () => {
    const engine = await filled()
    const reader = await engine.begin()
    const { pages } = reader
    const held: { bytes: Uint8Array; image: Uint8Array }[] = []
    for (let i = 0; i < 3; i++) {
      const { tree } = bucketOf(reader, 'b')
      for (let again = 0; again < 4; again++) {
        const index = tree.look(Buffer.from(`key ${i * 900}`))
        const leaf = tree.leaf as Page
        // As `lend` does it where it may lend.
        const start = leaf.valueStart(index)
        const bytes = pages.view(leaf, start, start + leaf.valueSize(index))
        held.push({ bytes, image: bytes.slice() })
      }
    }
    for (let round = 0; round < 5; round++) {
      engine.update((tx) => bucketOf(tx, 'b').put(`new ${round}`, 'x'.repeat(3000)))
      engine.view((tx) => expect(keysOf(bucketOf(tx, 'b')).length).toBeGreaterThan(KEYS))
    }
    for (const { bytes, image } of held) expect(bytes).toEqual(image)
    expect(engine.core.pager.stats().retiredBytes).toBeGreaterThan(0)
    reader.rollback()
    expect(engine.core.pager.stats().retiredBytes).toBe(0)
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

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString()
}
