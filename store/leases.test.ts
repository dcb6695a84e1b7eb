import { describe, expect, test } from 'vitest'
import { FakeClock } from '../base/clock.ts'
import { isKvError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { identifiedLog } from '../proptest/durability/log-of.ts'
import { put, range } from './op.ts'
import { openOn } from './open.ts'
import type { BuiltLocalStore, BuiltOpenOptions } from './types.ts'

/** A store on a disk in memory, whose time passes when it is told to. */
class Life {
  readonly disk: MemoryDisk
  readonly clock = new FakeClock()
  readonly store: BuiltLocalStore

  private constructor(disk: MemoryDisk, clock: FakeClock, store: BuiltLocalStore) {
    this.disk = disk
    this.clock = clock
    this.store = store
  }

  static async begin(disk = new MemoryDisk(), options: BuiltOpenOptions = {}): Promise<Life> {
    const clock = new FakeClock()
    const tuning = { clock, random: new Random(7) }
    return new Life(disk, clock, await openOn(disk, '/data', options, tuning))
  }

  /** Lets time pass, and what falls due come to its end. */
  async elapse(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms)
    await this.settle()
  }

  /** Waits until nothing happens any more of itself. */
  async settle(): Promise<void> {
    for (let quiet = 0, before = -1; quiet < 20; quiet++) {
      await new Promise((resolve) => setImmediate(resolve))
      const { operationCount } = this.disk
      if (operationCount !== before) quiet = 0
      before = operationCount
    }
  }

  /** The next life after this one was closed. */
  async again(options: BuiltOpenOptions = {}): Promise<Life> {
    await this.store.close()
    return await Life.begin(this.disk, options)
  }

  /** The next life after the power went. */
  async crashed(): Promise<Life> {
    return await Life.begin(this.disk.afterPowerLoss(1, 'nothing'))
  }

  async keys(revision?: number): Promise<string> {
    const { kvs } = await this.store.range({ revision })
    return kvs.map(({ key }) => key).join(' ')
  }

  async left(id: bigint): Promise<number | undefined> {
    return (await this.store.lease(id))?.remainingSeconds
  }

  /** Records in the log, read from a copy of the disk. */
  get recordCount(): number {
    const log = identifiedLog(this.disk.clone(), '/data/wal')
    return log.filter(({ entries }) => entries.length > 0).length
  }
}

describe('a lease that is not renewed', () => {
  test('ends when its time is over, not before, and deletes its keys in one revision', async () => {
    const life = await Life.begin()
    const { store } = life
    const lease = await store.grant({ ttlSeconds: 2 })
    for (const key of ['b', 'a', 'c']) await store.put(key, '1', { lease })
    await store.put('b', '2')
    await life.elapse(1999)
    expect([await life.keys(), (await store.status()).revision]).toEqual(['a b c', 5])
    await life.elapse(1)
    expect([await life.keys(), (await store.status()).revision]).toEqual(['b', 6])
    expect([await life.keys(5), await store.leases()]).toEqual(['a b c', []])
    await store.close()
  })

  test('does not end for a jump of the wall clock', async () => {
    const life = await Life.begin()
    const lease = await life.store.grant({ ttlSeconds: 2 })
    await life.store.put('a', '1', { lease })
    life.clock.setWallMs(8e15)
    await life.elapse(1500)
    life.clock.setWallMs(0)
    await life.elapse(499)
    expect(await life.keys()).toBe('a')
    await life.elapse(1)
    expect(await life.keys()).toBe('')
    await life.store.close()
  })

  test('is gone for whoever comes later', async () => {
    const life = await Life.begin()
    const { store } = life
    const lease = await store.grant({ ttlSeconds: 2 })
    await life.elapse(2000)
    const calls = [store.renew(lease), store.revoke(lease), store.put('a', '1', { lease })]
    for (const { status, reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
      expect([status, isKvError(reason) && reason.code]).toEqual(['rejected', 'KV_LEASE_NOT_FOUND'])
    }
    expect(await store.lease(lease)).toBeUndefined()
    await store.close()
  })

  test('ends after all when its end could not be written at first', async () => {
    const first = await Life.begin()
    const lease = await first.store.grant({ ttlSeconds: 5 })
    await first.store.put('a', '1', { lease })
    for (let i = 10; i < 99; i++) await first.store.put(`z${i}`, 'x'.repeat(2000))
    const life = await first.again({ cacheBytes: 16_384 })
    // What the end of the lease reads is no longer in memory.
    await life.store.range()
    const mend = life.disk.injectFault({ kind: 'read', code: 'EIO', times: Infinity })
    await life.elapse(5000)
    mend()
    expect([await life.store.leases(), (await life.store.get('a'))?.key]).toEqual([[lease.id], 'a'])
    await life.elapse(3000)
    expect([await life.store.leases(), await life.store.get('a')]).toEqual([[], undefined])
    await life.store.close()
  })

  test('stays as it is in a store that is poisoned, which has no timer any more', async () => {
    const life = await Life.begin()
    const lease = await life.store.grant({ ttlSeconds: 5 })
    await using kept = life.store.keepAlive(lease)
    await life.store.grant({ ttlSeconds: 2 })
    life.disk.injectFault({ kind: 'sync', code: 'EIO' })
    await life.elapse(2000)
    await expect(life.store.leases()).rejects.toMatchObject({ code: 'KV_POISONED' })
    await life.elapse(100_000)
    expect(isKvError(kept.lost.reason, 'KV_POISONED')).toBe(true)
    expect(life.clock.timerCount).toBe(0)
    await life.store.close().catch(() => {})
    const next = await life.crashed()
    expect(await next.store.leases()).toContain(lease.id)
    await next.store.close()
  })
})

describe('many leases that are due at once', () => {
  test('all end, each in its own revision, and other writes come in between', async () => {
    const life = await Life.begin()
    const { store, clock } = life
    const count = 2000
    await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const lease = await store.grant({ ttlSeconds: 5, id: BigInt(i + 1) })
        await store.put(`k${i}`, '1', { lease })
      }),
    )
    const { revision } = await store.status()
    clock.advance(5000)
    const meanwhile = await store.put('other', '1')
    expect(meanwhile.revision).toBeLessThan(revision + count)
    await life.settle()
    expect([await life.keys(), await store.leases()]).toEqual(['other', []])
    expect((await store.status()).revision).toBe(revision + count + 1)
    await store.close()
  })

  test('end also where hardly anything may wait in the queue', async () => {
    const life = await Life.begin(new MemoryDisk(), { maxPendingBytes: 1 })
    for (let i = 0; i < 20; i++) await life.store.grant({ ttlSeconds: 5 })
    await life.elapse(6000)
    expect(await life.store.leases()).toEqual([])
    await life.store.close()
  })
})

