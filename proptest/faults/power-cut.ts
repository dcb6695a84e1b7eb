/**
 * Power cuts: runs a workload up to some operation of the disk, cuts the power, and looks at what
 * may be found afterwards.
 *
 * What is claimed of each image found:
 *   1. it opens, and holds exactly the content of one commit: the last acknowledged one or, where
 *      one was under way, that one;
 *   2. `check` finds nothing, and where both metas can be read the generation before is whole too,
 *      and is the commit before;
 *   3. with its newest meta damaged it opens at that generation and says so;
 *   4. writing goes on from it, and so it does when the power goes again during the recovery;
 *   5. what a process sees that opens the file after another was killed stays, though the power
 *      goes then.
 */

import { Random } from '../../base/random.ts'
import { PowerCut } from '../../disk/fault-plan.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { PowerLossMode } from '../../disk/power-loss.ts'
import { openEngine } from '../../engine/index.ts'
import type { Engine } from '../../engine/index.ts'
import type { Meta } from '../../engine/meta.ts'
import type { FrozenBucket } from './model.ts'
import { thaw } from './model.ts'
import { ClaimError, DB_PATH, Session, claim, claimContent } from './session.ts'
import { generateMore, generateWorkload } from './workload.ts'
import type { Workload } from './workload.ts'
import { metasOf } from '../metas.ts'

const PAGE_SIZES = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536]

/** What an image may hold. */
interface Expectation {
  /** Opening the file had returned before. */
  readonly isOpened: boolean
  readonly fewestCommits: number
  readonly mostCommits: number
  readonly contents: readonly FrozenBucket[]
}

const MODES: readonly PowerLossMode[] = ['nothing', 'everything', 'torn', 'random']
const RECOVERY_DEPTH = 2

/** Counts of what was looked at, to show that the cases are what they are meant to be. */
export interface Tally {
  images: number
  /** Images where the commit under way had survived. */
  survived: number
  /** Images where it had not. */
  lost: number
  /** Images that showed two whole generations. */
  twoGenerations: number
  fallbacks: number
  cutsInRecovery: number
  kills: number
  /** Images from before the file was there. */
  unborn: number
}

export function newTally(): Tally {
  return {
    images: 0,
    survived: 0,
    lost: 0,
    twoGenerations: 0,
    fallbacks: 0,
    cutsInRecovery: 0,
    kills: 0,
    unborn: 0,
  }
}

export interface SweepOptions {
  /** How many operations of the workload are cut at; all where there are fewer. */
  readonly cutsMax: number
  /** Images of each cut with everything by chance, beside the three fixed modes. */
  readonly randomImages: number
}

/**
 * Cuts one workload at many of its operations. Throws a `ClaimError` that names seed, operation and
 * image. Adds to `tally`.
 */
export async function sweepWorkload(
  seed: number,
  options: SweepOptions,
  tally: Tally,
): Promise<void> {
  const workload = generateWorkload(seed)
  const total = await operationsOf(workload, seed)
  const random = new Random(seed).fork()
  const operations = Array.from({ length: total }, (_, i) => i + 1)
  if (total > options.cutsMax) {
    random.shuffle(operations)
    operations.length = options.cutsMax
  }
  for (const operation of operations) {
    await cutAt(workload, operation, { seed, randomImages: options.randomImages, tally })
  }
}

async function operationsOf(workload: Workload, seed: number): Promise<number> {
  const disk = new MemoryDisk({ seed })
  const session = new Session(disk, workload)
  await named(`seed ${seed}, no cut`, () => session.run())
  const commits = workload.contents.length - 1
  const expectation = {
    isOpened: true,
    fewestCommits: commits,
    mostCommits: commits,
    contents: workload.contents,
  }
  await named(`seed ${seed}, no cut`, () =>
    examine(disk, expectation, new Visit(seed, newTally(), 0)),
  )
  return disk.operationCount
}

interface CutOptions {
  readonly seed: number
  readonly randomImages: number
  readonly tally: Tally
}

/** Runs the workload until the power goes at `operation`, and looks at images of that moment. */
export async function cutAt(
  workload: Workload,
  operation: number,
  options: CutOptions,
): Promise<void> {
  const { seed, randomImages, tally } = options
  const where = `seed ${seed}, power cut at operation ${operation}`
  const disk = new MemoryDisk({ seed })
  disk.cutPowerAt(operation)
  const session = new Session(disk, workload)
  await named(where, () => untilPowerCut(session.run()))
  const expectation = {
    isOpened: session.isOpened,
    fewestCommits: session.acknowledged,
    mostCommits: session.begun,
    contents: workload.contents,
  }
  const imageCount = MODES.length - 1 + randomImages
  for (let i = 0; i < imageCount; i++) {
    const mode = MODES[i] ?? 'random'
    const chance = new Random(seed * 4096 + operation * 64 + i)
    const image = disk.afterPowerLoss(chance, mode)
    const visit = new Visit(chance.u32(), tally, RECOVERY_DEPTH)
    await named(`${where}, image ${i} (${mode})`, () => examine(image, expectation, visit))
  }
  const visit = new Visit(seed + operation, tally, 1)
  await named(`${where}, process killed`, () => examineKilled(disk, expectation, visit))
}

/** True when the power went. */
async function untilPowerCut(work: Promise<void>): Promise<boolean> {
  try {
    await work
    return false
  } catch (error) {
    if (error instanceof PowerCut) return true
    throw error
  }
}

async function named(where: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    throw new ClaimError(`${where}: ${reason}`, { cause: error })
  }
}

/** The chance and the counts of one look at an image, and how many more cuts may follow. */
class Visit {
  readonly random: Random
  readonly tally: Tally
  readonly depth: number

