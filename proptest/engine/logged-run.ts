/**
 * A run of an engine with a log on a disk in memory, for faults at each operation of the disk:
 * commits of all kinds, records that become durable late, checkpoints with writers and readers
 * open, a file that grows and shrinks. The log itself is not on the disk: what it has made durable
 * before the power goes is known.
 */

import { Random } from '../../base/random.ts'
import type { MemoryDisk } from '../../disk/memory-disk.ts'
import { isKvError } from '../../base/errors.ts'
import type { LogGroup } from '../../base/log-group.ts'
import { PowerCut } from '../../disk/fault-plan.ts'
import { checkpoint } from '../../engine/checkpoint.ts'
import type { Engine, Tx } from '../../engine/index.ts'
import { attachLog, openForLog } from '../../engine/open-logged.ts'
import { HeldLog } from './held-log.ts'
import { DB_PATH } from './memory-engine.ts'

export const LOG_ID = 7
const KEYS = 60
const BUCKETS = ['b', 'c'] as const

/** By bucket and key, blank between: what the value is filled with, and its size. */
export type Content = ReadonlyMap<string, { readonly fill: number; readonly size: number }>

/** What was committed: the content by txid, each since the file was made. */
export type States = Map<number, Content>

export function stateAt(states: States, txid: number): Content {
  for (let t = txid; t >= 0; t--) {
    const found = states.get(t)
    if (found !== undefined) return found
  }
  return new Map()
}

/** Throws where the transaction does not see exactly `content`. */
export function mustHold(tx: Tx, content: Content, where: string): void {
  let count = 0
  for (const name of BUCKETS) {
    const cursor = tx.bucket(name)?.cursor()
    for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
      const key = `${name} ${Buffer.from(entry.key).toString()}`
      const expected = content.get(key)
      if (expected === undefined || !isFilled(entry.value, expected))
        throw new Error(`${where}: transaction ${tx.id}: ${key} is wrong`)
      count++
    }
  }
  if (count === content.size) return
  throw new Error(`${where}: transaction ${tx.id}: ${count} keys for ${content.size}`)
}

function isFilled(
  value: Uint8Array | undefined,
  { fill, size }: { readonly fill: number; readonly size: number },
): boolean {
  return value !== undefined && Buffer.compare(value, Buffer.alloc(size, fill)) === 0
}

/** A log that the power cut stops, too. */
class CutLog extends HeldLog {
  readonly #disk: MemoryDisk

  constructor(disk: MemoryDisk, durable: readonly LogGroup[]) {
    super(durable)
    this.#disk = disk
  }

