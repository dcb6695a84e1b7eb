/**
 * A file on the real disk: a descriptor and what is held through it.
 *
 * A descriptor number is used again as soon as it is closed, so a write still running in the thread
 * pool could land in another file. `close()` therefore gives the descriptor (and the lock) back
 * only when the last asynchronous call on it has ended; to the caller the handle is closed at once.
 *
 * Durable writes in the background have a room of their own: real-durable.ts.
 */

import * as fs from 'node:fs'
import { checkOffset, closedError, readOnlyError, toKvError } from './io-error.ts'
import {
  readAt,
  readAtAsync,
  syncAsync,
  syncNow,
  writeAt,
  writeAtAsync,
} from './real-descriptor.ts'
import { DurableWriter } from './real-durable.ts'
import type { DiskFile, FileIdentity, SyncKind } from './disk.ts'
import type { IoOperation } from './io-error.ts'

const ZEROS: Uint8Array = new Uint8Array(1024 * 1024)

/** Whether a descriptor can be opened again by number: the name may lead elsewhere by now. */
const CAN_REOPEN = process.platform === 'linux'
/** Between two syncs; each takes a thread of the pool for a while. */
const WRITEBACKS_MAX = 16

export class RealFile implements DiskFile {
  readonly path: string
  readonly writable: boolean
  readonly #descriptor: number
  #isClosed = false
  #callsRunning = 0
  #isLocking = false
  #release: (() => void) | undefined
  /** Made for the first durable write in the background. */
  #durable: DurableWriter | undefined
  /** A second description of the same file, for `beginWriteback`. */
  #writebackDescriptor: number | undefined
  #writebacksRunning = 0
  #writebacksSinceSync = 0

  /** Takes over `descriptor`. `path` is absolute. */
  constructor(descriptor: number, path: string, writable: boolean) {
    this.#descriptor = descriptor
    this.path = path
    this.writable = writable
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whether a lock is held through this handle, or being taken. */
  get isLocked(): boolean {
    return this.#isLocking || this.#release !== undefined
  }

  /** The descriptor, for locking. Throws `KV_CLOSED` once closed. */
  get descriptor(): number {
    if (this.#isClosed) throw closedError(this.path)
    return this.#descriptor
  }

  beginLock(): void {
    this.#isLocking = true
  }

  endLock(): void {
    this.#isLocking = false
  }

  /** Notes a lock taken on the descriptor; `release` runs just before the descriptor is closed. */
  holdLock(release: () => void): void {
    this.#release = release
  }

  dropLock(): void {
    this.#release = undefined
  }

  read(target: Uint8Array, position: number): number {
    checkOffset('position', position)
    const descriptor = this.descriptor
    return this.#run('read', () => readAt(descriptor, target, position))
  }

  async readAsync(target: Uint8Array, position: number): Promise<number> {
    checkOffset('position', position)
    const descriptor = this.descriptor
    return this.#runAsync('read', () => readAtAsync(descriptor, target, position))
  }

  write(source: Uint8Array, position: number): void {
    checkOffset('position', position)
    const descriptor = this.#writableDescriptor('write')
    this.#run('write', () => writeAt(descriptor, source, position))
  }

  async writeAsync(source: Uint8Array, position: number): Promise<void> {
    checkOffset('position', position)
    const descriptor = this.#writableDescriptor('write')
    await this.#runAsync('write', () => writeAtAsync(descriptor, source, position))
  }

  async writeDurablyAsync(source: Uint8Array, position: number): Promise<void> {
    checkOffset('position', position)
    const descriptor = this.#writableDescriptor('write')
    const durable = (this.#durable ??= new DurableWriter(descriptor, this.path))
    await this.#runAsync('write', () => durable.write(source, position))
  }

  expectDurableWrites(): void {
    const descriptor = this.#writableDescriptor('write')
    this.#durable ??= new DurableWriter(descriptor, this.path)
    this.#durable.prepare()
  }

  size(): number {
    const descriptor = this.descriptor
    return this.#run('stat', () => fs.fstatSync(descriptor).size)
  }

  truncate(sizeBytes: number): void {
    checkOffset('sizeBytes', sizeBytes)
    const descriptor = this.#writableDescriptor('truncate')
    this.#run('truncate', () => fs.ftruncateSync(descriptor, sizeBytes))
  }

  allocate(position: number, sizeBytes: number): void {
    checkOffset('position', position)
    checkOffset('sizeBytes', sizeBytes)
    const descriptor = this.#writableDescriptor('allocate')
    this.#run('allocate', () => {
      for (let done = 0; done < sizeBytes; done += ZEROS.length) {
        writeAt(descriptor, ZEROS.subarray(0, sizeBytes - done), position + done)
      }
    })
  }

  /**
   * Runs a sync in the thread pool and lets it be. It has a file description of its own: the system
   * reports a failed write once to each description, so the caller's own sync still hears of one.
   */
  beginWriteback(): void {
    const descriptor = this.#writableDescriptor('sync')
    if (!CAN_REOPEN || this.#writebacksSinceSync >= WRITEBACKS_MAX) return
    this.#writebacksSinceSync += 1
    try {
      this.#writebackDescriptor ??= fs.openSync(`/proc/self/fd/${descriptor}`, 'r+')
    } catch {
      // Then the sync to come does all the work.
      return
    }
    this.#writebacksRunning += 1
    fs.fdatasync(this.#writebackDescriptor, () => {
      this.#writebacksRunning -= 1
      this.#closeWriteback()
    })
  }

  #closeWriteback(): void {
    const descriptor = this.#writebackDescriptor
    if (!this.#isClosed || this.#writebacksRunning > 0 || descriptor === undefined) return
    this.#writebackDescriptor = undefined
    this.#run('close', () => fs.closeSync(descriptor))
  }

  sync(kind: SyncKind): void {
    const descriptor = this.descriptor
    this.#writebacksSinceSync = 0
    this.#run('sync', () => syncNow(descriptor, kind))
  }

  async syncAsync(kind: SyncKind): Promise<void> {
    const descriptor = this.descriptor
    this.#writebacksSinceSync = 0
    await this.#runAsync('sync', () => syncAsync(descriptor, kind))
  }

  identity(): FileIdentity {
    const descriptor = this.descriptor
    return this.#run('stat', () => {
      const stat = fs.fstatSync(descriptor)
      return { device: stat.dev, inode: stat.ino }
    })
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#closeWriteback()
    if (this.#callsRunning === 0) this.#closeDescriptor()
  }

  #writableDescriptor(operation: IoOperation): number {
    const descriptor = this.descriptor
    if (!this.writable) throw readOnlyError(operation, this.path)
    return descriptor
  }

  #run<T>(operation: IoOperation, body: () => T): T {
    try {
      return body()
    } catch (error) {
      throw toKvError(error, operation, this.path)
    }
  }

  async #runAsync<T>(operation: IoOperation, body: () => Promise<T>): Promise<T> {
    this.#callsRunning += 1
    try {
      return await body()
    } catch (error) {
      throw toKvError(error, operation, this.path)
    } finally {
      this.#callsRunning -= 1
      if (this.#isClosed && this.#callsRunning === 0) this.#closeDescriptor()
    }
  }

  #closeDescriptor(): void {
    const release = this.#release
    this.#release = undefined
    this.#durable?.close()
    try {
      release?.()
    } finally {
      this.#run('close', () => fs.closeSync(this.#descriptor))
    }
  }
}
