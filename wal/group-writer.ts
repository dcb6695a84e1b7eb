/**
 * Writes a group's payload, the msgpack array of group.ts, straight to where it goes: into the room
 * of a batch. It is measured first, so that there is room.
 *
 * By hand, though msgpackr reads it: a serializer wants the array in memory first, walks it asking
 * what each item is, and leaves the bytes in a buffer of its own. That takes three times as long
 * (docs/decisions/0007). The bytes are the same, which a property holds (group-writer.test.ts).
 */

import { assert, unreachable } from '../base/assert.ts'
import { EMPTY_BYTES, TWO_32, equalBytes } from '../base/bytes.ts'
import type { LogEntry, LogOp } from '../base/log-group.ts'
import { viewOf } from './format.ts'
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

const MASK_32 = 0xffffffffn
const EMPTY_VIEW = viewOf(EMPTY_BYTES)
/** `set` takes longer than a loop for what is shorter, its call being what costs. */
const LOOPED_SIZE_MAX = 24

export interface PayloadSize {
  readonly itemCount: number
  readonly byteCount: number
}

type Path = readonly Uint8Array[]

/** How long the payload gets. Checks what must hold of entries. */
export function measureEntries(entries: readonly LogEntry[]): PayloadSize {
  let itemCount = 1
  let byteCount = countSize(entries.length)
  let path: Path | undefined
  for (const { revision, timeMs, ops } of entries) {
    assert(isCount(revision) && isCount(timeMs), () => `revision ${revision} at ${timeMs} ms`)
    itemCount += 3
    byteCount += countSize(revision) + countSize(timeMs) + countSize(ops.length)
    for (const op of ops) {
      if (path === undefined || !samePath(path, op.path)) {
        path = op.path
        itemCount += 2 + path.length
        byteCount += 1 + pathSize(path)
      }
      itemCount += itemCountOf(op)
      byteCount += opSize(op)
    }
  }
  return { itemCount, byteCount: byteCount + arrayHeaderSize(itemCount) }
}

/** Writes the payload at `at`. `size`: what `measureEntries` said; `view` shows `bytes`. */
export function writeEntries(
  entries: readonly LogEntry[],
  size: PayloadSize,
  room: { readonly bytes: Uint8Array; readonly view: DataView },
  at: number,
): void {
  writer.begin(room.bytes, room.view, at)
  writer.arrayHeader(size.itemCount)
  writer.count(entries.length)
  let path: Path | undefined
  for (const { revision, timeMs, ops } of entries) {
    writer.count(revision)
    writer.count(timeMs)
    writer.count(ops.length)
    for (const op of ops) {
      if (path === undefined || !samePath(path, op.path)) {
        path = op.path
        writer.kind(PATH)
        writer.path(path)
      }
      writer.op(op)
    }
  }
  assert(writer.at === at + size.byteCount, 'a payload is as long as it was measured')
  writer.end()
}

/** The payload in memory of its own. */
export function encodeEntries(entries: readonly LogEntry[]): Uint8Array {
  const size = measureEntries(entries)
  const bytes = new Uint8Array(size.byteCount)
  writeEntries(entries, size, { bytes, view: viewOf(bytes) }, 0)
  return bytes
}

function itemCountOf(op: LogOp): number {
  switch (op.op) {
    case 'put':
    case 'setSequence':
      return 3
    case 'moveBucket':
      return 3 + op.target.length
    default:
      return 2
  }
}

function opSize(op: LogOp): number {
  switch (op.op) {
    case 'put':
      return 1 + bytesSize(op.key.length) + bytesSize(op.value.length)
    case 'delete':
      return 1 + bytesSize(op.key.length)
    case 'createBucket':
    case 'deleteBucket':
      return 1 + bytesSize(op.name.length)
    case 'moveBucket':
      return 1 + pathSize(op.target) + bytesSize(op.name.length)
    case 'setSequence':
      assert(op.sequence >= 0n && op.sequence >> 64n === 0n, 'a sequence is a u64')
      return 1 + countSize(highWord(op.sequence)) + countSize(lowWord(op.sequence))
    default:
      return unreachable(op)
  }
}

