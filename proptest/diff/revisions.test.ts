/** A store compared with itself: what `diff` tells is what the model's states differ in. */

import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openOn } from '../../store/open.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { Twins, all, applied, differenceOf, keysOf, plain } from './states.ts'

const RUNS = effort({ smoke: 25, ci: 400, soak: 20_000 })
const PAIRS = 8

/** What the comparisons have met; without each of them they prove little. */
const met = { added: 0, changed: 0, removed: 0, madeAgain: 0, sameValue: 0, backwards: 0, empty: 0 }

async function oneRun(runSeed: number): Promise<void> {
  const random = new Random(runSeed)
  const disk = new MemoryDisk()
  await using store = await openOn(disk, '/data', { checkpointBytes: random.pick([600, 1e6]) })
  const twins = new Twins(store, random)
  await twins.begin()
  for (let left = random.between(1, 60); left > 0; left--) await twins.write()
  const newest = await twins.revision()
  const oldest = random.chance(0.4) ? random.between(1, newest) : 1
  if (oldest > 1) await twins.compact(oldest)
  for (let left = PAIRS; left > 0; left--) {
    await onePair(twins, {
      from: random.between(oldest, newest),
      to: random.between(oldest, newest),
    })
  }
}

async function onePair(
  twins: Twins,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<void> {
  const { store } = twins
  const [was, is] = [await twins.state(from), await twins.state(to)]
  const changes = await all(store.diff({ from, to }))
  expect(changes.map((change) => plain(change))).toEqual(differenceOf(was, is, 'revision'))
  expect(keysOf(applied(was, changes))).toEqual(keysOf(is))
  if (from > to) met.backwards++
  if (changes.length === 0) met.empty++
  const byValue = await all(store.diff({ from, to, by: 'value' }))
  expect(byValue.map((change) => plain(change))).toEqual(differenceOf(was, is, 'value'))
  if (byValue.length < changes.length) met.sameValue++
  const mirrored = (await all(store.diff({ from: to, to: from }))).map(
    ({ key, before, after }) => ({
      key,
      before: after?.modRevision,
      after: before?.modRevision,
    }),
  )
  expect(mirrored).toEqual(
    changes.map(({ key, before, after }) => ({
      key,
      before: before?.modRevision,
      after: after?.modRevision,
    })),
  )
  const within = await all(store.diff({ from, to, prefix: 'a', keysOnly: true }))
  expect(within.map(({ key }) => key)).toEqual(
    changes.map(({ key }) => key).filter((key) => key.startsWith('a')),
  )
  for (const { kind, before, after } of changes) {
    met[kind]++
    if (kind === 'changed' && before.createRevision !== after.createRevision) met.madeAgain++
  }
}

test(`diff tells what the states of two revisions differ in, ${RUNS} runs, seed ${seed}`, async () => {
  const first = seed >>> 0
  for (let done = 0; !isEnough(done, RUNS, met); done++) {
    try {
      await oneRun(first + done)
    } catch (error) {
      throw new Error(`run of seed ${first + done}: ${String(error)}`, { cause: error })
    }
  }
  expect(unmet(met)).toEqual([])
})

test('a comparison under way while others write stays at its revisions', async () => {
  const random = new Random(seed >>> 0)
  await using store = await openOn(new MemoryDisk(), '/data')
  const twins = new Twins(store, random)
  await twins.begin()
  for (let i = 0; i < 40; i++) await twins.write()
  const from = 2
  const to = await twins.revision()
  const expected = differenceOf(await twins.state(from), await twins.state(to), 'revision')
  const found = []
  for await (const change of store.diff({ from })) {
    found.push(plain(change))
    await twins.write()
  }
  expect(found).toEqual(expected)
})

test('a compaction past a revision ends a comparison, and not one in a snapshot', async () => {
  await using store = await openOn(new MemoryDisk(), '/data')
  for (let i = 0; i < 6; i++) await store.put(`k${i}`, 'old')
  for (let i = 0; i < 6; i++) await store.put(`k${i}`, 'new')
  await using snapshot = store.snapshot()
  const held = snapshot.diff({ from: 7 })[Symbol.asyncIterator]()
  const loose = store.diff({ from: 7 })[Symbol.asyncIterator]()
  expect((await held.next()).value).toMatchObject({ kind: 'changed', key: 'k0' })
  expect((await loose.next()).value).toMatchObject({ kind: 'changed', key: 'k0' })
  await store.compact(10, { physical: true })
  await expect(loose.next()).rejects.toMatchObject({ code: 'KV_COMPACTED' })
  expect(await loose.next()).toEqual({ done: true, value: undefined })
  for (let i = 1; i < 6; i++) {
    const { value } = await held.next()
    expect(value).toMatchObject({ key: `k${i}`, before: { value: 'old' }, after: { value: 'new' } })
  }
  expect(await held.next()).toEqual({ done: true, value: undefined })
})
