/** The watchers of a core, step by step: groups, slow consumers, compaction, damage. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KvError } from '../../base/errors.ts'
import type { WatchTuning } from '../../watch/watch-hub.ts'
import { WatchedStore, settle } from './watched-store.ts'

let store: WatchedStore

beforeEach(async () => {
  store = await WatchedStore.open()
})

afterEach(async () => {
  await store.close()
})

async function reopenWith(tuning: WatchTuning): Promise<void> {
  await store.close()
  store = await WatchedStore.open(tuning)
}

const revisionsOf = (consumer: {
  readonly batches: readonly { readonly revision: number }[]
}): number[] => consumer.batches.map(({ revision }) => revision)

describe('WatchHub', () => {
  test('gives what is written from now on to those who want it, and only when it is durable', async () => {
    store.put('a')
    store.publish()
    const one = store.watch({ from: 'a' })
    const all = store.watch({})
    store.put('a', 'b')
    await store.drain([one, all])
    expect([one.seen, all.seen]).toEqual([[], []])
    store.write([{ type: 'delete', key: 'b' }])
    store.publish(1)
    await store.drain([one, all])
    expect(one.seen).toEqual(['3 put a=a@3 c2 m3 v2'])
    expect(all.seen).toEqual(['3 put a=a@3 c2 m3 v2', '3 put b=b@3 c3 m3 v1'])
    store.publish()
    await store.drain([one, all])
    expect(all.seen.slice(2)).toEqual(['4 delete b'])
  })

  test('catches up from a revision that is past, then follows, without gap or repeat', async () => {
    for (let i = 0; i < 300; i++) store.put(`${i % 7}`)
    store.publish()
    const late = store.watch({ startRevision: 5 })
    expect(store.hub.counts).toEqual({ synced: 0, unsynced: 1, slow: 0 })
    while (store.hasTurns) {
      store.put('x')
      store.publish()
      store.turn()
    }
    expect(store.hub.counts).toEqual({ synced: 1, unsynced: 0, slow: 0 })
    store.put('y')
    store.publish()
    await store.drain([late])
    expect(late.seen).toEqual(store.expected(late.watcher.request, 5, store.durable))
  })

  test('delivers nothing older than a start that lies ahead', async () => {
    const ahead = store.watch({ startRevision: 4, wantsProgress: true })
    for (const key of ['a', 'b', 'c']) {
      store.put(key)
      store.publish()
    }
    await store.drain([ahead])
    expect(ahead.seen).toEqual(['4 put c=c@4 c4 m4 v1'])
    expect(revisionsOf(ahead)).toEqual([4])
  })

  test('keeps the events of one revision together, however many they are', async () => {
    const keys = Array.from({ length: 700 }, (_, i) => `k${String(i).padStart(3, '0')}`)
    const live = store.watch({})
    store.put(...keys)
    store.write([{ type: 'delete', key: 'k', end: 'l' }])
    store.publish()
    const late = store.watch({ startRevision: 2 })
    await store.drain([live, late])
    for (const { batches } of [live, late]) {
      const counts = new Map<number, number>()
      for (const { events } of batches) {
        for (const revision of new Set(events.map((event) => event.revision))) {
          counts.set(revision, (counts.get(revision) ?? 0) + 1)
        }
      }
      expect([...counts]).toEqual([
        [2, 1],
        [3, 1],
      ])
    }
    expect(late.seen).toEqual(store.expected(late.watcher.request, 2, 3))
  })

  test('moves a slow consumer aside with a bounded queue, and drops nothing', async () => {
    await reopenWith({ queueBytesMax: 4096 })
    const slow = store.watch({})
    const fast = store.watch({})
    let most = 0
    for (let i = 0; i < 500; i++) {
      store.put('a')
      store.publish()
      fast.ask()
      await settle()
      most = Math.max(most, slow.watcher.queuedBytes)
    }
    expect(most).toBeGreaterThan(4096)
    expect(most).toBeLessThan(4096 + 1024)
    expect(store.hub.counts).toEqual({ synced: 1, unsynced: 0, slow: 1 })
    await store.drain([slow, fast])
    expect(store.hub.counts).toEqual({ synced: 2, unsynced: 0, slow: 0 })
    for (const consumer of [slow, fast]) {
      expect(consumer.seen).toEqual(store.expected(consumer.watcher.request, 2, store.durable))
    }
  })

  test('ends with where to resume where the start is compacted; at the compacted revision it starts', async () => {
    for (const key of ['a', 'b', 'c', 'd']) store.put(key)
    store.publish()
    await store.compact(4)
    const gone = store.watch({ startRevision: 3 })
    const there = store.watch({ startRevision: 4, wantsPrevious: true })
    await store.drain([gone, there])
    expect(gone.compactedAt).toEqual({ next: 3, compacted: 4 })
    expect(there.seen).toEqual(['4 put c=c@4 c4 m4 v1', '5 put d=d@5 c5 m5 v1'])
    expect(store.hub.counts).toEqual({ synced: 1, unsynced: 0, slow: 0 })
  })

  test('leaves out what a key held before where that is compacted', async () => {
    for (let i = 0; i < 4; i++) store.put('a')
    store.publish()
    await store.compact(4)
    const watch = store.watch({ startRevision: 4, wantsPrevious: true })
    await store.drain([watch])
    expect(watch.seen).toEqual(['4 put a=a@4 c2 m4 v3', '5 put a=a@5 c2 m5 v4 was a=a@4 c2 m4 v3'])
  })

  test('ends a watcher that was overtaken by a compaction only after what it had queued', async () => {
    await reopenWith({ queueBytesMax: 512 })
    const slow = store.watch({})
    for (let i = 0; i < 20; i++) {
      store.put('a')
      store.publish()
    }
    await store.compact(20)
    await store.drain([slow])
    const { next } = slow.compactedAt ?? { next: 0 }
    expect(next).toBeGreaterThan(2)
    expect(next).toBeLessThan(20)
    expect(slow.seen).toHaveLength(next - 2)
  })

  test('ends those who catch up when the revision they are at is compacted, and those alone', async () => {
    await reopenWith({ room: { rows: 1, bytes: 1 } })
    for (let i = 0; i < 50; i++) store.put('a')
    store.publish()
    const low = store.watch({ startRevision: 2 })
    const high = store.watch({ startRevision: 45 })
    await store.compact(40)
    await store.drain([low, high])
    expect(low.compactedAt?.compacted).toBe(40)
    expect(high.outcome).toBe('open')
    expect(high.seen).toHaveLength(7)
  })

  test('tells progress when it has caught up, then each time the store has gone on a while', async () => {
    await reopenWith({ progressRevisions: 10 })
    for (let i = 0; i < 5; i++) store.put('other')
    store.publish()
    const late = store.watch({ from: 'mine', startRevision: 2, wantsProgress: true })
    const silent = store.watch({ from: 'mine', startRevision: 2 })
    await store.drain([late, silent])
    expect(revisionsOf(late)).toEqual([6])
    for (let i = 0; i < 34; i++) {
      store.put(i === 7 ? 'mine' : 'other')
      store.publish()
    }
    await store.drain([late, silent])
    expect(revisionsOf(late)).toEqual([6, 14, 24, 34])
    expect(late.batches.map(({ events }) => events.length)).toEqual([0, 1, 0, 0])
    expect(revisionsOf(silent)).toEqual([14])
  })

  test('tells no progress beyond what it has read of a revision', async () => {
    await reopenWith({ progressRevisions: 1, room: { rows: 2, bytes: 1000 } })
    const watch = store.watch({ wantsProgress: true })
    store.put('a')
    store.put('a', 'b', 'c', 'd', 'e')
    store.put('f')
    store.publish()
    await store.drain([watch])
    expect(watch.seen).toEqual(store.expected(watch.watcher.request, 2, 4))
    for (const [i, { revision }] of watch.batches.entries()) {
      const later = watch.batches.slice(i + 1).flatMap(({ events }) => events)
      expect(later.every((event) => event.revision > revision)).toBe(true)
    }
  })

  test('stops at the end of a watch; what was delivered can still be taken, once', async () => {
    const watch = store.watch({})
    store.put('a')
    store.publish()
    watch.watcher.end()
    store.put('b')
    store.publish()
    await store.drain([watch])
    expect([watch.seen, watch.outcome]).toEqual([['2 put a=a@2 c2 m2 v1'], 'ended'])
    expect(store.hub.counts).toEqual({ synced: 0, unsynced: 0, slow: 0 })
    const again: unknown[] = []
    watch.watcher.handTo({ take: (batch) => again.push(batch), fail: (error) => again.push(error) })
    expect(again).toEqual([undefined])
  })

  test('throws the reason of an abort at once', async () => {
    const reason = new Error('enough')
    const waiting = store.watch({})
    const full = store.watch({})
    waiting.ask()
    store.put('a')
    waiting.watcher.abort(reason)
    store.publish()
    full.watcher.abort(reason)
    await store.drain([waiting, full])
    expect([waiting.outcome, full.outcome]).toEqual([{ error: reason }, { error: reason }])
    expect([waiting.seen, full.seen]).toEqual([[], []])
  })

  test('ends every watcher when it is closed, also those that catch up', async () => {
    store.put('a')
    store.publish()
    const watches = [
      store.watch({}),
      store.watch({ startRevision: 1 }),
      store.watch({ startRevision: 9 }),
    ]
    watches[0]?.ask()
    store.hub.close()
    watches.push(store.watch({ startRevision: 1 }))
    await store.drain(watches)
    expect(watches.map(({ outcome }) => outcome)).toEqual(watches.map(() => 'ended'))
    expect(store.hub.counts).toEqual({ synced: 0, unsynced: 0, slow: 0 })
  })

  test('gives those who follow all that is durable before it ends them', async () => {
    await reopenWith({ room: { rows: 1, bytes: 1 } })
    store.put('a')
    store.publish()
    const live = store.watch({})
    store.watch({ startRevision: 1 })
    // A turn is due for the one that catches up, so this waits for it, too.
    store.put('b', 'c')
    store.put('d')
    store.publish()
    store.hub.close()
    await store.drain([live])
    expect(live.seen).toEqual(store.expected(live.watcher.request, 3, 4))
    expect(live.outcome).toBe('ended')
  })

  test('ends with the error where events cannot be read, and serves those who come after', async () => {
    const watch = store.watch({})
    const broken = new KvError('KV_IO', 'the disk is gone')
    store.put('a')
    store.onPin = () => {
      throw broken
    }
    store.publish()
    await store.drain([watch])
    expect(watch.outcome).toEqual({ error: broken })
    store.onPin = () => {}
    const next = store.watch({ startRevision: 2 })
    store.put('b')
    store.publish()
    await store.drain([next])
    expect(next.seen).toEqual(['2 put a=a@2 c2 m2 v1', '3 put b=b@3 c3 m3 v1'])
  })

  test('serves many watchers that start at different revisions together', async () => {
    for (let i = 0; i < 200; i++) store.put(`${i % 3}`)
    store.publish()
    let pins = 0
    store.onPin = () => pins++
    const watches = Array.from({ length: 100 }, (_, i) => store.watch({ startRevision: 2 + i }))
    await store.drain(watches)
    watches.forEach((watch, i) => {
      expect(watch.seen).toEqual(store.expected(watch.watcher.request, 2 + i, store.durable))
    })
    expect(pins).toBeLessThan(10)
  })
})
