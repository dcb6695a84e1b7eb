/**
 * A disk in memory that can lose power, tear, reorder, fill up and fail.
 *
 * It keeps a live and a durable image and every state in between (memory-inode.ts, memory-names.ts), so that after
 * any operation it can be asked for an image that a power loss at that moment could leave:
 *
 *   const disk = new MemoryDisk({ seed })
 *   disk.cutPowerAt(k)                        the k-th operation throws PowerCut, as do all later ones
 *   try { workload(disk) } catch (error) { … }
 *   const found = disk.afterPowerLoss(seed)   a new disk; ask again for another image of the same moment
 *
 * Operations that change something are numbered from 1 on: create, write, truncate, allocate, sync,
 * makeDirectory (one for each directory made), rename, remove, syncDirectory. The one during which the power goes may or may
 * not, or in part, have reached the disk; a sync then promises nothing.
 *
 * The rules of other platforms are switches:
 *   linux     a data sync makes bytes and length durable
 *   macos     the same, since the real disk asks for a full flush there; with `dataSyncIsWeak` a data sync makes
 *             nothing durable, which shows what depends on that
 *   windows   directories can't be synced (the call does nothing): a file's names become durable with the
 *             file's sync; renaming over a file that is open fails
 *
 * Everything follows from the seed and the calls made. Relative paths are taken from `/`, which exists.
 */

import { posix as paths } from 'node:path'
import { assert } from '../base/assert.ts'
import { systemClock } from '../base/clock.ts'
import { Random } from '../base/random.ts'
import { FaultPlan, InjectedError, PowerCut } from './fault-plan.ts'
import { closedError, toKvError } from './io-error.ts'
import { waitForLock } from './lock-wait.ts'
import { MEMORY_DEVICE, MemoryFile } from './memory-file.ts'
import { CHUNK_SIZE } from './memory-inode.ts'
import { MemoryInode } from './memory-inode.ts'
import { MemoryLockAttempt, MemoryLocks } from './memory-locks.ts'
import { MemoryDirectory } from './memory-names.ts'
import { MemoryScheduler } from './memory-scheduler.ts'
import { MemoryTree } from './memory-tree.ts'
import { PowerLoss } from './power-loss.ts'
import type { Clock } from '../base/clock.ts'
import type {
  Disk,
  DiskFile,
  DiskFileOptions,
  FileIdentity,
  LockOptions,
  SyncKind,
} from './disk.ts'
import type { Fault, Operation, OperationKind } from './fault-plan.ts'
import type { IoOperation } from './io-error.ts'
import type { MemoryHost } from './memory-file.ts'
import type { Place } from './memory-tree.ts'
import type { PowerLossMode } from './power-loss.ts'

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
  /** For waiting for locks. Default: the system's. */
  readonly clock?: Clock | undefined
  /** Called for each operation before it happens. */
  readonly trace?: ((operation: Operation) => void) | undefined
}

export class MemoryDisk implements Disk {
  readonly #options: MemoryDiskOptions
  readonly #random: Random
  readonly #scheduler: MemoryScheduler
  readonly #tree: MemoryTree
  readonly #plan: FaultPlan = new FaultPlan()
  readonly #locks: MemoryLocks = new MemoryLocks()
  readonly #locking: Set<MemoryFile> = new Set()
  readonly #host: MemoryHost
  /** Counts all operations, across clones; orders the unsynced ones. */
  #sequence: number
  #chunksUsed = 0

  constructor(options: MemoryDiskOptions = {}, image?: MemoryImage) {
    this.#options = options
    this.#random = new Random(options.seed ?? 0)
    this.#scheduler = new MemoryScheduler(
      options.asyncOrder === 'asCalled' ? undefined : this.#random.fork(),
    )
    this.#tree = image?.tree ?? new MemoryTree()
    this.#sequence = image?.sequence ?? 0
    for (const inode of this.#tree.files()) this.#chunksUsed += inode.chunkCount
    this.#host = this.#makeHost()
  }

  /** How many numbered operations have been done, failed or cut. */
  get operationCount(): number {
    return this.#plan.operationCount
  }

  get isPowerOff(): boolean {
    return this.#plan.isPowerOff
  }

  /** Space taken up by files, in bytes. */
  get usedBytes(): number {
    return this.#chunksUsed * CHUNK_SIZE
  }

  /** The power goes during the operation of this number; `operation` must still be to come. */
  cutPowerAt(operation: number): void {
    this.#plan.cutPowerAt(operation)
  }

  /** Makes operations fail. Returns a function that lifts the fault. */
  injectFault(fault: Fault): () => void {
    const path = fault.path === undefined ? undefined : this.resolve(fault.path)
    return this.#plan.add({ ...fault, path })
  }

