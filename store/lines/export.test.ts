import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { codeOf, collect } from '../../proptest/behaviour/backend.ts'
import { Model } from '../../proptest/model/model.ts'
import { openModelStore } from '../../proptest/model/model-store.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { put } from '../op.ts'
import { openOn } from '../open.ts'
import type { BuiltLocalStore, BuiltStore } from '../types.ts'
import { exportLines } from './export.ts'

let disk = new MemoryDisk()
let store: BuiltLocalStore

async function fill(into: BuiltStore): Promise<void> {
  await into.grant({ id: 7n, ttlSeconds: 500 })
  await into.put('a', '1')
  await into.put('a', '2', { lease: 7n })
  await into.txn({ success: [put('b', new Uint8Array([0xff])), put('c', '')] })
  await into.delete('c')
}

beforeEach(async () => {
  disk = new MemoryDisk()
  store = await openOn(disk, '/store')
  await fill(store)
})

afterEach(async () => {
  await store.close()
})

const HEAD = '{"type":"head","format":"revbolt-lines","formatVersion":1,'

/** The lines, and the end that they must have. */
function whole(lines: readonly string[], revision: number): string {
  const text = lines.map((line) => `${line}\n`).join('')
  const sha256 = createHash('sha256').update(text).digest('hex')
  const end = { type: 'end', count: lines.length - 1, revision, sha256 }
  return `${text}${JSON.stringify(end)}\n`
}

const KEYS = [
  `${HEAD}"content":"keys","revision":5}`,
  '{"type":"key","key":"a","value":"2","createRevision":2,"modRevision":3,"version":2,"lease":"7"}',
  '{"type":"key","key":"b","value":{"base64":"/w=="},"createRevision":4,"modRevision":4,' +
    '"version":1}',
]

