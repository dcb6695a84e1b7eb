/**
 * Locks of a disk in memory: between handles, as flock(2) has them.
 *
 * There is no lock file here: method `file` takes the same lock as `auto`, and as on the
 * real disk always the exclusive one.
 */

import { closedError } from './io-error.ts'
import { replacedError } from './lock-wait.ts'
import type { LockOptions, LockKind } from './disk.ts'
import type { LockAttempt } from './lock-wait.ts'
import type { MemoryFile } from './memory-file.ts'
import type { MemoryInode } from './memory-inode.ts'

export class MemoryLocks {
  readonly #holders: Map<MemoryInode, Map<MemoryFile, LockKind>> = new Map()

  holds(file: MemoryFile): boolean {
    return this.#holders.get(file.inode)?.has(file) ?? false
  }

  tryTake(file: MemoryFile, kind: LockKind): boolean {
    const holders = this.#holders.get(file.inode) ?? new Map<MemoryFile, LockKind>()
    for (const held of holders.values()) {
      if (held === 'exclusive' || kind === 'exclusive') return false
    }
    holders.set(file, kind)
    this.#holders.set(file.inode, holders)
    return true
  }

  release(file: MemoryFile): void {
    const holders = this.#holders.get(file.inode)
    holders?.delete(file)
    if (holders?.size === 0) this.#holders.delete(file.inode)
  }
}

/** One handle's wait for its lock. */
export class MemoryLockAttempt implements LockAttempt {
  readonly path: string
  readonly #locks: MemoryLocks
  readonly #file: MemoryFile
  readonly #kind: LockKind
  readonly #present: () => unknown

  /** `present` says what the file's path names now, and throws when the power is off. */
  constructor(locks: MemoryLocks, file: MemoryFile, options: LockOptions, present: () => unknown) {
    this.path = file.path
    this.#locks = locks
    this.#file = file
    this.#kind = options.method === 'file' ? 'exclusive' : options.kind
    this.#present = present
  }

  attempt(): boolean {
    const present = this.#present()
    if (this.#file.isClosed) throw closedError(this.path)
    if (!this.#locks.tryTake(this.#file, this.#kind)) return false
    if (present === this.#file.inode) return true
    this.undo()
    throw replacedError(this.path, present === undefined)
  }

  undo(): void {
    this.#locks.release(this.#file)
  }

  describeOwner(): string {
    return 'by another handle'
  }
}
