/**
 * Opening a data directory: lock it, open its file, read its history.
 *
 *   data/
 *     db      a bbolt file in etcd's schema
 *     lock    who has it open: a JSON object with the process's pid, start time and boot id;
 *     locked, too
 *
 * The owner holds an exclusive lock on both files, a reader of a directory that nobody owns a
 * shared one. `lock` is taken first and then compared with what its path names, because whoever
 * swaps a directory does so while holding the lock of the old one.
 */

import { systemClock } from '../base/clock.ts'
import { describeType } from '../base/text.ts'
import type { Disk, DiskFile, LockMethod } from '../disk/disk.ts'
import { currentProcess } from '../disk/process-identity.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { openEngine } from '../engine/index.ts'
import type { Engine, Tx } from '../engine/index.ts'
import type { Mvcc } from '../mvcc/mvcc.ts'
import { restore } from '../mvcc/restore.ts'
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

const OPTIONS: ReadonlySet<string> = new Set([
  'encoding',
  'readOnly',
  'lockTimeoutMs',
  'lock',
  'maxRequestBytes',
  'maxTxnOps',
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
 *   write); `KV_BAD_FILE`, `KV_BAD_VERSION`, `KV_CORRUPT`, `KV_NO_SPACE`, `KV_IO`
 */
export function open<E extends BuiltEncoding = 'utf8'>(
  directory: string,
  options?: BuiltOpenOptions<E>,
): Promise<BuiltLocalStore<Encodings[E]['value'], Encodings[E]['key']>>
export async function open(directory: string, options?: BuiltOpenOptions): Promise<unknown> {
  return await openStore(new RealDisk(), directory, options)
}

/** As `open`, on any disk. */
export function openOn<E extends BuiltEncoding = 'utf8'>(
  disk: Disk,
  directory: string,
  options?: BuiltOpenOptions<E>,
): Promise<BuiltLocalStore<Encodings[E]['value'], Encodings[E]['key']>>
export async function openOn(disk: Disk, directory: unknown, options: unknown): Promise<unknown> {
  return await openStore(disk, directory, options)
}

async function openStore(
  disk: Disk,
  directory: unknown,
  options: unknown,
): Promise<DirectoryStore> {
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
    return await openLocked(disk, path, { settings, lock })
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

async function openLocked(disk: Disk, path: string, owned: Owned): Promise<DirectoryStore> {
  const { settings, lock } = owned
  const { signal, readOnly } = settings
  const engine = await openEngine(disk.join(path, 'db'), {
    disk,
    readOnly,
    lockTimeoutMs: settings.lockTimeoutMs,
    lock: settings.lock,
    ...(signal === undefined ? {} : { signal }),
  })
  try {
    if (!readOnly) await prepareBuckets(engine)
    const tx = await engine.begin()
    mustHaveStore(tx, engine.path)
    const mvcc = await readHistory(engine, tx, signal)
    const roots = new ReadRoots(mvcc, tx)
    const queue = new GroupQueue({
      engine,
      mvcc,
      clock: systemClock,
      publish: (newer) => roots.replace(newer),
    })
    return new DirectoryStore({
      ...settings,
      path,
      clock: systemClock,
      engine,
      mvcc,
      roots,
      queue,
      release: () => lock?.close(),
    })
  } catch (error) {
    await engine.close()
    throw error
  }
}

function readHistory(engine: Engine, tx: Tx, signal: AbortSignal | undefined): Promise<Mvcc> {
  const pause = async (): Promise<void> => {
    await nextTurn()
    signal?.throwIfAborted()
  }
  return restore(tx, { file: engine.path, pause })
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
