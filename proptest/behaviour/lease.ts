/**
 * Leases, as far as they can be told without waiting: granting, attaching, ending by hand, and what
 * is refused. What time does to them is in store/leases.test.ts.
 */
import { describe, expect, test } from 'vitest'
import { KvError } from '../../base/errors.ts'
import { compare, del, put } from '../../store/op.ts'
import type { Backend, StoreOf } from './backend.ts'
import { dump, expectCode, refusalOf, revisionOf, withEncoding, withStore } from './backend.ts'

/** Long enough that no test sees its end. */
const LONG = 100_000

export function leaseCases(backend: Backend): void {
  describe('grant()', () => {
    grantCases(backend)
  })
  describe('a key with a lease', () => {
    attachCases(backend)
  })
  describe('revoke()', () => {
    revokeCases(backend)
  })
  describe('lease() and leases()', () => {
    infoCases(backend)
  })
  describe('renew() and keepAlive()', () => {
    renewCases(backend)
  })
  describe('leases', () => {
    refusalCases(backend)
  })
  describe.skipIf(!backend.supports.reopen)('leases of a store opened again', () => {
    reopenCases(backend)
  })
}

function grantCases(backend: Backend): void {
  test('makes a lease with a positive id of its own choice, and no revision', async () => {
    await withStore(backend, async (store) => {
      const first = await store.grant({ ttlSeconds: LONG })
      const second = await store.grant({ ttlSeconds: LONG })
      expect([first.id > 0n, second.id > 0n, first.id === second.id]).toEqual([true, true, false])
      expect(first.ttlSeconds).toBe(LONG)
      expect(await revisionOf(store)).toBe(1)
    })
  })

  test('takes an id, also a negative one, and refuses one that is taken', async () => {
    await withStore(backend, async (store) => {
      for (const id of [7n, -7n, 2n ** 63n - 1n, -(2n ** 63n)]) {
        expect((await store.grant({ ttlSeconds: LONG, id })).id).toBe(id)
      }
      await expectCode('KV_LEASE_EXISTS', () => store.grant({ ttlSeconds: LONG, id: -7n }))
      await store.revoke(-7n)
      expect((await store.grant({ ttlSeconds: LONG, id: -7n })).id).toBe(-7n)
    })
  })

  test('raises the time to live to 2 seconds and takes up to 9,000,000,000', async () => {
    await withStore(backend, async (store) => {
      const granted: number[] = []
      for (const ttlSeconds of [-5, 0, 1, 2, 3, 9_000_000_000]) {
        granted.push((await store.grant({ ttlSeconds })).ttlSeconds)
      }
      expect(granted).toEqual([2, 2, 2, 2, 3, 9_000_000_000])
    })
  })

  test('has a JSON form with decimal strings', async () => {
    await withStore(backend, async (store) => {
      const lease = await store.grant({ ttlSeconds: LONG, id: 7n })
      expect(JSON.stringify(lease)).toBe(`{"id":"7","ttlSeconds":"${LONG}"}`)
    })
  })
}

/** The leases of some keys, in key order. */
async function keysOf(store: StoreOf<'utf8'>, id: bigint): Promise<readonly string[]> {
  return (await store.lease(id, { keys: true }))?.keys ?? ['no such lease']
}

