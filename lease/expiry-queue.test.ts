import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { effort, seed } from '../proptest/effort.ts'
import { ExpiryQueue } from './expiry-queue.ts'

describe('ExpiryQueue', () => {
  test('takeDue() gives what is due, earliest first, and no more than asked for', () => {
    const queue = new ExpiryQueue()
    for (const [id, dueMs] of [
      [1n, 50],
      [2n, 10],
      [3n, 30],
      [4n, 99],
    ] as const) {
      queue.set(id, dueMs)
    }
    expect(queue.nextMs).toBe(10)
    expect(queue.takeDue(60, 2, 61)).toEqual([2n, 3n])
    expect(queue.takeDue(60, 2, 61)).toEqual([1n])
    expect(queue.takeDue(60, 2, 61)).toEqual([])
  })

  test('a lease whose deadline was moved on is not due at the old one', () => {
    const queue = new ExpiryQueue()
    queue.set(1n, 10)
    queue.set(1n, 90)
    expect(queue.takeDue(10, 9, 11)).toEqual([])
    expect(queue.nextMs).toBe(90)
  })

  test('a lease that was taken and not deleted is due again', () => {
    const queue = new ExpiryQueue()
    queue.set(1n, 10)
    expect(queue.takeDue(10, 9, 3010)).toEqual([1n])
    expect(queue.takeDue(3009, 9, 6000)).toEqual([])
    expect(queue.nextMs).toBe(3010)
    expect(queue.takeDue(3010, 9, 6000)).toEqual([1n])
  })

  test('a lease that was taken and then renewed is due at its new deadline, also if that is sooner', () => {
    const queue = new ExpiryQueue()
    queue.set(1n, 10)
    queue.takeDue(10, 9, 3010)
    queue.set(1n, 2010)
    expect(queue.takeDue(2009, 9, 9999)).toEqual([])
    expect(queue.takeDue(2010, 9, 9999)).toEqual([1n])
  })

  test('leases that come and go leave no room taken behind', () => {
    const queue = new ExpiryQueue()
    for (let i = 0n; i < 10_000n; i++) {
      queue.set(i, 1e12)
      queue.delete(i)
    }
    expect(queue.size).toBe(0)
    expect(queue.heapSize).toBeLessThan(100)
    expect(queue.nextMs).toBeUndefined()
  })

  test(`is a list sorted by deadline, seed ${seed}`, () => {
    const id = fc.bigInt(0n, 12n)
    const step = fc.oneof(
      fc.record({ call: fc.constant('set' as const), id, inMs: fc.nat(40) }),
      fc.record({ call: fc.constant('delete' as const), id }),
      fc.record({ call: fc.constant('take' as const), max: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ call: fc.constant('wait' as const), ms: fc.nat(30) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new ExpiryQueue()
        const model = new Map<bigint, number>()
        let nowMs = 0
        for (const each of steps) {
          if (each.call === 'wait') nowMs += each.ms
          else if (each.call === 'set') {
            queue.set(each.id, nowMs + each.inMs)
            model.set(each.id, nowMs + each.inMs)
          } else if (each.call === 'delete') {
            queue.delete(each.id)
            model.delete(each.id)
          } else {
            const sorted = [...model].filter(([, ms]) => ms <= nowMs).sort((a, b) => a[1] - b[1])
            const wanted = sorted.slice(0, each.max)
            const got = queue.takeDue(nowMs, each.max, nowMs + 7)
            // Of equal deadlines any may come first.
            expect(got.map((one) => model.get(one))).toEqual(wanted.map(([, ms]) => ms))
            expect(new Set(got).size).toBe(got.length)
            for (const one of got) model.set(one, nowMs + 7)
          }
          expect(queue.size).toBe(model.size)
          const next = Math.min(...model.values())
          expect(queue.nextMs).toBe(model.size === 0 ? undefined : next)
        }
      }),
      { seed, numRuns: effort({ smoke: 200, ci: 2000, soak: 100_000 }) },
    )
  })
})
