/** Putting and deleting: etcd's documented cases. */
import { describe, expect, test } from 'vitest'
import type { KeyRange } from '../../store/types/key-value.ts'
import type { Backend, StoreOf } from './backend.ts'
import { brief, briefAll, dump, expectCode, revisionOf, withStore } from './backend.ts'

export function writeCases(backend: Backend): void {
  describe('put()', () => {
    putCases(backend)
  })
  describe('put() that keeps the value or the lease', () => {
    keepCases(backend)
  })
  describe('delete()', () => {
    deleteCases(backend)
  })
  describe('sizes', () => {
    sizeCases(backend)
  })
}

function putCases(backend: Backend): void {
  test('makes revision 2 on a new store and one more each time', async () => {
    await withStore(backend, async (store) => {
      expect((await store.put('a', '1')).revision).toBe(2)
      expect((await store.put('b', '1')).revision).toBe(3)
      expect((await store.put('a', '2')).revision).toBe(4)
      expect(await dump(store)).toEqual(['a=2 c2 m4 v2', 'b=1 c3 m3 v1'])
      expect(await revisionOf(store)).toBe(4)
    })
  })

  test('makes a revision also for the same value', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', 'same')
      expect((await store.put('a', 'same')).revision).toBe(3)
      expect(await dump(store)).toEqual(['a=same c2 m3 v2'])
    })
  })

  test('starts a key anew after a delete', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      await store.put('a', '2')
      await store.delete('a')
      await store.put('a', '3')
      expect(await dump(store)).toEqual(['a=3 c5 m5 v1'])
      expect(await dump(store, 3)).toEqual(['a=2 c2 m3 v2'])
    })
  })

  test('holds an empty value apart from a missing key', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '')
      expect(brief(await store.get('a'))).toBe('a= c2 m2 v1')
    })
  })

  test('returns what was there when asked', async () => {
    await withStore(backend, async (store) => {
      expect((await store.put('a', '1', { previous: true })).previous).toBeUndefined()
      expect(brief((await store.put('a', '2', { previous: true })).previous)).toBe('a=1 c2 m2 v1')
      expect((await store.put('a', '3')).previous).toBeUndefined()
      expect((await store.put('a', '4', { previous: false })).previous).toBeUndefined()
      await store.delete('a')
      expect((await store.put('a', '5', { previous: true })).previous).toBeUndefined()
    })
  })

  putOrderCases(backend)
}

function putOrderCases(backend: Backend): void {
  test.skipIf(!backend.supports.ordersCalls)('takes effect in the order of the calls', async () => {
    await withStore(backend, async (store) => {
      const calls = Array.from({ length: 20 }, async (_, i) => await store.put('a', String(i)))
      const done = await Promise.all(calls)
      expect(done.map((result) => result.revision)).toEqual(calls.map((_, i) => i + 2))
      for (const [i, { revision }] of done.entries()) {
        expect((await store.get('a', { revision }))?.value).toBe(String(i))
      }
    })
  })

  test('refuses a lease that does not exist, and writes nothing', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      await expectCode('KV_LEASE_NOT_FOUND', () => store.put('a', '2', { lease: 123n }))
      await expectCode('KV_LEASE_NOT_FOUND', () => store.put('b', '2', { lease: { id: -1n } }))
      expect(await dump(store)).toEqual(['a=1 c2 m2 v1'])
      expect(await revisionOf(store)).toBe(2)
    })
  })

  test('takes the lease 0n for none', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1', { lease: 0n })
      expect((await store.get('a'))?.lease).toBe(0n)
    })
  })

  test('refuses an empty key', async () => {
    await withStore(backend, async (store) => {
      await expectCode('KV_KEY_EMPTY', () => store.put('', 'x'))
      await expectCode('KV_KEY_EMPTY', () => store.put(new Uint8Array(0), 'x'))
      await expectCode('KV_KEY_EMPTY', () => store.get(''))
      await expectCode('KV_KEY_EMPTY', () => store.range({ key: '' }))
      await expectCode('KV_KEY_EMPTY', () => store.delete(''))
      await expectCode('KV_KEY_EMPTY', () => store.delete({ key: '' }))
      await expectCode('KV_KEY_EMPTY', async () => await store.scan({ key: '' }).next())
      expect(await revisionOf(store)).toBe(1)
    })
  })
}