function attachCases(backend: Backend): void {
  test('names it; a put without a lease detaches, one with another lease moves it', async () => {
    await withStore(backend, async (store) => {
      const seven = await store.grant({ ttlSeconds: LONG, id: 7n })
      await store.grant({ ttlSeconds: LONG, id: 8n })
      await store.put('a', '1', { lease: seven })
      await store.put('b', '1', { lease: 7n })
      await store.put('c', '1', { lease: 7n })
      expect([await keysOf(store, 7n), await keysOf(store, 8n)]).toEqual([['a', 'b', 'c'], []])
      await store.put('a', '2')
      await store.put('b', '2', { lease: 8n })
      await store.put('c', '2', { lease: 7n })
      expect([await keysOf(store, 7n), await keysOf(store, 8n)]).toEqual([['c'], ['b']])
      expect(await dump(store)).toEqual(['a=2 c2 m5 v2', 'b=2 c3 m6 v2 l8', 'c=2 c4 m7 v2 l7'])
    })
  })

  test('keeps it with ignoreLease', async () => {
    await withStore(backend, async (store) => {
      await store.grant({ ttlSeconds: LONG, id: 7n })
      await store.put('a', '1', { lease: 7n })
      await store.put('a', '2', { ignoreLease: true })
      expect(await dump(store)).toEqual(['a=2 c2 m3 v2 l7'])
      expect(await keysOf(store, 7n)).toEqual(['a'])
    })
  })

  test('loses it when it is deleted, and has none when it is made again', async () => {
    await withStore(backend, async (store) => {
      await store.grant({ ttlSeconds: LONG, id: 7n })
      await store.put('a', '1', { lease: 7n })
      await store.put('b', '1', { lease: 7n })
      await store.delete({ prefix: '' })
      expect(await keysOf(store, 7n)).toEqual([])
      await store.put('a', '2')
      await store.revoke(7n)
      expect(await dump(store)).toEqual(['a=2 c5 m5 v1'])
    })
  })

  test('is attached, moved and detached by transactions', async () => {
    await withStore(backend, async (store) => {
      await store.grant({ ttlSeconds: LONG, id: 7n })
      await store.txn({ success: [put('a', '1', { lease: 7n }), put('b', '1', { lease: 7n })] })
      expect(await keysOf(store, 7n)).toEqual(['a', 'b'])
      const { succeeded } = await store.txn({
        compare: [compare('a').lease('=', 7n)],
        success: [put('a', '2'), del('b'), put('c', '1', { lease: 7n })],
      })
      expect([succeeded, await keysOf(store, 7n)]).toEqual([true, ['c']])
    })
  })

  test('of a lease that does not exist is refused, with all of its transaction', async () => {
    await withStore(backend, async (store) => {
      await store.grant({ ttlSeconds: LONG, id: 7n })
      await store.put('a', '1', { lease: 7n })
      const success = [put('a', '2'), del('b'), put('c', '1', { lease: 9n })]
      await expectCode('KV_LEASE_NOT_FOUND', () => store.txn({ success }))
      expect(await dump(store)).toEqual(['a=1 c2 m2 v1 l7'])
      expect(await keysOf(store, 7n)).toEqual(['a'])
    })
  })
}

function revokeCases(backend: Backend): void {
  test('deletes all its keys in one revision, and no others', async () => {
    await withStore(backend, async (store) => {
      await store.grant({ ttlSeconds: LONG, id: 7n })
      await store.grant({ ttlSeconds: LONG, id: 8n })
      for (const key of ['c', 'a', 'b']) await store.put(key, '1', { lease: 7n })
      await store.put('d', '1', { lease: 8n })
      await store.put('e', '1')
      expect((await store.revoke(7n)).revision).toBe(7)
      expect(await dump(store)).toEqual(['d=1 c5 m5 v1 l8', 'e=1 c6 m6 v1'])
      expect(await dump(store, 6)).toHaveLength(5)
      expect(await store.leases()).toEqual([8n])
    })
  })

  test('of a lease without keys makes no revision', async () => {
    await withStore(backend, async (store) => {
      const lease = await store.grant({ ttlSeconds: LONG })
      expect((await store.revoke(lease)).revision).toBe(1)
      expect(await store.leases()).toEqual([])
    })
  })

  test('refuses a lease that does not exist, or no more', async () => {
    await withStore(backend, async (store) => {
      await expectCode('KV_LEASE_NOT_FOUND', () => store.revoke(7n))
      await store.grant({ ttlSeconds: LONG, id: 7n })
      await store.revoke(7n)
      await expectCode('KV_LEASE_NOT_FOUND', () => store.revoke(7n))
      await expectCode('KV_LEASE_NOT_FOUND', () => store.put('a', '1', { lease: 7n }))
      await expectCode('KV_LEASE_NOT_FOUND', () => store.revoke(0n))
    })
  })

  test('deletes keys in key order: by bytes', async () => {
    await withEncoding(backend, 'bytes', async (store) => {
      await store.grant({ ttlSeconds: LONG, id: 7n })
      const keys = [[0xff], [0x61], [0x61, 0x00], [0xc3, 0xa4], [0x00]].map((key) =>
        Uint8Array.from(key),
      )
      for (const key of keys) await store.put(key, '', { lease: 7n })
      const info = await store.lease(7n, { keys: true })
      expect(info?.keys.map((key) => Buffer.from(key).toString('hex'))).toEqual([
        '00',
        '61',
        '6100',
        'c3a4',
        'ff',
      ])
      expect(JSON.stringify(info?.keys[1])).toBe(JSON.stringify(Uint8Array.of(0x61)))
      expect(info?.toJSON()).toMatchObject({ keys: ['AA==', 'YQ==', 'YQA=', 'w6Q=', '/w=='] })
    })
  })
}

