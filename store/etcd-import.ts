/**
 * Makes a store out of a file of etcd's, with its history.
 *
 * The file is read whole before the target is touched (etcd-file.ts). Then its keys are copied in
 * order into a new file, and what only a member of a cluster needs is taken out (new-store.ts has
 * how it becomes a store).
 */

import type { Disk } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { openEngine } from '../engine/index.ts'
import type { Engine, Tx } from '../engine/index.ts'
import { createBuckets } from '../mvcc/schema.ts'
import { readTimeout } from './directory-lock.ts'
import { findEtcdFile, openEtcdFile } from './etcd-file.ts'
import type { EtcdFile } from './etcd-file.ts'
import { readOptions, readPath } from './fields.ts'
import { makeStore, mustBeEmpty } from './new-store.ts'
import type { NewStore } from './new-store.ts'
import { asResult } from './result.ts'
import type { ImportEtcdOptions, ImportEtcdResult } from './types/import.ts'
import type { Progress } from './types/maintenance.ts'

const OPTIONS: ReadonlySet<string> = new Set(['lockTimeoutMs', 'signal', 'onProgress'])
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

/** Where a store comes from, and where it is to be. */
export interface Places {
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
  const job = readImportJob(disk, places.directory, options)
  const path = findEtcdFile(disk, source)
  const file = await openEtcdFile(disk, path, job)
  try {
    await bring(file, job)
    const { head, ...facts } = file.facts
    const { revision, keyCount, revisionCount } = head
    return asResult({ source: path, revision, keyCount, revisionCount, ...facts })
  } finally {
    await file.engine.close()
  }
}

/** What makes a store of a file. */
export interface ImportJob extends NewStore {
  readonly onProgress: ((progress: Progress) => void) | undefined
}

/**
 * Reads the arguments of what makes a store in `directory`.
 * @throws {KvError} KV_EXISTS where it is not empty; the signal's reason
 */
export function readImportJob(disk: Disk, directory: unknown, options: unknown): ImportJob {
  const target = disk.resolve(readPath(directory, 'directory'))
  const fields = readOptions(options, OPTIONS)
  const signal = fields.signal()
  const lockTimeoutMs = readTimeout(fields)
  const onProgress = fields.onProgress()
  signal?.throwIfAborted()
  mustBeEmpty(disk, target)
  return { disk, target, lockTimeoutMs, signal, onProgress }
}

/** Makes the store. The file must have been found sound. */
export async function bring(file: EtcdFile, job: ImportJob): Promise<void> {
  await makeStore(job, async (partial) => await copy(file.engine, partial, job))
}

async function copy(source: Engine, partial: string, job: ImportJob): Promise<void> {
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
