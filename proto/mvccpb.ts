/**
 * etcd's mvccpb: `KeyValue`, the value of every row in the `key` bucket, and `Event`.
 *
 *   KeyValue   key 1 bytes · create_revision 2 int64 · mod_revision 3 int64 · version 4 int64 ·
 *              value 5 bytes · lease 6 int64
 *   Event      type 1 enum (PUT 0, DELETE 1) · kv 2 KeyValue · prev_kv 3 KeyValue
 *
 * Fields are written in the order of their numbers and left out when zero or empty, as etcd
 * does, so that equal content has equal bytes: `{a, 2, 2, 1, "1"}` is
 * `0a0161 1002 1802 2001 2a0131`. Reading takes any order, the last of repeated fields, and
 * passes over fields it doesn't know.
 *
 * Source: etcd api/mvccpb/kv.proto (field numbers).
 */

import { EMPTY_BYTES } from '../base/bytes.ts'
import {
  DecodeError,
  WIRE_LENGTH,
  WIRE_VARINT,
  WireReader,
  refuseKnownField,
  sizeOfInt64,
  sizeOfLent,
  sizeOfVarint,
  writeInt64,
  writeLent,
  writeVarint,
} from './wire.ts'

/** A key at one revision. Who made it says who owns `key` and `value`. */
export interface KeyValue {
  readonly key: Uint8Array
  /** The main revision that created the key in its present generation. */
  readonly createRevision: number
  /** The main revision of this put. */
  readonly modRevision: number
  /** How many times the key was put in its generation; 1 after its creation. */
  readonly version: number
  readonly value: Uint8Array
  /** The lease that the key is attached to; 0n: none. */
  readonly lease: bigint
}

export type EventType = 'put' | 'delete'

export interface Event {
  readonly type: EventType
  readonly kv: KeyValue
  readonly prevKv: KeyValue | undefined
}

const KEY = (1 << 3) | WIRE_LENGTH
const CREATE_REVISION = (2 << 3) | WIRE_VARINT
const MOD_REVISION = (3 << 3) | WIRE_VARINT
const VERSION = (4 << 3) | WIRE_VARINT
const VALUE = (5 << 3) | WIRE_LENGTH
const LEASE = (6 << 3) | WIRE_VARINT

export function sizeOfKeyValue(kv: KeyValue): number {
  let size = 0
  if (kv.key.length > 0) size += 1 + sizeOfLent(kv.key)
  if (kv.createRevision !== 0) size += 1 + sizeOfVarint(kv.createRevision)
  if (kv.modRevision !== 0) size += 1 + sizeOfVarint(kv.modRevision)
  if (kv.version !== 0) size += 1 + sizeOfVarint(kv.version)
  if (kv.value.length > 0) size += 1 + sizeOfLent(kv.value)
  if (kv.lease !== 0n) size += 1 + sizeOfInt64(kv.lease)
  return size
}

/** Writes `kv` at `offset` and returns the offset after it; needs `sizeOfKeyValue(kv)` bytes. */
export function writeKeyValue(target: Uint8Array, offset: number, kv: KeyValue): number {
  let at = offset
  if (kv.key.length > 0) {
    target[at++] = KEY
    at = writeLent(target, at, kv.key)
  }
  if (kv.createRevision !== 0) {
    target[at++] = CREATE_REVISION
    at = writeVarint(target, at, kv.createRevision)
  }
  if (kv.modRevision !== 0) {
    target[at++] = MOD_REVISION
    at = writeVarint(target, at, kv.modRevision)
  }
  if (kv.version !== 0) {
    target[at++] = VERSION
    at = writeVarint(target, at, kv.version)
  }
  if (kv.value.length > 0) {
    target[at++] = VALUE
    at = writeLent(target, at, kv.value)
  }
  if (kv.lease !== 0n) {
    target[at++] = LEASE
    at = writeInt64(target, at, kv.lease)
  }
  return at
}

/** `kv` as bytes of its own. */
export function encodeKeyValue(kv: KeyValue): Uint8Array {
  const bytes = new Uint8Array(sizeOfKeyValue(kv))
  writeKeyValue(bytes, 0, kv)
  return bytes
}

/**
 * Decodes a KeyValue. Its `key` and `value` are views of `bytes`; `key` is `known` itself where it
 * is the same, which saves a view. @throws {DecodeError}
 */
