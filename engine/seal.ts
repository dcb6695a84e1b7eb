/**
 * The seal: a checksum in the unused tail of a page, which bbolt neither reads nor minds.
 *
 * bbolt's pages carry no checksum. Nearly every page has a few bytes to spare behind its last
 * value, though, and every bbolt ever released leaves them zero and never looks at them. What we
 * write there, with `tail` the number of bytes between the end of the content and the end of the
 * run:
 *
 *   tail ≥ 8   the last 8 bytes: u32 SEAL_MAGIC, u32 CRC-32 of everything before it (the magic
 *   included)
 *   tail 1…7   the last byte is `tail`, the others zero
 *   tail 0     nothing
 *
 * A page whose tail is all zeros was written by someone else, and is taken on its structure alone.
 * The short forms are there because the only field of a packed page that structure can't confirm
 * is the size of the last element: with them, growing it never goes unseen.
 *
 * A run is sealed if and only if its tail is one of the first two forms with the right values; any
 * other tail is damage. docs/decisions/0004-page-seal.md has the reasons.
 */

import { crc32 } from 'node:zlib'

export const SEAL_MAGIC = 0x6c617372 // "rsal" as it stands in the file
const SEAL_SIZE = 8

/** Whether a page has a checksum in its tail, and whether that is right. */
export type SealState = 'sealed' | 'unsealed' | 'broken'

function checksum(bytes: Uint8Array, start: number, end: number): number {
  return crc32(bytes.subarray(start, end))
}

/** So few zeros are not worth the detour. */
const ZEROS_MIN = 256
/** Reflected, as zlib has it. */
const POLYNOMIAL = 0xedb88320

/**
 * For each power of two, what that many zeros make of a checksum's register. That is linear, so it
 * is looked up byte by byte: 4 × 256 numbers each, made when first needed.
 */
const zeroTables: Int32Array[] = []

function zeroTable(power: number): Int32Array {
  const known = zeroTables[power]
  if (known !== undefined) return known
  const table = new Int32Array(1024)
  for (let i = 0; i < 1024; i++) {
    const register = (i & 255) << ((i >>> 8) * 8)
    table[i] = power === 0 ? passZero(register) : pass(pass(register, power - 1), power - 1)
  }
  return (zeroTables[power] = table)
}

function passZero(register: number): number {
  let r = register
  for (let bit = 0; bit < 8; bit++) r = (r >>> 1) ^ ((r & 1) === 0 ? 0 : POLYNOMIAL)
  return r
}

/** The register after `2 ** power` zeros. */
function pass(r: number, power: number): number {
  const table = zeroTable(power)
  return (
    (table[r & 255] as number) ^
    (table[256 + ((r >>> 8) & 255)] as number) ^
    (table[512 + ((r >>> 16) & 255)] as number) ^
    (table[768 + (r >>> 24)] as number)
  )
}

/**
 * The checksum that seals a run whose content stops at `contentEnd`, with `zeros` of them and the
 * magic number behind it. Only the content is looked at: a page filled at random is one third
 * empty, and the checksum is the dearest part of writing it.
 */
function checksumOfSparse(
  bytes: Uint8Array,
  start: number,
  contentEnd: number,
  zeros: number,
): number {
  let r = ~checksum(bytes, start, contentEnd)
  for (let power = 0, rest = zeros; rest > 0; power++, rest >>>= 1) {
    if ((rest & 1) !== 0) r = pass(r, power)
  }
  // Four bytes at once: they go into the register, then it passes four zeros.
  return ~pass(r ^ SEAL_MAGIC, 2) >>> 0
}

/** Seals the run `[start, end)` whose content stops at `contentEnd`. The tail must be zero. */
export function sealRun(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  contentEnd: number,
  end: number,
): void {
  const tail = end - contentEnd
  if (tail >= SEAL_SIZE) {
    view.setUint32(end - 8, SEAL_MAGIC, true)
    const zeros = tail - SEAL_SIZE
    const sum =
      zeros < ZEROS_MIN
        ? checksum(bytes, start, end - 4)
        : checksumOfSparse(bytes, start, contentEnd, zeros)
    view.setUint32(end - 4, sum, true)
  } else if (tail > 0) {
    bytes[end - 1] = tail
  }
}

/** Says what the tail of the run `[start, end)` is, given where its content stops. */
export function checkSeal(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  contentEnd: number,
  end: number,
): SealState {
  const tail = end - contentEnd
  if (tail === 0) return 'unsealed'
  if (tail >= SEAL_SIZE && view.getUint32(end - 8, true) === SEAL_MAGIC) {
    return view.getUint32(end - 4, true) === checksum(bytes, start, end - 4) ? 'sealed' : 'broken'
  }
  const last = bytes[end - 1] as number
  const isShort = tail < SEAL_SIZE && last === tail
  for (let i = contentEnd; i < end - 1; i++) if (bytes[i] !== 0) return 'broken'
  if (isShort) return 'sealed'
  return last === 0 ? 'unsealed' : 'broken'
}
