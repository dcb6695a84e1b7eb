/**
 * A message: a table of its fields, from which its binary and its JSON form derive.
 *
 * A table is checked against the message's type, in both directions: every property has a field of
 * its kind, and there is no field without a property.
 */

import type { Codec } from './codec.ts'
import { decodeMessage } from './decode.ts'
import { encodeMessage } from './encode.ts'
import type { FieldTable } from './field.ts'
import { type JsonObject, messageFromJson, messageToJson } from './json.ts'
import { type HandCodec, Shape } from './shape.ts'

/** A message without fields. */
export type Empty = Readonly<Record<never, never>>

/** A `T` to be sent: what is left out has its default. Inside it, too. */
export type Init<T> = { readonly [Name in keyof T]?: InitValue<T[Name]> | undefined }

type InitValue<V> = V extends Uint8Array | string | number | bigint | boolean | undefined
  ? V
  : V extends readonly (infer Element)[]
    ? readonly InitValue<Element>[]
    : Init<V>

/** A `Codec<T>`, and a `Codec<Init<T>>` for whoever sends. */
export class Message<T> implements Codec<T> {
  readonly name: string
  readonly shape: Shape

  constructor(name: string, shape: Shape) {
    this.name = name
    this.shape = shape
  }

  /**
   * `message` in bytes of its own. Throws a TypeError or RangeError that names the field for a
   * value that is none of its kind.
   */
  encode(message: T | Init<T>): Uint8Array {
    return encodeMessage(this.shape, message as object)
  }

  /**
   * The message that `bytes` hold, with every field there but absent messages and members of a
   * oneof, which are undefined. Byte fields are views of `bytes`. @throws {DecodeError}
   */
  decode(bytes: Uint8Array): T {
    return decodeMessage(this.shape, bytes) as T
  }

  /** As etcd's JSON gateway writes it. The order of fields is that of their numbers. */
  toJson(message: T | Init<T>): JsonObject {
    return messageToJson(this.shape, message as object)
  }

  /** Reads what a caller of the gateway sent, already parsed. @throws {JsonError} */
  fromJson(json: unknown): T {
    return messageFromJson(this.shape, json) as T
  }
}

/** Makes a message of its table. */
export function defineMessage<T>(name: string, table: FieldTable<T>, hand?: HandCodec): Message<T> {
  return new Message<T>(name, new Shape(name, table, hand))
}
