/**
 * The one door to files, locks and syncs.
 *
 * Everything above asks a `Disk` for a `DiskFile` and never touches `node:fs`. There are two disks:
 * `RealDisk` (real-disk.ts) and `MemoryDisk` (memory-disk.ts), which keeps a live and a durable
 * image and can lose power, tear, reorder, fill up and fail.
 *
 * Contract
 *   1. `read` and `write` are positional and complete: short transfers are retried inside, so
 *      `read` returns fewer bytes than asked only at the end of the file and `write` either writes
 *      all or throws.
 *   2. Nothing written is durable before a sync of that file returned. `sync('data')` makes bytes
 *      and size durable; `sync('full')` also everything else of the inode.
 *   3. A new name, a rename and a removal are durable only after `syncDirectory` of the directory.
 *   4. A failed sync is final: the caller may not believe a retry.
 *   5. Operating errors are `KvError`: `KV_NOT_FOUND` (no such file), `KV_NO_SPACE` (ENOSPC,
 *      EDQUOT), `KV_LOCKED`, `KV_LOCK_UNSUPPORTED`, `KV_READ_ONLY` (EROFS, EACCES or EPERM on
 *      opening for writing; a write through a handle opened for reading), `KV_CLOSED` (the handle
 *      is), `KV_IO` (anything else). The original error is the `cause`. Positions and sizes that
 *      are no integers from 0 to 2^53 - 1 are a `RangeError`.
 *   6. Calls under way at the same time happen in any order, `writeDurablyAsync` apart. An
 *      asynchronous call reads or fills the caller's bytes until it has settled.
 *
 * The synchronous calls block the event loop; the `Async` twins don't, and behave the same.
 */

export type SyncKind = 'data' | 'full'

/** How a file is opened. */
export interface DiskFileOptions {
  /**
   * `read`: must exist. `write`: must exist. `create`: made if missing. `createNew`: must not
   * exist.
   */
  readonly mode: 'read' | 'write' | 'create' | 'createNew'
}

/**
 * A file's identity: the same on two handles if and only if they are the same file. (Numbers above
 * 2^53, which some file systems give out, are rounded.)
 */
export interface FileIdentity {
  readonly device: number
  readonly inode: number
}

/** An open file. Positions and sizes are in bytes. */
export interface DiskFile {
  /** Absolute. */
  readonly path: string
  readonly writable: boolean

  /** Reads up to `target.length` bytes at `position`; returns how many there were. */
  read(target: Uint8Array, position: number): number
  /** As `read`; `target` is not to be touched until it resolves. */
  readAsync(target: Uint8Array, position: number): Promise<number>

  /** Writes the whole of `source` at `position`, growing the file where needed. */
  write(source: Uint8Array, position: number): void
  /** As `write`; `source` is not to be touched until it resolves. */
  writeAsync(source: Uint8Array, position: number): Promise<void>

  /**
   * Writes the whole of `source` at `position` and makes it durable, as `writeAsync` and then
   * `syncAsync('data')` would, without being held up by other asynchronous calls, of this file or
   * another.
   *
   * Calls on one handle are carried out one after the other, in the order they were made. Once one
   * has failed, in writing or in syncing, those behind it and all later ones are `KV_IO` and write
   * nothing: how far the failed one got is not known. Other files are not concerned.
   */
  writeDurablyAsync(source: Uint8Array, position: number): Promise<void>
  /**
   * Says that `writeDurablyAsync` will be called: what its first call would have to set up is set
   * up in the background. Keeps no process alive. Missing where there is nothing to set up.
   */
  expectDurableWrites?(): void

  /** The file's length in bytes. */
  size(): number
  /** Sets the file's length; new bytes read as zeros. */
  truncate(sizeBytes: number): void
  /**
   * Writes zeros over `[position, position + sizeBytes)` so that later writes there change no
   * metadata.
   */
  allocate(position: number, sizeBytes: number): void

  /**
   * Asks the system to begin moving what was written so far to the disk, without waiting: the sync
   * that follows has less to do. Promises nothing, and may do nothing.
   */
  beginWriteback(): void

  /** Makes durable what was written: contents and length (`data`), or all that is known of it. */
  sync(kind: SyncKind): void
  /** As `sync`. */
  syncAsync(kind: SyncKind): Promise<void>

  /** Which file it is, whatever it is called. */
  identity(): FileIdentity
  /**
   * Closes the handle and gives back any lock held through it, both as soon as the asynchronous
   * calls under way have ended. Idempotent.
   */
  close(): void
}

/** Whether others may hold a lock of the kind at the same time. */
export type LockKind = 'exclusive' | 'shared'

/**
 * How a lock is taken.
 *   - `auto`: flock(2), through fs-ext where it loads, else through flock(1); fails with
 *     `KV_LOCK_UNSUPPORTED` where neither is to be had;
 *   - `file`: a lock file beside the locked one, for places without flock; there `shared` counts as
 *     `exclusive`.
 * Each is refused while another holds the file by the other method; real-lock.ts says how far that
 * goes.
 */
export type LockMethod = 'auto' | 'file'

/** How a file is locked, and how long that is waited for. */
export interface LockOptions {
  readonly kind: LockKind
  readonly method: LockMethod
  /** How long to wait for another holder, in ms. 0: don't wait. Infinity: for ever. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Where files are: the machine's disk, or one in memory. Errors are `KvError`. */
export interface Disk {
  /** Opens a file. Throws `KV_NOT_FOUND` where it must exist and doesn't. */
  open(path: string, options: DiskFileOptions): DiskFile
  /** Whether the path names anything. */
  exists(path: string): boolean
  /** The identity of what the path names now, or undefined where it names nothing. */
  identityOf(path: string): FileIdentity | undefined
  /** Names in a directory, those of directories included, in UTF-16 order. */
  list(directory: string): string[]
  /** Makes a directory (mode 0700) and its missing parents. */
  makeDirectory(path: string): void
  /**
   * Renames a file, over another if there is one, or a directory, to a name that is not taken.
   * Durable when the directories are synced.
   */
  rename(source: string, target: string): void
  /** Removes a file. Throws `KV_NOT_FOUND` where there is none. */
  remove(path: string): void
  /** Removes an empty directory. Throws `KV_NOT_FOUND` where there is none. */
  removeDirectory(path: string): void
  /** Makes durable what names there are in a directory. */
  syncDirectory(path: string): void
  /** As `syncDirectory`. */
  syncDirectoryAsync(path: string): Promise<void>

  /**
   * Locks `file` against other processes and other handles, this process's own included. Held until
   * the file is closed. Rejects with `KV_LOCKED` when `timeoutMs` has passed, with `signal.reason`
   * on abort.
   *
   * Between opening and locking, another process may have renamed a file over this one. Then the
   * lock is worth nothing and the call rejects with `KV_IO`; `identityOf(file.path)` then differs
   * from `file.identity()`, and the caller may open again. A handle that is locked already, or is
   * being locked, is a `TypeError`.
   */
  lock(file: DiskFile, options: LockOptions): Promise<void>

  /** Path arithmetic as on the real disk. */
  join(...parts: string[]): string
  /** The directory that a path lies in. */
  directoryOf(path: string): string
  /** A path as an absolute one. */
  resolve(path: string): string
}
