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
import { describeType } from '../base/text.ts'
import type { Disk, DiskFile, LockMethod } from '../disk/disk.ts'
import { currentProcess } from '../disk/process-identity.ts'
import { RealDisk } from '../disk/real-disk.ts'
import type { Engine, Tx } from '../engine/index.ts'
import type { Mvcc } from '../mvcc/mvcc.ts'
import { restore } from '../mvcc/restore.ts'
import { openDatabase } from '../snapshot/database.ts'
import type { DatabaseSetup } from '../snapshot/database.ts'
import type { SyncMode } from '../wal/log-options.ts'
import { createBuckets, hasBuckets, mustHaveStore } from '../mvcc/schema.ts'
import { codecOf, readCodec } from './codec.ts'
import type { Codec } from './codec.ts'
import { DirectoryStore } from './directory-store.ts'
import { readOptions } from './fields.ts'
import type { Fields } from './fields.ts'
import { GroupQueue } from './group-queue.ts'
import { nextTurn } from './pause.ts'
import { ReadRoots } from './read-root.ts'
import type { BuiltEncoding, BuiltLocalStore, BuiltOpenOptions } from './types.ts'
import type { Encodings } from './types/encoding.ts'

const MAX_REQUEST_BYTES_DEFAULT = 1_572_864
const MAX_TXN_OPS_DEFAULT = 128
const MAX_PENDING_BYTES_DEFAULT = 64 * 1024 * 1024
const CHECKPOINT_BYTES_DEFAULT = 64 * 1024 * 1024
const CACHE_BYTES_DEFAULT = 256 * 1024 * 1024
const CACHE_BYTES_MIN = 16 * 1024
/** `randomInt` goes no further. */
const SEED_END = 2 ** 48 - 1

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
  'signal',
])

/**
 * Opens the store in a directory, which is made if it is missing, with its whole history.
 *
 * One process at a time owns a directory, by one store. What comes out of the store is decided by
 * `encoding`: strings unless it says otherwise.
 *
 * @throws {KvError} `KV_LOCKED` when another store has it open still after `lockTimeoutMs`;
 * `KV_LOCK_UNSUPPORTED` where
 *   files can't be locked; `KV_NOT_FOUND` (read-only and missing); `KV_READ_ONLY` (no leave to
 *   write); `KV_LOG_MISMATCH` where file and log don't belong together; `KV_BAD_FILE`,
 *   `KV_BAD_VERSION`, `KV_CORRUPT`, `KV_NO_SPACE`, `KV_IO`; nothing was lost
 */
export function open<E extends BuiltEncoding = 'utf8'>(
  directory: string,
  options?: BuiltOpenOptions<E>,
): Promise<BuiltLocalStore<Encodings[E]['value'], Encodings[E]['key']>>
export async function open(directory: string, options?: BuiltOpenOptions): Promise<unknown> {
  return await openStore({ disk: new RealDisk(), tuning: {} }, directory, options)
}

/** What only tests set. */
export interface Tuning {
  readonly random?: Random
  readonly clock?: Clock
  /** How long segments of the log get. */
  readonly segmentBytes?: number
}

/** As `open`, on any disk. */
export function openOn<E extends BuiltEncoding = 'utf8'>(
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
}

