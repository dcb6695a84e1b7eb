/** Watchers: what ten thousand of them cost a put, and how many deliveries a second there are. */

import { setMaxListeners } from 'node:events'
import { join } from 'node:path'
import type { Figure, RunCase } from '../versioned-protocol.ts'
import type { BytesStore } from './filling.ts'
import { VALUE, keyOf, loadStoreDoor, middle } from './filling.ts'

const WATCHERS = 10_000
const PUTS = 2000
const ROUNDS = 5
const SHARED_PUTS = 120
/** Of those, how many are not counted: the compiler is at work. */
const WARM_UP_PUTS = 20

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
  await store.close()
  const text = await open(join(path, 'text'))
  const shared = await deliveriesOfOneKey(text, watchers)
  await text.close()
  const bytes = await open(join(path, 'bytes'), { encoding: 'bytes' })
  const sharedBytes = await deliveriesOfOneKey(bytes, watchers)
  await bytes.close()
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
    { name: 'the same, values as bytes', unit: '/s', value: sharedBytes },
    {
      name: 'loops over promises alone: rounds a second',
      unit: '/s',
      value: await bareLoops(watchers),
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

/** A store, whatever its values come out as. */
interface AnyStore {
  put(key: Uint8Array, value: Uint8Array): Promise<unknown>
  watch(options: {
    readonly key: Uint8Array
    readonly signal: AbortSignal
  }): AsyncIterable<{ readonly events: readonly unknown[] }>
}

function watchAll(
  store: AnyStore,
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
async function deliveriesOfOneKey(store: AnyStore, watchers: number): Promise<number> {
  const ending = new AbortController()
  const one = keyOf(0)
  const counted = watchAll(store, watchers, () => one, ending.signal)
  const rates: number[] = []
  for (let i = 0; i < SHARED_PUTS; i++) {
    const wanted = counted.seen + watchers
    const begun = performance.now()
    await store.put(one, VALUE)
    while (counted.seen < wanted) await new Promise((done) => setImmediate(done))
    if (i >= WARM_UP_PUTS) rates.push((watchers * 1000) / (performance.now() - begun))
  }
  ending.abort()
  await counted.ended
  return middle(rates)
}

/** What is left where nothing is read or decoded: as many loops, each woken once a round. */
async function bareLoops(count: number): Promise<number> {
  const wake: ((result: IteratorResult<number>) => void)[] = []
  let seen = 0
  const loop = async (i: number): Promise<void> => {
    const next = (): Promise<IteratorResult<number>> =>
      new Promise((resolve) => {
        wake[i] = resolve
      })
    for await (const one of { [Symbol.asyncIterator]: () => ({ next }) }) seen += one
  }
  const loops = Array.from({ length: count }, (_, i) => loop(i))
  const rates: number[] = []
  for (let round = 0; round < SHARED_PUTS; round++) {
    const wanted = seen + count
    const begun = performance.now()
    for (const resolve of wake) resolve({ done: false, value: 1 })
    while (seen < wanted) await new Promise((done) => setImmediate(done))
    if (round >= WARM_UP_PUTS) rates.push((count * 1000) / (performance.now() - begun))
  }
  for (const resolve of wake) resolve({ done: true, value: undefined })
  await Promise.all(loops)
  return middle(rates)
}
