/**
 * A transaction: a view of the whole file at one root and, if it is writable, the changes made to
 * it.
 *
 * A reader pins its root: it costs nothing, blocks nobody, and sees that moment until it ends.
 * There is one writer at a time. A writer that changed nothing does not commit and uses no txid.
 */

import { KvError } from '../base/errors.ts'
import type { Allocation } from './allocation.ts'
import { Bucket } from './bucket.ts'
import type { Cursor } from './cursor.ts'
import type { Journal } from './journal.ts'
import type { Meta } from './meta.ts'
import { Tree } from './tree.ts'
import { TxPages } from './tx-pages.ts'
import type { Pager } from './pager.ts'

const SMALL_BYTES = 64 * 1024

/** What a transaction asks of the engine that began it. */
export interface TxHost {
  /** The pages that a writer takes. */
  allocation(tx: Tx): Allocation
  /** Writes a writer's leaves before its commit. */
  writeEarly(tx: Tx): void
  commit(tx: Tx): void
  commitAsync(tx: Tx): Promise<void>
  commitQueued(tx: Tx): Promise<void>
  ended(tx: Tx): void
}

export interface TxSetup {
  readonly host: TxHost
  readonly pager: Pager
  readonly meta: Meta
  /** How many pages what it sees may take. */
  readonly usedPages: number
  readonly writable: boolean
  /** The number the commit will have, or for a reader that of the root it sees. */
  readonly id: number
  readonly journal?: Journal | undefined
}

/** What a function may return that must be synchronous: no promise. */
export type Synchronous<T> = T extends PromiseLike<unknown> ? never : T

/** Somebody who waits for the turn to write. */
export interface TxWaiter {
  readonly resolve: (tx: Tx) => void
  readonly reject: (error: unknown) => void
}

/** A transaction: one moment of the file and, if it is writable, the changes made to it. */
export class Tx {
  /** The txid: of the root it sees, or, of a writer, the one its commit will have. */
  readonly id: number
  readonly writable: boolean
  /** The meta whose root this transaction began at. */
  readonly meta: Meta
  /** @internal */
  readonly pages: TxPages
  /** The bucket of the top-level buckets. It holds no values. */
  readonly root: Bucket
  /**
   * Notes what a writer does, where that goes into a log.
   * @internal
   */
  readonly journal: Journal | undefined
  readonly #host: TxHost
  #state: 'open' | 'committing' | 'closed' = 'open'
  #isManaged = false
  #commitHandlers: (() => void)[] = []

  /**
   * Made by `Engine.begin`, `Engine.view` and `Engine.update`.
   * @internal
   */
  constructor(setup: TxSetup) {
    this.id = setup.id
    this.writable = setup.writable
    this.meta = setup.meta
    this.#host = setup.host
    this.journal = setup.journal
    this.pages = new TxPages(setup.pager, setup.meta.highWaterMark, setup.usedPages)
    const tree = new Tree(this.pages, setup.meta.rootPgid, undefined)
    this.root = new Bucket(this, tree, setup.meta.rootSequence)
  }

  /** Whether it has neither been committed nor rolled back. */
  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** The file's page size. */
  get pageSizeBytes(): number {
    return this.meta.pageSizeBytes
  }

  /** Whether what it noted for a log is little: it may be kept as an example when it has ended. */
  get isSmall(): boolean {
    return this.journal === undefined || this.journal.byteCount <= SMALL_BYTES
  }

  /**
   * Until what it returns is called, pages that follow each other in the file are read many at a
   * time: for whoever goes through all of a large bucket in order. It changes no answer.
   */
  beginReadAhead(): () => void {
    return this.pages.pager.beginReadAhead()
  }

  /** Bytes of the file that this transaction's root may use: high-water mark × page size. */
  get sizeBytes(): number {
    return this.meta.highWaterMark * this.meta.pageSizeBytes
  }

  /** Opens a top-level bucket; undefined where there is none. */
  bucket(name: string | Uint8Array): Bucket | undefined {
    return this.root.bucket(name)
  }

  /** Makes a top-level bucket. Errors as `Bucket.createBucket`. */
  createBucket(name: string | Uint8Array): Bucket {
    return this.root.createBucket(name)
  }

  /** The top-level bucket of a name, made if it is missing. Errors as `createBucket`. */
  createBucketIfNotExists(name: string | Uint8Array): Bucket {
    return this.root.createBucketIfNotExists(name)
  }

