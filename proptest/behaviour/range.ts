/** Reading ranges: etcd's documented cases (etcd tests/integration, v3_grpc_test.go, as facts). */
import { describe, expect, test } from 'vitest'
import type { RangeOptions } from '../../store/types/read.ts'
import type { Backend, StoreOf } from './backend.ts'
import { brief, briefAll, codeOf, dump, withStore } from './backend.ts'

type Options = RangeOptions<never, boolean>

interface Case {
  readonly name: string
  readonly options: Options
  /** Keys in the order they come. */
  readonly keys: readonly string[]
  /** Keys in range before limit and filters; default: as many as come. */
  readonly count?: number
  readonly more?: boolean
}

/** One `put` a key, in this order; a key named again is put again; `-key` deletes it. */
async function write(store: StoreOf<'utf8'>, keys: readonly string[]): Promise<number> {
  let revision = 1
  for (const key of keys) {
    const done = key.startsWith('-')
      ? await store.delete(key.slice(1))
      : await store.put(key, `value of ${key}`)
    revision = done.revision
  }
  return revision
}

function table(backend: Backend, written: readonly string[], cases: readonly Case[]): void {
  test.each(cases)('$name', async ({ options, keys, count, more }) => {
    await withStore(backend, async (store) => {
      const revision = await write(store, written)
      const page = await store.range(options)
      expect({
        keys: page.kvs.map((kv) => kv.key),
        count: page.count,
        more: page.more,
        revision: page.revision,
      }).toEqual({ keys, count: count ?? keys.length, more: more ?? false, revision })
    })
  })
}

export function rangeCases(backend: Backend): void {
  describe('range() of one key', () => {
    table(
      backend,
      ['foo', 'bar'],
      [
        { name: 'finds it', options: { key: 'foo' }, keys: ['foo'] },
        { name: 'finds nothing where it is missing', options: { key: 'baz' }, keys: [] },
        { name: 'does not take it for a prefix', options: { key: 'fo' }, keys: [] },
        {
          name: 'finds nothing at the empty revision',
          options: { key: 'foo', revision: 1 },
          keys: [],
        },
      ],
    )
  })

  manyKeyCases(backend)
}

function manyKeyCases(backend: Backend): void {
  describe('range() of many keys', () => {
    table(
      backend,
      ['a', 'b', 'c', 'd', 'e'],
      [
        {
          name: 'includes start and excludes end',
          options: { start: 'a', end: 'c' },
          keys: ['a', 'b'],
        },
        { name: 'is empty where nothing lies', options: { start: 'aa', end: 'b' }, keys: [] },
        {
          name: 'needs no key at its start',
          options: { start: 'aa', end: 'cc' },
          keys: ['b', 'c'],
        },
        {
          name: 'takes an empty start for the first key',
          options: { start: '', end: 'b' },
          keys: ['a'],
        },
        {
          name: 'reaches to the last key with fromKey',
          options: { fromKey: 'd' },
          keys: ['d', 'e'],
        },
        {
          name: 'means every key with an empty fromKey',
          options: { fromKey: '' },
          keys: ['a', 'b', 'c', 'd', 'e'],
        },
        {
          name: 'means every key with an empty prefix',
          options: { prefix: '' },
          keys: ['a', 'b', 'c', 'd', 'e'],
        },
        {
          name: 'means every key where none is named',
          options: {},
          keys: ['a', 'b', 'c', 'd', 'e'],
        },
        {
          name: 'takes an undefined option for an absent one',
          options: { prefix: undefined, limit: undefined, start: 'a', end: 'b' },
          keys: ['a'],
        },
      ],
    )
  })

  prefixCases(backend)
  limitCases(backend)
  sortCases(backend)
  filterCases(backend)
  revisionCases(backend)
  orderCases(backend)
}

function prefixCases(backend: Backend): void {
  describe('range() of a prefix', () => {
    table(
      backend,
      ['a', 'a/', 'a/b', 'a/c', 'a0', 'b', '\u{10ffff}'],
      [
        {
          name: 'finds all that begins with it',
          options: { prefix: 'a/' },
          keys: ['a/', 'a/b', 'a/c'],
        },
        { name: 'includes the prefix itself', options: { prefix: 'a/b' }, keys: ['a/b'] },
        {
          name: 'does not stop at the last byte',
          options: { prefix: '\u{10ffff}' },
          keys: ['\u{10ffff}'],
        },
      ],
    )
    test('holds for bytes 0xff, which have no successor of their length', async () => {
      await withStore(backend, async (store) => {
        const keys = [[0xfe], [0xfe, 0xff], [0xff], [0xff, 0x00], [0xff, 0xff], [0xff, 0xff, 0x01]]
        for (const key of keys) await store.put(new Uint8Array(key), 'x')
        const found = async (...prefix: number[]): Promise<number[][]> => {
          const options = { prefix: new Uint8Array(prefix), encoding: 'bytes' } as const
          return (await store.range(options)).kvs.map((kv) => [...kv.key])
        }
        expect(await found(0xff)).toEqual(keys.slice(2))
        expect(await found(0xff, 0xff)).toEqual(keys.slice(4))
        expect(await found(0xfe, 0xff)).toEqual([[0xfe, 0xff]])
      })
    })
  })
}