function pathSize(path: Path): number {
  assert(path.length <= DEPTH_MAX, () => `a path of ${path.length} buckets`)
  let size = countSize(path.length)
  for (const name of path) size += bytesSize(name.length)
  return size
}

function arrayHeaderSize(itemCount: number): number {
  if (itemCount < 16) return 1
  return itemCount < 0x10000 ? 3 : 5
}

function countSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x100) return 2
  if (value < 0x10000) return 3
  return value < TWO_32 ? 5 : 9
}

function bytesSize(size: number): number {
  if (size < 0x100) return 2 + size
  return size < 0x10000 ? 3 + size : 5 + size
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function highWord(sequence: bigint): number {
  return Number(sequence >> 32n)
}

function lowWord(sequence: bigint): number {
  return Number(sequence & MASK_32)
}

function samePath(a: Path, b: Path): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) {
    if (!equalBytes(a[i] as Uint8Array, b[i] as Uint8Array)) return false
  }
  return true
}

class Writer {
  at = 0
  #bytes = EMPTY_BYTES
  #view = EMPTY_VIEW

  begin(bytes: Uint8Array, view: DataView, at: number): void {
    this.#bytes = bytes
    this.#view = view
    this.at = at
  }

  /** Lets go of what it was given. */
  end(): void {
    this.#bytes = EMPTY_BYTES
    this.#view = EMPTY_VIEW
  }

  op(op: LogOp): void {
    switch (op.op) {
      case 'put':
        this.kind(PUT)
        this.#string(op.key)
        this.#string(op.value)
        return
      case 'delete':
        this.kind(DELETE)
        this.#string(op.key)
        return
      case 'createBucket':
      case 'deleteBucket':
        this.kind(op.op === 'createBucket' ? CREATE_BUCKET : DELETE_BUCKET)
        this.#string(op.name)
        return
      case 'moveBucket':
        this.kind(MOVE_BUCKET)
        this.path(op.target)
        this.#string(op.name)
        return
      case 'setSequence':
        this.kind(SET_SEQUENCE)
        this.count(highWord(op.sequence))
        this.count(lowWord(op.sequence))
        return
      default:
        unreachable(op)
    }
  }

  path(path: Path): void {
    this.count(path.length)
    for (const name of path) this.#string(name)
  }

  kind(kind: number): void {
    this.#bytes[this.at++] = kind
  }

  arrayHeader(itemCount: number): void {
    const view = this.#view
    if (itemCount < 16) this.#bytes[this.at++] = 0x90 | itemCount
    else if (itemCount < 0x10000) {
      view.setUint8(this.at, 0xdc)
      view.setUint16(this.at + 1, itemCount)
      this.at += 3
    } else {
      view.setUint8(this.at, 0xdd)
      view.setUint32(this.at + 1, itemCount)
      this.at += 5
    }
  }

  count(value: number): void {
    const view = this.#view
    const at = this.at
    if (value < 0x80) {
      this.#bytes[at] = value
      this.at = at + 1
    } else if (value < 0x100) {
      view.setUint8(at, 0xcc)
      view.setUint8(at + 1, value)
      this.at = at + 2
    } else if (value < 0x10000) {
      view.setUint8(at, 0xcd)
      view.setUint16(at + 1, value)
      this.at = at + 3
    } else if (value < TWO_32) {
      view.setUint8(at, 0xce)
      view.setUint32(at + 1, value)
      this.at = at + 5
    } else {
      view.setUint8(at, 0xcb)
      view.setFloat64(at + 1, value)
      this.at = at + 9
    }
  }

  /** A byte string. */
  #string(source: Uint8Array): void {
    const size = source.length
    const bytes = this.#bytes
    let at = this.at
    if (size < 0x100) {
      bytes[at] = 0xc4
      bytes[at + 1] = size
      at += 2
    } else if (size < 0x10000) {
      bytes[at] = 0xc5
      this.#view.setUint16(at + 1, size)
      at += 3
    } else {
      bytes[at] = 0xc6
      this.#view.setUint32(at + 1, size)
      at += 5
    }
    if (size > LOOPED_SIZE_MAX) bytes.set(source, at)
    else for (let i = 0; i < size; i++) bytes[at + i] = source[i] as number
    this.at = at + size
  }
}

/** One for all: a payload is written in one go. */
const writer = new Writer()