  /**
   * A new disk as it could be found if the power went now, or when it went. Locks, handles and faults are gone; options
   * stay, save the ones given. This disk is not changed and can be asked again.
   */
  afterPowerLoss(
    chance: number | Random,
    mode: PowerLossMode = 'random',
    options: MemoryDiskOptions = {},
  ): MemoryDisk {
    const random = typeof chance === 'number' ? new Random(chance) : chance
    const loss = new PowerLoss(random, mode, this.#firstUnsynced(), this.#sequence)
    const tree = this.#tree.afterPowerLoss(loss)
    return new MemoryDisk({ ...this.#options, ...options }, { tree, sequence: this.#sequence })
  }

  /** A new disk as the next process finds it after SIGKILL: all writes are there, none more durable, no locks. */
  processKilled(options: MemoryDiskOptions = {}): MemoryDisk {
    return this.clone(options)
  }

  /** A new disk with the same live and durable state; its operations are counted from 0, faults are not copied. */
  clone(options: MemoryDiskOptions = {}): MemoryDisk {
    const image = { tree: this.#tree.clone(), sequence: this.#sequence }
    return new MemoryDisk({ ...this.#options, ...options }, image)
  }

  /** A copy of a file's live bytes. Not an operation: not counted, and works without power. */
  readFile(path: string): Uint8Array {
    const inode = this.#fileAt(path)
    const bytes = new Uint8Array(inode.size)
    inode.read(bytes, 0)
    return bytes
  }

  /** Puts a file there, durable at once, with its directories. Not an operation. Open handles see the new bytes. */
  writeFile(path: string, bytes: Uint8Array): void {
    wrap('write', this.resolve(path), () => {
      const inode = this.#tree.makeDurable(path)
      this.#changing(inode, () => inode.replace(bytes))
    })
  }

  /** Bit rot: flips a bit (0 to 7) of a byte, live and durable. Not an operation. */
  flipBit(path: string, offset: number, bit: number): void {
    const inode = this.#fileAt(path)
    if (!(offset >= 0 && offset < inode.size)) {
      throw new RangeError(`offset: ${offset} is not within the file's ${inode.size} bytes`)
    }
    this.#changing(inode, () => inode.flipBit(offset, bit))
  }

  open(path: string, options: DiskFileOptions): DiskFile {
    this.#mustHavePower()
    const fullPath = this.resolve(path)
    const isWritable = options.mode !== 'read'
    const name: IoOperation = isWritable ? 'open for writing' : 'open'
    const place = wrap(name, fullPath, () => this.#tree.place(fullPath))
    const inode = this.#openInode(place, { kind: 'open', name, path: fullPath }, options.mode)
    return new MemoryFile(this.#host, inode, fullPath, isWritable)
  }

  exists(path: string): boolean {
    return this.identityOf(path) !== undefined
  }

  identityOf(path: string): FileIdentity | undefined {
    return this.#perform({ kind: 'stat', name: 'stat', path: this.resolve(path) }, () => {
      const node = this.#tree.find(path)
      return node === undefined ? undefined : { device: MEMORY_DEVICE, inode: node.id }
    })
  }

  list(directory: string): string[] {
    return this.#perform({ kind: 'list', name: 'list', path: this.resolve(directory) }, () =>
      [...this.#tree.directory(directory).live.keys()].sort(),
    )
  }

  makeDirectory(path: string): void {
    this.#mustHavePower()
    const full = this.resolve(path)
    const names = full.split('/').filter((name) => name !== '')
    for (let count = 1; count <= names.length; count++) {
      const part = `/${names.slice(0, count).join('/')}`
      const { directory, name, node } = wrap('make directory', full, () => this.#tree.place(part))
      if (node?.kind === 'directory') continue
      if (node !== undefined) throw failure('EEXIST', 'make directory', part)
      const operation: Operation = { kind: 'makeDirectory', name: 'make directory', path: part }
      this.#perform(operation, () => {
        const to = new MemoryDirectory(this.#tree.nextId())
        this.#tree.changes.apply([{ directory, name, to }], this.#sequence)
      })
    }
  }

  rename(source: string, target: string): void {
    this.#mustHavePower()
    const path = this.resolve(source)
    const targetPath = this.resolve(target)
    const [from, to] = wrap('rename', path, () => {
      const places = [this.#tree.place(path), this.#tree.place(targetPath)] as const
      this.#checkRename(...places)
      return places
    })
    if (from.node === to.node) return
    this.#perform({ kind: 'rename', name: 'rename', path, target: targetPath }, () => {
      if (to.node?.kind === 'file') this.#unname(to.node)
      const edits = [
        { directory: from.directory, name: from.name, to: undefined },
        { directory: to.directory, name: to.name, to: from.node },
      ]
      this.#tree.changes.apply(edits, this.#sequence)
    })
  }

  remove(path: string): void {
    this.#mustHavePower()
    const full = this.resolve(path)
    const { directory, name, node } = wrap('remove', full, () => this.#tree.place(full))
    if (node === undefined) throw failure('ENOENT', 'remove', full)
    if (node.kind === 'directory') throw failure('EISDIR', 'remove', full)
    this.#perform({ kind: 'remove', name: 'remove', path: full }, () => {
      this.#unname(node)
      this.#tree.changes.apply([{ directory, name, to: undefined }], this.#sequence)
    })
  }

  syncDirectory(path: string): void {
    this.#mustHavePower()
    const full = this.resolve(path)
    const directory = wrap('sync directory', full, () => this.#tree.directory(full))
    this.#perform({ kind: 'syncDirectory', name: 'sync directory', path: full }, () => {
      if (this.#options.platform !== 'windows') this.#tree.changes.syncDirectory(directory)
    })
  }

  async lock(file: DiskFile, options: LockOptions): Promise<void> {
    if (!(file instanceof MemoryFile)) throw new TypeError('file: expected a file of this disk')
    if (file.isClosed) throw closedError(file.path)
    if (this.#locks.holds(file) || this.#locking.has(file)) {
      throw new TypeError('file: this handle is locked already, or being locked')
    }
    this.#locking.add(file)
    try {
      const present = (): unknown => {
        this.#mustHavePower()
        return this.#tree.find(file.path)
      }
      const target = new MemoryLockAttempt(this.#locks, file, options, present)
      await waitForLock(target, options, this.#options.clock ?? systemClock)
    } finally {
      this.#locking.delete(file)
    }
  }

  join(...parts: string[]): string {
    return paths.join(...parts)
  }

  directoryOf(path: string): string {
    return paths.dirname(path)
  }

  resolve(path: string): string {
    return paths.resolve('/', path)
  }

  #openInode(place: Place, open: Operation, mode: DiskFileOptions['mode']): MemoryInode {
    const { directory, name, node } = place
    if (node?.kind === 'directory') throw failure('EISDIR', open.name, open.path)
    if (node !== undefined) {
      if (mode === 'createNew') throw failure('EEXIST', open.name, open.path)
      return this.#perform(open, () => node)
    }
    if (mode === 'read' || mode === 'write') throw failure('ENOENT', open.name, open.path)
    return this.#perform({ ...open, kind: 'create' }, () => {
      const inode = new MemoryInode(this.#tree.nextId())
      inode.nameCount = 1
      this.#tree.changes.apply([{ directory, name, to: inode }], this.#sequence)
      return inode
    })
  }

  #checkRename(from: Place, to: Place): void {
    if (from.node === undefined) throw new InjectedError('ENOENT', 'no such file')
    if (to.node === undefined || to.node === from.node) {
      if (to.node === undefined && this.#tree.isWithin(to.directory, from.node)) {
        throw new InjectedError('EINVAL', 'a directory can’t go into itself')
      }
      return
    }
    if (from.node.kind === 'file') {
      if (to.node.kind === 'directory') throw new InjectedError('EISDIR', 'it is a directory')
      if (this.#options.platform === 'windows' && to.node.openCount > 0) {
        throw new InjectedError('EPERM', 'the target is open')
      }
      return
    }
    if (to.node.kind === 'file') throw new InjectedError('ENOTDIR', 'not a directory')
    if (to.node.live.size > 0) throw new InjectedError('ENOTEMPTY', 'the target is not empty')
  }

  #fileAt(path: string): MemoryInode {
    const node = this.#tree.find(path)
    if (node?.kind === 'file') return node
    throw failure(node === undefined ? 'ENOENT' : 'EISDIR', 'open', this.resolve(path))
  }

  #mustHavePower(): void {
    if (this.#plan.isPowerOff) throw new PowerCut()
  }

  #perform<T>(operation: Operation, apply: () => T, whenFailing?: (fault: Fault) => void): T {
    this.#options.trace?.(operation)
    const verdict = this.#plan.judge(operation)
    this.#sequence += 1
    switch (verdict.kind) {
      case 'proceed':
        return wrap(operation.name, operation.path, apply)
      case 'fail':
        whenFailing?.(verdict.fault)
        throw failure(verdict.fault.code, operation.name, operation.path)
      case 'cut':
        if (!isSync(operation.kind)) ignoreErrors(apply)
        throw new PowerCut()
    }
  }

  #makeHost(): MemoryHost {
    return {
      mustHavePower: () => this.#mustHavePower(),
      perform: (operation, apply, whenFailing) => this.#perform(operation, apply, whenFailing),
      later: (body) => this.#scheduler.run(body),
      transferIn: (inode, source, position) => this.#transferIn(inode, source, position),
      transferOut: (inode, target, position) =>
        inode.read(target.subarray(0, this.#transferSize(target.length)), position),
      reserve: (inode, position, sizeBytes) => {
        if (this.#options.whenFull === 'part') return
        if (this.#roomFor(inode, position, sizeBytes) < sizeBytes) throw noSpace()
      },
      writeZeros: (inode, position, sizeBytes) => {
        const room = this.#roomFor(inode, position, sizeBytes)
        this.#changing(inode, () => inode.writeZeros(position, room, this.#sequence))
        if (room < sizeBytes) throw noSpace()
      },
      truncate: (inode, sizeBytes) => {
        this.#changing(inode, () => inode.truncate(sizeBytes, this.#sequence))
      },
      sync: (inode, kind) => this.#sync(inode, kind),
      partOf: (sizeBytes) => (sizeBytes === 0 ? 0 : this.#random.below(sizeBytes)),
      closed: (file) => this.#closed(file),
    }
  }

  #transferIn(inode: MemoryInode, source: Uint8Array, position: number): number {
    const size = Math.min(
      this.#transferSize(source.length),
      this.#roomFor(inode, position, source.length),
    )
    if (size === 0) throw noSpace()
    this.#changing(inode, () => inode.write(source.subarray(0, size), position, this.#sequence))
    return size
  }

  /** How many of that many bytes one transfer moves. */
  #transferSize(sizeBytes: number): number {
    const { shortTransfers = 0 } = this.#options
    if (shortTransfers === 0 || sizeBytes < 2 || !this.#random.chance(shortTransfers)) {
      return sizeBytes
    }
    return this.#random.between(1, sizeBytes - 1)
  }

  /** How many of the bytes from `position` on can be written before the disk is full. */
  #roomFor(inode: MemoryInode, position: number, sizeBytes: number): number {
    const { capacityBytes = Infinity } = this.#options
    let free = Math.floor(capacityBytes / CHUNK_SIZE) - this.#chunksUsed
    if (inode.newChunkCount(position, sizeBytes) <= free) return sizeBytes
    let end = position
    while (end < position + sizeBytes) {
      const isNew = inode.newChunkCount(end, 1) > 0
      if (isNew && free <= 0) break
      if (isNew) free -= 1
      end = Math.min(position + sizeBytes, (Math.floor(end / CHUNK_SIZE) + 1) * CHUNK_SIZE)
    }
    return end - position
  }

  #sync(inode: MemoryInode, kind: SyncKind): void {
    if (kind === 'data' && this.#options.dataSyncIsWeak === true) return
    inode.sync(this.#sequence)
    if (this.#options.platform === 'windows') this.#tree.changes.syncNamesOf(inode)
  }

  /** Runs what may take up or give back space of a file. */
  #changing(inode: MemoryInode, body: () => void): void {
    const before = inode.chunkCount
    body()
    this.#chunksUsed += inode.chunkCount - before
    assert(this.#chunksUsed >= 0, 'less than nothing is used')
  }

  #unname(inode: MemoryInode): void {
    inode.nameCount -= 1
    this.#giveBackIfGone(inode)
  }

  #closed(file: MemoryFile): void {
    this.#locks.release(file)
    file.inode.openCount -= 1
    this.#giveBackIfGone(file.inode)
  }

  #giveBackIfGone(inode: MemoryInode): void {
    if (inode.nameCount === 0 && inode.openCount === 0) this.#chunksUsed -= inode.chunkCount
  }

  /** The oldest operation that some image may leave out; beyond the last where there is none. */
  #firstUnsynced(): number {
    let first = this.#tree.changes.list[0]?.sequence ?? Infinity
    for (const inode of this.#tree.files()) {
      for (const { states } of inode.history.values()) {
        first = Math.min(first, states[0]?.sequence ?? Infinity)
      }
      first = Math.min(first, inode.sizes[0]?.sequence ?? Infinity)
    }
    return Math.min(first, this.#sequence + 1)
  }
}

/** What a disk is made from: files and names, and how many operations they have seen. */
export interface MemoryImage {
  readonly tree: MemoryTree
  readonly sequence: number
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

function failure(code: string, name: IoOperation, path: string): Error {
  return toKvError(new InjectedError(code), name, path)
}

function wrap<T>(operation: IoOperation, path: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (error instanceof InjectedError) throw toKvError(error, operation, path)
    throw error
  }
}
