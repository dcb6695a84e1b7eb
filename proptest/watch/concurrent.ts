/**
 * Many writers and many watches at once on a store that is compacted, closed, killed and cut off
 * from power meanwhile, on a disk in memory whose calls take a random time.
 *
 * A run is a few lives of the store, a life a few rounds. In a round writers write, a compaction
 * may come in between, watches are begun, are read at different paces, break and resume, and time
 * passes so that leases end. When a round is over the order of what was written is worked out
 * (written.ts). Everything that any watch showed is kept, and judged at the end of the run by the
 * validators of proptest/validate.
 *
 * What a crash undoes: calls that had not been answered. What a watch had shown by then stays.
 */
import { FakeClock } from '../../base/clock.ts'
import type { Clock } from '../../base/clock.ts'
import { CompactedError, isKvError } from '../../base/errors.ts'
import type { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openOn } from '../../store/open.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import type { KeyRange } from '../../store/types/key-value.ts'
import type { Watch, WatchOptions } from '../../store/types/watch.ts'
import {
  expectedEvents,
  firstRevision,
  keySetOf,
  nextRevision,
  seenEvent,
} from '../validate/watch-record.ts'
import type { WatchRecord } from '../validate/watch-record.ts'
import { watchFaults } from '../validate/watch-validators.ts'
import { nextWriteCall } from './write-calls.ts'
import { WrittenHistory } from './written.ts'

/** Turns of the event loop after which a watch that shows nothing more is taken to be through. */
const PATIENCE_TURNS = 3000

/** Counts of what was met, to show that the cases are what they are meant to be. */
export interface Tally {
  runs: number
  events: number
  resumed: number
  overtaken: number
  crashes: number
  reopenings: number
  compactions: number
  expiries: number
  /** Calls without an answer that had happened all the same. */
  survivors: number
}

export function newTally(): Tally {
  return {
    runs: 0,
    events: 0,
    resumed: 0,
    overtaken: 0,
    crashes: 0,
    reopenings: 0,
    compactions: 0,
    expiries: 0,
    survivors: 0,
  }
}

/** A watch that is begun again where it broke off, and all records of it. */
interface Chain {
  readonly options: WatchOptions
  readonly records: WatchRecord[]
  /** How many turns at most its reader lets pass between two batches. */
  readonly pace: number
  readonly breaks: number
}

/** A store from its opening to its end. */
interface Life {
  readonly disk: MemoryDisk
  readonly clock: FakeClock
  readonly store: BuiltLocalStore
  /** Watches that are being read. */
  readonly following: Map<Chain, { readonly watch: Watch; readonly done: Promise<void> }>
  /** What happens from now on is seen by nobody. */
  isDead: boolean
  /** Watches break no more, and are read at once. */
  isEnding: boolean
  /** What ends is not begun again. */
  isClosing: boolean
}

export class ConcurrentRun {
  readonly #random: Random
  readonly #tally: Tally
  readonly #written = new WrittenHistory()
  readonly #chains: Chain[] = []
  readonly #leases: bigint[] = []
  /** The highest revision that a compaction was asked for. */
  #compacted = 0

  constructor(random: Random, tally: Tally) {
    this.#random = random
    this.#tally = tally
  }

  /** What is wrong with what was shown. */
  async run(): Promise<readonly string[]> {
    const random = this.#random
    const disk = new MemoryDisk({ seed: random.u32(), idleTurns: random.pick([0, 0.3, 0.7]) })
    let life = await this.#open(disk)
    for (let left = random.between(2, 4); left > 0; left--) {
      for (let rounds = random.between(1, 3); rounds > 0; rounds--) {
        life = await this.#round(life)
      }
      if (left > 1 && random.chance(0.5)) life = await this.#reopen(life)
    }
    await this.#drain(life)
    await life.store.close()
    this.#count()
    const { model } = this.#written
    const records = this.#chains.flatMap((chain) => chain.records)
    return records.flatMap((record) => watchFaults(record, model))
  }

