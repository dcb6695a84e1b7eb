/** Watching with watch(). */
import { describe, expect, test } from 'vitest'
import type { Watch, WatchBatch, WatchEvent } from '../../store/types/watch.ts'
import { del, put } from '../../store/op.ts'
import type { Backend, StoreOf } from './backend.ts'
import { brief, codeOf, collect, refusalOf, show, withEncoding, withStore } from './backend.ts'

export function watchCases(backend: Backend): void {
  describe('watch()', () => {
    selectionCases(backend)
    encodingCases(backend)
    startCases(backend)
    batchCases(backend)
    progressCases(backend)
    endCases(backend)
    closeCases(backend)
    describe.skipIf(!backend.supports.reopen)('of a store opened again', () => {
      reopenCases(backend)
    })
  })
}

type Batch = WatchBatch<unknown, unknown>

/** An event on one line, such as `put a=1 c2 m2 v1`, with what was before where it is there. */
function line(event: WatchEvent<unknown, unknown>): string {
  const before = event.previous === undefined ? '' : ` was ${brief(event.previous)}`
  if (event.type === 'put') return `put ${brief(event.kv)}${before}`
  return `delete ${show(event.key)} m${event.modRevision}${before}`
}

export function lines(batches: readonly Batch[]): string[] {
  return batches.flatMap(({ events }) => events.map((event) => line(event)))
}

/** Takes batches until they hold so many events, and cancels. */
export async function take(watch: Watch<unknown, unknown>, count: number): Promise<Batch[]> {
  const batches: Batch[] = []
  let left = count
  for await (const batch of watch) {
    batches.push(batch)
    left -= batch.events.length
    if (left <= 0) break
  }
  return batches
}

/** Seven revisions, 2 to 8, of four keys. */
async function fill(store: StoreOf<'utf8'>): Promise<void> {
  await store.put('a', '1')
  await store.put('b/1', '1')
  await store.txn({ success: [put('b/2', '1'), put('a', '2')] })
  await store.delete('a')
  await store.delete('nothing')
  await store.put('a', '3')
  await store.delete({ prefix: 'b/' })
  await store.put('c', '1')
}

const EVENTS = [
  'put a=1 c2 m2 v1',
  'put b/1=1 c3 m3 v1',
  'put b/2=1 c4 m4 v1',
  'put a=2 c2 m4 v2',
  'delete a m5',
  'put a=3 c6 m6 v1',
  'delete b/1 m7',
  'delete b/2 m7',
  'put c=1 c8 m8 v1',
] as const

function selectionCases(backend: Backend): void {
  const of = (...places: readonly number[]): string[] => places.map((i) => EVENTS[i] ?? '')
  const cases: readonly {
    readonly name: string
    readonly options: Parameters<StoreOf<'utf8'>['watch']>[0]
    readonly seen: readonly string[]
  }[] = [
    { name: 'sees every key', options: {}, seen: EVENTS },
    { name: 'keeps to a key', options: { key: 'a' }, seen: of(0, 3, 4, 5) },
    { name: 'keeps to a prefix', options: { prefix: 'b/' }, seen: of(1, 2, 6, 7) },
    { name: 'keeps to a range', options: { start: 'a', end: 'b/2' }, seen: of(0, 1, 3, 4, 5, 6) },
    { name: 'keeps to what follows a key', options: { fromKey: 'b/2' }, seen: of(2, 7, 8) },
    { name: 'takes an empty prefix for every key', options: { prefix: '' }, seen: EVENTS },
    { name: 'sees puts only', options: { only: 'put' }, seen: of(0, 1, 2, 3, 5, 8) },
    { name: 'sees deletes only', options: { only: 'delete', key: 'a' }, seen: of(4) },
    {
      name: 'adds what was before, where there was something',
      options: { key: 'a', previous: true },
      seen: [
        'put a=1 c2 m2 v1',
        'put a=2 c2 m4 v2 was a=1 c2 m2 v1',
        'delete a m5 was a=2 c2 m4 v2',
        'put a=3 c6 m6 v1',
      ],
    },
  ]
  describe.each(cases)('$name', ({ options, seen }) => {
    test('as it happens', async () => {
      await withStore(backend, async (store) => {
        const watch = store.watch(options)
        await watch.ready
        await fill(store)
        expect(lines(await take(watch, seen.length))).toEqual(seen)
      })
    })

    test('from history', async () => {
      await withStore(backend, async (store) => {
        await fill(store)
        const watch = store.watch({ ...options, startRevision: 1 })
        expect(lines(await take(watch, seen.length))).toEqual(seen)
      })
    })
  })
}

