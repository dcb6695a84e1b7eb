/**
 * etcd's bugs of entries and data that came apart in a crash, provoked here: see docs/etcd-bugs.md.
 * proptest/durability cuts the power over everything that a store does; these aim at one spot each.
 */

import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/index.ts'
import { importEtcdOn } from '../../store/etcd-import.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import { effort, seed } from '../effort.ts'
import { claimSound } from '../space/space-life.ts'
import { DATA, DB, Told, chronicle, cutEverywhere, openStore, writeTurns } from './bug-store.ts'

const CASES = effort({ smoke: 1, ci: 3, soak: 1000 })
const CUTS = effort({ smoke: 20, ci: 40, soak: 400 })

/** A generator of its own for each case and bug. */
const randomOf = (bug: number, number: number): Random =>
  new Random((seed >>> 0) + bug * 1000 + number)

/** Claims that a disk holds the beginning of what should be there, with all that was told of. */
async function claimBeginning(
  image: MemoryDisk,
  wanted: readonly string[],
  told: Told,
): Promise<void> {
  const store = await openStore(image)
  try {
    const found = await chronicle(store)
    expect(found.length - 1).toBeGreaterThanOrEqual(told.revision)
    expect(found).toEqual(wanted.slice(0, found.length))
    expect((await store.put('next', '1')).revision).toBe(found.length)
  } finally {
    await store.close()
  }
}

test(`#13766 no entry is skipped after a crash beside a checkpoint, seed ${seed}`, async () => {
  for (let i = 0; i < CASES; i++) {
    const random = randomOf(13766, i)
    const { seed: chance } = random
    const checkpointBytes = random.pick([300, 1500])
    const work = async (disk: MemoryDisk, told: Told): Promise<void> => {
      const store = await openStore(disk, { checkpointBytes })
      await writeTurns(store, { random: new Random(chance), turns: 8 }, told.note)
      await store.close()
    }
    const start = new MemoryDisk({ seed: chance })
    const whole = start.clone()
    await work(whole, new Told())
    const wanted = await readAll(whole)
    const judge = (image: MemoryDisk, told: Told): Promise<void> =>
      claimBeginning(image, wanted, told)
    expect(await cutEverywhere({ start, random, cutsMax: CUTS, work, judge })).toBeGreaterThan(10)
  }
})

async function readAll(disk: MemoryDisk): Promise<string[]> {
  const store = await openStore(disk.clone())
  const all = await chronicle(store)
  await store.close()
  return all
}

/** What somebody was shown, and what the power would have left at that moment. */
interface Shown {
  readonly what: string
  readonly image: MemoryDisk
  readonly revision: number
  readonly lease?: bigint
}

test(`#14370 what is acknowledged or shown is on the disk by then, seed ${seed}`, async () => {
  for (let i = 0; i < CASES; i++) {
    const random = randomOf(14370, i)
    const disk = new MemoryDisk({ seed: random.u32(), idleTurns: random.pick([0, 0.3]) })
    const store = await openStore(disk, { checkpointBytes: random.pick([1000, 1e6]) })
    const shown: Shown[] = []
    const show = (what: string, revision: number, lease?: bigint): void => {
      const image = disk.afterPowerLoss(random, 'nothing')
      shown.push({ what, image, revision, ...(lease === undefined ? {} : { lease }) })
    }
    const watching = watchAll(store, (revision) => show('a watch', revision))
    for (let turn = 0; turn < 6; turn++) {
      const writes = writeTurns(store, { random, turns: 1 }, (r) => show('a write', r))
      const reads = store.range({ limit: 1 }).then(({ revision }) => show('a read', revision))
      const txn = store.txn({ success: [] }).then(({ revision }) => show('a txn', revision))
      const grant = store.grant({ ttlSeconds: 100 }).then(({ id }) => show('a grant', 1, id))
      if (random.chance(0.5)) show('putSync', store.putSync('s', String(turn)).revision)
      await Promise.all([writes, reads, txn, grant])
    }
    const wanted = await chronicle(store)
    await store.close()
    await watching
    expect(new Set(shown.map(({ what }) => what)).size).toBeGreaterThan(4)
    for (const { what, image, revision, lease } of shown) {
      const found = await openStore(image)
      const lines = await chronicle(found)
      expect(lines.length - 1, what).toBeGreaterThanOrEqual(revision)
      expect(lines).toEqual(wanted.slice(0, lines.length))
      if (lease !== undefined) expect(await found.leases()).toContain(lease)
      await found.close()
    }
  }
})

