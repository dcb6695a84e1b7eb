/**
 * Overwriting the same keys for ever, with old revisions let go: nothing may grow.
 *
 * What is there after the first half is what the second half may have. The file's length goes in
 * steps, so it is the largest of each half that is compared, not one moment with another.
 */

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Figure, RunCase } from '../versioned-protocol.ts'
import { VALUE, keyOf, loadStoreDoor } from './filling.ts'
import type { BytesStore } from './filling.ts'

const OVERWRITES = 10_000_000
const KEYS = 1000
const KEPT = 10_000
const SAMPLES = 100
/** Of the samples, how many are shown as a curve. */
const SHOWN = 20

/** What could grow, in MB. */
const MEASURES = ['data in use', 'file', 'log', 'key index', 'resident memory'] as const

type Sample = Readonly<Record<(typeof MEASURES)[number], number>>

export const runFlat: RunCase = async ({ path, scale }) => {
  const total = Math.ceil((OVERWRITES * scale) / KEYS) * KEYS
  const { open } = await loadStoreDoor()
  const store = await open(path, {
    encoding: 'bytes',
    sync: 'os',
    retain: { revisions: KEPT },
    checkpointBytes: 16 * 1024 * 1024,
  })
  const keys = Array.from({ length: KEYS }, (_, i) => keyOf(i))
  const samples: Sample[] = []
  const begun = performance.now()
  for (let done = 0; done < total;) {
    await Promise.all(keys.map(async (key) => await store.put(key, VALUE)))
    done += KEYS
    if (Math.floor((done * SAMPLES) / total) > samples.length) samples.push(sample(store, path))
  }
  const seconds = (performance.now() - begun) / 1000
  await store.close()
  return [
    ...MEASURES.flatMap((name) => growthOf(name, samples)),
    { name: 'overwrites a second', unit: '/s', value: total / seconds },
    ...MEASURES.flatMap((name) => curveOf(name, samples, total)),
  ]
}

function sample(store: BytesStore, path: string): Sample {
  const { sizeBytes, sizeInUseBytes, indexBytes } = store.stats()
  return {
    'data in use': sizeInUseBytes / 1e6,
    file: sizeBytes / 1e6,
    log: lengthOf(join(path, 'wal')) / 1e6,
    'key index': indexBytes / 1e6,
    'resident memory': process.memoryUsage.rss() / 1e6,
  }
}

function lengthOf(directory: string): number {
  let bytes = 0
  for (const name of readdirSync(directory)) {
    // A segment may go between the two looks.
    bytes += statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

function growthOf(name: keyof Sample, samples: readonly Sample[]): readonly Figure[] {
  const values = samples.map((one) => one[name])
  const half = values.length >> 1
  const first = Math.max(...values.slice(0, half))
  const second = Math.max(...values.slice(half))
  return [
    { name: `${name}, most in the first half`, unit: 'MB', value: first },
    { name: `${name}, second half / first`, unit: '×', value: second / first, atMost: 1.1 },
  ]
}

function curveOf(name: keyof Sample, samples: readonly Sample[], total: number): readonly Figure[] {
  const step = Math.max(1, Math.floor(samples.length / SHOWN))
  return samples.flatMap((one, i) => {
    if ((i + 1) % step !== 0) return []
    const thousands = Math.round(((i + 1) * total) / samples.length / 1000)
    return [{ name: `${thousands}`, unit: 'MB', value: one[name], curve: `${name}, MB` }]
  })
}
