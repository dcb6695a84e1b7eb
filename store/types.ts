/**
 * `Store`: what every store gives, in this process or on a server. `LocalStore`: what only the
 * owner of the files can do besides.
 *
 * Rules that hold for every call
 *   1. Arguments are read and copied before the call returns; results belong to the caller.
 *   2. A wrong argument is a TypeError or RangeError whose message begins with the argument's name;
 *      an option that doesn't exist is a TypeError. A call that returns a promise rejects with it,
 *      any other throws it. Nothing was written.
 *   3. Operating errors are `KvError`, told apart by `code`. A missing key is `undefined`, no
 *      error.
 *   4. A write is durable when its promise resolves: power may fail. A read never returns what is
 *      not durable. Writes take effect in the order of the calls.
 *   5. A rejected write did not happen, unless the error's `outcome` is `unknown`: then it may
 *      have.
 *   6. An empty key is `KV_KEY_EMPTY`; after `close()` every call is `KV_CLOSED`.
 *   7. Revisions are integers below 2^53. A new store is at revision 1; each call that writes adds
 *      one.
 *   8. In options, undefined means absent.
 *
 * `V` and `K` are the types of values and keys that come out: see types/encoding.ts.
 *
 * Not all of it is built: `BuiltStore` and `BuiltLocalStore` at the end are what `open()` gives
 * today.
 */
import type { Writable } from 'node:stream'
import type { DiffOptions, KeyChange } from './types/diff.ts'
import type { BytesInput, Encoding, KeyFor, ValueFor, ValueInput } from './types/encoding.ts'
import type { KeyRange, KeyValue } from './types/key-value.ts'
import type {
  GrantOptions,
  KeepAlive,
  Lease,
  LeaseInfo,
  LeaseInfoOptions,
  LeaseReference,
  RevokeResult,
} from './types/lease.ts'
import type {
  Alarm,
  AlarmReference,
  CallOptions,
  CheckResult,
  CompactOptions,
  CompactResult,
  DefragmentResult,
  HashKVOptions,
  HashKVResult,
  JobOptions,
  Status,
  StoreStats,
} from './types/maintenance.ts'
import type { BackupOptions, BackupResult } from './types/backup.ts'
import type { OpenOptions } from './types/open.ts'
import type { RecoveryReport } from './types/recovery.ts'
import type { GetOptions, RangeOptions, RangeResult, ScanOptions } from './types/read.ts'
import type {
  TransactOptions,
  TransactResult,
  Transaction,
  TxnOptions,
  TxnRequest,
  TxnResult,
} from './types/txn.ts'
import type { Snapshot, View } from './types/view.ts'
import type { Watch, WatchOptions } from './types/watch.ts'
import type { DeleteOptions, DeleteResult, PutOptions, PutResult } from './types/write.ts'

/** A versioned key-value store, here or elsewhere. */
export interface Store<V = string, K = string> {
  /**
   * Reads one key; undefined where it doesn't exist at that revision.
   * @throws {KvError} `KV_FUTURE_REVISION`, `KV_COMPACTED`, `KV_DECODE`
   */
  get<E extends Encoding = never>(
    key: BytesInput,
    options?: GetOptions<E>,
  ): Promise<KeyValue<ValueFor<V, E>, KeyFor<K, E>> | undefined>

  /**
   * Reads a page of keys with their values, all from one revision; at most 10,000 unless `limit`
   * says otherwise.
   * @throws {KvError} as `get`
   */
  range<E extends Encoding = never, N extends boolean = false>(
    options?: RangeOptions<E, N>,
  ): Promise<RangeResult<N extends true ? undefined : ValueFor<V, E>, KeyFor<K, E>>>

  /**
   * Iterates over keys in key order at one revision, reading on as the loop goes. The revision is
   * fixed when the first entry is there (in-process: when `scan` returns), so writes made while
   * iterating are not seen. To be iterated once. Wrong arguments are thrown at once; operating
   * errors come from the iteration. A compaction past the revision ends it with `KV_COMPACTED`.
   */
  scan<E extends Encoding = never, N extends boolean = false>(
    options?: ScanOptions<E, N>,
  ): AsyncIterableIterator<KeyValue<N extends true ? undefined : ValueFor<V, E>, KeyFor<K, E>>>

  /**
   * Puts a value under a key and makes a new revision, also where the value is the same. Durable
   * when it resolves.
   * @throws {KvError} `KV_REQUEST_TOO_LARGE`; `KV_LEASE_NOT_FOUND`; `KV_KEY_NOT_FOUND` with
   *   `ignoreValue` or `ignoreLease` on a missing key; `KV_DECODE` with `previous` (nothing was
   *   written, or `outcome` says); `KV_READ_ONLY`, `KV_NO_SPACE`, `KV_IO`, `KV_POISONED`
   */
  put<E extends Encoding = never>(
    key: BytesInput,
    value: ValueInput<ValueFor<V, E>>,
    options?: PutOptions<E>,
  ): Promise<PutResult<ValueFor<V, E>, KeyFor<K, E>>>
  /** Puts a key anew with the value that it has: its lease, or its revision, changes. */
  put<E extends Encoding = never>(
    key: BytesInput,
    value: undefined,
    options: PutOptions<E> & { readonly ignoreValue: true },
  ): Promise<PutResult<ValueFor<V, E>, KeyFor<K, E>>>