describe('a renewal', () => {
  test('gives the lease all of its time again', async () => {
    const life = await Life.begin()
    const lease = await life.store.grant({ ttlSeconds: 3 })
    for (let i = 0; i < 5; i++) {
      await life.elapse(2900)
      await life.store.renew(lease)
    }
    expect(await life.left(lease.id)).toBe(3)
    await life.elapse(3000)
    expect(await life.left(lease.id)).toBeUndefined()
    await life.store.close()
  })

  test('writes nothing to the disk', async () => {
    const life = await Life.begin()
    const lease = await life.store.grant({ ttlSeconds: 30 })
    const before = life.disk.operationCount
    for (let i = 0; i < 20; i++) {
      await life.elapse(20_000)
      await life.store.renew(lease)
    }
    expect(life.disk.operationCount).toBe(before)
    await life.store.close()
  })

  test('after a restart takes the noted remainder back before it answers, and only once', async () => {
    const first = await Life.begin()
    const lease = await first.store.grant({ ttlSeconds: 30 })
    await first.elapse(20_000)
    const second = await first.again()
    expect(await second.left(lease.id)).toBe(10)
    const before = second.recordCount
    await second.store.renew(lease)
    expect(second.recordCount).toBe(before + 1)
    await second.store.renew(lease)
    expect(second.recordCount).toBe(before + 1)
    const third = await second.crashed()
    expect(await third.left(lease.id)).toBe(30)
    await Promise.all([second.store.close(), third.store.close()])
  })
})

describe('a restart', () => {
  test('goes on with what was left when the store was closed, however long that was', async () => {
    const first = await Life.begin()
    const lease = await first.store.grant({ ttlSeconds: 10 })
    await first.store.put('a', '1', { lease })
    await first.elapse(3500)
    const second = await first.again()
    expect(await second.left(lease.id)).toBe(7)
    await second.elapse(6999)
    expect(await second.keys()).toBe('a')
    await second.elapse(1)
    expect(await second.keys()).toBe('')
    await second.store.close()
  })

  test('after a power cut gives a lease no less than it was promised', async () => {
    const first = await Life.begin()
    const lease = await first.store.grant({ ttlSeconds: 10 })
    await first.elapse(8000)
    const second = await first.crashed()
    expect(await second.left(lease.id)).toBe(10)
    await Promise.all([first.store.close(), second.store.close()])
  })

  test('gives a lease that ran down by minutes what was noted at a checkpoint', async () => {
    const first = await Life.begin(new MemoryDisk(), { checkpointBytes: 2000 })
    const lease = await first.store.grant({ ttlSeconds: 1000 })
    const short = await first.store.grant({ ttlSeconds: 50 })
    await first.elapse(45_000)
    await first.store.renew(short)
    await first.elapse(25_000)
    await first.store.put('big', 'x'.repeat(3000))
    await first.settle()
    await first.elapse(20_000)
    const second = await first.crashed()
    expect([await second.left(lease.id), await second.left(short.id)]).toEqual([930, 50])
    await Promise.all([first.store.close(), second.store.close()])
  })

  test('keeps what is attached to what', async () => {
    const first = await Life.begin()
    await first.store.grant({ ttlSeconds: 10, id: 7n })
    await first.store.grant({ ttlSeconds: 20, id: 8n })
    for (const key of ['a', 'b', 'c', 'd']) await first.store.put(key, '1', { lease: 7n })
    await first.store.put('a', '2')
    await first.store.put('b', '2', { lease: 8n })
    await first.store.delete('c')
    const second = await first.crashed()
    const keysOf = async (id: bigint): Promise<unknown> =>
      (await second.store.lease(id, { keys: true }))?.keys
    expect([await keysOf(7n), await keysOf(8n)]).toEqual([['d'], ['b']])
    await second.elapse(10_000)
    expect(await second.keys()).toBe('a b')
    await Promise.all([first.store.close(), second.store.close()])
  })

  test('for reading only stops the time, and writes nothing', async () => {
    const first = await Life.begin()
    const lease = await first.store.grant({ ttlSeconds: 10 })
    await first.elapse(4000)
    const second = await first.again({ readOnly: true })
    const before = second.disk.operationCount
    await second.clock.advanceAsync(100_000)
    expect([await second.left(lease.id), second.clock.timerCount]).toEqual([6, 0])
    await second.store.close()
    expect(second.disk.operationCount).toBe(before)
  })
})

