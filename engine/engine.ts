/**
 * An open bbolt file: transactions over it, and what can be asked of it as a whole.
 *
 * One writer at a time, any number of readers. `update` and `view` run a synchronous function
 * inside a transaction; `begin` hands one out and queues writers fairly.
 */

import type { Writable } from 'node:stream'
import { assert } from '../base/assert.ts'
import { KvError } from '../base/errors.ts'
import { describeType, isThenable } from '../base/text.ts'
import type { Disk } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { Allocation } from './allocation.ts'
import { Checker } from './check.ts'
import type { CheckAsyncOptions, CheckOptions, CheckReport } from './check.ts'
import { commitToFile, commitToFileAsync } from './commit.ts'
import { compactToPath, copyToPath, copyToStream } from './copy.ts'
import type { CompactOptions, CopyOptions } from './copy.ts'
import type { Core } from './core.ts'
import { writeEarly, writeEarlyInReplay } from './early.ts'
import { PAGE_SIZE_DEFAULT } from './format.ts'
import { inspectBuckets, pageInfo } from './inspect.ts'
import type { BucketTree, PageInfo } from './inspect.ts'
import { nextTxid } from './meta.ts'
import type { Meta } from './meta.ts'
import { openCore } from './open.ts'
import { openLocked } from './open-locked.ts'
import type { OpenReport } from './open.ts'
import { CACHE_BYTES_DEFAULT, checkOptions } from './options.ts'
import type { EngineOptions } from './options.ts'
import { mustBeOwn, stampOf } from './stamp.ts'
import type { Stamp } from './stamp.ts'
import { engineStats } from './stats.ts'
import type { EngineStats } from './stats.ts'
import { Tx } from './tx.ts'
import type { Synchronous, TxHost, TxWaiter } from './tx.ts'

const PAGES_PER_TURN = 256

/** An open bbolt file. `openEngine` makes one; `close` lets it go. */
export class Engine {
  readonly path: string
  readonly readOnly: boolean
  /** What opening found. */
  readonly report: OpenReport
  readonly #core: Core
  readonly #disk: Disk
  readonly #host: TxHost
  #writer: Tx | undefined
  #waiters: TxWaiter[] = []
  #isClosed = false
  #closing: Promise<void> | undefined
  /** The commit in flight, while there is one. */
  #committing: Promise<void> | undefined

