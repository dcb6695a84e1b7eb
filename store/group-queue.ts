/**
 * The queue of writes: group commit.
 *
 *   submit ─▶ queue ─▶ one engine transaction for a turn's writes ─▶ record in the log ─▶ durable
 *             bounded  run one after the other, in memory; the head    │ the next turn's writes
 *                                                                      ▼ don't wait for it
 *                                                                  visible ─▶ resolve
 *
 * Nothing waits for a timer: the writes of one turn of the event loop commit when it ends. While a
 * record is on its way, later turns make theirs, and all that gathers there is written and synced
 * together.
 *
 * Invariants
 *   1. Writes run, and resolve or reject, in the order of `submit`.
 *   2. Nothing resolves or rejects by what it read at the head before all that it read is durable,
 *      also what wrote nothing.
 *   3. A group runs within one call, so that no engine transaction is open when others run: that
 *      lets `submitSync` take the queue over at any time.
 *   4. A write that fails on its own checks rejects alone. One that fails half-way takes the engine
 *      transaction with it; the group is then run again one by one.
 *   5. A group whose record has no room in the log is undone before it is the head, and runs again
 *      when there is room. Where the disk is full its writes run one by one, and each that has no
 *      room rejects alone, unchanged.
 *   6. A record that could not be made durable poisons queue and engine: its writes and all later
 *      ones reject.
 */

