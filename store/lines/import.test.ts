import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { collect, expectCode } from '../../proptest/behaviour/backend.ts'
import { Model } from '../../proptest/model/model.ts'
import { openModelStore } from '../../proptest/model/model-store.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openOn } from '../open.ts'
import type { BuiltLocalStore } from '../types.ts'
import type { ImportLinesOptions } from '../types/lines.ts'
import { exportLines } from './export.ts'
import { importLines } from './import.ts'

/** Keys k100 to k399, the first of them on a lease. */
let lines: readonly string[] = []
let store: BuiltLocalStore

beforeEach(async () => {
  const source = await openOn(new MemoryDisk(), '/source')
  await source.grant({ id: 7n, ttlSeconds: 500 })
  const puts = Array.from({ length: 300 }, (_, i) => source.put(`k${i + 100}`, `v${i}`))
  await Promise.all(puts)
  await source.put('k100', 'leased', { lease: 7n })
  lines = await collect(exportLines(source))
  await source.close()
  store = await openOn(new MemoryDisk(), '/store')
})

afterEach(async () => {
  await store.close()
})

async function countOf(): Promise<number> {
  return (await store.range({ countOnly: true })).count
}

describe('importLines()', () => {
  test('puts all keys, 128 in a transaction, without their leases', async () => {
    expect(await importLines(lines, store)).toMatchObject({
      putCount: 300,
      skippedCount: 0,
      unleasedCount: 1,
      revision: 4,
      exportedRevision: 302,
    })
    expect(await store.get('k100')).toMatchObject({ value: 'leased', lease: 0n, version: 1 })
    expect((await store.get('k399'))?.value).toBe('v299')
  })

  test('puts those of a prefix, and none where there are none', async () => {
    expect(await importLines(lines, store, { prefix: 'k12' })).toMatchObject({ putCount: 10 })
    expect(await countOf()).toBe(10)
    const none = await importLines(lines, store, { prefix: 'x' })
    expect(none).toMatchObject({ putCount: 0, revision: undefined })
  })

  test('into any store', async () => {
    const model = openModelStore(new Model())
    expect((await importLines(lines, model)).putCount).toBe(300)
    expect((await model.get('k250'))?.value).toBe('v150')
  })

  test('cuts transactions by bytes too, and takes a pair larger than that', async () => {
    const big = await openOn(new MemoryDisk(), '/big')
    for (const key of ['a', 'b', 'c']) await big.put(key, key.repeat(400_000))
    await big.put('d', 'd'.repeat(1_000_000))
    const { revision } = await importLines(exportLines(big), store)
    expect(revision).toBe(5)
    await big.close()
  })

  test.each([1, 2, 3, 128])('leaves or replaces keys that exist, %i at a time', async (ops) => {
    await store.put('k100', 'mine')
    await store.put('k250', 'mine')
    const skip: ImportLinesOptions = { existing: 'skip', maxTxnOps: ops }
    expect(await importLines(lines, store, skip)).toMatchObject({
      putCount: 298,
      skippedCount: 2,
      unleasedCount: 0,
    })
    expect((await store.get('k250'))?.value).toBe('mine')
    const replace: ImportLinesOptions = { existing: 'replace', maxTxnOps: ops }
    expect(await importLines(lines, store, replace)).toMatchObject({ putCount: 300 })
    expect((await store.get('k250'))?.value).toBe('v150')
  })

  test('refuses a key that exists, naming it and how far it came', async () => {
    await store.put('k300', 'mine')
    const error = await expectCode('KV_EXISTS', async () => await importLines(lines, store))
    const place = 'line 202: there is a key "k300" already'
    expect(error.message).toBe(`${place}; 128 keys were put before`)
    expect((await store.get('k300'))?.value).toBe('mine')
    expect(await countOf()).toBe(129)
  })

  test('puts nothing of lines that can be read twice and are not whole', async () => {
    const cut = lines.slice(0, -1)
    await expectCode('KV_CORRUPT', async () => await importLines(() => cut, store))
    expect(await countOf()).toBe(0)
    const error = await expectCode('KV_CORRUPT', async () => await importLines(cut, store))
    expect(error.message).toMatch(/^line 302: there is no end: .*; 256 keys were put before$/)
    expect((await importLines(() => lines, store, { existing: 'skip' })).skippedCount).toBe(256)
  })

  test('refuses a history, keys in another order, and what is newer than the head', async () => {
    const history = await collect(exportLines(store, { history: true }))
    const other = await expectCode('KV_BAD_FILE', async () => await importLines(history, store))
    expect(other.message).toContain('importHistory makes a store of that')
    const [head = '', first = '', second = '', ...rest] = lines
    const order = async (): Promise<unknown> =>
      await importLines([head, second, first, ...rest], store)
    expect((await expectCode('KV_CORRUPT', order)).message).toContain('line 3: its key does not')
    const late = first.replace(/"modRevision":\d+/, '"modRevision":999')
    const newer = async (): Promise<unknown> => await importLines([head, late, ...rest], store)
    expect((await expectCode('KV_CORRUPT', newer)).message).toContain('line 2: it is newer')
  })

  test('tells how far it has come, and ends with its signal’s reason', async () => {
    const told: number[] = []
    const reason = new Error('enough')
    await importLines(lines, store, {
      sizeBytes: lines.join('').length,
      onProgress: ({ doneBytes, totalBytes }) => told.push(doneBytes / totalBytes),
    })
    expect([told.length, told.at(-1)]).toEqual([3, 1])
    const abort = new AbortController()
    const stopped = importLines(lines, store, {
      existing: 'replace',
      signal: abort.signal,
      onProgress: () => abort.abort(reason),
    })
    await expect(stopped).rejects.toBe(reason)
  })

  test('refuses what is no store, no lines and no option', async () => {
    const call = importLines as (lines: unknown, store: unknown, options?: unknown) => unknown
    await expect(call(lines, {})).rejects.toThrow(/^store: expected a store/)
    await expect(call(7, store)).rejects.toThrow(/^lines: expected something to iterate over/)
    await expect(call(lines, store, { existing: 'keep' })).rejects.toThrow(
      /^existing: expected one/,
    )
    await expect(call(lines, store, { maxTxnOps: 0 })).rejects.toThrow(/^maxTxnOps: 0 is no/)
    await expect(call(lines, store, { history: true })).rejects.toThrow(/^history: there is no/)
  })
})