async function watchAll(store: BuiltLocalStore, shows: (revision: number) => void): Promise<void> {
  for await (const { revision } of store.watch({ progress: true })) shows(revision)
}

/** A store whose pages a compaction has left half empty. */
async function thinned(disk: MemoryDisk, random: Random): Promise<void> {
  const store = await openStore(disk)
  const keys = Array.from({ length: 250 }, (_, i) => `k${i}`)
  await Promise.all(keys.map((key) => store.put(key, 'x'.repeat(random.below(300)))))
  const gone = keys.filter(() => random.chance(0.5))
  await Promise.all(gone.map((key) => store.delete(key)))
  await store.compact((await store.status()).revision, { physical: true })
  await store.close()
}

/** Opens a store, and defragments it while others write. */
async function defragmentBesideWrites(
  disk: MemoryDisk,
  told: Told,
  given: { readonly chance: number; readonly checkpointBytes: number },
): Promise<void> {
  const store = await openStore(disk, { checkpointBytes: given.checkpointBytes })
  told.note((await store.status()).revision)
  const random = new Random(given.chance)
  await Promise.all([store.defragment(), writeTurns(store, { random, turns: 6 }, told.note)])
  await store.close()
}

test(`#14685 a crash while pages are moved loses and repeats nothing, seed ${seed}`, async () => {
  for (let i = 0; i < CASES; i++) {
    const random = randomOf(14685, i)
    const start = new MemoryDisk({ seed: random.u32() })
    await thinned(start, random)
    const given = { chance: random.u32(), checkpointBytes: random.pick([2000, 1e6]) }
    const work = (disk: MemoryDisk, told: Told): Promise<void> =>
      defragmentBesideWrites(disk, told, given)
    const whole = start.clone()
    await work(whole, new Told())
    const wanted = await readAll(whole)
    const judge = (image: MemoryDisk, told: Told): Promise<void> =>
      claimBeginning(image, wanted, told)
    await cutEverywhere({ start, random, cutsMax: CUTS, work, judge })
  }
})

test(`bbolt #14211 #17084 no page is freed twice, whatever crash it follows, seed ${seed}`, async () => {
  for (let i = 0; i < CASES; i++) {
    const random = randomOf(14211, i)
    const start = new MemoryDisk({ seed: random.u32() })
    await thinned(start, random)
    const given = { chance: random.u32(), checkpointBytes: random.pick([2000, 20_000]) }
    const work = (disk: MemoryDisk, told: Told): Promise<void> =>
      defragmentBesideWrites(disk, told, given)
    // Whoever goes on frees and takes pages by what the file said was free.
    const judge = async (image: MemoryDisk): Promise<void> => {
      await defragmentBesideWrites(image, new Told(), given)
      await claimSound(image)
    }
    await cutEverywhere({ start, random, cutsMax: Math.ceil(CUTS / 4), work, judge })
  }
})

