/**
 * Bytes: order, equality, 64-bit fields, text.
 *
 * Order is unsigned and bytewise, a prefix before what it begins: bbolt's and etcd's order.
 */

export const EMPTY_BYTES: Uint8Array = new Uint8Array(0)

/** 2^32, for 64-bit fields held as a pair of u32. */
export const TWO_32 = 4294967296

/**
 * Compares `a[aStart, aEnd)` with `b[bStart, bEnd)`: negative, 0 or positive.
 * A hand loop: below about sixty shared bytes it beats a native call (docs/decisions/0002).
 */
export function compareRange(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const aSize = aEnd - aStart
  const bSize = bEnd - bStart
  const size = aSize < bSize ? aSize : bSize
  for (let i = 0; i < size; i++) {
    const d = (a[aStart + i] as number) - (b[bStart + i] as number)
    if (d !== 0) return d
  }
  return aSize - bSize
}

/** Compares two byte strings: negative, 0 or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return compareRange(a, 0, a.length, b, 0, b.length)
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareRange(a, 0, a.length, b, 0, b.length) === 0
}

/** Copies `bytes` into memory of its own. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}

/**
 * Reads a little-endian u64 as a number. Exact below 2^53; above it the result is rounded, and
 * larger than any legal id, so the caller's range check still refuses it.
 */
export function readU64(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * TWO_32
}

/** Writes a number below 2^53 as a little-endian u64. */
export function writeU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true)
  view.setUint32(offset + 4, Math.floor(value / TWO_32), true)
}

const PRINTABLE = /^[\x20-\x7e]*$/

/**
 * Bytes for a message to a person: quoted text where it is plain ASCII, else hex; cut at
 * `sizeMax` bytes with the full length named.
 */
export function formatBytes(bytes: Uint8Array, sizeMax = 40): string {
  const shown = bytes.length > sizeMax ? bytes.subarray(0, sizeMax) : bytes
  const text = String.fromCharCode(...shown)
  const body = PRINTABLE.test(text)
    ? JSON.stringify(text)
    : `0x${Buffer.from(shown).toString('hex')}`
  return bytes.length > sizeMax ? `${body}… (${bytes.length} bytes)` : body
}
