/**
 * The real disk: `node:fs` behind the `Disk` interface.
 *
 * Only this file, real-file.ts and the lock files import `node:fs`. Files are made 0600 and
 * directories 0700. Paths are made absolute when a file is opened, so a later chdir changes
 * nothing.
 *
 * Platforms: directories can't be synced on Windows, so `syncDirectory` does nothing there. A file
 * system that refuses to sync directories (EINVAL, as some network file systems do) is taken for
 * one that has nothing to sync.
 */

import * as fs from 'node:fs'
import * as paths from 'node:path'
import { systemClock } from '../base/clock.ts'
import { KvError } from '../base/errors.ts'
import { closedError, errnoOf, toKvError } from './io-error.ts'
import { RealFile } from './real-file.ts'
import { RealLock } from './real-lock.ts'
import { waitForLock } from './lock-wait.ts'
import type { Clock } from '../base/clock.ts'
import type { Disk, DiskFile, DiskFileOptions, FileIdentity, LockOptions } from './disk.ts'
import type { FlockChoice } from './flock.ts'
import type { IoOperation } from './io-error.ts'

export interface RealDiskOptions {
  /** How flock(2) is called. Default `auto`: fs-ext where it loads, else flock(1). */
  readonly flock?: FlockChoice | undefined
  /** For waiting. Default: the system's. */
  readonly clock?: Clock | undefined
}

const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/**
 * Not on every platform. NONBLOCK: opening a named pipe must fail below, not wait for its other
 * end.
 */
const NONBLOCK: number = fs.constants.O_NONBLOCK ?? 0
const DIRECTORY: number = fs.constants.O_DIRECTORY ?? 0

const OPEN_FLAGS: Record<DiskFileOptions['mode'], number> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT,
  createNew: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
}

export class RealDisk implements Disk {
  readonly #flock: FlockChoice
  readonly #clock: Clock

  constructor(options: RealDiskOptions = {}) {
    this.#flock = options.flock ?? 'auto'
    this.#clock = options.clock ?? systemClock
  }

  open(path: string, options: DiskFileOptions): DiskFile {
    const fullPath = paths.resolve(path)
    const isWritable = options.mode !== 'read'
    const operation = isWritable ? 'open for writing' : 'open'
    return run(operation, fullPath, () => {
      // Node adds O_CLOEXEC: no child process inherits the descriptor.
      const descriptor = fs.openSync(fullPath, OPEN_FLAGS[options.mode] | NONBLOCK, FILE_MODE)
      try {
        if (!fs.fstatSync(descriptor).isFile()) throw new Error('not a regular file')
      } catch (error) {
        fs.closeSync(descriptor)
        throw error
      }
      return new RealFile(descriptor, fullPath, isWritable)
    })
  }

  exists(path: string): boolean {
    return this.identityOf(path) !== undefined
  }

  identityOf(path: string): FileIdentity | undefined {
    try {
      const stat = fs.statSync(path, { throwIfNoEntry: false })
      return stat === undefined ? undefined : { device: stat.dev, inode: stat.ino }
    } catch (error) {
      // Below a file: nothing can be there.
      if (errnoOf(error) === 'ENOTDIR') return undefined
      throw toKvError(error, 'stat', path)
    }
  }

  list(directory: string): string[] {
    return run('list', directory, () => fs.readdirSync(directory).sort())
  }

  makeDirectory(path: string): void {
    run('make directory', path, () => fs.mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE }))
  }

  rename(source: string, target: string): void {
    run('rename', source, () => fs.renameSync(source, target))
  }

  remove(path: string): void {
    run('remove', path, () => fs.unlinkSync(path))
  }

  removeDirectory(path: string): void {
    run('remove', path, () => fs.rmdirSync(path))
  }

  syncDirectory(path: string): void {
    if (process.platform === 'win32') return
    run('sync directory', path, () => {
      const descriptor = fs.openSync(path, fs.constants.O_RDONLY | DIRECTORY)
      try {
        fs.fsyncSync(descriptor)
      } catch (error) {
        if (errnoOf(error) !== 'EINVAL') throw error
      } finally {
        fs.closeSync(descriptor)
      }
    })
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    if (process.platform === 'win32') return
    try {
      const handle = await fs.promises.open(path, fs.constants.O_RDONLY | DIRECTORY)
      try {
        await handle.sync()
      } catch (error) {
        if (errnoOf(error) !== 'EINVAL') throw error
      } finally {
        await handle.close()
      }
    } catch (error) {
      throw toKvError(error, 'sync directory', path)
    }
  }

  async lock(file: DiskFile, options: LockOptions): Promise<void> {
    if (!(file instanceof RealFile)) throw new TypeError('file: expected a file of this disk')
    if (file.isClosed) throw closedError(file.path)
    if (file.isLocked) throw new TypeError('file: this handle is locked already, or being locked')
    file.beginLock()
    try {
      const target = new RealLock(file, options, { flock: this.#flock, clock: this.#clock })
      await waitForLock(target, options, this.#clock)
    } finally {
      file.endLock()
    }
  }

  join(...parts: string[]): string {
    return paths.join(...parts)
  }

  directoryOf(path: string): string {
    return paths.dirname(path)
  }

  resolve(path: string): string {
    return paths.resolve(path)
  }
}

function run<T>(operation: IoOperation, path: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    throw error instanceof KvError ? error : toKvError(error, operation, path)
  }
}
