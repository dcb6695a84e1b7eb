/**
 * Makes a store out of a file of etcd's, with its history.
 *
 * The file is read whole before the target is touched (etcd-file.ts). Then its keys are copied in
 * order into a new file beside the name that a store's has, what only a member of a cluster needs
 * is taken out, and the file gets its name: from then on, and not before, the directory holds a
 * store.
 */

import { KvError } from '../base/errors.ts'
import type { Disk, DiskFile } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { openEngine } from '../engine/index.ts'
import type { Engine, Tx } from '../engine/index.ts'
import { createBuckets } from '../mvcc/schema.ts'
import { readTimeout, takeLock } from './directory-lock.ts'
import { findEtcdFile, openEtcdFile } from './etcd-file.ts'
import type { EtcdFile } from './etcd-file.ts'
import { readOptions, readPath } from './fields.ts'
import { asResult } from './result.ts'
import type { ImportEtcdOptions, ImportEtcdResult } from './types/import.ts'
import type { Progress } from './types/maintenance.ts'

const OPTIONS: ReadonlySet<string> = new Set(['lockTimeoutMs', 'signal', 'onProgress'])
/** What a target may hold: the lock of whoever makes a store of it, and what a crash has left. */
const PARTIAL = 'db.importing'
const LEFT_OVER = /^(lock(\.lock(\.takeover)?)?|db\.importing(\.partial)?)$/
/** How much is written between two syncs: as much as the event loop can do in a few ms. */
const TX_BYTES = 1024 * 1024

/** Buckets that only a member of a cluster needs. */
const OF_MEMBERS = ['members', 'members_removed', 'cluster', 'alarm'] as const
/** What stands in the bucket `meta` about raft. */
const OF_RAFT = ['consistent_index', 'term', 'confState', 'storageVersion'] as const

/**
 * Makes a store in `directory` of what etcd has: every revision since its last compaction, every
 * lease, and the same revision to go on from. `source` is a file of `etcdctl snapshot save`, or a
 * member's data directory or its `member/snap/db`, while no etcd runs on it. It is only read.
 *
 * The directory must be empty or missing. Once the promise has resolved the store is durable and
 * can be opened; where it rejects, there is no store, and what was made of it is removed again.
 *
 * @throws {KvError} `KV_NOT_FOUND` (no source); `KV_BAD_FILE`, `KV_BAD_VERSION` (it is no data of
 *   etcd 3); `KV_CORRUPT` (it is damaged, or its checksum is wrong); `KV_LOCKED` (etcd runs on it,
 *   or someone has the target); `KV_EXISTS` (the target holds something); `KV_READ_ONLY`,
 *   `KV_NO_SPACE`, `KV_IO`; the signal's reason
 */
export async function importEtcd(
  source: string,
  directory: string,
  options?: ImportEtcdOptions,
): Promise<ImportEtcdResult> {
  return await importEtcdOn(new RealDisk(), { source, directory }, options)
}

interface Places {
  readonly source: unknown
  readonly directory: unknown
}

/** As `importEtcd`, on any disk. */
export async function importEtcdOn(
  disk: Disk,
  places: Places,
  options?: unknown,
): Promise<ImportEtcdResult> {
  const source = readPath(places.source, 'source')
  const target = disk.resolve(readPath(places.directory, 'directory'))
  const fields = readOptions(options, OPTIONS)
  const signal = fields.signal()
  const lockTimeoutMs = readTimeout(fields)
  const onProgress = fields.onProgress()
  signal?.throwIfAborted()
  mustBeEmpty(disk, target)
  const path = findEtcdFile(disk, source)
  const file = await openEtcdFile(disk, path, { lockTimeoutMs, signal })
  try {
    const job: Job = { disk, target, lockTimeoutMs, signal, onProgress }
    await bring(file, job)
    const { head, ...facts } = file.facts
    const { revision, keyCount, revisionCount } = head
    return asResult({ source: path, revision, keyCount, revisionCount, ...facts })
  } finally {
    await file.engine.close()
  }
}

/** @throws {KvError} KV_EXISTS */
function mustBeEmpty(disk: Disk, target: string): void {
  const found = disk.exists(target) ? disk.list(target) : []
  const foreign = found.find((name) => !LEFT_OVER.test(name))
  if (foreign === undefined) return
  const message = `it holds ${foreign} already; an import makes a new store`
  throw new KvError('KV_EXISTS', `${target}: ${message}`)
}

interface Job {
  readonly disk: Disk
  readonly target: string
  readonly lockTimeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: Progress) => void) | undefined
}

async function bring(file: EtcdFile, job: Job): Promise<void> {
  const { disk, target, lockTimeoutMs, signal } = job
  const owner = { readOnly: false, lock: 'auto', lockTimeoutMs, signal } as const
  const lock: DiskFile | undefined = await takeLock(disk, target, owner)
  const partial = disk.join(target, PARTIAL)
  try {
    mustBeEmpty(disk, target)
    removeIfThere(disk, partial)
    await copy(file.engine, partial, job)
    signal?.throwIfAborted()
    disk.rename(partial, disk.join(target, 'db'))
    disk.syncDirectory(target)
  } catch (error) {
    removeIfThere(disk, partial)
    throw error
  } finally {
    lock?.close()
  }
}

function removeIfThere(disk: Disk, path: string): void {
  if (disk.exists(path)) disk.remove(path)
}

async function copy(source: Engine, partial: string, job: Job): Promise<void> {
  const { disk, signal, onProgress } = job
  const totalBytes = source.stats().fileSizeBytes
  await source.compactTo(partial, {
    txBytes: TX_BYTES,
    ...(signal === undefined ? {} : { signal }),
    onProgress: ({ bytes }) => onProgress?.({ doneBytes: Math.min(bytes, totalBytes), totalBytes }),
  })
  const engine = await openEngine(partial, { disk, lock: 'none' })
  try {
    const tx = await engine.begin({ writable: true })
    takeOutMember(tx)
    await tx.commitAsync()
  } finally {
    await engine.close()
  }
  onProgress?.({ doneBytes: totalBytes, totalBytes })
}

/** As etcd's own restore does, since a store is no member. */
function takeOutMember(tx: Tx): void {
  for (const name of OF_MEMBERS) if (tx.bucket(name) !== undefined) tx.deleteBucket(name)
  const meta = tx.bucket('meta')
  for (const name of OF_RAFT) meta?.delete(name)
  createBuckets(tx)
}
