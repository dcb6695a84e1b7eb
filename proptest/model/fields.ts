/**
 * Reading arguments for the model: the rules of docs/decisions/0003-store-arguments.md, on their
 * own.
 *
 * Every complaint begins with the argument's name; inside a transaction that is its path.
 */
import type { BytesInput } from '../../store/types/encoding.ts'
import type { ByteString } from './row.ts'
import { toByteString } from './row.ts'

/** A lone surrogate is the only thing that matches: with `u`, pairs are one character. */
const LONE_SURROGATE = /\p{Surrogate}/u

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

export function wrongType(name: string, expected: string): TypeError {
  return new TypeError(`${name}: expected ${expected}`)
}

export function isBytesInput(input: unknown): input is BytesInput {
  return typeof input === 'string' || input instanceof Uint8Array
}

/** Text or bytes, copied. */
export function readText(name: string, input: unknown): ByteString {
  if (input instanceof Uint8Array) return toByteString(input)
  if (typeof input !== 'string') throw wrongType(name, 'text or bytes')
  if (LONE_SURROGATE.test(input)) throw wrongType(name, 'text without lone surrogates')
  return toByteString(Buffer.from(input, 'utf8'))
}

export function readLease(name: string, input: unknown): bigint {
  const id = typeof input === 'object' && input !== null && 'id' in input ? input.id : input
  if (typeof id !== 'bigint') throw wrongType(name, 'a bigint, or an object with a bigint id')
  if (id < INT64_MIN || id > INT64_MAX) throw new RangeError(`${name}: not a signed 64-bit number`)
  return id
}

export function readArray(name: string, input: unknown): readonly unknown[] {
  if (input === undefined) return []
  if (!Array.isArray(input)) throw wrongType(name, 'an array')
  return input
}

/** An options object, of which every field must be known. */
export class Fields {
  readonly #values: ReadonlyMap<string, unknown>
  readonly #path: string

  /** `name` is what the object itself is called, `path` what comes before its fields' names. */
  constructor(name: string, path: string, input: unknown) {
    if (typeof input !== 'object' || input === null) throw wrongType(name, 'an object')
    if (Array.isArray(input) || input instanceof Uint8Array) throw wrongType(name, 'an object')
    this.#path = path
    this.#values = new Map(Object.entries(input).filter(([, value]) => value !== undefined))
  }

  /** The options of a call. */
  static of(input: unknown): Fields {
    return new Fields('options', '', input ?? (input === null ? null : {}))
  }

  nameOf(field: string): string {
    return `${this.#path}${field}`
  }

  allow(...known: readonly string[]): void {
    for (const field of this.#values.keys()) {
      if (!known.includes(field)) throw new TypeError(`${this.nameOf(field)}: no such option`)
    }
  }

  has(field: string): boolean {
    return this.#values.has(field)
  }

  get(field: string): unknown {
    return this.#values.get(field)
  }

  text(field: string): ByteString {
    return readText(this.nameOf(field), this.get(field))
  }

  flag(field: string): boolean {
    const value = this.get(field) ?? false
    if (typeof value !== 'boolean' || this.get(field) === null) {
      throw wrongType(this.nameOf(field), 'true or false')
    }
    return value
  }

  word<W extends string>(field: string, words: readonly W[], otherwise: W): W {
    const value = this.has(field) ? this.get(field) : otherwise
    if (typeof value !== 'string') throw wrongType(this.nameOf(field), 'a word')
    const found = words.find((word) => word === value)
    if (found === undefined) {
      throw new RangeError(`${this.nameOf(field)}: expected one of ${words.join(', ')}`)
    }
    return found
  }

  /** An integer of at least `least`; Infinity only where asked for. Undefined where absent. */
  integer(field: string, least: number, options: { infinity?: boolean } = {}): number | undefined {
    const value = this.get(field)
    if (value === undefined) return undefined
    if (typeof value !== 'number') throw wrongType(this.nameOf(field), 'a number')
    if (options.infinity === true && value === Infinity) return value
    if (!Number.isSafeInteger(value) || value < least) {
      throw new RangeError(`${this.nameOf(field)}: expected an integer from ${least}, got ${value}`)
    }
    return value
  }

  signal(): AbortSignal | undefined {
    const value = this.get('signal')
    if (value === undefined || value instanceof AbortSignal) return value
    throw wrongType(this.nameOf('signal'), 'an AbortSignal')
  }
}
