/**
 * A handle on a file of a disk in memory.
 */

import { isKvError } from '../base/errors.ts'
import { checkOffset, closedError, durableRefusal, readOnlyError } from './io-error.ts'
import { readFully, writeFully } from './transfer.ts'
import type { KvError } from '../base/errors.ts'
import type { DiskFile, FileIdentity, SyncKind } from './disk.ts'
import type { Fault, Operation, OperationKind } from './fault-plan.ts'
import type { IoOperation } from './io-error.ts'
import type { MemoryInode } from './memory-inode.ts'

/** The device number of every disk in memory; two of them are told apart by nothing. */
export const MEMORY_DEVICE = 1

/** What a handle needs from its disk. */
export interface MemoryHost {
  /** Throws `PowerCut` once the power is off. */
  mustHavePower(): void
  /** Counts the operation and lets it happen, fail or be cut. */
  perform<T>(operation: Operation, apply: () => T, whenFailing?: (fault: Fault) => void): T
  later<T>(body: () => T): Promise<T>
  /** One transfer, maybe short. Throws ENOSPC when nothing more fits. */
  transferIn(inode: MemoryInode, source: Uint8Array, position: number): number
  transferOut(inode: MemoryInode, target: Uint8Array, position: number): number
  /** Throws ENOSPC, having written what fits or nothing, as the disk is set. */
  reserve(inode: MemoryInode, position: number, sizeBytes: number): void
  writeZeros(inode: MemoryInode, position: number, sizeBytes: number): void
  truncate(inode: MemoryInode, sizeBytes: number): void
  sync(inode: MemoryInode, kind: SyncKind): void
  /** How many bytes of a failing write of this many are done all the same. */
  partOf(sizeBytes: number): number
  closed(file: MemoryFile): void
}

export class MemoryFile implements DiskFile {
  readonly path: string
  readonly writable: boolean
  readonly inode: MemoryInode
  readonly #host: MemoryHost
  #isClosed = false
  #callsRunning = 0
  /** Settles, never rejecting, when the last durable write has. */
  #durableTail: Promise<void> = Promise.resolve()
  #durableFailure: KvError | undefined

  constructor(host: MemoryHost, inode: MemoryInode, path: string, writable: boolean) {
    this.#host = host
    this.inode = inode
    this.path = path
    this.writable = writable
    inode.openCount += 1
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  read(target: Uint8Array, position: number): number {
    this.#check('read', position)
    return this.#read(target, position)
  }

  async readAsync(target: Uint8Array, position: number): Promise<number> {
    this.#check('read', position)
    return this.#later(() => this.#read(target, position))
  }

  write(source: Uint8Array, position: number): void {
    this.#check('write', position)
    this.#write(source, position)
  }

  async writeAsync(source: Uint8Array, position: number): Promise<void> {
    this.#check('write', position)
    await this.#later(() => this.#write(source, position))
  }

  /** Two operations, and others may come between them. */
  async writeDurablyAsync(source: Uint8Array, position: number): Promise<void> {
    this.#check('write', position)
    this.#callsRunning += 1
    const write = this.#durableTail.then(() => this.#writeDurably(source, position))
    this.#durableTail = write.catch(() => undefined)
    try {
      await write
    } finally {
      this.#callEnded()
    }
  }

  size(): number {
    this.#check('stat')
    return this.inode.size
  }

  truncate(sizeBytes: number): void {
    checkOffset('sizeBytes', sizeBytes)
    this.#check('truncate')
    const start = Math.min(sizeBytes, this.inode.size)
    const end = Math.max(sizeBytes, this.inode.size)
    this.#host.perform(this.#operation('truncate', start, end), () =>
      this.#host.truncate(this.inode, sizeBytes),
    )
  }

  allocate(position: number, sizeBytes: number): void {
    checkOffset('sizeBytes', sizeBytes)
    this.#check('allocate', position)
    const { inode } = this
    this.#host.perform(
      this.#operation('allocate', position, position + sizeBytes),
      () => {
        this.#host.reserve(inode, position, sizeBytes)
        this.#host.writeZeros(inode, position, sizeBytes)
      },
      (fault) => {
        if (fault.leaves !== 'part') return
        this.#host.writeZeros(inode, position, this.#host.partOf(sizeBytes))
      },
    )
  }

  /** Nothing is durable before a sync, and a sync here takes no time. */
  beginWriteback(): void {}

  sync(kind: SyncKind): void {
    this.#check('sync')
    this.#sync(kind)
  }

  async syncAsync(kind: SyncKind): Promise<void> {
    this.#check('sync')
    await this.#later(() => this.#sync(kind))
  }

  identity(): FileIdentity {
    this.#check('stat')
    return { device: MEMORY_DEVICE, inode: this.inode.id }
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#callsRunning === 0) this.#host.closed(this)
  }

  #read(target: Uint8Array, position: number): number {
    return this.#host.perform(this.#operation('read', position, position + target.length), () =>
      readFully((bytes, at) => this.#host.transferOut(this.inode, bytes, at), target, position),
    )
  }

  #write(source: Uint8Array, position: number): void {
    const { inode } = this
    this.#host.perform(
      this.#operation('write', position, position + source.length),
      () => {
        this.#host.reserve(inode, position, source.length)
        writeFully((bytes, at) => this.#host.transferIn(inode, bytes, at), source, position)
      },
      (fault) => {
        if (fault.leaves !== 'part') return
        const part = source.subarray(0, this.#host.partOf(source.length))
        writeFully((bytes, at) => this.#host.transferIn(inode, bytes, at), part, position)
      },
    )
  }

  async #writeDurably(source: Uint8Array, position: number): Promise<void> {
    if (this.#durableFailure !== undefined) throw durableRefusal(this.path, this.#durableFailure)
    try {
      await this.#host.later(() => this.#write(source, position))
      await this.#host.later(() => this.#sync('data'))
    } catch (error) {
      if (isKvError(error)) this.#durableFailure = error
      throw error
    }
  }

  #sync(kind: SyncKind): void {
    this.#host.perform(
      this.#operation('sync'),
      () => this.#host.sync(this.inode, kind),
      () => this.inode.failSync(),
    )
  }

  #operation(kind: OperationKind & IoOperation, start?: number, end?: number): Operation {
    const { path } = this
    if (start === undefined || end === undefined) return { kind, name: kind, path }
    return { kind, name: kind, path, start, end }
  }

  #check(operation: IoOperation, position?: number): void {
    if (position !== undefined) checkOffset('position', position)
    if (this.#isClosed) throw closedError(this.path)
    const isChange = operation === 'write' || operation === 'truncate' || operation === 'allocate'
    if (isChange && !this.writable) throw readOnlyError(operation, this.path)
    this.#host.mustHavePower()
  }

  /** As on the real disk, a handle closed meanwhile stays until its last call has ended. */
  async #later<T>(body: () => T): Promise<T> {
    this.#callsRunning += 1
    try {
      return await this.#host.later(body)
    } finally {
      this.#callEnded()
    }
  }

  #callEnded(): void {
    this.#callsRunning -= 1
    if (this.#isClosed && this.#callsRunning === 0) this.#host.closed(this)
  }
}