  constructor(seed: number, tally: Tally, depth: number) {
    this.random = new Random(seed)
    this.tally = tally
    this.depth = depth
  }

  below(): Visit {
    return new Visit(this.random.u32(), this.tally, this.depth - 1)
  }
}

/** Claims everything of one image. */
async function examine(image: MemoryDisk, expected: Expectation, visit: Visit): Promise<void> {
  const { tally } = visit
  tally.images++
  if (!image.exists(DB_PATH)) claim(!expected.isOpened, 'the file is gone')
  const metas = image.exists(DB_PATH) ? metasOf(image.readFile(DB_PATH), PAGE_SIZES) : []
  const [newest] = metas
  if (newest === undefined) {
    claim(!expected.isOpened, 'no meta page is left')
    tally.unborn++
  }
  const commits = await claimWhole(image.clone(), expected, metas.length === 2)
  if (expected.mostCommits > expected.fewestCommits) {
    if (commits === expected.mostCommits) tally.survived++
    else tally.lost++
  }
  // A file that was never finished has no generation to fall back to.
  if (newest !== undefined && metas.length === 2 && (expected.isOpened || newest.txid > 1)) {
    tally.twoGenerations++
    await claimFallback(image.clone(), newest, commits, expected.contents)
    tally.fallbacks++
  }
  await goOn(image, commits, expected, visit)
}

/** Opens for writing, as after any crash; returns the number of commits found. */
async function claimWhole(
  disk: MemoryDisk,
  expected: Expectation,
  isPreviousDue: boolean,
): Promise<number> {
  const engine = await openEngine(DB_PATH, { disk })
  const commits = claimSound(engine, expected.contents, 'newest')
  const { fewestCommits, mostCommits } = expected
  claim(
    commits >= fewestCommits && commits <= mostCommits,
    () => `${commits} commits found, ${fewestCommits} acknowledged, ${mostCommits} begun`,
  )
  if (isPreviousDue) {
    const report = engine.check({ generation: 'previous' })
    claim(report.isClean, () => `the generation before: ${JSON.stringify(report.findings)}`)
  }
  await engine.close()
  if (isPreviousDue) {
    const before = await openEngine(DB_PATH, { disk, readOnly: true, generation: 'previous' })
    const found = before.view((tx) => claimContent(tx, expected.contents, 'generation before'))
    claim(found === Math.max(0, commits - 1), () => `before ${commits} commits stand ${found}`)
    await before.close()
  }
  return commits
}

/** Claims that the engine's content is some commit's and that check finds nothing. */
function claimSound(engine: Engine, contents: readonly FrozenBucket[], where: string): number {
  const commits = engine.view((tx) => claimContent(tx, contents, where))
  const report = engine.check()
  claim(report.isClean, () => `${where}: check: ${JSON.stringify(report.findings)}`)
  return commits
}

/** Damages the newest meta and claims that the generation before takes its place. */
async function claimFallback(
  disk: MemoryDisk,
  newest: Meta,
  commits: number,
  contents: readonly FrozenBucket[],
): Promise<void> {
  disk.flipBit(DB_PATH, newest.slot * newest.pageSizeBytes + 16 + (newest.txid % 64), 3)
  const engine = await openEngine(DB_PATH, { disk })
  claim(engine.report.fallback?.slot === newest.slot, 'a damaged newest meta goes unreported')
  const found = claimSound(engine, contents, 'after fallback')
  claim(found === Math.max(0, commits - 1), () => `fell back from commit ${commits} to ${found}`)
  await engine.close()
}

/** Writes on from the image, cutting the power again while the depth lasts. */
async function goOn(
  image: MemoryDisk,
  commits: number,
  expected: Expectation,
  visit: Visit,
): Promise<void> {
  const { random, tally } = visit
  const known = expected.contents[commits]
  claim(known !== undefined, 'no content')
  const more = generateMore(random.u32(), thaw(known), commits)
  const contents = expected.contents.slice(0, commits)
  more.contents.forEach((content, i) => (contents[i] = content))
  const disk = image.clone()
  const isCut = visit.depth > 0 && random.chance(0.5)
  // Opening takes a few operations, a commit some more.
  if (isCut) disk.cutPowerAt(random.between(1, random.pick([3, 12])))
  const session = new Session(disk, { ...more, contents }, commits)
  const wentOff = await untilPowerCut(session.run())
  claim(wentOff || session.acknowledged === contents.length - 1, 'commits were lost')
  const next = {
    isOpened: expected.isOpened || session.isOpened,
    fewestCommits: session.acknowledged,
    mostCommits: session.begun,
    contents,
  }
  if (!wentOff) {
    await claimWhole(disk.clone(), next, true)
    return
  }
  tally.cutsInRecovery++
  const found = disk.afterPowerLoss(random, random.pick(MODES))
  await examine(found, next, visit.below())
}

/** The process is killed instead, another opens the file and reads, then the power goes. */
async function examineKilled(disk: MemoryDisk, expected: Expectation, visit: Visit): Promise<void> {
  const { random, tally } = visit
  tally.kills++
  const killed = disk.processKilled()
  const engine = await openEngine(DB_PATH, { disk: killed })
  const seen = claimSound(engine, expected.contents, 'after a kill')
  const { fewestCommits, mostCommits } = expected
  claim(seen >= fewestCommits && seen <= mostCommits, `${seen} commits found after a kill`)
  const lost = killed.afterPowerLoss(random, random.pick(['nothing', 'random'] as const))
  const kept = { ...expected, isOpened: true, fewestCommits: seen, mostCommits: seen }
  await examine(lost, kept, visit)
}
