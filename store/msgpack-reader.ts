/**
 * A value out of MessagePack, whoever wrote it, in whichever form.
 *
 *   int up to 32 bits, float 32, float 64    number
 *   int 64, uint 64                          bigint, however small
 *   the extension -1                         Date; what is finer than a millisecond is dropped
 *   fixext 1 of type 0, zero                 undefined; not by itself
 *   bin                                      Uint8Array, a copy
 *   map                                      an object where all keys are text, else a Map
 *
 * Bytes that are not one whole value of these are refused, whatever they are; text is strict UTF-8.
 * Nothing is set aside for what a head promises before it is there.
 */

import { copyBytes } from '../base/bytes.ts'
import { decodeText } from '../base/text.ts'
import { DEPTH_MAX } from './msgpack-writer.ts'

/** Bytes that are no MessagePack, or hold what a store does not. */
export class MsgpackError extends Error {
  override readonly name: string = 'MsgpackError'
}

/** The furthest that a Date goes from 1970, in seconds. */
const DATE_SECONDS_MAX = 8_640_000_000_000n
const NANOSECONDS_END = 1_000_000_000
/** Shorter text is read by a loop, while it is ASCII. */
const SHORT_TEXT = 24

/** @throws {MsgpackError} and nothing else */
export function decodeMsgpack(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes)
  const value = reader.value(0)
  if (reader.leftCount > 0) throw new MsgpackError(`${reader.leftCount} bytes follow the value`)
  if (value === undefined) throw new MsgpackError('undefined is no value by itself')
  return value
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get leftCount(): number {
    return this.#bytes.length - this.#at
  }

  value(depth: number): unknown {
    const token = this.#uint8()
    if (token < 0x80) return token
    if (token >= 0xe0) return token - 0x100
    if (token < 0x90) return this.#map(token & 0x0f, depth)
    if (token < 0xa0) return this.#array(token & 0x0f, depth)
    if (token < 0xc0) return this.#text(token & 0x1f)
    if (token >= 0xdc) return this.#container(token, depth)
    return this.#single(token)
  }

  #container(token: number, depth: number): unknown {
    const count = token === 0xdc || token === 0xde ? this.#uint16() : this.#uint32()
    return token < 0xde ? this.#array(count, depth) : this.#map(count, depth)
  }

  #single(token: number): unknown {
    switch (token) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return copyBytes(this.#take(this.#uint8()))
      case 0xc5:
        return copyBytes(this.#take(this.#uint16()))
      case 0xc6:
        return copyBytes(this.#take(this.#uint32()))
      case 0xd4:
        return this.#nothing()
      case 0xc7:
        return this.#date(this.#uint8())
      case 0xd6:
        return this.#date(4)
      case 0xd7:
        return this.#date(8)
      case 0xd9:
        return this.#text(this.#uint8())
      case 0xda:
        return this.#text(this.#uint16())
      case 0xdb:
        return this.#text(this.#uint32())
      default:
        return this.#numeric(token)
    }
  }

  #numeric(token: number): number | bigint {
    switch (token) {
      case 0xca:
        return this.#view.getFloat32(this.#skip(4))
      case 0xcb:
        return this.#view.getFloat64(this.#skip(8))
      case 0xcc:
        return this.#uint8()
      case 0xcd:
        return this.#uint16()
      case 0xce:
        return this.#uint32()
      case 0xcf:
        return this.#view.getBigUint64(this.#skip(8))
      case 0xd0:
        return this.#view.getInt8(this.#skip(1))
      case 0xd1:
        return this.#view.getInt16(this.#skip(2))
      case 0xd2:
        return this.#view.getInt32(this.#skip(4))
      case 0xd3:
        return this.#view.getBigInt64(this.#skip(8))
      default:
        throw new MsgpackError(`nothing begins with the byte ${token}`)
    }
  }

  #array(count: number, depth: number): unknown[] {
    this.#enter(count, depth)
    const items: unknown[] = []
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1))
    return items
  }

  #map(count: number, depth: number): unknown {
    this.#enter(2 * count, depth)
    const object: Record<string, unknown> = {}
    for (let i = 0; i < count; i++) {
      const key = this.value(depth + 1)
      if (typeof key !== 'string') return this.#mixedMap(object, { key, left: count - i, depth })
      setProperty(object, key, this.value(depth + 1))
    }
    return object
  }

  /** The map whose first key that is no text was just read. */
  #mixedMap(
    before: Readonly<Record<string, unknown>>,
    { key, left, depth }: { readonly key: unknown; readonly left: number; readonly depth: number },
  ): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>(Object.entries(before))
    map.set(key, this.value(depth + 1))
    for (let i = 1; i < left; i++) {
      const next = this.value(depth + 1)
      map.set(next, this.value(depth + 1))
    }
    return map
  }

  /** Each value takes a byte at least, so a head may promise no more than there are. */
  #enter(valueCount: number, depth: number): void {
    if (valueCount > this.leftCount) throw new MsgpackError('it ends early')
    if (depth === DEPTH_MAX) throw new MsgpackError(`it is nested more than ${DEPTH_MAX} deep`)
  }

  #text(length: number): string {
    const start = this.#skip(length)
    const text = length < SHORT_TEXT ? this.#ascii(start, length) : undefined
    const strict = text ?? decodeText(this.#bytes.subarray(start, start + length))
    if (strict === undefined) throw new MsgpackError('text that is not UTF-8')
    return strict
  }

  /** Undefined where it is not ASCII. */
  #ascii(start: number, length: number): string | undefined {
    let text = ''
    for (let i = start; i < start + length; i++) {
      const code = this.#bytes[i] ?? 0
      if (code >= 0x80) return undefined
      text += String.fromCharCode(code)
    }
    return text
  }

  #nothing(): undefined {
    if (this.#uint8() === 0 && this.#uint8() === 0) return undefined
    throw new MsgpackError('an extension that is not known')
  }

  #date(length: number): Date {
    const at = this.#skip(1 + length)
    if (this.#view.getUint8(at) !== 0xff || (length !== 4 && length !== 8 && length !== 12)) {
      throw new MsgpackError('an extension that is not known')
    }
    if (length === 4) return new Date(this.#view.getUint32(at + 1) * 1000)
    const first = this.#view.getUint32(at + 1)
    const nanoseconds = length === 8 ? Math.floor(first / 4) : first
    const seconds =
      length === 8
        ? BigInt(first % 4) * 2n ** 32n + BigInt(this.#view.getUint32(at + 5))
        : this.#view.getBigInt64(at + 5)
    if (
      nanoseconds >= NANOSECONDS_END ||
      seconds > DATE_SECONDS_MAX ||
      seconds < -DATE_SECONDS_MAX
    ) {
      throw new MsgpackError('a time beyond what a Date holds')
    }
    const date = new Date(Number(seconds) * 1000 + Math.floor(nanoseconds / 1_000_000))
    if (Number.isNaN(date.getTime())) throw new MsgpackError('a time beyond what a Date holds')
    return date
  }

  #uint8(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw new MsgpackError('it ends early')
    this.#at++
    return byte
  }

  #uint16(): number {
    return this.#view.getUint16(this.#skip(2))
  }

  #uint32(): number {
    return this.#view.getUint32(this.#skip(4))
  }

  #take(byteCount: number): Uint8Array {
    const start = this.#skip(byteCount)
    return this.#bytes.subarray(start, start + byteCount)
  }

  /** Goes on by so many bytes; where they begin. */
  #skip(byteCount: number): number {
    const start = this.#at
    if (byteCount > this.leftCount) throw new MsgpackError('it ends early')
    this.#at = start + byteCount
    return start
  }
}

/** As `object[key] = value`, which for one name would set the prototype. */
function setProperty(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    })
  } else {
    object[key] = value
  }
}
