/**
 * Opening a data directory: lock it, open its file, read its history.
 *
 *   data/
 *     db      a bbolt file in etcd's schema, at the last checkpoint
 *     wal/    the log: what was committed since
 *     lock    who has it open: a JSON object with the process's pid, start time and boot id;
 *     locked, too
 *
 * The owner holds an exclusive lock on both files, a reader of a directory that nobody owns a
 * shared one. `lock` is taken first and then compared with what its path names, because whoever
 * swaps a directory does so while holding the lock of the old one.
 */

import { randomInt } from 'node:crypto'
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { Random } from '../base/random.ts'
import type { Disk, DiskFile, LockMethod } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import type { Engine, Tx } from '../engine/index.ts'
import { readLeaseRows } from '../lease/lease-rows.ts'
import { Lessor } from '../lease/lessor.ts'
import type { Head, Mvcc } from '../mvcc/mvcc.ts'
import { restore } from '../mvcc/restore.ts'
import { openDatabase } from '../snapshot/database.ts'
import type { DatabaseReport, DatabaseSetup } from '../snapshot/database.ts'
import type { SyncMode } from '../wal/log-options.ts'
import { createBuckets, hasBuckets, mustHaveStore } from '../mvcc/schema.ts'
import { WatchHub } from '../watch/watch-hub.ts'
import { Alarms } from './alarms.ts'
import type { WatchTuning } from '../watch/watch-hub.ts'
import { archiveSetup, readArchiveChoice } from './archive-option.ts'
import type { ArchiveChoice } from './archive-option.ts'
import { Backups } from './backup.ts'
import type { BackupsSetup } from './backup.ts'
import { codecOf, readCodec } from './codec.ts'
import type { Codec } from './codec.ts'
import { StoreChannels } from './channels.ts'
import { Compactor } from './compactor.ts'
import { Retention, readRetain } from './retention.ts'
import { HistoryWarning } from './history-warning.ts'
import type { Logger, Retain } from './types/open.ts'
import { Defragmenter } from './defragmenter.ts'
import { readTimeout, takeLock } from './directory-lock.ts'
import { DirectoryStore } from './directory-store.ts'
import { readOptions, readPath } from './fields.ts'
import type { Fields } from './fields.ts'
import { GroupQueue } from './group-queue.ts'
import { nextTurn } from './pause.ts'
import { ReadRoots } from './read-root.ts'
import { DurableHead } from './statistics.ts'
import { StoreLog, readLogger } from './store-log.ts'
import { mustBeSettled, settleRollback } from './rollback-swap.ts'
import { Space } from './space.ts'
import type { BuiltLocalStore, BuiltOpenOptions } from './types.ts'
import type { Encoding, Encodings } from './types/encoding.ts'

const MAX_REQUEST_BYTES_DEFAULT = 1_572_864
const MAX_TXN_OPS_DEFAULT = 128
const MAX_PENDING_BYTES_DEFAULT = 64 * 1024 * 1024
const DEFAULTS: Defaults = {
  sync: 'full',
  checkpointBytes: 64 * 1024 * 1024,
  cacheBytes: 256 * 1024 * 1024,
}
const CACHE_BYTES_MIN = 16 * 1024
/** `randomInt` goes no further. */
const SEED_END = 2 ** 48 - 1

/** The directory of a store without files. */
const IN_MEMORY = ':memory:'

const OPTIONS: ReadonlySet<string> = new Set([
  'encoding',
  'readOnly',
  'lockTimeoutMs',
  'lock',
  'maxRequestBytes',
  'maxTxnOps',
  'sync',
  'maxPendingBytes',
  'checkpointBytes',
  'cacheBytes',
  'retain',
  'archive',
  'maxViewAgeMs',
  'logger',
  'quotaBytes',
  'signal',
])

/**
 * Opens the store in a directory, which is made if it is missing, with its whole history.
 *
 * One process at a time owns a directory, by one store. What comes out of the store is decided by
 * `encoding`: strings unless it says otherwise.
 *
 * `':memory:'` is a new store each time, without files, that is gone when it is closed; `sync` and
 * `lock` mean nothing to it.
 *
 * @throws {KvError} `KV_LOCKED` when another store has it open still after `lockTimeoutMs`;
 * `KV_LOCK_UNSUPPORTED` where
 *   files can't be locked; `KV_NOT_FOUND` (read-only and missing); `KV_READ_ONLY` (no leave to
 *   write); `KV_LOG_MISMATCH` where file and log don't belong together; `KV_BAD_FILE`,
 *   `KV_BAD_VERSION`, `KV_CORRUPT`, `KV_NO_SPACE`, `KV_IO`; nothing was lost
 */
