import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openOn } from './open.ts'
import { nextTurn } from './pause.ts'
import type { BuiltLocalStore } from './types.ts'

async function opened(disk: MemoryDisk = new MemoryDisk()): Promise<BuiltLocalStore> {
  return await openOn(disk, '/data')
}

const codeOf = (call: () => unknown): unknown => {
  try {
    call()
    return 'returned'
  } catch (error) {
    return (error as { code?: unknown }).code ?? error
  }
}

describe('view()', () => {
  test('reads one revision, whatever is written after', async () => {
    await using store = await opened()
    await store.put('a', '1')
    await store.put('b', '1')
    using view = store.view()
    await store.put('a', '2')
    await store.delete('b')
    await store.put('c', '1')
    expect(view.revision).toBe(3)
    expect(view.get('a')?.value).toBe('1')
    expect(view.get('b')?.modRevision).toBe(3)
    expect(view.get('c')).toBeUndefined()
    expect(view.range().kvs.map(({ key, value }) => `${key}=${value}`)).toEqual(['a=1', 'b=1'])
    expect(view.range({ prefix: 'b', countOnly: true })).toMatchObject({ count: 1, revision: 3 })
    expect([...view.scan({ order: 'descend' })].map(({ key }) => key)).toEqual(['b', 'a'])
    expect([...view.scan({ limit: 1, keysOnly: true })]).toMatchObject([{ key: 'a' }])
    using now = store.view()
    expect([...now.scan()].map(({ key }) => key)).toEqual(['a', 'c'])
  })

  test('goes further back, and not beyond itself', async () => {
    await using store = await opened()
    for (let i = 2; i <= 6; i++) await store.put('a', String(i))
    using view = store.view({ revision: 4 })
    expect(view.revision).toBe(4)
    expect(view.get('a')?.value).toBe('4')
    expect(view.get('a', { revision: 2 })?.value).toBe('2')
    expect(view.range({ revision: 3 }).kvs[0]?.value).toBe('3')
    expect([...view.scan({ revision: 3 })][0]?.value).toBe('3')
    expect(codeOf(() => view.get('a', { revision: 5 }))).toBe('KV_FUTURE_REVISION')
    expect(codeOf(() => view.range({ revision: 5 }))).toBe('KV_FUTURE_REVISION')
    expect(codeOf(() => store.view({ revision: 7 }))).toBe('KV_FUTURE_REVISION')
    await store.compact(5)
    expect(codeOf(() => store.view({ revision: 4 }))).toBe('KV_COMPACTED')
    expect(store.view({ revision: 5 }).get('a')?.value).toBe('5')
  })

  test('keeps what it may read while that is compacted and pruned', async () => {
    await using store = await opened()
    for (let i = 2; i <= 300; i++) await store.put(`k${i % 3}`, String(i))
    const view = store.view()
    for (let i = 0; i < 3; i++) await store.delete(`k${i}`)
    const { revision } = await store.put('new', '1')
    await store.compact(revision, { physical: true })
    for (let i = 0; i < 50; i++) await nextTurn()
    expect(view.get('k1', { revision: 100 })?.value).toBe('100')
    expect(view.range().count).toBe(3)
    expect([...view.scan({ revision: 3 })].map(({ value }) => value)).toEqual(['3', '2'])
    view.close()
    using later = store.view()
    expect(codeOf(() => later.get('k1', { revision: 100 }))).toBe('KV_COMPACTED')
  })

  test('is over when it is closed, and when the store is', async () => {
    const store = await opened()
    await store.put('a', '1')
    const view = store.view()
    const scan = view.scan()
    view.close()
    view.close()
    expect(codeOf(() => view.get('a'))).toBe('KV_TX_CLOSED')
    expect(codeOf(() => view.range())).toBe('KV_TX_CLOSED')
    expect(codeOf(() => view.scan())).toBe('KV_TX_CLOSED')
    expect(codeOf(() => scan.next())).toBe('KV_TX_CLOSED')
    const forgotten = store.view()
    await store.close()
    expect(codeOf(() => forgotten.get('a'))).toBe('KV_TX_CLOSED')
    expect(codeOf(() => store.view())).toBe('KV_CLOSED')
  })

  test('refuses slips by name', async () => {
    await using store = await opened()
    using view = store.view()
    const loose = view as { get: (...args: unknown[]) => unknown }
    expect(() => loose.get(5)).toThrow(/^key: expected/)
    expect(() => loose.get('a', { signal: 1 })).toThrow(/^signal: there is no such option/)
    expect(() => store.view({ revision: 0 })).toThrow(RangeError)
    expect(codeOf(() => view.get(''))).toBe('KV_KEY_EMPTY')
    expect(codeOf(() => view.range({ key: '' }))).toBe('KV_KEY_EMPTY')
    expect(view.get('a', { encoding: 'bytes' })).toBeUndefined()
  })

  test('says what the store said then, for any history', async () => {
    const write = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.option(fc.nat(9), { nil: undefined }))
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 30 }), async (writes) => {
        const store = await opened()
        const views = []
        const expected: string[] = []
        for (const [key, value] of writes) {
          if (value === undefined) await store.delete(key)
          else await store.put(key, String(value))
          views.push(store.view())
          expected.push(JSON.stringify(await store.range()))
        }
        expect(views.map((view) => JSON.stringify(view.range()))).toEqual(expected)
        for (const [i, view] of views.entries()) {
          expect(JSON.stringify([...view.scan()])).toBe(
            JSON.stringify((JSON.parse(expected[i] ?? '') as { kvs: unknown }).kvs),
          )
        }
        await store.close()
      }),
      { numRuns: 20 },
    )
  })
})
