/**
 * A disk in memory that can lose power, tear, reorder, fill up and fail.
 *
 * It keeps a live and a durable image and every state in between (memory-inode.ts,
 * memory-names.ts), so that after any operation it can be asked for an image that a power loss at
 * that moment could leave:
 *
 *   const disk = new MemoryDisk({ seed })
 *   disk.cutPowerAt(k)                        the k-th operation and all later ones throw PowerCut
 *   try { workload(disk) } catch (error) { … }
 *   const found = disk.afterPowerLoss(seed)   a new disk; ask again for another possible image
 *
 * Operations that change something are numbered from 1 on: create, write, truncate, allocate, sync,
 * makeDirectory (one for each directory made), rename, remove, syncDirectory. The one during which
 * the power goes may or may not, or in part, have reached the disk; a sync then promises nothing.
 *
 * The rules of other platforms are switches:
 *   linux     a data sync makes bytes and length durable
 *   macos     the same, since the real disk asks for a full flush there; with `dataSyncIsWeak` a
 *             data sync makes nothing durable, which shows what depends on that
 *   windows   directories can't be synced (the call does nothing): a file's names become durable
 *             with the file's sync; renaming over a file that is open fails
 *
 * A disk that `isPlain` only stores: it keeps nothing of what was overwritten, and can't be asked
 * what a power loss would leave.
 *
 * Everything follows from the seed and the calls made. Relative paths are taken from `/`, which
 * exists.
 */

import { posix as paths } from 'node:path'
import { systemClock } from '../base/clock.ts'
import { Random } from '../base/random.ts'
import { InjectedError } from './fault-plan.ts'
import { closedError } from './io-error.ts'
import { waitForLock } from './lock-wait.ts'
import { MEMORY_DEVICE, MemoryFile } from './memory-file.ts'
import { MemoryLockAttempt } from './memory-locks.ts'
import { MemoryMedium, failure, withPath } from './memory-medium.ts'
import { MemoryDirectory } from './memory-names.ts'
import { PowerLoss } from './power-loss.ts'
import { resolvePath } from './memory-tree.ts'
import type { Disk, DiskFile, DiskFileOptions, FileIdentity, LockOptions } from './disk.ts'
import type { Fault, Operation } from './fault-plan.ts'
import type { IoOperation } from './io-error.ts'
import type { MemoryInode } from './memory-inode.ts'
import type { MemoryDiskOptions, MemoryImage } from './memory-medium.ts'
import type { Place } from './memory-tree.ts'
import type { PowerLossMode } from './power-loss.ts'

export class MemoryDisk implements Disk {
  readonly #options: MemoryDiskOptions
  readonly #medium: MemoryMedium
  readonly #locking: Set<MemoryFile> = new Set()

  constructor(options: MemoryDiskOptions = {}, image?: MemoryImage) {
    this.#options = options
    this.#medium = new MemoryMedium(options, image)
  }

  /** How many numbered operations have been done, failed or cut. */
  get operationCount(): number {
    return this.#medium.plan.operationCount
  }

  get isPowerOff(): boolean {
    return this.#medium.plan.isPowerOff
  }

  /** Space taken up by files, in bytes. */
  get usedBytes(): number {
    return this.#medium.usedBytes
  }

  /**
   * Sets how much fits from now on, in bytes; what is there stays. `usedBytes`: the disk is full.
   * An image of this disk has the capacity of its options.
   */
  setCapacity(capacityBytes: number): void {
    this.#medium.capacityBytes = capacityBytes
  }

  /** The power goes during the operation of this number; `operation` must still be to come. */
  cutPowerAt(operation: number): void {
    this.#medium.plan.cutPowerAt(operation)
  }

  /** Makes operations fail. Returns a function that lifts the fault. */
  injectFault(fault: Fault): () => void {
    const path = fault.path === undefined ? undefined : this.resolve(fault.path)
    return this.#medium.plan.add({ ...fault, path })
  }

