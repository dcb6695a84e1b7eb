import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../base/clock.ts'
import { CorruptionError, isKvError } from '../base/errors.ts'
import type { Engine, Tx } from '../engine/index.ts'
import { DB_PATH, bucketOf, openInMemory } from '../proptest/engine/memory-engine.ts'
import { encodeLease, encodeLeaseKey } from '../proto/leasepb.ts'
import type { LeaseRow } from '../proto/leasepb.ts'
import { readLeaseRows } from './lease-rows.ts'
import { Lessor } from './lessor.ts'
import type { LeaseTxn } from './lessor.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (source: Uint8Array): string => new TextDecoder().decode(source)

let engine: Engine
let clock: FakeClock
let lessor: Lessor
/** Keys in the order in which they were deleted. */
let deleted: string[]

beforeEach(async () => {
  engine = (await openInMemory()).engine
  engine.update((tx) => void tx.createBucket('lease'))
  clock = new FakeClock()
  lessor = new Lessor(clock)
  lessor.start()
  deleted = []
})

afterEach(async () => {
  await engine.close()
})

/** Runs a change that is committed, or rolled back with what `undo` takes back. */
function change<T>(work: (txn: LeaseTxn) => T, isKept = true): T {
  const mark = lessor.changeCount
  const tx = engine.beginNow({ writable: true })
  try {
    const result = work(txnOf(tx))
    if (isKept) {
      tx.commit()
      lessor.forget()
    } else lessor.undo(mark)
    return result
  } finally {
    tx.rollback()
  }
}

function txnOf(tx: Tx): LeaseTxn {
  return {
    changeTx: () => tx,
    deleteKeys: (keys) => {
      for (const key of keys) {
        deleted.push(text(key))
        lessor.attach(key, 0n)
      }
    },
  }
}

/** Another lessor, from what the file holds. */
async function reloaded(): Promise<Lessor> {
  const tx = engine.beginNow({ writable: false })
  try {
    const again = new Lessor(clock)
    const visit = (row: LeaseRow): void => again.load(row)
    await readLeaseRows(tx, { file: DB_PATH, pause: async () => {}, visit })
    return again
  } finally {
    tx.rollback()
  }
}

const grant = (id: bigint, ttlSeconds: number): void => {
  change((txn) => lessor.grant(txn, id, ttlSeconds))
}
const attach = (key: string, id: bigint): void => change(() => lessor.attach(bytes(key), id))
const keysOf = (id: bigint): string[] => lessor.keysOf(id).map((key) => text(key))

const codeOf = (work: () => unknown): unknown => {
  try {
    work()
    return 'done'
  } catch (error) {
    return isKvError(error) ? error.code : error
  }
}

describe('time', () => {
  test('what is left goes down with the monotonic clock, whatever the wall clock says', () => {
    grant(7n, 10)
    clock.advance(3500)
    expect(lessor.get(7n)).toEqual({ id: 7n, ttlSeconds: 10, remainingSeconds: 6 })
    clock.setWallMs(0)
    clock.setWallMs(9e15)
    expect([lessor.get(7n)?.remainingSeconds, lessor.takeDue(9)]).toEqual([6, []])
    clock.advance(6499)
    expect([lessor.nextDueInMs, lessor.takeDue(9)]).toEqual([1, []])
    clock.advance(1)
    expect(lessor.takeDue(9)).toEqual([7n])
  })

  test('stands still until start()', async () => {
    grant(7n, 10)
    const later = await reloaded()
    clock.advance(100_000)
    expect(later.get(7n)?.remainingSeconds).toBe(10)
    later.start()
    clock.advance(4000)
    expect(later.get(7n)?.remainingSeconds).toBe(6)
  })

  test('a lease that is due and not ended has 0 seconds left, and can be renewed', () => {
    grant(7n, 2)
    clock.advance(5000)
    expect(lessor.get(7n)?.remainingSeconds).toBe(0)
    change((txn) => lessor.renew(txn, 7n))
    expect(change((txn) => lessor.expire(txn, 7n))).toBe(false)
    expect(lessor.get(7n)?.remainingSeconds).toBe(2)
  })

  test('a lease that was taken and could not be ended is due again', () => {
    grant(7n, 2)
    clock.advance(2000)
    expect(lessor.takeDue(9)).toEqual([7n])
    expect(lessor.takeDue(9)).toEqual([])
    clock.advance(3000)
    expect(lessor.takeDue(9)).toEqual([7n])
    expect(change((txn) => lessor.expire(txn, 7n))).toBe(true)
    expect([lessor.leaseCount, lessor.nextDueInMs]).toEqual([0, undefined])
  })
})