export function decodeKeyValue(bytes: Uint8Array, known: Uint8Array = EMPTY_BYTES): KeyValue {
  return readKeyValue(new WireReader(bytes), known)
}

/** As `decodeKeyValue`, of the message that a reader stands on. @throws {DecodeError} */
export function readKeyValue(reader: WireReader, known: Uint8Array): KeyValue {
  const kv = new KeyFields()
  readFields(reader, kv, known, true)
  return kv
}

/** Reads on into `kv` what the message that a reader stands on has. @throws {DecodeError} */
export function readIntoKeyValue(reader: WireReader, kv: KeyFields): void {
  readFields(reader, kv, EMPTY_BYTES, true)
}

/** A KeyValue to be filled in. */
export class KeyFields implements KeyValue {
  key: Uint8Array = EMPTY_BYTES
  createRevision = 0
  modRevision = 0
  version = 0
  value: Uint8Array = EMPTY_BYTES
  lease = 0n
}

/**
 * As `readKeyValue`, into an object that is used again and again; of the value it is only checked
 * that it is there in full: `value` stays empty. @throws {DecodeError}
 */
export function readKeyFields(reader: WireReader, fields: KeyFields): void {
  fields.key = EMPTY_BYTES
  fields.createRevision = 0
  fields.modRevision = 0
  fields.version = 0
  fields.lease = 0n
  readFields(reader, fields, EMPTY_BYTES, false)
}

function readFields(
  reader: WireReader,
  fields: KeyFields,
  known: Uint8Array,
  wantsValue: boolean,
): void {
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case KEY:
        fields.key = known.length > 0 ? reader.lentOr(known) : reader.lent()
        break
      case CREATE_REVISION:
        fields.createRevision = reader.int()
        break
      case MOD_REVISION:
        fields.modRevision = reader.int()
        break
      case VERSION:
        fields.version = reader.int()
        break
      case VALUE:
        if (wantsValue) fields.value = reader.lent()
        else reader.skip(tag)
        break
      case LEASE:
        fields.lease = reader.int64()
        break
      default:
        refuseKnownField(reader, tag, 6)
        reader.skip(tag)
    }
  }
}

const EVENT_TYPE = (1 << 3) | WIRE_VARINT
const EVENT_KV = (2 << 3) | WIRE_LENGTH
const EVENT_PREV_KV = (3 << 3) | WIRE_LENGTH

/** `event` as bytes of its own. */
export function encodeEvent(event: Event): Uint8Array {
  const kvSize = sizeOfKeyValue(event.kv)
  const prevSize = event.prevKv === undefined ? 0 : sizeOfKeyValue(event.prevKv)
  let size = 1 + sizeOfVarint(kvSize) + kvSize
  if (event.type === 'delete') size += 2
  if (event.prevKv !== undefined) size += 1 + sizeOfVarint(prevSize) + prevSize
  const bytes = new Uint8Array(size)
  let at = 0
  if (event.type === 'delete') {
    bytes[at++] = EVENT_TYPE
    bytes[at++] = 1
  }
  bytes[at++] = EVENT_KV
  at = writeKeyValue(bytes, writeVarint(bytes, at, kvSize), event.kv)
  if (event.prevKv !== undefined) {
    bytes[at++] = EVENT_PREV_KV
    writeKeyValue(bytes, writeVarint(bytes, at, prevSize), event.prevKv)
  }
  return bytes
}

const EMPTY_KEY_VALUE: KeyValue = {
  key: EMPTY_BYTES,
  createRevision: 0,
  modRevision: 0,
  version: 0,
  value: EMPTY_BYTES,
  lease: 0n,
}

/** Decodes an Event. The bytes in it are views of `bytes`. @throws {DecodeError} */
export function decodeEvent(bytes: Uint8Array): Event {
  const reader = new WireReader(bytes)
  let type: EventType = 'put'
  let kv = EMPTY_KEY_VALUE
  let prevKv: KeyValue | undefined
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case EVENT_TYPE: {
        const at = reader.position
        const value = reader.int()
        if (value !== 0 && value !== 1) throw new DecodeError(`unknown event type ${value}`, at)
        type = value === 1 ? 'delete' : 'put'
        break
      }
      case EVENT_KV:
        kv = decodeKeyValue(reader.lent())
        break
      case EVENT_PREV_KV:
        prevKv = decodeKeyValue(reader.lent())
        break
      default:
        refuseKnownField(reader, tag, 3)
        reader.skip(tag)
    }
  }
  return { type, kv, prevKv }
}