export function open<E extends Encoding = 'utf8'>(
  directory: string,
  options?: BuiltOpenOptions<E>,
): Promise<BuiltLocalStore<Encodings[E]['value'], Encodings[E]['key']>>
export async function open(directory: string, options?: BuiltOpenOptions): Promise<unknown> {
  if (directory !== IN_MEMORY) {
    return await openStore({ disk: new RealDisk(), tuning: {} }, directory, options)
  }
  const { inMemory } = await import('./in-memory.ts')
  const ground = { ...inMemory(), path: IN_MEMORY, targetDisk: new RealDisk() }
  return await openStore(ground, directory, options)
}

/** What only tests set. */
export interface Tuning {
  readonly random?: Random
  readonly clock?: Clock
  /** How long segments of the log get. */
  readonly segmentBytes?: number
  /** See `DefragmenterSetup`. */
  readonly slackPages?: number
  readonly watch?: WatchTuning
}

/** As `open`, on any disk. */
export function openOn<E extends Encoding = 'utf8'>(
  disk: Disk,
  directory: string,
  options?: BuiltOpenOptions<E>,
  tuning?: Tuning,
): Promise<BuiltLocalStore<Encodings[E]['value'], Encodings[E]['key']>>
export async function openOn(
  disk: Disk,
  directory: unknown,
  options: unknown,
  tuning: Tuning = {},
): Promise<unknown> {
  return await openStore({ disk, tuning }, directory, options)
}

interface Ground {
  readonly disk: Disk
  readonly tuning: Tuning
  /** What the store's path is called, where it is none. */
  readonly path?: string
  /** Where backups go, where that is another one. */
  readonly targetDisk?: Disk
  readonly defaults?: Defaults
}

/** What options are where they are not given. */
export type Defaults = Pick<Settings, 'sync' | 'checkpointBytes' | 'cacheBytes'>

async function openStore(
  ground: Ground,
  directory: unknown,
  options: unknown,
): Promise<DirectoryStore> {
  const { disk } = ground
  const given = readPath(directory, 'directory')
  const settings = readSettings(readOptions(options, OPTIONS), ground.defaults)
  settings.signal?.throwIfAborted()
  const path = ground.path ?? disk.resolve(given)
  const lock = await takeLock(disk, path, settings)
  try {
    if (settings.readOnly) mustBeSettled(disk, path)
    else settleRollback(disk, path)
    return await openLocked(ground, path, { settings, lock })
  } catch (error) {
    lock?.close()
    throw error
  }
}

interface Settings {
  readonly codec: Codec
  readonly readOnly: boolean
  readonly lockTimeoutMs: number
  readonly lock: LockMethod
  readonly maxRequestBytes: number
  readonly maxTxnOps: number
  readonly sync: SyncMode
  readonly maxPendingBytes: number
  readonly checkpointBytes: number
  readonly cacheBytes: number
  /** Undefined where the caller leaves it to the default. */
  readonly retain: Retain | undefined
  readonly archive: ArchiveChoice
  readonly quotaBytes: number
  readonly maxViewAgeMs: number | undefined
  readonly logger: Logger | undefined
  readonly signal: AbortSignal | undefined
}

function readSettings(fields: Fields, defaults: Defaults = DEFAULTS): Settings {
  return {
    codec: readCodec(fields, codecOf('utf8')),
    readOnly: fields.flag('readOnly'),
    lockTimeoutMs: readTimeout(fields),
    lock: fields.word('lock', ['auto', 'file']) ?? 'auto',
    maxRequestBytes: fields.integer('maxRequestBytes', 1) ?? MAX_REQUEST_BYTES_DEFAULT,
    maxTxnOps: fields.integer('maxTxnOps', 1) ?? MAX_TXN_OPS_DEFAULT,
    sync: fields.word('sync', ['full', 'os', 'none']) ?? defaults.sync,
    maxPendingBytes: fields.integer('maxPendingBytes', 1) ?? MAX_PENDING_BYTES_DEFAULT,
    checkpointBytes: fields.integer('checkpointBytes', 1) ?? defaults.checkpointBytes,
    cacheBytes: fields.integer('cacheBytes', CACHE_BYTES_MIN) ?? defaults.cacheBytes,
    retain: fields.has('retain') ? readRetain(fields.get('retain')) : undefined,
    archive: readArchiveChoice(fields.get('archive')),
    quotaBytes: fields.integer('quotaBytes', 1) ?? Infinity,
    maxViewAgeMs: fields.integer('maxViewAgeMs', 1),
    logger: readLogger(fields.get('logger')),
    signal: fields.signal(),
  }
}