async function openStore(
  ground: Ground,
  directory: unknown,
  options: unknown,
): Promise<DirectoryStore> {
  const { disk } = ground
  if (typeof directory !== 'string') {
    throw new TypeError(`directory: expected a string, got ${describeType(directory)}`)
  }
  if (directory === '') throw new RangeError('directory: it is empty')
  if (directory.includes('\0')) throw new RangeError('directory: it has a zero byte')
  const settings = readSettings(readOptions(options, OPTIONS))
  settings.signal?.throwIfAborted()
  const path = disk.resolve(directory)
  const lock = await takeLock(disk, path, settings)
  try {
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
  readonly signal: AbortSignal | undefined
}

function readSettings(fields: Fields): Settings {
  return {
    codec: readCodec(fields, codecOf('utf8')),
    readOnly: fields.flag('readOnly'),
    lockTimeoutMs: readTimeout(fields),
    lock: fields.word('lock', ['auto', 'file']) ?? 'auto',
    maxRequestBytes: fields.integer('maxRequestBytes', 1) ?? MAX_REQUEST_BYTES_DEFAULT,
    maxTxnOps: fields.integer('maxTxnOps', 1) ?? MAX_TXN_OPS_DEFAULT,
    sync: fields.word('sync', ['full', 'os', 'none']) ?? 'full',
    maxPendingBytes: fields.integer('maxPendingBytes', 1) ?? MAX_PENDING_BYTES_DEFAULT,
    checkpointBytes: fields.integer('checkpointBytes', 1) ?? CHECKPOINT_BYTES_DEFAULT,
    cacheBytes: fields.integer('cacheBytes', CACHE_BYTES_MIN) ?? CACHE_BYTES_DEFAULT,
    signal: fields.signal(),
  }
}

function readTimeout(fields: Fields): number {
  const value = fields.get('lockTimeoutMs')
  if (value === undefined) return 0
  if (typeof value !== 'number') {
    throw new TypeError(`lockTimeoutMs: expected a number, got ${describeType(value)}`)
  }
  if (!(value >= 0)) throw new RangeError(`lockTimeoutMs: ${value} is below 0`)
  return value
}

/** Locks the directory; undefined where a read-only opener finds no lock file. */
async function takeLock(
  disk: Disk,
  path: string,
  settings: Settings,
): Promise<DiskFile | undefined> {
  const { readOnly } = settings
  const lockPath = disk.join(path, 'lock')
  if (!readOnly) prepareDirectory(disk, path)
  for (;;) {
    if (readOnly && !disk.exists(lockPath)) return undefined
    const file = disk.open(lockPath, { mode: readOnly ? 'read' : 'create' })
    try {
      await disk.lock(file, {
        kind: readOnly ? 'shared' : 'exclusive',
        method: settings.lock,
        timeoutMs: settings.lockTimeoutMs,
        signal: settings.signal,
      })
      const held = file.identity()
      const named = disk.identityOf(lockPath)
      if (named?.device === held.device && named.inode === held.inode) {
        if (!readOnly) nameOwner(file)
        return file
      }
    } catch (error) {
      file.close()
      throw error
    }
    file.close()
  }
}

function prepareDirectory(disk: Disk, path: string): void {
  const isNew = !disk.exists(path)
  disk.makeDirectory(path)
  if (isNew) disk.syncDirectory(disk.directoryOf(path))
}

/** Says in the lock file who holds it. For people and tools only, so it needs no sync. */
function nameOwner(file: DiskFile): void {
  const text = Buffer.from(`${JSON.stringify(currentProcess())}\n`, 'utf8')
  file.truncate(0)
  file.write(text, 0)
}

interface Owned {
  readonly settings: Settings
  readonly lock: DiskFile | undefined
}

async function openLocked(ground: Ground, path: string, owned: Owned): Promise<DirectoryStore> {
  const { settings, lock } = owned
  const { clock = systemClock } = ground.tuning
  const database = await openDatabase(databaseSetup(ground, path, settings))
  const { engine } = database
  try {
    const begin = (): Tx => engine.beginNow({ writable: false })
    const mvcc = await readHistory(begin(), engine.path, settings.signal)
    const roots = new ReadRoots(mvcc, begin)
    const queue = new GroupQueue({
      database,
      mvcc,
      clock,
      maxPendingBytes: settings.maxPendingBytes,
      publish: (revision) => roots.advance(revision),
    })
    const release = (): void => lock?.close()
    return new DirectoryStore({ ...settings, path, clock, database, mvcc, roots, queue, release })
  } catch (error) {
    await database.abandon()
    throw error
  }
}

function databaseSetup({ disk, tuning }: Ground, path: string, settings: Settings): DatabaseSetup {
  const { signal, cacheBytes, checkpointBytes } = settings
  return {
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
      random: tuning.random ?? new Random(randomInt(SEED_END)),
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

async function readHistory(tx: Tx, file: string, signal: AbortSignal | undefined): Promise<Mvcc> {
  const pause = async (): Promise<void> => {
    await nextTurn()
    signal?.throwIfAborted()
  }
  try {
    mustHaveStore(tx, file)
    return await restore(tx, { file, pause })
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