import type { Tx } from '../engine/index.ts'
import { AssertionError, assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { KvError } from '../base/errors.ts'
import type { Head, Mvcc, WriteGroup } from '../mvcc/mvcc.ts'
import type { Database } from '../snapshot/database.ts'
import { Pacer } from './pause.ts'
import { keepSettlers, newest, runOne } from './pending-write.ts'
import type { Pending, Ran, Write } from './pending-write.ts'

/** A group takes no more writes once it has this many bytes: a transaction is held in memory. */
const GROUP_BYTES_MAX = 16 * 1024 * 1024
/** What a queued write takes beside its keys and values, roughly. */
const WRITE_BYTES = 256
/** More records are not sent on their way before the first of them is durable. */
const IN_FLIGHT_MAX = 16
/** Nor more bytes. */
const BACKLOG_BYTES_MAX = 4 * 1024 * 1024

/** Room in the log that a group lacked. */
interface Need {
  readonly byteCount: number
  /** The group that lacked it: its first write, and how many they are. */
  readonly first: Pending
  readonly count: number
  readonly isFreeing: boolean
}

interface Held {
  readonly byteCount: number
  readonly count: number
  release(): void
}

export interface GroupQueueSetup {
  readonly database: Database
  readonly mvcc: Mvcc
  readonly clock: Clock
  /** How many bytes may wait to be durable; beyond, a write is refused. */
  readonly maxPendingBytes: number
  /**
   * Called when a head is durable; maybe later than a newer one, where somebody could not wait.
   */
  readonly publish: (head: Head) => void
  /**
   * Called when the record of so many writes goes on its way; what it returns, when it is durable.
   */
  readonly sent: (writeCount: number) => ((head: Head) => void) | undefined
  /** Called once, when no more writes are taken. */
  readonly onPoisoned: (cause: unknown) => void
}

export class GroupQueue {
  readonly #database: Database
  readonly #mvcc: Mvcc
  readonly #clock: Clock
  /** Tells when a turn has taken long enough. */
  readonly #pacer: Pacer
  readonly #maxPendingBytes: number
  readonly #publish: (head: Head) => void
  readonly #sent: GroupQueueSetup['sent']
  readonly #onPoisoned: (cause: unknown) => void
  #queue: Pending[] = []
  #queuedBytes = 0
  #isScheduled = false
  #isWaiting = false
  /** Room in the log for the group that lacked it. */
  #held: Held | undefined
  /** How many of the first writes are to run in groups of their own. */
  #singles = 0
  /** Groups whose records are on their way. */
  #inFlight = 0
  /** Settles when the newest of them is durable, or lost. */
  #durable: Promise<void> = Promise.resolve()
  #lastTimeMs: number
  #settleWaiters: (() => void)[] = []
  #idleWaiters: (() => void)[] = []
  #poison: { readonly cause: unknown } | undefined

  constructor(setup: GroupQueueSetup) {
    this.#database = setup.database
    this.#mvcc = setup.mvcc
    this.#clock = setup.clock
    this.#pacer = new Pacer(setup.clock)
    this.#maxPendingBytes = setup.maxPendingBytes
    this.#publish = setup.publish
    this.#sent = setup.sent
    this.#onPoisoned = setup.onPoisoned
    this.#lastTimeMs = setup.database.lastTimeMs
  }

  /** @throws {KvError} `KV_POISONED` after a failure that only reopening can mend */
  mustBeSound(): void {
    const { engine } = this.#database
    if (this.#poison === undefined) {
      // A checkpoint may have failed behind everybody's back.
      engine.mustBeSound()
      return
    }
    const { path } = engine
    const what = 'an earlier failure makes it unsafe to go on; close and open it again'
    throw new KvError('KV_POISONED', `${path}: ${what}`, { cause: this.#poison.cause })
  }

  /** Whether writes are taken at all. */
  get isSound(): boolean {
    return this.#poison === undefined && this.#database.engine.isSound
  }

  /** What `mustBeSound` throws; undefined: nothing. */
  get refusal(): unknown {
    try {
      this.mustBeSound()
      return undefined
    } catch (error) {
      return error
    }
  }

  /**
   * Queues a write. Resolves with what it returned when that is durable.
   * @throws {KvError} `KV_BUSY`, `KV_POISONED`: nothing was queued
   */
  submit<T>(write: Write<T>): Promise<T> {
    this.mustBeSound()
    if (write.isExempt !== true) this.#admit(write.byteCount)
    // `run` makes the value that the promise is settled with: the pair stays together.
    const promise = new Promise<unknown>(keepSettlers) as Promise<T>
    const { byteCount, isFreeing, run } = write
    this.#queue.push({ byteCount, isFreeing, run, resolve: newest.resolve, reject: newest.reject })
    this.#queuedBytes += byteCount + WRITE_BYTES
    this.#schedule()
    return promise
  }

  /**
   * Runs a write at once and returns what it returned when that is durable, and all queued before
   * it. Blocks.
   */
  submitSync<T>(write: Write<T>): T {
    this.mustBeSound()
    this.#database.clearSync()
    while (this.#queue.length > 0) {
      const need = this.#runGroup(undefined)
      if (need !== undefined) this.#makeRoomSync(need)
    }
    this.mustBeSound()
    for (;;) {
      const ran = this.#runSync(write)
      if ('result' in ran) return ran.result
      this.#database.reserveSync(ran.byteCount, write.isFreeing).release()
    }
  }

  /** Resolves when what has run is durable: what was seen at the head may be told. */
  async settled(): Promise<void> {
    this.mustBeSound()
    await this.#durable
  }

  /** Resolves when nothing is queued or under way. */
  async idle(): Promise<void> {
    if (this.#isIdle) return
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
  }

  get #isIdle(): boolean {
    return this.#queue.length === 0 && this.#inFlight === 0 && !this.#isWaiting
  }

  /** No write was made later than that, in ms since 1970, as far as the log knows. */
  get lastTimeMs(): number {
    return this.#lastTimeMs
  }

  /** Bytes of writes that are queued or on their way to the disk. */
  get pendingBytes(): number {
    return this.#queuedBytes + this.#database.backlogBytes
  }

  #admit(byteCount: number): void {
    const waiting = this.pendingBytes
    if (waiting === 0 || waiting + byteCount + WRITE_BYTES <= this.#maxPendingBytes) return
    throw new KvError(
      'KV_BUSY',
      `${waiting} bytes of writes wait to be durable; at most ${this.#maxPendingBytes} may`,
    )
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isWaiting || this.#queue.length === 0) return
    this.#isScheduled = true
    // Not a microtask: all calls of this turn are to be in the group, whatever callback they come
    // from.
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#isScheduled = false
    const pacer = this.#pacer
    pacer.restart()
    while (this.#queue.length > 0 && !pacer.isDue) {
      const obstacle = this.#obstacle()
      if (obstacle !== undefined) {
        this.#waitFor(obstacle)
        return
      }
      const need = this.#runGroup(pacer)
      if (need !== undefined) {
        this.#waitFor(this.#makeRoom(need))
        return
      }
    }
    this.#schedule()
    this.#wakeIdle()
  }

  /** What the next group must wait for; undefined: nothing. */
  #obstacle(): Promise<void> | undefined {
    const isFull = this.#inFlight > 0 && this.#database.backlogBytes > BACKLOG_BYTES_MAX
    if (isFull || this.#inFlight >= IN_FLIGHT_MAX) {
      return new Promise((resolve) => this.#settleWaiters.push(resolve))
    }
    const overfull = this.#database.obstacle()
    return overfull?.catch((error: unknown) => this.#rejectQueue(error))
  }

  /** `obstacle` never rejects. */
  #waitFor(obstacle: Promise<void>): void {
    this.#isWaiting = true
    void obstacle.finally(() => {
      this.#isWaiting = false
      this.#schedule()
      this.#wakeIdle()
    })
  }

  async #makeRoom(need: Need): Promise<void> {
    try {
      const { byteCount, count } = need
      const reservation = await this.#database.reserve(byteCount, need.isFreeing)
      if (this.#queue[0] !== need.first) reservation.release()
      else this.#held = { byteCount, count, release: () => reservation.release() }
    } catch (error) {
      this.#refuse(need, error)
    }
  }

  #makeRoomSync(need: Need): void {
    try {
      const { byteCount, count } = need
      const reservation = this.#database.reserveSync(byteCount, need.isFreeing)
      this.#held = { byteCount, count, release: () => reservation.release() }
    } catch (error) {
      this.#refuse(need, error)
    }
  }

  /** The group can't have its room. */
  #refuse(need: Need, error: unknown): void {
    // Somebody who could not wait may have dealt with it meanwhile.
    if (this.#queue[0] !== need.first) return
    if (need.count > 1) this.#singles = need.count
    else this.#take(1)[0]?.reject(error)
  }

  #take(count: number): Pending[] {
    const taken = this.#queue.splice(0, count)
    for (const { byteCount } of taken) this.#queuedBytes -= byteCount + WRITE_BYTES
    this.#singles = Math.max(0, this.#singles - taken.length)
    return taken
  }

  /** The size of the group that begins the queue. */
  #groupSize(): number {
    if (this.#held !== undefined) return Math.min(this.#held.count, this.#queue.length)
    if (this.#singles > 0) return 1
    let byteCount = 0
    let count = 0
    for (const pending of this.#queue) {
      byteCount += pending.byteCount
      if (count > 0 && byteCount > GROUP_BYTES_MAX) break
      count++
    }
    return count
  }

  /**
   * Runs the writes that begin the queue, until `pacer` is due, and sends their record on its way.
   * Returns the room that it lacked, and then nothing has changed.
   */
  #runGroup(pacer: Pacer | undefined): Need | undefined {
    const size = this.#groupSize()
    let writing: WriteGroup
    try {
      writing = this.#begin()
    } catch (error) {
      this.#rejectQueue(error)
      return undefined
    }
    const { tx } = writing
    const ran: Ran[] = []
    try {
      while (ran.length < size) {
        const one = runOne(writing, this.#queue[ran.length])
        if (this.#mvcc.space.isTooEarly && ran.length > 0) break
        ran.push(one)
        if (pacer?.isDue === true && this.#held === undefined) break
      }
      if (!writing.isChanged) {
        this.#follow(ran, this.#durable)
        tx.rollback()
      } else {
        const need = this.#needOf(tx, ran)
        if (need !== undefined) {
          undo(writing)
          return need
        }
        this.#release()
        const tell = this.#sent(ran.length)
        this.#durable = tx.commitQueued()
        this.#follow(ran, this.#durable, tell)
      }
    } catch (error) {
      undo(writing)
      this.#broke(error, size)
      return undefined
    }
    writing.commit()
    this.#take(ran.length)
    this.#database.committed()
    return undefined
  }

  /** Reads the roots, and so may fail where the disk does. */
  #begin(): WriteGroup {
    const tx = this.#database.engine.beginNow({ writable: true })
    try {
      return this.#mvcc.beginGroup(tx, this.#timeMs())
    } catch (error) {
      tx.rollback()
      throw error
    }
  }

  #timeMs(): number {
    this.#lastTimeMs = Math.max(this.#lastTimeMs, this.#clock.wallMs())
    return this.#lastTimeMs
  }

  /** The room in the log that the record lacks; undefined: none. */
  #needOf(tx: Tx, ran: readonly Ran[]): Need | undefined {
    const byteCount = recordBytes(tx)
    const first = ran[0]?.pending
    assert(first !== undefined, 'a group that changed something ran a write')
    if (byteCount <= (this.#held?.byteCount ?? -1)) return undefined
    this.#release()
    if (this.#database.fits(byteCount)) return undefined
    const isFreeing = ran.every(({ pending }) => pending.isFreeing)
    return { byteCount, first, count: ran.length, isFreeing }
  }

  #release(): void {
    this.#held?.release()
    this.#held = undefined
  }

  /** A write broke the transaction of its group, or the group could not be committed. */
  #broke(error: unknown, size: number): void {
    this.#release()
    if (error instanceof AssertionError || !this.#database.engine.isSound) this.#rejectQueue(error)
    else if (size > 1) this.#singles = size
    else this.#take(1)[0]?.reject(error)
  }

  /** Poisons the queue where the engine is; rejects all that is queued. */
  #rejectQueue(error: unknown): void {
    const isOurBug = error instanceof AssertionError
    if (isOurBug || !this.#database.engine.isSound) this.#poisonBy(error)
    for (const pending of this.#take(this.#queue.length)) pending.reject(error)
  }

  /** Tells the writes what became of them, once that is durable. */
  #follow(ran: readonly Ran[], durable: Promise<void>, tell?: (durableHead: Head) => void): void {
    const { head } = this.#mvcc
    this.#inFlight++
    void durable
      .then(
        () => {
          this.#settle(ran, head)
          tell?.(head)
        },
        (error: unknown) => this.#lose(ran, error),
      )
      .finally(() => {
        this.#inFlight--
        for (const resolve of this.#settleWaiters.splice(0)) resolve()
        this.#wakeIdle()
      })
  }

  #settle(ran: readonly Ran[], head: Head): void {
    this.#publish(head)
    for (const { pending, outcome } of ran) {
      if ('error' in outcome) pending.reject(outcome.error)
      else pending.resolve(outcome.result)
    }
  }

  #lose(ran: readonly Ran[], error: unknown): void {
    this.#poisonBy(error)
    for (const { pending } of ran) pending.reject(error)
  }

  /** One write, blocking; or the room that its record lacks, and then nothing has changed. */
  #runSync<T>(write: Write<T>): { readonly result: T } | { readonly byteCount: number } {
    const database = this.#database
    const writing = this.#begin()
    const { tx } = writing
    try {
      const result = writing.run(write.run)
      const byteCount = recordBytes(tx)
      if (writing.isChanged && !database.fits(byteCount)) {
        undo(writing)
        return { byteCount }
      }
      // Also what it read, where it wrote nothing.
      const tell = writing.isChanged ? this.#sent(1) : undefined
      if (writing.isChanged) tx.commit()
      else database.flushSync()
      tx.rollback()
      writing.commit()
      this.#publish(this.#mvcc.head)
      tell?.(this.#mvcc.head)
      database.committed()
      return { result }
    } catch (error) {
      if (writing.isOpen) undo(writing)
      if (error instanceof AssertionError || !database.engine.isSound) this.#poisonBy(error)
      throw error
    }
  }

  #poisonBy(cause: unknown): void {
    if (this.#poison !== undefined) return
    this.#poison = { cause }
    this.#onPoisoned(cause)
  }

  #wakeIdle(): void {
    if (!this.#isIdle) return
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }
}

function recordBytes(tx: Tx): number {
  assert(tx.journal !== undefined, 'a store has a log')
  return tx.journal.byteCount
}

function undo(writing: WriteGroup): void {
  writing.tx.rollback()
  writing.rollback()
}
