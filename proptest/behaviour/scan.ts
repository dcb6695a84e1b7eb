/** Iterating with scan(). */
import { describe, expect, test } from 'vitest'
import type { ScanOptions } from '../../store/types/read.ts'
import type { Backend, StoreOf } from './backend.ts'
import { brief, codeOf, collect, withStore } from './backend.ts'

async function keysOf(
  store: StoreOf<'utf8'>,
  options?: ScanOptions<never, boolean>,
): Promise<string[]> {
  return (await collect(store.scan(options))).map((kv) => kv.key)
}

export function scanCases(backend: Backend): void {
  describe('scan()', () => {
    selectionCases(backend)
    pinCases(backend)
    endCases(backend)
  })
}

function selectionCases(backend: Backend): void {
  const cases: readonly {
    readonly name: string
    readonly options?: ScanOptions<never, boolean>
    readonly keys: readonly string[]
  }[] = [
    { name: 'goes over every key in order', keys: ['a', 'b/1', 'b/2', 'c'] },
    { name: 'keeps to a prefix', options: { prefix: 'b/' }, keys: ['b/1', 'b/2'] },
    { name: 'keeps to a range', options: { start: 'a', end: 'b/2' }, keys: ['a', 'b/1'] },
    { name: 'starts at a key', options: { fromKey: 'b/2' }, keys: ['b/2', 'c'] },
    { name: 'finds a single key', options: { key: 'c' }, keys: ['c'] },
    { name: 'finds nothing', options: { prefix: 'x' }, keys: [] },
    { name: 'goes downwards', options: { order: 'descend' }, keys: ['c', 'b/2', 'b/1', 'a'] },
    { name: 'stops at its limit', options: { limit: 2 }, keys: ['a', 'b/1'] },
    {
      name: 'stops at its limit downwards',
      options: { limit: 3, order: 'descend', prefix: 'b' },
      keys: ['b/2', 'b/1'],
    },
    {
      name: 'takes Infinity for no limit',
      options: { limit: Infinity, prefix: 'b' },
      keys: ['b/1', 'b/2'],
    },
    { name: 'filters', options: { minModRevision: 3, maxModRevision: 4 }, keys: ['b/1', 'b/2'] },
    {
      name: 'limits what the filter left',
      options: { minModRevision: 4, limit: 1 },
      keys: ['b/2'],
    },
    { name: 'goes back in history', options: { revision: 3 }, keys: ['a', 'b/1'] },
    { name: 'sees nothing at revision 1', options: { revision: 1 }, keys: [] },
  ]
  test.each(cases)('$name', async ({ options, keys }) => {
    await withStore(backend, async (store) => {
      for (const key of ['a', 'b/1', 'b/2', 'c']) await store.put(key, 'x')
      expect(await keysOf(store, options)).toEqual(keys)
    })
  })

  test('gives the whole of a key, or all but the value', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', 'one')
      await store.put('a', 'two')
      expect((await collect(store.scan())).map((kv) => brief(kv))).toEqual(['a=two c2 m3 v2'])
      const bare = await collect(store.scan({ keysOnly: true }))
      expect(bare.map((kv) => [brief(kv), kv.value])).toEqual([['a c2 m3 v2', undefined]])
    })
  })

  test('has no default limit', async () => {
    await withStore(backend, async (store) => {
      for (let i = 0; i < 101; i++) {
        const success = Array.from({ length: 100 }, (_, j) => {
          return { type: 'put', key: `${i}/${j}`, value: '' } as const
        })
        await store.txn({ success })
      }
      const keys = await keysOf(store, { keysOnly: true })
      expect(keys.length).toBe(10_100)
      expect(keys.every((key, i) => i === 0 || (keys[i - 1] ?? '') < key)).toBe(true)
    })
  })
}

function pinCases(backend: Backend): void {
  test('does not see what is written while it goes on', async () => {
    await withStore(backend, async (store) => {
      for (const key of ['a', 'b', 'c', 'd']) await store.put(key, 'old')
      const seen: string[] = []
      for await (const kv of store.scan()) {
        seen.push(`${kv.key}=${kv.value}`)
        // Before, at and after the place where it stands, at every step.
        await store.put(`${kv.key}+`, 'new')
        await store.put('d', 'new')
        await store.delete('c')
        await store.put('0', 'new')
      }
      expect(seen).toEqual(['a=old', 'b=old', 'c=old', 'd=old'])
      expect(await keysOf(store)).toEqual(['0', 'a', 'a+', 'b', 'b+', 'c+', 'd', 'd+'])
    })
  })

  test.skipIf(!backend.supports.scanPinsAtCall)('pins its revision when it is called', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      const scan = store.scan()
      await store.put('b', '1')
      await store.delete('a')
      expect((await collect(scan)).map((kv) => brief(kv))).toEqual(['a=1 c2 m2 v1'])
    })
  })

  test('runs beside others, each at its own revision', async () => {
    await withStore(backend, async (store) => {
      const scans: AsyncIterableIterator<{ readonly value: string }>[] = []
      for (const value of ['1', '2', '3']) {
        await store.txn({
          success: ['a', 'b', 'c'].map((key) => ({ type: 'put', key, value }) as const),
        })
        const scan = store.scan()
        expect(await scan.next()).toMatchObject({ done: false, value: { value } })
        scans.push(scan)
      }
      const rest = await Promise.all(scans.map(async (scan) => await collect(scan)))
      expect(rest.map((kvs) => kvs.map((kv) => kv.value).join(''))).toEqual(['11', '22', '33'])
    })
  })
}

function endCases(backend: Backend): void {
  test('is done after its last entry, and stays so', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      const scan = store.scan()
      expect((await scan.next()).done).toBe(false)
      expect((await scan.next()).done).toBe(true)
      expect((await scan.next()).done).toBe(true)
    })
  })

  test('stops for good at break', async () => {
    await withStore(backend, async (store) => {
      for (const key of ['a', 'b', 'c']) await store.put(key, '1')
      const scan = store.scan()
      for await (const kv of scan) if (kv.key === 'a') break
      expect((await scan.next()).done).toBe(true)
      await store.put('d', '1')
      expect(await keysOf(store)).toEqual(['a', 'b', 'c', 'd'])
    })
  })

  test('ends with KV_CLOSED where the store is closed meanwhile', async () => {
    await withStore(backend, async (store) => {
      for (let i = 0; i < 20; i++) await store.put(`${i}`, '1')
      const scan = store.scan()
      await scan.next()
      await store.close()
      expect(await codeOf(async () => await collect(scan))).toBe('KV_CLOSED')
    })
  })

  test('ends with the reason of an aborted signal', async () => {
    await withStore(backend, async (store) => {
      for (let i = 0; i < 20; i++) await store.put(`${i}`, '1')
      const controller = new AbortController()
      const reason = new Error('enough')
      const seen: string[] = []
      const run = async (): Promise<void> => {
        for await (const kv of store.scan({ signal: controller.signal })) {
          seen.push(kv.key)
          controller.abort(reason)
        }
      }
      await expect(run()).rejects.toBe(reason)
      expect(seen).toEqual(['0'])
    })
  })
}
