/**
 * A disk that fails, or is full, while a store works on it.
 *
 * Claims
 *   1. every call ends, with a result or an operating error; nothing else comes out, and nobody is
 *      left waiting;
 *   2. a call that resolved is there afterwards, one that was rejected with `outcome: 'none'` is
 *      not, and what was `unknown` is there or not, in order and whole;
 *   3. a full disk alone poisons nothing: the store answers reads, and writes again once there is
 *      room;
 *   4. whatever failed, the store closes, and opens again on a sound disk with all of that.
 */

import { Random } from '../../base/random.ts'
import { isKvError } from '../../base/errors.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import { History, nextPut, nextWrite } from './history.ts'
import { claim, formOf, look, openForm } from './life.ts'
import type { Form } from './life.ts'

const CODES = [
  'KV_NO_SPACE',
  'KV_IO',
  'KV_POISONED',
  'KV_BUSY',
  // The store was closed behind the call's back: opening it had failed.
  'KV_CLOSED',
]

export interface Tally {
  cases: number
  openingsFailed: number
  poisoned: number
  refused: number
  unknown: number
  unnoticed: number
}

export function newTally(): Tally {
  return { cases: 0, openingsFailed: 0, poisoned: 0, refused: 0, unknown: 0, unnoticed: 0 }
}

type Apply = (state: Map<string, string>) => boolean

/** What is known after calls that may have failed. */
class Outcomes {
  readonly history: History
  readonly #unknown: Apply[] = []
  isPoisoned = false
  refused = 0

  constructor(history: History) {
    this.history = history
  }

  get unknownCount(): number {
    return this.#unknown.length
  }

