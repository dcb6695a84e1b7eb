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

export type SealState = 'sealed' | 'unsealed' | 'broken'

function checksum(bytes: Uint8Array, start: number, end: number): number {
  return crc32(bytes.subarray(start, end))
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
    view.setUint32(end - 4, checksum(bytes, start, end - 4), true)
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
