/**
 * An open bbolt file: transactions over it, and what can be asked of it as a whole.
 *
 * One writer at a time, any number of readers. `update` and `view` run a synchronous function inside a
 * transaction; `begin` hands one out and queues writers fairly.
 */

import { KvError } from '../base/errors.ts'
import { describeType } from '../base/text.ts'
import type { Disk, DiskFile, LockMethod, SyncKind } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { commitSteps } from './commit.ts'
import type { Core } from './core.ts'
import { PAGE_SIZE_DEFAULT, isPageSize } from './format.ts'
import { nextTxid } from './meta.ts'
import { openCore } from './open.ts'
import type { OpenReport } from './open.ts'
import { Tx } from './tx.ts'
import type { TxHost } from './tx.ts'

const CACHE_BYTES_DEFAULT = 256 * 1024 * 1024
const CACHE_BYTES_MIN = 1024 * 1024

export interface EngineOptions {
  /** Where the file is. Default: the machine's disk. */
  readonly disk?: Disk
  /** Take a shared lock and write nothing. Default false. */
  readonly readOnly?: boolean
  /** Page size of a file that is made, 1024 to 65536. Default 4096. An existing file keeps its own. */
  readonly pageSizeBytes?: number
  /** How long to wait for another holder of the file, in ms. Default 0: not at all. Infinity: for ever. */
  readonly lockTimeoutMs?: number
  /** `auto`: flock(2), as bbolt; `file`: a lock file beside it; `none`: no lock. Default `auto`. */
  readonly lock?: LockMethod | 'none'
  /** `sync`: commits write the freelist; `scan`: they don't, and opening walks the file. Default `sync`. */
  readonly freelist?: 'sync' | 'scan'
  /** `previous`: stand at the generation before the newest one. Default `newest`. */
  readonly generation?: 'newest' | 'previous'
  /** Memory for clean pages, in bytes, 1 MiB at least. Default 256 MiB. */
  readonly cacheBytes?: number
  /** `bounds`: read pages that are safe to read though bbolt would not have written them so. Default `strict`. */
  readonly pageRules?: 'strict' | 'bounds'
  /** Gives up waiting for the lock. */
  readonly signal?: AbortSignal
}

interface Waiter {
  readonly resolve: (tx: Tx) => void
  readonly reject: (error: unknown) => void
}

type Synchronous<T> = T extends PromiseLike<unknown> ? never : T

export class Engine {
  readonly path: string
  readonly readOnly: boolean
  /** What opening found. */
  readonly report: OpenReport
  readonly #core: Core
  readonly #host: TxHost
  #writer: Tx | undefined
  #waiters: Waiter[] = []
  #isClosed = false
  /** The commit in flight, while there is one. */
  #committing: Promise<void> | undefined