  succeeded(apply: Apply, revision: number): void {
    claim(this.#unknown.length === 0, 'a write succeeded after one of which nobody knows')
    this.history.add(apply)
    this.history.tell(this.history.revision)
    claim(revision === this.history.revision, () => `told ${revision}, not the next revision`)
  }

  failed(apply: Apply, error: unknown): void {
    if (!isKvError(error)) throw error
    claim(CODES.includes(error.code), () => `${error.code}: ${error.message}`)
    this.refused++
    if (error.code !== 'KV_NO_SPACE' || error.outcome === 'unknown') this.isPoisoned = true
    if (error.outcome === 'unknown') this.#unknown.push(apply)
  }

  /** What may be found: everything told, and then the unknown ones as far as they got. */
  finish(): void {
    for (const apply of this.#unknown.splice(0)) this.history.add(apply)
  }
}

/** Writes for some turns, going on after failures. */
async function work(
  store: BuiltLocalStore,
  outcomes: Outcomes,
  form: Form,
  random: Random,
): Promise<void> {
  for (let turn = 0; turn < form.turns; turn++) {
    const calls: Promise<{ readonly revision: number }>[] = []
    const applies: Apply[] = []
    for (let i = random.below(4); i >= 0; i--) {
      const { apply, call } = nextWrite(random)
      applies.push(apply)
      const made = call(store)
      // It is looked at below, when it may have been rejected for some turns.
      made.catch(() => {})
      calls.push(made)
      if (random.chance(0.2)) await new Promise((resolve) => setImmediate(resolve))
    }
    const results = await Promise.allSettled(calls)
    for (const [i, result] of results.entries()) {
      const apply = applies[i] as Apply
      if (result.status === 'fulfilled') outcomes.succeeded(apply, result.value.revision)
      else outcomes.failed(apply, result.reason)
    }
    if (random.chance(0.3)) putSync(store, outcomes, random)
  }
}

function putSync(store: BuiltLocalStore, outcomes: Outcomes, random: Random): void {
  const { key, value } = nextPut(random)
  const apply: Apply = (state) => Boolean(state.set(key, value))
  try {
    outcomes.succeeded(apply, store.putSync(key, value).revision)
  } catch (error) {
    outcomes.failed(apply, error)
  }
}

export interface FailureCase {
  readonly operation: number
  readonly code: 'EIO' | 'ENOSPC'
  readonly leaves: 'nothing' | 'part'
}

function failureForm(seed: number): Form {
  return { ...formOf(new Random(seed), seed), sync: 'full' }
}

/** How many operations a workload takes on a sound disk. */
export async function operationsOf(seed: number): Promise<number> {
  const disk = new MemoryDisk({ seed })
  await runOn(disk, { form: failureForm(seed), random: new Random(seed).fork() }, newTally())
  return disk.operationCount
}

interface Run {
  readonly form: Form
  readonly random: Random
}

/** Called when the store is open, and when the work is done, before it is looked at. */
interface Moments {
  readonly opened?: () => void
  readonly worked?: () => void
}

/** Opens, works, closes; returns what may be found afterwards. */
async function runOn(
  disk: MemoryDisk,
  { form, random }: Run,
  tally: Tally,
  moments: Moments = {},
): Promise<History> {
  const history = new History()
  let store: BuiltLocalStore
  try {
    store = await openForm(disk, form, { random })
  } catch (error) {
    claim(isKvError(error), () => `opening failed with ${String(error)}`)
    tally.openingsFailed++
    return history
  }
  moments.opened?.()
  const outcomes = new Outcomes(history)
  await work(store, outcomes, form, random)
  moments.worked?.()
  const isPoisoned = outcomes.isPoisoned || (await isPoisonedBehind(store, history, random))
  if (isPoisoned) tally.poisoned++
  if (outcomes.refused === 0) tally.unnoticed++
  tally.refused += outcomes.refused
  tally.unknown += outcomes.unknownCount
  outcomes.finish()
  await store.close().catch((error: unknown) => {
    claim(isKvError(error), () => `close() failed with ${String(error)}`)
  })
  return history
}

/** Looks; whether what goes on behind the calls has failed meanwhile, such as a checkpoint. */
async function isPoisonedBehind(
  store: BuiltLocalStore,
  history: History,
  random: Random,
): Promise<boolean> {
  try {
    await look(store, history.copy(), random)
    return false
  } catch (error) {
    if (isKvError(error, 'KV_POISONED')) return true
    throw error
  }
}

async function claimReopens(disk: MemoryDisk, history: History, run: Run): Promise<void> {
  const store = await openForm(disk, run.form, { random: run.random })
  history.cut(await look(store, history, run.random))
  const { apply, call } = nextWrite(run.random)
  history.add(apply)
  const { revision } = await call(store)
  claim(revision === history.revision, () => `goes on at ${revision}, not ${history.revision}`)
  await store.close()
}

/** One operation fails; then the disk is sound, or the power goes first. */
export async function failAt(seed: number, failure: FailureCase, tally: Tally): Promise<void> {
  tally.cases++
  const form = failureForm(seed)
  const random = new Random(seed).fork()
  const disk = new MemoryDisk({ seed })
  disk.injectFault(failure)
  const history = await runOn(disk, { form, random }, tally)
  const chance = new Random(seed * 4096 + failure.operation)
  const run = { form, random: chance }
  await claimReopens(disk.clone(), history.copy(), run)
  await claimReopens(disk.afterPowerLoss(chance, chance.pick(['nothing', 'random'])), history, run)
}

/** How many reads a workload takes on a sound disk once its store is open. */
export async function readsOf(seed: number): Promise<number> {
  let reads = 0
  const disk = new MemoryDisk({
    seed,
    trace: ({ kind }) => {
      if (kind === 'read') reads++
    },
  })
  const run = { form: failureForm(seed), random: new Random(seed).fork() }
  await runOn(disk, run, newTally(), {
    opened: () => {
      reads = 0
    },
  })
  return reads
}

/** Once the store is open, `times` reads fail after `skip` that don't. */
export async function failReads(
  seed: number,
  failure: { readonly skip: number; readonly times: number },
  tally: Tally,
): Promise<void> {
  tally.cases++
  const form = failureForm(seed)
  const random = new Random(seed).fork()
  const disk = new MemoryDisk({ seed })
  let mend = (): void => {}
  const history = await runOn(disk, { form, random }, tally, {
    opened: () => {
      mend = disk.injectFault({ kind: 'read', code: 'EIO', ...failure })
    },
    worked: () => mend(),
  })
  const run = { form, random: new Random(seed * 4096 + failure.skip) }
  await claimReopens(disk.clone(), history, run)
}

/** The disk has room for `capacityBytes` and no more, until it has. */
export async function fillUp(seed: number, capacityBytes: number, tally: Tally): Promise<void> {
  tally.cases++
  const form = failureForm(seed)
  const random = new Random(seed).fork()
  const disk = new MemoryDisk({ seed, capacityBytes })
  const history = await runOn(disk, { form, random }, tally)
  const chance = new Random(seed * 4096 + capacityBytes)
  const run = { form, random: chance }
  const roomy = { capacityBytes: Infinity }
  await claimReopens(disk.clone(roomy), history.copy(), run)
  await claimReopens(disk.afterPowerLoss(chance, 'random', roomy), history, run)
}
