/**
 * The lessor: every lease, the keys attached to it, and when it is due.
 *
 *   row in the file   id, time to live, and what was left of it when that was noted
 *   in memory         the deadline; the keys, which are rebuilt from the keys' own rows
 *
 * It stands where the writer does: a lease that was granted a moment ago exists, be it durable or
 * not. Changes that belong to a write group are logged; `undo` takes them back when the group is
 * rolled back, `forget` keeps them for good.
 *
 * Time is the monotonic clock's, counted from `start()`: until then it stands still, so that
 * neither the time for which nobody had the store open nor the opening itself counts, and setting
 * the wall clock changes nothing.
 *
 * Invariants
 *   1. What a restart would give a lease is never less than what is left of it: a renewal takes a
 *      noted remainder back, in the transaction that it answers for.
 *   2. A key is attached to at most one lease, and to the one that its newest row names, where that
 *      lease exists.
 *   3. The end of a lease deletes its keys in key order, with the lease's own row, in one
 *      transaction.
 *
 * Keys are held as text of one character a byte, whose order is the bytes'.
 */

import type { Tx } from '../engine/index.ts'
import type { Clock } from '../base/clock.ts'
import { assert } from '../base/assert.ts'
import { KvError } from '../base/errors.ts'
import type { LeaseRow } from '../proto/leasepb.ts'
import { ExpiryQueue } from './expiry-queue.ts'
import { TTL_SECONDS_MIN, deleteLeaseRow, putLeaseRow } from './lease-rows.ts'

/** A lease that was taken as due and is there still after this time is due again. */
const RETRY_MS = 3000

/** What the lessor needs of the transaction that a change belongs to. */
export interface LeaseTxn {
  /**
   * The engine transaction, to be written to at once: from here on a failure takes back the whole
   * group.
   */
  changeTx(): Tx
  /** Deletes keys that exist, in the order given, and reports each detached. */
  deleteKeys(keys: readonly Uint8Array[]): void
}

/** What is known of a lease. */
export interface LeaseFacts {
  readonly id: bigint
  readonly ttlSeconds: number
  /** Whole seconds left, rounded down; 0 where it is due and not ended yet. */
  readonly remainingSeconds: number
}

interface LeaseState {
  readonly id: bigint
  readonly ttlSeconds: number
  /** What its row says is left; 0: all of it. */
  notedSeconds: number
  dueMs: number
  /** Made when it is needed: a store may have many leases, most of them with few keys. */
  keys: Set<string> | undefined
}

/** A key that went from one lease to another, or from or to none. */
interface Move {
  readonly name: string
  readonly before: LeaseState | undefined
  readonly after: LeaseState | undefined
}

export class Lessor {
  readonly #clock: Clock
  readonly #leases = new Map<bigint, LeaseState>()
  /** The lease of every key that has one. */
  readonly #holders = new Map<string, LeaseState>()
  readonly #queue = new ExpiryQueue()
  #undoes: (() => void)[] = []
  #startedMs: number | undefined

