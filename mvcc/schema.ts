/**
 * etcd's buckets, and what its `meta` bucket says of compaction.
 *
 *   key    revision key (revision.ts) → mvccpb.KeyValue; a tombstone's has its key only
 *   meta   scheduledCompactRev, finishedCompactRev → a revision key with sub 0; and entries that
 *          are etcd's own
 *
 * The other buckets belong to other rooms, or are there because etcd's tools expect them.
 * Source: etcd server/storage/schema/bucket.go.
 */

import type { Bucket, Tx } from '../engine/index.ts'
import { assert } from '../base/assert.ts'
import { CorruptionError, KvError } from '../base/errors.ts'
import { formatBytes } from '../base/bytes.ts'
import { FIRST_REVISION, decodeRevisionKey, encodeRevisionKey } from './revision.ts'

export const KEY_BUCKET = 'key'
export const META_BUCKET = 'meta'

const BUCKETS = [
  KEY_BUCKET,
  META_BUCKET,
  'lease',
  'alarm',
  'auth',
  'authUsers',
  'authRoles',
  'members',
  'members_removed',
  'cluster',
] as const

const SCHEDULED_COMPACTION = 'scheduledCompactRev'
const FINISHED_COMPACTION = 'finishedCompactRev'

/** Whether a store's buckets are there. */
export function hasBuckets(tx: Tx): boolean {
  return BUCKETS.every((name) => tx.bucket(name) !== undefined)
}

/** Makes those of the buckets that are missing. */
export function createBuckets(tx: Tx): void {
  for (const name of BUCKETS) tx.createBucketIfNotExists(name)
}

/** @throws {KvError} `KV_BAD_FILE` where the bucket `key` is missing: the file holds no store. */
export function mustHaveStore(tx: Tx, file: string): void {
  if (tx.bucket(KEY_BUCKET) !== undefined) return
  throw new KvError('KV_BAD_FILE', `${file}: holds no store: it has no bucket "key"`)
}

/** How far history has been dropped; 0: not at all. */
export interface CompactedRevisions {
  /** Nothing below can be read: rows may be missing. */
  readonly compacted: number
  /** All is gone that a compaction up to here drops. Below `compacted` where it was cut short. */
  readonly finished: number
}

export function readCompactedRevisions(tx: Tx, file: string): CompactedRevisions {
  const finished = readMetaRevision(tx, FINISHED_COMPACTION, file)
  const compacted = Math.max(finished, readMetaRevision(tx, SCHEDULED_COMPACTION, file))
  return { compacted, finished }
}

/**
 * The newest revision that the file has: of the last row, or of a compaction, which may have
 * removed it.
 */
export function readNewestRevision(tx: Tx, file: string): number {
  const last = tx.bucket(KEY_BUCKET)?.cursor().last()
  const row = last === undefined ? undefined : decodeRevisionKey(last.key)
  return Math.max(FIRST_REVISION, row?.main ?? 0, readCompactedRevisions(tx, file).compacted)
}

function readMetaRevision(tx: Tx, name: string, file: string): number {
  const value = tx.bucket(META_BUCKET)?.get(name)
  if (value === undefined) return 0
  const revision = decodeRevisionKey(value)
  if (revision !== undefined) return revision.main
  throw new CorruptionError(`meta ${name}: ${formatBytes(value)} is no revision`, { file })
}

export function writeScheduledCompaction(tx: Tx, revision: number): void {
  metaOf(tx).put(SCHEDULED_COMPACTION, encodeRevisionKey(revision, 0))
}

export function writeFinishedCompaction(tx: Tx, revision: number): void {
  metaOf(tx).put(FINISHED_COMPACTION, encodeRevisionKey(revision, 0))
}

function metaOf(tx: Tx): Bucket {
  const meta = tx.bucket(META_BUCKET)
  assert(meta !== undefined, 'the bucket "meta" was there when the store was opened')
  return meta
}
