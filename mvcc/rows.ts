/**
 * The rows of the `key` bucket: revision → KeyValue, in one engine transaction.
 *
 * What is read is lent: valid until the transaction ends, and within a writing one until its next
 * write. A row that is missing or can't be read is damage: the key index says that it is there.
 */

import type { Bucket, Cursor, Tx } from '../engine/index.ts'
import { assert } from '../base/assert.ts'
import { EMPTY_BYTES, formatBytes } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import { decodeKeyValue, readKeyValue, sizeOfKeyValue, writeKeyValue } from '../proto/mvccpb.ts'
import type { KeyValue } from '../proto/mvccpb.ts'
import { DecodeError, WireReader } from '../proto/wire.ts'
import type { KeyState } from './key-records.ts'
import {
  REVISION_KEY_SIZE,
  TOMBSTONE_KEY_SIZE,
  encodeRevisionKey,
  encodeTombstoneKey,
  writeRevisionKey,
} from './revision.ts'
import { KEY_BUCKET } from './schema.ts'

/** Rows arrive in key order, so pages are filled further than by default; as etcd has it. */
const FILL_PERCENT = 0.9

/** Where a row and its key are put together; the bucket copies them. */
const ROW_ROOM = new Uint8Array(4096)
const ROW_KEY = new Uint8Array(REVISION_KEY_SIZE)
const BUCKET_NAME = new TextEncoder().encode(KEY_BUCKET)

export class Rows {
  readonly #bucket: Bucket
  readonly #file: string
  /** Set on one row after another. */
  readonly #reader = new WireReader(EMPTY_BYTES)

  constructor(tx: Tx, file: string) {
    const bucket = tx.bucket(BUCKET_NAME)
    assert(bucket !== undefined, 'the bucket "key" was there when the store was opened')
    this.#bucket = bucket
    this.#file = file
    if (tx.writable) bucket.fillPercent = FILL_PERCENT
  }

  /** A cursor over all rows, in the order of revisions. What it gives is lent. */
  cursor(): Cursor {
    return this.#bucket.cursor()
  }

  /**
   * Reads the row that the index says `key` has; its key is `key` itself.
   * @throws {CorruptionError}
   */
  get(key: Uint8Array, state: KeyState): KeyValue {
    writeRevisionKey(ROW_KEY, state.modMain, state.modSub)
    const row = this.#bucket.get(ROW_KEY)
    if (row === undefined) throw damagedRow(this.#file, key, state, 'is missing')
    return this.#decode(new WireReader(row), key, state)
  }

  /**
   * As `get`, for a caller who is through with the row before the next one is read: nothing is kept
   * for it, and half as much is made.
   * @throws {CorruptionError}
   */
  glance(key: Uint8Array, state: KeyState): KeyValue {
    writeRevisionKey(ROW_KEY, state.modMain, state.modSub)
    const reader = this.#reader
    if (this.#bucket.glance(ROW_KEY, reader)) return this.#decode(reader, key, state)
    throw damagedRow(this.#file, key, state, 'is missing')
  }

  #decode(reader: WireReader, key: Uint8Array, state: KeyState): KeyValue {
    let kv: KeyValue
    try {
      kv = readKeyValue(reader, key)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw damagedRow(this.#file, key, state, `can't be decoded: ${error.message}`)
    }
    if (kv.key === key) return kv
    throw damagedRow(this.#file, key, state, `is of key ${formatBytes(kv.key)}`)
  }

  /** Writes a put's row. */
  put(kv: KeyValue, sub: number): void {
    const size = sizeOfKeyValue(kv)
    const row = size <= ROW_ROOM.length ? ROW_ROOM : new Uint8Array(size)
    writeKeyValue(row, 0, kv)
    writeRevisionKey(ROW_KEY, kv.modRevision, sub)
    this.#bucket.put(ROW_KEY, row.subarray(0, size))
  }

  /** Writes etcd's mark of a raised revision. */
  putRaise(main: number, sub: number): void {
    this.#bucket.put(encodeRevisionKey(main, sub), EMPTY_BYTES)
  }

  /** Writes a tombstone's row. */
  putTombstone(key: Uint8Array, main: number, sub: number): void {
    const kv = { key, createRevision: 0, modRevision: 0, version: 0, value: EMPTY_BYTES, lease: 0n }
    const row = new Uint8Array(sizeOfKeyValue(kv))
    writeKeyValue(row, 0, kv)
    const rowKey = encodeTombstoneKey(main, sub)
    assert(rowKey.length === TOMBSTONE_KEY_SIZE, 'tombstone key size')
    this.#bucket.put(rowKey, row)
  }
}

/** Decodes a row's value; `damaged` makes the error for what is wrong with it. */
export function decodeRow(row: Uint8Array, damaged: (message: string) => Error): KeyValue {
  try {
    return decodeKeyValue(row)
  } catch (error) {
    if (error instanceof DecodeError) throw damaged(`can't be decoded: ${error.message}`)
    throw error
  }
}

function damagedRow(
  file: string,
  key: Uint8Array,
  state: KeyState,
  message: string,
): CorruptionError {
  const revision = `${state.modMain}.${state.modSub}`
  return new CorruptionError(`key ${formatBytes(key)}: row of revision ${revision} ${message}`, {
    file,
  })
}
