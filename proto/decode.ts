/**
 * Bytes to messages.
 *
 * Fields come in any order. Of a single field that comes again the last one counts, of a message
 * both are merged, of a oneof the last member stays: protobuf's rules. Unknown fields are passed
 * over; a known one of another wire type is damage.
 */

import { decodeText } from '../base/text.ts'
import type { FieldInfo, Raw, Shape } from './shape.ts'
import { DecodeError, WIRE_LENGTH, WireReader } from './wire.ts'

/**
 * How deep messages may lie in one another. 128 transactions in one another, the most that etcd
 * lets in, take 257.
 */
export const MESSAGE_DEPTH_MAX = 300

/** A message of `shape`; its byte fields are views of `bytes`. @throws {DecodeError} */
export function decodeMessage(shape: Shape, bytes: Uint8Array): Raw {
  const message = shape.create()
  readInto(shape, message, new WireReader(bytes), 0)
  return message
}

function readInto(shape: Shape, message: Raw, reader: WireReader, depth: number): void {
  let field: FieldInfo | undefined
  try {
    if (shape.hand !== undefined) {
      shape.hand.readInto(reader, message)
      return
    }
    if (depth > MESSAGE_DEPTH_MAX) {
      throw new DecodeError('messages nested too deep', reader.position)
    }
    const byTag = shape.byTag
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      field = tag < byTag.length ? byTag[tag] : undefined
      if (field === undefined) passOver(shape, reader, tag)
      else if (field.isRepeated) readElements(field, message, reader, { tag, depth })
      else {
        for (const rival of field.rivals) message[rival] = undefined
        message[field.name] =
          field.kind === 'message'
            ? readMessage(field.shape, reader, depth, message[field.name])
            : readScalar(field, reader)
      }
    }
  } catch (error) {
    if (!(error instanceof DecodeError) || error.field !== undefined) throw error
    const where = field === undefined ? shape.name : `${shape.name}.${field.protoName}`
    throw new DecodeError(error.reason, error.offset, where)
  }
}

function passOver(shape: Shape, reader: WireReader, tag: number): void {
  if (shape.hasNumber(tag >>> 3)) {
    throw new DecodeError(`field ${tag >>> 3} has wire type ${tag & 7}`, reader.position)
  }
  reader.skip(tag)
}

interface Place {
  readonly tag: number
  readonly depth: number
}

function readElements(field: FieldInfo, message: Raw, reader: WireReader, place: Place): void {
  let list = message[field.name] as unknown[]
  if (list === field.defaultValue) {
    list = []
    message[field.name] = list
  }
  if (field.kind === 'message') {
    list.push(readMessage(field.shape, reader, place.depth, undefined))
  } else if (field.isPacked && (place.tag & 7) === WIRE_LENGTH) {
    const outerEnd = reader.end
    reader.end = reader.length() + reader.position
    while (reader.position < reader.end) list.push(readScalar(field, reader))
    reader.end = outerEnd
  } else list.push(readScalar(field, reader))
}

function readMessage(shape: Shape, reader: WireReader, depth: number, known: unknown): unknown {
  const message = known === undefined ? shape.create() : (known as Raw)
  const outerEnd = reader.end
  reader.end = reader.length() + reader.position
  readInto(shape, message, reader, depth + 1)
  reader.end = outerEnd
  return message
}

function readScalar(field: FieldInfo, reader: WireReader): unknown {
  switch (field.kind) {
    case 'bytes':
      return reader.lent()
    case 'string': {
      const at = reader.position
      const text = decodeText(reader.lent())
      if (text === undefined) throw new DecodeError('not UTF-8', at)
      return text
    }
    case 'bool':
      return reader.bool()
    case 'int64':
      return reader.int()
    case 'uint64':
      return reader.uint()
    case 'id':
      return reader.int64()
    case 'uid':
      return reader.uint64()
    case 'uint32':
      return reader.uint32()
    default:
      return reader.uint32() | 0
  }
}
