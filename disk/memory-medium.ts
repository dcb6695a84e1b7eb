/**
 * What the handles and the names of a disk in memory stand on: its files, its space, and the rule
 * for every operation, that it is counted first and then happens, fails, or is cut off with the
 * power.
 */

import { assert } from '../base/assert.ts'
import { FaultPlan, InjectedError, PowerCut } from './fault-plan.ts'
import { toKvError } from './io-error.ts'
import { CHUNK_SIZE } from './memory-inode.ts'
import { MemoryLocks } from './memory-locks.ts'
import { MemoryScheduler } from './memory-scheduler.ts'
import { MemoryTree } from './memory-tree.ts'
import { Random } from '../base/random.ts'
import type { Clock } from '../base/clock.ts'
import type { SyncKind } from './disk.ts'
import type { Fault, Operation, OperationKind } from './fault-plan.ts'
import type { IoOperation } from './io-error.ts'
import type { MemoryFile, MemoryHost } from './memory-file.ts'
import type { MemoryInode } from './memory-inode.ts'

export interface MemoryDiskOptions {
  /** What all chance here is drawn from. Default 0. */
  readonly seed?: number | undefined
  /** Whose rules hold. Default `linux`. */
  readonly platform?: 'linux' | 'macos' | 'windows' | undefined
  /** A data sync makes nothing durable; only a full one does. Default false. */
  readonly dataSyncIsWeak?: boolean | undefined
  /** How much fits, in bytes, counted in chunks of 4096. Default: no limit. */
  readonly capacityBytes?: number | undefined
  /** What is written of a write that does not fit. Default `nothing`. */
  readonly whenFull?: 'nothing' | 'part' | undefined
  /** The probability, from 0 to 1, that one transfer below the retry loop is short. Default 0. */
  readonly shortTransfers?: number | undefined
  /** The order of asynchronous calls under way together. Default `random`, drawn from the seed. */
  readonly asyncOrder?: 'random' | 'asCalled' | undefined
  /** Keeps the bytes, and nothing of what was before: for storing things. Default false. */
  readonly isPlain?: boolean | undefined
  /**
   * The probability, from 0 to below 1, that a turn of the event loop passes in which no
   * asynchronous call happens: the calls then take a random time. Only where their order is random.
   * Default 0.
   */
  readonly idleTurns?: number | undefined
  /** For waiting for locks. Default: the system's. */
  readonly clock?: Clock | undefined
  /** Called for each operation before it happens. */
  readonly trace?: ((operation: Operation) => void) | undefined
}

/** What a disk is made from: files and names, and how many operations they have seen. */
export interface MemoryImage {
  readonly tree: MemoryTree
  readonly sequence: number
}

export class MemoryMedium implements MemoryHost {
  readonly tree: MemoryTree
  readonly plan: FaultPlan = new FaultPlan()
  readonly locks: MemoryLocks = new MemoryLocks()
  readonly #options: MemoryDiskOptions
  readonly #random: Random
  readonly #scheduler: MemoryScheduler
  #sequence: number
  #chunksUsed = 0
  #capacityBytes: number

  constructor(options: MemoryDiskOptions, image: MemoryImage | undefined) {
    this.#options = options
    this.#capacityBytes = options.capacityBytes ?? Infinity
    this.#random = new Random(options.seed ?? 0)
    const order = this.#random.fork()
    const asCalled = options.asyncOrder === 'asCalled'
    this.#scheduler = new MemoryScheduler(asCalled ? undefined : order, options.idleTurns ?? 0)
    this.tree = image?.tree ?? new MemoryTree(undefined, undefined, options.isPlain)
    this.#sequence = image?.sequence ?? 0
    for (const inode of this.tree.files()) this.#chunksUsed += inode.chunkCount
  }

  /**
   * The number of the operation happening now, or of the last one. Orders the unsynced ones, across
   * clones.
   */
  get sequence(): number {
    return this.#sequence
  }

  get usedBytes(): number {
    return this.#chunksUsed * CHUNK_SIZE
  }

  set capacityBytes(capacityBytes: number) {
    this.#capacityBytes = capacityBytes
  }