function encodingCases(backend: Backend): void {
  test('gives what the encoding says', async () => {
    await withStore(backend, async (store) => {
      const [bytes, text] = [store.watch({ previous: true, encoding: 'bytes' }), store.watch()]
      await Promise.all([bytes.ready, text.ready])
      const key = new Uint8Array([0x61])
      await store.put(key, '1')
      key[0] = 0x62
      await store.delete('a')
      expect(lines(await take(bytes, 2))).toEqual([
        'put 0x61=0x31 c2 m2 v1',
        'delete 0x61 m3 was 0x61=0x31 c2 m2 v1',
      ])
      expect(lines(await take(text, 2))).toEqual(['put a=1 c2 m2 v1', 'delete a m3'])
    })
  })

  test('gives each watcher bytes of its own', async () => {
    await withEncoding(backend, 'bytes', async (store) => {
      const watches = [store.watch(), store.watch()]
      for (const watch of watches) await watch.ready
      await store.put('a', 'x')
      for (const watch of watches) {
        const [batch] = await take(watch, 1)
        const event = batch?.events[0]
        expect(event === undefined ? '' : line(event)).toBe('put 0x61=0x78 c2 m2 v1')
        if (event?.type !== 'put') continue
        if (event.kv.value instanceof Uint8Array) event.kv.value.fill(0)
      }
    })
  })

  test('ends with KV_DECODE at what it cannot read, and can be resumed as bytes', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', new Uint8Array([0xff]))
      const watch = store.watch({ startRevision: 2 })
      expect(await codeOf(async () => await take(watch, 1))).toBe('KV_DECODE')
      const bytes = store.watch({ startRevision: 2, encoding: 'bytes' })
      expect(lines(await take(bytes, 1))).toEqual(['put 0x61=0xff c2 m2 v1'])
    })
  })
}

function startCases(backend: Backend): void {
  test('starts with the next revision, whatever was written before', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      const watch = store.watch()
      await watch.ready
      await store.put('a', '2')
      expect(lines(await take(watch, 1))).toEqual(['put a=2 c2 m3 v2'])
    })
  })

  test.each([1, 2, 4, 7, 8])('starts at revision %i, inclusive', async (startRevision) => {
    await withStore(backend, async (store) => {
      await fill(store)
      const seen = EVENTS.filter((each) => Number(/ m(\d+)/.exec(each)?.[1]) >= startRevision)
      expect(lines(await take(store.watch({ startRevision }), seen.length))).toEqual(seen)
    })
  })

  test('starts at a revision that lies ahead and sees nothing older', async () => {
    await withStore(backend, async (store) => {
      const watch = store.watch({ startRevision: 4 })
      await watch.ready
      for (const value of ['1', '2', '3', '4']) await store.put('a', value)
      expect(lines(await take(watch, 2))).toEqual(['put a=3 c2 m4 v3', 'put a=4 c2 m5 v4'])
    })
  })

  test('goes on from history to what is written meanwhile, without gap or repeat', async () => {
    await withStore(backend, async (store) => {
      for (let i = 0; i < 200; i++) await store.put(`${i % 5}`, `${i}`)
      const watch = store.watch({ startRevision: 2 })
      const taking = take(watch, 400)
      for (let i = 200; i < 400; i++) await store.put(`${i % 5}`, `${i}`)
      const revisions = (await taking).flatMap(({ events }) => events.map(revisionOf))
      expect(revisions).toEqual(Array.from({ length: 400 }, (_, i) => i + 2))
    })
  })
}

function revisionOf(event: WatchEvent<unknown, unknown>): number {
  return event.type === 'put' ? event.kv.modRevision : event.modRevision
}

function batchCases(backend: Backend): void {
  test('gives all events of a revision in one batch, in the order of the writes', async () => {
    await withStore(backend, async (store) => {
      const keys = Array.from({ length: 100 }, (_, i) => `k${i % 10}${Math.floor(i / 10)}`)
      const live = store.watch()
      await live.ready
      await store.txn({ success: keys.map((key) => put(key, 'x')) })
      await store.txn({ success: [del({ prefix: 'k5' }), put('z', ''), del({ prefix: 'k' })] })
      const late = store.watch({ startRevision: 2 })
      const deleted = keys.filter((key) => key.startsWith('k5')).toSorted()
      const rest = keys.filter((key) => !key.startsWith('k5')).toSorted()
      for (const watch of [live, late]) {
        const batches = await take(watch, 201)
        const split = batches.flatMap((batch) => [...new Set(batch.events.map(revisionOf))])
        expect(split).toEqual([2, 3])
        const seen = batches.flatMap(({ events }) =>
          events.map((event) => (event.type === 'put' ? event.kv.key : event.key)),
        )
        expect(seen).toEqual([...keys, ...deleted, 'z', ...rest])
      }
    })
  })

  test('says with each batch how far it has come', async () => {
    await withStore(backend, async (store) => {
      const watch = store.watch({ key: 'a' })
      await watch.ready
      for (const key of ['a', 'b', 'b', 'a']) await store.put(key, '1')
      const batches = await take(watch, 2)
      let told = 0
      for (const { events, revision } of batches) {
        expect(events.every((event) => revisionOf(event) > told)).toBe(true)
        expect(events.every((event) => revisionOf(event) <= revision)).toBe(true)
        told = revision
      }
      expect(told).toBe(5)
    })
  })
}

