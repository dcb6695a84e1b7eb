/**
 * What a write transaction did, in the order it was done: the record of it that goes into the log.
 *
 * Only what has happened is noted, after it has. Bytes are copied: the caller may use its own again
 * as soon as the call returns, and the record is written later.
 */

import { copyShort } from '../base/copy-range.ts'
import type { LogEntry, LogOp } from '../base/log-group.ts'
import type { Bucket } from './bucket.ts'
import type { Tx } from './tx.ts'

interface OpenEntry {
  readonly revision: number
  readonly timeMs: number
  readonly ops: LogOp[]
}

/** What a record takes beside its entries, an entry beside its operations, and so on, at most. */
const RECORD_BYTES = 16
const ENTRY_BYTES = 32
const OP_BYTES = 32
const NAME_BYTES = 5

function byteCountOf(op: LogOp): number {
  let count = OP_BYTES + pathBytes(op.path)
  if (op.op === 'put' || op.op === 'delete') count += op.key.length
  if (op.op === 'put') count += op.value.length
  if ('name' in op) count += op.name.length
  if (op.op === 'moveBucket') count += pathBytes(op.target)
  return count
}

function pathBytes(path: readonly Uint8Array[]): number {
  let count = 0
  for (const name of path) count += NAME_BYTES + name.length
  return count
}

export class Journal {
  readonly #entries: OpenEntry[] = []
  #byteCount = 0
  #revision = 0
  #timeMs = 0
  /** Whether nothing was noted yet of this revision. */
  #isNew = true

  /** How long the record may get, in bytes: never less than it will be. */
  get byteCount(): number {
    return RECORD_BYTES + this.#byteCount
  }

  /** What is noted from now on belongs to this revision. */
  begin(revision: number, timeMs: number): void {
    this.#revision = revision
    this.#timeMs = timeMs
    this.#isNew = true
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    const path = bucket.path()
    this.#note({ op: 'put', path, key: copyShort(key), value: copyShort(value) })
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.#note({ op: 'delete', path: bucket.path(), key: copyShort(key) })
  }

  createBucket(bucket: Bucket, name: Uint8Array): void {
    this.#note({ op: 'createBucket', path: bucket.path(), name: new Uint8Array(name) })
  }

  deleteBucket(bucket: Bucket, name: Uint8Array): void {
    this.#note({ op: 'deleteBucket', path: bucket.path(), name: new Uint8Array(name) })
  }

  moveBucket(bucket: Bucket, target: Bucket, name: Uint8Array): void {
    const path = bucket.path()
    this.#note({ op: 'moveBucket', path, target: target.path(), name: new Uint8Array(name) })
  }

  setSequence(bucket: Bucket, sequence: bigint): void {
    this.#note({ op: 'setSequence', path: bucket.path(), sequence })
  }

  #note(op: LogOp): void {
    if (this.#isNew) {
      // A list of one has room for one; most have no more, and one that is pushed to has for many.
      this.#entries.push({ revision: this.#revision, timeMs: this.#timeMs, ops: [op] })
      this.#byteCount += ENTRY_BYTES
      this.#isNew = false
    } else {
      this.#entries.at(-1)?.ops.push(op)
    }
    this.#byteCount += byteCountOf(op)
  }

  /** The record, without revisions that changed nothing. */
  entries(): readonly LogEntry[] {
    return this.#entries
  }
}

/** Does again in `tx` what the log says was done. */
export function replayOp(tx: Tx, op: LogOp): void {
  const bucket = bucketAt(tx, op.path)
  switch (op.op) {
    case 'put':
      bucket.put(op.key, op.value)
      return
    case 'delete':
      bucket.delete(op.key)
      return
    case 'createBucket':
      bucket.createBucket(op.name)
      return
    case 'deleteBucket':
      bucket.deleteBucket(op.name)
      return
    case 'moveBucket':
      bucket.moveBucket(op.name, bucketAt(tx, op.target))
      return
    case 'setSequence':
      bucket.setSequence(op.sequence)
  }
}

function bucketAt(tx: Tx, path: readonly Uint8Array[]): Bucket {
  let bucket = tx.root
  for (const name of path) bucket = bucket.mustFindBucket(name)
  return bucket
}
