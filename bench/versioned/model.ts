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

async function readsFor(store: BytesStore, keys: number, ms: number): Promise<number> {
  const view = store.view()
  let count = 0
  const begun = performance.now()
  while (performance.now() - begun < ms) {
    for (let i = 0; i < 200; i++) if (view.get(keyOf((count + i) % keys)) === undefined) break
    count += 200
    await new Promise((done) => setImmediate(done))
  }
  view.close()
  return (count * 1000) / ms
}

/** Reads of a view while a long write works: what is left of their rate is its processor time. */
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
    { name: 'view reads, nothing else', unit: '/s', value: alone },
    { name: 'view reads beside writes of 1 MB', unit: '/s', value: beside },
    { name: 'what is left of the rate', unit: '×', value: beside / alone },
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
