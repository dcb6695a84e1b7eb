import { describe, expect, test } from 'vitest'
import { bucketOf, withEngine } from '../proptest/engine/memory-engine.ts'
import type { Engine } from './engine.ts'

const KEYS = 2000

function key(n: number): string {
  return `key ${String(n).padStart(6, '0')}`
}

/** Each number below KEYS once, scattered. */
function scattered(): number[] {
  return Array.from({ length: KEYS }, (_, i) => (i * 7919) % KEYS)
}

function fill(engine: Engine, numbers: readonly number[], perTx: number, fillPercent = 0.5): void {
  for (let from = 0; from < numbers.length; from += perTx) {
    engine.update((tx) => {
      const bucket = tx.createBucketIfNotExists('b')
      bucket.fillPercent = fillPercent
      for (const n of numbers.slice(from, from + perTx)) bucket.put(key(n), 'v'.repeat(20))
    })
  }
}

/**
 * How full the leaves of the bucket are, 0 to 1, and how many branches and levels are above them.
 */
function shapeOf(engine: Engine): { fill: number; leafPages: number; depth: number } {
  return engine.view((tx) => {
    const stats = bucketOf(tx, 'b').stats()
    const { leafPages, leafInuseBytes, leafAllocBytes, depth } = stats
    return { fill: leafInuseBytes / leafAllocBytes, leafPages, depth }
  })
}

describe('how full pages are', () => {
  test.each([1, 50, KEYS])('keys in order, %i a transaction: nearly full', async (perTx) => {
    await withEngine((engine) => {
      fill(
        engine,
        Array.from({ length: KEYS }, (_, i) => i),
        perTx,
      )
      expect(shapeOf(engine).fill).toBeGreaterThan(0.9)
    })
  })

  test.each([50, KEYS])('keys scattered, %i a transaction: half full or more', async (perTx) => {
    await withEngine((engine) => {
      fill(engine, scattered(), perTx)
      expect(shapeOf(engine).fill).toBeGreaterThan(0.5)
    })
  })

  test('keys in falling order: as full as fillPercent says', async () => {
    for (const percent of [0.3, 0.5, 0.9]) {
      await withEngine((engine) => {
        const falling = Array.from({ length: KEYS }, (_, i) => KEYS - 1 - i)
        fill(engine, falling, KEYS, percent)
        // The left side of a cut has what was asked; the rest stays at the right, where nothing
        // comes any more.
        expect(shapeOf(engine).fill).toBeGreaterThan(Math.min(percent, 1 - percent) - 0.05)
      })
    }
  })
})

describe('keys smaller than all before', () => {
  test('go into the first child; when that is cut, its separator is what it must be', async () => {
    await withEngine((engine) => {
      const keys = new Set<string>()
      engine.update((tx) => {
        const bucket = tx.createBucket('b')
        let state = 1
        for (let n = 0; n < 20_000; n++) {
          state = (Math.imul(state, 1103515245) + 12345) >>> 0
          // Ever smaller, with a scatter as wide as a few leaves.
          const name = String(1_000_000 - n * 7 + (state % 20_000)).padStart(20, '0')
          keys.add(name)
          bucket.put(name, 'v')
        }
        for (const name of keys) expect(bucket.get(name)).toHaveLength(1)
      })
      const report = engine.check()
      expect(report.findings).toEqual([])
      expect(report.keys).toBe(keys.size + 1)
    })
  })
})

describe('after deletions', () => {
  test('thin pages merge: a tree of one key in ten has a fifth of the pages at most', async () => {
    await withEngine((engine) => {
      fill(engine, scattered(), KEYS)
      const before = shapeOf(engine)
      for (let from = 0; from < KEYS; from += 100) {
        engine.update((tx) => {
          const bucket = bucketOf(tx, 'b')
          for (const n of scattered().slice(from, from + 100)) {
            if (n % 10 !== 0) bucket.delete(key(n))
          }
        })
      }
      const after = shapeOf(engine)
      expect(after.fill).toBeGreaterThan(0.25)
      expect(after.leafPages).toBeLessThan(before.leafPages / 5)
      expect(after.depth).toBeLessThanOrEqual(before.depth)
    })
  })

  test('values that shrink make pages thin too', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const bucket = tx.createBucket('b')
        for (let n = 0; n < 500; n++) bucket.put(key(n), 'v'.repeat(400))
      })
      const before = shapeOf(engine)
      engine.update((tx) => {
        const bucket = bucketOf(tx, 'b')
        for (let n = 0; n < 500; n++) bucket.put(key(n), '')
      })
      expect(shapeOf(engine).leafPages).toBeLessThan(before.leafPages / 4)
    })
  })

  test('a tree whose keys all go lowers its root to one empty leaf', async () => {
    await withEngine((engine) => {
      fill(engine, scattered(), KEYS)
      expect(shapeOf(engine).depth).toBeGreaterThanOrEqual(3)
      engine.update((tx) => {
        const bucket = bucketOf(tx, 'b')
        for (const n of scattered()) bucket.delete(key(n))
      })
      // An empty bucket stands in its parent's page.
      expect(engine.check().pages).toMatchObject({ branch: 0, leaf: 1, overflow: 0 })
    })
  })

  test('one key left of each level pulls that level down', async () => {
    await withEngine((engine) => {
      fill(engine, scattered(), KEYS)
      engine.update((tx) => {
        const bucket = bucketOf(tx, 'b')
        for (let n = 0; n < KEYS; n++) if (n !== 1234) bucket.delete(key(n))
      })
      expect(engine.check().pages).toMatchObject({ branch: 0, leaf: 1 })
      engine.view((tx) => expect(bucketOf(tx, 'b').get(key(1234))).toHaveLength(20))
    })
  })

  test('a clean sibling is merged with, and its own page freed', async () => {
    await withEngine((engine) => {
      fill(
        engine,
        Array.from({ length: KEYS }, (_, i) => i),
        KEYS,
      )
      const keys = engine.check().keys
      for (let first = 0; first < KEYS; first += 40) {
        engine.update((tx) => {
          const bucket = bucketOf(tx, 'b')
          for (let n = first; n < first + 19; n++) bucket.delete(key(n))
        })
        expect(engine.check().findings).toEqual([])
      }
      expect(engine.check().keys).toBe(keys - (KEYS / 40) * 19)
    })
  })
})
