/** Overwriting the same keys for ever, with old revisions let go: the file must not grow. */

import type { Figure, RunCase } from '../versioned-protocol.ts'
import { VALUE, keyOf, loadStoreDoor } from './filling.ts'

const OVERWRITES = 10_000_000
const KEYS = 1000
const KEPT = 10_000
const BATCH = 1000
const SAMPLES = 10

export const runFlat: RunCase = async ({ path, scale }) => {
  const total = Math.ceil(OVERWRITES * scale)
  const { open } = await loadStoreDoor()
  const store = await open(path, {
    encoding: 'bytes',
    sync: 'os',
    retain: { revisions: KEPT },
    checkpointBytes: 16 * 1024 * 1024,
  })
  const figures: Figure[] = []
  const sizes: number[] = []
  const begun = performance.now()
  for (let done = 0; done < total;) {
    const puts: Promise<unknown>[] = []
    for (let i = 0; i < BATCH; i++) puts.push(store.put(keyOf((done + i) % KEYS), VALUE))
    await Promise.all(puts)
    done += BATCH
    if (Math.floor((done * SAMPLES) / total) === sizes.length) continue
    const { sizeBytes, sizeInUseBytes } = await store.status()
    sizes.push(sizeBytes)
    const after = `after ${Math.round(done / 1000)} thousand`
    figures.push(
      { name: `data in use ${after}`, unit: 'MB', value: sizeInUseBytes / 1e6 },
      { name: `file ${after}`, unit: 'MB', value: (sizes.at(-1) ?? 0) / 1e6 },
    )
  }
  const seconds = (performance.now() - begun) / 1000
  await store.close()
  const growth = (sizes.at(-1) ?? 0) / (sizes[1] ?? Number.NaN)
  figures.push(
    { name: 'file at the end / after a fifth', unit: '×', value: growth, atMost: 1.1 },
    { name: 'resident memory', unit: 'MB', value: process.memoryUsage.rss() / 1e6 },
    { name: 'overwrites a second', unit: '/s', value: total / seconds },
  )
  return figures
}
