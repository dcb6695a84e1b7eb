/**
 * Cuts the power during the life of a log, and looks at what is found.
 *
 * The history is fixed: group n has the same bytes whenever it is appended (in the history that is
 * drawn for its life), so what is found need only be compared with what was appended.
 *
 * Claims of every image
 *   1. recovery succeeds: nothing a power cut leaves is called damage;
 *   2. the groups found are a prefix of those appended, whole and in order, and all acknowledged
 *      ones are among them;
 *   3. what recovery showed is still there after another cut;
 *   4. the log goes on.
 */

import { assert } from '../../base/assert.ts'
import { Random } from '../../base/random.ts'
import { PowerCut } from '../../disk/fault-plan.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { PowerLossMode } from '../../disk/power-loss.ts'
import type { LogGroup } from '../../base/log-group.ts'
import type { Log } from '../../wal/log.ts'
import type { SyncMode } from '../../wal/log-options.ts'
import { groupOf, recover, sameGroups } from './fixture.ts'

const MODES: readonly PowerLossMode[] = ['nothing', 'everything', 'torn', 'random', 'random']
const RECOVERY_DEPTH = 2

/** What happened to a log, over all its lives. */
export interface Life {
  /** The groups appended, in order; those that were lost are taken off. */
  readonly appended: LogGroup[]
  /** How many of them a caller was told of, or a reader was shown. */
  acknowledged: number
  /** The database's own txid: what a checkpoint holds. */
  checkpoint: number
}

/** Counts of what was met, to show that the cases are what they are meant to be. */
export interface Tally {
  images: number
  survivors: number
  lost: number
  torn: number
  rewritten: number
  cutsInRecovery: number
  kills: number
  severalSegments: number
  dropped: number
  /** The blocking path found writes under way. */
  overtaken: number
}

export function newTally(): Tally {
  return {
    images: 0,
    survivors: 0,
    lost: 0,
    torn: 0,
    rewritten: 0,
    cutsInRecovery: 0,
    kills: 0,
    severalSegments: 0,
    dropped: 0,
    overtaken: 0,
  }
}

/**
 * What a life is made of. `bothPaths`: appends, and the blocking path while they are at any of
 * their steps.
 */
export type Mix = 'any' | 'bothPaths'

interface Workload {
  readonly seed: number
  readonly mix: Mix
  readonly syncMode: SyncMode
  readonly segmentBytes: number
}

function workloadOf(seed: number, mix: Mix): Workload {
  const random = new Random(seed)
  return {
    seed,
    mix,
    syncMode: random.pick(['full', 'full', 'full', 'os', 'none'] as const),
    segmentBytes: random.pick([1024, 2048, 4096, 16_384]),
  }
}

/** Opens the log and reads it, as any process does; checks what it shows. */
function reopen(disk: MemoryDisk, life: Life, workload: Workload, tally: Tally): Log {
  const { syncMode, segmentBytes } = workload
  const options = { syncMode, segmentBytes, seed: life.appended.length * 7 + workload.seed }
  const recovery = recover(disk, { ...options, fromTxid: life.checkpoint })
  const { torn, rewrittenGroups, lastTxid, segmentCount } = recovery.report
  if (torn !== undefined) tally.torn++
  if (rewrittenGroups > 0) tally.rewritten++
  if (segmentCount > 1) tally.severalSegments++
  const found = [...recovery.groups()]
  assert(lastTxid >= life.acknowledged, `${lastTxid} found, ${life.acknowledged} acknowledged`)
  assert(lastTxid <= life.appended.length, `${lastTxid} found, ${life.appended.length} appended`)
  const expected = life.appended.slice(life.checkpoint, lastTxid)
  assert(
    sameGroups(found, expected),
    () => `found other groups than were appended, from ${life.checkpoint} to ${lastTxid}`,
  )
  if (lastTxid < life.appended.length) tally.lost++
  else if (lastTxid > life.acknowledged) tally.survivors++
  life.appended.length = lastTxid
  // They were shown.
  life.acknowledged = lastTxid
  return recovery.start()
}

