/**
 * What the properties of etcd's past bugs share: a store on a disk in memory, everything that can
 * be read of it as text, and the power cut at each of the operations of some work.
 *
 * A run without a cut is the measure: the same work gives the same revisions, so what is found
 * after a cut must be its beginning, with all that somebody was told of.
 */

import { systemClock } from '../../base/clock.ts'
import type { Clock } from '../../base/clock.ts'
import { Random } from '../../base/random.ts'
import type { MemoryDisk } from '../../disk/memory-disk.ts'
import type { PowerLossMode } from '../../disk/power-loss.ts'
import { openOn } from '../../store/open.ts'
import type { Tuning } from '../../store/open.ts'
import type { BuiltLocalStore, BuiltOpenOptions } from '../../store/types.ts'
import { nextWrite } from '../durability/history.ts'
import { untilPowerCut } from '../durability/life.ts'

export const DATA = '/data'
export const DB = '/data/db'
const WALL_MS = 1_700_000_000_000

/**
 * A clock by which long work pauses after its second piece: each look at it is 1.5 ms later. (After
 * the first one would be before any.)
 */
export function hastyClock(): Clock {
  let nowMs = 0
  const monotonicMs = (): number => (nowMs += 1.5)
  return {
    monotonicMs,
    wallMs: () => WALL_MS + Math.floor(monotonicMs()),
    setTimer: (delayMs, callback) => systemClock.setTimer(delayMs, callback),
  }
}

/** Opens a store whose segments are short and whose long work goes in the smallest steps. */
export function openStore(
  disk: MemoryDisk,
  options: BuiltOpenOptions = {},
  tuning: Tuning = {},
): Promise<BuiltLocalStore> {
  const small: Tuning = { random: new Random(3), clock: hastyClock(), segmentBytes: 4096 }
  return openOn(disk, DATA, options, { slackPages: 0, ...small, ...tuning })
}

/** Every key at every revision that can be read: one line a revision, at its place. */
export async function chronicle(store: BuiltLocalStore): Promise<string[]> {
  const { revision, compactedRevision = 0 } = await store.status()
  const lines: string[] = Array.from({ length: revision + 1 }, () => '')
  for (let at = Math.max(1, compactedRevision); at <= revision; at++) {
    const { kvs } = await store.range({ revision: at, limit: Infinity })
    const shown = kvs.map(({ key, value, createRevision, modRevision, version, lease }) => {
      const held = `${value.slice(0, 12)}/${value.length}`
      return `${key}=${held} c${createRevision} m${modRevision} v${version} l${lease}`
    })
    lines[at] = shown.join(' ')
  }
  return lines
}

/** Writes in some turns, several of them under way together; `tell` hears of what is durable. */
export async function writeTurns(
  store: BuiltLocalStore,
  { random, turns }: { readonly random: Random; readonly turns: number },
  tell: (revision: number) => void,
): Promise<void> {
  for (let left = turns; left > 0; left--) {
    const calls = Array.from({ length: random.between(1, 4) }, async () => {
      const { revision } = await nextWrite(random).call(store)
      tell(revision)
    })
    await Promise.all(calls)
  }
}

/** The highest revision that anybody was told of. */
export class Told {
  revision = 1

  readonly note = (revision: number): void => {
    this.revision = Math.max(this.revision, revision)
  }
}

/** Waits until a disk, and who works on it of itself, does nothing any more. */
export async function settled(disk: MemoryDisk): Promise<void> {
  for (let quiet = 0, before = -1; quiet < 20; quiet++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (disk.operationCount !== before) quiet = 0
    before = disk.operationCount
  }
}

export interface Work {
  /** The disk that each run begins with. */
  readonly start: MemoryDisk
  readonly random: Random
  /** How many operations are cut at, at most; all where there are fewer. */
  readonly cutsMax: number
  /** Works on a store that it opens, and may leave it open where it throws. */
  readonly work: (disk: MemoryDisk, told: Told) => Promise<void>
  /** Claims of what is found, after a cut or none. */
  readonly judge: (image: MemoryDisk, told: Told) => Promise<void>
}

const MODES: readonly PowerLossMode[] = ['nothing', 'torn', 'random']

/** Cuts the power at the operations of the work, one run for each; returns how many runs. */
export async function cutEverywhere({ start, random, cutsMax, ...run }: Work): Promise<number> {
  const whole = start.clone()
  const all = new Told()
  await run.work(whole, all)
  await run.judge(whole, all)
  const operations = Array.from({ length: whole.operationCount }, (_, i) => i + 1)
  if (operations.length > cutsMax) random.shuffle(operations).length = cutsMax
  for (const operation of operations) {
    const disk = start.clone()
    const told = new Told()
    disk.cutPowerAt(operation)
    await untilPowerCut(() => run.work(disk, told))
    try {
      for (const mode of MODES) await run.judge(disk.afterPowerLoss(random, mode), told)
      await run.judge(disk.processKilled(), told)
    } catch (error) {
      throw new Error(`the power was cut at operation ${operation}`, { cause: error })
    }
  }
  return operations.length
}
