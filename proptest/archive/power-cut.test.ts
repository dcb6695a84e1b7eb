/** Power cuts: while an archive is kept, and while a moment of it is gone back to. */

import { describe, expect, test } from 'vitest'
import { isKvError } from '../../base/errors.ts'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { PowerLossMode } from '../../disk/power-loss.ts'
import { readBases } from '../../snapshot/archive-files.ts'
import { openOn } from '../../store/open.ts'
import { restoreToOn } from '../../store/restore-to.ts'
import { rollbackOn } from '../../store/rollback.ts'
import { History } from '../durability/history.ts'
import {
  DATA,
  DB_PATH,
  LifeError,
  claim,
  live,
  look,
  openForm,
  untilPowerCut,
} from '../durability/life.ts'
import type { Form } from '../durability/life.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { ARCHIVE, archivedForm, claimHistory, claimRestored, liveThrough } from './archived-life.ts'

const MODES: readonly PowerLossMode[] = ['nothing', 'everything', 'torn', 'random']

async function named(where: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    throw new LifeError(`${where}: ${String(error)}`, { cause: error })
  }
}

/** Operations to cut at: all of them, or so many. */
function cutsOf(count: number, most: number, random: Random): number[] {
  const cuts = Array.from({ length: count }, (_, i) => i + 1)
  if (cuts.length > most) random.shuffle(cuts).length = most
  return cuts
}

describe('while an archive is kept', () => {
  test('every moment of it can be gone back to, wherever the power is cut', async () => {
    const tally = { images: 0, archived: 0, rebased: 0, unborn: 0, restored: 0 }
    const cases = effort({ smoke: 120, ci: 2000, soak: 50_000 })
    for (let at = seed >>> 0; !isEnough(tally.images, cases, tally); at++) {
      await named(`seed ${at}`, () => cutLife(at, tally))
    }
    expect(unmet(tally)).toEqual([])
  })
})

type LifeTally = Record<'images' | 'archived' | 'rebased' | 'unborn' | 'restored', number>

async function cutLife(at: number, tally: LifeTally): Promise<void> {
  const form = archivedForm(at)
  const random = new Random(at + 1)
  const run = async (disk: MemoryDisk, history: History): Promise<void> => {
    const lives = new Random(at)
    await live(disk, history, { form, random: lives, isLast: false })
    await live(disk, history, { form, random: lives, isLast: true })
  }
  const whole = new MemoryDisk({ seed: at })
  await run(whole, new History())
  for (const cut of cutsOf(whole.operationCount, 12, random)) {
    const disk = new MemoryDisk({ seed: at })
    disk.cutPowerAt(cut)
    const history = new History()
    await untilPowerCut(() => run(disk, history))
    for (const mode of MODES) {
      const image = disk.afterPowerLoss(random, mode)
      const visit = { form, random, tally }
      await named(`cut at ${cut} (${mode})`, () => examine(image, history.copy(), visit))
    }
  }
}

interface Visit {
  readonly form: Form
  readonly random: Random
  readonly tally: LifeTally
}

async function examine(image: MemoryDisk, history: History, visit: Visit): Promise<void> {
  const { form, random, tally } = visit
  tally.images++
  const asFound = image.clone()
  const store = await openForm(image, form, { random })
  const found = await look(store, history, random)
  history.cut(found)
  await store.close()
  const bases = readBases(image, ARCHIVE)
  const first = bases[0]?.revision ?? 0
  if (form.archive === true && history.floor > 1) claim(first === 1, 'the beginning is gone')
  if (bases.length > 1) tally.rebased++
  if (image.list(ARCHIVE).some((name) => name.endsWith('.wal'))) tally.archived++
  const revision = random.between(first, found.revision)
  await claimRestored(image, history, { to: { revision }, revision, random })
  if (!asFound.exists(ARCHIVE) || readBases(asFound, ARCHIVE).length === 0) {
    tally.unborn++
    return
  }
  // As it was found, too: it ends where opening ends.
  await claimRestored(asFound, history, { to: 'end', revision: found.revision, random })
  tally.restored++
}

interface Archived {
  readonly disk: MemoryDisk
  readonly history: History
  readonly revision: number
  /** The oldest revision that can be gone back to. */
  readonly first: number
}

/** A store that was closed, with an archive of some history. */
async function archived(at: number): Promise<Archived> {
  const form = { ...archivedForm(at), archive: true, turns: 4 }
  const { disk, history } = await liveThrough(new MemoryDisk({ seed: at }), { form, lives: 2 })
  const random = new Random(at)
  const store = await openForm(disk, form, { random })
  const { revision } = await store.status()
  history.cut({ revision, compactedRevision: 0 })
  await store.close()
  return { disk, history, revision, first: readBases(disk, ARCHIVE)[0]?.revision ?? 1 }
}

async function claimStore(
  disk: MemoryDisk,
  directory: string,
  { history, revision, random }: { history: History; revision: number; random: Random },
): Promise<void> {
  const store = await openOn(disk, directory, {}, { random })
  await claimHistory(store, history, revision)
  await store.close()
}

async function revisionOf(disk: MemoryDisk, directory: string, random: Random): Promise<number> {
  const store = await openOn(disk, directory, {}, { random })
  const { revision } = await store.status()
  await store.close()
  return revision
}