/** Appends, cuts, drops, closes: until it is done, or the power goes. */
async function live(disk: MemoryDisk, life: Life, options: LiveOptions): Promise<void> {
  const { random, workload, tally } = options
  const log = reopen(disk, life, workload, tally)
  for (let steps = random.between(1, 8); steps > 0; steps--) {
    if (workload.mix === 'bothPaths') await mixedStep(log, life, options)
    else await step(log, life, options)
  }
  // A log that is left open goes on: nobody may open it again beside it.
  if (!options.isLast || random.chance(0.5)) {
    await log.close()
    life.acknowledged = life.appended.length
  }
}

interface StepOptions {
  readonly random: Random
  readonly workload: Workload
  readonly tally: Tally
}

interface LiveOptions extends StepOptions {
  readonly isLast: boolean
}

async function step(log: Log, life: Life, options: StepOptions): Promise<void> {
  const { random, workload, tally } = options
  const isFull = workload.syncMode === 'full'
  const kind = random.below(10)
  if (kind < 5) {
    const waits: Promise<void>[] = []
    for (let count = random.between(1, 5); count > 0; count--) {
      const { group, txid } = next(life, random)
      const wait = log.append(group).then(() => acknowledge(life, txid, isFull))
      // The synchronous path may meet the power cut first.
      wait.catch(() => {})
      waits.push(wait)
    }
    if (random.chance(0.3)) {
      tally.overtaken++
      appendSync(log, life, options)
    }
    await allOf(waits)
  } else if (kind < 7) appendSync(log, life, options)
  else if (kind === 7) {
    await log.flush()
    acknowledge(life, life.appended.length, true)
  } else if (kind === 8) await log.cut()
  else {
    await log.flush()
    acknowledge(life, life.appended.length, true)
    life.checkpoint = random.between(life.checkpoint, life.appended.length)
    tally.dropped += (await log.dropBefore(life.checkpoint + 1)).length
  }
}

/** Appends, and before they are done the blocking path, at whatever step they are. */
async function mixedStep(log: Log, life: Life, options: StepOptions): Promise<void> {
  const { random, workload, tally } = options
  const isFull = workload.syncMode === 'full'
  const waits: Promise<void>[] = []
  for (let rounds = random.between(1, 3); rounds > 0; rounds--) {
    for (let count = random.between(1, 3); count > 0; count--) {
      const { group, txid } = next(life, random)
      const wait = log.append(group).then(() => acknowledge(life, txid, isFull))
      wait.catch(() => {})
      waits.push(wait)
    }
    if (random.chance(0.2)) waits.push(cutQuietly(log))
    for (let turns = random.below(7); turns > 0; turns--) await nextTurn()
    if (log.pendingBytes > 0) tally.overtaken++
    if (random.chance(0.7)) appendSync(log, life, options)
    else {
      log.flushSync()
      acknowledge(life, life.appended.length, true)
    }
  }
  await allOf(waits)
}

