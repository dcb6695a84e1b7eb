import { describe, expect, test } from 'vitest'
import { CompactedError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openOn } from './open.ts'
import type { BuiltLocalStore } from './types.ts'
import type { Watch, WatchBatch } from './types/watch.ts'

const opened = (): Promise<BuiltLocalStore> => openOn(new MemoryDisk(), '/data')

/** The next batch, as `revision type key` of each event. */
async function taken(iterator: AsyncIterator<WatchBatch>): Promise<string[]> {
  const { value, done } = await iterator.next()
  if (done === true) return ['over']
  return value.events.map((event) =>
    event.type === 'put'
      ? `${event.kv.modRevision} put ${event.kv.key}`
      : `${event.modRevision} delete ${event.key}`,
  )
}

const errorOf = async (watch: Watch): Promise<unknown> => {
  try {
    for await (const batch of watch) void batch
    return 'over'
  } catch (error) {
    return error
  }
}

describe('a watch and a compaction', () => {
  test('from below it ends with where to go on, from it on there is everything', async () => {
    await using store = await opened()
    await store.put('a', '1')
    await store.put('a', '2')
    await store.put('b', '1')
    await store.delete('b')
    await store.compact(5, { physical: true })
    await store.put('c', '1')
    const error = await errorOf(store.watch({ startRevision: 4 }))
    expect(error).toBeInstanceOf(CompactedError)
    expect(error).toMatchObject({ code: 'KV_COMPACTED', requested: 4, compacted: 5 })
    const batches = store.watch({ startRevision: 5, previous: true })[Symbol.asyncIterator]()
    const events: string[] = []
    while (events.length < 2) events.push(...(await taken(batches)))
    expect(events).toEqual(['5 delete b', '6 put c'])
    await batches.return?.()
  })

  test('one that follows is not concerned', async () => {
    await using store = await opened()
    const batches = store.watch()[Symbol.asyncIterator]()
    for (let i = 2; i <= 5; i++) {
      const { revision } = await store.put('a', String(i))
      expect(await taken(batches)).toEqual([`${i} put a`])
      await store.compact(revision, { physical: true })
    }
    await batches.return?.()
  })

  test('a slow reader gets what waits for it, and then hears that it fell behind', async () => {
    await using store = await opened()
    const watch = store.watch()
    // More than a queue holds, so that the watcher is moved aside.
    const value = 'x'.repeat(100_000)
    for (let i = 0; i < 40; i++) await store.put('big', value)
    const { revision } = await store.put('last', '1')
    await store.compact(revision, { physical: true })
    let newest = 0
    let error: unknown
    try {
      for await (const batch of watch) {
        expect(batch.events.every((event) => event.type === 'put')).toBe(true)
        for (const { kv } of batch.events as readonly { kv: { modRevision: number } }[]) {
          expect(kv.modRevision).toBe(Math.max(newest, 1) + 1)
          newest = kv.modRevision
        }
      }
    } catch (reason) {
      error = reason
    }
    expect(error).toMatchObject({
      code: 'KV_COMPACTED',
      requested: newest + 1,
      compacted: revision,
    })
    expect(newest).toBeGreaterThan(2)
  })

  test('one that catches up meanwhile misses nothing, or hears of it', async () => {
    for (const compacted of [2, 300, 900, 1001]) {
      await using store = await opened()
      await Promise.all(Array.from({ length: 1000 }, (_, i) => store.put(`k${i % 10}`, `${i}`)))
      const batches = store.watch({ startRevision: 2 })[Symbol.asyncIterator]()
      const seen: number[] = []
      const reading = (async () => {
        for (;;) {
          const { value, done } = await batches.next()
          if (done === true) return undefined
          for (const event of value.events) {
            seen.push(event.type === 'put' ? event.kv.modRevision : event.modRevision)
          }
          if (seen.length === 1000) return undefined
        }
      })().catch((error: unknown) => error)
      await store.compact(compacted, { physical: true })
      const end = await reading
      expect(seen).toEqual(Array.from(seen, (_, i) => i + 2))
      if (end === undefined) expect(seen).toHaveLength(1000)
      else
        expect(end).toMatchObject({ code: 'KV_COMPACTED', requested: seen.length + 2, compacted })
      await batches.return?.()
    }
  })
})