test(`bbolt #18096 #16596 #10722 after a power cut each page is what it says, seed ${seed}`, async () => {
  for (let i = 0; i < CASES; i++) {
    const random = randomOf(18096, i)
    const chance = random.u32()
    const work = async (disk: MemoryDisk, told: Told): Promise<void> => {
      // The file grows all the time: what a lost page leaves there is zeros.
      const store = await openStore(disk, { checkpointBytes: 8000 })
      for (let turn = 0; turn < 8; turn++) {
        const value = `${turn}`.repeat(new Random(chance + turn).between(1, 9000))
        told.note((await store.put(`k${turn}`, value)).revision)
      }
      await store.close()
    }
    const judge = async (image: MemoryDisk, told: Told): Promise<void> => {
      // Before both generations are there, nobody was told of anything.
      if (told.revision > 1) await claimSound(image)
      const store = await openStore(image)
      expect((await chronicle(store)).length - 1).toBeGreaterThanOrEqual(told.revision)
      await store.close()
      await claimSound(image)
    }
    const start = new MemoryDisk({ seed: chance })
    await cutEverywhere({ start, random, cutsMax: CUTS, work, judge })
  }
})

test(`#11613 what a crash has left under a temporary name is not gone on with, seed ${seed}`, async () => {
  for (let i = 0; i < CASES; i++) {
    const random = randomOf(11613, i)
    const disk = new MemoryDisk({ seed: random.u32() })
    const first = await openStore(disk)
    await writeTurns(first, { random, turns: 6 }, () => {})
    // What could be taken for a segment that was being made: whole, and of this very log.
    const segment = disk.list(`${DATA}/wal`).findLast((name) => name.endsWith('.wal'))
    const stale = disk.readFile(`${DATA}/wal/${segment}`)
    const wanted = await chronicle(first)
    await first.close()
    for (const name of ['0', '1', '2']) disk.writeFile(`${DATA}/wal/${name}.tmp`, stale)
    disk.writeFile(`${DATA}/db.importing`, disk.readFile(DB))
    disk.writeFile(`${DATA}/db.partial`, disk.readFile(DB))
    const store = await openStore(disk)
    expect(await chronicle(store)).toEqual(wanted)
    await writeTurns(store, { random, turns: 10 }, () => {})
    const after = await chronicle(store)
    await store.close()
    await claimSound(disk)
    expect(await readAll(disk)).toEqual(after)
    expect(after.slice(0, wanted.length)).toEqual(wanted)
  }
})

/** A disk with a file as etcd has it, and the stale half of another import. */
async function importable(random: Random): Promise<{ disk: MemoryDisk; wanted: string[] }> {
  const disk = new MemoryDisk({ seed: random.u32() })
  const store = await openStore(disk)
  await writeTurns(store, { random, turns: 12 }, () => {})
  await store.close()
  const wanted = await readAll(disk)
  const engine = await openEngine(DB, { disk, readOnly: true })
  await engine.copyTo('/source')
  await engine.close()
  const clean = new MemoryDisk({ seed: random.u32() })
  clean.writeFile('/source', disk.readFile('/source'))
  const other = await openEngine('/other', { disk })
  other.update((tx) => tx.createBucket('leftover').put('k', 'v'))
  await other.close()
  clean.writeFile(`${DATA}/db.importing`, disk.readFile('/other'))
  clean.writeFile(`${DATA}/db.importing.partial`, disk.readFile('/other'))
  return { disk: clean, wanted }
}

test(`#11613 an import that was cut short leaves the next one nothing, seed ${seed}`, async () => {
  const places = { source: '/source', directory: DATA }
  for (let i = 0; i < CASES; i++) {
    const random = randomOf(11614, i)
    const { disk: start, wanted } = await importable(random)
    const work = async (disk: MemoryDisk): Promise<void> => {
      await importEtcdOn(disk, places)
    }
    const judge = async (image: MemoryDisk): Promise<void> => {
      // There is a whole store, or none.
      if (!image.exists(DB)) await importEtcdOn(image, places)
      expect(await readAll(image)).toEqual(wanted)
      const engine = await openEngine(DB, { disk: image, readOnly: true })
      expect(engine.view((tx) => tx.bucket('leftover'))).toBeUndefined()
      expect(engine.check().findings).toEqual([])
      await engine.close()
    }
    await cutEverywhere({ start, random, cutsMax: CUTS, work, judge })
  }
})