  /**
   * A new disk as it could be found if the power went now, or when it went. Locks, handles and
   * faults are gone; options stay, save the ones given. This disk is not changed and can be asked
   * again.
   */
  afterPowerLoss(
    chance: number | Random,
    mode: PowerLossMode = 'random',
    options: MemoryDiskOptions = {},
  ): MemoryDisk {
    const random = typeof chance === 'number' ? new Random(chance) : chance
    const loss = new PowerLoss(random, mode, this.#medium.firstUnsynced, this.#medium.sequence)
    const tree = this.#medium.tree.afterPowerLoss(loss)
    return new MemoryDisk(
      { ...this.#options, ...options },
      { tree, sequence: this.#medium.sequence },
    )
  }

  /**
   * A new disk as the next process finds it after SIGKILL: all writes are there, none more durable,
   * no locks.
   */
  processKilled(options: MemoryDiskOptions = {}): MemoryDisk {
    return this.clone(options)
  }

  /**
   * A new disk with the same live and durable state; its operations are counted from 0, faults are
   * not copied.
   */
  clone(options: MemoryDiskOptions = {}): MemoryDisk {
    const image = { tree: this.#medium.tree.clone(), sequence: this.#medium.sequence }
    return new MemoryDisk({ ...this.#options, ...options }, image)
  }

  /** A copy of a file's live bytes. Not an operation: not counted, and works without power. */
  readFile(path: string): Uint8Array {
    const inode = this.#fileAt(path)
    const bytes = new Uint8Array(inode.size)
    inode.read(bytes, 0)
    return bytes
  }

  /**
   * Puts a file there, durable at once, with its directories. Not an operation. Open handles see
   * the new bytes.
   */
  writeFile(path: string, bytes: Uint8Array): void {
    withPath('write', this.resolve(path), () => {
      const inode = this.#medium.tree.makeDurable(path)
      this.#medium.changing(inode, () => inode.replace(bytes))
    })
  }

  /** Bit rot: flips a bit (0 to 7) of a byte, live and durable. Not an operation. */
  flipBit(path: string, offset: number, bit: number): void {
    const inode = this.#fileAt(path)
    if (!(offset >= 0 && offset < inode.size)) {
      throw new RangeError(`offset: ${offset} is not within the file's ${inode.size} bytes`)
    }
    this.#medium.changing(inode, () => inode.flipBit(offset, bit))
  }

  open(path: string, options: DiskFileOptions): DiskFile {
    this.#medium.mustHavePower()
    const fullPath = this.resolve(path)
    const isWritable = options.mode !== 'read'
    const name: IoOperation = isWritable ? 'open for writing' : 'open'
    const place = withPath(name, fullPath, () => this.#medium.tree.place(fullPath))
    const inode = this.#openInode(place, { kind: 'open', name, path: fullPath }, options.mode)
    return new MemoryFile(this.#medium, inode, fullPath, isWritable)
  }

  exists(path: string): boolean {
    return this.identityOf(path) !== undefined
  }

  identityOf(path: string): FileIdentity | undefined {
    return this.#medium.perform({ kind: 'stat', name: 'stat', path: this.resolve(path) }, () => {
      const node = this.#medium.tree.find(path)
      return node === undefined ? undefined : { device: MEMORY_DEVICE, inode: node.id }
    })
  }

  list(directory: string): string[] {
    return this.#medium.perform({ kind: 'list', name: 'list', path: this.resolve(directory) }, () =>
      [...this.#medium.tree.directory(directory).live.keys()].sort(),
    )
  }

  makeDirectory(path: string): void {
    this.#medium.mustHavePower()
    const full = this.resolve(path)
    const { names } = resolvePath(full)
    for (let count = 1; count <= names.length; count++) {
      const part = `/${names.slice(0, count).join('/')}`
      const { directory, name, node } = withPath('make directory', full, () =>
        this.#medium.tree.place(part),
      )
      if (node?.kind === 'directory') continue
      if (node !== undefined) throw failure('EEXIST', 'make directory', part)
      const operation: Operation = { kind: 'makeDirectory', name: 'make directory', path: part }
      this.#medium.perform(operation, () => {
        const to = new MemoryDirectory(this.#medium.tree.nextId())
        this.#medium.tree.changes.apply([{ directory, name, to }], this.#medium.sequence)
      })
    }
  }

  rename(source: string, target: string): void {
    this.#medium.mustHavePower()
    const path = this.resolve(source)
    const targetPath = this.resolve(target)
    const [from, to] = withPath('rename', path, () => {
      const places = [this.#medium.tree.place(path), this.#medium.tree.place(targetPath)] as const
      this.#checkRename(...places)
      return places
    })
    if (from.node === to.node) return
    this.#medium.perform({ kind: 'rename', name: 'rename', path, target: targetPath }, () => {
      if (to.node?.kind === 'file') this.#medium.unname(to.node)
      const edits = [
        { directory: from.directory, name: from.name, to: undefined },
        { directory: to.directory, name: to.name, to: from.node },
      ]
      this.#medium.tree.changes.apply(edits, this.#medium.sequence)
    })
  }

  remove(path: string): void {
    this.#medium.mustHavePower()
    const full = this.resolve(path)
    const { directory, name, node } = withPath('remove', full, () => this.#medium.tree.place(full))
    if (node === undefined) throw failure('ENOENT', 'remove', full)
    if (node.kind === 'directory') throw failure('EISDIR', 'remove', full)
    this.#medium.perform({ kind: 'remove', name: 'remove', path: full }, () => {
      this.#medium.unname(node)
      this.#medium.tree.changes.apply([{ directory, name, to: undefined }], this.#medium.sequence)
    })
  }

  removeDirectory(path: string): void {
    this.#medium.mustHavePower()
    const full = this.resolve(path)
    const { directory, name, node } = withPath('remove', full, () => this.#medium.tree.place(full))
    if (node === undefined) throw failure('ENOENT', 'remove', full)
    if (node.kind === 'file') throw failure('ENOTDIR', 'remove', full)
    if (node.live.size > 0) throw failure('ENOTEMPTY', 'remove', full)
    this.#medium.perform({ kind: 'remove', name: 'remove', path: full }, () => {
      this.#medium.tree.changes.apply([{ directory, name, to: undefined }], this.#medium.sequence)
    })
  }

  syncDirectory(path: string): void {
    this.#medium.mustHavePower()
    const full = this.resolve(path)
    const directory = withPath('sync directory', full, () => this.#medium.tree.directory(full))
    this.#medium.perform({ kind: 'syncDirectory', name: 'sync directory', path: full }, () => {
      if (this.#options.platform !== 'windows') this.#medium.tree.changes.syncDirectory(directory)
    })
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    this.#medium.mustHavePower()
    await this.#medium.later(() => this.syncDirectory(path))
  }

  async lock(file: DiskFile, options: LockOptions): Promise<void> {
    if (!(file instanceof MemoryFile)) throw new TypeError('file: expected a file of this disk')
    if (file.isClosed) throw closedError(file.path)
    if (this.#medium.locks.holds(file) || this.#locking.has(file)) {
      throw new TypeError('file: this handle is locked already, or being locked')
    }
    this.#locking.add(file)
    try {
      const present = (): unknown => {
        this.#medium.mustHavePower()
        return this.#medium.tree.find(file.path)
      }
      const target = new MemoryLockAttempt(this.#medium.locks, file, options, present)
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
    return resolvePath(path).path
  }

  #openInode(place: Place, open: Operation, mode: DiskFileOptions['mode']): MemoryInode {
    const { directory, name, node } = place
    if (node?.kind === 'directory') throw failure('EISDIR', open.name, open.path)
    if (node !== undefined) {
      if (mode === 'createNew') throw failure('EEXIST', open.name, open.path)
      return this.#medium.perform(open, () => node)
    }
    if (mode === 'read' || mode === 'write') throw failure('ENOENT', open.name, open.path)
    return this.#medium.perform({ ...open, kind: 'create' }, () => {
      const inode = this.#medium.tree.newFile()
      inode.nameCount = 1
      this.#medium.tree.changes.apply([{ directory, name, to: inode }], this.#medium.sequence)
      return inode
    })
  }

  #checkRename(from: Place, to: Place): void {
    if (from.node === undefined) throw new InjectedError('ENOENT', 'no such file')
    if (to.node === undefined || to.node === from.node) {
      if (to.node === undefined && this.#medium.tree.isWithin(to.directory, from.node)) {
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
    const node = this.#medium.tree.find(path)
    if (node?.kind === 'file') return node
    throw failure(node === undefined ? 'ENOENT' : 'EISDIR', 'open', this.resolve(path))
  }
}