function keepCases(backend: Backend): void {
  const keepValue = { ignoreValue: true } as const

  test('refuses a missing key, and writes nothing', async () => {
    await withStore(backend, async (store) => {
      await expectCode('KV_KEY_NOT_FOUND', () => store.put('a', undefined, keepValue))
      await expectCode('KV_KEY_NOT_FOUND', () => store.put('a', 'x', { ignoreLease: true }))
      expect(await revisionOf(store)).toBe(1)
    })
  })

  test('keeps the value and makes a revision', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      const result = await store.put('a', undefined, { ...keepValue, previous: true })
      expect([result.revision, brief(result.previous)]).toEqual([3, 'a=1 c2 m2 v1'])
      expect(await dump(store)).toEqual(['a=1 c2 m3 v2'])
    })
  })

  test('keeps the lease, here none, and writes the value', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      await store.put('a', '2', { ignoreLease: true })
      await store.put('a', undefined, { ignoreLease: true, ignoreValue: true })
      expect(await dump(store)).toEqual(['a=2 c2 m4 v3'])
    })
  })

  test('refuses a key that was deleted', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      await store.delete('a')
      await expectCode('KV_KEY_NOT_FOUND', () => store.put('a', undefined, keepValue))
      expect(await revisionOf(store)).toBe(3)
    })
  })
}

interface DeleteCase {
  readonly name: string
  readonly keys: string | KeyRange
  readonly deleted: readonly string[]
}

const WRITTEN = ['foo', 'foo/abc', 'fop', 'g']

const DELETES: readonly DeleteCase[] = [
  { name: 'deletes a key', keys: 'foo', deleted: ['foo'] },
  { name: 'deletes nothing where the key is missing', keys: 'fo', deleted: [] },
  { name: 'deletes a key named in an object', keys: { key: 'fop' }, deleted: ['fop'] },
  {
    name: 'includes start, excludes end',
    keys: { start: 'foo', end: 'fop' },
    deleted: ['foo', 'foo/abc'],
  },
  { name: 'deletes nothing in an empty range', keys: { start: 'h', end: 'i' }, deleted: [] },
  { name: 'deletes a prefix', keys: { prefix: 'foo/' }, deleted: ['foo/abc'] },
  { name: 'deletes to the last key', keys: { fromKey: 'fop' }, deleted: ['fop', 'g'] },
  { name: 'deletes all', keys: { prefix: '' }, deleted: WRITTEN },
  { name: 'deletes all from an empty start', keys: { fromKey: '' }, deleted: WRITTEN },
]

function deleteCases(backend: Backend): void {
  test.each(DELETES)('$name', async ({ keys, deleted }) => {
    await withStore(backend, async (store) => {
      for (const key of WRITTEN) await store.put(key, `was ${key}`)
      const before = await revisionOf(store)
      const result = await store.delete(keys, { previous: true })
      expect(result.deleted).toBe(deleted.length)
      // One revision for all that was deleted, none for nothing.
      expect(result.revision).toBe(deleted.length > 0 ? before + 1 : before)
      expect(result.previous.map((kv) => kv.key)).toEqual(deleted)
      expect(result.previous.map((kv) => kv.value)).toEqual(deleted.map((key) => `was ${key}`))
      const left = WRITTEN.filter((key) => !deleted.includes(key))
      expect((await store.range()).kvs.map((kv) => kv.key)).toEqual(left)
      expect(await revisionOf(store)).toBe(result.revision)
      expect((await dump(store, before)).length).toBe(WRITTEN.length)
    })
  })

  test('returns nothing of what it deleted unless asked', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      expect((await store.delete('a')).previous).toEqual([])
    })
  })

  test('deletes a key once', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      expect((await store.delete('a')).deleted).toBe(1)
      const again = await store.delete('a', { previous: true })
      expect([again.deleted, again.revision, briefAll(again.previous)]).toEqual([0, 3, []])
    })
  })
}

/** etcd's default limit of a request. */
const REQUEST_BYTES_MAX = 1_572_864

function sizeCases(backend: Backend): void {
  test('a request beyond 1.5 MiB is refused and writes nothing', async () => {
    await withStore(backend, async (store) => {
      const tooLarge = 'x'.repeat(REQUEST_BYTES_MAX + 1)
      await expectCode('KV_REQUEST_TOO_LARGE', () => store.put('a', tooLarge))
      const half = 'x'.repeat(REQUEST_BYTES_MAX / 2 + 1)
      const success = ['a', 'b'].map((key) => ({ type: 'put', key, value: half }) as const)
      await expectCode('KV_REQUEST_TOO_LARGE', () => store.txn({ success }))
      expect(await revisionOf(store)).toBe(1)
    })
  })

  test('a value of 1 MiB and a key of 64 KiB come back whole', async () => {
    await withStore(backend, async (store: StoreOf<'utf8'>) => {
      const value = 'value '.repeat(174_762)
      const key = 'long key '.repeat(7282)
      await store.put(key, value)
      const kv = await store.get(key)
      // Not toEqual on the texts: a failure would print them.
      expect(kv?.key === key && kv.value === value).toBe(true)
    })
  })
}