function limitCases(backend: Backend): void {
  describe('range() with a limit', () => {
    const all = ['a', 'b', 'c']
    table(backend, all, [
      {
        name: 'tells that there is more',
        options: { limit: 1 },
        keys: ['a'],
        count: 3,
        more: true,
      },
      { name: 'says no more when it just fits', options: { limit: 3 }, keys: all },
      { name: 'says no more when it is larger', options: { limit: 4 }, keys: all },
      { name: 'takes Infinity for none', options: { limit: Infinity }, keys: all },
      {
        name: 'cuts after sorting',
        options: { limit: 2, order: 'descend' },
        keys: ['c', 'b'],
        count: 3,
        more: true,
      },
      {
        name: 'cuts after filtering',
        options: { limit: 1, minModRevision: 3 },
        keys: ['b'],
        count: 3,
        more: true,
      },
      {
        name: 'says no more when the filter left just as many',
        options: { limit: 1, minModRevision: 4 },
        keys: ['c'],
        count: 3,
      },
      { name: 'counts without reading', options: { countOnly: true }, keys: [], count: 3 },
      {
        name: 'counts the whole range',
        options: { countOnly: true, limit: 1 },
        keys: [],
        count: 3,
      },
      { name: 'counts a single key', options: { countOnly: true, key: 'b' }, keys: [], count: 1 },
      { name: 'counts nothing', options: { countOnly: true, prefix: 'x' }, keys: [], count: 0 },
    ])
  })

  defaultLimitCases(backend)
}

function defaultLimitCases(backend: Backend): void {
  describe('range() without a limit', () => {
    test('stops at 10,000 keys unless told otherwise', async () => {
      await withStore(backend, async (store) => {
        const name = (i: number): string => `key ${String(i).padStart(5, '0')}`
        for (let i = 0; i < 10_001; i += 100) {
          const count = Math.min(100, 10_001 - i)
          const success = Array.from({ length: count }, (_, j) => {
            return { type: 'put', key: name(i + j), value: '' } as const
          })
          await store.txn({ success })
        }
        const page = await store.range()
        expect([page.kvs.length, page.count, page.more]).toEqual([10_000, 10_001, true])
        expect(page.kvs.at(-1)?.key).toBe(name(9999))
        expect((await store.range({ limit: Infinity })).kvs.length).toBe(10_001)
      })
    })
  })

  test('range() with keysOnly leaves the values out and keeps the rest', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', 'value')
      await store.put('a', 'other')
      const { kvs } = await store.range({ keysOnly: true })
      expect(briefAll(kvs)).toEqual(['a c2 m3 v2'])
      expect(kvs[0]?.value).toBeUndefined()
    })
  })
}

function sortCases(backend: Backend): void {
  describe('range() sorted', () => {
    // Revisions: a 2 and 6, c 3, b 4, d 5; so creation a c b d, modification c b d a.
    const written = ['a', 'c', 'b', 'd', 'a']
    table(backend, written, [
      { name: 'by key', options: { sortBy: 'key' }, keys: ['a', 'b', 'c', 'd'] },
      {
        name: 'by key downwards',
        options: { sortBy: 'key', order: 'descend' },
        keys: ['d', 'c', 'b', 'a'],
      },
      { name: 'by creation', options: { sortBy: 'createRevision' }, keys: ['a', 'c', 'b', 'd'] },
      {
        name: 'by creation downwards',
        options: { sortBy: 'createRevision', order: 'descend' },
        keys: ['d', 'b', 'c', 'a'],
      },
      { name: 'by modification', options: { sortBy: 'modRevision' }, keys: ['c', 'b', 'd', 'a'] },
      {
        name: 'by modification downwards',
        options: { sortBy: 'modRevision', order: 'descend' },
        keys: ['a', 'd', 'b', 'c'],
      },
      {
        name: 'by version, the newest first',
        options: { sortBy: 'version', order: 'descend', limit: 1 },
        keys: ['a'],
        count: 4,
        more: true,
      },
    ])

    test('by value, in the order of bytes', async () => {
      await withStore(backend, async (store) => {
        await store.put('a', 'é')
        await store.put('b', 'zz')
        await store.put('c', '')
        const { kvs } = await store.range({ sortBy: 'value' })
        expect(kvs.map((kv) => kv.key)).toEqual(['c', 'b', 'a'])
      })
    })

    test.skipIf(!backend.supports.stableTies)(
      'leaves equal ones in ascending key order',
      async () => {
        await withStore(backend, async (store) => {
          for (const key of ['c', 'a', 'b', 'd', 'd']) await store.put(key, 'same')
          const keys = async (options: Options): Promise<string[]> =>
            (await store.range(options)).kvs.map((kv) => kv.key)
          expect(await keys({ sortBy: 'value', order: 'ascend' })).toEqual(['a', 'b', 'c', 'd'])
          expect(await keys({ sortBy: 'value', order: 'descend' })).toEqual(['a', 'b', 'c', 'd'])
          expect(await keys({ sortBy: 'version', order: 'descend' })).toEqual(['d', 'a', 'b', 'c'])
        })
      },
    )
  })
}

