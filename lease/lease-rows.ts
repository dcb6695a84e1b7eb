/**
 * The rows of the `lease` bucket: id → leasepb.Lease (proto/leasepb.ts), as etcd has them.
 *
 * A time to live below the minimum is raised, as etcd does when it opens a file.
 */

import type { Bucket, Tx } from '../engine/index.ts'
import { assert } from '../base/assert.ts'
import { formatBytes } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import { decodeLease, decodeLeaseKey, encodeLease, encodeLeaseKey } from '../proto/leasepb.ts'
import type { LeaseRow } from '../proto/leasepb.ts'
import { DecodeError } from '../proto/wire.ts'

/** etcd's limits, in seconds. */
export const TTL_SECONDS_MIN = 2
export const TTL_SECONDS_MAX = 9_000_000_000

const LEASE_BUCKET = 'lease'
/** Rows read between two pauses. */
const STEP_ROWS = 500

export interface LeaseRowsOptions {
  /** The data file's path, for messages. */
  readonly file: string
  /** Lets others run; called every few hundred rows. What it throws ends the reading. */
  readonly pause: () => Promise<void>
  /** Takes each row, in the order of the ids' bytes. */
  readonly visit: (row: LeaseRow) => void
}

/**
 * Reads all rows; a file without the bucket has none.
 * @throws {CorruptionError} at a row that is damaged, naming it
 */
export async function readLeaseRows(tx: Tx, options: LeaseRowsOptions): Promise<void> {
  let rowCount = 0
  const cursor = tx.bucket(LEASE_BUCKET)?.cursor()
  for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
    options.visit(readRow(entry.key, entry.value, options.file))
    rowCount++
    if (rowCount % STEP_ROWS === 0) await options.pause()
  }
}

function readRow(key: Uint8Array, value: Uint8Array | undefined, file: string): LeaseRow {
  const damaged = (what: string): CorruptionError =>
    new CorruptionError(`row ${formatBytes(key)} of bucket "lease" ${what}`, { file })
  const id = decodeLeaseKey(key)
  if (id === undefined || value === undefined) throw damaged('is no lease')
  const row = decodeRow(value, damaged)
  if (row.id !== id) throw damaged(`is of lease ${row.id}`)
  const { ttlSeconds, remainingSeconds } = row
  if (ttlSeconds > TTL_SECONDS_MAX) throw damaged(`lives for ${ttlSeconds} seconds`)
  if (remainingSeconds < 0 || remainingSeconds > TTL_SECONDS_MAX) {
    throw damaged(`has ${remainingSeconds} seconds left`)
  }
  const raised = Math.max(TTL_SECONDS_MIN, ttlSeconds)
  return { id, ttlSeconds: raised, remainingSeconds: Math.min(raised, remainingSeconds) }
}

function decodeRow(value: Uint8Array, damaged: (what: string) => CorruptionError): LeaseRow {
  try {
    return decodeLease(value)
  } catch (error) {
    if (error instanceof DecodeError) throw damaged(`can't be decoded: ${error.message}`)
    throw error
  }
}

export function putLeaseRow(tx: Tx, row: LeaseRow): void {
  bucketOf(tx).put(encodeLeaseKey(row.id), encodeLease(row))
}

export function deleteLeaseRow(tx: Tx, id: bigint): void {
  bucketOf(tx).delete(encodeLeaseKey(id))
}

function bucketOf(tx: Tx): Bucket {
  const bucket = tx.bucket(LEASE_BUCKET)
  assert(bucket !== undefined, 'the bucket "lease" was made with the store')
  return bucket
}
