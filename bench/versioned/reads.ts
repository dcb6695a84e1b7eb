/** Reads of one key: now, and as it was, beside lmdb's `get` of the same keys. */

import { join } from 'node:path'
import type { Figure, RunCase } from '../versioned-protocol.ts'
import { VALUE, fill, keyOf, loadStoreDoor, middle, nanoseconds, scattered } from './filling.ts'

const KEYS = 1_000_000
const READS_MAX = 300_000
const ROUNDS = 7
const REVISIONS = 3

/** A peer that has the same keys, read synchronously. */
export interface ReadPeer {
  get(key: Buffer): Buffer | undefined
  close(): Promise<void>
}

type MakeReadPeer = (path: string, keys: Iterable<Buffer>, value: Buffer) => Promise<ReadPeer>

/** The packages of peers are loaded only where they are measured. */
async function loadReadPeer(path: string, count: number): Promise<ReadPeer> {
  const url = new URL('../sides/peers/versioned-lmdb.ts', import.meta.url)
  const { makeReadPeer } = (await import(url.href)) as { readonly makeReadPeer: MakeReadPeer }
  const keys = Array.from({ length: count }, (_, i) => keyOf(i))
  return await makeReadPeer(path, keys, Buffer.from(VALUE))
}

export const runReads: RunCase = async ({ path, scale }) => {
  const count = Math.ceil(KEYS * scale)
  await fill(join(path, 'store'), count, REVISIONS)
  const lmdb = await loadReadPeer(join(path, 'lmdb'), count)
  const { open } = await loadStoreDoor()
  const store = await open(join(path, 'store'), { encoding: 'bytes', cacheBytes: 2 ** 30 })
  const view = store.view()
  const revision = 1 + Math.floor(count * 1.5)
  const keys = Array.from(scattered(count).subarray(0, READS_MAX), keyOf)
  const sides = {
    latest: (key: Buffer) => view.get(key)?.value,
    historic: (key: Buffer) => view.get(key, { revision })?.value,
    lmdb: (key: Buffer) => lmdb.get(key),
  }
  const times = { latest: [] as number[], historic: [] as number[], lmdb: [] as number[] }
  // One round more than is counted: in the first one the pages come into memory.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const name of ['latest', 'historic', 'lmdb'] as const) {
      const begun = performance.now()
      let sum = 0
      for (const key of keys) sum += sides[name](key)?.length ?? 0
      const ns = nanoseconds(keys.length, begun)
      if (sum !== keys.length * VALUE.length) throw new Error(`${name}: a key was not found`)
      if (round > 0) times[name].push(ns)
    }
  }
  view.close()
  await store.close()
  await lmdb.close()
  const toLmdb = middle(times.latest.map((ns, round) => (times.lmdb[round] ?? 0) / ns))
  const toLatest = middle(times.historic.map((ns, round) => (times.latest[round] ?? 0) / ns))
  const figures: Figure[] = [
    { name: 'view get', unit: 'ns', value: middle(times.latest) },
    { name: 'view get of an older revision', unit: 'ns', value: middle(times.historic) },
    { name: 'lmdb get', unit: 'ns', value: middle(times.lmdb) },
    { name: 'view get / lmdb get, speed', unit: '×', value: toLmdb, atLeast: 1 },
    { name: 'older revision / latest, speed', unit: '×', value: toLatest, atLeast: 0.5 },
  ]
  return figures
}
