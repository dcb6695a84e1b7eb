/** The fields of a line, each of the type that it must have, and none beside. */

import { EMPTY_BYTES } from '../../base/bytes.ts'
import { describeType } from '../../base/text.ts'

const INT64_MAX = 2n ** 63n - 1n
const ID = /^-?[1-9]\d{0,18}$/

/** What is wrong with a line. Who reads the lines says which one it is. */
export class LineFault extends Error {
  override readonly name: string = 'LineFault'
}

export class LineFields {
  readonly #values: ReadonlyMap<string, unknown>
  readonly #read = new Set<string>()

  /** @throws {LineFault} where the text is no JSON object */
  constructor(text: string) {
    this.#values = new Map(Object.entries(parseObject(text)))
  }

  /** @throws {LineFault} where there is a field that nobody asked for */
  mustBeAll(): void {
    for (const name of this.#values.keys()) {
      if (!this.#read.has(name)) throw new LineFault(`it has no field ${JSON.stringify(name)}`)
    }
  }

  text(name: string): string {
    const value = this.#take(name)
    if (typeof value === 'string') return value
    throw this.#wrong(name, 'a string')
  }

  word<W extends string>(name: string, words: readonly W[]): W {
    const text = this.text(name)
    const found = words.find((word) => word === text)
    if (found !== undefined) return found
    throw new LineFault(`${name}: expected one of ${words.join(', ')}`)
  }

  integer(name: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#take(name)
    if (typeof value !== 'number') throw this.#wrong(name, 'a number')
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value
    throw new LineFault(`${name}: ${value} is no integer from ${min} to ${max}`)
  }

  /** A string, or an object with a string `base64`. */
  bytes(name: string): Uint8Array {
    const value = this.#take(name)
    if (typeof value === 'string') {
      if (value.isWellFormed()) return Buffer.from(value, 'utf8')
      throw new LineFault(`${name}: the string has a lone surrogate`)
    }
    const base64 = base64Of(value)
    if (base64 === undefined) throw this.#wrong(name, 'a string or {"base64": …}')
    const bytes = Buffer.from(base64, 'base64')
    if (bytes.toString('base64') === base64) return bytes
    throw new LineFault(`${name}: it is not base64`)
  }

  bytesOrNone(name: string): Uint8Array {
    return this.#values.has(name) ? this.bytes(name) : EMPTY_BYTES
  }

  /** Bytes that are not empty. */
  key(name: string): Uint8Array {
    const key = this.bytes(name)
    if (key.length === 0) throw new LineFault(`${name}: it is empty`)
    return key
  }

  /** The id of a lease; 0n where there is none. */
  id(name: string): bigint {
    return this.#values.has(name) ? this.mustId(name) : 0n
  }

  mustId(name: string): bigint {
    const text = this.text(name)
    const id = ID.test(text) ? BigInt(text) : 0n
    if (id !== 0n && id <= INT64_MAX && id >= -INT64_MAX - 1n) return id
    throw new LineFault(`${name}: it is no id of a lease`)
  }

  #take(name: string): unknown {
    this.#read.add(name)
    return this.#values.get(name)
  }

  #wrong(name: string, expected: string): LineFault {
    const value = this.#values.get(name)
    if (value === undefined) return new LineFault(`${name} is missing`)
    return new LineFault(`${name}: expected ${expected}, got ${describeType(value)}`)
  }
}

function parseObject(text: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new LineFault('it is no JSON')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new LineFault(`expected an object, got ${describeType(value)}`)
}

function base64Of(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const [entry, ...more] = Object.entries(value)
  const [name, text] = entry ?? []
  return name === 'base64' && more.length === 0 && typeof text === 'string' ? text : undefined
}
