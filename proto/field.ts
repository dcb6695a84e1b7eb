/**
 * The fields of a message: what a schema's table is made of.
 *
 * A field is a number and a kind. Its name in TypeScript is its key in the table; its name in
 * protobuf is that key in snake_case unless the table says otherwise.
 *
 * Kinds, and what they are in TypeScript
 *   bytes            Uint8Array
 *   string           string, strict UTF-8
 *   bool             boolean
 *   int64, uint64    number, an integer below 2^53: revisions, counts, sizes, seconds
 *   id, uid          bigint, int64 and uint64 of any value: leases, members
 *   uint32           number
 *   enum             number; the enum's table has the names. Unknown numbers pass
 *   message          an object, or undefined where it is absent
 */

import { EMPTY_BYTES } from '../base/bytes.ts'
import type { Message } from './message.ts'

export type Kind =
  | 'bytes'
  | 'string'
  | 'bool'
  | 'int64'
  | 'uint64'
  | 'id'
  | 'uid'
  | 'uint32'
  | 'enum'
  | 'message'

/** An enum's names and their numbers. */
export type EnumTable = Readonly<Record<string, number>>

type MessageOf<T> = Message<T> | (() => Message<T>)

/** What a field is, whatever it is called. */
export interface FieldSpec {
  readonly number: number
  readonly kind: Kind
  /** Its name in protobuf, where it isn't the key in snake_case. */
  readonly protoName?: string | undefined
  readonly isRepeated?: boolean
  /** The name of the oneof that it is a member of. */
  readonly oneof?: string
  /** Of an enum. */
  readonly values?: EnumTable
  /** Of a message. */
  readonly message?: MessageOf<unknown>
}

/** A field whose value in TypeScript is a `V`: no more and no less. */
export interface Field<V> extends FieldSpec {
  /** Never there; it ties the field to `V`. */
  readonly value?: (value: V) => V
}

/** A field for every property of `T`. */
export type FieldTable<T> = { readonly [Name in keyof T]-?: Field<T[Name]> }

export function bytes(number: number): Field<Uint8Array> {
  return { number, kind: 'bytes' }
}

export function string(number: number, protoName?: string): Field<string> {
  return { number, kind: 'string', protoName }
}

export function bool(number: number, protoName?: string): Field<boolean> {
  return { number, kind: 'bool', protoName }
}

export function int64(number: number, protoName?: string): Field<number> {
  return { number, kind: 'int64', protoName }
}

export function uint64(number: number, protoName?: string): Field<number> {
  return { number, kind: 'uint64', protoName }
}

/** An int64 that is no quantity. */
export function id(number: number, protoName?: string): Field<bigint> {
  return { number, kind: 'id', protoName }
}

/** A uint64 that is no quantity. */
export function uid(number: number, protoName?: string): Field<bigint> {
  return { number, kind: 'uid', protoName }
}

export function uint32(number: number): Field<number> {
  return { number, kind: 'uint32' }
}

export function enumeration(number: number, values: EnumTable, protoName?: string): Field<number> {
  return { number, kind: 'enum', values, protoName }
}

/** A message; one that is declared further down is named by a function. */
export function message<T>(
  number: number,
  type: MessageOf<T>,
  protoName?: string,
): Field<T | undefined> {
  return { number, kind: 'message', message: type, protoName }
}

/** A list of what `field` is one of. */
export function repeated<V>(field: Field<V>): Field<readonly Exclude<V, undefined>[]> {
  const { number, kind, protoName, values, message: type } = field
  return {
    number,
    kind,
    protoName,
    isRepeated: true,
    ...(values === undefined ? {} : { values }),
    ...(type === undefined ? {} : { message: type }),
  }
}

/** `field` as a member of the oneof `name`: at most one of them is there. */
export function oneof<V>(name: string, field: Field<V>): Field<V | undefined> {
  return { ...(field as FieldSpec), oneof: name }
}

const EMPTY_LIST: readonly never[] = Object.freeze([])

/** The value of a field that is not in the bytes. */
export function defaultOf(spec: FieldSpec): unknown {
  if (spec.isRepeated === true) return EMPTY_LIST
  if (spec.oneof !== undefined) return undefined
  switch (spec.kind) {
    case 'bytes':
      return EMPTY_BYTES
    case 'string':
      return ''
    case 'bool':
      return false
    case 'id':
    case 'uid':
      return 0n
    case 'message':
      return undefined
    default:
      return 0
  }
}