function cutQuietly(log: Log): Promise<void> {
  const cut = log.cut()
  cut.catch(() => {})
  return cut
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function appendSync(log: Log, life: Life, options: StepOptions): void {
  const { group, txid } = next(life, options.random)
  log.appendSync(group)
  acknowledge(life, txid, options.workload.syncMode === 'full')
}

/** All of them, or the power cut that one of them met. */
async function allOf(waits: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(waits)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

function next(life: Life, random: Random): { readonly group: LogGroup; readonly txid: number } {
  const txid = life.appended.length + 1
  const group = groupOf(txid, random.below(64), random.pick([20, 300, 900]))
  life.appended.push(group)
  return { group, txid }
}

function acknowledge(life: Life, txid: number, isDurable: boolean): void {
  if (isDurable) life.acknowledged = Math.max(life.acknowledged, txid)
}

/** True when the power went. */
async function untilPowerCut(work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return false
  } catch (error) {
    // A log that met it refuses what comes after.
    const isOff = error instanceof Error && error.cause instanceof PowerCut
    if (isOff || error instanceof PowerCut) return true
    throw error
  }
}

function copyOf(life: Life): Life {
  return { ...life, appended: [...life.appended] }
}

function newLife(): Life {
  return { appended: [], acknowledged: 0, checkpoint: 0 }
}

/** Runs one workload with a cut at each of `cutsMax` of its operations, in one to three lives. */
export async function sweep(
  seed: number,
  options: { readonly cutsMax: number; readonly mix: Mix },
  tally: Tally,
): Promise<void> {
  const { cutsMax } = options
  const workload = workloadOf(seed, options.mix)
  const whole = new MemoryDisk({ seed })
  // One life has operations enough where each is a cut point.
  const lives = cutsMax === Infinity ? 1 : new Random(seed).between(1, 3)
  await runLives(whole, newLife(), { seed, lives, workload, tally: newTally() })
  const operations = Array.from({ length: whole.operationCount }, (_, i) => i + 1)
  if (operations.length > cutsMax) new Random(seed + 1).shuffle(operations).length = cutsMax
  for (const operation of operations) {
    try {
      await cutAt(operation, { seed, lives, workload, tally })
    } catch (error) {
      const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
      throw new Error(`seed ${seed}, cut at operation ${operation}: ${why}`, { cause: error })
    }
  }
}

interface RunOptions {
  readonly seed: number
  readonly lives: number
  readonly workload: Workload
  readonly tally: Tally
}

async function runLives(disk: MemoryDisk, life: Life, options: RunOptions): Promise<void> {
  const random = new Random(options.seed).fork()
  for (let left = options.lives; left > 0; left--) {
    await live(disk, life, { ...options, random, isLast: left === 1 })
  }
}

async function cutAt(operation: number, options: RunOptions): Promise<void> {
  const { seed, workload, tally } = options
  const disk = new MemoryDisk({ seed })
  disk.cutPowerAt(operation)
  const life = newLife()
  await untilPowerCut(() => runLives(disk, life, options))
  for (const [i, mode] of MODES.entries()) {
    const random = new Random(seed * 1024 + operation * 8 + i)
    const image = disk.afterPowerLoss(random, mode)
    await examine(image, copyOf(life), { random, workload, tally }, RECOVERY_DEPTH)
  }
  const random = new Random(seed * 1024 + operation * 8 + 7)
  await examineKilled(disk, copyOf(life), { random, workload, tally })
}

/** Recovers, goes on, loses power again while the depth lasts, and recovers again. */
async function examine(
  image: MemoryDisk,
  life: Life,
  options: StepOptions,
  depth: number,
): Promise<void> {
  const { random, tally } = options
  tally.images++
  const disk = image.clone()
  const isCut = depth > 0 && random.chance(0.5)
  if (isCut) disk.cutPowerAt(random.between(1, random.pick([4, 12, 30])))
  const wentOff = await untilPowerCut(() => live(disk, life, { ...options, isLast: true }))
  if (wentOff) {
    tally.cutsInRecovery++
    await examine(disk.afterPowerLoss(random, random.pick(MODES)), life, options, depth - 1)
    return
  }
  const rest = disk.afterPowerLoss(random, random.pick(MODES))
  await reopen(rest, life, options.workload, tally).close()
}

/** The process is killed; another one reads; then the power goes: what was read stays. */
async function examineKilled(disk: MemoryDisk, life: Life, options: StepOptions): Promise<void> {
  options.tally.kills++
  const killed = disk.processKilled()
  reopen(killed, life, options.workload, options.tally)
  const image = killed.afterPowerLoss(options.random, options.random.pick(['nothing', 'random']))
  await examine(image, life, options, 1)
}
