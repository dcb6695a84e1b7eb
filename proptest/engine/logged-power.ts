/**
 * Faults at each operation of the disk, of a file with a log: the power goes, a sync or a write
 * fails, the disk is full.
 *
 * What is claimed of each image that may be found:
 *   1. the file alone is a whole database: the content of one commit, with nothing that `check`
 *      finds; its stamp is its own;
 *   2. with the log, from the generation before the newest on, it has every commit that the log
 *      had made durable, and of those behind nothing half;
 *   3. so it has with its newest meta damaged;
 *   4. writing goes on from it, and so it does when the power goes again while it is recovered.
 */

import { Random } from '../../base/random.ts'
import type { LogGroup } from '../../base/log-group.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { OperationKind } from '../../disk/fault-plan.ts'
import type { PowerLossMode } from '../../disk/power-loss.ts'
import { openEngine } from '../../engine/index.ts'
import type { Meta } from '../../engine/meta.ts'
import { stampOf } from '../../engine/stamp.ts'
import { attachLog, openForLog } from '../../engine/open-logged.ts'
import { HeldLog } from './held-log.ts'
import { LOG_ID, LoggedRun, mustBeClean, mustHold, stateAt } from './logged-run.ts'
import type { States } from './logged-run.ts'
import { DB_PATH } from './memory-engine.ts'
import { metasOf } from '../metas.ts'

const MODES: readonly PowerLossMode[] = ['nothing', 'everything', 'torn', 'random']
const PAGE_SIZE = 1024
const RECOVERY_DEPTH = 2
const STEPS = 40
const STEPS_AFTER = 12

/** Counts of what was met, to show that the cases are what they are meant to be. */
export interface Tally {
  images: number
  /** Images in which the log was beyond the file. */
  replayed: number
  /** Images whose newest meta was damaged, and the log made up for it. */
  fallbacks: number
  cutsInRecovery: number
  checkpoints: number
  abandoned: number
  poisoned: number
}

export function newTally(): Tally {
  return {
    images: 0,
    replayed: 0,
    fallbacks: 0,
    cutsInRecovery: 0,
    checkpoints: 0,
    abandoned: 0,
    poisoned: 0,
  }
}

/** A run that has come to its end in one way or another. */
interface Found {
  readonly run: LoggedRun
  readonly disk: MemoryDisk
  readonly states: States
  readonly how: 'done' | 'cut' | 'poisoned'
}

type Fault = { readonly at: number } & (
  | { readonly kind: 'cut' }
  | { readonly kind: 'full' | 'broken'; readonly leaves: 'nothing' | 'part' }
)

async function runWorkload(seed: number, fault: Fault | undefined): Promise<Found> {
  const disk = new MemoryDisk({ seed })
  if (fault?.kind === 'cut') disk.cutPowerAt(fault.at)
  else if (fault !== undefined) {
    const code = fault.kind === 'full' ? 'ENOSPC' : 'EIO'
    // Space runs out in writing or growing; syncs and what follows them just break.
    const kind: readonly OperationKind[] | undefined =
      fault.kind === 'full' ? ['write', 'truncate'] : undefined
    disk.injectFault({ operation: fault.at, code, kind, leaves: fault.leaves })
  }
  const states: States = new Map()
  const run = new LoggedRun({ disk, seed, states, groups: [], steps: STEPS })
  const how = await run.run()
  return { run, disk, states, how }
}

/** How many operations of the disk the workload takes, and how many of them opening does. */
async function operationsOf(seed: number, tally: Tally): Promise<number> {
  const { run, disk, states } = await runWorkload(seed, undefined)
  tally.checkpoints += run.finished
  const found = { acknowledged: run.log.durable.at(-1)?.txid ?? 0, groups: run.log.durable, states }
  await examine(disk.clone(), found, new Visit(seed, tally, 0))
  return disk.operationCount
}

export interface SweepOptions {
  /** How many operations of the workload are tried; all where there are fewer. */
  readonly cutsMax: number
}

/** Cuts the power at many operations of one workload. */
export async function sweepCuts(seed: number, options: SweepOptions, tally: Tally): Promise<void> {
  for (const at of await chooseOperations(seed, options, tally)) {
    const found = await named(`seed ${seed}, cut at ${at}`, () =>
      runWorkload(seed, { at, kind: 'cut' }),
    )
    await examineAll(found, `seed ${seed}, cut at ${at}`, tally)
  }
}

/** Lets many operations of one workload fail. */
export async function sweepFaults(
  seed: number,
  options: SweepOptions,
  tally: Tally,
): Promise<void> {
  const random = new Random(seed)
  for (const at of await chooseOperations(seed, options, tally)) {
    const leaves = random.pick(['nothing', 'part'] as const)
    const kind = random.pick(['full', 'broken'] as const)
    const where = `seed ${seed}, ${kind} at ${at}`
    const found = await named(where, () => runWorkload(seed, { at, kind, leaves }))
    tally.abandoned += found.run.abandoned
    if (found.how === 'poisoned') tally.poisoned++
    await examineAll(found, where, tally)
  }
}

async function chooseOperations(
  seed: number,
  options: SweepOptions,
  tally: Tally,
): Promise<number[]> {
  const total = await named(`seed ${seed}, no fault`, () => operationsOf(seed, tally))
  // The first few make the file, which has its own tests.
  const operations = Array.from({ length: total }, (_, i) => i + 1).filter((at) => at > 4)
  new Random(seed).fork().shuffle(operations)
  return operations.slice(0, options.cutsMax)
}

