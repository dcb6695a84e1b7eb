/**
 * Protobuf's wire format: varints, length-delimited fields, unknown fields.
 *
 * Reading goes through one `WireReader` that can be pointed at message after message; writing is
 * plain functions over a target that the caller has sized exactly, each returning the offset after
 * what it wrote. Neither makes an object per field.
 *
 * Invariants
 *   1. A reader never looks past its end, and every call either moves forward or throws, so that no
 *      input makes it loop.
 *   2. A 64-bit field read as a number is exact: what does not fit 2^53 is refused, not rounded.
 *
 * Source: the protobuf encoding specification.
 */

import { EMPTY_BYTES, TWO_32 } from '../base/bytes.ts'
import { Example } from '../base/example.ts'

export const WIRE_VARINT = 0
export const WIRE_FIXED64 = 1
export const WIRE_LENGTH = 2
const WIRE_GROUP_START = 3
const WIRE_GROUP_END = 4
export const WIRE_FIXED32 = 5

/** One 64-bit number and its halves: one bigint is made of them where shifts would make four. */
const wide = new BigUint64Array(1)
const halves = new Uint32Array(wide.buffer)
wide[0] = 1n
const LOW = halves[0] === 1 ? 0 : 1

/** Groups inside unknown fields may nest this deep. */
const GROUP_DEPTH_MAX = 100

/** Bytes that are no valid message. Whoever knows where they came from says so to the user. */
export class DecodeError extends Error {
  override readonly name: string = 'DecodeError'
  /** Offset in the decoded bytes. */
  readonly offset: number
  /** What is wrong, without the place. */
  readonly reason: string
  /** The field that it was found in, as `etcdserverpb.PutRequest.lease`, where that is known. */
  readonly field: string | undefined

  constructor(reason: string, offset: number, field?: string) {
    super(`${field === undefined ? '' : `${field}: `}${reason} at byte ${offset}`)
    this.reason = reason
    this.offset = offset
    this.field = field
  }
}

/** Reads fields one after another. Owns nothing. */
export class WireReader {
  static readonly #example = new Example<WireReader>()

  static {
    WireReader.#example.keep(new WireReader(EMPTY_BYTES))
  }

  bytes: Uint8Array
  position: number
  end: number
  /** Low and high half of the varint read last; together they are its 64 bits. */
  #low = 0
  #high = 0

  constructor(bytes: Uint8Array, start: number = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.position = start
    this.end = end
  }

  /** The next field's tag, `number << 3 | wire type`; 0 at the end of the message. */
  tag(): number {
    if (this.position === this.end) return 0
    const start = this.position
    const tag = this.uint()
    if (tag < 8 || tag >= TWO_32) throw new DecodeError('invalid field tag', start)
    return tag
  }

  /** An unsigned varint below 2^53. */
  uint(): number {
    const first = this.position
    if (first < this.end) {
      const byte = this.bytes[first] as number
      if (byte < 0x80) {
        this.position = first + 1
        return byte
      }
    }
    const short = this.#short()
    if (short >= 0) return short
    this.#varint()
    const value = this.#high * TWO_32 + this.#low
    if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError('number beyond 2^53', first)
    return value
  }

