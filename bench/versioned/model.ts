/** What etcd's third version claims over its second, where one store can show it. */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Figure, RunCase } from '../versioned-protocol.ts'
import type { BytesStore } from './filling.ts'
import { VALUE, keyOf, loadStoreDoor, putAll } from './filling.ts'

const LEASED_KEYS = 1000
const READS_MS = 2000
const WRITTEN_KEYS = 200_000
/** How many events the second version of etcd remembers. */
const WINDOW = 1000

export const runModel: RunCase = async ({ path, scale }) => {
  const { open } = await loadStoreDoor()
  const store = await open(join(path, 'store'), { encoding: 'bytes' })
  const figures = [
    ...(await leases(store)),
    ...(await readsBesideWrites(store, Math.ceil(WRITTEN_KEYS * scale))),
    ...(await history(store)),
  ]
  await store.close()
  return figures
}

/** A thousand keys on one lease, against a thousand keys with a lease each. */
async function leases(store: BytesStore): Promise<Figure[]> {
  const shared = await store.grant({ ttlSeconds: 600 })
  const own = await Promise.all(
    Array.from({ length: LEASED_KEYS }, async () => await store.grant({ ttlSeconds: 600 })),
  )
  await Promise.all(own.map(async (_, i) => await store.put(keyOf(i), VALUE, { lease: shared })))
  const begun = performance.now()
  await store.renew(shared)
  const once = performance.now() - begun
  const again = performance.now()
  for (const lease of own) await store.renew(lease)
  const each = performance.now() - again
  return [
    { name: `${LEASED_KEYS} keys on one lease, kept alive`, unit: 'ms', value: once },
    { name: `${LEASED_KEYS} leases of a key each`, unit: 'ms', value: each },
    { name: 'renewals saved', unit: '×', value: LEASED_KEYS },
  ]
}

interface ReadRate {
  readonly perSecond: number
  /** Reads in a second of the time in which it was their turn. */
  readonly perOwnSecond: number
  /** How much of the time it was their turn. */
  readonly share: number
}

async function readsFor(store: BytesStore, keys: number, ms: number): Promise<ReadRate> {
  const view = store.view()
  let count = 0
  let ownMs = 0
  const begun = performance.now()
  while (performance.now() - begun < ms) {
    const turn = performance.now()
    for (let i = 0; i < 200; i++) if (view.get(keyOf((count + i) % keys)) === undefined) break
    ownMs += performance.now() - turn
    count += 200
    await new Promise((done) => setImmediate(done))
  }
  const wholeMs = performance.now() - begun
  view.close()
  return {
    perSecond: (count * 1000) / wholeMs,
    perOwnSecond: (count * 1000) / ownMs,
    share: ownMs / wholeMs,
  }
}

/**
 * Reads of a view while a long write works. Both have one thread: the writer's turns are not the
 * reads', whatever it does in them. So two things are told apart: how much of the thread is left,
 * and how fast a read is when it is its turn.
 */
async function readsBesideWrites(store: BytesStore, keys: number): Promise<Figure[]> {
  await putAll(store, keys)
  await delay(200)
  const alone = await readsFor(store, keys, READS_MS)
  let isOver = false
  const writing = (async () => {
    while (!isOver) await store.put(keyOf(0), new Uint8Array(1_000_000))
  })()
  const beside = await readsFor(store, keys, READS_MS)
  isOver = true
  await writing
  return [
    { name: 'view reads, nothing else', unit: '/s', value: alone.perSecond },
    { name: 'view reads beside writes of 1 MB', unit: '/s', value: beside.perSecond },
    { name: 'what is left of the rate', unit: '×', value: beside.perSecond / alone.perSecond },
    { name: 'what is left of the thread', unit: '×', value: beside.share / alone.share },
    { name: 'how fast a read is then', unit: '×', value: beside.perOwnSecond / alone.perOwnSecond },
  ]
}

/** Events that a watch from the beginning gets, behind more than a window of them. */
async function history(store: BytesStore): Promise<Figure[]> {
  const { revision } = await store.status()
  const puts = 10 * WINDOW
  await putAll(store, puts)
  const ending = new AbortController()
  let seen = 0
  for await (const { events } of store.watch({ startRevision: revision + 1 })) {
    seen += events.length
    if (seen >= puts) break
  }
  ending.abort()
  return [
    { name: `events of ${puts} that a late watch gets`, unit: '', value: seen, atLeast: puts },
    { name: 'events that a window of a thousand holds', unit: '', value: WINDOW },
  ]
}
