/**
 * The queue of writes: those of one turn of the event loop, and those that come while a commit is
 * under way, share one engine transaction and its two syncs; each keeps its own revision.
 *
 *   submit ─▶ queue ─▶ engine transaction: run one after the other ─▶ commit ─▶ visible ─▶ resolve
 *
 * Invariants
 *   1. Writes run, and resolve or reject, in the order of `submit`.
 *   2. Nothing resolves or rejects by what it read at the head before all that it read is durable,
 *      also what wrote nothing.
 *   3. A write that fails on its own checks rejects alone. One that fails half-way takes the engine
 *      transaction with it; the group is then run again one by one, each in a transaction of its
 *      own.
 *   4. A commit that fails without having happened is also run again one by one; one whose engine
 *      is poisoned rejects the group with its error, and the queue is poisoned too.
 *
 * Back-pressure belongs into `submit`, which knows each write's size; nothing is refused for it
 * yet.
 */

import type { Engine, Tx } from '../engine/index.ts'
import { AssertionError, assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { KvError } from '../base/errors.ts'
import type { Mvcc, WriteGroup } from '../mvcc/mvcc.ts'
import type { WriteTxn } from '../mvcc/write-txn.ts'
import { Pacer } from './pause.ts'

/** A group takes no more writes once it has this many bytes: a transaction is held in memory. */
const GROUP_BYTES_MAX = 16 * 1024 * 1024

interface Pending {
  readonly run: (txn: WriteTxn) => unknown
  readonly byteCount: number
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A write that ran and waits for its group to be durable. */
interface Settled {
  readonly pending: Pending
  readonly outcome: { readonly result: unknown } | { readonly error: unknown }
}

export interface GroupQueueSetup {
  readonly engine: Engine
  readonly mvcc: Mvcc
  readonly clock: Clock
  /**
   * Called when the core's newest revision is durable, with an engine transaction that holds it.
   */
  readonly publish: (tx: Tx) => void
}

export class GroupQueue {
  readonly #engine: Engine
  readonly #mvcc: Mvcc
  readonly #clock: Clock
  readonly #publish: (tx: Tx) => void
  #queue: Pending[] = []
  #isRunning = false
  #idleWaiters: (() => void)[] = []
  #poison: { readonly cause: unknown } | undefined

  constructor(setup: GroupQueueSetup) {
    this.#engine = setup.engine
    this.#mvcc = setup.mvcc
    this.#clock = setup.clock
    this.#publish = setup.publish
  }

  /** @throws {KvError} `KV_POISONED` after a failure that only reopening can mend */
  mustBeSound(): void {
    if (this.#poison === undefined) return
    throw new KvError(
      'KV_POISONED',
      `${this.#engine.path}: an earlier failure makes it unsafe to go on; close and open it again`,
      { cause: this.#poison.cause },
    )
  }

  /**
   * Queues a write. `run` may run more than once, so it changes nothing but its transaction.
   * Resolves with what it returned when that is durable.
   */
  submit<T>(byteCount: number, run: (txn: WriteTxn) => T): Promise<T> {
    this.mustBeSound()
    return new Promise<T>((resolve, reject) => {
      // `run` makes the value that `resolve` takes: the pair stays together.
      const settle = resolve as (result: unknown) => void
      this.#queue.push({ run, byteCount, resolve: settle, reject })
      if (this.#isRunning) return
      this.#isRunning = true
      // Not a microtask: all calls of this turn are to be in the group, whatever callback they come
      // from.
      setImmediate(() => void this.#work())
    })
  }

  /** Resolves when nothing is queued or under way. */
  async idle(): Promise<void> {
    if (!this.#isRunning) return
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#take()
      if (!(await this.#commit(group))) {
        for (const pending of group) await this.#commit([pending])
      }
    }
    this.#isRunning = false
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }

  #take(): Pending[] {
    let byteCount = 0
    let count = 0
    for (const pending of this.#queue) {
      byteCount += pending.byteCount
      if (count > 0 && byteCount > GROUP_BYTES_MAX) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  /**
   * Runs and commits a group; false: it did not happen, and is to be run one by one. Never throws.
   */
  async #commit(group: readonly Pending[]): Promise<boolean> {
    let tx: Tx
    try {
      this.mustBeSound()
      tx = await this.#engine.begin({ writable: true })
    } catch (error) {
      for (const pending of group) pending.reject(error)
      return true
    }
    const writing = this.#mvcc.beginGroup(tx)
    let settled: Settled[]
    try {
      settled = await this.#run(group, writing)
      if (writing.isChanged) await tx.commitAsync()
    } catch (error) {
      return await this.#failed(group, { tx, writing, error })
    }
    const isChanged = writing.isChanged
    writing.commit()
    tx.rollback()
    if (isChanged) await this.#makeVisible()
    for (const { pending, outcome } of settled) {
      if ('error' in outcome) pending.reject(outcome.error)
      else pending.resolve(outcome.result)
    }
    return true
  }

  /** Runs the writes; throws when one of them broke the transaction. */
  async #run(group: readonly Pending[], writing: WriteGroup): Promise<Settled[]> {
    const settled: Settled[] = []
    const pacer = new Pacer(this.#clock)
    for (const pending of group) {
      try {
        settled.push({ pending, outcome: { result: writing.run(pending.run) } })
      } catch (error) {
        if (writing.isBroken || error instanceof AssertionError) throw error
        settled.push({ pending, outcome: { error } })
      }
      // Readers go on meanwhile: they see the visible revision, whatever the index holds beyond it.
      if (pacer.isDue) await pacer.pause()
    }
    return settled
  }

  async #failed(
    group: readonly Pending[],
    failure: { readonly tx: Tx; readonly writing: WriteGroup; readonly error: unknown },
  ): Promise<boolean> {
    const { tx, writing, error } = failure
    tx.rollback()
    writing.rollback()
    if (error instanceof AssertionError || !(await this.#isEngineSound())) {
      this.#poison ??= { cause: error }
    } else if (group.length > 1) return false
    for (const pending of group) pending.reject(error)
    return true
  }

  /** The engine refuses to begin anything once it is poisoned. */
  async #isEngineSound(): Promise<boolean> {
    try {
      const tx = await this.#engine.begin()
      tx.rollback()
      return true
    } catch {
      return false
    }
  }

  async #makeVisible(): Promise<void> {
    try {
      const tx = await this.#engine.begin()
      assert(!tx.writable, 'readers read')
      this.#publish(tx)
    } catch (error) {
      // What was committed is durable all the same, so its writes resolve; nothing newer can be
      // read.
      this.#poison ??= { cause: error }
    }
  }
}
