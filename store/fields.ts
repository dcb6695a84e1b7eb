/**
 * Reading an options object: every field known, each of the right type, complaints named after the
 * field.
 *
 * The rules are docs/decisions/0003-store-arguments.md. Fields are copied when the object is read,
 * so that getters run once and later changes change nothing. `undefined` is the same as absent.
 */

import { describeType, toBytes } from '../base/text.ts'
import type { Progress } from './types/maintenance.ts'

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

export class Fields {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #path: string

  /**
   * `name` is what the object itself is called, `path` what stands before its fields' names, such
   * as `success[2].`. Throws a TypeError for what is no options object and for unknown fields.
   */
  constructor(input: unknown, known: ReadonlySet<string>, place: FieldPlace) {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      throw new TypeError(`${place.name}: expected an object, got ${describeType(input)}`)
    }
    if (ArrayBuffer.isView(input)) {
      throw new TypeError(`${place.name}: expected an object, got ${describeType(input)}`)
    }
    this.#path = place.path
    const values: Record<string, unknown> = { ...input }
    for (const field of Object.keys(values)) {
      if (values[field] !== undefined && !known.has(field)) {
        throw new TypeError(`${place.path}${field}: there is no such option`)
      }
    }
    this.#values = values
  }

  /** The path of a field, for messages. */
  nameOf(field: string): string {
    return `${this.#path}${field}`
  }

  get(field: string): unknown {
    return this.#values[field]
  }

  has(field: string): boolean {
    return this.#values[field] !== undefined
  }

  /** Text or bytes. The bytes are the caller's own where bytes were given. */
  bytes(field: string): Uint8Array {
    return toBytes(this.#values[field], this.nameOf(field))
  }

  flag(field: string): boolean {
    const value = this.#values[field]
    if (value === undefined) return false
    if (typeof value === 'boolean') return value
    throw this.#wrongType(field, 'a boolean')
  }

  /** An integer from `min`, below 2^53; also Infinity where the caller says so. */
  integer(field: string, min: number, allowsInfinity = false): number | undefined {
    const value = this.#values[field]
    if (value === undefined) return undefined
    if (typeof value !== 'number') throw this.#wrongType(field, 'a number')
    if (allowsInfinity && value === Infinity) return value
    if (Number.isSafeInteger(value) && value >= min) return value
    const beyond = allowsInfinity ? ', or Infinity' : ''
    throw new RangeError(`${this.nameOf(field)}: ${value} is no integer from ${min}${beyond}`)
  }

  /** One of some words; undefined where the field is absent. */
  word<W extends string>(field: string, words: readonly W[]): W | undefined {
    const value = this.#values[field]
    if (value === undefined) return undefined
    if (typeof value !== 'string') throw this.#wrongType(field, 'a string')
    const found = words.find((word) => word === value)
    if (found !== undefined) return found
    throw new RangeError(
      `${this.nameOf(field)}: expected one of ${words.map((word) => `'${word}'`).join(', ')}`,
    )
  }

  /** As `word`, of a field that must be there. */
  mustWord<W extends string>(field: string, words: readonly W[]): W {
    const found = this.word(field, words)
    if (found === undefined) throw this.#wrongType(field, 'a string')
    return found
  }

  /** A lease id, or an object that has one; 0n where the field is absent. */
  lease(field: string): bigint {
    const value = this.#values[field]
    if (value === undefined) return 0n
    const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : value
    if (typeof id !== 'bigint') {
      throw this.#wrongType(field, 'a bigint or an object with a bigint id')
    }
    if (id < INT64_MIN || id > INT64_MAX) {
      throw new RangeError(`${this.nameOf(field)}: it does not fit 64 bits`)
    }
    return id
  }

  list(field: string): readonly unknown[] {
    const value = this.#values[field]
    if (value === undefined) return []
    if (Array.isArray(value)) return value
    throw this.#wrongType(field, 'an array')
  }

  signal(): AbortSignal | undefined {
    const value = this.#values['signal']
    if (value === undefined || value instanceof AbortSignal) return value
    throw this.#wrongType('signal', 'an AbortSignal')
  }

  /** Who is told how far a job has come. */
  onProgress(): ((progress: Progress) => void) | undefined {
    const value = this.#values['onProgress']
    if (value === undefined) return undefined
    if (typeof value !== 'function') throw this.#wrongType('onProgress', 'a function')
    return (progress) => void Reflect.apply(value, undefined, [progress])
  }

  #wrongType(field: string, expected: string): TypeError {
    const got = describeType(this.#values[field])
    return new TypeError(`${this.nameOf(field)}: expected ${expected}, got ${got}`)
  }
}

export interface FieldPlace {
  readonly name: string
  readonly path: string
}

/** An argument that names a file or a directory. */
export function readPath(value: unknown, name: string): string {
  if (typeof value !== 'string') {
    throw new TypeError(`${name}: expected a string, got ${describeType(value)}`)
  }
  if (value === '') throw new RangeError(`${name}: it is empty`)
  if (value.includes('\0')) throw new RangeError(`${name}: it has a zero byte`)
  return value
}

/** An argument that is an integer from `min`, below 2^53. */
export function readInteger(value: unknown, name: string, min: number): number {
  if (typeof value !== 'number') {
    throw new TypeError(`${name}: expected a number, got ${describeType(value)}`)
  }
  if (Number.isSafeInteger(value) && value >= min) return value
  throw new RangeError(`${name}: ${value} is no integer from ${min}`)
}

const OPTIONS: FieldPlace = { name: 'options', path: '' }
const NO_OPTIONS: Fields = new Fields({}, new Set(), OPTIONS)

/** The options of a call, which may be left out. */
export function readOptions(input: unknown, known: ReadonlySet<string>): Fields {
  return input === undefined ? NO_OPTIONS : new Fields(input, known, OPTIONS)
}
