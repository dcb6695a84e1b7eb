/** What an open store takes, and how long opening takes: of a million keys, and of none. */

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Figure, RunCase } from '../versioned-protocol.ts'
import { LoopGaps } from '../loop-gaps.ts'
import { fill, keyOf, loadStoreDoor } from './filling.ts'
import { inChild } from './in-child.ts'

const KEYS = 1_000_000
const MORE_REVISIONS = 3
/** So few that what pages take is nothing beside an index. */
const CACHE_BYTES = 64 * 1024

export const runMemory: RunCase = async ({ path, scale }) => {
  const count = Math.ceil(KEYS * scale)
  const keySize = keyOf(0).length
  const once = join(path, 'once')
  const often = join(path, 'often')
  await inChild('fill', { path: once, count, revisions: 1 })
  await inChild('fill', { path: often, count, revisions: 1 + MORE_REVISIONS })
  const one = await inChild('open', { path: once, count, revisions: 1 })
  const more = await inChild('open', { path: often, count, revisions: 1 + MORE_REVISIONS })
  const perKey = one.indexBytes / count - keySize
  const perRevision = (more.indexBytes - one.indexBytes) / (count * MORE_REVISIONS)
  const figures: Figure[] = [
    { name: 'index, a key beyond its bytes', unit: 'B', value: perKey, atMost: 60 },
    { name: 'index, each revision more', unit: 'B', value: perRevision, atMost: 16 },
    { name: `opening ${count} keys`, unit: 'ms', value: one.openMs, atMost: 1500 },
    { name: 'event loop while opening', unit: 'ms', value: one.loopMs, atMost: 20 },
    { name: `opening, ${1 + MORE_REVISIONS} revisions each`, unit: 'ms', value: more.openMs },
    { name: 'resident memory', unit: 'MB', value: one.residentBytes / 1e6, atMost: 600 },
    { name: 'resident, more revisions', unit: 'MB', value: more.residentBytes / 1e6 },
  ]
  return figures
}

export interface OpenMeasured {
  readonly openMs: number
  readonly loopMs: number
  readonly indexBytes: number
  readonly residentBytes: number
}

export interface OpenAsked {
  readonly path: string
  readonly count: number
  readonly revisions: number
}

/** In a process of its own: what heap and buffers grow by, less the pages that are cached. */
export async function measureOpening({ path, count }: OpenAsked): Promise<OpenMeasured> {
  const { open } = await loadStoreDoor()
  // Code and classes are there before anything is counted.
  await using first = await open(join(path, '..', 'first'), { encoding: 'bytes' })
  await first.put('k', new Uint8Array(1))
  const before = await used()
  const gaps = new LoopGaps()
  const begun = performance.now()
  const store = await open(path, { encoding: 'bytes' })
  const openMs = performance.now() - begun
  gaps.stop()
  const residentBytes = process.memoryUsage.rss()
  const loopMs = gaps.summarize(() => true).maxMs
  await store.close()
  // Again with few pages in memory.
  const small = await open(path, { encoding: 'bytes', cacheBytes: CACHE_BYTES })
  const { count: found } = await small.range({ countOnly: true })
  if (found !== count) throw new Error(`${path}: ${found} keys of ${count}`)
  const indexBytes = (await used()) - before
  await small.close()
  return { openMs, loopMs, indexBytes, residentBytes }
}

export async function fillAsked({ path, count, revisions }: OpenAsked): Promise<void> {
  await fill(path, count, revisions)
}

async function used(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await delay(20)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const OPENINGS = 20

export const runEmpty: RunCase = async ({ path }) => {
  const { open } = await loadStoreDoor()
  const times: number[] = []
  let creationMs = 0
  for (let i = 0; i < OPENINGS; i++) {
    const directory = join(path, `empty-${i}`)
    const begun = performance.now()
    await (await open(directory)).close()
    const made = performance.now()
    if (i === 0) creationMs = made - begun
    const store = await open(directory)
    times.push(performance.now() - made)
    await store.close()
  }
  const [first = Number.NaN, ...others] = times
  const diskBytes = bytesOnDisk(join(path, 'empty-0'))
  const figures: Figure[] = [
    { name: 'an empty store on disk', unit: 'MB', value: diskBytes / 1e6, atMost: 5 },
    { name: 'making one, the first of a process', unit: 'ms', value: creationMs },
    { name: 'opening it, the first time in a process', unit: 'ms', value: first, atMost: 20 },
    { name: 'opening it, later, the longest', unit: 'ms', value: Math.max(...others), atMost: 20 },
  ]
  return figures
}

/** What files take on the disk, not how long they are. */
function bytesOnDisk(directory: string): number {
  let bytes = 0
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).blocks * 512
  }
  return bytes
}