  /**
   * Deletes a key, or all keys of a range in one revision. Deleting nothing makes no revision. To
   * delete everything say `{ prefix: '' }`; a range that names no keys is a TypeError. Durable when
   * it resolves.
   * @throws {KvError} `KV_DECODE` with `previous` (nothing was deleted, or `outcome` says); others
   *   as `put`
   */
  delete<E extends Encoding = never>(
    keys: BytesInput | KeyRange,
    options?: DeleteOptions<E>,
  ): Promise<DeleteResult<ValueFor<V, E>, KeyFor<K, E>>>

  /**
   * Judges the compares and runs one of the two lists, all or nothing, in one revision: see
   * types/txn.ts. Durable when it resolves.
   * @throws {KvError} `KV_TXN_DUPLICATE_KEY`, `KV_TXN_TOO_MANY_OPS`, and whatever its operations
   *   alone would
   */
  txn<E extends Encoding = never>(
    request: TxnRequest<ValueInput<ValueFor<V, E>>>,
    options?: TxnOptions<E>,
  ): Promise<TxnResult<ValueFor<V, E>, KeyFor<K, E>>>

  /**
   * Runs a function whose reads and writes take effect as one, or runs it again if what it read has
   * changed meanwhile: it must not do anything else that can't be repeated. What it throws
   * ends the transaction with nothing written, and is thrown on. A commit whose outcome is unknown
   * is not tried again.
   * @throws {KvError} `KV_CONFLICT` when it has run `attemptsMax` times; as `range` and `txn`
   */
  transact<T>(
    fn: (t: Transaction<V, K>) => Promise<T> | T,
    options?: TransactOptions,
  ): Promise<TransactResult<T>>

  /**
   * Watches keys change: see types/watch.ts. No keys named: every key. Wrong arguments are thrown
   * at once.
   */
  watch<E extends Encoding = never>(options?: WatchOptions<E>): Watch<ValueFor<V, E>, KeyFor<K, E>>

  /**
   * Makes a lease. Durable when it resolves.
   * @throws {KvError} `KV_LEASE_EXISTS` where the id is given and taken
   */
  grant(options: GrantOptions): Promise<Lease>
  /**
   * Gives a lease its full time again.
   * @throws {KvError} `KV_LEASE_NOT_FOUND`
   */
  renew(lease: LeaseReference, options?: CallOptions): Promise<Lease>
  /** Renews a lease in the background until disposed of. */
  keepAlive(lease: LeaseReference, options?: CallOptions): KeepAlive
  /**
   * Ends a lease and deletes all its keys in one revision. Durable when it resolves.
   * @throws {KvError} `KV_LEASE_NOT_FOUND`
   */
  revoke(lease: LeaseReference, options?: CallOptions): Promise<RevokeResult>
  /** What is known of a lease; undefined where there is none. */
  lease(lease: LeaseReference, options?: LeaseInfoOptions): Promise<LeaseInfo<K> | undefined>
  /** The ids of all leases, soonest to expire first. */
  leases(options?: CallOptions): Promise<readonly bigint[]>

  /**
   * Drops what was overwritten or deleted before `revision`, which itself stays readable. Durable
   * when it resolves.
   * @throws {KvError} `KV_COMPACTED` at or below the compacted revision, `KV_FUTURE_REVISION` above
   *   the current one
   */
  compact(revision: number, options?: CompactOptions): Promise<CompactResult>
  /** Where the store stands: revision, sizes. */
  status(options?: CallOptions): Promise<Status>
  /** A hash to compare two stores' histories by. */
  hashKV(options?: HashKVOptions): Promise<HashKVResult>
  /** The alarms that are raised, those that were raised by calls before this one included. */
  alarms(options?: CallOptions): Promise<readonly Alarm[]>
  /**
   * Ends an alarm, or all of them where none is named. Returns those that it ended. Durable when it
   * resolves. In-process it says only that the alarm was seen: NOSPACE ends by itself when there
   * is room again, and is raised again where there is none. A server of etcd's refuses writes until
   * it is disarmed.
   */
  disarm(alarm?: AlarmReference, options?: CallOptions): Promise<readonly Alarm[]>

  /**
   * Takes no new calls, finishes those under way, ends watches, lets go of the files or
   * connections. Idempotent. Every call after it is `KV_CLOSED`.
   */
  close(): Promise<void>
  /** Same as `close`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** A store whose files this process owns. */
export interface LocalStore<V = string, K = string> extends Store<V, K> {
  /** The data directory, absolute; `:memory:` for a store without one. */
  readonly path: string
  readonly readOnly: boolean
  /** What opening found in the file and its log, and did. */
  readonly recovery: RecoveryReport