  #count(): void {
    const tally = this.#tally
    const records = this.#chains.flatMap((chain) => chain.records)
    tally.runs++
    tally.resumed += records.length - this.#chains.length
    tally.overtaken += records.filter((record) => record.overtaken !== undefined).length
    for (const { batches } of records) {
      for (const { events } of batches) tally.events += events.length
    }
    tally.expiries += this.#written.expiryCount
    tally.survivors += this.#written.survivedCount
  }

  async #open(disk: MemoryDisk): Promise<Life> {
    const random = this.#random
    const clock = new FakeClock()
    const options = { checkpointBytes: random.pick([600, 3000, 1e6]) }
    const store = await openOn(disk, '/data', options, {
      clock: ticking(clock, random.fork()),
      random: random.fork(),
      segmentBytes: random.pick([2048, 16_384]),
      watch: {
        queueBytesMax: random.pick([1, 500, 1e6]),
        progressRevisions: random.pick([1, 4]),
        room: { rows: random.pick([1, 3, 128]), bytes: random.pick([1, 64_000]) },
      },
    })
    const flags = { isDead: false, isEnding: false, isClosing: false }
    const life: Life = { disk, clock, store, following: new Map(), ...flags }
    for (const chain of this.#chains) this.#follow(life, chain)
    return life
  }

  async #reopen(life: Life): Promise<Life> {
    this.#tally.reopenings++
    life.isClosing = true
    await life.store.close()
    await this.#followed(life)
    return await this.#open(life.disk)
  }

  /** Until the watches of a life that is over have noticed. */
  async #followed(life: Life): Promise<void> {
    await Promise.all([...life.following.values()].map(({ done }) => done))
  }

  /** Returns the life to go on with: another one after a crash. */
  async #round(life: Life): Promise<Life> {
    const random = this.#random
    await this.#grant(life)
    const known = this.#written.model.revision
    const tasks = [this.#compact(life, known), this.#pass(life), this.#begin(life)]
    for (let left = random.between(2, 6); left > 0; left--) tasks.push(this.#write(life))
    const crash = random.chance(0.25) ? this.#crash(life) : undefined
    const next = await crash
    for (const result of await Promise.allSettled(tasks)) {
      if (result.status === 'rejected') throw result.reason
    }
    if (next === undefined) {
      await this.#written.settle(life.store)
      return life
    }
    await this.#followed(life)
    await life.store.close()
    const { compactedRevision } = await next.store.status()
    this.#compacted = compactedRevision ?? 0
    await this.#written.settle(next.store)
    return next
  }

  async #crash(life: Life): Promise<Life> {
    const random = this.#random
    await turns(random.between(0, 60))
    this.#tally.crashes++
    life.isDead = true
    const image = random.chance(0.3)
      ? life.disk.processKilled()
      : life.disk.afterPowerLoss(random.fork(), random.pick(['nothing', 'torn', 'random']))
    // What goes on in the dead life ends without its watches, which nobody reads any more.
    for (const { watch } of life.following.values()) await watch.cancel()
    return await this.#open(image)
  }

  /** Before a round, so that its outcome is known. */
  async #grant(life: Life): Promise<void> {
    const random = this.#random
    if (random.chance(0.4)) return
    const { id, ttlSeconds } = await life.store.grant({ ttlSeconds: random.pick([2, 5]) })
    this.#leases.push(id)
    if (this.#leases.length > 3) this.#leases.shift()
    this.#written.granted(id, ttlSeconds)
  }

  async #write(life: Life): Promise<void> {
    const random = this.#random.fork()
    let newest = 1
    for (let left = random.between(1, 8); left > 0; left--) {
      await turns(random.pick([0, 0, 1, 3, 10]))
      if (life.isDead) return
      const { does, call } = nextWriteCall(random, { newest, leases: this.#leases })
      const written = this.#written.begin(does)
      try {
        const { revision } = await call(life.store)
        if (life.isDead) return
        written.answer = revision
        newest = revision
      } catch (error) {
        if (life.isDead) return
        if (!isKvError(error, 'KV_LEASE_NOT_FOUND')) throw error
        written.isRefused = true
      }
    }
  }

  /** Only of what is known, so that the order of the rest can be worked out. */
  async #compact(life: Life, known: number): Promise<void> {
    const random = this.#random.fork()
    await turns(random.below(30))
    if (life.isDead || random.chance(0.4) || this.#compacted >= known) return
    const through = random.between(this.#compacted + 1, known)
    this.#compacted = through
    this.#tally.compactions++
    await life.store.compact(through, { physical: random.chance(0.3) }).catch((error: unknown) => {
      if (!life.isDead) throw error
    })
  }

  /** Time passes. */
  async #pass(life: Life): Promise<void> {
    const random = this.#random.fork()
    for (let left = random.below(4); left > 0; left--) {
      await turns(random.below(20))
      if (life.isDead) return
      await life.clock.advanceAsync(random.pick([100, 1500, 4000]))
    }
  }

  async #begin(life: Life): Promise<void> {
    const random = this.#random.fork()
    for (let left = random.between(0, 3); left > 0; left--) {
      await turns(random.below(20))
      if (life.isDead) return
      const options: WatchOptions = {
        ...nextRange(random),
        startRevision: this.#nextStart(life, random),
        only: random.pick([undefined, undefined, 'put', 'delete'] as const),
        previous: random.chance(0.5),
        progress: random.chance(0.4),
      }
      const breaks = random.pick([0, 0.1, 0.5])
      const chain = { options, records: [], pace: random.pick([0, 1, 5, 40]), breaks }
      this.#chains.push(chain)
      this.#follow(life, chain)
    }
  }

  #nextStart(life: Life, random: Random): number | undefined {
    const durable = durableOf(life.store)
    switch (random.below(4)) {
      case 0:
        return undefined
      case 1:
        return durable + random.between(1, 9)
      case 2:
        return Math.max(1, this.#compacted)
      default:
        return random.between(Math.max(1, this.#compacted - 2), durable)
    }
  }

  /** Begins or resumes a watch, and reads it from now on. */
  #follow(life: Life, chain: Chain): void {
    const last = chain.records.at(-1)
    const { options } = chain
    const startRevision =
      last === undefined ? options.startRevision : (last.overtaken?.compacted ?? nextRevision(last))
    const record: WatchRecord = {
      name: `watch ${this.#chains.indexOf(chain)}.${chain.records.length}`,
      keys: keySetOf(options),
      startRevision,
      only: options.only,
      previous: options.previous === true,
      progress: options.progress === true,
      registeredAt: durableOf(life.store),
      batches: [],
      drainedTo: undefined,
      overtaken: undefined,
    }
    chain.records.push(record)
    const watch = life.store.watch<never>({ ...options, startRevision })
    const done = this.#read(life, chain, { watch, record })
    // Awaited when the life is over.
    done.catch(() => {})
    life.following.set(chain, { watch, done })
  }

  async #read(
    life: Life,
    chain: Chain,
    { watch, record }: { readonly watch: Watch; readonly record: WatchRecord },
  ): Promise<void> {
    const random = this.#random.fork()
    let isBroken = false
    try {
      for await (const { revision, events } of watch) {
        if (life.isDead) return
        const compacted = this.#compacted
        record.batches.push({ revision, events: events.map(seenEvent), compacted })
        if (life.isEnding) continue
        await turns(random.below(chain.pace + 1))
        isBroken = !life.isEnding && random.chance(chain.breaks)
        if (isBroken) break
      }
    } catch (error) {
      if (life.isDead) return
      if (!(error instanceof CompactedError)) throw error
      record.overtaken = { requested: error.requested, compacted: error.compacted }
    }
    if (life.isDead || !(isBroken || record.overtaken !== undefined)) return
    await turns(random.below(10))
    if (!life.isDead && !life.isClosing) this.#follow(life, chain)
  }

  /** Reads all watches on until they have shown what is to be shown, then asks for more. */
  async #drain(life: Life): Promise<void> {
    life.isEnding = true
    const { model } = this.#written
    const isThrough = (chain: Chain): boolean => {
      const record = chain.records.at(-1)
      if (record === undefined) return true
      const span = { first: firstRevision(record), last: model.revision }
      const shown = record.batches.reduce((sum, { events }) => sum + events.length, 0)
      return shown >= expectedEvents(record, model, span).length
    }
    for (let left = PATIENCE_TURNS; left > 0 && !this.#chains.every(isThrough); left--) {
      await turns(1)
    }
    // Time for what should not come.
    await turns(50)
    life.isClosing = true
    for (const { watch } of life.following.values()) await watch.cancel()
    await this.#followed(life)
    for (const { records } of this.#chains) {
      const record = records.at(-1)
      if (record !== undefined && record.overtaken === undefined) {
        record.drainedTo = model.revision
      }
    }
    // A lease may have ended since the last round, and been shown.
    await this.#written.settle(life.store)
  }
}

/** A clock that goes on a little with each look at it, so that long work pauses now and then. */
function ticking(clock: FakeClock, random: Random): Clock {
  let aheadMs = 0
  return {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => {
      aheadMs += random.chance(0.1) ? 3 : 0.01
      return clock.monotonicMs() + aheadMs
    },
    setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
  }
}

/** The newest revision that anyone can see. */
function durableOf(store: BuiltLocalStore): number {
  const view = store.view()
  const { revision } = view
  view.close()
  return revision
}

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function nextRange(random: Random): KeyRange {
  return random.pick<KeyRange>([
    { key: 'a' },
    { key: 'b' },
    { prefix: '' },
    { prefix: 'a' },
    { prefix: 'nothing' },
    { start: 'aa', end: 'c' },
    { fromKey: 'b' },
    {},
  ])
}
