import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PageSet } from './page-set.ts'

test('PageSet.takeRun() does not join a run to bits that a gap at the start of a word parts from it', () => {
  const set = new PageSet()
  set.add(31)
  set.add(34)
  set.add(35)
  expect(set.takeRun(2)).toBe(34)
  expect([...set]).toEqual([31])
})

/** The lowest run by brute force. */
function lowestRun(ids: ReadonlySet<number>, count: number): number | undefined {
  for (const first of [...ids].sort((a, b) => a - b)) {
    let size = 0
    while (size < count && ids.has(first + size)) size++
    if (size === count) return first
  }
  return undefined
}

test('PageSet agrees with a Set of numbers, and takes the lowest run', () => {
  const step = fc.record({
    kind: fc.constantFrom(
      'add',
      'add',
      'add',
      'delete',
      'take',
      'copy',
      'union',
      'without',
      'cut',
      'within',
    ),
    pgid: fc.integer({ min: 0, max: 200 }),
    count: fc.integer({ min: 1, max: 40 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      let set = new PageSet()
      const model = new Set<number>()
      for (const { kind, pgid, count } of steps) {
        if (kind === 'add') {
          for (let i = 0; i < count; i++) {
            expect(set.add(pgid + i)).toBe(!model.has(pgid + i))
            model.add(pgid + i)
          }
        } else if (kind === 'delete') {
          expect(set.delete(pgid)).toBe(model.delete(pgid))
        } else if (kind === 'copy') {
          set = set.copy()
        } else if (kind === 'without') {
          const other = new PageSet()
          for (let i = 0; i < count; i++) {
            other.add(pgid + i * 3)
            model.delete(pgid + i * 3)
          }
          set.deleteAll(other)
        } else if (kind === 'cut') {
          set.deleteFrom(pgid + 100)
          for (const id of model) if (id >= pgid + 100) model.delete(id)
        } else if (kind === 'within') {
          const inside = [...model].filter((id) => id >= pgid && id < pgid + count)
          const lowest = inside.length === 0 ? undefined : Math.min(...inside)
          expect(set.takeWithin(pgid, pgid + count)).toBe(lowest)
          if (lowest !== undefined) model.delete(lowest)
        } else if (kind === 'union') {
          const other = new PageSet()
          for (let i = 0; i < count; i++) {
            other.add(pgid * 3 + i * 2)
            model.add(pgid * 3 + i * 2)
          }
          set.addAll(other)
        } else {
          const first = lowestRun(model, count)
          expect(set.takeRun(count)).toBe(first)
          for (let i = 0; first !== undefined && i < count; i++) model.delete(first + i)
        }
        expect(set.size).toBe(model.size)
      }
      const visited: number[] = []
      set.forEach((pgid) => visited.push(pgid))
      expect(visited).toEqual([...set])
      expect([...set]).toEqual([...model].sort((a, b) => a - b))
      for (let pgid = 0; pgid < 700; pgid++) expect(set.has(pgid)).toBe(model.has(pgid))
    }),
  )
})

test('PageSet.densest() names the fullest stretches, as many as are wanted', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1000), { maxLength: 400, size: 'max' }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 20 }),
      (ids, wanted, atLeast) => {
        const set = new PageSet()
        for (const id of ids) set.add(id)
        const counts = new Map<number, number>()
        for (const id of set) counts.set(id - (id % 64), (counts.get(id - (id % 64)) ?? 0) + 1)
        const expected = [...counts].filter(([, count]) => count >= atLeast)
        expected.sort(([a, m], [b, n]) => n - m || a - b)
        let covered = 0
        const stretches = expected.flatMap(([start, count]) => {
          if (covered >= wanted) return []
          covered += count
          return [start, start + 64]
        })
        expect(set.densest(64, wanted, atLeast)).toEqual(stretches)
      },
    ),
  )
})
