/**
 * The rows of a history, one by one in the order of revisions: what a compaction at the compacted
 * revision leaves, be it through or not, up to the newest revision.
 *
 * Rows are lent: valid until the engine transaction ends.
 */

import type { Cursor, Tx } from '../engine/index.ts'
import { assert } from '../base/assert.ts'
import { formatBytes } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import type { KeyValue } from '../proto/mvccpb.ts'
import type { KeyIndex } from './key-index.ts'
import { KeyState } from './key-records.ts'
import { decodeRevisionKey } from './revision.ts'
import type { RevisionKey } from './revision.ts'
import { decodeRow } from './rows.ts'
import { KEY_BUCKET } from './schema.ts'

export interface HistoryRange {
  readonly index: KeyIndex
  /** The data file's path, for messages. */
  readonly file: string
  /** The compacted revision, 0 where there is none. */
  readonly compacted: number
  /** The last revision. */
  readonly through: number
}

export interface HistoryRow {
  readonly at: RevisionKey
  /** Of a tombstone the key alone says something; undefined: etcd's mark of a raised revision. */
  readonly kv: KeyValue | undefined
}

export class HistoryRows {
  readonly #range: HistoryRange
  readonly #cursor: Cursor
  readonly #state = new KeyState()
  #isBegun = false
  #isDone = false

  constructor(tx: Tx, range: HistoryRange) {
    const bucket = tx.bucket(KEY_BUCKET)
    assert(bucket !== undefined, 'the bucket "key" was there when the store was opened')
    this.#range = range
    this.#cursor = bucket.cursor()
  }

  /**
   * Looks at up to `rowMax` rows for the next one that stays; undefined: there is none, or it lies
   * further on, as `isDone` says.
   * @throws {CorruptionError}
   */
  step(rowMax: number): HistoryRow | undefined {
    for (let looked = 0; looked < rowMax && !this.#isDone; looked++) {
      const row = this.#next()
      if (row !== undefined && this.#stays(row)) return row
    }
    return undefined
  }

  get isDone(): boolean {
    return this.#isDone
  }

  #next(): HistoryRow | undefined {
    const entry = this.#isBegun ? this.#cursor.next() : this.#cursor.first()
    this.#isBegun = true
    this.#isDone = entry === undefined
    if (entry === undefined) return undefined
    const { file, through } = this.#range
    const at = decodeRevisionKey(entry.key)
    if (at === undefined || entry.value === undefined) {
      const message = `row ${formatBytes(entry.key)} of bucket "key" is no revision`
      throw new CorruptionError(message, { file })
    }
    this.#isDone = at.main > through
    if (this.#isDone) return undefined
    if (entry.value.length === 0) return { at, kv: undefined }
    const kv = decodeRow(entry.value, (message) => {
      return new CorruptionError(`row of revision ${at.main}.${at.sub} ${message}`, { file })
    })
    return { at, kv }
  }

  #stays({ at, kv }: HistoryRow): boolean {
    const { compacted, index } = this.#range
    if (at.main > compacted) return true
    if (kv === undefined) return false
    if (at.isTombstone) return at.main === compacted
    return isCurrent(index, { key: kv.key, at }, compacted, this.#state)
  }
}

interface RowOf {
  readonly key: Uint8Array
  readonly at: Pick<RevisionKey, 'main' | 'sub'>
}

/** Whether a row is what its key is at revision `main`; `state` is overwritten. */
export function isCurrent(
  index: KeyIndex,
  { key, at }: RowOf,
  main: number,
  state: KeyState,
): boolean {
  return index.get(key, main, state) && state.modMain === at.main && state.modSub === at.sub
}
