/**
 * etcd's bugs of watches, provoked here: see docs/etcd-bugs.md. Each history is made of what led to
 * its bug, and is judged by all that a watch promises (proptest/validate); proptest/watch has
 * histories of everything.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { del, get, put, range, txnOp } from '../../store/op.ts'
import type { Op } from '../../store/types/txn.ts'
import { effort, seed } from '../effort.ts'
import { Run } from '../watch/history.ts'
import type { Command } from '../watch/history.ts'
import { WatchedStore, settle } from '../watch/watched-store.ts'
import { openStore } from './bug-store.ts'

const RUNS = effort({ smoke: 60, ci: 300, soak: 50_000 })
/** Fewer runs may miss a kind of case by chance. */
const IS_LONG = RUNS >= 50

type Watching = Command & { readonly do: 'watch' }

/** A watcher of every key; `at`: where it starts, as a share of the revisions there are. */
function watching(given: Partial<Omit<Watching, 'do'>>): Command {
  const plain = { at: undefined, only: undefined, wantsPrevious: false, wantsProgress: false }
  return { do: 'watch', range: { from: '' }, ...plain, ...given }
}

const key = fc.constantFrom('a', 'b', 'c')
const value = fc.constantFrom('x', 'x'.repeat(90))
const write: fc.Arbitrary<Command> = fc
  .uniqueArray(fc.record({ type: fc.constant('put' as const), key, value }), {
    minLength: 1,
    selector: (change) => change.key,
  })
  .map((changes) => ({ do: 'write', changes }))
const publish: fc.Arbitrary<Command> = fc.nat(2).map((behind) => ({ do: 'publish', behind }))
const turn: fc.Arbitrary<Command> = fc.constant({ do: 'turn' })
const take: fc.Arbitrary<Command> = fc.record({
  do: fc.constant('take' as const),
  which: fc.nat(2),
  times: fc.integer({ min: 1, max: 4 }),
})
/** Revisions come and become durable, and readers read when they like. */
const busy = [
  { weight: 5, arbitrary: write },
  { weight: 5, arbitrary: publish },
  { weight: 4, arbitrary: turn },
  { weight: 3, arbitrary: take },
] as const

/** Steps of all that goes on, with some more of one kind. */
function among(weight: number, some: fc.Arbitrary<Command>): fc.Arbitrary<Command[]> {
  return fc.array(fc.oneof(...busy, { weight, arbitrary: some }), { maxLength: 60, size: 'max' })
}

/** Little room everywhere, so that a revision takes several steps and a queue is soon full. */
const CRAMPED = { queueBytesMax: 300, progressRevisions: 1, room: { rows: 2, bytes: 200 } }

/** Runs a history to its end, where it is judged. */
async function live(commands: readonly Command[]): Promise<Run> {
  const run = new Run(await WatchedStore.open(CRAMPED))
  for (const each of commands) await run.apply(each)
  await run.finish()
  await run.store.close()
  return run
}

test(`#15220 progress is never ahead of events that are not delivered, seed ${seed}`, async () => {
  const watches = fc.record({ from: key }).map((from) => {
    return watching({ range: from, at: 0, wantsProgress: true })
  })
  let told = 0
  const property = fc.asyncProperty(among(2, watches), async (steps) => {
    // One that hardly anything is for: what it hears is progress.
    const first = watching({ range: { from: 'c' }, wantsProgress: true })
    const { consumers } = await live([first, watching({ wantsProgress: true }), ...steps])
    for (const { batches } of consumers) {
      for (const [i, { events, revision }] of batches.entries()) {
        if (events.length === 0) told++
        const later = batches.slice(i + 1).flatMap((batch) => batch.events)
        expect(later.filter((event) => event.revision <= revision)).toEqual([])
      }
    }
  })
  await fc.assert(property, { numRuns: RUNS, seed })
  if (IS_LONG) expect(told).toBeGreaterThan(RUNS / 2)
})