interface Owned {
  readonly settings: Settings
  readonly lock: DiskFile | undefined
}

async function openLocked(ground: Ground, path: string, owned: Owned): Promise<DirectoryStore> {
  const { settings, lock } = owned
  const { clock = systemClock, random = new Random(randomInt(SEED_END)), watch } = ground.tuning
  const log = new StoreLog(settings.logger, path)
  const channels = new StoreChannels(path, clock)
  const beganMs = clock.monotonicMs()
  let store: DirectoryStore | undefined
  let writer: GroupQueue | undefined
  const lastTimeMs = (): number => writer?.lastTimeMs ?? 0
  const database = await openDatabase({
    ...databaseSetup(ground, path, { settings, random, clock, log, lastTimeMs }),
    ...checkpointListener({ log, channels }, () => store),
  })
  const { engine } = database
  try {
    const begin = (): Tx => engine.beginNow({ writable: false })
    const { quotaBytes, readOnly } = settings
    const space = new Space({ engine, quotaBytes, onRefused: () => alarms.raise() })
    const history = { settings, clock, space, seed: random.u32() }
    const { mvcc, lessor } = await readHistory(begin(), engine.path, history)
    const roots = new ReadRoots(mvcc, begin)
    const durable = new DurableHead(mvcc.head)
    const hub = hubOf(mvcc, roots, { clock, watch })
    const queue = new GroupQueue({
      database,
      mvcc,
      clock,
      maxPendingBytes: settings.maxPendingBytes,
      publish: (head) => {
        durable.advance(head)
        outgrowing?.look(head)
        roots.advance(head.revision)
        retention?.advance(head.revision)
        hub.advance(head.revision)
        alarms.look()
      },
      sent: (writeCount) => channels.sent(writeCount),
      onPoisoned: (error) => {
        log.error('no more writes are taken; close and open again', { error })
        hub.fail(queue.refusal)
      },
    })
    writer = queue
    const isEased = (): boolean => space.isEased
    const alarms = new Alarms({ file: engine.path, readOnly, queue, begin, isEased })
    alarms.look()
    const compactor = new Compactor({ mvcc, queue, roots, clock, log })
    if (!readOnly) compactor.resume()
    const dirtyBytes = Math.floor(settings.cacheBytes / 2)
    const places = { path, database, queue, roots, clock, dirtyBytes }
    const defragmenter = new Defragmenter({ ...places, slackPages: ground.tuning.slackPages })
    const head = (): Head => durable.newest
    const backups = backupsOf(ground, path, { database, mvcc, roots, clock, head })
    const { retain = 'all' } = settings
    const retention =
      retain === 'all' ? undefined : new Retention({ retain, mvcc, compactor, clock })
    const outgrowing = settings.retain === undefined ? new HistoryWarning(log) : undefined
    const jobs = { compactor, alarms, defragmenter, backups }
    const state = { database, mvcc, lessor, roots, queue, hub, ...jobs, clock, log, random, path }
    const parts = { ...state, head, release: () => lock?.close() }
    store = new DirectoryStore({ ...settings, ...parts })
    const tookMs = clock.monotonicMs() - beganMs
    tellOpened({ log, channels }, { head: mvcc.head, report: database.report, tookMs })
    outgrowing?.look(mvcc.head)
    return store
  } catch (error) {
    await database.abandon()
    throw error
  }
}

function checkpointListener(
  { log, channels }: { readonly log: StoreLog; readonly channels: StoreChannels },
  storeNow: () => DirectoryStore | undefined,
): Pick<DatabaseSetup, 'onCheckpoint' | 'onCheckpointFailed'> {
  return {
    onCheckpoint: (report) => {
      log.debug('checkpoint', { ...report })
      channels.checkpointed(report)
      storeNow()?.checkpointed()
    },
    onCheckpointFailed: (error) => {
      log.warn('a checkpoint was given up', { error })
      storeNow()?.checkpointFailed()
    },
  }
}

