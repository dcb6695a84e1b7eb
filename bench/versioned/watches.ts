/** Watchers: what ten thousand of them cost a put, and how many deliveries a second there are. */

import { setMaxListeners } from 'node:events'
import { join } from 'node:path'
import type { Figure, RunCase } from '../versioned-protocol.ts'
import type { BytesStore } from './filling.ts'
import { VALUE, keyOf, loadStoreDoor, middle } from './filling.ts'

const WATCHERS = 10_000
const PUTS = 2000
const ROUNDS = 5
const SHARED_PUTS = 20

export const runWatches: RunCase = async ({ path, scale }) => {
  const watchers = Math.ceil(WATCHERS * scale)
  const { open } = await loadStoreDoor()
  const store = await open(join(path, 'distinct'), { encoding: 'bytes' })
  const alone: number[] = []
  const watched: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(await timeOfPuts(store, watchers))
    const ending = new AbortController()
    const counted = watchAll(store, watchers, keyOf, ending.signal)
    watched.push(await timeOfPuts(store, watchers))
    ending.abort()
    await counted.ended
  }
  const slower = middle(watched.map((us, round) => us / (alone[round] ?? Number.NaN)))
  const shared = await deliveriesOfOneKey(store, watchers)
  await store.close()
  const figures: Figure[] = [
    { name: 'a put, nobody watching', unit: 'µs', value: middle(alone) },
    { name: `a put, ${watchers} watchers of other keys`, unit: 'µs', value: middle(watched) },
    { name: 'time with watchers / without', unit: '×', value: slower, atMost: 1.5 },
    {
      name: `one key, ${watchers} watchers: deliveries a second`,
      unit: '/s',
      value: shared,
      atLeast: 1_000_000,
    },
  ]
  return figures
}

/** The middle time of a durable put, one at a time. */
async function timeOfPuts(store: BytesStore, keys: number): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < PUTS; i++) {
    const begun = performance.now()
    await store.put(keyOf(i % keys), VALUE)
    times.push((performance.now() - begun) * 1000)
  }
  return middle(times)
}

interface Counted {
  seen: number
  readonly ended: Promise<unknown>
}

function watchAll(
  store: BytesStore,
  count: number,
  key: (i: number) => Buffer,
  signal: AbortSignal,
): Counted {
  setMaxListeners(count, signal)
  const loops: Promise<void>[] = []
  const counted: Counted = { seen: 0, ended: Promise.resolve() }
  const follow = async (i: number): Promise<void> => {
    try {
      for await (const { events } of store.watch({ key: key(i), signal })) {
        counted.seen += events.length
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
  for (let i = 0; i < count; i++) loops.push(follow(i))
  return Object.assign(counted, { ended: Promise.all(loops) })
}

/** From the put until the last watcher's loop has its event. */
async function deliveriesOfOneKey(store: BytesStore, watchers: number): Promise<number> {
  const ending = new AbortController()
  const one = keyOf(0)
  const counted = watchAll(store, watchers, () => one, ending.signal)
  const rates: number[] = []
  for (let i = 0; i < SHARED_PUTS; i++) {
    const wanted = counted.seen + watchers
    await store.put(one, VALUE)
    const begun = performance.now()
    while (counted.seen < wanted) await new Promise((done) => setImmediate(done))
    rates.push((watchers * 1000) / (performance.now() - begun))
  }
  ending.abort()
  await counted.ended
  return middle(rates)
}