function filterCases(backend: Backend): void {
  describe('range() with revision filters', () => {
    // Revisions: a 2 and 6, b 3, c 4, d 5.
    const count = 4
    table(
      backend,
      ['a', 'b', 'c', 'd', 'a'],
      [
        {
          name: 'keeps modifications from',
          options: { minModRevision: 5 },
          keys: ['a', 'd'],
          count,
        },
        { name: 'keeps modifications up to', options: { maxModRevision: 3 }, keys: ['b'], count },
        {
          name: 'includes both bounds',
          options: { minModRevision: 4, maxModRevision: 5 },
          keys: ['c', 'd'],
          count,
        },
        {
          name: 'keeps creations from',
          options: { minCreateRevision: 4 },
          keys: ['c', 'd'],
          count,
        },
        {
          name: 'keeps creations up to',
          options: { maxCreateRevision: 3 },
          keys: ['a', 'b'],
          count,
        },
        {
          name: 'joins all filters',
          options: { maxCreateRevision: 3, minModRevision: 4 },
          keys: ['a'],
          count,
        },
        {
          name: 'keeps nothing between crossed bounds',
          options: { minModRevision: 5, maxModRevision: 4 },
          keys: [],
          count,
        },
        {
          name: 'filters what the older revision held',
          options: { revision: 5, minModRevision: 3, maxCreateRevision: 3 },
          keys: ['b'],
          count,
        },
      ],
    )
  })
}

function revisionCases(backend: Backend): void {
  describe('range() at a revision', () => {
    // 2 a, 3 b, 4 c, 5 delete b, 6 b.
    const written = ['a', 'b', 'c', '-b', 'b']
    table(backend, written, [
      { name: 'is empty before the first write', options: { revision: 1 }, keys: [] },
      { name: 'sees what was there', options: { revision: 3 }, keys: ['a', 'b'] },
      { name: 'does not see what was deleted', options: { revision: 5 }, keys: ['a', 'c'] },
      { name: 'sees what was put again', options: { revision: 6 }, keys: ['a', 'b', 'c'] },
      { name: 'counts as of then', options: { revision: 3, countOnly: true }, keys: [], count: 2 },
      {
        name: 'limits as of then',
        options: { revision: 4, limit: 2 },
        keys: ['a', 'b'],
        count: 3,
        more: true,
      },
    ])

    test('does not exist beyond the current one', async () => {
      await withStore(backend, async (store) => {
        const revision = await write(store, written)
        const ahead = revision + 1
        const calls = [
          () => store.range({ revision: ahead }),
          () => store.range({ revision: ahead, countOnly: true }),
          () => store.get('a', { revision: ahead }),
          async () => await store.scan({ revision: ahead }).next(),
        ]
        const codes: string[] = []
        for (const call of calls) codes.push(await codeOf(call))
        expect(codes).toEqual(calls.map(() => 'KV_FUTURE_REVISION'))
      })
    })

    test('a new store is at revision 1 and empty', async () => {
      await withStore(backend, async (store) => {
        const page = await store.range()
        expect([page.kvs, page.count, page.more, page.revision]).toEqual([[], 0, false, 1])
        expect(await store.get('a', { revision: 1 })).toBeUndefined()
      })
    })

    test('history does not change when more is written', async () => {
      await withStore(backend, async (store) => {
        const seen: string[][] = [[]]
        for (let i = 0; i < 40; i++) {
          await write(store, [i % 7 === 6 ? `-${i % 5}` : String(i % 5)])
          seen.push(await dump(store))
        }
        for (const [i, rows] of seen.entries()) expect(await dump(store, 1 + i)).toEqual(rows)
      })
    })
  })
}

function orderCases(backend: Backend): void {
  test('keys are ordered by their UTF-8 bytes, not as JavaScript orders text', async () => {
    await withStore(backend, async (store) => {
      // U+FF5E is below U+1F600 in UTF-8; in UTF-16 the surrogates of the latter come first.
      const keys = ['\u{1f600}', '\uff5e', 'z', 'Z', 'é', '\0', 'a\0', 'a']
      for (const key of keys) await store.put(key, 'x')
      const { kvs } = await store.range()
      const inOrder = ['\0', 'Z', 'a', 'a\0', 'z', 'é', '\uff5e', '\u{1f600}']
      expect(kvs.map((kv) => kv.key)).toEqual(inOrder)
      const below = await store.range({ start: 'é', end: '\u{1f600}' })
      expect(below.kvs.map((kv) => kv.key)).toEqual(['é', '\uff5e'])
    })
  })

  test('get() returns the whole of a key, or undefined', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', 'one')
      await store.put('a', 'two')
      expect(brief(await store.get('a'))).toBe('a=two c2 m3 v2')
      expect(brief(await store.get('a', { revision: 2 }))).toBe('a=one c2 m2 v1')
      expect(await store.get('a', { revision: 1 })).toBeUndefined()
      expect(await store.get('aa')).toBeUndefined()
    })
  })
}