function progressCases(backend: Backend): void {
  const { progressAtOnce } = backend.supports
  test.skipIf(!progressAtOnce)(
    'gives no batch without events, unless progress is asked for',
    async () => {
      await withStore(backend, async (store) => {
        for (let i = 0; i < 20; i++) await store.put('b', '1')
        const silent = store.watch({ key: 'a', startRevision: 2 })
        const telling = store.watch({ key: 'a', startRevision: 2, progress: true })
        for await (const { events, revision } of telling) {
          expect([events, revision]).toEqual([[], 21])
          break
        }
        await store.put('a', '1')
        const batches = await take(silent, 1)
        expect(batches.map(({ events }) => events.length)).toEqual([1])
      })
    },
  )

  test('shows a write not before a read does', async () => {
    await withStore(backend, async (store) => {
      const watch = store.watch()
      await watch.ready
      const writes = Array.from({ length: 30 }, (_, i) => store.put('a', `${i}`))
      let left = 30
      for await (const { events } of watch) {
        const last = events.at(-1)
        const kv = await store.get('a')
        expect(kv?.modRevision).toBeGreaterThanOrEqual(last === undefined ? 0 : revisionOf(last))
        left -= events.length
        if (left === 0) break
      }
      await Promise.all(writes)
    })
  })
}

function endCases(backend: Backend): void {
  test('stops for good at break', async () => {
    await withStore(backend, async (store) => {
      await fill(store)
      const watch = store.watch({ startRevision: 2 })
      for await (const _ of watch) break
      await store.put('a', '9')
      expect(await collect(watch)).toEqual([])
    })
  })

  test('ends at cancel(), also while a batch is waited for', async () => {
    await withStore(backend, async (store) => {
      const watch = store.watch()
      const all = collect(watch)
      await watch.cancel()
      await watch.cancel()
      expect(await all).toEqual([])
      await store.put('a', '1')
      expect(await collect(watch)).toEqual([])
    })
  })

  test('is cancelled at the end of an `await using` block', async () => {
    await withStore(backend, async (store) => {
      const watches: Watch[] = []
      {
        await using watch = store.watch()
        watches.push(watch)
      }
      await store.put('a', '1')
      for (const watch of watches) expect(await collect(watch)).toEqual([])
    })
  })

  test('throws the reason of an abort, before the start or while it waits', async () => {
    await withStore(backend, async (store) => {
      const reason = new Error('enough')
      const before = store.watch({ signal: AbortSignal.abort(reason) })
      expect(await refusalOf(async () => await collect(before))).toBe(reason)
      const controller = new AbortController()
      const all = collect(store.watch({ signal: controller.signal }))
      controller.abort(reason)
      expect(await refusalOf(() => all)).toBe(reason)
      const aborted = store.watch({ signal: controller.signal })
      expect(await refusalOf(async () => await collect(aborted))).toBe(reason)
    })
  })
}

function closeCases(backend: Backend): void {
  test('of an empty key is KV_KEY_EMPTY', async () => {
    await withStore(backend, async (store) => {
      expect(await codeOf(async () => await collect(store.watch({ key: '' })))).toBe('KV_KEY_EMPTY')
    })
  })

  test('ends normally when the store is closed, with all that was written', async () => {
    await withStore(backend, async (store) => {
      const watches = [store.watch(), store.watch({ key: 'a' })]
      for (const watch of watches) await watch.ready
      const all = watches.map(async (watch) => lines(await collect(watch)))
      await store.put('a', '1')
      await store.put('b', '1')
      await store.close()
      const wanted = [['put a=1 c2 m2 v1', 'put b=1 c3 m3 v1'], ['put a=1 c2 m2 v1']]
      const told = await Promise.all(all)
      if (backend.supports.closeDrainsWatches) expect(told).toEqual(wanted)
      else expect(told).toEqual(wanted.map((each, i) => each.slice(0, told[i]?.length)))
    })
  })

  test('of a closed store is KV_CLOSED', async () => {
    await withStore(backend, async (store) => {
      await store.close()
      expect(await codeOf(async () => await collect(store.watch()))).toBe('KV_CLOSED')
    })
  })
}

function reopenCases(backend: Backend): void {
  test('starts from history', async () => {
    await withStore(backend, async (store, opened) => {
      await fill(store)
      const again = (await opened.reopen?.()) ?? store
      const watch = again.watch({ startRevision: 5 })
      await watch.ready
      await again.put('d', '1')
      expect(lines(await take(watch, 6))).toEqual([...EVENTS.slice(4), 'put d=1 c9 m9 v1'])
    })
  })

  test.skipIf(!backend.supports.readOnly)('for reading only sees its history', async () => {
    await withStore(backend, async (store, opened) => {
      await fill(store)
      const again = (await opened.reopen?.({ readOnly: true })) ?? store
      expect(lines(await take(again.watch({ startRevision: 8 }), 1))).toEqual(EVENTS.slice(8))
    })
  })
}
