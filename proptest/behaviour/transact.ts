/** Transactions by a function. */
import { describe, expect, test } from 'vitest'
import type { Backend } from './backend.ts'
import { brief, briefAll, dump, expectCode, withEncoding, withStore } from './backend.ts'

export function transactCases(backend: Backend): void {
  describe('transact()', () => {
    commitCases(backend)
    valueCases(backend)
    ownWriteCases(backend)
    deletionCases(backend)
  })
}

function commitCases(backend: Backend): void {
  test('commits what the function wrote in one revision, and returns its value', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      const done = await store.transact(async (t) => {
        const kv = await t.get('a')
        t.put('a', `${kv?.value}+`)
        t.put('b', 'new')
        return kv?.value
      })
      expect(done).toEqual({ value: '1', revision: 3, attempts: 1 })
      expect(await dump(store)).toEqual(['a=1+ c2 m3 v2', 'b=new c3 m3 v1'])
    })
  })

  test('takes a function that returns no promise, and one that only writes', async () => {
    await withStore(backend, async (store) => {
      const done = await store.transact((t) => {
        t.put('a', '1')
        t.put('a', '2')
        return 7
      })
      expect(done).toEqual({ value: 7, revision: 2, attempts: 1 })
      expect(await dump(store)).toEqual(['a=2 c2 m2 v1'])
    })
  })

  test('makes no revision where nothing was written, and tells the one that was read', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      const read = await store.transact(async (t) => {
        const before = t.revision
        const kv = await t.get('a')
        await store.put('z', '1')
        return [before, brief(kv), t.revision, brief(await t.get('z'))]
      })
      expect(read).toEqual({
        value: [undefined, 'a=1 c2 m2 v1', 2, 'none'],
        revision: 2,
        attempts: 1,
      })
      const nothing = await store.transact(() => {})
      expect(nothing).toEqual({ value: undefined, revision: 3, attempts: 1 })
    })
  })

  test('reads one revision, also with several reads under way at once', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      await store.put('b', '1')
      const { value } = await store.transact(async (t) => {
        const reads = Promise.all([t.get('a'), t.range({ prefix: 'b' }), t.get('b'), t.get('c')])
        await store.put('c', '1')
        const [a, bs, b, c] = await reads
        return [brief(a), briefAll(bs), brief(b), brief(c), t.revision]
      })
      expect(value).toEqual(['a=1 c2 m2 v1', ['b=1 c3 m3 v1'], 'b=1 c3 m3 v1', 'none', 3])
    })
  })
}

function valueCases(backend: Backend): void {
  test('gives and takes values in the encoding of the store', async () => {
    await withEncoding(backend, 'json', async (store) => {
      await store.transact((t) => t.put('a', { n: 1 }))
      const { value } = await store.transact(async (t) => {
        const kv = await t.get('a')
        t.put('b', [kv?.value])
        return (await t.range({})).map((each) => [each.key, each.value])
      })
      expect(value).toEqual([
        ['a', { n: 1 }],
        ['b', [{ n: 1 }]],
      ])
    })
    await withEncoding(backend, 'bytes', async (store) => {
      const { value } = await store.transact(async (t) => {
        const key = new Uint8Array([0xff, 0])
        t.put(key, 'text')
        const own = await t.get(key)
        key.fill(1)
        return own?.key
      })
      expect(value).toEqual(new Uint8Array([0xff, 0]))
      expect((await store.get(new Uint8Array([0xff, 0])))?.value).toEqual(
        new TextEncoder().encode('text'),
      )
    })
  })

  test('attaches what it puts to a lease', async () => {
    await withStore(backend, async (store) => {
      const lease = await store.grant({ ttlSeconds: 60, id: 5n })
      await store.transact(async (t) => {
        t.put('a', '1', { lease })
        expect((await t.get('a'))?.lease).toBe(5n)
      })
      expect((await store.get('a'))?.lease).toBe(5n)
      await expectCode('KV_LEASE_NOT_FOUND', () =>
        store.transact((t) => t.put('b', '1', { lease: 6n })),
      )
      expect(await store.get('b')).toBeUndefined()
    })
  })
}

function ownWriteCases(backend: Backend): void {
  test('reads its own writes, put on what is stored, with revisions of 0', async () => {
    await withStore(backend, async (store) => {
      for (const key of ['a', 'b', 'c', 'e']) await store.put(key, '1')
      await store.transact(async (t) => {
        t.put('d', '2')
        t.put('b', '2')
        t.delete('c')
        expect(brief(await t.get('b'))).toBe('b=2 c0 m0 v0')
        expect(await t.get('c')).toBeUndefined()
        expect((await t.range({ prefix: '' })).map((kv) => `${kv.key}${kv.value}`)).toEqual([
          'a1',
          'b2',
          'd2',
          'e1',
        ])
        t.delete({ start: 'a', end: 'c' })
        t.put('b', '3')
        expect((await t.range({})).map((kv) => `${kv.key}${kv.value}`)).toEqual(['b3', 'd2', 'e1'])
        t.put('c', '3')
        t.delete('b')
      })
      expect(await dump(store)).toEqual(['c=3 c4 m6 v2', 'd=2 c6 m6 v1', 'e=1 c5 m5 v1'])
    })
  })

  test('a read sees the writes made before it was called, and no later ones', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      await store.transact(async (t) => {
        const reads = [t.range({}), t.get('a')] as const
        t.put('a', '2')
        t.put('b', '2')
        expect(briefAll(await reads[0])).toEqual(['a=1 c2 m2 v1'])
        expect((await reads[1])?.value).toBe('1')
        expect((await t.range({})).length).toBe(2)
      })
    })
  })

  test('what it read of its own writes alone is not compared', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      const { attempts } = await store.transact(async (t) => {
        t.put('a', '2')
        t.delete({ prefix: 'x' })
        await t.get('a')
        await t.range({ prefix: 'xy' })
        await store.put('a', '3')
        await store.put('xyz', '3')
      })
      expect(attempts).toBe(1)
      expect((await dump(store)).map((line) => line.slice(0, 3))).toEqual(['a=2'])
    })
  })
}

function deletionCases(backend: Backend): void {
  test('deletes ranges with keys that it never saw, and keeps what it put after', async () => {
    await withStore(backend, async (store) => {
      for (const key of ['a', 'a\0', 'b', 'c', 'd']) await store.put(key, '1')
      await store.transact(async (t) => {
        t.put('a\0', 'lost')
        t.delete({ start: 'a', end: 'd' })
        t.put('b', '2')
        t.put('a', '2')
        t.put('bb', '2')
        await store.put('a\0\0', 'unseen')
        await store.put('bbb', 'unseen')
      })
      expect((await dump(store)).map((line) => line.slice(0, 4))).toEqual([
        'a=2 ',
        'b=2 ',
        'bb=2',
        'd=1 ',
      ])
    })
  })

  test('deletes in any order and however often, all keys too', async () => {
    await withStore(backend, async (store) => {
      for (const key of ['a', 'b', 'c']) await store.put(key, '1')
      const { revision } = await store.transact((t) => {
        t.delete('a')
        t.delete({ prefix: 'a' })
        t.put('c', '2')
        t.delete({ prefix: '' })
        t.delete('b')
        t.put('z', '3')
      })
      expect(await dump(store)).toEqual([`z=3 c${revision} m${revision} v1`])
    })
  })
}
