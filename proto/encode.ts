/**
 * Messages to bytes: one pass over a message for its size, one that writes.
 *
 * The sizes of the messages inside it are noted by the first pass in the order in which the second
 * comes by, so that none is measured twice however deep it lies.
 */

import { describeType } from '../base/text.ts'
import type { FieldInfo, Raw, Shape } from './shape.ts'
import {
  sizeOfInt64,
  sizeOfLent,
  sizeOfVarint,
  writeInt64,
  writeLent,
  writeVarint,
} from './wire.ts'

const INT32_MIN = -(2 ** 31)
const INT32_END = 2 ** 31
const UINT32_END = 2 ** 32

const encoder = new TextEncoder()

class Sizes {
  readonly list: number[] = []
  next = 0
}

/**
 * `message` in bytes of its own. Fields that are undefined are left out. Throws a TypeError or a
 * RangeError that names the field for a value that is none of its kind.
 */
export function encodeMessage(shape: Shape, message: object): Uint8Array {
  const sizes = new Sizes()
  const size = sizeOfMessage(shape, message, sizes)
  const bytes = new Uint8Array(size)
  if (writeMessage(shape, { bytes, sizes }, 0, message) !== size) {
    throw new TypeError(`${shape.name}: changed while it was being encoded`)
  }
  return bytes
}

/** Whether the field's value goes into the bytes. */
function isLeftOut(field: FieldInfo, value: unknown): boolean {
  if (value === undefined) return true
  if (field.hasPresence) return false
  if (value === field.defaultValue) return true
  return (field.kind === 'bytes' || field.isRepeated) && (value as Uint8Array).length === 0
}

function sizeOfMessage(shape: Shape, message: object, sizes: Sizes): number {
  if (shape.hand?.isWhole(message) === true) return shape.hand.size(message)
  let size = 0
  for (const field of shape.fields) {
    const value = (message as Raw)[field.name]
    if (isLeftOut(field, value)) continue
    if (field.isRepeated) {
      size += sizeOfList(shape, field, value, sizes)
      continue
    }
    for (const rival of field.rivals) {
      if ((message as Raw)[rival] !== undefined) {
        throw new TypeError(`${nameOf(shape, field)}: ${rival} is there, too`)
      }
    }
    size += field.tagSize + sizeOfValue(shape, field, value, sizes)
  }
  return size
}

function sizeOfList(shape: Shape, field: FieldInfo, value: unknown, sizes: Sizes): number {
  if (!Array.isArray(value)) throw wrong(shape, field, value, 'an array')
  let size = 0
  if (!field.isPacked) {
    for (const element of value as unknown[]) {
      size += field.tagSize + sizeOfValue(shape, field, element, sizes)
    }
    return size
  }
  const slot = sizes.list.push(0) - 1
  for (const element of value as unknown[]) size += sizeOfValue(shape, field, element, sizes)
  sizes.list[slot] = size
  return field.tagSize + sizeOfVarint(size) + size
}

/** Bytes of a value after its tag, with its length. Whatever can't be written is refused here. */
function sizeOfValue(shape: Shape, field: FieldInfo, value: unknown, sizes: Sizes): number {
  switch (field.kind) {
    case 'bytes':
      if (!(value instanceof Uint8Array)) throw wrong(shape, field, value, 'a Uint8Array')
      return sizeOfLent(value)
    case 'message': {
      if (typeof value !== 'object' || value === null) throw wrong(shape, field, value, 'an object')
      const slot = sizes.list.push(0) - 1
      const size = sizeOfMessage(field.shape, value, sizes)
      sizes.list[slot] = size
      return sizeOfVarint(size) + size
    }
    case 'bool':
      if (typeof value !== 'boolean') throw wrong(shape, field, value, 'a boolean')
      return 1
    case 'string': {
      if (typeof value !== 'string') throw wrong(shape, field, value, 'a string')
      if (!value.isWellFormed()) throw wrong(shape, field, value, 'a string of whole characters')
      const size = Buffer.byteLength(value)
      return sizeOfVarint(size) + size
    }
    case 'id':
    case 'uid': {
      if (typeof value !== 'bigint') throw wrong(shape, field, value, 'a bigint')
      const fitting = field.kind === 'id' ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)
      if (fitting !== value) throw outside(shape, field, value)
      return sizeOfInt64(value)
    }
    default:
      if (typeof value !== 'number') throw wrong(shape, field, value, 'a number')
      if (!isInRange(field, value)) throw outside(shape, field, value)
      return sizeOfVarint(value)
  }
}

function isInRange(field: FieldInfo, value: number): boolean {
  if (!Number.isSafeInteger(value)) return false
  switch (field.kind) {
    case 'uint32':
      return value >= 0 && value < UINT32_END
    case 'uint64':
      return value >= 0
    case 'enum':
      return value >= INT32_MIN && value < INT32_END
    default:
      return true
  }
}

function nameOf(shape: Shape, field: FieldInfo): string {
  return `${shape.name}.${field.protoName}`
}

function wrong(shape: Shape, field: FieldInfo, value: unknown, wanted: string): TypeError {
  return new TypeError(`${nameOf(shape, field)}: expected ${wanted}, got ${describeType(value)}`)
}

function outside(shape: Shape, field: FieldInfo, value: unknown): RangeError {
  return new RangeError(`${nameOf(shape, field)}: ${String(value)} is out of range`)
}

interface Target {
  readonly bytes: Uint8Array
  readonly sizes: Sizes
}

function nextSize(sizes: Sizes): number {
  return sizes.list[sizes.next++] ?? 0
}

function writeMessage(shape: Shape, target: Target, offset: number, message: object): number {
  const hand = shape.hand
  if (hand?.isWhole(message) === true) return hand.write(target.bytes, offset, message)
  let at = offset
  for (const field of shape.fields) {
    const value = (message as Raw)[field.name]
    if (isLeftOut(field, value)) continue
    if (field.isPacked) {
      at = writeVarint(target.bytes, at, field.tag)
      at = writeVarint(target.bytes, at, nextSize(target.sizes))
      for (const element of value as unknown[]) at = writeValue(field, target, at, element)
    } else if (field.isRepeated) {
      for (const element of value as unknown[]) {
        at = writeVarint(target.bytes, at, field.tag)
        at = writeValue(field, target, at, element)
      }
    } else {
      at = writeVarint(target.bytes, at, field.tag)
      at = writeValue(field, target, at, value)
    }
  }
  return at
}

function writeValue(field: FieldInfo, target: Target, offset: number, value: unknown): number {
  const { bytes } = target
  switch (field.kind) {
    case 'bytes':
      return writeLent(bytes, offset, value as Uint8Array)
    case 'message': {
      const at = writeVarint(bytes, offset, nextSize(target.sizes))
      return writeMessage(field.shape, target, at, value as object)
    }
    case 'bool':
      bytes[offset] = value === true ? 1 : 0
      return offset + 1
    case 'string':
      return writeText(bytes, offset, value as string)
    case 'id':
    case 'uid':
      return writeInt64(bytes, offset, value as bigint)
    default:
      return writeVarint(bytes, offset, value as number)
  }
}

function writeText(bytes: Uint8Array, offset: number, text: string): number {
  const size = Buffer.byteLength(text)
  const at = writeVarint(bytes, offset, size)
  encoder.encodeInto(text, bytes.subarray(at, at + size))
  return at + size
}
