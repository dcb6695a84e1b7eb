/** What other work in the process notices of long jobs: reads, and the event loop. */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type * as realDiskModule from '../../disk/real-disk.ts'
import type * as openModule from '../../store/open.ts'
import { Latencies } from '../latency-summary.ts'
import { loadBuilt } from '../library.ts'
import { LoopGaps } from '../loop-gaps.ts'
import type { Figure, RunCase } from '../versioned-protocol.ts'
import type { BytesStore } from './filling.ts'
import { VALUE, fill, keyOf, loadStoreDoor, putAll } from './filling.ts'
import { JumpingClock } from './jumping-clock.ts'

const KEYS = 1_000_000
const LEASES = 100_000
const LEASE_SECONDS = 3600
const READ_EVERY_MS = 1
const LOOP_MS_MAX = 20
const READ_MS_MAX = 5
const COMPACTED_REVISIONS = 1_000_000

interface Noticed {
  readonly readP99Ms: number
  readonly loopMs: number
}

/** Runs a job while a key is read every millisecond. */
async function besideReads(store: BytesStore, job: () => Promise<void>): Promise<Noticed> {
  const key = keyOf(0)
  const reads = new Latencies()
  const gaps = new LoopGaps()
  const pending = new Set<Promise<unknown>>()
  const read = async (): Promise<void> => {
    const begun = performance.now()
    await store.get(key)
    reads.note((performance.now() - begun) * 1000)
  }
  const timer = setInterval(() => {
    const reading = read()
    pending.add(reading)
    void reading.finally(() => pending.delete(reading))
  }, READ_EVERY_MS)
  try {
    await job()
  } finally {
    clearInterval(timer)
  }
  await Promise.all(pending)
  gaps.stop()
  return {
    readP99Ms: reads.summarize().p99Us / 1000,
    loopMs: gaps.summarize(() => true).maxMs,
  }
}

function figuresOf(name: string, { readP99Ms, loopMs }: Noticed): Figure[] {
  return [
    { name: `${name}: get, p99`, unit: 'ms', value: readP99Ms, atMost: READ_MS_MAX },
    { name: `${name}: event loop`, unit: 'ms', value: loopMs, atMost: LOOP_MS_MAX },
  ]
}

export const runLoop: RunCase = async ({ path, scale }) => {
  const count = Math.ceil(KEYS * scale)
  const { open } = await loadStoreDoor()
  const figures: Figure[] = []
  const idle = new LoopGaps()
  await delay(3000)
  idle.stop()
  figures.push({ name: 'nothing: event loop', unit: 'ms', value: idle.summarize(() => true).maxMs })
  const store = await open(join(path, 'bulk'), { encoding: 'bytes' })
  await store.put(keyOf(0), VALUE)
  await putAll(store, 20_000)
  figures.push(...figuresOf('a bulk write', await besideReads(store, () => putAll(store, count))))
  const many = Math.ceil(COMPACTED_REVISIONS * scale)
  await putAll(store, many)
  const { revision } = await store.status()
  const compacting = await besideReads(store, async () => {
    await store.compact(revision, { physical: true })
  })
  figures.push(...figuresOf(`compaction of ${many} revisions`, compacting))
  await store.close()
  await fill(join(path, 'large'), count, 1)
  const gaps = new LoopGaps()
  const large = await open(join(path, 'large'), { encoding: 'bytes' })
  gaps.stop()
  const loopMs = gaps.summarize(() => true).maxMs
  figures.push({ name: 'opening: event loop', unit: 'ms', value: loopMs, atMost: LOOP_MS_MAX })
  await large.close()
  return figures
}

/** A hundred thousand leases, each with a key, that all end at once. */
export const runLeases: RunCase = async ({ path, scale }) => {
  const count = Math.ceil(LEASES * scale)
  const { open } = await loadStoreDoor()
  const store = await open(path, { encoding: 'bytes' })
  const ids: bigint[] = []
  for (let i = 0; i < count;) {
    const grants = []
    for (const end = Math.min(count, i + 1000); i < end; i++) {
      grants.push(store.grant({ ttlSeconds: LEASE_SECONDS }))
    }
    ids.push(...(await Promise.all(grants)).map(({ id }) => id))
  }
  for (let i = 0; i < count;) {
    const puts = []
    for (const end = Math.min(count, i + 1000); i < end; i++) {
      puts.push(store.put(keyOf(i), VALUE, { lease: ids[i] ?? 0n }))
    }
    await Promise.all(puts)
  }
  await store.close()
  return await expireAll(path, count)
}

/** Time that passes at once: all leases are due together. */
async function expireAll(path: string, count: number): Promise<readonly Figure[]> {
  const { openOn } = await loadBuilt<typeof openModule>('store/open.js')
  const { RealDisk } = await loadBuilt<typeof realDiskModule>('disk/real-disk.js')
  const clock = new JumpingClock()
  const options = { encoding: 'bytes' } as const
  const store = await openOn(new RealDisk(), path, options, { clock })
  await delay(500)
  const begun = performance.now()
  const noticed = await besideReads(store, async () => {
    clock.jump(2000 * LEASE_SECONDS)
    while ((await store.range({ countOnly: true })).count > 0) await delay(20)
  })
  const seconds = (performance.now() - begun) / 1000
  await store.close()
  return [
    ...figuresOf(`${count} leases due at once`, noticed),
    { name: 'until all their keys are gone', unit: 's', value: seconds },
  ]
}