function infoCases(backend: Backend): void {
  test('tell the granted time, what is left of it, and keys only where asked', async () => {
    await withStore(backend, async (store) => {
      await store.grant({ ttlSeconds: LONG, id: 7n })
      await store.put('a', '1', { lease: 7n })
      const info = await store.lease({ id: 7n })
      expect([info?.id, info?.ttlSeconds, info?.keys]).toEqual([7n, LONG, []])
      expect(info?.remainingSeconds).toBeGreaterThan(LONG - 100)
      expect(info?.remainingSeconds).toBeLessThanOrEqual(LONG)
      expect(await store.lease(8n)).toBeUndefined()
    })
  })

  test('list leases, soonest to expire first', async () => {
    await withStore(backend, async (store) => {
      for (const [i, ttlSeconds] of [3000, 1000, 2000].entries()) {
        await store.grant({ ttlSeconds, id: BigInt(i + 1) })
      }
      expect(await store.leases()).toEqual([2n, 3n, 1n])
    })
  })
}

function renewCases(backend: Backend): void {
  test('give the lease as granted, and make no revision', async () => {
    await withStore(backend, async (store) => {
      await store.grant({ ttlSeconds: LONG, id: 7n })
      const renewed = await store.renew(7n)
      expect([renewed.id, renewed.ttlSeconds]).toEqual([7n, LONG])
      const kept = store.keepAlive(7n)
      expect([kept.id, kept.lost.aborted]).toEqual([7n, false])
      await kept[Symbol.asyncDispose]()
      await kept[Symbol.asyncDispose]()
      expect([kept.lost.aborted, await revisionOf(store)]).toEqual([false, 1])
    })
  })

  test('find out that there is no such lease', async () => {
    await withStore(backend, async (store) => {
      await expectCode('KV_LEASE_NOT_FOUND', () => store.renew(7n))
      await using kept = store.keepAlive(7n)
      expect(codeOfReason(await lossOf(kept.lost))).toBe('KV_LEASE_NOT_FOUND')
    })
  })

  test('end with the store', async () => {
    await withStore(backend, async (store) => {
      await store.grant({ ttlSeconds: LONG, id: 7n })
      await using kept = store.keepAlive(7n)
      await store.close()
      expect(codeOfReason(await lossOf(kept.lost))).toBe('KV_CLOSED')
    })
  })

  test('end with the signal', async () => {
    await withStore(backend, async (store) => {
      await store.grant({ ttlSeconds: LONG, id: 7n })
      const controller = new AbortController()
      await using kept = store.keepAlive(7n, { signal: controller.signal })
      controller.abort('enough')
      expect(await lossOf(kept.lost)).toBe('enough')
      expect(await store.leases()).toEqual([7n])
    })
  })
}

async function lossOf(lost: AbortSignal): Promise<unknown> {
  if (!lost.aborted) {
    await new Promise((resolve) => lost.addEventListener('abort', resolve, { once: true }))
  }
  return lost.reason
}

function codeOfReason(reason: unknown): unknown {
  return reason instanceof KvError ? reason.code : reason
}

/** A call with a wrong argument: what it begins with, and what kind of error it is. */
interface Slip {
  readonly name: string
  readonly kind: 'TypeError' | 'RangeError'
  readonly call: (store: Loose) => unknown
}

/** The store as a caller without types sees it. */
type Loose = Record<'grant' | 'renew' | 'keepAlive' | 'revoke' | 'lease' | 'leases', Call>
type Call = (...args: readonly unknown[]) => unknown

