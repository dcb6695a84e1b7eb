/**
 * etcd's bugs of compaction, provoked here: see docs/etcd-bugs.md. What a compaction leaves at all
 * is judged by proptest/mvcc/compaction.test.ts.
 */

import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/index.ts'
import { encodeRevisionKey } from '../../mvcc/revision.ts'
import { put } from '../../store/op.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import { effort, seed } from '../effort.ts'
import { DB, Told, cutEverywhere, openStore, settled } from './bug-store.ts'

const CASES = effort({ smoke: 1, ci: 3, soak: 1000 })
const CUTS = effort({ smoke: 25, ci: 40, soak: 400 })

const randomOf = (bug: number, number: number): Random =>
  new Random((seed >>> 0) + bug * 1000 + number)

/** The events from a revision on, one line each, up to the newest revision. */
async function eventsFrom(store: BuiltLocalStore, startRevision: number): Promise<string[]> {
  const { revision: newest } = await store.status()
  const lines: string[] = []
  const watch = store.watch({ startRevision, progress: true })
  for await (const { events, revision } of watch) {
    for (const event of events) {
      if (event.type === 'put') lines.push(`${event.kv.modRevision} put ${event.kv.key}`)
      else lines.push(`${event.modRevision} delete ${event.key}`)
    }
    if (revision >= newest) break
  }
  return lines
}

/** A disk with a store of many keys, most of which are deleted: the last row is a delete. */
async function deletedStore(random: Random): Promise<MemoryDisk> {
  const disk = new MemoryDisk({ seed: random.u32() })
  const store = await openStore(disk)
  const keys = Array.from({ length: random.between(40, 120) }, (_, i) => `k${i}`)
  await Promise.all(keys.map((key) => store.put(key, '1')))
  await store.delete({ prefix: random.pick(['k', 'k1', 'k3']) })
  for (const key of random.shuffle(keys).slice(0, 10)) await store.delete(key)
  await store.close()
  return disk
}

/** Claims that nothing was taken back, and that the store goes on from there. */
async function claimRevision(image: MemoryDisk, told: Told): Promise<void> {
  for (let opening = 0; opening < 2; opening++) {
    const store = await openStore(image)
    const { revision } = await store.status()
    expect(revision).toBeGreaterThanOrEqual(told.revision)
    await settled(image)
    told.note((await store.put('next', '1')).revision)
    expect(told.revision).toBe(revision + 1)
    await store.close()
  }
}

test(`#17780 a crash in a compaction takes the revision back nowhere, seed ${seed}`, async () => {
  for (let i = 0; i < CASES; i++) {
    const random = randomOf(17780, i)
    const start = await deletedStore(random)
    const work = async (disk: MemoryDisk, told: Told): Promise<void> => {
      const store = await openStore(disk, { checkpointBytes: 2000 })
      const { revision } = await store.status()
      told.note(revision)
      await store.compact(revision, { physical: true })
      await store.close()
    }
    const judge = (image: MemoryDisk, { revision }: Told): Promise<void> => {
      const told = new Told()
      told.note(revision)
      return claimRevision(image, told)
    }
    await cutEverywhere({ start, random, cutsMax: CUTS, work, judge })
  }
})

/**
 * A store's file as etcd's own tools raise its revision: a row of no key at the new one, compacted
 * there. So the last row goes when the compaction is carried out.
 */
async function raised(random: Random, by: number): Promise<{ disk: MemoryDisk; to: number }> {
  const made = await deletedStore(random)
  const store = await openStore(made)
  const to = (await store.status()).revision + by
  await store.close()
  const engine = await openEngine(DB, { disk: made, readOnly: true })
  await engine.copyTo('/copy')
  await engine.close()
  const disk = new MemoryDisk({ seed: random.u32() })
  disk.writeFile(DB, made.readFile('/copy'))
  const file = await openEngine(DB, { disk })
  file.update((tx) => {
    tx.bucket('key')?.put(encodeRevisionKey(to, 0), new Uint8Array(0))
    tx.bucket('meta')?.put('scheduledCompactRev', encodeRevisionKey(to, 0))
  })
  await file.close()
  return { disk: disk.clone(), to }
}