describe('what is noted', () => {
  test('a restart gives a lease what was noted, rounded up; without a note all of it', async () => {
    grant(7n, 100)
    grant(8n, 100)
    clock.advance(30_400)
    change((txn) => lessor.note(txn, [7n]))
    const again = await reloaded()
    expect(again.get(7n)?.remainingSeconds).toBe(70)
    expect(again.get(8n)?.remainingSeconds).toBe(100)
  })

  test('a lease that is overdue is noted with a second, not with all of its time', async () => {
    grant(7n, 10)
    clock.advance(20_000)
    change((txn) => lessor.note(txn, [7n]))
    expect((await reloaded()).get(7n)?.remainingSeconds).toBe(1)
  })

  test('a renewal takes the note back, and writes nothing where there is none', async () => {
    grant(7n, 100)
    clock.advance(30_000)
    change((txn) => lessor.note(txn, [7n]))
    const before = engine.txid
    change((txn) => lessor.renew(txn, 7n))
    expect(engine.txid).toBe(before + 1)
    expect((await reloaded()).get(7n)?.remainingSeconds).toBe(100)
    change((txn) => lessor.renew(txn, 7n))
    expect(engine.txid).toBe(before + 1)
  })

  test('a renewal that is rolled back leaves the note to the next one', async () => {
    grant(7n, 100)
    clock.advance(30_000)
    change((txn) => lessor.note(txn, [7n]))
    change((txn) => lessor.renew(txn, 7n), false)
    expect((await reloaded()).get(7n)?.remainingSeconds).toBe(70)
    change((txn) => lessor.renew(txn, 7n))
    expect((await reloaded()).get(7n)?.remainingSeconds).toBe(100)
  })

  test('idsToNote() names leases to which a restart would give so much more', () => {
    grant(7n, 1000)
    grant(8n, 30)
    clock.advance(29_000)
    expect([lessor.idsToNote(1), lessor.idsToNote(60)]).toEqual([[7n, 8n], []])
    clock.advance(31_000)
    change((txn) => lessor.renew(txn, 8n))
    expect(lessor.idsToNote(60)).toEqual([7n])
    change((txn) => lessor.note(txn, [7n]))
    expect(lessor.idsToNote(60)).toEqual([])
    clock.advance(59_000)
    expect(lessor.idsToNote(60)).toEqual([])
    clock.advance(1000)
    expect(lessor.idsToNote(60)).toEqual([7n])
  })
})

describe('keys', () => {
  test('the end of a lease deletes its keys in byte order, and its row', async () => {
    grant(7n, 10)
    for (const key of ['b', 'ä', 'a', 'aa', 'zz']) attach(key, 7n)
    attach('b', 0n)
    change((txn) => lessor.revoke(txn, 7n))
    expect(deleted).toEqual(['a', 'aa', 'zz', 'ä'])
    expect((await reloaded()).leaseCount).toBe(0)
  })

  test('a key belongs to the lease named last, and to none that does not exist', () => {
    grant(7n, 10)
    grant(8n, 10)
    attach('a', 7n)
    attach('a', 8n)
    attach('b', 7n)
    attach('b', 99n)
    expect([keysOf(7n), keysOf(8n), keysOf(99n)]).toEqual([[], ['a'], []])
  })
})

describe('undo()', () => {
  test('takes back a grant, with what was attached to it', async () => {
    change((txn) => {
      lessor.grant(txn, 7n, 10)
      lessor.attach(bytes('a'), 7n)
    }, false)
    expect([lessor.has(7n), lessor.nextDueInMs]).toEqual([false, undefined])
    grant(7n, 10)
    expect(keysOf(7n)).toEqual([])
  })

  test('brings back a lease that was ended, with its keys and its deadline', () => {
    grant(7n, 10)
    attach('a', 7n)
    attach('b', 7n)
    clock.advance(4000)
    change((txn) => lessor.revoke(txn, 7n), false)
    expect([keysOf(7n), lessor.nextDueInMs]).toEqual([['a', 'b'], 6000])
    change(() => lessor.attach(bytes('a'), 0n))
    expect(keysOf(7n)).toEqual(['b'])
    change((txn) => lessor.revoke(txn, 7n))
    expect(deleted).toEqual(['a', 'b', 'b'])
  })

  test('attaches keys again that were moved or detached', () => {
    grant(7n, 10)
    grant(8n, 10)
    attach('a', 7n)
    attach('b', 7n)
    change(() => {
      lessor.attach(bytes('a'), 8n)
      lessor.attach(bytes('b'), 0n)
      lessor.attach(bytes('c'), 8n)
      lessor.attach(bytes('a'), 0n)
    }, false)
    expect([keysOf(7n), keysOf(8n)]).toEqual([['a', 'b'], []])
  })
})

test('what is refused changes nothing', () => {
  grant(7n, 10)
  const before = engine.txid
  const refused = [
    codeOf(() => change((txn) => lessor.grant(txn, 7n, 10))),
    codeOf(() => change((txn) => lessor.renew(txn, 8n))),
    codeOf(() => change((txn) => lessor.revoke(txn, 8n))),
  ]
  expect(refused).toEqual(['KV_LEASE_EXISTS', 'KV_LEASE_NOT_FOUND', 'KV_LEASE_NOT_FOUND'])
  expect([engine.txid, lessor.ids()]).toEqual([before, [7n]])
})

describe('readLeaseRows()', () => {
  const put = (key: Uint8Array, value: Uint8Array): void => {
    engine.update((tx) => bucketOf(tx, 'lease').put(key, value))
  }

  test('raises a time to live that etcd would raise', async () => {
    put(encodeLeaseKey(7n), encodeLease({ id: 7n, ttlSeconds: 0, remainingSeconds: 0 }))
    put(encodeLeaseKey(8n), encodeLease({ id: 8n, ttlSeconds: 5, remainingSeconds: 9 }))
    const again = await reloaded()
    expect([again.get(7n)?.ttlSeconds, again.get(8n)?.remainingSeconds]).toEqual([2, 5])
  })

  const row = { id: 7n, ttlSeconds: 10, remainingSeconds: 0 }
  test.each([
    ['a key of another length', bytes('short'), encodeLease(row)],
    ['what is no message', encodeLeaseKey(7n), Uint8Array.of(0xff)],
    ['the id of another lease', encodeLeaseKey(8n), encodeLease(row)],
    ['an endless life', encodeLeaseKey(7n), encodeLease({ ...row, ttlSeconds: 9e9 + 1 })],
    ['less than nothing left', encodeLeaseKey(7n), encodeLease({ ...row, remainingSeconds: -1 })],
  ])('refuses a row with %s', async (_, key, value) => {
    put(key, value)
    await expect(reloaded()).rejects.toThrow(CorruptionError)
  })
})
