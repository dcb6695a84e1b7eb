/** What only a store that can be made to fail shows. The rest is in proptest/behaviour. */
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../base/clock.ts'
import { KvError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { expectCode } from '../proptest/behaviour/backend.ts'
import { ClockedStore } from '../proptest/recipes/clocked-store.ts'
import { codecOf } from './codec.ts'
import { openOn } from './open.ts'
import { Transactor } from './transact.ts'
import type { TransactStore } from './transaction.ts'
import type { BuiltStore } from './types.ts'
import type { Transaction } from './types/txn.ts'

/** A store whose calls a test may turn against it. */
function throughCalls(store: BuiltStore, over: Partial<TransactStore>): Transactor {
  const calls: TransactStore = {
    range: (options) => store.range(options),
    txn: (request, options) => store.txn(request, options),
    ...over,
  }
  const codec = codecOf('utf8')
  return new Transactor({ store: calls, codec, clock: new FakeClock(), admit: () => {} })
}

describe('transact()', () => {
  test('a commit whose outcome is unknown is not tried again, and says so', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data')
    let runs = 0
    const error = await expectCode('KV_IO', () =>
      store.transact(async (t) => {
        runs++
        await t.get('a')
        t.put('a', '1')
        disk.injectFault({ kind: 'sync', code: 'EIO' })
      }),
    )
    expect([runs, error.outcome]).toEqual([1, 'unknown'])
    await store.close()
  })

  test('a read that failed keeps the transaction from being committed', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    const broken = new KvError('KV_IO', 'no answer')
    const transactor = throughCalls(store, {
      range: async (options) => {
        if (options.key instanceof Uint8Array) throw broken
        return await store.range(options)
      },
    })
    const call = transactor.run(async (t: Transaction) => {
      await t.range({ prefix: 'x' })
      await t.get('a').catch(() => undefined)
      t.put('a', 'as if it had been missing')
    }, undefined)
    await expect(call).rejects.toBe(broken)
    expect(await store.get('a')).toBeUndefined()
  })

  test('compares each thing that it read once, in one txn', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    await store.put('a', '1')
    const requests: unknown[] = []
    const transactor = throughCalls(store, {
      txn: async (request, options) => {
        requests.push(JSON.parse(JSON.stringify(request, showBytes)))
        return await store.txn(request, options)
      },
    })
    await transactor.run(async (t: Transaction) => {
      for (const key of ['a', 'a', 'ab', 'z']) await t.get(key)
      for (const prefix of ['ab', 'a', 'ac']) await t.range({ prefix })
      t.delete({ prefix: 'q' })
      t.put('q1', '1')
      t.delete('q')
      t.delete('r')
      t.put('r', '1')
    }, undefined)
    const key = (name: string, value: number): object => ({
      key: name,
      target: 'modRevision',
      operator: '=',
      value,
    })
    expect(requests).toEqual([
      {
        compare: [
          key('a', 2),
          key('z', 0),
          { start: 'a', end: 'b', target: 'modRevision', operator: '<', value: 3 },
        ],
        success: [
          { type: 'put', key: 'q1', value: '1', lease: '0' },
          { type: 'put', key: 'r', value: '1', lease: '0' },
          { type: 'delete', start: 'q', end: 'q1' },
          { type: 'delete', start: 'q1\0', end: 'r' },
        ],
      },
    ])
  })

  test('a range read later is compared with the revision that was read, too', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    let runs = 0
    const { attempts } = await store.transact(async (t) => {
      await t.range({ prefix: 'a' })
      if (++runs === 1) await store.put('b', '1')
      t.put('count', String((await t.range({ prefix: 'b' })).length))
    })
    expect([attempts, (await store.get('count'))?.value]).toEqual([2, '1'])
  })

  test('one that waits for its turn waits for a second at most', async () => {
    await using life = await ClockedStore.open()
    const { store } = life
    let inner: unknown
    // Within its second run it waits for another transaction, which needs two runs itself.
    const runs = { outer: 0, inner: 0 }
    let isOver = false
    const call = store.transact(async (t) => {
      await t.get('a')
      if (++runs.outer === 1) {
        await store.put('a', '1')
        t.put('b', '1')
        return
      }
      inner = await store.transact(async (u) => {
        await u.get('c')
        if (++runs.inner === 1) await store.put('c', '1')
        u.put('d', '1')
        return 'inner'
      })
      t.put('b', '2')
    })
    const over = call.finally(() => {
      isOver = true
    })
    while (!isOver) await life.elapse(100)
    await over
    expect(life.clock.monotonicMs()).toBeGreaterThanOrEqual(1000)
    expect([inner, runs]).toMatchObject([
      { value: 'inner', attempts: 2 },
      { outer: 2, inner: 2 },
    ])
  })

  test('one that waits for its turn can be aborted, and lets the next one go on', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    const controller = new AbortController()
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    /** Needs two runs; `last` happens in the second. */
    const twice = async (key: string, last: () => unknown, signal?: AbortSignal): Promise<void> => {
      let runs = 0
      await store.transact(
        async (t) => {
          await t.get(key)
          if (++runs === 1) await store.put(key, '1')
          else await last()
          t.put(`${key}+`, '1')
        },
        { signal },
      )
    }
    let isInTurn = (): void => {}
    const inTurn = new Promise<void>((resolve) => {
      isInTurn = resolve
    })
    const first = twice('a', () => {
      isInTurn()
      return held
    })
    await inTurn
    const second = twice('b', () => {}, controller.signal)
    const third = twice('c', () => {})
    setImmediate(() => controller.abort(new Error('enough')))
    await expect(second).rejects.toThrow('enough')
    release()
    await Promise.all([first, third])
    expect((await store.range({})).kvs.map(({ key }) => key)).toEqual(['a', 'a+', 'b', 'c', 'c+'])
  })
})

function showBytes(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  // A Buffer has become this before it comes here.
  const isBuffer = typeof value === 'object' && value !== null && 'data' in value
  return isBuffer && Array.isArray(value.data) ? Buffer.from(value.data).toString() : value
}