/** What there is, and what opening had to mend. */
function tellOpened(
  { log, channels }: { readonly log: StoreLog; readonly channels: StoreChannels },
  opened: { readonly head: Head; readonly report: DatabaseReport; readonly tookMs: number },
): void {
  const { head, report, tookMs } = opened
  const { revision, keyCount, revisionCount } = head
  const { replayedCommits, torn, fallback } = report
  if (fallback !== undefined) {
    log.warn('a generation of the data file is unusable; the other one was used', {
      ...fallback,
    })
  }
  if (torn !== undefined) log.info('the unfinished end of the log was cut off', { ...torn })
  log.info('opened', { revision, keyCount, revisionCount, replayedCommits, tookMs })
  channels.opened({ ...report, revision, tookMs })
}

function backupsOf(
  { disk, targetDisk = disk }: Ground,
  path: string,
  parts: Omit<BackupsSetup, 'disk' | 'targetDisk' | 'path' | 'logDirectory'>,
): Backups {
  return new Backups({ ...parts, path, disk, targetDisk, logDirectory: disk.join(path, 'wal') })
}

interface HubSetup {
  readonly clock: Clock
  readonly watch: WatchTuning | undefined
}

function hubOf(mvcc: Mvcc, roots: ReadRoots, { clock, watch }: HubSetup): WatchHub {
  return new WatchHub({
    revision: roots.revision,
    pin: () => roots.pin(),
    compactedRevision: () => mvcc.compactedRevision,
    clock,
    later: (callback) => void setImmediate(callback),
    ...(watch === undefined ? {} : { tuning: watch }),
  })
}

interface DatabaseParts {
  readonly settings: Settings
  readonly random: Random
  readonly clock: Clock
  readonly log: StoreLog
  readonly lastTimeMs: () => number
}

function databaseSetup(ground: Ground, path: string, parts: DatabaseParts): DatabaseSetup {
  const { disk, tuning } = ground
  const { settings, random, log } = parts
  const { signal, cacheBytes, checkpointBytes } = settings
  return {
    archive: archiveSetup({
      ...parts,
      disk,
      path,
      // A store without files has no past to go back to.
      choice: ground.path === undefined ? settings.archive : false,
      signal,
      onFailed: (error) => log.warn('the archive could not be tended', { error }),
    }),
    disk,
    path: disk.join(path, 'db'),
    logDirectory: disk.join(path, 'wal'),
    engine: {
      readOnly: settings.readOnly,
      lockTimeoutMs: settings.lockTimeoutMs,
      lock: settings.lock,
      cacheBytes,
      ...(signal === undefined ? {} : { signal }),
    },
    log: {
      syncMode: settings.sync,
      random,
      segmentBytes: tuning.segmentBytes,
    },
    // Half of what pages may take, so that there is room for those of the commits meanwhile.
    limits: { logBytes: checkpointBytes, dirtyBytes: Math.floor(cacheBytes / 2) },
    prepare: prepareBuckets,
    pause: async () => {
      await nextTurn()
      signal?.throwIfAborted()
    },
  }
}

interface HistorySetup {
  readonly settings: Settings
  readonly clock: Clock
  readonly space: Space
  readonly seed: number
}

interface HistoryRead {
  readonly mvcc: Mvcc
  readonly lessor: Lessor
}

async function readHistory(
  tx: Tx,
  file: string,
  { settings, clock, seed, space }: HistorySetup,
): Promise<HistoryRead> {
  const pause = async (): Promise<void> => {
    await nextTurn()
    settings.signal?.throwIfAborted()
  }
  try {
    mustHaveStore(tx, file)
    const lessor = new Lessor(clock)
    await readLeaseRows(tx, { file, pause, visit: (row) => lessor.load(row) })
    return { mvcc: await restore(tx, { file, pause, seed, leases: lessor, space }), lessor }
  } finally {
    tx.rollback()
  }
}

/** Makes the buckets of a new store. A file that holds something else is left alone. */
async function prepareBuckets(engine: Engine): Promise<void> {
  const tx = await engine.begin({ writable: true })
  try {
    if (hasBuckets(tx)) return
    const isEmpty = tx.bucketNames().next().done === true
    if (!isEmpty) mustHaveStore(tx, engine.path)
    createBuckets(tx)
    await tx.commitAsync()
  } finally {
    tx.rollback()
  }
}
