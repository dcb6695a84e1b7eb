/**
 * The log: groups in, one write and one sync for all that came while the last sync ran.
 *
 *   append ─▶ batch being filled ─▶ pump: one batch at a time, in order ─▶ durable
 *
 * An append on an idle log is written at once; there is no timer. While a batch is on its way, what
 * is appended gathers in the next one.
 *
 * Invariants
 *   1. Frames are laid out at `append`: segment, offset and chain never change after.
 *   2. A segment is written only when it is entered, and entered only when everything in the one
 *      before has been synced.
 *   3. Batches become durable, and their promises settle, in order.
 *   4. The synchronous path (`flushSync`) takes over the queue: it writes everything that isn't
 *      durable through a handle of its own, the batch under way included. That one's write, when it
 *      gets there, puts the same bytes into the same place.
 *   5. The first failure is the last: the log is poisoned, and nothing is written or synced again.
 */

import { assert } from '../base/assert.ts'
import { systemClock } from '../base/clock.ts'
import { KvError, withOutcome } from '../base/errors.ts'
import { Example } from '../base/example.ts'
import { Admission, mustBeRecordable } from './admission.ts'
import type { Reservation, ReserveOptions } from './admission.ts'
import { Batch } from './batch.ts'
import type { LogIdentity } from './format.ts'
import { frameSize } from './format.ts'
import { measureEntries } from './group-writer.ts'
import type { LogGroup } from '../base/log-group.ts'
import {
  EMERGENCY_BYTES,
  FIRST_SEGMENT_BYTES,
  MAX_PENDING_BYTES,
  SEGMENT_BYTES,
} from './log-options.ts'
import type { LogOptions, SyncMode } from './log-options.ts'
import type { LogStart } from './log-start.ts'
import { LogTail } from './log-tail.ts'
import { Preparation } from './preparation.ts'
import { QueuedBatch } from './queued-batch.ts'
import type { Segment } from './segment.ts'
import { writeDurably } from './segment.ts'
import type { SegmentList, SegmentPlace } from './segment-list.ts'
import { SpareRooms } from './spare-rooms.ts'
import { Waiters } from './waiters.ts'

/** A batch takes no more frames beyond this, so that those in it needn't wait long. */
const BATCH_BYTES = 8 * 1024 * 1024
/** A larger batch is not kept as an example. */
const EXAMPLE_SIZE_MAX = 64 * 1024

export class Log {
  readonly directory: string
  readonly identity: LogIdentity
  readonly syncMode: SyncMode
  readonly #preparation: Preparation
  readonly #admission: Admission
  readonly #segments: SegmentList
  readonly #waiters: Waiters = new Waiters()
  #queue: QueuedBatch[] = []
  /** The one being written, which all frames before the queue are in. */
  #current: Segment
  /** In the current segment or one to come. */
  readonly #tail: LogTail
  #writtenThrough: number
  #syncedThrough: number
  #pendingBytes = 0
  #appendedBytes: number
  /** A small batch that is done. */
  readonly #example = new Example<QueuedBatch>()
  /** Buffers of batches that are done, for others. */
  readonly #spares = new SpareRooms()
  #isPumping = false
  #pumping: Promise<void> | undefined
  #isSyncWanted = false
  #poison: { readonly cause: unknown } | undefined
  #closing: Promise<void> | undefined
  #isClosed = false
  /** Segments done with, which the pump may still hold on to. */
  #retired: Segment[] = []

