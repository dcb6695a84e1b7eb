/**
 * Power cuts over log and data file together, each operation of the disk a place to cut.
 *
 * What is claimed of each image found, beside what life.ts claims of every opening:
 *   1. both generations of the data file are sound, whatever the log says;
 *   2. with its newest meta damaged the store opens at the generation before, says so, and shows
 *      the same;
 *   3. opened to be read only it shows the same and changes nothing;
 *   4. it goes on from there, also when the power goes again while it is opened, or later;
 *   5. what a process shows that opens it after another was killed stays, though the power goes.
 */

import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { PowerLossMode } from '../../disk/power-loss.ts'
import { openEngine } from '../../engine/index.ts'
import { History } from './history.ts'
import type { Found } from './history.ts'
import { DB_PATH, LifeError, claim, formOf, live, look, openForm, untilPowerCut } from './life.ts'
import type { Form } from './life.ts'
import type { Meta } from '../../engine/meta.ts'
import { metasOf } from '../metas.ts'

const MODES: readonly PowerLossMode[] = ['nothing', 'everything', 'torn', 'random', 'random']
const DEPTH = 2
const PAGE_SIZE = 4096

/** Counts of what was met, to show that the cases are what they are meant to be. */
export interface Tally {
  images: number
  /** Writes that nobody had been told of had survived, or had not. */
  survived: number
  lost: number
  torn: number
  replayed: number
  fallbacks: number
  cutsInRecovery: number
  kills: number
  /** Images from before the store was there. */
  unborn: number
}

export function newTally(): Tally {
  return {
    images: 0,
    survived: 0,
    lost: 0,
    torn: 0,
    replayed: 0,
    fallbacks: 0,
    cutsInRecovery: 0,
    kills: 0,
    unborn: 0,
  }
}

export interface SweepOptions {
  /** How many operations of the workload are cut at; all where there are fewer. */
  readonly cutsMax: number
}

/**
 * Cuts one workload at many of its operations. Throws an error that names seed, operation and
 * image. Adds to `tally`.
 */
export async function sweep(seed: number, options: SweepOptions, tally: Tally): Promise<void> {
  const form = formOf(new Random(seed), seed)
  const lives = new Random(seed).between(1, 3)
  const whole = new MemoryDisk({ seed })
  await named(`seed ${seed}, no cut`, () => runLives(whole, new History(), { form, lives }))
  const operations = Array.from({ length: whole.operationCount }, (_, i) => i + 1)
  const random = new Random(seed + 1)
  if (operations.length > options.cutsMax) random.shuffle(operations).length = options.cutsMax
  for (const operation of operations) await cutAt(operation, { form, lives, tally })
}

interface Run {
  readonly form: Form
  readonly lives: number
}

async function runLives(disk: MemoryDisk, history: History, { form, lives }: Run): Promise<void> {
  const random = new Random(form.seed).fork()
  for (let left = lives; left > 0; left--) {
    await live(disk, history, { form, random, isLast: left === 1 })
  }
}

async function cutAt(operation: number, run: Run & { readonly tally: Tally }): Promise<void> {
  const { form, tally } = run
  const where = `seed ${form.seed}, cut at operation ${operation}`
  const disk = new MemoryDisk({ seed: form.seed })
  disk.cutPowerAt(operation)
  const history = new History()
  await named(where, () => untilPowerCut(() => runLives(disk, history, run)))
  for (const [i, mode] of MODES.entries()) {
    const random = new Random(form.seed * 1024 + operation * 8 + i)
    const image = disk.afterPowerLoss(random, mode)
    const visit = { form, tally, random, depth: DEPTH }
    await named(`${where}, image ${i} (${mode})`, () => examine(image, history.copy(), visit))
  }
  const random = new Random(form.seed * 1024 + operation * 8 + 7)
  const visit = { form, tally, random, depth: 1 }
  await named(`${where}, process killed`, () => examineKilled(disk, history.copy(), visit))
}

async function named(where: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    throw new LifeError(`${where}: ${reason}`, { cause: error })
  }
}

interface Visit {
  readonly form: Form
  readonly tally: Tally
  readonly random: Random
  /** How many more cuts may follow. */
  readonly depth: number
}

