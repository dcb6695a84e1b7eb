/**
 * The store of a data directory: what `open()` returns.
 *
 * Every method reads and checks its arguments before it returns to the event loop for the first
 * time. Reads go to the visible root at once; writes go through the group queue.
 *
 * The class takes arguments as they come and gives out what the encoding says; `open()` gives it
 * the type that promises it.
 */

import type { Clock } from '../base/clock.ts'
import { AssertionError } from '../base/assert.ts'
import { KvError } from '../base/errors.ts'
import { Example } from '../base/example.ts'
import type { Random } from '../base/random.ts'
import { sizesOf } from '../engine/standing.ts'
import type { Lessor } from '../lease/lessor.ts'
import { checkTxn } from '../mvcc/check-request.ts'
import type { HashedHistory } from '../mvcc/history-hash.ts'
import type { Head, Mvcc } from '../mvcc/mvcc.ts'
import type { ReadTxn } from '../mvcc/read-txn.ts'
import type { PutRequest, TxnResult } from '../mvcc/request.ts'
import type { WriteTxn } from '../mvcc/write-txn.ts'
import {
  BACKUP_OPTIONS,
  COMPACT_OPTIONS,
  Arguments,
  DELETE_OPTIONS,
  HASH_OPTIONS,
  JOB_OPTIONS,
  PUT_OPTIONS,
  PUT_SYNC_OPTIONS,
  STATUS_OPTIONS,
  TXN_OPTIONS,
  VIEW_OPTIONS,
} from './arguments.ts'
import { readCodec } from './codec.ts'
import type { Codec, OutputKey } from './codec.ts'
import { readAlarm } from './alarms.ts'
import type { Alarms } from './alarms.ts'
import { readBackupJob } from './backup.ts'
import type { Backups } from './backup.ts'
import type { Compactor } from './compactor.ts'
import type { ChangeOutput } from './diff-call.ts'
import type { Defragmenter } from './defragmenter.ts'
import { readInteger, readOptions } from './fields.ts'
import type { Fields } from './fields.ts'
import type { Database, DatabaseReport } from '../snapshot/database.ts'
import type { GroupQueue } from './group-queue.ts'
import { Leases } from './leases.ts'
import { OpenViews } from './open-views.ts'
import { paced } from './pause.ts'
import { Reads } from './reads.ts'
import type { RangeOutput } from './reads.ts'
import type { ReadRoots } from './read-root.ts'
import { PutOutput, asResult, entryMaker } from './result.ts'
import type { Entry, OpOutput } from './result.ts'
import { Transactor } from './transact.ts'
import { coreRequest, leavesOf, readTxn } from './txn-arguments.ts'
import { opMakers, showOps } from './txn-output.ts'
import type { KeepAlive, Lease, LeaseInfo, RevokeResult } from './types/lease.ts'
import type { BackupResult } from './types/backup.ts'
import type { Alarm, DefragmentResult, Status, StoreStats } from './types/maintenance.ts'
import type { ResultJson } from './types/key-value.ts'
import type { TransactResult } from './types/txn.ts'
import { StoreHistory } from './store-history.ts'
import { StoreSnapshot } from './snapshot.ts'
import { readStatistics } from './statistics.ts'
import { StoreView } from './view.ts'
import type { ViewHold } from './view-hold.ts'
import type { StoreLog } from './store-log.ts'
import { VERSION } from './version.ts'
import type { WatchHub } from '../watch/watch-hub.ts'
import { EventShows, WATCH_OPTIONS, openWatch } from './watches.ts'
import type { OutputWatch } from './watches.ts'

/** Keys read before the time is looked at. */
const STEP_KEYS = 64

export interface DirectoryStoreSetup {
  /** The data directory, absolute. */
  readonly path: string
  readonly readOnly: boolean
  readonly codec: Codec
  readonly maxRequestBytes: number
  readonly maxTxnOps: number
  readonly clock: Clock
  readonly log: StoreLog
  readonly maxViewAgeMs: number | undefined
  readonly database: Database
  readonly mvcc: Mvcc
  readonly roots: ReadRoots
  readonly queue: GroupQueue
  readonly compactor: Compactor
  readonly alarms: Alarms
  readonly defragmenter: Defragmenter
  readonly backups: Backups
  readonly lessor: Lessor
  /** Where ids of leases come from. */
  readonly random: Random
  readonly hub: WatchHub
  /** The newest head that is durable. */
  readonly head: () => Head
  /** Lets go of the directory. */
  readonly release: () => void
}