test(`#15271 a watcher that was left behind is sent nothing again, seed ${seed}`, async () => {
  let cameBack = 0
  const property = fc.asyncProperty(among(0, turn), async (steps) => {
    const run = new Run(await WatchedStore.open(CRAMPED))
    for (const each of [watching({}), watching({ at: 0 })]) await run.apply(each)
    for (const each of steps) {
      const { slow } = run.store.hub.counts
      await run.apply(each)
      cameBack += Math.max(0, slow - run.store.hub.counts.slow)
    }
    await run.finish()
    for (const { batches } of run.consumers) {
      const revisions = batches.flatMap(({ events }) => events.map((e) => `${e.revision}.${e.sub}`))
      expect(new Set(revisions).size).toBe(revisions.length)
    }
    await run.store.close()
  })
  await fc.assert(property, { numRuns: RUNS, seed })
  if (IS_LONG) expect(cameBack).toBeGreaterThan(0)
})

test(`#15271 nor is one that resumes after a crash, seed ${seed}`, async () => {
  const random = new Random((seed >>> 0) + 2)
  for (let i = effort({ smoke: 10, ci: 100, soak: 5000 }); i > 0; i--) {
    let disk = new MemoryDisk({ seed: random.u32() })
    const seen: number[] = []
    let startRevision = 2
    for (let life = 0; life < 4; life++) {
      const store = await openStore(disk, {}, { watch: { room: { rows: 2, bytes: 100 } } })
      const watch = store.watch({ startRevision })
      const reading = (async () => {
        let left = random.between(1, 12)
        for await (const { events, revision } of watch) {
          for (const event of events) if (event.type === 'put') seen.push(event.kv.modRevision)
          startRevision = revision + 1
          if (--left === 0) return
        }
      })()
      const calls = Array.from({ length: random.between(1, 30) }, () => store.put('a', 'x'))
      const told = await Promise.all(calls)
      if (random.chance(0.5)) await settle()
      const image = disk.afterPowerLoss(random, 'nothing')
      await store.close()
      await reading
      // What was delivered is durable; so is what was acknowledged, and the rest is still to come.
      disk = random.chance(0.5) ? image : disk
      expect(startRevision).toBeLessThanOrEqual((told.at(-1)?.revision ?? 0) + 1)
    }
    expect(seen).toEqual(Array.from({ length: startRevision - 2 }, (_, n) => n + 2))
  }
})

test(`#17529 a starved watcher is told of what was compacted, seed ${seed}`, async () => {
  const compact = fc
    .double({ min: 0.3, max: 1, noNaN: true })
    .map((at): Command => ({ do: 'compact', at }))
  let overtaken = 0
  const property = fc.asyncProperty(among(2, compact), async (steps) => {
    const run = await live([watching({}), watching({ at: 0 }), ...steps])
    // `finish` has judged: whoever has a gap in front of it ended there, by name.
    for (const { compactedAt } of run.consumers) if (compactedAt !== undefined) overtaken++
  })
  await fc.assert(property, { numRuns: RUNS, seed })
  if (IS_LONG) expect(overtaken).toBeGreaterThan(0)
})

test(`#20221 a watch from a future revision is told nothing older, seed ${seed}`, async () => {
  const ahead = fc.boolean().map((wantsProgress) => watching({ at: 1.5, wantsProgress }))
  let early = 0
  const property = fc.asyncProperty(among(2, ahead), async (steps) => {
    // Some revisions, so that half as many again is a future.
    const before = Array.from({ length: 10 }, (): Command => {
      return { do: 'write', changes: [{ type: 'put', key: 'a', value: 'x' }] }
    })
    const { consumers } = await live([...before, ...steps])
    for (const { batches, start, watcher } of consumers) {
      expect(watcher.request.startRevision).toBe(start)
      if (start > 12) early++
      for (const { events, revision } of batches) {
        expect(revision).toBeGreaterThanOrEqual(start)
        expect(events.every((event) => event.revision >= start)).toBe(true)
      }
    }
  })
  await fc.assert(property, { numRuns: RUNS, seed })
  if (IS_LONG) expect(early).toBeGreaterThan(RUNS / 2)
})

const NAMES = ['a', 'b', 'c', 'd'] as const

