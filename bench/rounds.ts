/**
 * Runs cases: every round each side once, the order turned by one place each round.
 *
 * Reads share one process for all sides in Node, so that they read with the same key objects and
 * under the same collector; bbolt has its own. Writes get a process of their own for each side and
 * round: a load leaves a large heap behind, and whoever came second would pay for it.
 */

import { execFileSync } from 'node:child_process'
import { cpSync, fsyncSync, openSync, closeSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Case } from './cases.ts'
import { type Child, startChild } from './child.ts'
import type { Dataset, KeyOrder } from './dataset.ts'
import type { Command, KeySlice, SideName } from './protocol.ts'
import type { CaseRecord } from './record.ts'
import type { SideOptions } from './sides/side.ts'

/**
 * Puts in a transaction when files are made. The same on all sides, since it shapes the tree; and
 * few, since bbolt splits pages at commit only: a large first transaction is quadratic there.
 */
const FILL_BATCH = 10_000
const WARM_UP_PUTS = 50_000
const WARM_UP_COMMITS = 1000
/** Reads that the compiler has seen before the first round. */
const WARM_UP_READS = 300_000
/**
 * Entries in a round of scans: what follows a collection, as growing the young space anew, takes
 * some milliseconds, and is no part of what a scan costs.
 */
const SCANNED_MIN = 1_000_000

export const EXTRA_PER_ROUND = 100_000

export interface Setting {
  readonly folder: string
  readonly dataset: Dataset
  readonly rounds: number
  readonly commits: number
  readonly sideOptions: SideOptions
  readonly sides: readonly SideName[]
  readonly say: (text: string) => void
}

interface Sample {
  readonly ns: number
  readonly checksum: number | undefined
}

export function removeFile(path: string): void {
  for (const suffix of ['', '-lock', '-wal', '-shm']) {
    rmSync(path + suffix, { recursive: true, force: true })
  }
}

function sizeOf(path: string): number | undefined {
  const entry = statSync(path, { throwIfNoEntry: false })
  return entry?.isFile() === true ? entry.size : undefined
}

function copyFile(source: string, target: string): void {
  removeFile(target)
  cpSync(source, target, { recursive: true })
  if (!statSync(target).isFile()) return
  // What the copy left unwritten would be paid for by the first commit's sync.
  const fd = openSync(target, 'r+')
  fsyncSync(fd)
  closeSync(fd)
}

/** How often a command does it: of a small file, one scan would be a short run. */
function timesOf(one: Case, setting: Setting): number {
  if (one.times !== undefined) return one.times
  return one.order === undefined ? Math.ceil(SCANNED_MIN / setting.dataset.keyCount) : 1
}

/** How many operations a round has, in the case's own kind. */
function operationsOf(one: Case, setting: Setting): number {
  const { dataset } = setting
  if (one.times !== undefined) return one.times
  if (one.order === undefined) return dataset.keyCount * timesOf(one, setting)
  if (one.order === 'commit') return setting.commits
  if (one.order === 'extra') return EXTRA_PER_ROUND
  if (one.order !== 'lookup') return dataset.keyCount
  return Math.ceil(dataset.count('lookup') / (one.steps ?? 1))
}

function isMeasured(side: SideName, one: Case, setting: Setting): boolean {
  if (!setting.sides.includes(side)) return false
  const limit = one.keysMax?.[side] ?? Infinity
  if (setting.dataset.keyCount <= limit) return true
  setting.say(`${one.name}: without ${side}, which is measured there up to ${limit} keys`)
  return false
}

function rotated(sides: readonly SideName[], round: number): SideName[] {
  const first = round % sides.length
  return [...sides.slice(first), ...sides.slice(0, first)]
}

class CaseRun {
  readonly #case: Case
  readonly #setting: Setting
  readonly #sides: readonly SideName[]
  readonly #operations: number

  constructor(one: Case, setting: Setting) {
    this.#case = one
    this.#setting = setting
    this.#sides = one.sides.filter((side) => isMeasured(side, one, setting))
    this.#operations = operationsOf(one, setting)
  }

