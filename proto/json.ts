/**
 * Messages to JSON and back, as etcd's gateway has it.
 *
 * Out: names as in the .proto file, 64-bit numbers as decimal strings, bytes as base64, enums by
 * name; what is zero or empty is left out, but for a message or a member of a oneof that is there.
 *
 * In: both names of a field; numbers as numbers or decimal strings; enums by name or number; null
 * is absent; names that no field has are passed over. A 64-bit number that is no string must be
 * below 2^53: beyond it, it was rounded before it came here. A bigint may be any.
 */

import { describeType } from '../base/text.ts'
import { MESSAGE_DEPTH_MAX } from './decode.ts'
import type { FieldInfo, Raw, Shape } from './shape.ts'

export type JsonValue = string | number | boolean | JsonObject | readonly JsonValue[]
export interface JsonObject {
  readonly [name: string]: JsonValue
}

/** JSON that is not the message it should be. */
export class JsonError extends Error {
  override readonly name: string = 'JsonError'
  /** The place of it, as `success[0].request_put.key`; empty for the message itself. */
  readonly path: string

  constructor(path: string, reason: string) {
    super(path === '' ? reason : `${path}: ${reason}`)
    this.path = path
  }
}

export function messageToJson(shape: Shape, message: object): JsonObject {
  const json: Record<string, JsonValue> = {}
  for (const field of shape.fields) {
    const value = (message as Raw)[field.name]
    if (value === undefined) continue
    if (field.isRepeated) {
      const list = value as readonly unknown[]
      if (list.length > 0) json[field.protoName] = list.map((one) => valueToJson(field, one))
      continue
    }
    const isEmpty =
      value === field.defaultValue || (field.kind === 'bytes' && (value as Uint8Array).length === 0)
    if (isEmpty && !field.hasPresence) continue
    json[field.protoName] = valueToJson(field, value)
  }
  return json
}

function valueToJson(field: FieldInfo, value: unknown): JsonValue {
  switch (field.kind) {
    case 'bytes': {
      const bytes = value as Uint8Array
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
    }
    case 'message':
      return messageToJson(field.shape, value as object)
    case 'enum':
      return field.namesOfValues.get(value as number) ?? (value as number)
    case 'int64':
    case 'uint64':
    case 'id':
    case 'uid':
      // No field has -0, but a sender may.
      return String(value)
    default:
      return value as string | number | boolean
  }
}

export function messageFromJson(shape: Shape, json: unknown): Raw {
  return readObject(shape, json, '', 0)
}

function readObject(shape: Shape, json: unknown, path: string, depth: number): Raw {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw wrong(path, 'an object', json)
  }
  if (depth > MESSAGE_DEPTH_MAX) throw new JsonError(path, 'messages nested too deep')
  const message = shape.create()
  for (const field of shape.fields) {
    const value = pick(field, json as Raw, path)
    if (value === undefined || value === null) continue
    const place = path === '' ? field.protoName : `${path}.${field.protoName}`
    const rival = field.rivals.find((name) => message[name] !== undefined)
    if (rival !== undefined) throw new JsonError(place, `${rival} is there, too`)
    if (!field.isRepeated) message[field.name] = readValue(field, value, place, depth)
    else if (!Array.isArray(value)) throw wrong(place, 'an array', value)
    else {
      message[field.name] = value.map((one, i) => readValue(field, one, `${place}[${i}]`, depth))
    }
  }
  return message
}

/** What the object has for `field`, under either name. */
function pick(field: FieldInfo, json: Raw, path: string): unknown {
  const hasProto = Object.hasOwn(json, field.protoName)
  const hasJson = field.jsonName !== field.protoName && Object.hasOwn(json, field.jsonName)
  if (hasProto && hasJson) {
    const names = `both ${field.protoName} and ${field.jsonName} are there`
    throw new JsonError(path, names)
  }
  if (hasProto) return json[field.protoName]
  return hasJson ? json[field.jsonName] : undefined
}

function readValue(field: FieldInfo, value: unknown, path: string, depth: number): unknown {
  switch (field.kind) {
    case 'bytes':
      return readBase64(value, path)
    case 'string':
      if (typeof value !== 'string') throw wrong(path, 'a string', value)
      if (!value.isWellFormed()) throw new JsonError(path, 'a lone surrogate')
      return value
    case 'bool':
      if (typeof value !== 'boolean') throw wrong(path, 'true or false', value)
      return value
    case 'enum':
      return readEnum(field, value, path)
    case 'message':
      return readObject(field.shape, value, path, depth + 1)
    default:
      return readInteger(field, value, path)
  }
}

/** Of a length that 4 divides. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

function readBase64(value: unknown, path: string): Uint8Array {
  if (typeof value !== 'string') throw wrong(path, 'base64', value)
  if (value.length % 4 !== 0 || !BASE64.test(value)) throw new JsonError(path, 'not base64')
  return new Uint8Array(Buffer.from(value, 'base64'))
}

function readEnum(field: FieldInfo, value: unknown, path: string): number {
  if (typeof value === 'number') {
    if ((value | 0) !== value) throw new JsonError(path, `${value} is no 32-bit integer`)
    return value
  }
  if (typeof value !== 'string') throw wrong(path, 'a name or a number', value)
  const { values } = field
  const number = values !== undefined && Object.hasOwn(values, value) ? values[value] : undefined
  if (number === undefined) throw new JsonError(path, `unknown value ${JSON.stringify(value)}`)
  return number
}

const INTEGER = /^-?(?:0|[1-9][0-9]*)$/
/** Longer ones are out of every range, and slow to read. */
const INTEGER_LENGTH_MAX = 20

function readInteger(field: FieldInfo, value: unknown, path: string): number | bigint {
  const number = toInteger(value, path)
  const isSigned = field.kind === 'id' || field.kind === 'int64'
  const bits = field.kind === 'uint32' ? 32 : 64
  const fitting = isSigned ? BigInt.asIntN(64, number) : BigInt.asUintN(bits, number)
  if (fitting !== number) throw new JsonError(path, `${number} is out of range`)
  if (field.kind === 'id' || field.kind === 'uid') return number
  if (!Number.isSafeInteger(Number(number))) throw new JsonError(path, 'number beyond 2^53')
  return Number(number)
}

function toInteger(value: unknown, path: string): bigint {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw new JsonError(path, `${value} is no integer`)
    if (Number.isSafeInteger(value)) return BigInt(value)
    throw new JsonError(path, 'a number beyond 2^53 must be a string')
  }
  if (typeof value !== 'string') throw wrong(path, 'an integer', value)
  if (value.length > INTEGER_LENGTH_MAX || !INTEGER.test(value)) {
    throw new JsonError(path, `${JSON.stringify(value.slice(0, 40))} is no integer`)
  }
  return BigInt(value)
}

function wrong(path: string, wanted: string, value: unknown): JsonError {
  return new JsonError(path, `expected ${wanted}, got ${describeType(value)}`)
}