/** Operations of one transaction, which write each key at most once, and nested ones. */
function opsOf(random: Random): Op<string>[] {
  const ops: Op<string>[] = [get('a'), range({ prefix: '' })]
  for (const name of NAMES) {
    const draw = random.below(10)
    if (draw < 4) ops.push(put(name, `${draw}`))
    else if (draw < 7) ops.push(del(name))
    if (random.chance(0.2)) ops.push(get(name))
  }
  return random.shuffle(ops)
}

test(`#17247 a transaction's events come once each, seed ${seed}`, async () => {
  const random = new Random(seed >>> 0)
  for (let i = effort({ smoke: 10, ci: 100, soak: 5000 }); i > 0; i--) {
    const disk = new MemoryDisk({ seed: random.u32() })
    const store = await openStore(disk, {}, { watch: { room: { rows: 2, bytes: 100 } } })
    const live = [store.watch({ previous: true }), store.watch()]
    for (let turns = random.between(2, 12); turns > 0; turns--) {
      const calls = Array.from({ length: random.between(1, 3) }, () => {
        const ops = opsOf(random)
        const success = random.chance(0.3) ? [txnOp({ success: ops })] : ops
        return store.txn({ success })
      })
      await Promise.all(calls)
    }
    const { revision } = await store.status()
    // What changed is what tells two neighbouring revisions apart, or is put again.
    const wanted: string[] = []
    for (let at = 2; at <= revision; at++) {
      const before = await store.range({ revision: at - 1 })
      const after = await store.range({ revision: at })
      const puts = after.kvs.filter((kv) => kv.modRevision === at).map((kv) => `put ${kv.key}`)
      const kept = new Set(after.kvs.map((kv) => kv.key))
      const gone = before.kvs.filter((kv) => !kept.has(kv.key)).map((kv) => `delete ${kv.key}`)
      wanted.push(...[...puts, ...gone].sort().map((line) => `${at} ${line}`))
    }
    const late = store.watch({ startRevision: 2 })
    for (const watch of [...live, late]) {
      const seen: string[] = []
      if (wanted.length === 0) break
      for await (const { events, revision: through } of watch) {
        for (const event of events) {
          if (event.type === 'put') seen.push(`${event.kv.modRevision} put ${event.kv.key}`)
          else seen.push(`${event.modRevision} delete ${event.key}`)
        }
        if (through >= revision) break
      }
      const inOrder = (a: string, b: string): number =>
        Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1)
      expect(seen.toSorted(inOrder)).toEqual(wanted)
    }
    await store.close()
  }
})

test(`#11496 a watch from now on begins with the next revision, seed ${seed}`, async () => {
  const random = new Random((seed >>> 0) + 1)
  for (let i = effort({ smoke: 10, ci: 100, soak: 5000 }); i > 0; i--) {
    const store = await openStore(new MemoryDisk({ seed: random.u32(), idleTurns: 0.3 }))
    const calls: Promise<unknown>[] = []
    const taken: Promise<{ first: number; shown: number; after: number }>[] = []
    for (let turns = random.between(5, 20); turns > 0; turns--) {
      calls.push(store.put('a', String(turns)))
      if (random.chance(0.5)) await settle()
      if (random.chance(0.6)) continue
      // A view shows what anyone can see at this moment.
      const view = store.view()
      const shown = view.revision
      view.close()
      const watch = store.watch()
      const next = store.put('a', 'next')
      calls.push(next)
      taken.push(
        (async () => {
          const [{ value: batch }, { revision: after }] = await Promise.all([
            watch[Symbol.asyncIterator]().next(),
            next,
          ])
          const [event] = batch?.events ?? []
          const first = event?.type === 'put' ? event.kv.modRevision : 0
          await watch.cancel()
          return { first, shown, after }
        })(),
      )
    }
    await Promise.all(calls)
    for (const { first, shown, after } of await Promise.all(taken)) {
      expect(first).toBe(shown + 1)
      expect(after).toBeGreaterThanOrEqual(first)
    }
    await store.close()
  }
})