  async run(): Promise<CaseRecord | undefined> {
    const sides = this.#sides
    if (sides.length === 0) return undefined
    const { rounds, dataset, sideOptions } = this.#setting
    for (const side of sides) await this.#prepare(side)
    dataset.release()
    const samples = new Map<SideName, Sample[]>(sides.map((side) => [side, []]))
    const readers = this.#case.file === 'shared' ? await this.#startReaders() : undefined
    try {
      for (let round = 0; round < rounds; round++) {
        for (const side of rotated(sides, round)) {
          const sample =
            readers === undefined
              ? await this.#write(side, round)
              : await this.#read(readers.get(side), side)
          samples.get(side)?.push(sample)
          this.#sayRound(round, side, sample)
        }
      }
    } finally {
      for (const child of new Set(readers?.values())) await child.end()
    }
    return {
      name: this.#case.name,
      keyCount: dataset.keyCount,
      operations: this.#operations,
      cacheBytes: sideOptions.cacheBytes,
      checksums: this.#checksums(samples),
      sides: sides.map((side) => this.#sideRecord(side, samples.get(side) ?? [])),
    }
  }

  #sayRound(round: number, side: SideName, { ns }: Sample): void {
    const { dataset, say } = this.#setting
    const each = (ns / this.#operations).toFixed(0)
    say(`${this.#case.name}, ${dataset.keyCount} keys, round ${round + 1}: ${side} ${each} ns`)
  }

  #sideRecord(side: SideName, samples: readonly Sample[]): CaseRecord['sides'][number] {
    const samplesNs = samples.map((sample) => sample.ns)
    const fileBytes = sizeOf(this.#path(side))
    this.#removeOwn(side)
    return fileBytes === undefined ? { side, samplesNs } : { side, samplesNs, fileBytes }
  }

  /** The file that the case works on. */
  #path(side: SideName): string {
    const { file } = this.#case
    return file === 'shared'
      ? this.#basePath(side)
      : join(this.#setting.folder, `${side}-${file}.db`)
  }

  #basePath(side: SideName): string {
    return join(this.#setting.folder, `${side}-${this.#setting.dataset.keyCount}.db`)
  }

  #removeOwn(side: SideName): void {
    if (this.#case.file !== 'shared') removeFile(this.#path(side))
  }

  /** Makes the file with all the keys where there is none yet, and the case's copy of it. */
  async #prepare(side: SideName): Promise<void> {
    const { dataset, say } = this.#setting
    if (this.#case.file === 'fresh' || side === 'disk') return
    const path = this.#basePath(side)
    if (statSync(path, { throwIfNoEntry: false }) === undefined) {
      say(`making ${side}'s file of ${dataset.keyCount} keys`)
      using child = startChild(side, this.#setting.sideOptions)
      const keys = dataset.slice('load', 0, dataset.keyCount)
      await child.ask({ side, op: 'load', path, writable: true, keys, batch: FILL_BATCH })
      await child.end()
    }
    if (this.#case.file === 'copied') copyFile(path, this.#path(side))
  }

  async #startReaders(): Promise<ReadonlyMap<SideName, Child>> {
    const { sideOptions } = this.#setting
    const inNode = this.#sides.find((side) => side !== 'bbolt')
    const shared = inNode === undefined ? undefined : startChild(inNode, sideOptions)
    const readers = new Map<SideName, Child>()
    for (const side of this.#sides) {
      const own = side === 'bbolt' ? undefined : shared
      readers.set(side, own ?? startChild(side, sideOptions))
    }
    // Reads go by turns from the start, so that no side's code is compiled on its own.
    const warmUps = Math.min(20, Math.ceil(WARM_UP_READS / this.#operations))
    for (let i = 0; i < warmUps; i++) {
      for (const side of this.#sides) await this.#read(readers.get(side), side)
    }
    return readers
  }

  async #read(child: Child | undefined, side: SideName): Promise<Sample> {
    if (child === undefined) throw new Error(`${side}: it has no process`)
    const count = this.#case.times === undefined ? this.#operations : 1
    const { ns, checksum } = await child.ask(this.#command(side, 0, count))
    return { ns, checksum }
  }

  async #write(side: SideName, round: number): Promise<Sample> {
    const { dataset, folder, sideOptions } = this.#setting
    using child = startChild(side, sideOptions)
    const isCommit = this.#case.batch === 1
    const warmUps = Math.min(dataset.keyCount, isCommit ? WARM_UP_COMMITS : WARM_UP_PUTS)
    const warmUp = join(folder, `${side}-warm-up.db`)
    removeFile(warmUp)
    await child.ask({
      ...this.#command(side, 0, 1),
      path: warmUp,
      keys: dataset.slice('load', 0, warmUps),
      batch: this.#case.batch ?? warmUps,
    })
    removeFile(warmUp)
    if (this.#case.file === 'fresh') removeFile(this.#path(side))
    // What the side before has left to the disk would be paid for by this one.
    execFileSync('sync')
    const first = this.#case.file === 'copied' ? round * this.#operations : 0
    const { ns, checksum } = await child.ask(this.#command(side, first, this.#operations))
    await child.end()
    return { ns, checksum }
  }

  #command(side: SideName, first: number, count: number): Command {
    const { op, writable, order, steps, batch, file } = this.#case
    const times = timesOf(this.#case, this.#setting)
    return {
      side,
      op,
      path: this.#path(side),
      writable,
      ...(order === undefined ? {} : { keys: this.#slice(order, first, count) }),
      ...(steps === undefined ? {} : { steps }),
      ...(file === 'shared' ? { times } : {}),
      ...(file === 'shared' ? {} : { batch: batch ?? count }),
    }
  }

  #slice(order: KeyOrder, first: number, count: number): KeySlice {
    return this.#setting.dataset.slice(order, first, count)
  }

  /** Throws where two sides read different bytes: what they were timed at isn't the same work. */
  #checksums(samples: ReadonlyMap<SideName, readonly Sample[]>): number[] {
    const found: number[] = []
    for (let round = 0; round < this.#setting.rounds; round++) {
      const sums = [...samples].flatMap(([side, list]) => {
        const checksum = list[round]?.checksum
        return checksum === undefined ? [] : [{ side, checksum }]
      })
      if (new Set(sums.map((sum) => sum.checksum)).size > 1) {
        const listed = sums.map(({ side, checksum }) => `${side} ${checksum}`).join(', ')
        throw new Error(`${this.#case.name}: the sides read different bytes: ${listed}`)
      }
      const first = sums[0]
      if (first !== undefined) found.push(first.checksum)
    }
    return found
  }
}

/** Runs one case; undefined where none of its sides is wanted. */
export function runCase(one: Case, setting: Setting): Promise<CaseRecord | undefined> {
  return new CaseRun(one, setting).run()
}