  /** Made by `openEngine`. */
  constructor(core: Core, report: OpenReport, readOnly: boolean) {
    this.#core = core
    this.path = core.file.path
    this.readOnly = readOnly
    this.report = report
    this.#host = {
      commit: (tx) => this.#commit(tx),
      commitAsync: (tx) => this.#commitAsync(tx),
      ended: (tx) => this.#ended(tx),
    }
  }

  get pageSizeBytes(): number {
    return this.#core.pageSizeBytes
  }

  get isOpen(): boolean {
    return !this.#isClosed
  }

  /** The txid of the newest durable commit. */
  get txid(): number {
    return this.#core.meta.txid
  }

  /** For the rest of this room. */
  get core(): Core {
    return this.#core
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
   * @throws {KvError} KV_CLOSED, KV_POISONED, KV_READ_ONLY, KV_TX_BUSY while another writer is open; and as `Tx.commit`
   */
  update<T>(fn: (tx: Tx) => Synchronous<T>): Synchronous<T> {
    this.#mustBeWritable()
    if (this.#writer !== undefined || this.#waiters.length > 0) {
      throw new KvError('KV_TX_BUSY', `${this.path}: another write transaction is open`)
    }
    const tx = this.#beginWrite()
    const result = this.#run(tx, fn, 'update')
    return result
  }

  /**
   * Begins a transaction. A writer waits its turn behind those that asked before.
   * @throws {KvError} KV_CLOSED, KV_POISONED, KV_READ_ONLY
   */
  begin(options: { readonly writable?: boolean } = {}): Promise<Tx> {
    const writable = options.writable ?? false
    if (typeof writable !== 'boolean') {
      return Promise.reject(
        new TypeError(`writable: expected a boolean, got ${describeType(writable)}`),
      )
    }
    try {
      if (!writable) return Promise.resolve(this.#beginRead())
      this.#mustBeWritable()
      if (this.#writer === undefined && this.#waiters.length === 0) {
        return Promise.resolve(this.#beginWrite())
      }
    } catch (error) {
      return Promise.reject(error)
    }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  /**
   * Closes the file and gives back its lock. A commit in flight is finished first; other open
   * transactions are rolled back, and writers that wait are rejected with KV_CLOSED. Idempotent.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#closedError())
    await this.#committing?.catch(() => {})
    this.#writer?.close()
    for (const reader of [...this.#core.readers]) reader.close()
    this.#core.file.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #beginRead(): Tx {
    this.#mustBeUsable()
    const core = this.#core
    const { meta } = core
    const tx = new Tx({ host: this.#host, pager: core.pager, meta, writable: false, id: meta.txid })
    core.readers.add(tx)
    return tx
  }

  #beginWrite(): Tx {
    const core = this.#core
    const { meta, freelist } = core
    freelist.release(core.pins())
    if (core.readers.size === 0) freelist.forgetAllocations()
    const id = nextTxid(meta)
    this.#writer = new Tx({ host: this.#host, pager: core.pager, meta, writable: true, id })
    return this.#writer
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
      const steps = commitSteps(this.#core, tx)
      for (let step = steps.next(); step.done !== true;) step = this.#syncStep(steps, step.value)
    } finally {
      tx.close()
    }
  }

  #syncStep(
    steps: Generator<SyncKind, void, void>,
    kind: SyncKind,
  ): IteratorResult<SyncKind, void> {
    try {
      this.#core.file.sync(kind)
    } catch (error) {
      return steps.throw(error)
    }
    return steps.next()
  }

  async #commitAsync(tx: Tx): Promise<void> {
    try {
      this.#mustBeWritable()
      if (!tx.pages.isChanged) return
      this.#committing = this.#driveAsync(tx)
      await this.#committing
    } finally {
      this.#committing = undefined
      tx.close()
    }
  }

  async #driveAsync(tx: Tx): Promise<void> {
    const steps = commitSteps(this.#core, tx)
    let step = steps.next()
    while (step.done !== true) {
      const failure = await this.#core.file.syncAsync(step.value).then(
        () => undefined,
        (error: unknown) => ({ error }),
      )
      step = failure === undefined ? steps.next() : steps.throw(failure.error)
    }
  }

  #ended(tx: Tx): void {
    this.#core.readers.delete(tx)
    if (this.#writer === tx) {
      this.#writer = undefined
      this.#wakeWriter()
    }
    this.#core.pager.trim()
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

  #mustBeUsable(): void {
    if (this.#isClosed) throw this.#closedError()
    this.#core.mustBeSound()
  }

  #mustBeWritable(): void {
    this.#mustBeUsable()
    if (this.readOnly) throw new KvError('KV_READ_ONLY', `${this.path}: it was opened read-only`)
  }

  #closedError(): KvError {
    return new KvError('KV_CLOSED', `${this.path}: it is closed`)
  }
}

function isThenable(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}

/**
 * Opens a bbolt file, or makes it. The file is a bbolt database of format version 2 at every moment.
 *
 * @throws {KvError} KV_NOT_FOUND (read-only and missing), KV_LOCKED, KV_LOCK_UNSUPPORTED, KV_READ_ONLY (no leave to write),
 *   KV_BAD_FILE, KV_BAD_VERSION, KV_CORRUPT, KV_IO
 */
export async function openEngine(path: string, options: EngineOptions = {}): Promise<Engine> {
  checkOptions(path, options)
  const disk = options.disk ?? new RealDisk()
  const readOnly = options.readOnly ?? false
  const file = disk.open(disk.resolve(path), { mode: readOnly ? 'read' : 'create' })
  try {
    await lockFile(disk, file, options)
    const { core, report } = openCore({
      disk,
      file,
      writable: !readOnly,
      pageSizeBytes: options.pageSizeBytes ?? PAGE_SIZE_DEFAULT,
      persistFreelist: (options.freelist ?? 'sync') === 'sync',
      generation: options.generation ?? 'newest',
      cacheBytes: options.cacheBytes ?? CACHE_BYTES_DEFAULT,
      isStrict: (options.pageRules ?? 'strict') === 'strict',
    })
    return new Engine(core, report, readOnly)
  } catch (error) {
    file.close()
    throw error
  }
}

async function lockFile(disk: Disk, file: DiskFile, options: EngineOptions): Promise<void> {
  const method = options.lock ?? 'auto'
  if (method === 'none') return
  await disk.lock(file, {
    kind: options.readOnly === true ? 'shared' : 'exclusive',
    method,
    timeoutMs: options.lockTimeoutMs ?? 0,
    signal: options.signal,
  })
}

const OPTION_CHECKS: Readonly<Record<keyof EngineOptions, (value: unknown) => string | undefined>> =
  {
    disk: (v) => (typeof v === 'object' && v !== null ? undefined : 'expected a disk'),
    readOnly: isBoolean,
    pageSizeBytes: (v) => {
      if (typeof v !== 'number') return 'expected a number'
      return isPageSize(v) ? undefined : 'range: expected a power of two from 1024 to 65536'
    },
    lockTimeoutMs: (v) => {
      if (typeof v !== 'number') return 'expected a number'
      return v >= 0 ? undefined : 'range: expected 0 or more'
    },
    lock: oneOf('auto', 'file', 'none'),
    freelist: oneOf('sync', 'scan'),
    generation: oneOf('newest', 'previous'),
    cacheBytes: (v) => {
      if (typeof v !== 'number') return 'expected a number'
      return v >= CACHE_BYTES_MIN ? undefined : `range: expected ${CACHE_BYTES_MIN} or more`
    },
    pageRules: oneOf('strict', 'bounds'),
    signal: (v) => (v instanceof AbortSignal ? undefined : 'expected an AbortSignal'),
  }

function isBoolean(value: unknown): string | undefined {
  return typeof value === 'boolean' ? undefined : 'expected a boolean'
}

function oneOf(...names: readonly string[]): (value: unknown) => string | undefined {
  return (value) =>
    names.some((name) => name === value) ? undefined : `expected one of ${names.join(', ')}`
}

function checkOptions(path: unknown, options: EngineOptions): void {
  if (typeof path !== 'string')
    throw new TypeError(`path: expected a string, got ${describeType(path)}`)
  if (path === '') throw new RangeError('path: it is empty')
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`options: expected an object, got ${describeType(options)}`)
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (!Object.hasOwn(OPTION_CHECKS, name)) throw new TypeError(`options: unknown option ${name}`)
    const fault = OPTION_CHECKS[name as keyof EngineOptions](value)
    if (fault === undefined) continue
    const isRange = fault.startsWith('range: ')
    const message = `${name}: ${isRange ? fault.slice(7) : fault}, got ${String(value)}`
    throw isRange ? new RangeError(message) : new TypeError(message)
  }
}
