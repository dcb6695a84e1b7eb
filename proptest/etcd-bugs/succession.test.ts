/**
 * etcd's bugs of long jobs that met each other, or an open handle, provoked here: see
 * docs/etcd-bugs.md. proptest/space compacts, defragments and reads in any order.
 */

import { expect, test } from 'vitest'
import { isKvError } from '../../base/errors.ts'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/index.ts'
import { importEtcdOn } from '../../store/etcd-import.ts'
import { nextTurn } from '../../store/pause.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import { History, nextWrite, stateFault } from '../durability/history.ts'
import { effort, seed } from '../effort.ts'
import { claimSound } from '../space/space-life.ts'
import { DATA, DB, openStore } from './bug-store.ts'

const CASES = effort({ smoke: 4, ci: 24, soak: 3000 })
/** So little that what a view reads is read from the file. */
const SPARING = { cacheBytes: 100_000 }

/** A store that has many half empty pages, and writes to be made in order. */
class World {
  readonly random: Random
  readonly disk: MemoryDisk
  readonly history = new History()
  store!: BuiltLocalStore

  constructor(number: number) {
    this.random = new Random((seed >>> 0) + number)
    this.disk = new MemoryDisk({ seed: this.random.u32() })
  }

  async begin(): Promise<void> {
    const checkpointBytes = this.random.pick([3000, 1e6])
    this.store = await openStore(this.disk, { ...SPARING, checkpointBytes })
    const value = 'x'.repeat(this.random.between(100, 400))
    const keys = Array.from({ length: 200 }, (_, i) => `f${i}`)
    await Promise.all(keys.map((key) => this.put(key, value)))
    const gone = keys.filter(() => this.random.chance(0.6))
    await Promise.all(gone.map((key) => this.delete(key)))
  }

  async put(key: string, value: string): Promise<void> {
    this.history.add((state) => Boolean(state.set(key, value)))
    await this.store.put(key, value)
  }

  async delete(key: string): Promise<void> {
    this.history.add((state) => state.delete(key))
    await this.store.delete(key)
  }

  async write(): Promise<void> {
    const { apply, call } = nextWrite(this.random)
    this.history.add(apply)
    await call(this.store)
  }
}

/** Claims that each revision that can be read is what the writes up to it come to. */
async function check({ store, history }: World): Promise<void> {
  const { revision, compactedRevision = 0 } = await store.status()
  expect(revision).toBe(history.revision)
  for (let at = Math.max(1, compactedRevision, revision - 20); at <= revision; at++) {
    expect(await stateFault(store, history, at)).toBeUndefined()
  }
}

/** What a job came to: done, or refused for a reason that is no fault. */
async function outcomeOf(job: Promise<unknown>): Promise<string> {
  return await job.then(
    () => 'done',
    (error: unknown) => (isKvError(error) ? error.code : String(error)),
  )
}

test(`#18055 long jobs in quick succession all come to their end, seed ${seed}`, async () => {
  for (let i = 0; i < CASES; i++) {
    const world = new World(18055 + i)
    await world.begin()
    const { random, store } = world
    const isCutShort = random.chance(0.4)
    const jobs: Promise<string>[] = []
    let compactTo = store.stats().revision - 5
    for (let count = random.between(3, 8); count > 0; count--) {
      const kind = random.below(4)
      if (kind < 2) jobs.push(outcomeOf(store.defragment()))
      else if (kind === 2) jobs.push(outcomeOf(store.compact(compactTo++, { physical: true })))
      else jobs.push(outcomeOf(store.hashKV()))
      if (random.chance(0.5)) jobs.push(outcomeOf(world.write()))
      if (random.chance(0.3)) await nextTurn()
    }
    if (isCutShort) await store.close()
    const outcomes = await Promise.all(jobs)
    const fine = isCutShort ? ['done', 'KV_CLOSED'] : ['done']
    expect(outcomes.filter((outcome) => !fine.includes(outcome))).toEqual([])
    if (!isCutShort) await check(world)
    await store.close()
    await claimSound(world.disk)
    world.store = await openStore(world.disk, SPARING)
    await check(world)
    await world.store.close()
  }
})

test(`#20271 handles opened before pages move show what they showed, seed ${seed}`, async () => {
  for (let i = 0; i < CASES; i++) {
    const world = new World(20271 + i)
    await world.begin()
    const { random, store, history } = world
    const view = store.view()
    const snapshot = store.snapshot()
    const wanted = new Map(history.states.at(-1))
    const scan = view.scan({ prefix: '' })[Symbol.iterator]()
    const scanned = new Map<string, string>()
    const read = (count: number): void => {
      for (let left = count; left > 0; left--) {
        const { done, value } = scan.next()
        if (done === true) return
        scanned.set(value.key, value.value)
      }
    }
    read(random.below(40))
    const late = store.watch({ startRevision: 2 })
    const moving = outcomeOf(store.defragment())
    for (let turns = random.between(5, 30); turns > 0; turns--) {
      await world.write()
      read(random.below(4))
    }
    // Another process can't put a file of its own under the one that is open.
    expect(await outcomeOf(importOver(world.disk))).toMatch(/^KV_(EXISTS|LOCKED)$/)
    expect(await moving).toBe('done')
    const shown = view.range({ limit: Infinity }).kvs
    read(Infinity)
    const taken = (await snapshot.range({ limit: Infinity })).kvs
    for (const kvs of [shown, taken]) {
      expect(new Map(kvs.map(({ key, value }) => [key, value]))).toEqual(wanted)
    }
    expect(scanned).toEqual(wanted)
    let next = 2
    for await (const { events, revision } of late) {
      for (const event of events) {
        const at = event.type === 'put' ? event.kv.modRevision : event.modRevision
        expect(at === next || at === next - 1).toBe(true)
        next = at + 1
      }
      if (revision >= history.revision) break
    }
    expect(next).toBe(history.revision + 1)
    view.close()
    await snapshot.close()
    await check(world)
    await store.close()
    await claimSound(world.disk)
  }
})

async function importOver(disk: MemoryDisk): Promise<void> {
  if (!disk.exists('/source')) {
    const other = new MemoryDisk()
    const made = await openStore(other)
    await made.put('foreign', '1')
    await made.close()
    const engine = await openEngine(DB, { disk: other, readOnly: true })
    await engine.copyTo('/source')
    await engine.close()
    disk.writeFile('/source', other.readFile('/source'))
  }
  await importEtcdOn(disk, { source: '/source', directory: DATA })
}