  /** What the file holds is added by `load`, the keys by `restore`; then time is let go. */
  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Adds a lease that the file holds. */
  load(row: LeaseRow): void {
    assert(this.#startedMs === undefined, 'leases are loaded before time begins')
    const leftSeconds = row.remainingSeconds === 0 ? row.ttlSeconds : row.remainingSeconds
    this.#add(newLease(row, leftSeconds * 1000))
  }

  /** Lets time pass. */
  start(): void {
    assert(this.#startedMs === undefined, 'time has begun')
    this.#startedMs = this.#clock.monotonicMs()
  }

  get #nowMs(): number {
    return this.#startedMs === undefined ? 0 : this.#clock.monotonicMs() - this.#startedMs
  }

  get leaseCount(): number {
    return this.#leases.size
  }

  has(id: bigint): boolean {
    return this.#leases.has(id)
  }

  /** What is known of a lease; undefined where there is none. */
  get(id: bigint): LeaseFacts | undefined {
    const lease = this.#leases.get(id)
    return lease === undefined ? undefined : this.#factsOf(lease)
  }

  /**
   * A lease as its row would be written now, with what is left of it rounded up; undefined where
   * there is none.
   */
  rowOf(id: bigint): LeaseRow | undefined {
    const lease = this.#leases.get(id)
    if (lease === undefined) return undefined
    const { ttlSeconds } = lease
    return { id, ttlSeconds, remainingSeconds: Math.min(ttlSeconds, this.#secondsToNote(lease)) }
  }

  /** The keys attached to a lease, in key order; the caller's own. */
  keysOf(id: bigint): Uint8Array[] {
    const lease = this.#leases.get(id)
    return lease === undefined ? [] : keysOf(lease)
  }

  /** The ids of all leases, soonest due first. */
  ids(): bigint[] {
    const sorted = [...this.#leases.values()].sort(
      (a, b) => a.dueMs - b.dueMs || (a.id < b.id ? -1 : 1),
    )
    return sorted.map(({ id }) => id)
  }

  /** Makes a lease. @throws {KvError} `KV_LEASE_EXISTS` */
  grant(txn: LeaseTxn, id: bigint, ttlSeconds: number): LeaseFacts {
    if (this.#leases.has(id)) throw new KvError('KV_LEASE_EXISTS', `there is a lease ${id} already`)
    const row = { id, ttlSeconds: Math.max(TTL_SECONDS_MIN, ttlSeconds), remainingSeconds: 0 }
    putLeaseRow(txn.changeTx(), row)
    const lease = newLease(row, this.#nowMs + row.ttlSeconds * 1000)
    this.#add(lease)
    this.#undoes.push(() => this.#remove(lease))
    return this.#factsOf(lease)
  }

  /**
   * Gives a lease its full time again. That is not undone with its group: to live longer harms
   * nobody.
   * @throws {KvError} `KV_LEASE_NOT_FOUND`
   */
  renew(txn: LeaseTxn, id: bigint): LeaseFacts {
    const lease = this.#mustFind(id)
    if (promisedSeconds(lease) < lease.ttlSeconds) this.#note(txn, lease, 0)
    lease.dueMs = this.#nowMs + lease.ttlSeconds * 1000
    this.#queue.set(id, lease.dueMs)
    return this.#factsOf(lease)
  }

  /** Ends a lease and deletes its keys. @throws {KvError} `KV_LEASE_NOT_FOUND` */
  revoke(txn: LeaseTxn, id: bigint): void {
    this.#end(txn, this.#mustFind(id))
  }

  /** Ends a lease that is due; false where it isn't any more, or gone. */
  expire(txn: LeaseTxn, id: bigint): boolean {
    const lease = this.#leases.get(id)
    if (lease === undefined || lease.dueMs > this.#nowMs) return false
    this.#end(txn, lease)
    return true
  }

  /** In how many ms the next lease is due, negative where one is; undefined: there is none. */
  get nextDueInMs(): number | undefined {
    const { nextMs } = this.#queue
    return nextMs === undefined ? undefined : nextMs - this.#nowMs
  }

  /** Leases that are due, at most `max`, for `expire`. They are due again if that fails. */
  takeDue(max: number): bigint[] {
    const nowMs = this.#nowMs
    return this.#queue.takeDue(nowMs, max, nowMs + RETRY_MS)
  }

  /** The leases to which a restart would give at least so many seconds more than they have. */
  idsToNote(stepSeconds: number): bigint[] {
    const ids: bigint[] = []
    for (const lease of this.#leases.values()) {
      if (promisedSeconds(lease) - this.#secondsToNote(lease) >= stepSeconds) ids.push(lease.id)
    }
    return ids
  }

  /** Notes what is left of these leases, where a restart would give them more. */
  note(txn: LeaseTxn, ids: readonly bigint[]): void {
    for (const id of ids) {
      const lease = this.#leases.get(id)
      if (lease === undefined) continue
      const seconds = this.#secondsToNote(lease)
      if (seconds < promisedSeconds(lease)) this.#note(txn, lease, seconds)
    }
  }

  /**
   * A key's newest revision has this lease, 0n: none, and so has the key from now on; a key that
   * was deleted has none. `key` is read at once.
   */
  attach(key: Uint8Array, id: bigint): void {
    const moved = this.#attach(key, id)
    if (moved === undefined) return
    const { name, before, after } = moved
    this.#undoes.push(() => this.#move(name, after, before))
  }

  /** As `attach`, while history is read: there is nothing to undo. */
  restore(key: Uint8Array, id: bigint): void {
    this.#attach(key, id)
  }

  /** A mark to `undo` to. */
  get changeCount(): number {
    return this.#undoes.length
  }

  /** Takes back all changes after `changeCount` was `mark`. */
  undo(mark: number): void {
    assert(mark <= this.#undoes.length, 'undo of changes that were forgotten')
    while (this.#undoes.length > mark) this.#undoes.pop()?.()
  }

  /** Keeps all changes so far for good. */
  forget(): void {
    if (this.#undoes.length > 0) this.#undoes = []
  }

  /** What changed; undefined: nothing. */
  #attach(key: Uint8Array, id: bigint): Move | undefined {
    if (id === 0n && this.#holders.size === 0) return undefined
    const name = textOf(key)
    const before = this.#holders.get(name)
    const after = id === 0n ? undefined : this.#leases.get(id)
    if (before === after) return undefined
    this.#move(name, before, after)
    return { name, before, after }
  }

  #mustFind(id: bigint): LeaseState {
    const lease = this.#leases.get(id)
    if (lease === undefined) throw new KvError('KV_LEASE_NOT_FOUND', `there is no lease ${id}`)
    return lease
  }

  #factsOf({ id, ttlSeconds, dueMs }: LeaseState): LeaseFacts {
    const leftSeconds = Math.floor((dueMs - this.#nowMs) / 1000)
    return { id, ttlSeconds, remainingSeconds: Math.max(0, leftSeconds) }
  }

  /** Rounded up, and never 0: that would be all of it. */
  #secondsToNote({ dueMs }: LeaseState): number {
    return Math.max(1, Math.ceil((dueMs - this.#nowMs) / 1000))
  }

  #note(txn: LeaseTxn, lease: LeaseState, seconds: number): void {
    const { id, ttlSeconds, notedSeconds: before } = lease
    putLeaseRow(txn.changeTx(), { id, ttlSeconds, remainingSeconds: seconds })
    lease.notedSeconds = seconds
    this.#undoes.push(() => {
      lease.notedSeconds = before
    })
  }

  #end(txn: LeaseTxn, lease: LeaseState): void {
    deleteLeaseRow(txn.changeTx(), lease.id)
    const keys = keysOf(lease)
    this.#detachAll(lease)
    txn.deleteKeys(keys)
    assert(lease.keys === undefined, 'no key is attached to a lease that ends')
    this.#remove(lease)
    this.#undoes.push(() => this.#add(lease))
  }

  /** All at once: a lease may have very many keys, and each would be looked up and undone alone. */
  #detachAll(lease: LeaseState): void {
    const names = lease.keys
    if (names === undefined) return
    lease.keys = undefined
    for (const name of names) this.#holders.delete(name)
    this.#undoes.push(() => {
      lease.keys = names
      for (const name of names) this.#holders.set(name, lease)
    })
  }

  #add(lease: LeaseState): void {
    this.#leases.set(lease.id, lease)
    this.#queue.set(lease.id, lease.dueMs)
  }

  #remove(lease: LeaseState): void {
    this.#leases.delete(lease.id)
    this.#queue.delete(lease.id)
  }

  #move(name: string, before: LeaseState | undefined, after: LeaseState | undefined): void {
    before?.keys?.delete(name)
    if (after === undefined) this.#holders.delete(name)
    else {
      after.keys ??= new Set()
      after.keys.add(name)
      this.#holders.set(name, after)
    }
  }
}

function newLease(row: LeaseRow, dueMs: number): LeaseState {
  const { id, ttlSeconds, remainingSeconds: notedSeconds } = row
  return { id, ttlSeconds, notedSeconds, dueMs, keys: undefined }
}

/** What a restart would give a lease. */
function promisedSeconds({ notedSeconds, ttlSeconds }: LeaseState): number {
  return notedSeconds === 0 ? ttlSeconds : notedSeconds
}

function keysOf({ keys }: LeaseState): Uint8Array[] {
  // Without a function it sorts by code units: here, by bytes.
  return [...(keys ?? [])].sort().map((name) => new Uint8Array(Buffer.from(name, 'latin1')))
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
}
