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

import type { Tx } from '../engine/index.ts'
import { CorruptionError, KvError } from '../base/errors.ts'
import { formatBytes } from '../base/bytes.ts'
import { decodeRevisionKey } from './revision.ts'

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

/**
 * The revision up to which history has been dropped, 0 where none was. A compaction that was
 * scheduled and did not finish counts: below it rows may be missing.
 */
export function readCompactedRevision(tx: Tx, file: string): number {
  const meta = tx.bucket(META_BUCKET)
  let compacted = 0
  for (const name of [SCHEDULED_COMPACTION, FINISHED_COMPACTION]) {
    const value = meta?.get(name)
    if (value === undefined) continue
    const revision = decodeRevisionKey(value)
    if (revision === undefined) {
      throw new CorruptionError(`meta ${name}: ${formatBytes(value)} is no revision`, { file })
    }
    compacted = Math.max(compacted, revision.main)
  }
  return compacted
}
