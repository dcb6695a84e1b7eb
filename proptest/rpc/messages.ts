/** Messages of every type, drawn from their schemas. */

import fc from 'fast-check'
import type { Message } from '../../proto/message.ts'
import * as auth from '../../proto/rpc/authpb.ts'
import * as lease from '../../proto/rpc/lease.ts'
import { METHODS } from '../../proto/services.ts'
import type { FieldInfo, Raw, Shape } from '../../proto/shape.ts'

const DEPTH_MAX = 4

function shapesIn(shape: Shape, found: Map<string, Shape>): void {
  if (found.has(shape.name)) return
  found.set(shape.name, shape)
  for (const field of shape.fields) if (field.kind === 'message') shapesIn(field.shape, found)
}

/** Every message that there is, by its full name. */
export const SHAPES: ReadonlyMap<string, Shape> = (() => {
  const found = new Map<string, Shape>()
  const roots: readonly Message<unknown>[] = [
    ...METHODS.flatMap((method) => [method.request, method.response]),
    auth.User,
    auth.Role,
    lease.LeaseCheckpointRequest,
    lease.LeaseCheckpointResponse,
  ]
  for (const { shape } of roots) shapesIn(shape, found)
  return found
})()

/** Of numbers, those at which a varint grows come often. */
const edges = fc.constantFrom(1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, 2 ** 35, 2 ** 53 - 1)
const int64 = fc.oneof(
  edges,
  fc.maxSafeInteger(),
  edges.map((n) => -n),
)
const uint64 = fc.oneof(edges, fc.maxSafeNat())

function valueOf(field: FieldInfo, depth: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'bytes':
      return fc.uint8Array({ maxLength: 200 })
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 60 })
    case 'bool':
      return fc.boolean()
    case 'int64':
      return int64
    case 'uint64':
      return uint64
    case 'id':
      return fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
    case 'uid':
      return fc.bigInt(0n, 2n ** 64n - 1n)
    case 'uint32':
      return fc.nat(2 ** 31 - 1).chain((n) => fc.constantFrom(n, 2 ** 32 - 1 - n))
    case 'enum':
      return fc.oneof(fc.constantFrom(...Object.values(field.values ?? {})), fc.integer())
    default:
      return messageOf(field.shape, depth + 1)
  }
}

function present(field: FieldInfo, depth: number): fc.Arbitrary<unknown> {
  const value = valueOf(field, depth)
  return field.isRepeated ? fc.array(value, { minLength: 1, maxLength: 4 }) : value
}

function member(fields: readonly FieldInfo[], depth: number): fc.Arbitrary<Raw> {
  const options = fields
    .filter((field) => field.kind !== 'message' || depth < DEPTH_MAX)
    .map((field) => present(field, depth).map((value): Raw => ({ [field.name]: value })))
  return fc.oneof(fc.constant<Raw>({}), ...options)
}

/** A message of `shape`, complete as decoding makes it. */
export function messageOf(shape: Shape, depth = 0): fc.Arbitrary<Raw> {
  const groups = new Map<string, FieldInfo[]>()
  for (const field of shape.fields) {
    const group = field.oneof ?? `.${field.name}`
    groups.set(group, [...(groups.get(group) ?? []), field])
  }
  const parts = [...groups.values()].map((fields) => member(fields, depth))
  return fc
    .tuple(...parts)
    .map((drawn) => Object.assign({}, ...drawn) as Raw)
    .map((drawn) => {
      const whole: Raw = {}
      for (const field of shape.fields) whole[field.name] = drawn[field.name] ?? field.defaultValue
      return whole
    })
}

/** A message with its type. */
export const anyMessage: fc.Arbitrary<{ readonly shape: Shape; readonly message: Raw }> = fc
  .constantFrom(...SHAPES.values())
  .chain((shape) => messageOf(shape).map((message) => ({ shape, message })))