  /** Made by `openEngine`. @internal */
  constructor(core: Core, disk: Disk, report: OpenReport, readOnly: boolean) {
    this.#core = core
    this.#disk = disk
    this.path = core.file.path
    this.readOnly = readOnly
    this.report = report
    this.#host = {
      allocation: (tx) => (core.allocation = new Allocation(core, tx.id)),
      writeEarly: (tx) => {
        core.mustBeSound()
        if (core.logged?.isReplaying === true) writeEarlyInReplay(core, tx)
        else writeEarly(core, tx)
      },
      commit: (tx) => this.#commit(tx),
      commitAsync: (tx) => this.#commitAsync(tx),
      commitQueued: (tx) => this.#commitQueued(tx),
      ended: (tx) => this.#ended(tx),
    }
  }

  /** The file's page size. */
  get pageSizeBytes(): number {
    return this.#core.pageSizeBytes
  }

  /** Whether no failure has made it unsafe to go on. */
  get isSound(): boolean {
    return !this.#core.isPoisoned
  }

  /** @throws {KvError} `KV_POISONED` after a failure that only reopening can mend */
  mustBeSound(): void {
    this.#core.mustBeSound()
  }

  /** Whether `close` was not called yet. */
  get isOpen(): boolean {
    return !this.#isClosed
  }

  /** The txid of the newest durable commit. */
  get txid(): number {
    return this.#core.visible.txid
  }

  /** For the rest of this room. @internal */
  get core(): Core {
    return this.#core
  }

  /** The mark of the log that the file belongs to; undefined: it belongs to none. @internal */
  get stamp(): Stamp | undefined {
    return stampOf(this.#core.meta)
  }

  /** The txids of the two generations that the file holds; the older one while it is whole. */
  get generations(): { readonly newest: number; readonly previous: number | undefined } {
    const { meta, previous } = this.#core
    return { newest: meta.txid, previous: previous?.txid }
  }

  /** Bytes of pages that only memory and the log have: what a checkpoint would write, or less. */
  get dirtyBytes(): number {
    return this.#core.pager.dirtyBytes
  }

  /** Whether a writer is open, or waits. */
  get isWriterDue(): boolean {
    return this.#writer !== undefined || this.#waiters.length > 0
  }

  /** Whether a checkpoint is under way, in a file that has a log. */
  get isCheckpointing(): boolean {
    return this.#core.logged?.isCheckpointing ?? false
  }

  /**
   * Runs `fn` in a read transaction and returns what it returns.
   * @throws {KvError} KV_CLOSED, KV_POISONED
   */
  view<T>(fn: (tx: Tx) => Synchronous<T>): Synchronous<T> {
    return this.#run(this.#beginRead(), fn, 'view')
  }

  /**
   * Runs `fn` in a write transaction and commits it durably when `fn` returns; a throw rolls back
   * and comes out unchanged. Blocks the event loop on two syncs.
   * @throws {KvError} KV_CLOSED, KV_POISONED, KV_READ_ONLY, KV_TX_BUSY while another writer is
   *   open; and as `Tx.commit`
   */
  update<T>(fn: (tx: Tx) => Synchronous<T>): Synchronous<T> {
    return this.#run(this.beginNow({ writable: true }), fn, 'update')
  }

  /**
   * As `begin`, at once.
   * @throws {KvError} KV_CLOSED, KV_POISONED, KV_READ_ONLY; KV_TX_BUSY while another writer is open
   */
  beginNow(options: { readonly writable: boolean }): Tx {
    if (!options.writable) return this.#beginRead()
    this.#mustBeWritable()
    if (this.isWriterDue) {
      throw new KvError('KV_TX_BUSY', `${this.path}: another write transaction is open`)
    }
    return this.#beginWrite()
  }

  /**
   * Begins a transaction. A writer waits its turn behind those that asked before.
   * @throws {KvError} KV_CLOSED, KV_POISONED, KV_READ_ONLY
   */
  begin(options: { readonly writable?: boolean } = {}): Promise<Tx> {
    const writable = options.writable ?? false
    if (typeof writable !== 'boolean') {
      const message = `writable: expected a boolean, got ${describeType(writable)}`
      return Promise.reject(new TypeError(message))
    }
    try {
      if (!writable || !this.isWriterDue) return Promise.resolve(this.beginNow({ writable }))
      this.#mustBeWritable()
    } catch (error) {
      return Promise.reject(error)
    }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  /**
   * Closes the file and gives back its lock. A commit in flight is finished first; other open
   * transactions are rolled back, and writers that wait are rejected with KV_CLOSED. Idempotent:
   * every call resolves when the file is closed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#closedError())
    await this.#committing?.catch(() => {})
    await this.#core.logged?.idle()
    this.#writer?.close()
    for (const reader of [...this.#core.readers]) reader.close()
    this.#core.file.close()
    this.#core.pager.clear()
  }

  /** As `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /**
   * Reads the newest generation, or the one before it, afresh from the file and says what is wrong
   * with it. Blocks the event loop for as long as reading the file takes.
   * @throws {KvError} KV_CLOSED; KV_NOT_FOUND where there is no generation before; KV_TX_BUSY
   *   during a commit
   */
  check(options: CheckOptions = {}): CheckReport {
    const steps = new Checker(this.#core, this.#generation(options.generation)).run()
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
    }
  }

  /** `check` that lets the event loop run between pages, with progress in pages reached. */
  async checkAsync(options: CheckAsyncOptions = {}): Promise<CheckReport> {
    const { generation, onProgress, signal } = options
    const meta = this.#generation(generation)
    const steps = new Checker(this.#core, meta).run()
    // The walk is of one root, which stays whole while this reader is open.
    const pin = this.#beginReadAt(meta)
    try {
      for (let pages = 1; ; pages++) {
        const step = steps.next()
        if (step.done === true) return step.value
        if (pages % PAGES_PER_TURN !== 0) continue
        signal?.throwIfAborted()
        onProgress?.(step.value, this.#core.meta.highWaterMark)
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      pin.close()
    }
  }

  /** Counts and sizes of the whole file. Cheap. */
  stats(): EngineStats {
    if (this.#isClosed) throw this.#closedError()
    return engineStats(this.#core)
  }

  /** The tree of buckets with their counts. Reads every page. */
  inspect(): BucketTree {
    return this.view((tx) => inspectBuckets(tx.root))
  }

  /** What the header of a page says; undefined past the high-water mark. */
  page(pgid: number): PageInfo | undefined {
    if (this.#isClosed) throw this.#closedError()
    if (Number.isSafeInteger(pgid) && pgid >= 0) return pageInfo(this.#core, pgid)
    throw new RangeError(`pgid: ${String(pgid)} is no page id`)
  }

  /**
   * Copies the database as it is now to a path or a stream, while writes go on. At a path the copy
   * is durable when the promise resolves, and nothing is there before. A stream is not ended.
   * @throws {KvError} KV_EXISTS where the path exists, KV_NO_SPACE, KV_IO; `signal.reason` on abort
   */
  async copyTo(target: string | Writable, options: CopyOptions = {}): Promise<void> {
    const tx = this.#beginRead()
    try {
      if (typeof target === 'string') {
        await copyToPath(this.#disk, this.#core, tx, { path: target, ...options })
      } else if (typeof target?.write === 'function') {
        await copyToStream(this.#core, tx, target, options)
      } else {
        throw new TypeError(
          `target: expected a path or a writable stream, got ${describeType(target)}`,
        )
      }
    } finally {
      tx.close()
    }
  }

  /**
   * Writes all keys as they are now into a new file, in order and without free space, while writes
   * go on. Durable when the promise resolves. Errors as `copyTo`.
   */
  async compactTo(path: string, options: CompactOptions = {}): Promise<void> {
    if (typeof path !== 'string') {
      throw new TypeError(`path: expected a string, got ${describeType(path)}`)
    }
    const tx = this.#beginRead()
    const openTarget = (partial: string): Promise<Engine> =>
      openEngine(partial, {
        disk: this.#disk,
        pageSizeBytes: this.pageSizeBytes,
        freelist: this.#core.persistFreelist ? 'sync' : 'scan',
        lock: 'none',
      })
    try {
      await compactToPath(this.#disk, tx, { path, openTarget, ...options })
    } finally {
      tx.close()
    }
  }

  /** The generation of the file that is to be checked. */
  #generation(which: CheckOptions['generation']): Meta {
    if (this.#isClosed) throw this.#closedError()
    if (this.#committing !== undefined) {
      throw new KvError('KV_TX_BUSY', `${this.path}: a commit is being written`)
    }
    const { meta, previous } = this.#core
    if (which !== 'previous') return meta
    if (previous !== undefined) return previous
    throw new KvError('KV_NOT_FOUND', `${this.path}: no generation before ${meta.txid} is kept`)
  }

  #beginRead(): Tx {
    return this.#beginReadAt(this.#core.visible)
  }

  #beginReadAt(meta: Meta): Tx {
    this.#mustBeUsable()
    const core = this.#core
    const { pager } = core
    const usedPages = core.usedPagesAt(meta)
    const setup = { pager, meta, usedPages, host: this.#host, writable: false, id: meta.txid }
    const tx = new Tx({ ...setup, journal: undefined })
    core.readers.add(tx)
    return tx
  }

  #beginWrite(): Tx {
    const core = this.#core
    const { head, freelist, logged } = core
    core.releasePages()
    if (core.readers.size === 0 && logged === undefined) freelist.forgetAllocations()
    const id = logged === undefined ? nextTxid(head) : head.txid + 1
    // Only a forged file gets here; beyond, the commit could not be read again.
    if (!Number.isSafeInteger(id)) {
      throw core.pager.corruption(head.slot, `no txid follows ${head.txid}`)
    }
    const { pager } = core
    const usedPages = core.usedPagesAt(head)
    const journal = logged?.journal()
    const setup = { pager, meta: head, usedPages, host: this.#host, writable: true, id, journal }
    return (this.#writer = new Tx(setup))
  }

  #run<T>(tx: Tx, fn: (tx: Tx) => Synchronous<T>, name: string): Synchronous<T> {
    if (typeof fn !== 'function') {
      tx.close()
      throw new TypeError(`fn: expected a function, got ${describeType(fn)}`)
    }
    tx.manage(true)
    try {
      const result: unknown = fn(tx)
      if (isThenable(result)) {
        throw new TypeError(
          `${name}(fn): fn returned a promise; a transaction's function is synchronous`,
        )
      }
      tx.manage(false)
      if (tx.writable) tx.commit()
      return result as Synchronous<T>
    } finally {
      tx.manage(false)
      tx.close()
    }
  }

  #commit(tx: Tx): void {
    try {
      this.#mustBeWritable()
      if (!tx.pages.isChanged) return
      const { logged } = this.#core
      if (logged === undefined) commitToFile(this.#core, tx)
      else logged.commitSync(tx)
    } finally {
      tx.close()
    }
  }

  async #commitAsync(tx: Tx): Promise<void> {
    if (this.#core.logged !== undefined) return await this.#commitQueued(tx)
    try {
      this.#mustBeWritable()
      if (!tx.pages.isChanged) return
      this.#committing = commitToFileAsync(this.#core, tx)
      await this.#committing
    } finally {
      this.#committing = undefined
      tx.close()
    }
  }

  #commitQueued(tx: Tx): Promise<void> {
    const { logged } = this.#core
    assert(logged !== undefined, 'commitQueued: the file has a log')
    try {
      this.#mustBeWritable()
      return tx.pages.isChanged ? logged.commit(tx) : Promise.resolve()
    } finally {
      // The next writer begins at this one's head while the record is on its way.
      tx.close()
    }
  }

  #ended(tx: Tx): void {
    this.#core.readers.delete(tx)
    if (this.#writer === tx) {
      this.#writer = undefined
      this.#wakeWriter()
    }
  }

  #wakeWriter(): void {
    const waiter = this.#waiters.shift()
    if (waiter === undefined) return
    try {
      this.#mustBeWritable()
      waiter.resolve(this.#beginWrite())
    } catch (error) {
      waiter.reject(error)
      this.#wakeWriter()
    }
  }

  /** A writer that does again what the log holds. For `attachLog`. */
  beginReplay(): Tx {
    this.#mustBeUsable()
    assert(this.#core.logged?.isReplaying === true, 'engine: the log is being replayed')
    assert(this.#writer === undefined, 'engine: one writer at a time')
    return this.#beginWrite()
  }

  #mustBeUsable(): void {
    if (this.#isClosed) throw this.#closedError()
    this.#core.mustBeSound()
  }

  #mustBeWritable(): void {
    this.#mustBeUsable()
    if (this.readOnly) throw new KvError('KV_READ_ONLY', `${this.path}: it was opened read-only`)
    const { logged, meta } = this.#core
    if (logged === undefined) mustBeOwn(this.path, meta)
    else logged.mustBeAttached()
  }

  #closedError(): KvError {
    return new KvError('KV_CLOSED', `${this.path}: it is closed`)
  }
}

/**
 * Opens a bbolt file, or makes it. The file is a bbolt database of format version 2 at every
 * moment.
 *
 * @throws {KvError} KV_NOT_FOUND (read-only and missing), KV_LOCKED, KV_LOCK_UNSUPPORTED,
 *   KV_READ_ONLY (no leave to write), KV_BAD_FILE, KV_BAD_VERSION, KV_CORRUPT, KV_IO;
 *   KV_LOG_MISMATCH where the newest commits of a file to be written are in a log
 */
export async function openEngine(path: string, options: EngineOptions = {}): Promise<Engine> {
  return openWith(path, options, (meta, isWritable) => {
    if (isWritable) mustBeOwn(path, meta)
  })
}

/** As `openEngine`; what `accept` throws of the meta found comes out, and nothing was written. */
export async function openWith(
  path: string,
  options: EngineOptions,
  accept: (meta: Meta, isWritable: boolean) => void,
): Promise<Engine> {
  checkOptions(path, options)
  const disk = options.disk ?? new RealDisk()
  const readOnly = options.readOnly ?? false
  const file = await openLocked(disk, disk.resolve(path), options)
  try {
    const { core, report } = openCore({
      disk,
      file,
      writable: !readOnly,
      pageSizeBytes: options.pageSizeBytes ?? PAGE_SIZE_DEFAULT,
      persistFreelist: (options.freelist ?? 'sync') === 'sync',
      generation: options.generation ?? 'newest',
      cacheBytes: options.cacheBytes ?? CACHE_BYTES_DEFAULT,
      isStrict: (options.pageRules ?? 'strict') === 'strict',
      accept,
    })
    return new Engine(core, disk, report, readOnly)
  } catch (error) {
    file.close()
    throw error
  }
}
