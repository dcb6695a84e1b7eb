/**
 * A store's life on a disk in memory: opened, looked at, written to in several ways, closed or not.
 *
 * Claims of every opening
 *   1. it succeeds;
 *   2. the revision found is not below any that was acknowledged or shown, and not above the last
 *      one written;
 *   3. at every revision looked at the content is what the writes up to there add up to.
 */

import { systemClock } from '../../base/clock.ts'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { isKvError } from '../../base/errors.ts'
import { PowerCut } from '../../disk/fault-plan.ts'
import type { MemoryDisk } from '../../disk/memory-disk.ts'
import { openOn } from '../../store/open.ts'
import type { Tuning } from '../../store/open.ts'
import type { BuiltLocalStore, BuiltOpenOptions } from '../../store/types.ts'
import { nextPut, nextWrite, stateFault } from './history.ts'
import type { Found, History } from './history.ts'

export const DATA = '/data'
export const DB_PATH = '/data/db'

/** Revisions looked at, beside the newest and the oldest ones. */
const LOOKS = 6

/** How the stores of one workload are opened. */
export interface Form {
  readonly seed: number
  readonly sync: 'full' | 'os' | 'none'
  readonly checkpointBytes: number
  readonly cacheBytes: number
  readonly segmentBytes: number
  /** Turns of work in a life. */
  readonly turns: number
  /** Whether the file is defragmented now and then. */
  readonly defragments: boolean
  /** Default: segments that are not needed any more are removed. */
  readonly archive?: BuiltOpenOptions['archive']
}

export function formOf(random: Random, seed: number): Form {
  return {
    seed,
    sync: random.pick(['full', 'full', 'full', 'full', 'os', 'none'] as const),
    checkpointBytes: random.pick([600, 2000, 6000, 1e6]),
    cacheBytes: random.pick([16_384, 65_536, 1_048_576]),
    segmentBytes: random.pick([2048, 4096, 16_384]),
    turns: random.between(2, 9),
    defragments: random.chance(0.4),
  }
}

/** Set where what was acknowledged is on the disk, not with the system only. */
function isDurable({ sync }: Form): boolean {
  return sync === 'full'
}

export class LifeError extends Error {
  override readonly name: string = 'LifeError'
}

export function claim(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new LifeError(typeof message === 'string' ? message : message())
}

export function openForm(
  disk: MemoryDisk,
  form: Form,
  options: { readonly random: Random; readonly readOnly?: boolean },
): Promise<BuiltLocalStore> {
  const { sync, checkpointBytes, cacheBytes, segmentBytes, archive } = form
  const { random, readOnly = false } = options
  const given: BuiltOpenOptions = { sync, checkpointBytes, cacheBytes, readOnly, archive }
  const tuning: Tuning = {
    random: random.fork(),
    clock: seededClock(random.fork()),
    segmentBytes,
    slackPages: 0,
  }
  return openOn(disk, DATA, given, tuning)
}

const WALL_MS = 1_700_000_000_000

/**
 * A clock whose readings follow from the seed, so that a run can be repeated: records carry the
 * time, and long work pauses by it. Most readings are close, a few are so far apart that work
 * pauses.
 */
function seededClock(random: Random): Clock {
  let nowMs = 0
  const monotonicMs = (): number => {
    nowMs += random.chance(0.1) ? 7 : 0.01
    return nowMs
  }
  return {
    monotonicMs,
    wallMs: () => WALL_MS + Math.floor(monotonicMs()),
    setTimer: (delayMs, callback) => systemClock.setTimer(delayMs, callback),
  }
}

/** Checks what an opening shows; what it does not show has not happened. Returns the revision. */
export async function look(
  store: BuiltLocalStore,
  history: History,
  random: Random,
): Promise<Found> {
  const { revision, compactedRevision = 0 } = await store.status()
  const { asked, told } = history.compaction
  claim(
    compactedRevision >= told && compactedRevision <= asked,
    () => `compacted at ${compactedRevision}: ${told} was told, ${asked} asked for`,
  )
  claim(revision >= history.floor, () => `revision ${revision} found, ${history.floor} was told`)
  claim(revision <= history.revision, () => `${revision} found, ${history.revision} written`)
  const looks = new Set([1, 2, revision, revision - 1])
  for (let i = 0; i < LOOKS; i++) looks.add(random.between(1, revision))
  for (const at of looks) {
    if (at < 1 || at > revision) continue
    if (at < compactedRevision) {
      await claimCompacted(store, at)
      continue
    }
    const fault = await stateFault(store, history, at)
    claim(fault === undefined, () => fault ?? '')
  }
  return { revision, compactedRevision }
}

