import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Freelist } from './freelist.ts'
import { PageSet } from './page-set.ts'

function listOf(...ids: number[]): Freelist {
  const list = new Freelist()
  for (const id of ids) list.addFree(id)
  return list
}

function freeIds(list: Freelist): number[] {
  return [...list.freeIds()]
}

describe('Freelist.allocate()', () => {
  test('hands out the lowest run that is long enough', () => {
    const list = listOf(3, 5, 6, 9, 10, 11)
    expect(list.allocate(7, 2, false)).toBe(5)
    expect(list.allocate(7, 1, false)).toBe(3)
    expect(list.allocate(7, 4, false)).toBeUndefined()
    expect(list.allocate(7, 3, false)).toBe(9)
    expect(list.allocate(7, 1, false)).toBeUndefined()
  })

  test('a run given back can be had again', () => {
    const list = listOf(4, 5, 6)
    expect(list.allocate(7, 3, true)).toBe(4)
    list.giveBack(4, 3)
    expect(freeIds(list)).toEqual([4, 5, 6])
  })

  test('a page that is free twice is a bug of ours', () => {
    expect(() => listOf(4, 4)).toThrow(/free twice/)
    expect(() => listOf(1)).toThrow(/can't be free/)
  })
})

describe('Freelist.release()', () => {
  test('keeps what the generation before the newest one can reach', () => {
    const list = new Freelist()
    list.addPending(10, [4, 2])
    list.release([10, 9])
    expect(list.freeCount).toBe(0)
    list.release([11, 10])
    expect(freeIds(list)).toEqual([4, 5])
    expect(list.pendingCount).toBe(0)
  })

  test('keeps what a reader can reach until it ends', () => {
    const list = new Freelist()
    list.addPending(10, [4, 1])
    list.addPending(12, [5, 1])
    list.release([20, 19, 9])
    expect(freeIds(list)).toEqual([])
    list.release([20, 19, 10])
    expect(freeIds(list)).toEqual([4])
    list.release([20, 19])
    expect(freeIds(list)).toEqual([4, 5])
  })

  test('a page born and freed after an old reader began is reused while it reads on', () => {
    const list = listOf(4, 5)
    expect(list.allocate(11, 1, true)).toBe(4)
    list.addPending(13, [4, 1])
    list.release([15, 14, 9])
    expect(freeIds(list)).toEqual([4, 5])
  })

  test('a page whose birth is not known is withheld from an old reader', () => {
    const list = listOf(4, 5)
    expect(list.allocate(11, 1, true)).toBe(4)
    list.forgetAllocations()
    list.addPending(13, [4, 1])
    list.release([15, 14, 9])
    expect(freeIds(list)).toEqual([5])
  })

  test('a page allocated without note is withheld, though an earlier owner was noted', () => {
    const list = listOf(4)
    expect(list.allocate(11, 1, true)).toBe(4)
    list.giveBack(4, 1)
    expect(list.allocate(12, 1, false)).toBe(4)
    list.addPending(13, [4, 1])
    list.release([15, 14, 9])
    expect(freeIds(list)).toEqual([])
  })

  test('releases if and only if no pinned root lies from the birth to the last one before the freeing', () => {
    const step = fc.record({
      life: fc.array(fc.record({ born: fc.nat(20), lived: fc.integer({ min: 1, max: 8 }) }), {
        minLength: 1,
        maxLength: 30,
      }),
      pinSets: fc.array(fc.array(fc.nat(32), { maxLength: 5 }), { minLength: 1, maxLength: 6 }),
    })
    fc.assert(
      fc.property(step, ({ life, pinSets }) => {
        const list = new Freelist()
        const pages = life.map(({ born, lived }, i) => ({ pgid: i + 2, born, freed: born + lived }))
        for (const { pgid, born } of pages) list.noteAllocation(born, pgid, true)
        for (let txid = 0; txid <= 40; txid++) {
          const runs = pages.filter(({ freed }) => freed === txid).flatMap(({ pgid }) => [pgid, 1])
          list.addPending(txid, runs)
        }
        const released = new Set<number>()
        // Pins only ever go away, or begin at the newest root: each set is part of the one before.
        let pins = pinSets[0] ?? []
        for (const next of pinSets) {
          pins = pins.filter((pin) => next.includes(pin) || pinSets.length === 1)
          list.release(pins)
          for (const { pgid, born, freed } of pages) {
            if (!pins.some((pin) => pin >= born && pin < freed)) released.add(pgid)
          }
          expect(freeIds(list)).toEqual([...released].sort((a, b) => a - b))
          expect(list.pendingCount).toBe(pages.length - released.size)
        }
      }),
    )
  })
})

describe('Freelist.persistent()', () => {
  test('is free, pending and the runs of this commit together, and changes nothing', () => {
    const list = listOf(9, 3)
    list.addPending(5, [20, 2])
    const freed = new PageSet()
    for (const pgid of [12, 13, 14]) freed.add(pgid)
    expect([...list.persistent(freed)]).toEqual([3, 9, 12, 13, 14, 20, 21])
    expect(freeIds(list)).toEqual([3, 9])
    expect(list.has(20)).toBe(true)
    expect(list.isFree(20)).toBe(false)
    expect([...list.pendingIds()]).toEqual([20, 21])
  })
})

describe('Freelist.trimTail()', () => {
  test('takes the free pages below the mark out, down to the first that is not free', () => {
    const list = listOf(3, 7, 8, 9)
    list.addPending(5, [6, 1])
    expect(list.trimTail(10)).toBe(7)
    expect(freeIds(list)).toEqual([3])
    expect(list.trimTail(7)).toBe(7)
  })

  test('never goes below the smallest file', () => {
    expect(listOf(2, 3, 4).trimTail(5)).toBe(3)
  })
})
