/**
 * Builds the core of a store from its file: streams the `key` bucket in revision order into a new
 * key index, and checks every row against what the ones before it say.
 *
 * The current revision is the highest of: the last row's, and what compaction notes, since a
 * compaction may have removed the last rows. A row with an empty value is etcd's mark of a raised
 * revision and belongs to no key.
 */

import type { Cursor, Tx } from '../engine/index.ts'
import { EMPTY_BYTES, formatBytes } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import { KeyFields, readKeyFields } from '../proto/mvccpb.ts'
import type { KeyValue } from '../proto/mvccpb.ts'
import { DecodeError, WireReader } from '../proto/wire.ts'
import { KeyIndex } from './key-index.ts'
import { KeyState, VERSION_MAX } from './key-records.ts'
import { NO_LEASES } from './lease-book.ts'
import type { LeaseBook } from './lease-book.ts'
import { Mvcc } from './mvcc.ts'
import { FIRST_REVISION, SUB_MAX, readRevisionKey } from './revision.ts'
import type { RevisionKey } from './revision.ts'
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
  const reading = new Restoring(index, file, leases)
  let rowCount = 0
  const cursor = tx.bucket(KEY_BUCKET)?.cursor()
  const endReadAhead = tx.beginReadAhead()
  try {
    for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
      reading.restoreRow(cursor as Cursor)
      rowCount++
      if (rowCount % STEP_ROWS === 0) await options.pause()
    }
  } finally {
    endReadAhead()
  }
  const { last } = reading
  for (const _ of index.build()) await options.pause()
  const revision = Math.max(FIRST_REVISION, last.main, compacted)
  const compaction = { compactedRevision: compacted, finishedRevision: finished }
  return new Mvcc({ file, index, revision, ...compaction, leases, space })
}

/** Reads row after row; what it needs for one is there once, not made for each. */
class Restoring {
  readonly #index: KeyIndex
  readonly #file: string
  readonly #leases: LeaseBook
  readonly #reader = new WireReader(EMPTY_BYTES)
  readonly #fields = new KeyFields()
  /** The revision of the row read last, and of the one under way. */
  #last = { main: 0, sub: 0, isTombstone: false }
  #revision = { main: 0, sub: 0, isTombstone: false }

  constructor(index: KeyIndex, file: string, leases: LeaseBook) {
    this.#index = index
    this.#file = file
    this.#leases = leases
  }

  get last(): RevisionKey {
    return this.#last
  }

  /** Takes in the row that a cursor stands on. @throws {CorruptionError} */
  restoreRow(cursor: Cursor): void {
    const file = this.#file
    const last = this.#last
    const revision = this.#revision
    const reader = this.#reader
    cursor.glanceKey(reader)
    const isRevision = readRevisionKey(reader.bytes, reader.position, reader.end, revision)
    if (!isRevision || !cursor.glanceValue(reader)) {
      const message = `row ${formatBytes(cursor.key)} of bucket "key" is no revision`
      throw new CorruptionError(message, { file })
    }
    if (!follows(revision, last)) {
      throw damagedRow(file, revision, `follows revision ${last.main}.${last.sub}`)
    }
    if (revision.sub > SUB_MAX) throw damagedRow(file, revision, 'has a sub beyond 31 bits')
    this.#revision = last
    this.#last = revision
    if (reader.position < reader.end) this.#restoreKey(revision)
  }

  #restoreKey(revision: RevisionKey): void {
    const file = this.#file
    const kv = this.#fields
    try {
      readKeyFields(this.#reader, kv)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw damagedRow(file, revision, `can't be decoded: ${error.message}`)
    }
    if (kv.key.length === 0) throw damagedRow(file, revision, 'names no key')
    const problem = restoreRevision(this.#index, revision, kv)
    if (problem !== undefined) {
      throw damagedRow(file, revision, `is damaged: key ${formatBytes(kv.key)}: ${problem}`)
    }
    this.#leases.restore(kv.key, revision.isTombstone ? 0n : kv.lease)
  }
}

const state = new KeyState()

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
