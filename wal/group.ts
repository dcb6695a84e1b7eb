/**
 * A group's payload in the log, and how it is read. group-writer.ts writes it.
 *
 * The payload is one flat msgpack array (format version 1). Flat, because then its shape is checked
 * by one walk over the tokens, and no array header inside it can ask for memory that its bytes
 * don't back:
 *
 *   entryCount, { revision, timeMs, opCount, { op } } …
 *
 *   0  depth, names …           the path of the operations that follow, until the next one
 *   1  key, value               put
 *   2  key                      delete
 *   3  name                     createBucket
 *   4  name                     deleteBucket
 *   5  depth, names …, name     moveBucket: the target's path, then the bucket's name
 *   6  high u32, low u32        setSequence
 *
 * A path (0) is no operation and isn't counted; it is written where it differs from the one before.
 * Bytes are msgpack bin, all else unsigned integers, or a float64 that holds an integer from 2^32
 * to 2^53 - 1.
 *
 * Valid if and only if every token is one of those, the array ends where the payload ends, and the
 * counts come out even.
 */

import { Unpackr } from 'msgpackr'
import type { LogEntry, LogOp } from '../base/log-group.ts'
import {
  CREATE_BUCKET,
  DELETE,
  DELETE_BUCKET,
  DEPTH_MAX,
  MOVE_BUCKET,
  PATH,
  PUT,
  SET_SEQUENCE,
} from './group-kinds.ts'

/** A payload that is no group's. The reader of the log adds file and offset. */
export class PayloadError extends Error {
  override readonly name: string = 'PayloadError'
}

/** What a payload's array holds. */
type Item = number | Uint8Array

const unpackr: Unpackr = new Unpackr({ useRecords: false, moreTypes: false })

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/**
 * Reads the payload that is `bytes` from `start` to `end`. Keys, names and values are views of
 * `bytes`. Operations of one run share their path: the same array.
 *
 * Payloads are quick to read out of one large buffer: msgpackr makes a view of each that it is
 * given.
 *
 * @throws {PayloadError} when it is no group's payload
 */
export function decodeEntries(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): LogEntry[] {
  checkShape(bytes, start, end)
  const items: unknown = unpackr.unpack(bytes, { start, end })
  if (!Array.isArray(items)) throw new PayloadError('the payload is no array')
  return new Reader(items as Item[]).entries()
}

class Reader {
  readonly #items: readonly Item[]
  #at = 0
  #path: readonly Uint8Array[] | undefined

  constructor(items: readonly Item[]) {
    this.#items = items
  }

  entries(): LogEntry[] {
    const entries: LogEntry[] = []
    for (let count = this.#count(); count > 0; count--) {
      const revision = this.#count()
      const timeMs = this.#count()
      const ops: LogOp[] = []
      for (let opCount = this.#count(); opCount > 0; opCount--) ops.push(this.#op())
      entries.push({ revision, timeMs, ops })
    }
    if (this.#at !== this.#items.length) throw new PayloadError('items are left over')
    return entries
  }

  #op(): LogOp {
    let kind = this.#count()
    if (kind === PATH) {
      this.#path = this.#names()
      kind = this.#count()
    }
    const path = this.#path
    if (path === undefined) throw new PayloadError('an operation without a path')
    switch (kind) {
      case PUT:
        return { op: 'put', path, key: this.#bytes(), value: this.#bytes() }
      case DELETE:
        return { op: 'delete', path, key: this.#bytes() }
      case CREATE_BUCKET:
        return { op: 'createBucket', path, name: this.#bytes() }
      case DELETE_BUCKET:
        return { op: 'deleteBucket', path, name: this.#bytes() }
      case MOVE_BUCKET:
        return { op: 'moveBucket', path, target: this.#names(), name: this.#bytes() }
      case SET_SEQUENCE:
        return { op: 'setSequence', path, sequence: (this.#word() << 32n) | this.#word() }
      default:
        throw new PayloadError(`an operation of kind ${kind}`)
    }
  }

  #names(): readonly Uint8Array[] {
    const depth = this.#count()
    if (depth > DEPTH_MAX) throw new PayloadError(`a path of ${depth} buckets`)
    const names: Uint8Array[] = []
    for (let i = 0; i < depth; i++) names.push(this.#bytes())
    return names
  }

  #count(): number {
    const item = this.#items[this.#at++]
    if (!isCount(item)) throw new PayloadError(`a count was expected at item ${this.#at - 1}`)
    return item
  }

  #word(): bigint {
    const word = this.#count()
    if (word > 0xffffffff) throw new PayloadError(`${word} is no half of a sequence`)
    return BigInt(word)
  }

  #bytes(): Uint8Array {
    const item = this.#items[this.#at++]
    if (!(item instanceof Uint8Array)) {
      throw new PayloadError(`bytes were expected at item ${this.#at - 1}`)
    }
    return item
  }
}

/**
 * Throws unless the payload is one flat array of unsigned integers, doubles and byte strings that
 * ends where the payload ends. After that, decoding allocates no more than the bytes account for.
 */
function checkShape(bytes: Uint8Array, start: number, end: number): void {
  const size = arrayHeaderSize(bytes, start, end)
  let left = size === 1 ? bigEndian(bytes, start, 1) & 0x0f : bigEndian(bytes, start + 1, size - 1)
  let at = start + size
  if (left > end - at) throw new PayloadError(`${left} items in too few bytes`)
  for (; left > 0; left--) {
    const next = at < end ? tokenEnd(bytes, at) : Infinity
    if (next > end) throw new PayloadError(`no token of a group at byte ${at - start}`)
    at = next
  }
  if (at !== end) throw new PayloadError('bytes are left over')
}

function arrayHeaderSize(bytes: Uint8Array, start: number, end: number): number {
  const token = start < end ? bytes[start] : undefined
  let size = Infinity
  if (token === 0xdc) size = 3
  else if (token === 0xdd) size = 5
  else if (token !== undefined && token >= 0x90 && token < 0xa0) size = 1
  if (start + size > end) throw new PayloadError('the payload begins with no array')
  return size
}

/** Where the token at `at` ends; Infinity: it is none of a group's. */
function tokenEnd(bytes: Uint8Array, at: number): number {
  const token = bytes[at] as number
  if (token < 0x80) return at + 1
  switch (token) {
    case 0xc4:
      return at + 2 + bigEndian(bytes, at + 1, 1)
    case 0xc5:
      return at + 3 + bigEndian(bytes, at + 1, 2)
    case 0xc6:
      return at + 5 + bigEndian(bytes, at + 1, 4)
    case 0xcb:
      return at + 9
    case 0xcc:
      return at + 2
    case 0xcd:
      return at + 3
    case 0xce:
      return at + 5
    default:
      return Infinity
  }
}

/** Bytes beyond the end count as 0: what they are added to lies beyond it then, too. */
function bigEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0
  for (let i = 0; i < size; i++) value = value * 256 + (bytes[at + i] ?? 0)
  return value
}
