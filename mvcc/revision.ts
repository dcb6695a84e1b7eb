/**
 * Revisions: where a change stands in the store's history, and the key of its row in the `key`
 * bucket.
 *
 *   0   8  main   big-endian; one per transaction that changed something, 2 for the first
 *   8   1  '_'
 *   9   8  sub    big-endian; the change's place in its transaction, from 0
 *   17  1  't'    on tombstones only
 *
 * Bytewise order is the order of (main, sub). A store that nothing was ever written to is at
 * revision 1. Source: etcd server/storage/mvcc/revision.go.
 */

import { TWO_32 } from '../base/bytes.ts'
import { assert } from '../base/assert.ts'

export const REVISION_KEY_SIZE = 17
export const TOMBSTONE_KEY_SIZE = 18

/** The revision of a store that nothing was ever written to. */
export const FIRST_REVISION = 1

const SEPARATOR = 0x5f
const TOMBSTONE_MARK = 0x74

/** Mains reach up to 2^53 - 1; the index holds subs of 31 bits. */
export const MAIN_MAX: number = Number.MAX_SAFE_INTEGER
export const SUB_MAX: number = 2 ** 31 - 1

/** The key of a row in etcd's schema: which revision it holds. */
export interface RevisionKey {
  readonly main: number
  readonly sub: number
  readonly isTombstone: boolean
}

/** Writes the 17 bytes of a revision at the start of `target`. */
export function writeRevisionKey(target: Uint8Array, main: number, sub: number): void {
  assert(main >= 0 && main <= MAIN_MAX && sub >= 0 && sub <= MAIN_MAX, 'revision out of range')
  writeBigEndian(target, 0, main)
  target[8] = SEPARATOR
  writeBigEndian(target, 9, sub)
}

/** A revision's row key, in bytes of its own. */
export function encodeRevisionKey(main: number, sub: number): Uint8Array {
  const key = new Uint8Array(REVISION_KEY_SIZE)
  writeRevisionKey(key, main, sub)
  return key
}

/** A tombstone's row key, in bytes of its own. */
export function encodeTombstoneKey(main: number, sub: number): Uint8Array {
  const key = new Uint8Array(TOMBSTONE_KEY_SIZE)
  writeRevisionKey(key, main, sub)
  key[REVISION_KEY_SIZE] = TOMBSTONE_MARK
  return key
}

/**
 * Reads a row key; undefined when it isn't one: another length, separator or mark, or a number
 * beyond 2^53.
 */
export function decodeRevisionKey(key: Uint8Array): RevisionKey | undefined {
  const revision = { main: 0, sub: 0, isTombstone: false }
  return readRevisionKey(key, 0, key.length, revision) ? revision : undefined
}

/** As `decodeRevisionKey`, of `bytes[start, end)` and into `revision`; false where it isn't one. */
export function readRevisionKey(
  bytes: Uint8Array,
  start: number,
  end: number,
  revision: { main: number; sub: number; isTombstone: boolean },
): boolean {
  const isTombstone = end - start === TOMBSTONE_KEY_SIZE
  if (!isTombstone && end - start !== REVISION_KEY_SIZE) return false
  if (bytes[start + 8] !== SEPARATOR) return false
  if (isTombstone && bytes[start + REVISION_KEY_SIZE] !== TOMBSTONE_MARK) return false
  revision.main = readBigEndian(bytes, start)
  revision.sub = readBigEndian(bytes, start + 9)
  revision.isTombstone = isTombstone
  return revision.main <= MAIN_MAX && revision.sub <= MAIN_MAX
}

function writeBigEndian(target: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / TWO_32)
  target[offset] = high >>> 24
  target[offset + 1] = high >>> 16
  target[offset + 2] = high >>> 8
  target[offset + 3] = high
  target[offset + 4] = value >>> 24
  target[offset + 5] = value >>> 16
  target[offset + 6] = value >>> 8
  target[offset + 7] = value
}

/** Exact below 2^53; above it rounded, and larger than `MAIN_MAX`. */
function readBigEndian(source: Uint8Array, offset: number): number {
  return readHalf(source, offset) * TWO_32 + readHalf(source, offset + 4)
}

function readHalf(source: Uint8Array, offset: number): number {
  const high = ((source[offset] as number) << 8) | (source[offset + 1] as number)
  const low = ((source[offset + 2] as number) << 8) | (source[offset + 3] as number)
  return ((high << 16) | low) >>> 0
}
