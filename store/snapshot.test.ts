import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openOn } from './open.ts'
import { nextTurn } from './pause.ts'
import type { BuiltLocalStore } from './types.ts'

async function opened(): Promise<BuiltLocalStore> {
  return await openOn(new MemoryDisk(), '/data')
}

const codeOf = async (call: () => unknown): Promise<unknown> => {
  try {
    await call()
    return 'returned'
  } catch (error) {
    return (error as { code?: unknown }).code ?? error
  }
}

async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of iterable) all.push(item)
  return all
}

describe('snapshot()', () => {
  test('reads one revision, whatever is written after', async () => {
    await using store = await opened()
    await store.put('a', '1')
    await store.put('b', '1')
    await using snapshot = store.snapshot()
    const scan = snapshot.scan()
    expect((await scan.next()).value).toMatchObject({ key: 'a', value: '1' })
    await store.put('a', '2')
    await store.delete('b')
    await store.put('c', '1')
    expect(snapshot.revision).toBe(3)
    expect((await snapshot.get('a'))?.value).toBe('1')
    expect((await snapshot.get('b', { encoding: 'bytes' }))?.modRevision).toBe(3)
    expect(await snapshot.get('c')).toBeUndefined()
    expect(await snapshot.range()).toMatchObject({ count: 2, more: false, revision: 3 })
    expect((await snapshot.range({ prefix: 'b', keysOnly: true })).kvs).toMatchObject([
      { key: 'b', value: undefined },
    ])
    expect((await collect(scan)).map(({ key }) => key)).toEqual(['b'])
    const descending = await collect(snapshot.scan({ order: 'descend' }))
    expect(descending.map(({ key }) => key)).toEqual(['b', 'a'])
    await using now = store.snapshot()
    expect((await collect(now.scan())).map(({ key }) => key)).toEqual(['a', 'c'])
  })

  test('goes further back, and not beyond itself', async () => {
    await using store = await opened()
    for (let i = 2; i <= 6; i++) await store.put('a', String(i))
    await using snapshot = store.snapshot({ revision: 4 })
    expect(snapshot.revision).toBe(4)
    expect((await snapshot.get('a'))?.value).toBe('4')
    expect(await snapshot.range()).toMatchObject({ kvs: [{ value: '4' }], revision: 4 })
    expect(await collect(snapshot.scan())).toMatchObject([{ value: '4' }])
    expect((await snapshot.get('a', { revision: 2 }))?.value).toBe('2')
    expect((await snapshot.range({ revision: 3 })).kvs[0]?.value).toBe('3')
    expect(await collect(snapshot.scan({ revision: 3 }))).toMatchObject([{ value: '3' }])
    const beyond = { revision: 5 }
    expect(await codeOf(() => snapshot.get('a', beyond))).toBe('KV_FUTURE_REVISION')
    expect(await codeOf(() => snapshot.range(beyond))).toBe('KV_FUTURE_REVISION')
    expect(await codeOf(() => snapshot.scan(beyond).next())).toBe('KV_FUTURE_REVISION')
    expect(await codeOf(() => store.snapshot({ revision: 7 }))).toBe('KV_FUTURE_REVISION')
    await store.compact(5)
    expect(await codeOf(() => store.snapshot({ revision: 4 }))).toBe('KV_COMPACTED')
  })

  test('keeps what it may read while that is compacted and pruned', async () => {
    await using store = await opened()
    for (let i = 2; i <= 300; i++) await store.put(`k${i % 3}`, String(i))
    const snapshot = store.snapshot()
    const scan = snapshot.scan({ revision: 3 })
    for (let i = 0; i < 3; i++) await store.delete(`k${i}`)
    const { revision } = await store.put('new', '1')
    await store.compact(revision, { physical: true })
    for (let i = 0; i < 50; i++) await nextTurn()
    expect((await snapshot.get('k1', { revision: 100 }))?.value).toBe('100')
    expect((await snapshot.range()).count).toBe(3)
    expect((await collect(scan)).map(({ value }) => value)).toEqual(['3', '2'])
    await snapshot.close()
    await using later = store.snapshot()
    expect(await codeOf(() => later.get('k1', { revision: 100 }))).toBe('KV_COMPACTED')
  })

  test('lets the event loop run in a long range, which closing it does not cut off', async () => {
    await using store = await openOn(new MemoryDisk(), '/data', { maxTxnOps: 12_000 })
    const keys = Array.from({ length: 12_000 }, (_, i) => `key ${100_000 + i}`)
    await store.txn({ success: keys.map((key) => ({ type: 'put', key, value: 'v' })) })
    const snapshot = store.snapshot()
    let turns = 0
    let isDone = false
    const count = (): void => {
      turns++
      if (!isDone) setImmediate(count)
    }
    setImmediate(count)
    const reading = snapshot.range({ limit: Infinity })
    const closing = snapshot.close()
    await store.delete('key 105000')
    const { kvs } = await reading
    isDone = true
    await closing
    expect(kvs.map((kv) => kv.key)).toEqual(keys)
    expect(turns).toBeGreaterThan(2)
  })

  test('is over when it is closed, and when the store is', async () => {
    const store = await opened()
    await store.put('a', '1')
    const snapshot = store.snapshot()
    const scan = snapshot.scan()
    await snapshot.close()
    await snapshot.close()
    expect(await codeOf(() => snapshot.get('a'))).toBe('KV_TX_CLOSED')
    expect(await codeOf(() => snapshot.range())).toBe('KV_TX_CLOSED')
    expect(await codeOf(() => snapshot.scan().next())).toBe('KV_TX_CLOSED')
    expect(await codeOf(() => scan.next())).toBe('KV_TX_CLOSED')
    const forgotten = store.snapshot()
    await store.close()
    expect(await codeOf(() => forgotten.get('a'))).toBe('KV_TX_CLOSED')
    expect(await codeOf(() => store.snapshot())).toBe('KV_CLOSED')
  })

  test('refuses slips by name, by its promise, before all else', async () => {
    await using store = await opened()
    const snapshot = store.snapshot()
    await snapshot.close()
    const loose = snapshot as { get: (...args: unknown[]) => Promise<unknown> }
    await expect(loose.get(5)).rejects.toThrow(/^key: expected/)
    await expect(loose.get('a', { limit: 1 })).rejects.toThrow(/^limit: there is no such option/)
    expect(() => snapshot.scan({ limit: 0 })).toThrow(RangeError)
    expect(() => store.snapshot({ revision: 0 })).toThrow(RangeError)
    expect(await codeOf(() => snapshot.get(''))).toBe('KV_TX_CLOSED')
    await using open = store.snapshot()
    expect(await codeOf(() => open.get(''))).toBe('KV_KEY_EMPTY')
    const signal = AbortSignal.abort('enough')
    expect(await codeOf(() => open.get('a', { signal }))).toBe('enough')
    expect(await codeOf(() => open.scan({ signal }).next())).toBe('enough')
  })

  test('says what a view of its revision says, for any history', async () => {
    const write = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.option(fc.nat(9), { nil: undefined }))
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 30 }), async (writes) => {
        await using store = await opened()
        const pairs = []
        for (const [key, value] of writes) {
          if (value === undefined) await store.delete(key)
          else await store.put(key, String(value))
          pairs.push([store.view(), store.snapshot()] as const)
        }
        for (const [view, snapshot] of pairs) {
          expect(snapshot.revision).toBe(view.revision)
          expect(await snapshot.range()).toEqual(view.range())
          expect(await collect(snapshot.scan())).toEqual([...view.scan()])
        }
      }),
      { numRuns: 20 },
    )
  })
})