  override sync(count: number): void {
    if (this.#disk.isPowerOff) return
    super.sync(count)
  }

  override appendSync(group: LogGroup): void {
    if (this.#disk.isPowerOff) throw new PowerCut()
    super.appendSync(group)
  }
}

interface Writer {
  readonly tx: Tx
  readonly draft: Map<string, { fill: number; size: number }>
}

export interface RunSetup {
  readonly disk: MemoryDisk
  readonly seed: number
  readonly states: States
  /** What the log holds, in order; it may begin anywhere before the file's own txid. */
  readonly groups: readonly LogGroup[]
  readonly steps: number
}

export class LoggedRun {
  readonly #setup: RunSetup
  readonly #random: Random
  readonly #disk: MemoryDisk
  readonly #states: States
  readonly log: CutLog
  #opened: Engine | undefined
  #writer: Writer | undefined
  #readers: { readonly tx: Tx; readonly content: Content }[] = []
  #checkpoint: Promise<void> | undefined
  /** Checkpoints that came to their end, and those given up for want of space. */
  finished = 0
  abandoned = 0

  constructor(setup: RunSetup) {
    this.#setup = setup
    this.#random = new Random(setup.seed)
    this.#disk = setup.disk
    this.#states = setup.states
    this.log = new CutLog(setup.disk, setup.groups)
  }

  /** Whether opening has returned. */
  get isOpened(): boolean {
    return this.#opened !== undefined
  }

  get #engine(): Engine {
    if (this.#opened === undefined) throw new Error('not open')
    return this.#opened
  }

  /** Records that are not durable and yet might be found. */
  get heldGroups(): readonly LogGroup[] {
    return this.log.heldGroups
  }

  /**
   * Runs to the end, or to the power cut, or until the handle is poisoned; says which. Any other
   * error is thrown.
   */
  async run(): Promise<'done' | 'cut' | 'poisoned'> {
    try {
      await this.#open()
      for (let i = 0; i < this.#setup.steps; i++) {
        await this.#step()
        if (this.#disk.isPowerOff) return 'cut'
        if (this.#engine.core.isPoisoned) return 'poisoned'
      }
      await this.#end()
      return 'done'
    } catch (error) {
      if (this.#disk.isPowerOff) return 'cut'
      if (isKvError(error) && (this.#opened?.core.isPoisoned ?? true)) return 'poisoned'
      throw error
    }
  }

  async #open(): Promise<void> {
    const cacheBytes = this.#random.pick([16, 16, 4096]) * 1024
    const options = { disk: this.#disk, lock: 'none', pageSizeBytes: 1024, cacheBytes } as const
    const engine = await openForLog(DB_PATH, options)
    try {
      const { log } = this
      await attachLog(engine, { log, logId: LOG_ID, groups: this.#setup.groups })
    } catch (error) {
      await engine.close()
      throw error
    }
    this.#opened = engine
  }

  async #end(): Promise<void> {
    this.#writer?.tx.rollback()
    this.#writer = undefined
    for (let i = 0; i < 2; i++) {
      await this.#finish()
      this.#startCheckpoint()
    }
    await this.#finish()
    if (this.#disk.isPowerOff || this.#engine.core.isPoisoned) return
    await this.#engine.close()
  }

  async #step(): Promise<void> {
    const random = this.#random
    switch (random.below(13)) {
      case 0:
      case 1:
      case 2:
        if (this.#writer === undefined) this.#begin()
        this.#edit()
        break
      case 3:
      case 4:
      case 5:
        if (this.#writer === undefined) this.#begin()
        this.#edit()
        this.#commit(random.chance(0.3))
        break
      case 6:
        this.#writer?.tx.rollback()
        this.#writer = undefined
        break
      case 7:
        this.log.sync(random.between(1, 3))
        break
      case 8:
        this.#closeReaders()
        this.#openReader()
        break
      case 9:
      case 10:
        if (this.#checkpoint === undefined && this.#writer === undefined) this.#startCheckpoint()
        break
      case 11:
        await this.#finish()
        break
      default:
        break
    }
    await settle(random.below(6))
    this.#verify()
  }

  #begin(): void {
    const tx = this.#engine.beginNow({ writable: true })
    const draft = new Map(stateAt(this.#states, tx.id - 1))
    this.#writer = { tx, draft }
  }

  #edit(): void {
    if (this.#writer === undefined) return
    try {
      this.#change(this.#writer)
    } catch (error) {
      // Pages are written early where memory is short.
      if (!isKvError(error, 'KV_NO_SPACE')) throw error
      this.#writer.tx.rollback()
      this.#writer = undefined
    }
  }

  #change({ tx, draft }: Writer): void {
    const random = this.#random
    const name = random.pick(BUCKETS)
    if (random.chance(0.06)) {
      if (tx.bucket(name) !== undefined) tx.deleteBucket(name)
      for (const key of draft.keys()) if (key.startsWith(name)) draft.delete(key)
      return
    }
    const bucket = tx.createBucketIfNotExists(name)
    const count = random.pick([1, 2, 3, 40])
    for (let i = 0; i < count; i++) {
      const key = `k${random.below(KEYS)}`
      if (random.chance(0.3)) {
        bucket.delete(key)
        draft.delete(`${name} ${key}`)
        continue
      }
      const isLarge = random.chance(0.02)
      const size = isLarge ? random.between(20_000, 200_000) : random.pick([0, 30, 300, 1500])
      const fill = random.below(256)
      bucket.put(key, new Uint8Array(size).fill(fill))
      draft.set(`${name} ${key}`, { fill, size })
    }
  }

  #commit(isSync: boolean): void {
    if (this.#writer === undefined) return
    const { tx, draft } = this.#writer
    this.#writer = undefined
    // It may be found however the call ends.
    this.#states.set(tx.id, draft)
    const before = this.#engine.core.head.txid
    try {
      if (isSync) tx.commit()
      else tx.commitAsync().catch(() => {})
    } finally {
      if (this.#engine.core.head.txid === before) this.#states.delete(tx.id)
    }
  }

  #openReader(): void {
    const tx = this.#engine.beginNow({ writable: false })
    this.#readers.push({ tx, content: stateAt(this.#states, tx.id) })
  }

  #closeReaders(): void {
    const [reader] = this.#readers.splice(0, this.#random.below(3))
    if (reader !== undefined) mustHold(reader.tx, reader.content, 'a reader')
    reader?.tx.rollback()
  }

  #startCheckpoint(): void {
    this.#checkpoint = checkpoint(this.#engine)
  }

  async #finish(): Promise<void> {
    if (this.#checkpoint === undefined) return
    const running = this.#checkpoint
    this.#checkpoint = undefined
    this.log.sync(Infinity)
    if (this.#disk.isPowerOff) throw new PowerCut()
    try {
      await running
      this.finished++
    } catch (error) {
      if (!isKvError(error, 'KV_NO_SPACE')) throw error
      if (this.#engine.core.isPoisoned) throw error
      this.abandoned++
      this.#mustBeClean()
      // A writer may be in the way of the next try; the log, never.
      if (this.#writer !== undefined) return
      this.#startCheckpoint()
      await this.#finish()
    }
    this.#mustBeClean()
  }

  #mustBeClean(): void {
    mustBeClean(this.#engine, 'after a checkpoint')
  }

  #verify(): void {
    if (this.#disk.isPowerOff || this.#engine.core.isPoisoned) return
    const { txid } = this.#engine
    const acknowledged = this.log.durable.at(-1)?.txid ?? txid
    if (txid > acknowledged) throw new Error(`${txid} is visible, ${acknowledged} durable`)
    this.#engine.view((tx) => mustHold(tx, stateAt(this.#states, tx.id), 'visible'))
    for (const { tx, content } of this.#readers) mustHold(tx, content, 'a reader')
  }
}

/** Lets the event loop turn: a checkpoint under way gets on by a few operations. */
async function settle(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
}

export function mustBeClean(engine: Engine, where: string): void {
  for (const generation of ['newest', 'previous'] as const) {
    if (generation === 'previous' && engine.generations.previous === undefined) continue
    const { findings } = engine.check({ generation })
    if (findings.length === 0) continue
    throw new Error(`${where}: check of ${generation}: ${JSON.stringify(findings.slice(0, 3))}`)
  }
}