type Json<T> = T & { toJSON(): ResultJson }
type DeleteOutput = Json<{ deleted: number; revision: number; previous: readonly Entry[] }>
type HistoryHash = HashedHistory & { readonly revision: number }
type TxnOutput = Json<{ succeeded: boolean; revision: number; results: readonly OpOutput[] }>

export class DirectoryStore {
  readonly path: string
  readonly readOnly: boolean
  /** What opening found. */
  readonly recovery: DatabaseReport
  readonly #setup: DirectoryStoreSetup
  readonly #leases: Leases
  readonly #views: OpenViews
  readonly #reads: Reads
  readonly #eventShows = new EventShows()
  readonly #transactor: Transactor
  readonly #argsExample = new Example<Arguments>()
  readonly #putExample = new Example<PutOutput>()
  #isClosing = false
  #closed: Promise<void> | undefined

  constructor(setup: DirectoryStoreSetup) {
    this.#setup = setup
    this.path = setup.path
    this.readOnly = setup.readOnly
    this.recovery = setup.database.report
    const { roots } = setup
    this.#views = new OpenViews({ ...setup, pin: () => roots.pin() })
    this.#reads = new Reads(
      {
        admit: (signal, args) => this.#admit(signal, args),
        pin: () => roots.pin(),
        revision: () => roots.revision,
      },
      setup,
    )
    const admit = (signal: AbortSignal | undefined): void =>
      this.#admit(signal, new Arguments(setup.codec))
    this.#leases = new Leases({ ...setup, admit })
    this.#transactor = new Transactor({ ...setup, store: this, admit })
  }

  get(key: unknown, options?: unknown): Promise<Entry | undefined> {
    return this.#reads.get(key, options)
  }

  range(options?: unknown): Promise<RangeOutput> {
    return this.#reads.range(options)
  }

  scan(options?: unknown): AsyncIterableIterator<Entry> {
    return this.#reads.scan(options)
  }

  diff(options?: unknown): AsyncIterableIterator<ChangeOutput> {
    return this.#reads.diff(options)
  }

  view(options?: unknown): StoreView {
    return this.#openView(options, (hold) => new StoreView(hold, this.#setup.codec))
  }

  snapshot(options?: unknown): StoreSnapshot {
    return this.#openView(options, (hold) => new StoreSnapshot(hold, this.#setup))
  }

  /** The history of the newest durable revision, for an export: not part of the interface. */
  history(): StoreHistory {
    const { mvcc, lessor, clock, roots } = this.#setup
    // A root may be older than leases that came or went without a revision.
    roots.refresh()
    const setup = { file: mvcc.file, lessor, clock }
    return this.#openView(undefined, (hold) => new StoreHistory(hold, setup))
  }

  /** Holds the newest durable revision, for a comparison: not part of the interface. */
  reading(): { readonly txn: ReadTxn; readonly end: () => void } {
    return this.#openView(undefined, (hold) => ({ txn: hold.txn, end: () => hold.release() }))
  }

  /** Not async: its own promise and what waits for the queue's cost a tenth of a put. */
  put(key: unknown, value: unknown, options?: unknown): Promise<PutOutput> {
    try {
      const { fields, args } = this.#read(options, PUT_OPTIONS)
      const request = args.put(fields, { key, value })
      this.#admitWrite(fields.signal(), args)
      const { codec, byteCount } = args
      const run = (txn: WriteTxn): PutOutput => this.#runPut(txn, request, codec)
      return this.#setup.queue.submit({ byteCount, isFreeing: false, run })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  putSync(key: unknown, value: unknown, options?: unknown): PutOutput {
    const { fields, args } = this.#read(options, PUT_SYNC_OPTIONS)
    const request = args.put(fields, { key, value })
    this.#admitWrite(undefined, args)
    const { codec, byteCount } = args
    const run = (txn: WriteTxn): PutOutput => this.#runPut(txn, request, codec)
    return this.#setup.queue.submitSync({ byteCount, isFreeing: false, run })
  }

  async delete(keys: unknown, options?: unknown): Promise<DeleteOutput> {
    const { fields, args } = this.#read(options, DELETE_OPTIONS)
    const request = args.delete(args.keys(keys, 'keys'), fields)
    this.#admitWrite(fields.signal(), args)
    const make = entryMaker(args.codec, false)
    const run = (txn: WriteTxn): DeleteOutput => {
      const { deleted, previous } = txn.delete(request, make)
      return asResult({ deleted, revision: txn.revision, previous })
    }
    return await this.#setup.queue.submit({ byteCount: args.byteCount, isFreeing: true, run })
  }

  async txn(request: unknown, options?: unknown): Promise<TxnOutput> {
    const { fields, args } = this.#read(options, TXN_OPTIONS)
    const read = readTxn(request, args)
    this.#admit(fields.signal(), args)
    this.#checkSize(args)
    const core = coreRequest(read)
    checkTxn(core, this.#setup.maxTxnOps)
    const leaves = leavesOf(read)
    const makers = opMakers(leaves, args.codec)
    const show = (result: TxnResult<Entry>, revision: number): TxnOutput => {
      const { succeeded } = result
      return asResult({ succeeded, revision, results: showOps(result, read) })
    }
    const onlyReads = [...core.success, ...core.failure].every((op) => op.type === 'range')
    if (onlyReads || this.readOnly) {
      const root = this.#setup.roots.pin()
      try {
        return show(root.txn.txn(core, makers), root.revision)
      } finally {
        root.unpin()
      }
    }
    const isFreeing = leaves.every((op) => op.shape !== 'put')
    const run = (txn: WriteTxn): TxnOutput => show(txn.txn(core, makers), txn.revision)
    return await this.#setup.queue.submit({ byteCount: args.byteCount, isFreeing, run })
  }

  async transact(fn: unknown, options?: unknown): Promise<TransactResult<unknown>> {
    return await this.#transactor.run(fn, options)
  }

  async compact(revision: unknown, options?: unknown): Promise<Json<{ revision: number }>> {
    const { fields, args } = this.#read(options, COMPACT_OPTIONS)
    const through = readInteger(revision, 'revision', 0)
    const isPhysical = fields.flag('physical')
    const signal = fields.signal()
    this.#admitWrite(signal, args)
    return asResult({ revision: await this.#setup.compactor.compact(through, isPhysical) })
  }

  async hashKV(options?: unknown): Promise<Json<HistoryHash>> {
    const { fields, args } = this.#read(options, HASH_OPTIONS)
    const revision = fields.integer('revision', 1) ?? 0
    const signal = fields.signal()
    this.#admit(signal, args)
    const root = this.#setup.roots.pin()
    try {
      const hashing = root.txn.hash(revision)
      await paced(() => hashing.step(STEP_KEYS), this.#setup.clock, signal)
      return asResult({ ...hashing.result(), revision: root.revision })
    } finally {
      root.unpin()
    }
  }

  async alarms(options?: unknown): Promise<readonly Alarm[]> {
    const { fields, args } = this.#read(options, STATUS_OPTIONS)
    this.#admit(fields.signal(), args)
    return await this.#setup.alarms.list()
  }

  async disarm(alarm?: unknown, options?: unknown): Promise<readonly Alarm[]> {
    const { fields, args } = this.#read(options, STATUS_OPTIONS)
    const wanted = readAlarm(alarm)
    this.#admitWrite(fields.signal(), args)
    return await this.#setup.alarms.disarm(wanted)
  }

  async defragment(options?: unknown): Promise<DefragmentResult> {
    const { fields, args } = this.#read(options, JOB_OPTIONS)
    const onProgress = fields.onProgress()
    const signal = fields.signal()
    this.#admitWrite(signal, args)
    return await this.#setup.defragmenter.run({ onProgress, signal })
  }

  async backup(target: unknown, options?: unknown): Promise<BackupResult> {
    const { fields, args } = this.#read(options, BACKUP_OPTIONS)
    const job = readBackupJob(target, fields)
    this.#admit(job.signal, args)
    return await this.#setup.backups.run(job)
  }

  async grant(options?: unknown): Promise<Lease> {
    return await this.#leases.grant(options)
  }

  async renew(lease: unknown, options?: unknown): Promise<Lease> {
    return await this.#leases.renew(lease, options)
  }

  keepAlive(lease: unknown, options?: unknown): KeepAlive {
    return this.#leases.keepAlive(lease, options)
  }

  async revoke(lease: unknown, options?: unknown): Promise<RevokeResult> {
    return await this.#leases.revoke(lease, options)
  }

  async lease(lease: unknown, options?: unknown): Promise<LeaseInfo<OutputKey> | undefined> {
    return await this.#leases.lease(lease, options)
  }

  async leases(options?: unknown): Promise<readonly bigint[]> {
    return await this.#leases.leases(options)
  }

  /** The file was brought to where the log is. */
  checkpointed(): void {
    this.#leases.checkpointed()
  }

  /** The file could not be brought on. Unless that was for want of room, nothing goes on. */
  checkpointFailed(): void {
    const { hub, queue } = this.#setup
    const { refusal } = queue
    if (refusal !== undefined) hub.fail(refusal)
  }

  watch(options?: unknown): OutputWatch {
    const { fields, args } = this.#read(options, WATCH_OPTIONS)
    const admit = (signal: AbortSignal | undefined): void => this.#admit(signal, args)
    const { hub } = this.#setup
    return openWatch({ hub, fields, args, admit, shows: this.#eventShows })
  }

  async status(options?: unknown): Promise<Status> {
    const { fields, args } = this.#read(options, STATUS_OPTIONS)
    this.#admit(fields.signal(), args)
    const { database, mvcc, roots } = this.#setup
    return asResult({
      version: VERSION,
      revision: roots.revision,
      compactedRevision: mvcc.compactedRevision,
      ...sizesOf(database.engine),
    })
  }

  stats(): StoreStats {
    if (this.#isClosing) throw this.#closedError()
    return readStatistics({ ...this.#setup, views: this.#views })
  }

  close(): Promise<void> {
    this.#isClosing = true
    this.#leases.stop()
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { queue, compactor, defragmenter, backups } = this.#setup
    const { hub, roots, database, mvcc, log, release } = this.#setup
    try {
      await backups.close()
      await defragmenter.close()
      await compactor.close()
      await queue.idle()
      await this.#leases.close()
      hub.close()
      this.#views.close()
      await roots.close()
      await database.close()
      log.info('closed')
    } catch (error) {
      log.error('closing failed', { error })
      throw error
    } finally {
      mvcc.index.release()
      release()
    }
  }

  #read(options: unknown, known: ReadonlySet<string>): { fields: Fields; args: Arguments } {
    const fields = readOptions(options, known)
    const args = new Arguments(readCodec(fields, this.#setup.codec))
    this.#argsExample.keep(args)
    return { fields, args }
  }

  #openView<T extends object>(options: unknown, make: (hold: ViewHold) => T): T {
    const { fields, args } = this.#read(options, VIEW_OPTIONS)
    const revision = fields.integer('revision', 1) ?? 0
    this.#admit(undefined, args)
    return this.#views.open(revision, make)
  }

  #runPut(txn: WriteTxn, request: PutRequest, codec: Codec): PutOutput {
    const make = request.wantsPrevious ? entryMaker(codec, false) : neverAsked
    const { previous } = txn.put(request, make)
    const output = new PutOutput(txn.revision, previous)
    if (previous === undefined) this.#putExample.keep(output)
    return output
  }

  /** The order that docs/decisions/0003 gives: slips were thrown, now closed, aborted, the rest. */
  #admit(signal: AbortSignal | undefined, args: Arguments): void {
    if (this.#isClosing) throw this.#closedError()
    this.#setup.queue.mustBeSound()
    signal?.throwIfAborted()
    args.throwRefusal()
  }

  #closedError(): KvError {
    return new KvError('KV_CLOSED', `${this.path}: the store is closed`)
  }

  #admitWrite(signal: AbortSignal | undefined, args: Arguments): void {
    this.#admit(signal, args)
    this.#checkSize(args)
    if (this.readOnly) {
      throw new KvError('KV_READ_ONLY', `${this.path}: the store was opened read-only`)
    }
  }

  #checkSize(args: Arguments): void {
    const limit = this.#setup.maxRequestBytes
    if (args.byteCount <= limit) return
    throw new KvError(
      'KV_REQUEST_TOO_LARGE',
      `the request has ${args.byteCount} bytes of keys and values; at most ${limit} are allowed`,
    )
  }
}

/** In place of a maker for each put, most of which show nothing. */
function neverAsked(): never {
  throw new AssertionError('a put shows what it did not ask for')
}
