/** Stores in files compared: what `diffBackups` tells is what the model's states differ in. */

import { expect, test } from 'vitest'
import { isKvError } from '../../base/errors.ts'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { diffBackupsOn } from '../../store/diff-backups.ts'
import { openOn } from '../../store/open.ts'
import type { DiffBackupsOptions, KeyChange } from '../../store/types/diff.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { Twins, all, differenceOf, plain } from './states.ts'

const RUNS = effort({ smoke: 8, ci: 120, soak: 5000 })

const met = { added: 0, changed: 0, removed: 0, strangers: 0 }

async function between(
  disk: MemoryDisk,
  places: readonly [string, string],
  options?: DiffBackupsOptions,
): Promise<readonly KeyChange[]> {
  const [before, after] = places
  return (await all(diffBackupsOn(disk, { before, after }, options))) as readonly KeyChange[]
}

async function oneRun(random: Random): Promise<void> {
  const disk = new MemoryDisk()
  const store = await openOn(disk, '/data', { checkpointBytes: random.pick([600, 1e6]) })
  const twins = new Twins(store, random)
  await twins.begin()
  for (let left = random.between(1, 40); left > 0; left--) await twins.write()
  const early = await twins.revision()
  await store.backup('/early.db', { trailer: random.chance(0.5) })
  for (let left = random.between(0, 30); left > 0; left--) await twins.write()
  const late = await twins.revision()
  const inBetween = random.between(early, late)
  await store.close()

  const [was, is] = [await twins.state(early), await twins.state(late)]
  const changes = await between(disk, ['/early.db', '/data'])
  expect(changes.map((change) => plain(change))).toEqual(differenceOf(was, is, 'revision'))
  for (const { kind } of changes) met[kind]++
  const back = await between(disk, ['/data', '/early.db'], { by: 'value' })
  expect(back.map((change) => plain(change))).toEqual(differenceOf(is, was, 'value'))
  const older = await between(disk, ['/data', '/data'], {
    beforeRevision: inBetween,
    afterRevision: early,
  })
  const expected = differenceOf(await twins.state(inBetween), was, 'revision')
  expect(older.map((change) => plain(change))).toEqual(expected)
  expect(await between(disk, ['/early.db', '/data'], { afterRevision: early })).toEqual([])

  // A store that never heard of this one, with the same keys at revisions of its own.
  const other = await openOn(disk, '/other')
  const strangers = new Twins(other, random)
  await strangers.begin()
  for (let left = random.between(1, 30); left > 0; left--) await strangers.write()
  const theirs = await strangers.state(await strangers.revision())
  await other.close()
  const apart = await between(disk, ['/data', '/other'])
  expect(apart.map((change) => plain(change))).toEqual(differenceOf(is, theirs, 'revision'))
  met.strangers += apart.length
}

test(`files compared tell what their states differ in, ${RUNS} runs, seed ${seed}`, async () => {
  const first = seed >>> 0
  for (let done = 0; !isEnough(done, RUNS, met); done++) {
    try {
      await oneRun(new Random(first + done))
    } catch (error) {
      throw new Error(`run of seed ${first + done}: ${String(error)}`, { cause: error })
    }
  }
  expect(unmet(met)).toEqual([])
})

const places = effort({ smoke: 40, ci: 600, soak: 20_000 })
test(`a damaged side is refused and never half told, ${places} places, seed ${seed}`, async () => {
  const random = new Random(seed >>> 0)
  const sound = new MemoryDisk()
  const store = await openOn(sound, '/data')
  for (let i = 0; i < 30; i++) await store.put(`k${i % 9}`, `v${i}`)
  await store.backup('/one.db')
  await store.put('k1', 'other')
  await store.backup('/two.db')
  await store.close()
  const size = sound.readFile('/two.db').length
  for (let i = 0; i < places; i++) {
    const disk = sound.clone()
    const path = random.pick(['/one.db', '/two.db'])
    const offset = random.below(Math.min(size, disk.readFile(path).length))
    disk.flipBit(path, offset, random.below(8))
    const found: unknown[] = []
    const refused = await (async (): Promise<unknown> => {
      for await (const change of diffBackupsOn(disk, { before: '/one.db', after: '/two.db' })) {
        found.push(change)
      }
      return 'nothing was refused'
    })().catch((error: unknown) => error)
    expect(isKvError(refused) && refused.code, `${path} at ${offset}`).toBe('KV_CORRUPT')
    expect(found).toEqual([])
  }
})

test('what is no store, is not there or is in use is told', async () => {
  const disk = new MemoryDisk()
  const store = await openOn(disk, '/data')
  await store.put('a', '1')
  await store.backup('/b.db')
  disk.writeFile('/text', Buffer.from('hello'))
  const refusal = async (path: string): Promise<unknown> =>
    await between(disk, ['/b.db', path]).catch((error: unknown) => error)
  expect(await refusal('/data')).toMatchObject({ code: 'KV_LOCKED' })
  expect(await refusal('/none')).toMatchObject({ code: 'KV_NOT_FOUND' })
  expect(await refusal('/text')).toMatchObject({ code: 'KV_BAD_FILE' })
  await store.close()
  expect(await refusal('/data/db')).toMatchObject({ code: 'KV_BAD_FILE' })
  const far = between(disk, ['/b.db', '/data'], { beforeRevision: 9 })
  await expect(far).rejects.toMatchObject({ code: 'KV_FUTURE_REVISION' })
  expect(() => diffBackupsOn(disk, { before: '/b.db', after: 5 })).toThrow(/^after: /)
  expect(() => diffBackupsOn(disk, { before: '/b.db', after: '/b.db' }, { from: 1 })).toThrow(
    'from: there is no such option',
  )
})
