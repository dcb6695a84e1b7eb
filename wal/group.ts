/**
 * A group: what one engine transaction did, as plain data, and its payload in the log.
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

import { Packr, Unpackr } from 'msgpackr'
import { assert, unreachable } from '../base/assert.ts'
import { equalBytes } from '../base/bytes.ts'
import type { LogEntry, LogOp } from '../base/log-group.ts'

/** A payload that is no group's. The reader of the log adds file and offset. */
export class PayloadError extends Error {
  override readonly name: string = 'PayloadError'
}

const PATH = 0
const PUT = 1
const DELETE = 2
const CREATE_BUCKET = 3
const DELETE_BUCKET = 4
const MOVE_BUCKET = 5
const SET_SEQUENCE = 6

/** How deep a path may be; the engine's buckets are far from it. */
const DEPTH_MAX = 1024

const MASK_32 = 0xffffffffn

/** What a payload's array holds. */
type Item = number | Uint8Array

const OPTIONS = { useRecords: false, moreTypes: false } as const
const packr: Packr = new Packr(OPTIONS)
const unpackr: Unpackr = new Unpackr(OPTIONS)

/** The items of the array, gathered. */
class Items {
  readonly list: Item[] = []
  #path: readonly Uint8Array[] | undefined

  add(op: LogOp): void {
    const { list } = this
    this.#selectPath(op.path)
    switch (op.op) {
      case 'put':
        list.push(PUT, op.key, op.value)
        break
      case 'delete':
        list.push(DELETE, op.key)
        break
      case 'createBucket':
        list.push(CREATE_BUCKET, op.name)
        break
      case 'deleteBucket':
        list.push(DELETE_BUCKET, op.name)
        break
      case 'moveBucket':
        list.push(MOVE_BUCKET, depthOf(op.target), ...op.target, op.name)
        break
      case 'setSequence':
        assert(op.sequence >= 0n && op.sequence >> 64n === 0n, 'a sequence is a u64')
        list.push(SET_SEQUENCE, Number(op.sequence >> 32n), Number(op.sequence & MASK_32))
        break
      default:
        unreachable(op)
    }
  }

  #selectPath(path: readonly Uint8Array[]): void {
    if (this.#path !== undefined && samePath(this.#path, path)) return
    this.list.push(PATH, depthOf(path), ...path)
    this.#path = path
  }
}

function depthOf(path: readonly Uint8Array[]): number {
  assert(path.length <= DEPTH_MAX, () => `a path of ${path.length} buckets`)
  return path.length
}

function samePath(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) {
    if (!equalBytes(a[i] as Uint8Array, b[i] as Uint8Array)) return false
  }
  return true
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/**
 * Encodes what a group did; its txid stands in the frame. The result is a piece of a larger buffer
 * and valid until the next call.
 */
export function encodeEntries(entries: readonly LogEntry[]): Uint8Array {
  const items = new Items()
  const { list } = items
  list.push(entries.length)
  for (const { revision, timeMs, ops } of entries) {
    assert(isCount(revision) && isCount(timeMs), () => `revision ${revision} at ${timeMs} ms`)
    list.push(revision, timeMs, ops.length)
    for (const op of ops) items.add(op)
  }
  return packr.pack(list)
}

/**
 * The reverse of `encodeEntries`. Keys, names and values are views of `payload`. Operations of one
 * run share their path: the same array.
 *
 * @throws {PayloadError} when it is no group's payload
 */
export function decodeEntries(payload: Uint8Array): LogEntry[] {
  checkShape(payload)
  const items: unknown = unpackr.unpack(payload)
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
function checkShape(payload: Uint8Array): void {
  let [at, left] = arrayHeader(payload)
  if (left > payload.length - at) throw new PayloadError(`${left} items in too few bytes`)
  for (; left > 0; left--) at = tokenEnd(payload, at)
  if (at !== payload.length) throw new PayloadError('bytes are left over')
}

function arrayHeader(payload: Uint8Array): [at: number, count: number] {
  const token = payload[0] ?? 0
  if (token >= 0x90 && token < 0xa0) return [1, token - 0x90]
  if (token === 0xdc && payload.length >= 3) return [3, bigEndian(payload, 1, 2)]
  if (token === 0xdd && payload.length >= 5) return [5, bigEndian(payload, 1, 4)]
  throw new PayloadError('the payload begins with no array')
}

/** Where the token at `at` ends, which is inside the payload. */
function tokenEnd(payload: Uint8Array, at: number): number {
  // Beyond the end stands no token.
  const token = payload[at] ?? 0xc1
  let end = Infinity
  if (token < 0x80) end = at + 1
  else if (token === 0xc4) end = at + 2 + bigEndian(payload, at + 1, 1)
  else if (token === 0xcb) end = at + 9
  else if (token === 0xce) end = at + 5
  else if (token === 0xcd) end = at + 3
  else if (token === 0xcc) end = at + 2
  else if (token === 0xc5) end = at + 3 + bigEndian(payload, at + 1, 2)
  else if (token === 0xc6) end = at + 5 + bigEndian(payload, at + 1, 4)
  if (end > payload.length) throw new PayloadError(`no token of a group at byte ${at}`)
  return end
}

/** Bytes beyond the end count as 0: the sum that follows shows that they are missing. */
function bigEndian(payload: Uint8Array, at: number, size: number): number {
  let value = 0
  for (let i = 0; i < size; i++) value = value * 256 + (payload[at + i] ?? 0)
  return value
}
