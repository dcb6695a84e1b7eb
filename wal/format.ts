/**
 * The bytes of a segment: its header and its frames (docs/wal-format.md). All integers are
 * little-endian.
 *
 * Header, the first 512 bytes:
 *
 *   0    8   magic "rvboltwl"
 *   8    4   format version, 1
 *   12   4   0
 *   16   16  store id
 *   32   4   log id
 *   36   4   timeline
 *   40   8   sequence, the segment's number
 *   48   8   first txid
 *   56   8   synced through: the newest txid that was durable before this file got its name
 *   64   4   chain-in: checksum of the frame before the first one; 0 where there is none
 *   68   4   salt
 *   72   8   size: how long the segment is, header included; the file is at least that long
 *   80   …   zeros
 *   508  4   CRC-32 of the 508 bytes before it
 *
 * Frame, at a multiple of 8:
 *
 *   0   4   magic "frm1"
 *   4   4   checksum: CRC-32 of byte 8 to the end, padding included, begun from the header's
 *   8   4   payload size
 *   12  4   chain-in: the checksum of the frame before
 *   16  8   txid
 *   24  8   synced through: the newest txid known durable when this was written
 *   32  …   payload, then zeros up to a multiple of 8
 *
 * A frame is valid by itself if magic, sizes and checksum are right; it belongs where it stands if
 * its chain-in and txid also follow from the frame before. A frame of another segment is never
 * valid: each checksum begins from the checksum of its segment's header, which holds a salt.
 */

import { crc32 } from 'node:zlib'
import { assert } from '../base/assert.ts'
import { readU64, writeU64 } from '../base/bytes.ts'

export const FORMAT_VERSION = 1
export const SEGMENT_HEADER_SIZE = 512
export const STORE_ID_SIZE = 16
export const FRAME_HEADER_SIZE = 32
export const FRAME_ALIGNMENT = 8
/** How large a group's payload may be. */
export const PAYLOAD_SIZE_MAX: number = 1024 * 1024 * 1024

const SEGMENT_MAGIC = [0x6f627672, 0x6c77746c] as const
export const FRAME_MAGIC = 0x316d7266

const AT_CHECKSUM = 508
const TXID_MAX: number = Number.MAX_SAFE_INTEGER

/** What all segments of one log share. */
export interface LogIdentity {
  /** 16 bytes that tell stores apart. */
  readonly storeId: Uint8Array
  /** A u32 that tells the logs of one store apart. */
  readonly logId: number
  /** A u32: new after every restore, so that no two histories share a name. */
  readonly timeline: number
}

/** A segment's first bytes, decoded: see docs/wal-format.md. */
export interface SegmentHeader extends LogIdentity {
  readonly sequence: number
  readonly firstTxid: number
  readonly syncedThrough: number
  readonly chainIn: number
  readonly salt: number
  readonly sizeBytes: number
}

/** What stands in front of a payload. */
export interface FrameHead {
  readonly payloadSize: number
  readonly chainIn: number
  readonly txid: number
  readonly syncedThrough: number
}

export type HeaderFault = 'magic' | 'checksum' | 'version' | 'fields'

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Begins the checksums of a segment's frames. */
export function seedOf(header: Uint8Array): number {
  return viewOf(header).getUint32(AT_CHECKSUM, true)
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  assert(header.storeId.length === STORE_ID_SIZE, 'a store id has 16 bytes')
  const bytes = new Uint8Array(SEGMENT_HEADER_SIZE)
  const view = viewOf(bytes)
  view.setUint32(0, SEGMENT_MAGIC[0], true)
  view.setUint32(4, SEGMENT_MAGIC[1], true)
  view.setUint32(8, FORMAT_VERSION, true)
  bytes.set(header.storeId, 16)
  view.setUint32(32, header.logId, true)
  view.setUint32(36, header.timeline, true)
  writeU64(view, 40, header.sequence)
  writeU64(view, 48, header.firstTxid)
  writeU64(view, 56, header.syncedThrough)
  view.setUint32(64, header.chainIn, true)
  view.setUint32(68, header.salt, true)
  writeU64(view, 72, header.sizeBytes)
  view.setUint32(AT_CHECKSUM, crc32(bytes.subarray(0, AT_CHECKSUM)), true)
  return bytes
}