async function examine(image: MemoryDisk, history: History, visit: Visit): Promise<void> {
  const { tally, random, form, depth } = visit
  tally.images++
  const metas = image.exists(DB_PATH) ? metasOf(image.readFile(DB_PATH), [PAGE_SIZE]) : []
  const isUnborn = (metas[0]?.txid ?? 0) <= 1
  if (isUnborn) {
    claim(history.floor === 1, 'the store is gone')
    tally.unborn++
  } else await claimGenerations(image)
  const found = await claimWhole(image.clone(), history, visit)
  if (found !== undefined) {
    if (found.revision < history.revision) tally.lost++
    else if (found.revision > history.floor) tally.survived++
    const shown = history.copy()
    shown.cut(found)
    if (!isUnborn && random.chance(0.25))
      await claimFallback(image.clone(), metas, { shown, visit })
    if (found.revision > 1 && random.chance(0.25))
      await claimReadOnly(image.clone(), { shown, visit })
  }
  const disk = image.clone()
  const isCut = depth > 0 && random.chance(0.5)
  if (isCut) disk.cutPowerAt(random.between(1, random.pick([4, 14, 40])))
  const wentOff = await untilPowerCut(() => live(disk, history, { form, random, isLast: true }))
  if (wentOff) tally.cutsInRecovery++
  const rest = disk.afterPowerLoss(random, random.pick(MODES))
  // Calls that nobody waited for go on in a store that was left open, and are told of later.
  const then = history.copy()
  if (wentOff) await examine(rest, then, { ...visit, depth: depth - 1 })
  else await claimWhole(rest, then, visit)
}

/** Opens, looks, and walks away; undefined where the store had never been there. */
async function claimWhole(disk: MemoryDisk, history: History, visit: Visit): Promise<Found> {
  const { form, random, tally } = visit
  const store = await openForm(disk, form, { random })
  if (store.recovery.torn !== undefined) tally.torn++
  if (store.recovery.replayedCommits > 0) tally.replayed++
  const found = await look(store, history, random)
  await store.close()
  return found
}

/** Both generations of the file are whole, and no page of either is free in it. */
async function claimGenerations(image: MemoryDisk): Promise<void> {
  const engine = await openEngine(DB_PATH, { disk: image.clone(), readOnly: true })
  for (const generation of ['newest', 'previous'] as const) {
    const at = generation === 'newest' ? engine : await openBefore(image)
    if (at === undefined) continue
    const { findings } = at.check()
    claim(findings.length === 0, () => `${generation}: ${JSON.stringify(findings)}`)
    await at.close()
  }
}

async function openBefore(image: MemoryDisk): ReturnType<typeof openEngine> {
  return await openEngine(DB_PATH, {
    disk: image.clone(),
    readOnly: true,
    generation: 'previous',
  })
}

interface Shown {
  readonly shown: History
  readonly visit: Visit
}

async function claimFallback(
  disk: MemoryDisk,
  metas: readonly Meta[],
  { shown, visit }: Shown,
): Promise<void> {
  const [newest, older] = metas
  if (newest === undefined || older === undefined) return
  visit.tally.fallbacks++
  disk.flipBit(DB_PATH, newest.slot * PAGE_SIZE + 16 + (newest.txid % 64), 3)
  const store = await openForm(disk, visit.form, { random: visit.random })
  claim(store.recovery.fallback?.slot === newest.slot, 'a damaged newest meta goes unreported')
  const { revision } = await look(store, shown, visit.random)
  claim(revision === shown.revision, () => `fell back from ${shown.revision} to ${revision}`)
  await store.close()
}

async function claimReadOnly(disk: MemoryDisk, { shown, visit }: Shown): Promise<void> {
  const before = disk.operationCount
  const store = await openForm(disk, visit.form, { random: visit.random, readOnly: true })
  const { revision } = await look(store, shown, visit.random)
  claim(revision === shown.revision, () => `read-only shows ${revision}, not ${shown.revision}`)
  await store.close()
  claim(disk.operationCount === before, 'opened read-only it wrote something')
}

/** The process is killed; another one looks; then the power goes: what was shown stays. */
async function examineKilled(disk: MemoryDisk, history: History, visit: Visit): Promise<void> {
  const { form, random, tally } = visit
  tally.kills++
  const killed = disk.processKilled()
  const store = await openForm(killed, form, { random })
  const shown = history.copy()
  shown.cut(await look(store, history, random))
  shown.tellAll()
  const image = killed.afterPowerLoss(random, random.pick(['nothing', 'random'] as const))
  await store.close().catch(() => {})
  await examine(image, shown, visit)
}
