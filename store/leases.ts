/**
 * The leases of a store in a directory: the calls, and the timer that ends what is due.
 *
 * What changes leases runs in the group queue. What only looks is answered from where the writer
 * stands, once that is durable; where the store is read-only nothing can change, time stands still,
 * and it is answered at once.
 *
 *   timer ─▶ some of the leases that are due ─▶ a write each, in the queue ─▶ durable ─▶ some more
 *
 * Each end of a lease is a transaction of its own. The next ones are taken only when the last are
 * durable, so however many are due at once, other writes come in between. There is one timer, for
 * the next lease due; without leases there is none. It doesn't keep the process alive.
 *
 * What is left of leases is noted in the file after checkpoints and when the store is closed, so
 * that a restart doesn't give them all their time again. After a checkpoint only what has run down
 * by a minute is: short leases are not worth a write, and notes must not make the log grow towards
 * the next checkpoint for ever.
 */

import type { Clock } from '../base/clock.ts'
import { KvError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { LeaseFacts, Lessor } from '../lease/lessor.ts'
import type { WriteTxn } from '../mvcc/write-txn.ts'
import type { Codec, OutputKey } from './codec.ts'
import { readOptions } from './fields.ts'
import type { GroupQueue } from './group-queue.ts'
import { LeaseKeeper } from './keep-alive.ts'
import {
  CALL_OPTIONS,
  GRANT_OPTIONS,
  INFO_OPTIONS,
  readId,
  readReference,
  readTtl,
} from './lease-arguments.ts'
import { asResult } from './result.ts'
import type { KeepAlive, Lease, LeaseInfo, RevokeResult } from './types/lease.ts'

/** Leases that are ended, or noted, together. */
const BATCH_SIZE = 256
/** The timer is not set for sooner: what is due in between is ended together. */
const WAIT_MS_MIN = 20
/** What a lease takes in the queue beside its keys, roughly. */
const LEASE_BYTES = 32
const NOTE_STEP_SECONDS = 60

export interface LeasesSetup {
  readonly path: string
  readonly readOnly: boolean
  readonly codec: Codec
  readonly clock: Clock
  readonly random: Random
  readonly lessor: Lessor
  readonly queue: GroupQueue
  /** Throws where the store takes no calls, or the signal is aborted. */
  readonly admit: (signal: AbortSignal | undefined) => void
}

interface Timer {
  readonly dueMs: number
  readonly cancel: () => void
}

type Info = LeaseInfo<OutputKey>

/** How a write is treated: see `Write`. */
interface Kind {
  readonly isFreeing?: boolean
  readonly isExempt?: boolean
}

const OWN: Kind = { isFreeing: true, isExempt: true }

export class Leases {
  readonly #setup: LeasesSetup
  readonly #keepers = new Set<LeaseKeeper>()
  #timer: Timer | undefined
  #isExpiring = false
  #noting: Promise<void> | undefined
  #isStopped = false

  constructor(setup: LeasesSetup) {
    this.#setup = setup
    if (setup.readOnly) return
    setup.lessor.start()
    this.#setTimer()
  }

  async grant(options: unknown): Promise<Lease> {
    const fields = readOptions(options, GRANT_OPTIONS)
    const ttlSeconds = readTtl(fields)
    const given = readId(fields)
    this.#admitWrite(fields.signal())
    const { lessor } = this.#setup
    return await this.#submit({}, (txn) => {
      txn.admit(LEASE_BYTES)
      const granted = lessor.grant(txn, given ?? this.#newId(), ttlSeconds)
      this.#setTimer()
      return leaseOf(granted)
    })
  }

  async renew(reference: unknown, options: unknown): Promise<Lease> {
    const id = readReference(reference)
    const signal = readOptions(options, CALL_OPTIONS).signal()
    this.#admitWrite(signal)
    return await this.#renew(id)
  }

  keepAlive(reference: unknown, options: unknown): KeepAlive {
    const id = readReference(reference)
    const signal = readOptions(options, CALL_OPTIONS).signal()
    const keeper = new LeaseKeeper({
      id,
      clock: this.#setup.clock,
      signal,
      renew: async () => {
        this.#admitWrite(undefined)
        return await this.#renew(id)
      },
      ended: (ended) => this.#keepers.delete(ended),
    })
    if (!keeper.lost.aborted) this.#keepers.add(keeper)
    return keeper
  }

  async revoke(reference: unknown, options: unknown): Promise<RevokeResult> {
    const id = readReference(reference)
    const signal = readOptions(options, CALL_OPTIONS).signal()
    this.#admitWrite(signal)
    return await this.#submit({ isFreeing: true }, (txn) => {
      this.#setup.lessor.revoke(txn, id)
      this.#setTimer()
      return asResult({ revision: txn.revision })
    })
  }

  async lease(reference: unknown, options: unknown): Promise<Info | undefined> {
    const id = readReference(reference)
    const fields = readOptions(options, INFO_OPTIONS)
    const wantsKeys = fields.flag('keys')
    this.#setup.admit(fields.signal())
    const { lessor, codec } = this.#setup
    return await this.#look(() => {
      const facts = lessor.get(id)
      if (facts === undefined) return undefined
      const keys = wantsKeys ? lessor.keysOf(id).map((key) => codec.decodeKey(key)) : []
      const { ttlSeconds, remainingSeconds } = facts
      return asResult({ id, ttlSeconds, remainingSeconds, keys })
    })
  }

  async leases(options: unknown): Promise<readonly bigint[]> {
    this.#setup.admit(readOptions(options, CALL_OPTIONS).signal())
    return await this.#look(() => this.#setup.lessor.ids())
  }

  /** A checkpoint was made. */
  checkpointed(): void {
    if (this.#isStopped || this.#noting !== undefined || this.#setup.readOnly) return
    // Without the note a restart gives the leases more time, no less.
    this.#noting = this.#note(NOTE_STEP_SECONDS, () => !this.#isStopped)
      .catch(() => {})
      .finally(() => {
        this.#noting = undefined
      })
  }

  /** Ends no more leases and renews none. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#timer?.cancel()
    const { path } = this.#setup
    const reason = new KvError('KV_CLOSED', `${path}: the store is closed`)
    for (const keeper of [...this.#keepers]) keeper.lose(reason)
  }

  /** Notes what is left of the leases. `stop` must have been called. Never rejects. */
  async close(): Promise<void> {
    if (this.#setup.readOnly) return
    await this.#noting
    // Where that fails a restart gives the leases more time, and the queue says what is wrong.
    await this.#note(1, () => true).catch(() => {})
  }

  #admitWrite(signal: AbortSignal | undefined): void {
    const { admit, readOnly, path } = this.#setup
    admit(signal)
    if (readOnly) throw new KvError('KV_READ_ONLY', `${path}: the store was opened read-only`)
  }

  async #renew(id: bigint): Promise<Lease> {
    return await this.#submit({}, (txn) => leaseOf(this.#setup.lessor.renew(txn, id)))
  }

  async #submit<T>(kind: Kind, run: (txn: WriteTxn) => T): Promise<T> {
    const { isFreeing = false, isExempt = false } = kind
    return await this.#setup.queue.submit({ byteCount: LEASE_BYTES, isFreeing, isExempt, run })
  }

  /** What the lessor says now, once that is durable. */
  async #look<T>(read: () => T): Promise<T> {
    const seen = read()
    if (!this.#setup.readOnly) await this.#setup.queue.settled()
    return seen
  }

  /** A positive id that no lease has. */
  #newId(): bigint {
    const { random, lessor } = this.#setup
    for (;;) {
      const id = (BigInt(random.u32() >>> 1) << 32n) | BigInt(random.u32())
      if (id !== 0n && !lessor.has(id)) return id
    }
  }

  /** Makes the timer fit the lease that is due next. */
  #setTimer(): void {
    if (this.#isStopped || this.#isExpiring) return
    const { clock, lessor } = this.#setup
    const inMs = lessor.nextDueInMs
    if (inMs === undefined) {
      this.#timer?.cancel()
      this.#timer = undefined
      return
    }
    const waitMs = Math.max(WAIT_MS_MIN, Math.ceil(inMs))
    const dueMs = clock.monotonicMs() + waitMs
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return
    this.#timer?.cancel()
    const expire = (): void => {
      this.#timer = undefined
      void this.#expireDue()
    }
    this.#timer = { dueMs, cancel: clock.setTimer(waitMs, expire, { keepsAlive: false }) }
  }

  /** Ends all that is due, some at a time. Never rejects. */
  async #expireDue(): Promise<void> {
    const { lessor, queue } = this.#setup
    this.#isExpiring = true
    while (!this.#isStopped) {
      const due = lessor.takeDue(BATCH_SIZE)
      if (due.length === 0) break
      const ends = due.map(async (id) => await this.#submit(OWN, (txn) => lessor.expire(txn, id)))
      const results = await Promise.allSettled(ends)
      // They are due again in a while, unless only reopening can help.
      if (results.some(({ status }) => status === 'rejected')) break
    }
    this.#isExpiring = false
    if (queue.isSound) this.#setTimer()
  }

  async #note(stepSeconds: number, goesOn: () => boolean): Promise<void> {
    const { lessor, queue } = this.#setup
    const ids = lessor.idsToNote(stepSeconds)
    for (let first = 0; first < ids.length && goesOn(); first += BATCH_SIZE) {
      const batch = ids.slice(first, first + BATCH_SIZE)
      await queue.submit({
        byteCount: batch.length * LEASE_BYTES,
        isFreeing: false,
        isExempt: true,
        run: (txn) => lessor.note(txn, batch),
      })
    }
  }
}

function leaseOf({ id, ttlSeconds }: LeaseFacts): Lease {
  return asResult({ id, ttlSeconds })
}
