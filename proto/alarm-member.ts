/**
 * etcd's etcdserverpb.AlarmMember: the key of each row in the bucket `alarm`; its value is empty.
 *
 *   AlarmMember   memberID 1 uint64 · alarm 2 enum {NONE 0, NOSPACE 1, CORRUPT 2}
 *
 * Fields are written and read by the rules of mvccpb.ts: `{memberID 5, alarm NOSPACE}` is
 * `0805 1001`, and of the member 0 it is `1001`.
 *
 * Source: etcd api/etcdserverpb/rpc.proto (field numbers), server/storage/schema/alarm.go.
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

export interface AlarmMember {
  /** From 0 to 2^64 - 1. */
  readonly memberId: bigint
  /** The alarm's number. */
  readonly alarm: number
}

export const ALARM_NOSPACE = 1
export const ALARM_CORRUPT = 2

const MEMBER_ID = (1 << 3) | WIRE_VARINT
const ALARM = (2 << 3) | WIRE_VARINT

/** `member` as bytes of its own. */
export function encodeAlarmMember({ memberId, alarm }: AlarmMember): Uint8Array {
  // An unsigned number of 64 bits and the signed one of the same bits are written alike.
  const id = BigInt.asIntN(64, memberId)
  let size = 0
  if (id !== 0n) size += 1 + sizeOfInt64(id)
  if (alarm !== 0) size += 1 + sizeOfVarint(alarm)
  const bytes = new Uint8Array(size)
  let at = 0
  if (id !== 0n) {
    bytes[at++] = MEMBER_ID
    at = writeInt64(bytes, at, id)
  }
  if (alarm !== 0) {
    bytes[at++] = ALARM
    writeVarint(bytes, at, alarm)
  }
  return bytes
}

/** Decodes an AlarmMember. @throws {DecodeError} */
export function decodeAlarmMember(bytes: Uint8Array): AlarmMember {
  const reader = new WireReader(bytes)
  let memberId = 0n
  let alarm = 0
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case MEMBER_ID:
        memberId = BigInt.asUintN(64, reader.int64())
        break
      case ALARM:
        alarm = reader.int()
        break
      default:
        refuseKnownField(reader, tag, 2)
        reader.skip(tag)
    }
  }
  return { memberId, alarm }
}
