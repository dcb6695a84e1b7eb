/**
 * A value as MessagePack: the plain format, each thing in its shortest form, so that the same value
 * has the same bytes always and everywhere. That is what compares of values rely on.
 *
 *   number        an integer from -2^31 to 2^32 - 1: int; any other: float 64
 *   bigint        int 64, from 2^63 on uint 64; never another form, so that it comes out a bigint
 *   Date          the extension -1, in milliseconds
 *   undefined     fixext 1 of type 0 with a zero byte, as is common; only inside of something
 *   Uint8Array    bin
 *   array, plain object    array, map with text as keys
 *
 * Everything else is refused: what goes in comes out equal, or does not go in.
 */

import { describeType } from '../base/text.ts'

/** Deeper than this nothing is written or read. */
export const DEPTH_MAX = 1000

const ROOM_BYTES = 1024
/** Room that is kept for the next value. */
const KEPT_BYTES_MAX = 64 * 1024
const SIZE_BYTES_MAX = 2 ** 30
const TIMESTAMP = 0xff
const INT32_MIN = -(2 ** 31)
const UINT32_END = 2 ** 32
const INT64_MIN = -(2n ** 63n)
const INT64_END = 2n ** 63n
const UINT64_END = 2n ** 64n
/** Shorter text is written by a loop, while it is ASCII. */
const SHORT_TEXT = 24

let kept: Buffer | undefined

/** Why a value can't be written; `encodeMsgpack` says it as a TypeError. */
class Unwritable extends Error {}

/** @throws {TypeError} that begins with `name` */
export function encodeMsgpack(value: unknown, name: string): Uint8Array {
  // Taken, not shared: a getter of the value may come here again.
  const room = kept ?? Buffer.allocUnsafeSlow(ROOM_BYTES)
  kept = undefined
  const writer = new Writer(room)
  try {
    if (value === undefined) throw new Unwritable('undefined')
    writer.value(value)
    return writer.copy()
  } catch (error) {
    // A getter may throw anything, and the stack may have been short before.
    const why = error instanceof Unwritable ? `${error.message} ` : 'it '
    throw new TypeError(`${name}: ${why}can't be written as MessagePack`, { cause: error })
  } finally {
    kept = writer.room.length <= KEPT_BYTES_MAX ? writer.room : undefined
  }
}

class Writer {
  room: Buffer
  #at = 0
  /** What the value at hand lies in. */
  readonly #around: object[] = []

  constructor(room: Buffer) {
    this.room = room
  }

  copy(): Uint8Array {
    return new Uint8Array(this.room.subarray(0, this.#at))
  }

  value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.#text(value)
        break
      case 'number':
        this.#number(value)
        break
      case 'boolean':
        this.#byte(value ? 0xc3 : 0xc2)
        break
      case 'bigint':
        this.#bigint(value)
        break
      case 'undefined':
        this.#need(3)
        this.#byte(0xd4)
        this.#byte(0)
        this.#byte(0)
        break
      case 'object':
        if (value === null) this.#byte(0xc0)
        else this.#object(value)
        break
      default:
        throw new Unwritable(`a ${typeof value}`)
    }
  }