/** Reads a header; a string says what is wrong with it. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | HeaderFault {
  if (bytes.length < SEGMENT_HEADER_SIZE) return 'magic'
  const view = viewOf(bytes)
  const isOurs =
    view.getUint32(0, true) === SEGMENT_MAGIC[0] && view.getUint32(4, true) === SEGMENT_MAGIC[1]
  if (!isOurs) return 'magic'
  if (view.getUint32(AT_CHECKSUM, true) !== crc32(bytes.subarray(0, AT_CHECKSUM))) return 'checksum'
  if (view.getUint32(8, true) !== FORMAT_VERSION) return 'version'
  const header: SegmentHeader = {
    storeId: bytes.slice(16, 16 + STORE_ID_SIZE),
    logId: view.getUint32(32, true),
    timeline: view.getUint32(36, true),
    sequence: readU64(view, 40),
    firstTxid: readU64(view, 48),
    syncedThrough: readU64(view, 56),
    chainIn: view.getUint32(64, true),
    salt: view.getUint32(68, true),
    sizeBytes: readU64(view, 72),
  }
  const { sequence, firstTxid, syncedThrough, sizeBytes } = header
  const largest = Math.max(sequence, firstTxid, syncedThrough, sizeBytes)
  return largest > TXID_MAX ? 'fields' : header
}

/** The room a frame takes. */
export function frameSize(payloadSize: number): number {
  const size = FRAME_HEADER_SIZE + payloadSize
  return Math.ceil(size / FRAME_ALIGNMENT) * FRAME_ALIGNMENT
}

/**
 * Writes the head of the frame at `at`, whose payload and padding are there already; returns its
 * checksum. `seed` is the segment's.
 */
export function sealFrame(
  { bytes, view }: FrameWindow,
  at: number,
  head: FrameHead,
  seed: number,
): number {
  view.setUint32(at, FRAME_MAGIC, true)
  view.setUint32(at + 8, head.payloadSize, true)
  view.setUint32(at + 12, head.chainIn, true)
  writeU64(view, at + 16, head.txid)
  writeU64(view, at + 24, head.syncedThrough)
  const size = frameSize(head.payloadSize)
  const checksum = checksumOf(bytes, at, size, seed)
  view.setUint32(at + 4, checksum, true)
  return checksum
}

function checksumOf(bytes: Uint8Array, at: number, size: number, seed: number): number {
  // Half as long as `subarray` takes.
  return crc32(new Uint8Array(bytes.buffer, bytes.byteOffset + at + 8, size - 8), seed)
}

/**
 * The size of the frame that may begin at `at`, by its magic and sizes alone; 0: there is none.
 * `at + FRAME_HEADER_SIZE` lies within the view.
 */
export function probeFrame(view: DataView, at: number): number {
  if (view.getUint32(at, true) !== FRAME_MAGIC) return 0
  const payloadSize = view.getUint32(at + 8, true)
  return payloadSize > PAYLOAD_SIZE_MAX ? 0 : frameSize(payloadSize)
}

/** Whether the checksum of the frame `[at, at + size)` is right. */
export function isFrameSound(window: FrameWindow, at: number, size: number, seed: number): boolean {
  return window.view.getUint32(at + 4, true) === checksumOf(window.bytes, at, size, seed)
}

/** Bytes of a segment, and the view to read their fields through. */
export interface FrameWindow {
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** The head of a sound frame; undefined where an id is out of range. */
export function readFrameHead(view: DataView, at: number): FrameHead | undefined {
  const txid = readU64(view, at + 16)
  const syncedThrough = readU64(view, at + 24)
  if (txid > TXID_MAX || syncedThrough > txid) return undefined
  return {
    payloadSize: view.getUint32(at + 8, true),
    chainIn: view.getUint32(at + 12, true),
    txid,
    syncedThrough,
  }
}

const NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/
const TEMPORARY_NAME = /^[0-9]+\.tmp$/

export function segmentName(sequence: number, firstTxid: number): string {
  return `${hex(sequence)}-${hex(firstTxid)}.wal`
}

/** What a name says; undefined where it is no segment's. */
export function parseSegmentName(
  name: string,
): { readonly sequence: number; readonly firstTxid: number } | undefined {
  const match = NAME.exec(name)
  if (match === null) return undefined
  const sequence = Number.parseInt(match[1] ?? '', 16)
  const firstTxid = Number.parseInt(match[2] ?? '', 16)
  return Math.max(sequence, firstTxid) > TXID_MAX ? undefined : { sequence, firstTxid }
}

/** The name of a segment that is being prepared. */
export function temporaryName(number: number): string {
  return `${number}.tmp`
}

export function isTemporaryName(name: string): boolean {
  return TEMPORARY_NAME.test(name)
}

function hex(value: number): string {
  return value.toString(16).padStart(16, '0')
}
