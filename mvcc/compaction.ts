/**
 * Compaction: rows that no read at the compacted revision or later comes to leave the file.
 *
 * `scheduledCompactRev` says that it has begun: from then on nothing below can be read. Rows go in
 * steps, each a part of some engine transaction; the last one writes `finishedCompactRev`. A file
 * whose scheduled revision is above the finished one was left half-way, and opening goes on.
 *
 * Of each key stays the newest revision at or before the compacted one, unless that is a tombstone
 * before it. Only rows from the last finished compaction on need to be looked at: a row supersedes
 * the one before it of the same key, wherever that stands, and the index knows where.
 *
 *   finished 4, compacting to 9    a: 2  5  8        b: 3  7†        c: 4†       d: 9†
 *   row 4†  is a tombstone before 9                                    goes
 *   row 5   supersedes 2              goes
 *   row 7†  supersedes 3, is a tombstone                3, 7† go
 *   row 8   supersedes 5                 goes
 *   row 9†  stays: a watcher may begin at 9
 *
 * Invariants
 *   1. Rows of one key go in the order of their revisions. So what is there of a key after a crash
 *      is its newest revisions, without a gap.
 *   2. The index is pruned only when all rows are gone: it leads to what is superseded.
 *
 * Source of what stays: etcd server/storage/mvcc/key_index.go since 3.5.16.
 */

import type { Bucket, Tx } from '../engine/index.ts'
import { assert } from '../base/assert.ts'
import { formatBytes } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import type { KeyIndex } from './key-index.ts'
import { KeyState } from './key-records.ts'
import { decodeRevisionKey, encodeRevisionKey, encodeTombstoneKey } from './revision.ts'
import { decodeRow } from './rows.ts'
import { KEY_BUCKET, writeFinishedCompaction } from './schema.ts'

/** Rows looked at between two looks at the clock. */
const SLICE_ROWS = 32

/** Where in the `key` bucket a compaction goes on: the row of this revision, or the next one. */
export interface CompactionPlace {
  readonly main: number
  readonly sub: number
}

export interface CompactionStep {
  readonly index: KeyIndex
  /** The data file's path, for messages. */
  readonly file: string
  readonly from: CompactionPlace
  /** The compacted revision. */
  readonly through: number
  /** Whether the step has taken long enough. */
  readonly isDue: () => boolean
}

export interface CompactionProgress {
  /** Where to go on; undefined: all is done. */
  readonly next: CompactionPlace | undefined
  /** Whether the transaction has anything to commit. */
  readonly isChanged: boolean
  /** How many revisions of keys went. */
  readonly droppedCount: number
}

/**
 * Deletes rows in a writing transaction. May be run again from the same place, where the
 * transaction was rolled back.
 * @throws {CorruptionError} at a row that can't be read
 */
export function compactRows(tx: Tx, step: CompactionStep): CompactionProgress {
  const bucket = tx.bucket(KEY_BUCKET)
  assert(bucket !== undefined, 'the bucket "key" was there when the store was opened')
  let next: CompactionPlace | undefined = step.from
  let isChanged = false
  let droppedCount = 0
  do {
    const slice = readSlice(bucket, step, next)
    for (const rowKey of slice.marks) isChanged = bucket.delete(rowKey) || isChanged
    for (const rowKey of slice.doomed) if (bucket.delete(rowKey)) droppedCount++
    next = slice.next
  } while (next !== undefined && !step.isDue())
  if (next === undefined) writeFinishedCompaction(tx, step.through)
  isChanged ||= droppedCount > 0 || next === undefined
  return { next, isChanged, droppedCount }
}

const state = new KeyState()

interface Slice {
  /** The keys of rows that go. */
  readonly doomed: readonly Uint8Array[]
  /** The keys of marks that go: rows of no key. */
  readonly marks: readonly Uint8Array[]
  /** Where the next slice begins. */
  readonly next: CompactionPlace | undefined
}

function readSlice(
  bucket: Bucket,
  { index, file, through }: CompactionStep,
  from: CompactionPlace,
): Slice {
  const doomed: Uint8Array[] = []
  const marks: Uint8Array[] = []
  let rows = 0
  const cursor = bucket.cursor()
  const start = encodeRevisionKey(from.main, from.sub)
  for (let entry = cursor.seek(start); entry !== undefined; entry = cursor.next()) {
    const revision = decodeRevisionKey(entry.key)
    if (revision === undefined || entry.value === undefined) {
      const row = formatBytes(entry.key)
      throw new CorruptionError(`row ${row} of bucket "key" is no revision`, { file })
    }
    const { main, sub, isTombstone } = revision
    if (main > through) break
    if (rows === SLICE_ROWS) return { doomed, marks, next: { main, sub } }
    rows++
    if (entry.value.length === 0) {
      // etcd's mark of a raised revision: what `meta` says from now on says as much.
      marks.push(encodeRevisionKey(main, sub))
      continue
    }
    const { key } = decodeRow(entry.value, (message) => {
      return new CorruptionError(`row of revision ${main}.${sub} ${message}`, { file })
    })
    if (index.before(key, main, sub, state)) doomed.push(rowKeyOf(state))
    if (isTombstone && main < through) doomed.push(encodeTombstoneKey(main, sub))
  }
  return { doomed, marks, next: undefined }
}

function rowKeyOf({ modMain, modSub, version }: KeyState): Uint8Array {
  return version === 0 ? encodeTombstoneKey(modMain, modSub) : encodeRevisionKey(modMain, modSub)
}