  constructor(start: LogStart, options: LogOptions) {
    this.directory = start.directory
    this.identity = start.identity
    this.syncMode = options.syncMode
    this.#segments = start.segments
    this.#current = start.segment
    const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
    this.#tail = new LogTail(start, options.random, segmentBytes)
    this.#writtenThrough = start.lastTxid
    this.#syncedThrough = start.lastTxid
    this.#appendedBytes = start.heldBytes
    const clock = options.clock ?? systemClock
    this.#preparation = new Preparation(start.disk, start.directory, clock)
    this.#admission = new Admission(this, this.#preparation, {
      maxPendingBytes: options.maxPendingBytes ?? MAX_PENDING_BYTES,
      emergencyBytes:
        options.emergencyBytes ?? Math.min(EMERGENCY_BYTES, Math.floor(segmentBytes / 8)),
    })
    if (this.syncMode === 'full') this.#current.file.expectDurableWrites?.()
  }

  /** The newest group appended. */
  get lastTxid(): number {
    return this.#tail.lastTxid
  }

  /** The newest group known to be on the disk. */
  get syncedThrough(): number {
    return this.#syncedThrough
  }

  /** Bytes encoded and not yet written, or not yet durable where `syncMode` is `full`. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  get leftBytes(): number {
    return this.#tail.leftBytes
  }

  get nextSegmentBytes(): number {
    return this.#tail.nextSegmentBytes
  }

  /** Bytes appended since it was opened, and held then that the database didn't have. */
  get appendedBytes(): number {
    return this.#appendedBytes
  }

  /** Whether a record of that size can be appended now; else `reserveAsync` makes room. */
  fits(payloadBytes: number): boolean {
    return this.#admission.fits(payloadBytes)
  }

  /** The segments that are in place, oldest first. */
  get segments(): readonly SegmentPlace[] {
    return this.#segments.places
  }

  /**
   * Promises room for a group of `payloadBytes`; an estimate will do. May block while a segment is
   * zero-filled; `reserveAsync` does not.
   *
   * @throws {KvError} `KV_NO_SPACE`, `KV_BUSY`, `KV_POISONED`, `KV_CLOSED`: nothing was changed
   */
  reserve(payloadBytes: number, options: ReserveOptions = {}): Reservation {
    this.#mustBeOpen()
    return this.#admission.reserve(payloadBytes, options)
  }

  /** As `reserve`. */
  async reserveAsync(payloadBytes: number, options: ReserveOptions = {}): Promise<Reservation> {
    this.#mustBeOpen()
    const reservation = await this.#admission.reserveAsync(payloadBytes, options)
    try {
      this.#mustBeOpen()
    } catch (error) {
      reservation.release()
      throw error
    }
    return reservation
  }

  /**
   * Appends the group after the last one; its bytes are copied before the call returns. The promise
   * resolves when the group counts as done, see `SyncMode`. It rejects with `outcome: 'unknown'`
   * once writing it had begun, else with `'none'`; whoever doesn't await it is not told.
   *
   * @throws {KvError} `KV_REQUEST_TOO_LARGE`, `KV_POISONED`, `KV_CLOSED`: nothing was appended
   */
  append(group: LogGroup, reservation?: Reservation): Promise<void> {
    const queued = this.#enqueue(group, reservation)
    // Asked for before the pump runs: it may be done, or lost, when that returns.
    const done = this.syncMode === 'none' ? Promise.resolve() : queued.durable
    this.#startPump()
    return done
  }

  /**
   * As `append`, done when it returns: blocks for a write and a sync, and takes what was queued
   * before along.
   */
  appendSync(group: LogGroup, reservation?: Reservation): void {
    this.#enqueue(group, reservation)
    this.#writeOutSync(this.syncMode === 'full')
  }

  /** As `flush`, blocking. */
  flushSync(): void {
    this.#mustBeOpen()
    this.#writeOutSync(true)
  }

  #writeOutSync(isSynced: boolean): void {
    try {
      this.#writeQueueSync()
      if (isSynced && this.syncMode !== 'full') this.#current.direct.sync('data')
    } catch (error) {
      throw this.#fail(error)
    }
    for (const queued of this.#queue.splice(0)) {
      // What the pump is writing, it still reads.
      if (!queued.isInFlight) this.#spares.keep(queued.batch)
      this.#complete(queued)
    }
    if (isSynced) this.#noteSynced(this.#tail.lastTxid)
  }

  /** Resolves when what is appended up to `txid` is on the disk, whatever `syncMode` says. */
  async flush(txid: number = this.#tail.lastTxid): Promise<void> {
    this.#mustBeOpen()
    while (this.#syncedThrough < txid) {
      this.#isSyncWanted = this.syncMode !== 'full'
      await this.#pumped()
    }
  }

  /**
   * Ends the segment; the next group begins another. Resolves when that is in place. `isSmall`: it
   * is to be as small as the first one, and nothing is done where this one is; so that who opens
   * the log next has little to read.
   */
  async cut(options: { readonly isSmall?: boolean } = {}): Promise<void> {
    this.#mustBeOpen()
    const { isSmall = false } = options
    if (isSmall && this.#tail.segment.sizeBytes <= FIRST_SEGMENT_BYTES) return
    if (isSmall) await this.#preparation.drop()
    if (!this.#tail.isEmpty) {
      const wanted = isSmall ? FIRST_SEGMENT_BYTES : this.nextSegmentBytes
      const sizeBytes = Math.max(wanted, this.#admission.promisedSegmentBytes)
      // A full disk is met here, where it harms nobody.
      const prepared = await this.#preparation.take(sizeBytes)
      this.#preparation.giveBack(prepared)
      this.#mustBeOpen()
      this.#planSegment(0)
      this.#newQueued().isSealed = true
    }
    const { segment } = this.#tail
    while (!segment.isEntered) await this.#pumped()
  }

  /**
   * Drops the segments that hold nothing from `txid` on: removes them, or moves them into
   * `archive`, a directory of the same file system. Returns their names once that is durable.
   * Followers are not asked: whoever must not lose a segment passes no `txid` beyond what each has
   * seen. One that is behind reads the segment it is in to the end, then gets `KV_NOT_FOUND`.
   */
  async dropBefore(txid: number, archive?: string): Promise<readonly string[]> {
    this.#mustBeOpen()
    const dropped = await this.#segments.dropBefore(txid, archive)
    const isFull = this.#preparation.failure !== undefined
    if (isFull && dropped.length > 0) this.#preparation.start(this.nextSegmentBytes)
    return dropped
  }

  /**
   * Resolves when `syncedThrough` is above `txid`, with true, or false when that won't happen any
   * more: the log is closed or poisoned. Rejects with `signal.reason`.
   */
  async syncedBeyond(txid: number, signal?: AbortSignal): Promise<boolean> {
    while (this.#syncedThrough <= txid) {
      if (this.#poison !== undefined || this.#isClosed) return false
      await this.#waiters.wait(signal)
    }
    return true
  }

  /**
   * Writes and syncs what is left, and closes. Idempotent. A poisoned log is closed too; where
   * `syncMode` is not `full`, and so nobody was told of what was lost, this rejects with the
   * reason.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    try {
      if (this.#poison === undefined) await this.#flushRest()
      else if (this.syncMode !== 'full' && this.#syncedThrough < this.#tail.lastTxid) {
        throw withOutcome(this.#poison.cause, 'unknown')
      }
    } finally {
      this.#isClosed = true
      this.#waiters.wake()
      await this.#preparation.close()
      this.#closeRetired()
      this.#tail.segment.close()
      this.#current.close()
    }
  }

  async #flushRest(): Promise<void> {
    while (this.#syncedThrough < this.#tail.lastTxid || this.#queue.length > 0) {
      this.#isSyncWanted = this.syncMode !== 'full'
      await this.#pumped()
    }
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) throw new KvError('KV_CLOSED', 'the log is closed')
    this.#mustBeSound()
  }

  #mustBeSound(): void {
    if (this.#poison === undefined) return
    throw new KvError('KV_POISONED', 'the log failed earlier; close and open it again', {
      cause: this.#poison.cause,
    })
  }

  /** Lays the group out behind the last one. */
  #enqueue(group: LogGroup, reservation: Reservation | undefined): QueuedBatch {
    this.#mustBeOpen()
    const { txid } = group
    assert(
      txid === this.#tail.lastTxid + 1,
      () => `group ${txid} after group ${this.#tail.lastTxid}`,
    )
    const payload = measureEntries(group.entries)
    mustBeRecordable(payload.byteCount)
    reservation?.release()
    const size = frameSize(payload.byteCount)
    if (size > this.leftBytes) this.#planSegment(size)
    const last = this.#queue.at(-1)
    const isOpen = last !== undefined && !last.isSealed && last.batch.size < BATCH_BYTES
    const queued = isOpen && last.segment === this.#tail.segment ? last : this.#newQueued()
    this.#tail.add(queued.batch, group, payload, this.#syncedThrough)
    queued.lastTxid = txid
    this.#pendingBytes += size
    this.#appendedBytes += size
    this.#tail.lookAhead(this.#preparation)
    return queued
  }

  #newQueued(): QueuedBatch {
    const batch = new Batch(this.#tail.offset, this.#spares.take())
    const queued = new QueuedBatch(batch, this.#tail.segment, this.#tail.lastTxid)
    this.#queue.push(queued)
    return queued
  }

  /** Plans the segment after the tail, with room for a frame of that size. */
  #planSegment(size: number): void {
    const last = this.#queue.at(-1)
    if (last !== undefined) last.isSealed = true
    this.#tail.plan(size, this.#preparation)
  }

  #startPump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    this.#pumping = this.#pump()
  }

  /** Resolves when the pump rests; rejects with what has poisoned the log. */
  async #pumped(): Promise<void> {
    this.#startPump()
    await this.#pumping
    if (this.#poison !== undefined) throw withOutcome(this.#poison.cause, 'unknown')
  }

  /** Writes batches while there are any. Never rejects. */
  async #pump(): Promise<void> {
    try {
      for (;;) {
        const queued = this.#queue[0]
        if (queued !== undefined) await this.#writeOut(queued)
        else if (this.#isSyncWanted) await this.#syncCurrent()
        else return
        this.#mustBeSound()
        this.#closeRetired()
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      // Here, not behind the promise: who appends next must find it so.
      this.#isPumping = false
      this.#closeRetired()
    }
  }

  async #writeOut(queued: QueuedBatch): Promise<void> {
    const { batch, segment } = queued
    if (segment !== this.#current) await this.#enter(segment)
    if (queued.isDone) return
    queued.isSealed = true
    if (batch.size > 0) {
      queued.isBegun = true
      queued.isInFlight = true
      if (this.syncMode === 'full') await writeDurably(segment.file, batch.bytes, batch.start)
      else await segment.file.writeAsync(batch.bytes, batch.start)
      this.#spares.keep(batch)
    }
    if (queued.isDone) return
    assert(this.#queue[0] === queued, 'batches are done in order')
    this.#queue.shift()
    this.#complete(queued)
  }

  #complete(queued: QueuedBatch): void {
    this.#pendingBytes -= queued.batch.size
    this.#writtenThrough = queued.lastTxid
    if (this.syncMode === 'full') this.#noteSynced(queued.lastTxid)
    queued.resolve()
    if (queued.batch.size <= EXAMPLE_SIZE_MAX) this.#example.keep(queued)
  }

  #noteSynced(txid: number): void {
    if (txid <= this.#syncedThrough) return
    this.#syncedThrough = txid
    this.#waiters.wake()
  }

  async #syncCurrent(): Promise<void> {
    const txid = this.#writtenThrough
    this.#isSyncWanted = false
    await this.#current.file.syncAsync('data')
    this.#noteSynced(txid)
  }

  async #enter(segment: Segment): Promise<void> {
    if (this.syncMode !== 'full') await this.#syncCurrent()
    if (!segment.isAttached) {
      const prepared = await this.#preparation.take(segment.sizeBytes)
      if (segment.isAttached) this.#preparation.giveBack(prepared)
      else segment.attach(prepared)
    }
    if (!segment.isEntered) await segment.enter()
    this.#entered(segment)
  }

  /** The synchronous path may have gone on to a later segment meanwhile. */
  #entered(segment: Segment): void {
    if (segment.header.sequence <= this.#current.header.sequence) return
    this.#retired.push(this.#current)
    if (!this.#isPumping) this.#closeRetired()
    this.#current = segment
    const { sequence, firstTxid } = segment.header
    this.#segments.add({ sequence, firstTxid, path: segment.path })
  }

  #closeRetired(): void {
    for (const segment of this.#retired.splice(0)) segment.close()
  }

  #writeQueueSync(): void {
    let isUnsynced = false
    for (const queued of this.#queue) {
      const { batch, segment } = queued
      queued.isSealed = true
      if (segment !== this.#current) {
        if (isUnsynced || this.syncMode !== 'full') this.#current.direct.sync('data')
        isUnsynced = false
        if (!segment.isAttached) segment.attach(this.#preparation.takeSync(segment.sizeBytes))
        segment.enterSync()
        this.#noteSynced(segment.header.firstTxid - 1)
        this.#entered(segment)
      }
      if (batch.size === 0) continue
      queued.isBegun = true
      segment.direct.write(batch.bytes, batch.start)
      isUnsynced = true
    }
    if (isUnsynced && this.syncMode === 'full') this.#current.direct.sync('data')
  }

  /** Poisons the log; returns the error for who caused it. */
  #fail(cause: unknown): unknown {
    this.#poison ??= { cause }
    const outcome = this.#queue.at(-1)?.isBegun === false ? 'none' : 'unknown'
    for (const queued of this.#queue.splice(0)) {
      queued.reject(withOutcome(cause, queued.isBegun ? 'unknown' : 'none'))
    }
    this.#waiters.wake()
    return withOutcome(cause, outcome)
  }
}
