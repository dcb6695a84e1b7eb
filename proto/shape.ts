/**
 * A message's table made ready for the codec: fields in the order of their numbers, found by tag.
 */

import { WIRE_LENGTH, WIRE_VARINT, sizeOfVarint } from './wire.ts'
import type { WireReader } from './wire.ts'
import { type EnumTable, type FieldSpec, type Kind, defaultOf } from './field.ts'

/** A message as the codec sees it: field values by name. */
export type Raw = Record<string, unknown>

/** A codec written by hand for a message that must be fast. */
export interface HandCodec {
  create(): object
  /** Reads on into what `create` made. @throws {DecodeError} */
  readInto(reader: WireReader, message: object): void
  /** Whether `size` and `write` can take it: all fields are there. */
  isWhole(message: object): boolean
  size(message: object): number
  write(target: Uint8Array, offset: number, message: object): number
}

/** One field, with all that is asked of it while messages go by. */
export class FieldInfo {
  /** In TypeScript. */
  readonly name: string
  readonly protoName: string
  /** protobuf's JSON name, which is accepted beside `protoName`. */
  readonly jsonName: string
  readonly number: number
  readonly kind: Kind
  readonly isRepeated: boolean
  /** Whether a list of it is one length-delimited field. */
  readonly isPacked: boolean
  /** Whether it tells absent from zero. */
  readonly hasPresence: boolean
  readonly oneof: string | undefined
  readonly tag: number
  readonly tagSize: number
  readonly defaultValue: unknown
  readonly values: EnumTable | undefined
  readonly namesOfValues: ReadonlyMap<number, string>
  /** Names of the other members of its oneof. */
  readonly rivals: readonly string[]
  readonly #message: FieldSpec['message']
  #shape: Shape | undefined

  constructor(name: string, spec: FieldSpec, rivals: readonly string[]) {
    const isScalar = spec.kind !== 'bytes' && spec.kind !== 'string' && spec.kind !== 'message'
    this.name = name
    this.protoName = spec.protoName ?? name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
    this.jsonName = this.protoName.replace(/_(.)/g, (_, c: string) => c.toUpperCase())
    this.number = spec.number
    this.kind = spec.kind
    this.isRepeated = spec.isRepeated === true
    this.isPacked = this.isRepeated && isScalar
    this.oneof = spec.oneof
    this.hasPresence = !this.isRepeated && (spec.oneof !== undefined || spec.kind === 'message')
    const wireType = isScalar && !this.isPacked ? WIRE_VARINT : WIRE_LENGTH
    this.tag = (spec.number << 3) | wireType
    this.tagSize = sizeOfVarint(this.tag)
    this.defaultValue = defaultOf(spec)
    this.values = spec.values
    this.namesOfValues = new Map(
      Object.entries(spec.values ?? {}).map(([key, value]) => [value, key]),
    )
    this.rivals = rivals
    this.#message = spec.message
  }

  /** The shape of a message field. */
  get shape(): Shape {
    this.#shape ??= this.#resolve()
    return this.#shape
  }

  #resolve(): Shape {
    const message = this.#message
    if (message === undefined) throw new TypeError(`${this.name}: no message`)
    return typeof message === 'function' ? message().shape : message.shape
  }
}

export class Shape {
  readonly name: string
  /** In the order of their numbers. */
  readonly fields: readonly FieldInfo[]
  readonly byTag: readonly (FieldInfo | undefined)[]
  readonly hand: HandCodec | undefined
  readonly #numbers: ReadonlySet<number>
  readonly #defaults: Raw = {}

  constructor(
    name: string,
    table: Readonly<Record<string, FieldSpec>>,
    hand: HandCodec | undefined,
  ) {
    this.name = name
    this.hand = hand
    const entries = Object.entries(table)
    const rivalsOf = (key: string, oneof: string | undefined): readonly string[] =>
      oneof === undefined
        ? []
        : entries.flatMap(([other, spec]) => (spec.oneof === oneof && other !== key ? [other] : []))
    this.fields = entries
      .map(([key, spec]) => new FieldInfo(key, spec, rivalsOf(key, spec.oneof)))
      .sort((a, b) => a.number - b.number)
    this.#numbers = new Set(this.fields.map((field) => field.number))
    const tagMax = Math.max(0, ...this.fields.map((field) => (field.number << 3) | 7))
    const byTag = new Array<FieldInfo | undefined>(tagMax + 1).fill(undefined)
    for (const field of this.fields) {
      byTag[field.tag] = field
      // A list of numbers may come one by one, too.
      if (field.isPacked) byTag[(field.number << 3) | WIRE_VARINT] = field
      this.#defaults[field.name] = field.defaultValue
    }
    this.byTag = byTag
  }

  /** A message with the defaults alone. */
  create(): Raw {
    return this.hand === undefined ? { ...this.#defaults } : (this.hand.create() as Raw)
  }

  hasNumber(number: number): boolean {
    return this.#numbers.has(number)
  }
}