describe('a store that is idle', () => {
  test('has no timer without leases, and one with any number of them', async () => {
    const life = await Life.begin()
    const { store, clock } = life
    expect(clock.timerCount).toBe(0)
    const first = await store.grant({ ttlSeconds: 100 })
    const second = await store.grant({ ttlSeconds: 10 })
    await store.grant({ ttlSeconds: 1000, id: 7n })
    expect(clock.timerCount).toBe(1)
    await store.revoke(first)
    await store.revoke(second)
    expect(clock.timerCount).toBe(1)
    await store.revoke(7n)
    expect(clock.timerCount).toBe(0)
    await store.grant({ ttlSeconds: 10 })
    await store.close()
    expect(clock.timerCount).toBe(0)
  })

  test('writes nothing while its leases live', async () => {
    const life = await Life.begin()
    await life.store.grant({ ttlSeconds: 100_000 })
    const before = life.disk.operationCount
    await life.elapse(99_000_000)
    expect(life.disk.operationCount).toBe(before)
    await life.store.close()
  })
})

describe('keepAlive()', () => {
  test('keeps the lease until it is disposed of', async () => {
    const life = await Life.begin()
    const lease = await life.store.grant({ ttlSeconds: 3 })
    const kept = life.store.keepAlive(lease)
    for (let i = 0; i < 100; i++) await life.elapse(500)
    expect(await life.left(lease.id)).toBeGreaterThanOrEqual(1)
    await kept[Symbol.asyncDispose]()
    await life.elapse(3000)
    expect([await life.left(lease.id), kept.lost.aborted]).toEqual([undefined, false])
    await life.store.close()
  })

  test('says when the lease was revoked', async () => {
    const life = await Life.begin()
    const lease = await life.store.grant({ ttlSeconds: 3 })
    await using kept = life.store.keepAlive(lease)
    await life.elapse(2000)
    await life.store.revoke(lease)
    expect(kept.lost.aborted).toBe(false)
    await life.elapse(1000)
    expect(isKvError(kept.lost.reason, 'KV_LEASE_NOT_FOUND')).toBe(true)
    await life.store.close()
  })

  test('leaves no timer behind', async () => {
    const life = await Life.begin()
    const lease = await life.store.grant({ ttlSeconds: 3 })
    const kept = life.store.keepAlive(lease)
    await life.settle()
    expect(life.clock.timerCount).toBe(2)
    await kept[Symbol.asyncDispose]()
    expect(life.clock.timerCount).toBe(1)
    life.store.keepAlive(lease)
    await life.settle()
    await life.store.close()
    expect(life.clock.timerCount).toBe(0)
  })
})

describe('a group that is rolled back', () => {
  test('takes back what it did to leases, and runs again one by one', async () => {
    const life = await Life.begin()
    const { store } = life
    await store.put('bad', new Uint8Array([0xff]))
    await store.grant({ ttlSeconds: 10, id: 7n })
    await store.put('a', '1', { lease: 7n })
    const before = life.recordCount
    const calls = [
      store.grant({ ttlSeconds: 10, id: 8n }),
      store.put('a', '2', { lease: 8n }),
      store.revoke(7n),
      store.put('b', '1', { lease: 8n }),
      // Written first, then a result that can't be decoded: the engine transaction is half changed.
      store.txn({ success: [put('b', '2'), put('c', '1', { lease: 8n }), range()] }),
      store.delete('a'),
      store.grant({ ttlSeconds: 10, id: 7n }),
      store.put('c', '2', { lease: 7n }),
    ]
    const settled = await Promise.allSettled(calls)
    expect(settled.map(({ status }) => status === 'fulfilled')).toEqual(
      calls.map((_, i) => i !== 4),
    )
    expect(life.recordCount).toBe(before + calls.length - 1)
    const keysOf = async (id: bigint): Promise<unknown> =>
      (await store.lease(id, { keys: true }))?.keys
    expect([await keysOf(7n), await keysOf(8n)]).toEqual([['c'], ['b']])
    await store.close()
  })
})
