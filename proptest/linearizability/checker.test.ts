import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { effort, seed, unmet } from '../effort.ts'
import { isLinearizable } from './brute-force.ts'
import type { Operation } from './checker.ts'
import { linearize } from './checker.ts'
import type { RegisterAnswer, RegisterCall } from './register.ts'
import { REGISTER } from './register.ts'

type One = Operation<RegisterCall, RegisterAnswer>

const write = (value: number): RegisterCall => ({ type: 'write', value })
const read: RegisterCall = { type: 'read' }
const swap = (from: number, to: number): RegisterCall => ({ type: 'swap', from, to })

/** A call, when it was made and answered, and what was answered. */
function at(calledAt: number, answeredAt: number, call: RegisterCall, answer?: number): One {
  const isWrite = call.type === 'write' && answeredAt !== Infinity
  return { call, calledAt, answeredAt, answer: isWrite ? 0 : answer }
}

/** A call that nobody answered, of a caller's life that ended. */
function lost(calledAt: number, endedAt: number, call: RegisterCall): One {
  return { call, calledAt, answeredAt: endedAt, answer: undefined }
}

const RIGHT: readonly (readonly [string, readonly One[]])[] = [
  ['nothing', []],
  ['one after the other', [at(1, 2, write(1)), at(3, 4, read, 1)]],
  ['a read during a write, before it', [at(1, 4, write(1)), at(2, 3, read, 0)]],
  ['a read during a write, after it', [at(1, 4, write(1)), at(2, 3, read, 1)]],
  [
    'a later call that took effect first',
    [at(1, 6, write(1)), at(2, 3, write(2)), at(4, 5, read, 2)],
  ],
  ['a write without an answer, never seen', [at(1, Infinity, write(1)), at(2, 3, read, 0)]],
  [
    'a write without an answer, seen late',
    [at(1, Infinity, write(1)), at(2, 3, read, 0), at(4, 5, read, 1)],
  ],
  ['a write that was lost in time', [lost(1, 2, write(1)), at(3, 4, read, 0)]],
  ['a write that was lost after it took effect', [lost(1, 2, write(1)), at(3, 4, read, 1)]],
  ['one of two swaps', [at(1, 4, swap(0, 1), 1), at(2, 3, swap(0, 2), 0), at(5, 6, read, 1)]],
]

const WRONG: readonly (readonly [string, readonly One[]])[] = [
  ['a stale read', [at(1, 2, write(1)), at(3, 4, write(2)), at(5, 6, read, 1)]],
  ['a lost write', [at(1, 2, write(1)), at(3, 4, read, 0)]],
  ['a value that nobody wrote', [at(1, 4, write(1)), at(2, 3, read, 7)]],
  ['reads that go back', [at(1, 10, write(1)), at(2, 3, read, 1), at(4, 5, read, 0)]],
  [
    'readers that disagree on the order of two writes',
    [
      at(1, 20, write(1)),
      at(2, 21, write(2)),
      at(3, 4, read, 1),
      at(5, 6, read, 2),
      at(7, 8, read, 1),
    ],
  ],
  ['a swap that both won', [at(1, 4, swap(0, 1), 1), at(2, 3, swap(0, 2), 1)]],
  [
    'a write without an answer that takes effect twice',
    [
      at(1, Infinity, write(1)),
      at(2, 3, read, 1),
      at(4, 5, write(2)),
      at(6, 7, read, 2),
      at(8, 9, read, 1),
    ],
  ],
  [
    'a write that was lost, and takes effect after its end',
    [lost(1, 2, write(1)), at(3, 4, read, 0), at(5, 6, read, 1)],
  ],
  [
    'a write without an answer, seen before it was made',
    [at(1, 2, read, 1), at(3, Infinity, write(1))],
  ],
]

/** Whether the order is one: each answer is what the calls before it lead to, times are kept. */
function isOrder(operations: readonly One[], order: readonly number[]): boolean {
  let state = REGISTER.initial
  const left = new Set(operations.filter((one, i) => one.answer !== undefined || order.includes(i)))
  for (const i of order) {
    const one = operations[i]
    if (one === undefined || [...left].some((other) => other.answeredAt < one.calledAt))
      return false
    const after = REGISTER.step(state, one.call, one.answer)
    if (after === undefined || !left.delete(one)) return false
    state = after
  }
  return left.size === 0
}

describe('linearize()', () => {
  test.each(RIGHT)('accepts %s', (_, operations) => {
    const verdict = linearize(REGISTER, operations)
    expect('state' in verdict && isOrder(operations, verdict.order)).toBe(true)
  })

  test.each(WRONG)('refuses %s', (_, operations) => {
    expect(linearize(REGISTER, operations)).toHaveProperty('stuckAt')
  })

  const runs = effort({ smoke: 2000, ci: 20_000, soak: 1_000_000 })
  test(`agrees with trying every order, in ${runs} histories, seed ${seed}`, () => {
    const call: fc.Arbitrary<RegisterCall> = fc.oneof(
      fc.record({ type: fc.constant('write' as const), value: fc.integer({ min: 1, max: 2 }) }),
      fc.constant(read),
      fc.record({
        type: fc.constant('swap' as const),
        from: fc.integer({ min: 0, max: 2 }),
        to: fc.integer({ min: 1, max: 2 }),
      }),
    )
    const tally = { linearizable: 0, not: 0 }
    const drawn = fc.tuple(call, fc.nat(60), fc.nat(30), fc.integer({ min: 0, max: 2 }), fc.nat(5))
    const histories = fc.array(drawn, { minLength: 1, maxLength: 7 })
    const property = fc.property(histories, (draws) => {
      // No two times are the same: each has its own fraction.
      const operations = draws.map(([one, from, took, answer, unknown], i): One => {
        const calledAt = from + i / 100
        if (unknown === 0) return at(calledAt, Infinity, one)
        const told = one.type === 'swap' ? answer % 2 : answer
        const overAt = from + took + i / 100 + 0.005
        return unknown === 1 ? lost(calledAt, overAt, one) : at(calledAt, overAt, one, told)
      })
      const verdict = linearize(REGISTER, operations)
      const isOne = 'state' in verdict
      tally[isOne ? 'linearizable' : 'not']++
      expect(isOne).toBe(isLinearizable(REGISTER, operations))
      if (isOne) expect(isOrder(operations, verdict.order)).toBe(true)
    })
    fc.assert(property, { numRuns: runs, seed })
    expect(unmet(tally)).toEqual([])
  })
})