async function claimCompacted(store: BuiltLocalStore, revision: number): Promise<void> {
  const refused = await store.range({ revision }).then(
    () => 'it was read',
    (error: unknown) => (isKvError(error, 'KV_COMPACTED') ? undefined : String(error)),
  )
  claim(refused === undefined, () => `revision ${revision} is compacted: ${refused}`)
}

export interface LiveOptions {
  readonly form: Form
  readonly random: Random
  /** It may be left open. */
  readonly isLast: boolean
}

/** Opens, looks, works for some turns, and mostly closes. */
export async function live(
  disk: MemoryDisk,
  history: History,
  { form, random, isLast }: LiveOptions,
): Promise<void> {
  const store = await openForm(disk, form, { random })
  const calls: Promise<unknown>[] = []
  try {
    history.cut(await look(store, history, random))
    // Whoever opened it has seen it.
    history.tellAll()
    for (let turn = 0; turn < form.turns; turn++) {
      calls.push(...begin(store, history, form, random))
      // Another turn begins while records are on their way.
      if (random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve))
      else if (random.chance(0.7)) await Promise.all(calls)
    }
  } catch (error) {
    // Its files are let go of; the power may be off.
    await store.close().catch(() => {})
    throw error
  }
  if (isLast && random.chance(0.25)) return
  await store.close()
  await Promise.all(calls)
  history.tellAll()
}

/** Makes some calls; what they answer is noted. */
function begin(
  store: BuiltLocalStore,
  history: History,
  form: Form,
  random: Random,
): Promise<unknown>[] {
  const calls: Promise<unknown>[] = []
  const tell = ({ revision }: { readonly revision: number }): void => {
    if (isDurable(form)) history.tell(revision)
  }
  const note = (call: Promise<{ readonly revision: number }>): void => {
    const told = call.then(tell)
    // It is awaited later; the synchronous path may meet the power cut first.
    told.catch(() => {})
    calls.push(told)
  }
  for (let i = random.below(5); i >= 0; i--) {
    if (random.chance(0.15)) {
      const { key, value } = nextPut(random)
      history.add((state) => Boolean(state.set(key, value)))
      tell(store.putSync(key, value))
    } else {
      const { apply, call } = nextWrite(random)
      history.add(apply)
      note(call(store))
    }
  }
  if (random.chance(0.25)) {
    const call = compact(store, history, form, random)
    if (call !== undefined) note(call)
  }
  if (form.defragments && random.chance(0.3)) calls.push(defragment(store))
  note(store.range({ limit: 1 }))
  return calls
}

/** Moves pages about while the other calls of this turn and later ones are under way. */
function defragment(store: BuiltLocalStore): Promise<unknown> {
  const done = store.defragment().catch((error: unknown) => {
    // The store was closed meanwhile.
    if (!isKvError(error, 'KV_CLOSED')) throw error
  })
  // It is awaited later.
  done.catch(() => {})
  return done
}

/** Asks for a compaction; undefined where there is nothing to compact. */
function compact(
  store: BuiltLocalStore,
  history: History,
  form: Form,
  random: Random,
): Promise<{ readonly revision: number }> | undefined {
  const { compaction, revision: newest } = history
  if (compaction.asked >= newest) return undefined
  const through = random.between(compaction.asked + 1, newest)
  compaction.asked = through
  const physical = random.chance(0.3)
  return store.compact(through, { physical }).then(
    (done) => {
      if (isDurable(form)) compaction.told = Math.max(compaction.told, through)
      return done
    },
    (error: unknown) => {
      // The store was closed before all rows were gone.
      if (physical && isKvError(error, 'KV_CLOSED')) return { revision: 0 }
      throw error
    },
  )
}

export function isPowerCut(error: unknown): boolean {
  if (error instanceof PowerCut) return true
  return isKvError(error) && isPowerCut(error.cause)
}

/** True when the power went. */
export async function untilPowerCut(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work()
    return false
  } catch (error) {
    if (isPowerCut(error)) return true
    throw error
  }
}
