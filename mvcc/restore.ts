/**
 * Builds the core of a store from its file: streams the `key` bucket in revision order into a new
 * key index, and checks every row against what the ones before it say.
 *
 * The current revision is the highest of: the last row's, and what compaction notes, since a
 * compaction may have removed the last rows. A row with an empty value is etcd's mark of a raised
 * revision and belongs to no key.
 */

import type { Tx } from '../engine/index.ts'
import { formatBytes } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import type { KeyValue } from '../proto/mvccpb.ts'
import { KeyIndex } from './key-index.ts'
import { KeyState, VERSION_MAX } from './key-records.ts'
import { NO_LEASES } from './lease-book.ts'
import type { LeaseBook } from './lease-book.ts'
import { Mvcc } from './mvcc.ts'
import { FIRST_REVISION, SUB_MAX, decodeRevisionKey } from './revision.ts'
import type { RevisionKey } from './revision.ts'
import { decodeRow } from './rows.ts'
import { KEY_BUCKET, readCompactedRevisions } from './schema.ts'
import type { SpaceBook } from './space-book.ts'

/** Rows read between two pauses. */
const STEP_ROWS = 500

export interface RestoreOptions {
  /** The data file's path, for messages. */
  readonly file: string
  /** Lets others run; called every few hundred rows. What it throws ends the restoring. */
  readonly pause: () => Promise<void>
  /** Varies where keys lie in the index's table: any number below 2^32. */
  readonly seed?: number | undefined
  /** Who is told what lease each key has. Default: nobody. */
  readonly leases?: LeaseBook | undefined
  /** Who keeps the quota. Default: there is none. */
  readonly space?: SpaceBook | undefined
}

/**
 * Reads the store that an engine transaction holds; the transaction stays open.
 * @throws {CorruptionError} at a row that is damaged, naming it
 */
export async function restore(tx: Tx, options: RestoreOptions): Promise<Mvcc> {
  const { file, leases = NO_LEASES, space } = options
  const { compacted, finished } = readCompactedRevisions(tx, file)
  const index = new KeyIndex({ seed: options.seed ?? 0 })
  let last: RevisionKey = { main: 0, sub: 0, isTombstone: false }
  let rowCount = 0
  const cursor = tx.bucket(KEY_BUCKET)?.cursor()
  for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
    last = restoreRow(index, { rowKey: entry.key, row: entry.value, last, file, leases })
    rowCount++
    if (rowCount % STEP_ROWS === 0) await options.pause()
  }
  for (const _ of index.build()) await options.pause()
  const revision = Math.max(FIRST_REVISION, last.main, compacted)
  const compaction = { compactedRevision: compacted, finishedRevision: finished }
  return new Mvcc({ file, index, revision, ...compaction, leases, space })
}

interface RowRead {
  readonly rowKey: Uint8Array
  readonly row: Uint8Array | undefined
  readonly last: RevisionKey
  readonly file: string
  readonly leases: LeaseBook
}

const state = new KeyState()

function restoreRow(index: KeyIndex, read: RowRead): RevisionKey {
  const { rowKey, row, last, file } = read
  const revision = decodeRevisionKey(rowKey)
  if (revision === undefined || row === undefined) {
    throw new CorruptionError(`row ${formatBytes(rowKey)} of bucket "key" is no revision`, { file })
  }
  if (!follows(revision, last)) {
    throw damagedRow(file, revision, `follows revision ${last.main}.${last.sub}`)
  }
  if (revision.sub > SUB_MAX) throw damagedRow(file, revision, 'has a sub beyond 31 bits')
  if (row.length === 0) return revision
  const kv = decodeRow(row, (message) => damagedRow(file, revision, message))
  if (kv.key.length === 0) throw damagedRow(file, revision, 'names no key')
  const problem = restoreRevision(index, revision, kv)
  if (problem !== undefined) {
    throw damagedRow(file, revision, `is damaged: key ${formatBytes(kv.key)}: ${problem}`)
  }
  read.leases.restore(kv.key, revision.isTombstone ? 0n : kv.lease)
  return revision
}

type Place = Pick<RevisionKey, 'main' | 'sub'>

/** Whether a row may stand behind the one at `last`; nothing stands at main 0. */
export function follows({ main, sub }: Place, last: Place): boolean {
  return main > last.main || (main === last.main && sub > last.sub) || last.main === 0
}

/**
 * Adds a revision of a key to an index that is being restored, where it fits what the index says of
 * that key; else returns what is wrong with it.
 */
export function restoreRevision(
  index: KeyIndex,
  revision: RevisionKey,
  kv: KeyValue,
): string | undefined {
  return faultOf(kv, revision) ?? index.restore(kv.key, state)
}

/** What is wrong with a row in itself; else `state` is filled with what it says. */
function faultOf(kv: KeyValue, { main, sub, isTombstone }: RevisionKey): string | undefined {
  if (isTombstone) {
    state.set(main, sub, 0, 0)
    return undefined
  }
  if (kv.modRevision !== main) return `modified at revision ${kv.modRevision}`
  if (kv.createRevision < 1) return `created at revision ${kv.createRevision}`
  if (kv.version < 1 || kv.version > VERSION_MAX) return `version ${kv.version}`
  state.set(main, sub, kv.createRevision, kv.version)
  return undefined
}

function damagedRow(file: string, revision: RevisionKey, message: string): CorruptionError {
  return new CorruptionError(`row of revision ${revision.main}.${revision.sub} ${message}`, {
    file,
  })
}
