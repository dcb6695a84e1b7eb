/**
 * Locking a file of the real disk: flock(2), the lock file beside it, and how the two respect each
 * other.
 *
 *   auto   takes flock; is refused by flock of others and by a live `<path>.lock`
 *   file   takes flock where it works, then `<path>.lock`; is refused by flock of others, as far as
 *          it can be seen, and by a live `<path>.lock`
 *
 * Both take flock first, so two of them never push each other out. The one hole: a holder by flock
 * is not seen by a `file` opener that has neither fs-ext nor flock(1) nor a /proc/locks to read.
 *
 * `shared` by lock file counts as exclusive: one owner at a time.
 *
 * A file may be replaced (renamed over) between its opening and its locking. Then the lock is worth
 * nothing, is given back, and the call rejects with `KV_IO`; the caller tells this case by
 * comparing `disk.identityOf(file.path)` with `file.identity()`, and may open again.
 */

import * as fs from 'node:fs'
import { KvError } from '../base/errors.ts'
import { closedError, errnoOf, toKvError } from './io-error.ts'
import { findFlock } from './flock.ts'
import { findFlockOwners } from './flock-owner.ts'
import { LockFile } from './lock-file.ts'
import { replacedError } from './lock-wait.ts'
import type { Clock } from '../base/clock.ts'
import type { LockOptions } from './disk.ts'
import type { Flock, FlockChoice } from './flock.ts'
import type { LockAttempt } from './lock-wait.ts'
import type { RealFile } from './real-file.ts'

export interface RealLockOptions {
  readonly flock: FlockChoice
  readonly clock: Clock
}

export class RealLock implements LockAttempt {
  readonly path: string
  readonly #file: RealFile
  readonly #options: LockOptions
  readonly #flock: Flock | undefined
  readonly #realPath: string
  readonly #lockFile: LockFile
  #flockState: 'none' | 'taken' | 'unsupported' = 'none'

  constructor(file: RealFile, options: LockOptions, settings: RealLockOptions) {
    this.path = file.path
    this.#file = file
    this.#options = options
    this.#flock = findFlock(settings.flock)
    // Beside what symbolic links lead to: all names of the file then agree on one lock file.
    this.#realPath = realPath(file.path)
    this.#lockFile = new LockFile(this.#realPath, settings.clock)
  }

  async attempt(): Promise<boolean> {
    try {
      const isTaken = await this.#tryBoth()
      if (this.#file.isClosed) throw closedError(this.path)
      if (!isTaken) return false
      this.#checkNotReplaced()
      this.#file.holdLock(() => this.#lockFile.release())
      return true
    } catch (error) {
      await this.#giveBack()
      throw toKvError(error, 'lock', this.path)
    }
  }

  async undo(): Promise<void> {
    this.#file.dropLock()
    await this.#giveBack()
  }

  describeOwner(): string {
    const owner = this.#lockFile.liveOwner()
    if (owner !== undefined) {
      const who =
        owner === 'unknown' ? 'by an unknown owner' : `by process ${owner.pid} on ${owner.host}`
      return `${who}, as ${this.#lockFile.path} says`
    }
    const owners = findFlockOwners(this.#realPath, this.#file.identity())
    const pid = owners.find((known) => known.pid !== undefined)?.pid
    if (pid === undefined) return ''
    return pid === process.pid ? `by another handle of this process, ${pid}` : `by process ${pid}`
  }

  async #tryBoth(): Promise<boolean> {
    const isFlockFree = await this.#tryFlock()
    if (!isFlockFree || this.#file.isClosed) return false
    const isFree =
      this.#options.method === 'file'
        ? this.#tryLockFile()
        : this.#lockFile.liveOwner() === undefined
    if (!isFree) await this.#giveBack()
    return isFree
  }

  /**
   * False: another holds it. True: taken, or (method `file`) not to be had and not seen to be held.
   */
  async #tryFlock(): Promise<boolean> {
    if (this.#flock !== undefined && this.#flockState !== 'unsupported') {
      const result = await this.#flock.tryLock(this.#file.descriptor, this.#options.kind)
      if (result === 'busy') return false
      this.#flockState = result
    } else {
      this.#flockState = 'unsupported'
    }
    if (this.#flockState === 'taken') return true
    if (this.#options.method === 'auto') throw this.#unsupportedError()
    const owners = findFlockOwners(this.#realPath, this.#file.identity())
    return !owners.some((owner) => owner.isExclusive || this.#options.kind === 'exclusive')
  }

  #tryLockFile(): boolean {
    try {
      return this.#lockFile.tryTake(this.#options.kind)
    } catch (error) {
      const errno = errnoOf(error)
      if (errno !== 'EACCES' && errno !== 'EPERM' && errno !== 'EROFS') throw error
      throw new KvError(
        'KV_LOCK_UNSUPPORTED',
        `${this.path}: no lock file can be made at ${this.#lockFile.path}`,
        { cause: error },
      )
    }
  }

  #unsupportedError(): KvError {
    return new KvError(
      'KV_LOCK_UNSUPPORTED',
      `${this.path}: flock(2) can't be taken: neither the package fs-ext nor the command flock ` +
        `works here, or the file system has no locks. Install one of them, or open with ` +
        `lock: 'file' to rely on a lock file`,
    )
  }

  #checkNotReplaced(): void {
    const own = this.#file.identity()
    const present = fs.statSync(this.path, { throwIfNoEntry: false })
    if (present !== undefined && present.dev === own.device && present.ino === own.inode) return
    throw replacedError(this.path, present === undefined)
  }

  /** Gives back what a failed try took. A closed file's descriptor took its flock along. */
  async #giveBack(): Promise<void> {
    this.#lockFile.release()
    if (this.#flockState !== 'taken') return
    this.#flockState = 'none'
    if (!this.#file.isClosed) await this.#flock?.unlock(this.#file.descriptor)
  }
}

function realPath(path: string): string {
  try {
    return fs.realpathSync(path)
  } catch (error) {
    // Removed meanwhile: #checkNotReplaced() will say so.
    if (errnoOf(error) === 'ENOENT') return path
    throw toKvError(error, 'lock', path)
  }
}