const SLIPS: readonly Slip[] = [
  { name: 'ttlSeconds', kind: 'TypeError', call: (store) => store.grant() },
  { name: 'ttlSeconds', kind: 'TypeError', call: (store) => store.grant({ ttlSeconds: '1' }) },
  { name: 'ttlSeconds', kind: 'RangeError', call: (store) => store.grant({ ttlSeconds: 1.5 }) },
  { name: 'ttlSeconds', kind: 'RangeError', call: (store) => store.grant({ ttlSeconds: 9e9 + 1 }) },
  { name: 'id', kind: 'TypeError', call: (store) => store.grant({ ttlSeconds: 5, id: 7 }) },
  { name: 'id', kind: 'RangeError', call: (store) => store.grant({ ttlSeconds: 5, id: 0n }) },
  {
    name: 'id',
    kind: 'RangeError',
    call: (store) => store.grant({ ttlSeconds: 5, id: 2n ** 63n }),
  },
  { name: 'ttl', kind: 'TypeError', call: (store) => store.grant({ ttlSeconds: 5, ttl: 5 }) },
  { name: 'lease', kind: 'TypeError', call: (store) => store.renew() },
  { name: 'lease', kind: 'TypeError', call: (store) => store.renew(7) },
  { name: 'lease', kind: 'RangeError', call: (store) => store.renew(2n ** 63n) },
  { name: 'lease', kind: 'TypeError', call: (store) => store.revoke({ id: 7 }) },
  { name: 'lease', kind: 'TypeError', call: (store) => store.lease('7') },
  { name: 'keys', kind: 'TypeError', call: (store) => store.lease(7n, { keys: 1 }) },
  { name: 'lease', kind: 'TypeError', call: (store) => store.keepAlive(undefined) },
  { name: 'signal', kind: 'TypeError', call: (store) => store.keepAlive(7n, { signal: 1 }) },
  { name: 'keys', kind: 'TypeError', call: (store) => store.leases({ keys: true }) },
]

function refusalCases(backend: Backend): void {
  test.each(SLIPS.map((slip) => [`${slip.name}: ${slip.call.toString()}`, slip] as const))(
    'refuse a wrong argument, %s',
    async (_, { name, kind, call }) => {
      await withStore(backend, async (store) => {
        const error = await refusalOf(async () => await call(store as unknown as Loose))
        expect(error).toMatchObject({ name: kind })
        expect((error as Error).message).toMatch(new RegExp(`^${name}\\b`))
        expect(await store.leases()).toEqual([])
      })
    },
  )

  test('take no calls when the store is closed, or the signal is aborted', async () => {
    await withStore(backend, async (store) => {
      const signal = AbortSignal.abort('no')
      const aborted = [
        () => store.grant({ ttlSeconds: 5, signal }),
        () => store.renew(7n, { signal }),
        () => store.revoke(7n, { signal }),
        () => store.lease(7n, { signal }),
        () => store.leases({ signal }),
      ]
      for (const call of aborted) expect(await refusalOf(call)).toBe('no')
      await store.close()
      const calls = [
        () => store.grant({ ttlSeconds: 5 }),
        () => store.renew(7n),
        () => store.revoke(7n),
        () => store.lease(7n),
        () => store.leases(),
      ]
      for (const call of calls) await expectCode('KV_CLOSED', call)
    })
  })
}

function reopenCases(backend: Backend): void {
  test('are there with their keys, and end them', async () => {
    await withStore(backend, async (store, opened) => {
      await store.grant({ ttlSeconds: LONG, id: 7n })
      await store.grant({ ttlSeconds: LONG + 1000, id: -8n })
      for (const key of ['a', 'b', 'c', 'd']) await store.put(key, '1', { lease: 7n })
      await store.put('b', '2')
      await store.delete('c')
      const again = await opened.reopen?.()
      if (again === undefined) return
      expect(await again.leases()).toEqual([7n, -8n])
      expect((await again.lease(7n, { keys: true }))?.keys).toEqual(['a', 'd'])
      await expectCode('KV_LEASE_EXISTS', () => again.grant({ ttlSeconds: LONG, id: 7n }))
      await again.put('a', '2', { ignoreLease: true })
      await again.revoke(7n)
      expect(await dump(again)).toEqual(['b=2 c3 m6 v2'])
      const third = await opened.reopen?.()
      expect(await third?.leases()).toEqual([-8n])
    })
  })

  test.skipIf(!backend.supports.readOnly)(
    'can be looked at read-only, and not changed',
    async () => {
      await withStore(backend, async (store, opened) => {
        await store.grant({ ttlSeconds: LONG, id: 7n })
        await store.put('a', '1', { lease: 7n })
        const reader = await opened.reopen?.({ readOnly: true })
        if (reader === undefined) return
        expect(await reader.leases()).toEqual([7n])
        expect((await reader.lease(7n, { keys: true }))?.keys).toEqual(['a'])
        for (const call of [
          () => reader.grant({ ttlSeconds: 5 }),
          () => reader.renew(7n),
          () => reader.revoke(7n),
        ]) {
          await expectCode('KV_READ_ONLY', call)
        }
        await using kept = reader.keepAlive(7n)
        expect(codeOfReason(await lossOf(kept.lost))).toBe('KV_READ_ONLY')
      })
    },
  )
}