  /** Deletes a top-level bucket and all that is in it. Errors as `Bucket.deleteBucket`. */
  deleteBucket(name: string | Uint8Array): void {
    this.root.deleteBucket(name)
  }

  /**
   * Moves a bucket from `source` to `target`; undefined stands for the top level. Errors as
   * `Bucket.moveBucket`.
   */
  moveBucket(
    name: string | Uint8Array,
    source: Bucket | undefined,
    target: Bucket | undefined,
  ): void {
    const from = source ?? this.root
    if (!(from instanceof Bucket)) throw new TypeError('source: expected a bucket')
    if (from.tx !== this) throw new TypeError('source: a bucket of another transaction')
    from.moveBucket(name, target ?? this.root)
  }

  /** An ordered position among the top-level buckets; every value is undefined. */
  cursor(): Cursor {
    return this.root.cursor()
  }

  /** Names of the top-level buckets, in order, as owned bytes. */
  bucketNames(): Generator<Uint8Array, void, undefined> {
    return this.root.bucketNames()
  }

  /**
   * Calls `handler` after this transaction has become durable and its lock is released. What a
   * handler throws comes out of the commit, which has happened all the same.
   */
  onCommit(handler: () => void): void {
    if (typeof handler !== 'function') throw new TypeError('handler: expected a function')
    this.mustBeWritable()
    this.#commitHandlers.push(handler)
  }

  /**
   * Writes the changes and makes them durable: two syncs, which block the event loop.
   * @throws {KvError} KV_TX_CLOSED, KV_TX_NOT_WRITABLE; KV_NO_SPACE (nothing happened); KV_IO, and
   *   then the engine is poisoned and `outcome` says whether the commit may be found after
   *   reopening
   */
  commit(): void {
    this.#beginCommit()
    this.#host.commit(this)
    this.#committed()
  }

  /** `commit` that leaves the event loop free while the disk syncs. */
  async commitAsync(): Promise<void> {
    this.#beginCommit()
    await this.#host.commitAsync(this)
    this.#committed()
  }

  /**
   * Makes the changes the head of a file that has a log, so that the next writer builds on them;
   * what it throws has changed nothing. The promise resolves when they are durable, and so is all
   * before them.
   */
  commitQueued(): Promise<void> {
    this.#beginCommit()
    return this.#host.commitQueued(this)
  }

  /** Ends the transaction; a writer's changes are dropped. Does nothing when it has ended. */
  rollback(): void {
    if (this.#state === 'closed') return
    if (this.#isManaged) throw new TypeError('tx: it is ended by update() or view(), not by hand')
    if (this.#state === 'committing') throw new KvError('KV_TX_BUSY', 'tx: it is being committed')
    this.close()
  }

  /** Rolls back, where it is open still. */
  [Symbol.dispose](): void {
    if (this.#state === 'open') this.rollback()
  }

  /** @throws {KvError} `KV_TX_CLOSED` */
  mustBeOpen(): void {
    if (this.#state !== 'open') {
      throw new KvError('KV_TX_CLOSED', `transaction ${this.id} has ended`)
    }
  }

  /** @throws {KvError} `KV_TX_CLOSED`, `KV_TX_NOT_WRITABLE` */
  mustBeWritable(): void {
    this.mustBeOpen()
    if (!this.writable) throw new KvError('KV_TX_NOT_WRITABLE', 'the transaction is read-only')
  }

  /**
   * The pages that this transaction takes.
   * @internal
   */
  allocate(): Allocation {
    this.pages.allocation ??= this.#host.allocation(this)
    return this.pages.allocation
  }

  /** A value of `sizeBytes` was put: writes leaves early where memory is short. */
  grew(sizeBytes: number): void {
    if (this.pages.grow(sizeBytes)) this.#host.writeEarly(this)
  }

  /** Marks it as run by `update` or `view`, which alone may end it. */
  manage(isManaged: boolean): void {
    this.#isManaged = isManaged
  }

  /** Ends it without a word to the caller's rules. Idempotent. */
  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.pages.epoch++
    this.pages.end()
    this.#host.ended(this)
  }

  #beginCommit(): void {
    this.mustBeWritable()
    if (this.#isManaged) throw new TypeError('tx: it is ended by update(), not by hand')
    this.#state = 'committing'
    this.pages.epoch++
  }

  #committed(): void {
    for (const handler of this.#commitHandlers) handler()
  }
}