test(`#17780 nor where the compaction removes the last row, seed ${seed}`, async () => {
  for (let i = 0; i < CASES; i++) {
    const random = randomOf(17781, i)
    const { disk: start, to } = await raised(random, random.between(1, 1000))
    const work = async (disk: MemoryDisk, told: Told): Promise<void> => {
      told.note(to)
      const store = await openStore(disk)
      expect((await store.status()).revision).toBe(to)
      await settled(disk)
      await store.close()
    }
    const judge = (image: MemoryDisk): Promise<void> => {
      const told = new Told()
      told.note(to)
      return claimRevision(image, told)
    }
    await cutEverywhere({ start, random, cutsMax: CUTS, work, judge })
  }
})

type Step = 'put a' | 'delete a' | 'put b' | 'delete b'

/** All histories of so many steps, each of which changes something. */
function historiesOf(length: number, exists: ReadonlySet<string> = new Set()): Step[][] {
  if (length === 0) return [[]]
  return (['put a', 'delete a', 'put b', 'delete b'] as const).flatMap((step) => {
    const [what, key] = step.split(' ') as [string, string]
    if (what === 'delete' && !exists.has(key)) return []
    const after = new Set(exists)
    if (what === 'put') after.add(key)
    else after.delete(key)
    return historiesOf(length - 1, after).map((rest) => [step, ...rest])
  })
}

test('#18089 a watch from the compacted revision sees the delete at it', async () => {
  let deletes = 0
  for (const history of historiesOf(effort({ smoke: 4, ci: 5, soak: 7 }))) {
    await using store = await openStore(new MemoryDisk({ isPlain: true }))
    for (const step of history) {
      const [what, key] = step.split(' ') as [string, string]
      if (what === 'put') await store.put(key, '1')
      else await store.delete(key)
    }
    const lines = history.map((step, i) => `${i + 2} ${step}`)
    for (let at = 2; at < history.length + 2; at++) {
      await store.compact(at, { physical: true })
      expect(await eventsFrom(store, at)).toEqual(lines.slice(at - 2))
      if (history[at - 2]?.startsWith('delete') === true) deletes++
    }
  }
  expect(deletes).toBeGreaterThan(10)
})

/** Keys, and a revision that deletes many of them at once, more than one step looks at. */
async function manyDeleted(random: Random): Promise<{ disk: MemoryDisk; at: number }> {
  const disk = new MemoryDisk({ seed: random.u32() })
  const store = await openStore(disk)
  const keys = Array.from({ length: random.between(150, 250) }, (_, i) => `k${i}`)
  for (let first = 0; first < keys.length; first += 100) {
    const some = keys.slice(first, first + 100)
    await store.txn({ success: some.map((key) => put(key, '1')) })
  }
  for (const key of keys) if (random.chance(0.2)) await store.delete(key)
  await store.put('other', '1')
  const { revision: at } = await store.delete({ prefix: 'k' })
  await store.put('k0', '2')
  await store.put('later', '1')
  await store.close()
  return { disk, at }
}

interface Left {
  readonly events: readonly string[]
  /** Rows of the file that are some key's. */
  readonly rows: number
}

/** What a compaction to `at` leaves, once it is carried out. */
async function leftAt(disk: MemoryDisk, at: number): Promise<Left | undefined> {
  const store = await openStore(disk)
  await settled(disk)
  const { revisionCount: rows, compactedRevision } = store.stats()
  // It was cut before it began.
  const left = compactedRevision < at ? undefined : { events: await eventsFrom(store, at), rows }
  await store.close()
  return left
}

test(`#19179 nor does a compaction that is resumed take it away, seed ${seed}`, async () => {
  let resumed = 0
  for (let i = 0; i < CASES; i++) {
    const random = randomOf(19179, i)
    const { disk: start, at } = await manyDeleted(random)
    const checkpointBytes = random.pick([1500, 1e6])
    const work = async (disk: MemoryDisk): Promise<void> => {
      const store = await openStore(disk, { checkpointBytes })
      await store.compact(at, { physical: true })
      await store.close()
    }
    const whole = start.clone()
    await work(whole)
    const wanted = await leftAt(whole, at)
    expect(wanted?.events.filter((line) => line.startsWith(`${at} delete`)).length).toBeGreaterThan(
      100,
    )
    const judge = async (image: MemoryDisk): Promise<void> => {
      const left = await leftAt(image, at)
      if (left === undefined) return
      expect(left).toEqual(wanted)
      resumed++
    }
    await cutEverywhere({ start, random, cutsMax: CUTS, work, judge })
  }
  expect(resumed).toBeGreaterThan(CASES * 10)
})