async function examineAll(found: Found, where: string, tally: Tally): Promise<void> {
  const { run, disk, states } = found
  const { durable } = run.log
  const acknowledged = durable.at(-1)?.txid ?? 0
  for (const [i, mode] of MODES.entries()) {
    const random = new Random(run.log.durable.length * 64 + i)
    const held = run.heldGroups.slice(0, random.below(run.heldGroups.length + 1))
    const groups = [...durable, ...held]
    const image = disk.afterPowerLoss(random, mode)
    const visit = new Visit(random.u32(), tally, RECOVERY_DEPTH)
    await named(`${where}, image ${mode}`, () =>
      examine(image, { acknowledged, groups, states }, visit),
    )
  }
}

async function named<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new Error(`${where}: ${String(error)}`, { cause: error })
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

interface Expectation {
  readonly acknowledged: number
  /** What the log holds: at least all that is acknowledged. */
  readonly groups: readonly LogGroup[]
  readonly states: States
}

async function examine(image: MemoryDisk, expected: Expectation, visit: Visit): Promise<void> {
  visit.tally.images++
  const metas = image.exists(DB_PATH) ? metasOf(image.readFile(DB_PATH), [PAGE_SIZE]) : []
  const [newest, previous] = metas
  if (newest !== undefined) await claimAlone(image.clone(), newest, expected)
  await claimWhole(image.clone(), expected, visit, newest?.txid)
  if (newest !== undefined && previous !== undefined && stampOf(previous) !== undefined) {
    visit.tally.fallbacks++
    const disk = image.clone()
    disk.flipBit(DB_PATH, newest.slot * PAGE_SIZE + 16 + visit.random.below(64), 3)
    await claimWhole(disk, expected, visit, previous.txid)
  }
  await goOn(image, expected, visit)
}

/** The file without its log. */
async function claimAlone(disk: MemoryDisk, newest: Meta, expected: Expectation): Promise<void> {
  const engine = await openEngine(DB_PATH, { disk, lock: 'none', readOnly: true })
  engine.view((tx) => mustHold(tx, stateAt(expected.states, tx.id), 'the file alone'))
  mustBeClean(engine, 'the file alone')
  const { stamp } = engine
  const isRight = stamp === undefined ? newest.txid <= 1 : stamp.isOwn && stamp.logId === LOG_ID
  if (!isRight) throw new Error(`stamp ${JSON.stringify(stamp)} at ${newest.txid}`)
  await engine.close()
}

/** File and log; of the log only what a file that stands at `txid` needs. */
async function claimWhole(
  disk: MemoryDisk,
  { groups, states, acknowledged }: Expectation,
  visit: Visit,
  txid: number | undefined,
): Promise<void> {
  const isReadOnly = txid !== undefined && visit.random.chance(0.3)
  const cacheBytes = visit.random.pick([16, 4096]) * 1024
  const rest = { readOnly: isReadOnly, cacheBytes, pageSizeBytes: PAGE_SIZE } as const
  const engine = await openForLog(DB_PATH, { disk, lock: 'none', ...rest })
  const kept = groups.filter((group) => group.txid > (txid ?? 1))
  const log = isReadOnly ? undefined : new HeldLog(groups)
  await attachLog(engine, { log, logId: LOG_ID, groups: kept })
  if (kept.length > 0) visit.tally.replayed++
  const end = Math.max(groups.at(-1)?.txid ?? 0, txid ?? 0)
  if (engine.txid < Math.max(acknowledged, 1) || engine.txid !== Math.max(end, 1)) {
    throw new Error(`found ${engine.txid}, acknowledged ${acknowledged}, log to ${end}`)
  }
  engine.view((tx) => mustHold(tx, stateAt(states, tx.id), 'file and log'))
  if (!isReadOnly) mustBeClean(engine, 'file and log')
  await engine.close()
}

/** Writes on from the image, cutting the power again while the depth lasts. */
async function goOn(image: MemoryDisk, expected: Expectation, visit: Visit): Promise<void> {
  const { random } = visit
  const disk = image.clone()
  const isCut = visit.depth > 0 && random.chance(0.6)
  if (isCut) disk.cutPowerAt(random.between(1, random.pick([3, 20, 60])))
  const states = new Map(expected.states)
  const end = expected.groups.at(-1)?.txid ?? 0
  for (const txid of states.keys()) if (txid > end) states.delete(txid)
  const { groups } = expected
  const run = new LoggedRun({ disk, seed: random.u32(), states, groups, steps: STEPS_AFTER })
  const how = await run.run()
  if (how === 'poisoned') throw new Error('poisoned for no reason')
  const held = run.heldGroups
  const kept = how === 'done' ? [] : held.slice(0, random.below(held.length + 1))
  const next = {
    acknowledged: run.log.durable.at(-1)?.txid ?? 0,
    groups: [...run.log.durable, ...kept],
    states,
  }
  if (how === 'done') {
    const newest = metasOf(disk.readFile(DB_PATH), [PAGE_SIZE])[0]
    await claimWhole(disk.clone(), next, visit, newest?.txid)
    return
  }
  visit.tally.cutsInRecovery++
  await examine(disk.afterPowerLoss(random, random.pick(MODES)), next, visit.below())
}