  /** An int64 between -2^53 and 2^53, both exclusive. */
  int(): number {
    const first = this.position
    if (first < this.end) {
      const byte = this.bytes[first] as number
      if (byte < 0x80) {
        this.position = first + 1
        return byte
      }
    }
    const short = this.#short()
    if (short >= 0) return short
    this.#varint()
    const value = (this.#high | 0) * TWO_32 + this.#low
    if (!Number.isSafeInteger(value)) throw new DecodeError('number beyond 2^53', first)
    return value
  }

  /** An int64 of any value. */
  int64(): bigint {
    this.#varint()
    if (this.#high === 0) return BigInt(this.#low)
    return BigInt.asIntN(64, this.#wide())
  }

  /** A uint64 of any value. */
  uint64(): bigint {
    this.#varint()
    return this.#high === 0 ? BigInt(this.#low) : this.#wide()
  }

  /** A uint32: of a longer varint the low 32 bits, as protobuf has it. */
  uint32(): number {
    this.#varint()
    return this.#low
  }

  /** A bool: whether any bit of the varint is set. */
  bool(): boolean {
    this.#varint()
    return (this.#low | this.#high) !== 0
  }

  /**
   * The length of a length-delimited field, checked against the end. The reader then stands on the
   * field's first byte; the caller takes the bytes and moves `position`.
   */
  length(): number {
    const start = this.position
    const length = this.uint()
    if (length > this.end - this.position) throw new DecodeError('field beyond the end', start)
    return length
  }

  /** A length-delimited field as a view of the reader's bytes. */
  lent(): Uint8Array {
    const length = this.length()
    const start = this.position
    this.position = start + length
    // Half the time of `subarray`.
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, length)
  }

  /** As `lent`, but `known` where the field holds the same bytes. */
  lentOr(known: Uint8Array): Uint8Array {
    const first = this.position
    const length = this.length()
    const start = this.position
    if (length === known.length) {
      let at = 0
      while (at < length && this.bytes[start + at] === known[at]) at++
      if (at === length) {
        this.position = start + length
        return known
      }
    }
    this.position = first
    return this.lent()
  }

  /** Passes over an unknown field whose tag was just read. */
  skip(tag: number): void {
    let depth = 0
    let next = tag
    do {
      const start = this.position
      switch (next & 7) {
        case WIRE_VARINT:
          this.#varint()
          break
        case WIRE_FIXED64:
          this.#advance(8)
          break
        case WIRE_LENGTH:
          this.#advance(this.length())
          break
        case WIRE_GROUP_START:
          depth++
          if (depth > GROUP_DEPTH_MAX) throw new DecodeError('groups nested too deep', start)
          break
        case WIRE_GROUP_END:
          if (depth === 0) throw new DecodeError('end of a group that was not begun', start)
          depth--
          break
        case WIRE_FIXED32:
          this.#advance(4)
          break
        default:
          throw new DecodeError(`invalid wire type ${next & 7}`, start)
      }
      if (depth > 0) {
        next = this.tag()
        if (next === 0) throw new DecodeError('group without an end', this.position)
      }
    } while (depth > 0)
  }

  #wide(): bigint {
    halves[LOW] = this.#low
    halves[1 - LOW] = this.#high
    return wide[0] as bigint
  }

  #advance(size: number): void {
    if (size > this.end - this.position) {
      throw new DecodeError('field beyond the end', this.position)
    }
    this.position += size
  }

  /** The varint that comes, where it has at most four bytes; else -1, and nothing is read. */
  #short(): number {
    const bytes = this.bytes
    const last = this.end
    let at = this.position
    let value = 0
    for (let shift = 0; shift < 28 && at < last; shift += 7) {
      const byte = bytes[at++] as number
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.position = at
        return value
      }
    }
    return -1
  }

  #varint(): void {
    const bytes = this.bytes
    const start = this.position
    // Ten bytes hold 70 bits; the tenth may only carry the 64th.
    const last = Math.min(this.end, start + 10)
    let low = 0
    let high = 0
    let shift = 0
    for (let at = start; at < last; at++) {
      const byte = bytes[at] as number
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else if (shift < 63) high |= bits << (shift - 32)
      else if (bits > 1) throw new DecodeError('varint beyond 64 bits', start)
      else high |= bits << 31
      if (byte < 0x80) {
        this.#low = low >>> 0
        this.#high = high >>> 0
        this.position = at + 1
        return
      }
      shift += 7
    }
    throw new DecodeError(last - start === 10 ? 'varint beyond 64 bits' : 'varint cut short', start)
  }
}

/** Bytes that `writeVarint` needs for `value`, an integer between -2^53 and 2^53. */
export function sizeOfVarint(value: number): number {
  if (value < 0) return 10
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size++
  return size
}

/** Writes an integer between -2^53 and 2^53 as an int64 varint; negatives take ten bytes. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  if (value < 0) return writeInt64(target, offset, BigInt(value))
  let at = offset
  let rest = value
  while (rest >= TWO_32) {
    target[at++] = (rest & 0x7f) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

const SAFE_END = 2n ** 53n

/** Bytes that `writeInt64` needs. */
export function sizeOfInt64(value: bigint): number {
  if (value < 0n) return 10
  if (value < SAFE_END) return sizeOfVarint(Number(value))
  if (value < 2n ** 56n) return 8
  return value < 2n ** 63n ? 9 : 10
}

/** Writes an int64 or a uint64 as a varint. */
export function writeInt64(target: Uint8Array, offset: number, value: bigint): number {
  if (value >= 0n && value < SAFE_END) return writeVarint(target, offset, Number(value))
  wide[0] = value
  let low = halves[LOW] as number
  let high = halves[1 - LOW] as number
  let at = offset
  while (high > 0) {
    target[at++] = (low & 0x7f) | 0x80
    low = ((low >>> 7) | (high << 25)) >>> 0
    high >>>= 7
  }
  while (low >= 0x80) {
    target[at++] = (low & 0x7f) | 0x80
    low >>>= 7
  }
  target[at++] = low
  return at
}

/** Writes a length-delimited field's length and bytes. */
export function writeLent(target: Uint8Array, offset: number, bytes: Uint8Array): number {
  const at = writeVarint(target, offset, bytes.length)
  target.set(bytes, at)
  return at + bytes.length
}

/** Bytes that `writeLent` needs. */
export function sizeOfLent(bytes: Uint8Array): number {
  return sizeOfVarint(bytes.length) + bytes.length
}

/** A known field that came here has the wrong wire type: damage, not a newer version's field. */
export function refuseKnownField(reader: WireReader, tag: number, fieldMax: number): void {
  if (tag >>> 3 > fieldMax) return
  throw new DecodeError(`field ${tag >>> 3} has wire type ${tag & 7}`, reader.position)
}