  /** The oldest operation that some image may leave out; beyond the last where there is none. */
  get firstUnsynced(): number {
    let first = this.tree.changes.list[0]?.sequence ?? Infinity
    for (const inode of this.tree.files()) {
      for (const { states } of inode.history.values()) {
        first = Math.min(first, states[0]?.sequence ?? Infinity)
      }
      first = Math.min(first, inode.sizes[0]?.sequence ?? Infinity)
    }
    return Math.min(first, this.#sequence + 1)
  }

  mustHavePower(): void {
    if (this.plan.isPowerOff) throw new PowerCut()
  }

  perform<T>(operation: Operation, apply: () => T, whenFailing?: (fault: Fault) => void): T {
    this.#options.trace?.(operation)
    const verdict = this.plan.judge(operation)
    this.#sequence += 1
    switch (verdict.kind) {
      case 'proceed':
        return withPath(operation.name, operation.path, apply)
      case 'fail':
        whenFailing?.(verdict.fault)
        throw failure(verdict.fault.code, operation.name, operation.path)
      case 'cut':
        if (!isSync(operation.kind)) ignoreErrors(apply)
        throw new PowerCut()
    }
  }

  later<T>(body: () => T): Promise<T> {
    return this.#scheduler.run(body)
  }

  reserve(inode: MemoryInode, position: number, sizeBytes: number): void {
    if (this.#options.whenFull === 'part') return
    if (this.#roomFor(inode, position, sizeBytes) < sizeBytes) throw noSpace()
  }

  transferIn(inode: MemoryInode, source: Uint8Array, position: number): number {
    const size = Math.min(
      this.#transferSize(source.length),
      this.#roomFor(inode, position, source.length),
    )
    if (size === 0) throw noSpace()
    this.changing(inode, () => inode.write(source.subarray(0, size), position, this.#sequence))
    return size
  }

  transferOut(inode: MemoryInode, target: Uint8Array, position: number): number {
    return inode.read(target.subarray(0, this.#transferSize(target.length)), position)
  }

  writeZeros(inode: MemoryInode, position: number, sizeBytes: number): void {
    const room = this.#roomFor(inode, position, sizeBytes)
    this.changing(inode, () => inode.writeZeros(position, room, this.#sequence))
    if (room < sizeBytes) throw noSpace()
  }

  truncate(inode: MemoryInode, sizeBytes: number): void {
    this.changing(inode, () => inode.truncate(sizeBytes, this.#sequence))
  }

  sync(inode: MemoryInode, kind: SyncKind): void {
    if (kind === 'data' && this.#options.dataSyncIsWeak === true) return
    inode.sync(this.#sequence)
    if (this.#options.platform === 'windows') this.tree.changes.syncNamesOf(inode)
  }

  partOf(sizeBytes: number): number {
    return sizeBytes === 0 ? 0 : this.#random.below(sizeBytes)
  }

  closed(file: MemoryFile): void {
    this.locks.release(file)
    file.inode.openCount -= 1
    this.#giveBackIfGone(file.inode)
  }

  /** Notes that a name of the file is gone. */
  unname(inode: MemoryInode): void {
    inode.nameCount -= 1
    this.#giveBackIfGone(inode)
  }

  /** Runs what may take up or give back space of a file. */
  changing(inode: MemoryInode, body: () => void): void {
    const before = inode.chunkCount
    body()
    this.#chunksUsed += inode.chunkCount - before
    assert(this.#chunksUsed >= 0, 'less than nothing is used')
  }

  #giveBackIfGone(inode: MemoryInode): void {
    if (inode.nameCount === 0 && inode.openCount === 0) this.#chunksUsed -= inode.chunkCount
  }

  /** How many of that many bytes one transfer moves. */
  #transferSize(sizeBytes: number): number {
    const { shortTransfers = 0 } = this.#options
    if (shortTransfers === 0 || sizeBytes < 2) return sizeBytes
    return this.#random.chance(shortTransfers) ? this.#random.between(1, sizeBytes - 1) : sizeBytes
  }

  /** How many of the bytes from `position` on can be written before the disk is full. */
  #roomFor(inode: MemoryInode, position: number, sizeBytes: number): number {
    let free = Math.floor(this.#capacityBytes / CHUNK_SIZE) - this.#chunksUsed
    if (free === Infinity || inode.newChunkCount(position, sizeBytes) <= free) return sizeBytes
    let end = position
    while (end < position + sizeBytes) {
      const isNew = inode.newChunkCount(end, 1) > 0
      if (isNew && free <= 0) break
      if (isNew) free -= 1
      end = Math.min(position + sizeBytes, (Math.floor(end / CHUNK_SIZE) + 1) * CHUNK_SIZE)
    }
    return end - position
  }
}

function isSync(kind: OperationKind): boolean {
  return kind === 'sync' || kind === 'syncDirectory'
}

function ignoreErrors(body: () => unknown): void {
  try {
    body()
  } catch {
    // The power went: nobody is there to hear of it.
  }
}

function noSpace(): InjectedError {
  return new InjectedError('ENOSPC', 'no space left on the disk')
}

/** A system error as the caller of the disk sees it. */
export function failure(code: string, name: IoOperation, path: string): Error {
  return toKvError(new InjectedError(code), name, path)
}

/** Runs `body`; its system errors get the path and a code. */
export function withPath<T>(operation: IoOperation, path: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (error instanceof InjectedError) throw toKvError(error, operation, path)
    throw error
  }
}