describe('exportLines()', () => {
  test('gives the keys of the current revision, each with its numbers', async () => {
    const lines = await collect(exportLines(store))
    expect(lines.join('')).toBe(whole(KEYS, 5))
    expect(lines.every((line) => line.endsWith('\n'))).toBe(true)
  })

  test('does so of any store', async () => {
    const model = openModelStore(new Model())
    await fill(model)
    expect((await collect(exportLines(model))).join('')).toBe(whole(KEYS, 5))
  })

  test('gives those of an older revision, or of a prefix', async () => {
    const older = await collect(exportLines(store, { revision: 4, prefix: 'c' }))
    expect(older.join('')).toBe(
      whole(
        [
          `${HEAD}"content":"keys","revision":4,"prefix":"c"}`,
          '{"type":"key","key":"c","value":"","createRevision":4,"modRevision":4,"version":1}',
        ],
        4,
      ),
    )
    const none = await collect(exportLines(store, { prefix: 'zz' }))
    expect(none).toHaveLength(2)
  })

  test('stays at its revision, whatever is written and compacted meanwhile', async () => {
    const lines = exportLines(store)
    const first = await lines.next()
    await store.put('a', '3')
    await store.delete('b')
    await store.compact(7, { physical: true })
    const rest = await collect(lines)
    expect([first.value, ...rest].join('')).toBe(whole(KEYS, 5))
  })

  test('gives a history: leases, and every change with its place', async () => {
    await store.compact(3, { physical: true })
    expect((await collect(exportLines(store, { history: true }))).join('')).toBe(
      whole(
        [
          `${HEAD}"content":"history","revision":5,"compactedRevision":3}`,
          '{"type":"lease","id":"7","ttlSeconds":500,"remainingSeconds":500}',
          '{"type":"put","revision":3,"sub":0,"key":"a","value":"2","createRevision":2,' +
            '"version":2,"lease":"7"}',
          '{"type":"put","revision":4,"sub":0,"key":"b","value":{"base64":"/w=="},' +
            '"createRevision":4,"version":1}',
          '{"type":"put","revision":4,"sub":1,"key":"c","value":"","createRevision":4,"version":1}',
          '{"type":"delete","revision":5,"sub":0,"key":"c"}',
        ],
        5,
      ),
    )
  })

  test('does not see leases that are gone, though no revision was made of it', async () => {
    await store.revoke(7n)
    await store.grant({ id: 8n, ttlSeconds: 60 })
    const first = await collect(exportLines(store, { history: true }))
    await store.revoke(8n)
    const second = await collect(exportLines(store, { history: true }))
    const leases = (lines: readonly string[]): readonly string[] =>
      lines.filter((line) => line.startsWith('{"type":"lease"'))
    expect(leases(first)).toEqual([
      '{"type":"lease","id":"8","ttlSeconds":60,"remainingSeconds":60}\n',
    ])
    expect(leases(second)).toEqual([])
  })

  test('holds a view while its lines are read, and lets go of it wherever that ends', async () => {
    for (const history of [false, true] as const) {
      const lines = history ? exportLines(store, { history }) : exportLines(store)
      expect(store.stats().viewCount).toBe(0)
      await lines.next()
      expect(store.stats().viewCount).toBe(1)
      await lines.return?.()
      expect(store.stats().viewCount).toBe(0)
      const closed = history ? exportLines(store, { history }) : exportLines(store)
      await closed.next()
      await closed.next()
      const other = await openOn(new MemoryDisk(), '/other')
      const cut = history ? exportLines(other, { history }) : exportLines(other)
      await fill(other)
      await cut.next()
      await other.close()
      expect(await codeOf(async () => await collect(cut))).toBe('KV_TX_CLOSED')
      await closed.return?.()
    }
  })

  test('asks the store for the next key only when its line is taken', async () => {
    let asked = 0
    const model = openModelStore(new Model())
    await fill(model)
    const counting: BuiltStore = Object.assign(Object.create(model) as BuiltStore, {
      status: model.status.bind(model),
      async *scan(options: object) {
        for await (const entry of model.scan(options)) {
          asked++
          yield entry
        }
      },
    })
    const lines = exportLines(counting)
    const seen: number[] = []
    while ((await lines.next()).done !== true) seen.push(asked)
    expect(seen).toEqual([1, 1, 2, 2])
  })

  test('tells how far it has come, and ends with its signal’s reason', async () => {
    await store.put('big', 'x'.repeat(1_400_000))
    const told: number[] = []
    const onProgress = (progress: { doneBytes: number; totalBytes: number }): void => {
      expect(progress.doneBytes).toBeLessThanOrEqual(progress.totalBytes)
      told.push(progress.doneBytes)
    }
    const text = (await collect(exportLines(store, { onProgress }))).join('')
    expect(told.at(-1)).toBe(text.length)
    expect(told.length).toBe(2)
    const reason = new Error('enough')
    for (const history of [false, true] as const) {
      const abort = new AbortController()
      const { signal } = abort
      const lines = history
        ? exportLines(store, { history, signal })
        : exportLines(store, { signal })
      await lines.next()
      abort.abort(reason)
      await expect(collect(lines)).rejects.toBe(reason)
    }
  })

  test('refuses at once what is no store and no option, then what can’t be read', async () => {
    const call = exportLines as (store: unknown, options?: unknown) => AsyncIterable<string>
    expect(() => call(undefined)).toThrow(/^store: expected a store, got undefined/)
    expect(() => call(store, { prefix: 7 })).toThrow(/^prefix: expected a string/)
    expect(() => call(store, { history: true, prefix: 'a' })).toThrow(/^prefix: not together/)
    expect(() => call(store, { history: true, revision: 1 })).toThrow(/^revision: not together/)
    expect(() => call(store, { keys: true })).toThrow(/^keys: there is no such option/)
    expect(() => call(openModelStore(new Model()), { history: true })).toThrow(
      /^store: expected one that open\(\) gave/,
    )
    await store.compact(3)
    const refused = async (revision: number): Promise<string> =>
      await codeOf(async () => await collect(exportLines(store, { revision })))
    expect([await refused(2), await refused(9)]).toEqual(['KV_COMPACTED', 'KV_FUTURE_REVISION'])
    await store.close()
    expect(await codeOf(async () => await collect(call(store)))).toBe('KV_CLOSED')
    expect(await codeOf(async () => await collect(call(store, { history: true })))).toBe(
      'KV_CLOSED',
    )
  })
})