  /** Opens a consistent view with synchronous reads, of the current revision or an older one. */
  view(options?: { readonly revision?: number | undefined }): View<V, K>
  /** Opens a consistent view with asynchronous reads. */
  snapshot(options?: { readonly revision?: number | undefined }): Snapshot<V, K>

  /**
   * Compares the store at two revisions: iterates over the keys that were added, changed or
   * removed, in key order, reading on as the loop goes. Keys that nobody wrote in between cost
   * their place in the index alone. Wrong arguments are thrown at once; operating errors come from
   * the iteration. A compaction past one of the revisions ends it with `KV_COMPACTED`, save in a
   * snapshot.
   * @throws {KvError} from the iteration: `KV_FUTURE_REVISION`, `KV_COMPACTED`, `KV_DECODE`
   */
  diff<E extends Encoding = never, N extends boolean = false>(
    options: DiffOptions<E, N>,
  ): AsyncIterableIterator<KeyChange<N extends true ? undefined : ValueFor<V, E>, KeyFor<K, E>>>

  /**
   * As `put`, and durable when it returns: it blocks the event loop on the disk, and for writes
   * queued before it too. The lowest latency for a single writer.
   */
  putSync<E extends Encoding = never>(
    key: BytesInput,
    value: ValueInput<ValueFor<V, E>>,
    options?: Omit<PutOptions<E>, 'signal'>,
  ): PutResult<ValueFor<V, E>, KeyFor<K, E>>

  /**
   * Writes a backup of one moment, that of the call, while writes go on: a bbolt file in etcd's
   * schema with its whole history, and `FILE.manifest.json` beside it. The moment costs nothing to
   * hold; pages that writers replace meanwhile are kept for it. All of it is checked before it is
   * written and read back after.
   *
   * To a path: both files are durable when the promise resolves, and neither is there before, nor
   * where it rejects; nothing is replaced. To a stream: it is ended, or destroyed where the backup
   * fails, and the manifest is in the result.
   * @throws {KvError} `KV_EXISTS`; `KV_CORRUPT` where a page of the store is damaged, or what was
   *   read back is not what was written; `KV_NO_SPACE`, `KV_READ_ONLY`, `KV_IO`, `KV_CLOSED` where
   *   the store is closed meanwhile; the signal's reason
   */
  backup(target: string | Writable, options?: BackupOptions): Promise<BackupResult>
  /** Reads everything and tells all damage found. Never throws for damage. */
  check(options?: JobOptions): Promise<CheckResult>
  /** How much the store holds, and who holds something of it. Costs microseconds. */
  stats(): StoreStats
  /**
   * Gives back the file's free space, and puts together what lies thin in it, while work goes on: a
   * commit waits for one small step at most. Stopped or cut short anywhere it has harmed nothing.
   * What an open view needs stays where it is. Resolves when the file is shorter, or was as short
   * as it gets.
   * @throws {KvError} `KV_READ_ONLY`, `KV_CLOSED`, `KV_NO_SPACE` where the disk has no room for a
   *   checkpoint, `KV_IO`, `KV_POISONED`
   */
  defragment(options?: JobOptions): Promise<DefragmentResult>
}

/** The part of `Store` that `open()` gives today. */
export type BuiltStore<V = string, K = string> = Pick<
  Store<V, K>,
  | 'get'
  | 'range'
  | 'scan'
  | 'put'
  | 'delete'
  | 'txn'
  | 'transact'
  | 'watch'
  | 'grant'
  | 'renew'
  | 'keepAlive'
  | 'revoke'
  | 'lease'
  | 'leases'
  | 'compact'
  | 'hashKV'
  | 'alarms'
  | 'disarm'
  | 'status'
  | 'close'
  | typeof Symbol.asyncDispose
>

/** What `open()` gives today. */
export type BuiltLocalStore<V = string, K = string> = BuiltStore<V, K> &
  Pick<
    LocalStore<V, K>,
    | 'path'
    | 'readOnly'
    | 'recovery'
    | 'putSync'
    | 'view'
    | 'snapshot'
    | 'diff'
    | 'backup'
    | 'stats'
    | 'defragment'
  >

/** The options that `open()` takes today; naming another one is a TypeError. */
export type BuiltOpenOptions<E extends Encoding = 'utf8'> = Pick<
  OpenOptions<E>,
  | 'encoding'
  | 'readOnly'
  | 'lockTimeoutMs'
  | 'lock'
  | 'maxRequestBytes'
  | 'maxTxnOps'
  | 'sync'
  | 'maxPendingBytes'
  | 'checkpointBytes'
  | 'cacheBytes'
  | 'retain'
  | 'archive'
  | 'maxViewAgeMs'
  | 'logger'
  | 'quotaBytes'
  | 'signal'
>
