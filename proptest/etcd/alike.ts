/** What a store says of itself: two stores are alike where they say the same. */

import type { StoreOf } from '../behaviour/backend.ts'
import { brief, briefAll, rowsAt } from '../behaviour/backend.ts'
import { lines } from '../behaviour/watch.ts'

type BytesStore = StoreOf<'bytes'>

/** Every revision from `from` on, which must be readable, every event after it, every lease. */
export async function answersOf(store: BytesStore, from: number): Promise<readonly string[]> {
  const { revision: last } = await store.status()
  const told = [`revision ${last}`]
  for (let revision = from; revision <= last; revision++) {
    told.push(...(await rowsAt(store, revision)))
  }
  if (last > from) told.push(...(await eventsOf(store, { from, last })))
  return [...told, ...(await leasesOf(store))]
}

async function eventsOf(
  store: BytesStore,
  { from, last }: { readonly from: number; readonly last: number },
): Promise<readonly string[]> {
  const told: string[] = []
  for await (const batch of store.watch({ startRevision: from + 1 })) {
    told.push(...lines([batch]))
    if (batch.revision >= last) break
  }
  return told
}

async function leasesOf(store: BytesStore): Promise<readonly string[]> {
  const ids = [...(await store.leases())].sort((a, b) => (a < b ? -1 : 1))
  const infos = ids.map(async (id) => {
    const info = await store.lease(id, { keys: true })
    const keys = info?.keys.map((key) => Buffer.from(key).toString('hex'))
    return `lease ${id} ${info?.ttlSeconds} [${keys?.join(' ')}]`
  })
  return await Promise.all(infos)
}

/** A store that only answers is no proof that it goes on: what comes of a few more writes. */
export async function goesOn(store: BytesStore): Promise<readonly string[]> {
  const put = await store.put('a', 'more', { previous: true })
  const deleted = await store.delete({ prefix: '' }, { previous: true })
  return [
    `put @${put.revision} ${brief(put.previous)}`,
    `delete @${deleted.revision} ${briefAll(deleted.previous).join(', ')}`,
  ]
}
