/**
 * etcd's leasepb: `Lease`, the value of every row in the `lease` bucket, whose key is the id as 8
 * bytes, big-endian, two's complement.
 *
 *   Lease   ID 1 int64 · TTL 2 int64 · RemainingTTL 3 int64
 *
 * Fields are written and read by the rules of mvccpb.ts: `{ID 7, TTL 10}` is `0807 100a`. The keys
 * of a lease are not here; each key's row names its lease.
 *
 * Source: etcd server/lease/leasepb/lease.proto (field numbers), server/storage/schema/lease.go.
 */

import {
  WIRE_VARINT,
  WireReader,
  refuseKnownField,
  sizeOfInt64,
  sizeOfVarint,
  writeInt64,
  writeVarint,
} from './wire.ts'

export interface LeaseRow {
  readonly id: bigint
  /** The granted time to live, in seconds. */
  readonly ttlSeconds: number
  /** How much of it was left when that was noted, in seconds; 0: all of it. */
  readonly remainingSeconds: number
}

const ID = (1 << 3) | WIRE_VARINT
const TTL = (2 << 3) | WIRE_VARINT
const REMAINING_TTL = (3 << 3) | WIRE_VARINT

/** `row` as bytes of its own. */
export function encodeLease(row: LeaseRow): Uint8Array {
  const { id, ttlSeconds, remainingSeconds } = row
  let size = 0
  if (id !== 0n) size += 1 + sizeOfInt64(id)
  if (ttlSeconds !== 0) size += 1 + sizeOfVarint(ttlSeconds)
  if (remainingSeconds !== 0) size += 1 + sizeOfVarint(remainingSeconds)
  const bytes = new Uint8Array(size)
  let at = 0
  if (id !== 0n) {
    bytes[at++] = ID
    at = writeInt64(bytes, at, id)
  }
  if (ttlSeconds !== 0) {
    bytes[at++] = TTL
    at = writeVarint(bytes, at, ttlSeconds)
  }
  if (remainingSeconds !== 0) {
    bytes[at++] = REMAINING_TTL
    writeVarint(bytes, at, remainingSeconds)
  }
  return bytes
}

/** Decodes a Lease. @throws {DecodeError} */
export function decodeLease(bytes: Uint8Array): LeaseRow {
  const reader = new WireReader(bytes)
  let id = 0n
  let ttlSeconds = 0
  let remainingSeconds = 0
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case ID:
        id = reader.int64()
        break
      case TTL:
        ttlSeconds = reader.int()
        break
      case REMAINING_TTL:
        remainingSeconds = reader.int()
        break
      default:
        refuseKnownField(reader, tag, 3)
        reader.skip(tag)
    }
  }
  return { id, ttlSeconds, remainingSeconds }
}

const LEASE_KEY_SIZE = 8

/** The key of a lease's row. */
export function encodeLeaseKey(id: bigint): Uint8Array {
  const key = new Uint8Array(LEASE_KEY_SIZE)
  new DataView(key.buffer).setBigInt64(0, id)
  return key
}

/** The id that a row's key names; undefined where it names none. */
export function decodeLeaseKey(key: Uint8Array): bigint | undefined {
  if (key.length !== LEASE_KEY_SIZE) return undefined
  return new DataView(key.buffer, key.byteOffset, key.length).getBigInt64(0)
}