  #object(value: object): void {
    if (value instanceof Uint8Array) this.#bytes(value)
    else if (value instanceof Date) this.#date(value)
    else if (Array.isArray(value)) this.#inside(value, () => this.#items(value))
    else if (isPlain(value)) this.#inside(value, () => this.#properties(value))
    else throw new Unwritable(`an object that is not plain (${describeType(value)})`)
  }

  #inside(container: object, write: () => void): void {
    const around = this.#around
    if (around.includes(container)) throw new Unwritable('an object that holds itself')
    if (around.length === DEPTH_MAX) throw new Unwritable(`what is nested ${DEPTH_MAX} deep`)
    around.push(container)
    write()
    around.pop()
  }

  #items(items: readonly unknown[]): void {
    const { length } = items
    this.#count(length, 0x90, 0xdc)
    for (let i = 0; i < length; i++) this.value(items[i])
  }

  #properties(object: Readonly<Record<string, unknown>>): void {
    const keys = Object.keys(object)
    this.#count(keys.length, 0x80, 0xde)
    for (const key of keys) {
      this.#text(key)
      this.value(object[key])
    }
  }

  /** The head of an array or map: `short` with the count in it, or `long` or the byte behind it. */
  #count(count: number, short: number, long: number): void {
    this.#need(5)
    if (count < 16) {
      this.#byte(short | count)
    } else if (count < 2 ** 16) {
      this.#byte(long)
      this.#at = this.room.writeUInt16BE(count, this.#at)
    } else {
      this.#byte(long + 1)
      this.#at = this.room.writeUInt32BE(count, this.#at)
    }
  }

  #text(text: string): void {
    const { length } = text
    if (length < SHORT_TEXT) {
      this.#need(1 + length)
      if (this.#ascii(text)) return
    }
    if (!text.isWellFormed()) throw new Unwritable('text with a lone surrogate')
    const byteCount = Buffer.byteLength(text, 'utf8')
    this.#need(5 + byteCount)
    if (byteCount < 32) this.#byte(0xa0 | byteCount)
    else this.#length(byteCount, 0xd9)
    this.#at += this.room.write(text, this.#at, 'utf8')
  }

  /** False, and nothing is written, where the short text is not ASCII. */
  #ascii(text: string): boolean {
    const { room } = this
    const { length } = text
    let at = this.#at
    room[at++] = 0xa0 | length
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) return false
      room[at++] = code
    }
    this.#at = at
    return true
  }

  #bytes(bytes: Uint8Array): void {
    this.#need(5 + bytes.length)
    this.#length(bytes.length, 0xc4)
    this.room.set(bytes, this.#at)
    this.#at += bytes.length
  }

  /** A length in one byte, two or four, with `token` or the first or second behind it. */
  #length(length: number, token: number): void {
    if (length < 2 ** 8) {
      this.#byte(token)
      this.#byte(length)
    } else if (length < 2 ** 16) {
      this.#byte(token + 1)
      this.#at = this.room.writeUInt16BE(length, this.#at)
    } else {
      this.#byte(token + 2)
      this.#at = this.room.writeUInt32BE(length, this.#at)
    }
  }

  #number(value: number): void {
    this.#need(9)
    if (!Number.isInteger(value) || value < INT32_MIN || value >= UINT32_END) this.#float(value)
    else if (value < 0) this.#negative(value)
    else if (value > 0) this.#positive(value)
    else if (Object.is(value, -0)) this.#float(value)
    else this.#byte(0)
  }

  #float(value: number): void {
    this.#byte(0xcb)
    this.#at = this.room.writeDoubleBE(value, this.#at)
  }

  #positive(value: number): void {
    if (value < 2 ** 7) {
      this.#byte(value)
    } else if (value < 2 ** 8) {
      this.#byte(0xcc)
      this.#byte(value)
    } else if (value < 2 ** 16) {
      this.#byte(0xcd)
      this.#at = this.room.writeUInt16BE(value, this.#at)
    } else {
      this.#byte(0xce)
      this.#at = this.room.writeUInt32BE(value, this.#at)
    }
  }

  #negative(value: number): void {
    if (value >= -(2 ** 5)) {
      this.#byte(value & 0xff)
    } else if (value >= -(2 ** 7)) {
      this.#byte(0xd0)
      this.#byte(value & 0xff)
    } else if (value >= -(2 ** 15)) {
      this.#byte(0xd1)
      this.#at = this.room.writeInt16BE(value, this.#at)
    } else {
      this.#byte(0xd2)
      this.#at = this.room.writeInt32BE(value, this.#at)
    }
  }

  #bigint(value: bigint): void {
    if (value < INT64_MIN || value >= UINT64_END) throw new Unwritable('a bigint beyond 64 bits')
    this.#need(9)
    const isSigned = value < INT64_END
    this.#byte(isSigned ? 0xd3 : 0xcf)
    if (isSigned) this.#at = this.room.writeBigInt64BE(value, this.#at)
    else this.#at = this.room.writeBigUInt64BE(value, this.#at)
  }

  #date(date: Date): void {
    const ms = date.getTime()
    if (Number.isNaN(ms)) throw new Unwritable('an invalid Date')
    const seconds = Math.floor(ms / 1000)
    const nanoseconds = (ms - seconds * 1000) * 1_000_000
    this.#need(15)
    if (nanoseconds === 0 && seconds >= 0 && seconds < UINT32_END) {
      this.#byte(0xd6)
      this.#byte(TIMESTAMP)
      this.#at = this.room.writeUInt32BE(seconds, this.#at)
    } else if (seconds >= 0 && seconds < 2 ** 34) {
      this.#byte(0xd7)
      this.#byte(TIMESTAMP)
      // 30 bits of nanoseconds, then 34 of seconds.
      const high = nanoseconds * 4 + Math.floor(seconds / UINT32_END)
      this.#at = this.room.writeUInt32BE(high, this.#at)
      this.#at = this.room.writeUInt32BE(seconds % UINT32_END, this.#at)
    } else {
      this.#byte(0xc7)
      this.#byte(12)
      this.#byte(TIMESTAMP)
      this.#at = this.room.writeUInt32BE(nanoseconds, this.#at)
      this.#at = this.room.writeBigInt64BE(BigInt(seconds), this.#at)
    }
  }

  #byte(byte: number): void {
    if (this.#at === this.room.length) this.#need(1)
    this.room[this.#at++] = byte
  }

  /** Makes room for so many bytes more. */
  #need(byteCount: number): void {
    const end = this.#at + byteCount
    if (end <= this.room.length) return
    if (end > SIZE_BYTES_MAX) throw new Unwritable(`more than ${SIZE_BYTES_MAX} bytes`)
    const room = Buffer.allocUnsafeSlow(Math.max(end, 2 * this.room.length))
    room.set(this.room.subarray(0, this.#at))
    this.room = room
  }
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