describe('restoreTo()', () => {
  test('leaves a whole store or none, wherever the power is cut', async () => {
    const tally = { images: 0, none: 0, whole: 0 }
    const cases = effort({ smoke: 150, ci: 2000, soak: 50_000 })
    for (let at = seed >>> 0; !isEnough(tally.images, cases, tally); at++) {
      await named(`seed ${at}`, () => cutRestore(at, tally))
    }
    expect(unmet(tally)).toEqual([])
  })
})

async function cutRestore(
  at: number,
  tally: Record<'images' | 'none' | 'whole', number>,
): Promise<void> {
  const { disk, history, revision: newest, first } = await archived(at)
  const random = new Random(at)
  const revision = random.between(first, newest)
  const restore = (on: MemoryDisk): Promise<unknown> => {
    const to = { source: DATA, directory: '/made', to: { revision } }
    return restoreToOn({ disk: on, random: new Random(at) }, to)
  }
  const whole = disk.clone()
  await restore(whole)
  for (const cut of cutsOf(whole.operationCount, 40, random)) {
    const cutDisk = disk.clone()
    cutDisk.cutPowerAt(cut)
    await untilPowerCut(() => restore(cutDisk))
    const image = cutDisk.afterPowerLoss(random, random.pick(MODES))
    await named(`cut at ${cut}`, async () => {
      tally.images++
      if (image.exists('/made')) tally.whole++
      else {
        tally.none++
        await restore(image)
      }
      await claimStore(image, '/made', { history, revision, random })
      claim((await codeOf(() => restore(image))) === 'KV_EXISTS', 'a store was replaced')
      await claimStore(image, DATA, { history, revision: newest, random })
    })
  }
}

async function codeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return 'none'
  } catch (error) {
    if (isKvError(error)) return error.code
    throw error
  }
}

describe('rollback()', () => {
  test('leaves the old state or the new, wherever the power is cut', async () => {
    const tally = { images: 0, old: 0, new: 0, finished: 0, cutAgain: 0, killed: 0 }
    const cases = effort({ smoke: 200, ci: 3000, soak: 50_000 })
    for (let at = seed >>> 0; !isEnough(tally.images, cases, tally); at++) {
      await named(`seed ${at}`, () => cutRollback(at, tally))
    }
    expect(unmet(tally)).toEqual([])
  })
})

type RollbackTally = Record<'images' | 'old' | 'new' | 'finished' | 'cutAgain' | 'killed', number>

async function cutRollback(at: number, tally: RollbackTally): Promise<void> {
  const made = await archived(at)
  const { disk, revision: newest, first } = made
  if (newest === first) return
  const random = new Random(at)
  const revision = random.between(first, newest - 1)
  const whole = disk.clone()
  await rollBack(whole, revision, random)
  for (const cut of cutsOf(whole.operationCount, 40, random)) {
    const cutDisk = disk.clone()
    cutDisk.cutPowerAt(cut)
    await untilPowerCut(() => rollBack(cutDisk, revision, random))
    const isKilled = random.chance(0.3)
    if (isKilled) tally.killed++
    const image = isKilled
      ? cutDisk.processKilled()
      : cutDisk.afterPowerLoss(random, random.pick(MODES))
    const visit = { made, revision, random, tally }
    await named(`cut at ${cut}`, () => examineRolled(image, visit))
  }
}

function rollBack(disk: MemoryDisk, revision: number, random: Random): Promise<unknown> {
  return rollbackOn({ disk, random }, { directory: DATA, to: { revision } })
}

interface RolledVisit {
  readonly made: Archived
  readonly revision: number
  readonly random: Random
  readonly tally: RollbackTally
}

async function examineRolled(found: MemoryDisk, visit: RolledVisit): Promise<void> {
  const { made, revision, random, tally } = visit
  const { history } = made
  let image = found
  tally.images++
  const isDecided = (): boolean => image.exists(`${DATA}/rollback`)
  if (isDecided()) tally.finished++
  // Whoever finishes it may be cut short, too.
  for (let tries = 0; isDecided() && tries < 3 && random.chance(0.7); tries++) {
    const again = image.clone()
    again.cutPowerAt(random.between(1, 14))
    if (!(await untilPowerCut(() => revisionOf(again, DATA, random)))) continue
    tally.cutAgain++
    image = again.afterPowerLoss(random, random.pick(MODES))
  }
  // What a process decided that was killed may be in the page cache only, and be lost.
  const mustBeNew = isDecided()
  const stands = await revisionOf(image, DATA, random)
  claim(image.exists(DB_PATH), 'the store is gone')
  claim(!image.exists(`${DATA}/rollback`), 'it is not finished')
  claim(!image.exists(`${DATA}/rollback.partial`), 'something is left over')
  const kept = image.list(DATA).filter((name) => name.startsWith('before-rollback-'))
  if (stands === made.revision) {
    tally.old++
    claim(!mustBeNew && kept.length === 0, 'it was decided, and did not happen')
    await claimStore(image, DATA, { history, revision: stands, random })
    await rollBack(image, revision, random)
  } else {
    tally.new++
    claim(kept.length === 1, () => `kept: ${kept.join(', ')}`)
    const old = { history, revision: made.revision, random }
    await claimStore(image, `${DATA}/${kept[0]}`, old)
    // With its archive: what was undone can be gone to.
    const source = `${DATA}/${kept[0]}`
    await restoreToOn({ disk: image, random }, { source, directory: '/redone', to: 'end' })
    await claimStore(image, '/redone', old)
  }
  await claimStore(image, DATA, { history, revision, random })
}
