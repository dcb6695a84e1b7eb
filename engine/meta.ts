/**
 * The meta: one of two alternating root records, pages 0 and 1. The newer valid one is the
 * database.
 *
 * Layout behind the page header, 64 bytes, little-endian:
 *
 *   0  4  magic      META_MAGIC
 *   4  4  version    2
 *   8  4  pageSize
 *   12 4  flags      0 from bbolt, which keeps what it finds
 *   16 8  root       pgid of the root bucket's root page
 *   24 8  sequence   of the root bucket; bbolt keeps what it finds
 *   32 8  freelist   pgid of the freelist page, or all ones: not persisted
 *   40 8  pgid       the high-water mark: lowest page never allocated
 *   48 8  txid
 *   56 8  checksum   FNV-1a 64 of bytes 0…55
 *
 * Source: etcd-io/bbolt internal/common/meta.go @ 4e65d8f.
 */

import { readU64, writeU64 } from '../base/bytes.ts'
import {
  FORMAT_VERSION,
  META_MAGIC,
  META_MAGIC_BIG_ENDIAN,
  META_SIZE,
  PAGE_HEADER_SIZE,
  PAGE_META,
  isPageSize,
} from './format.ts'

/** A root record: one generation of the file. */
export interface Meta {
  readonly pageSizeBytes: number
  /** The extension room that bbolt keeps across its own commits. */
  readonly flags: number
  readonly rootPgid: number
  readonly rootSequence: bigint
  /** undefined: the freelist is not persisted and is found by a scan. */
  readonly freelistPgid: number | undefined
  readonly highWaterMark: number
  readonly txid: number
  /** Which of pages 0 and 1 holds it. */
  readonly slot: 0 | 1
}

/** Why a meta page can't be used. */
export type MetaFault =
  | { readonly kind: 'absent' }
  | { readonly kind: 'magic' }
  | { readonly kind: 'big-endian' }
  | { readonly kind: 'version'; readonly version: number }
  | { readonly kind: 'checksum' }
  | { readonly kind: 'fields'; readonly reason: string }

export type MetaReading = { readonly meta: Meta } | { readonly fault: MetaFault }

const FNV_PRIME_LOW = 0x1b3

/**
 * FNV-1a, 64 bits, as [low, high] halves. The prime is 2^40 + 0x1b3, so one step needs no bigint.
 */
export function fnv1a64(bytes: Uint8Array, start: number, end: number): [number, number] {
  let low = 0x84222325
  let high = 0xcbf29ce4
  for (let i = start; i < end; i++) {
    low = (low ^ (bytes[i] as number)) >>> 0
    const product = low * FNV_PRIME_LOW
    const carry = Math.floor(product / 4294967296)
    high = (Math.imul(high, FNV_PRIME_LOW) + carry + low * 256) >>> 0
    low = product >>> 0
  }
  return [low, high]
}

/** Reads the meta that begins at `offset` of `bytes`, the first byte behind the page header. */
export function decodeMeta(bytes: Uint8Array, offset: number, slot: 0 | 1): MetaReading {
  if (bytes.length < offset + META_SIZE) return { fault: { kind: 'absent' } }
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, META_SIZE)
  const magic = view.getUint32(0, true)
  if (magic === META_MAGIC_BIG_ENDIAN) return { fault: { kind: 'big-endian' } }
  if (magic !== META_MAGIC) return { fault: { kind: 'magic' } }
  const version = view.getUint32(4, true)
  if (version !== FORMAT_VERSION) return { fault: { kind: 'version', version } }
  const [low, high] = fnv1a64(bytes, offset, offset + 56)
  if (view.getUint32(56, true) !== low || view.getUint32(60, true) !== high) {
    return { fault: { kind: 'checksum' } }
  }
  const isPersisted =
    view.getUint32(32, true) !== 0xffffffff || view.getUint32(36, true) !== 0xffffffff
  const meta: Meta = {
    pageSizeBytes: view.getUint32(8, true),
    flags: view.getUint32(12, true),
    rootPgid: readU64(view, 16),
    rootSequence: view.getBigUint64(24, true),
    freelistPgid: isPersisted ? readU64(view, 32) : undefined,
    highWaterMark: readU64(view, 40),
    txid: readU64(view, 48),
    slot,
  }
  const reason = fieldFault(meta)
  return reason === undefined ? { meta } : { fault: { kind: 'fields', reason } }
}

/** A checksum can be right and the fields still impossible: a file made by hand, or hostile. */
function fieldFault(meta: Meta): string | undefined {
  if (!isPageSize(meta.pageSizeBytes)) return `page size ${meta.pageSizeBytes}`
  if (!Number.isSafeInteger(meta.txid)) return `txid beyond 2^53`
  if (!Number.isSafeInteger(meta.highWaterMark)) return `high-water mark beyond 2^53`
  if (meta.highWaterMark < 4 && !(meta.highWaterMark === 3 && meta.freelistPgid === undefined)) {
    return `high-water mark ${meta.highWaterMark}`
  }
  if (meta.rootPgid < 2 || meta.rootPgid >= meta.highWaterMark) return `root page ${meta.rootPgid}`
  const { freelistPgid } = meta
  if (freelistPgid !== undefined && (freelistPgid < 2 || freelistPgid >= meta.highWaterMark)) {
    return `freelist page ${freelistPgid}`
  }
  return undefined
}

/** The whole page image of a meta, ready to be written at `slot × pageSize`. */
export function encodeMetaPage(meta: Meta): Uint8Array {
  const bytes = new Uint8Array(meta.pageSizeBytes)
  const view = new DataView(bytes.buffer)
  writeU64(view, 0, meta.slot)
  view.setUint16(8, PAGE_META, true)
  const at = PAGE_HEADER_SIZE
  view.setUint32(at, META_MAGIC, true)
  view.setUint32(at + 4, FORMAT_VERSION, true)
  view.setUint32(at + 8, meta.pageSizeBytes, true)
  view.setUint32(at + 12, meta.flags, true)
  writeU64(view, at + 16, meta.rootPgid)
  view.setBigUint64(at + 24, meta.rootSequence, true)
  if (meta.freelistPgid === undefined) {
    view.setUint32(at + 32, 0xffffffff, true)
    view.setUint32(at + 36, 0xffffffff, true)
  } else {
    writeU64(view, at + 32, meta.freelistPgid)
  }
  writeU64(view, at + 40, meta.highWaterMark)
  writeU64(view, at + 48, meta.txid)
  const [low, high] = fnv1a64(bytes, at, at + 56)
  view.setUint32(at + 56, low, true)
  view.setUint32(at + 60, high, true)
  return bytes
}

/**
 * The first two pages of a file that holds one state only: the meta in the slot that its txid
 * belongs to, and the same state, one txid earlier, in the other.
 */
export function encodeMetaPair(meta: Meta): Uint8Array {
  const { txid } = meta
  const isEven = txid % 2 === 0
  const newest = encodeMetaPage({ ...meta, slot: isEven ? 0 : 1 })
  const older = encodeMetaPage({ ...meta, slot: isEven ? 1 : 0, txid: Math.max(0, txid - 1) })
  return Buffer.concat(isEven ? [newest, older] : [older, newest])
}

/**
 * The txid of the next commit. It is the next number whose parity names the slot that does *not*
 * hold the newest meta: bbolt's copies can hold an odd txid in slot 0, and one more would overwrite
 * it.
 */
export function nextTxid(newest: Meta): number {
  const next = newest.txid + 1
  return next % 2 === newest.slot ? next + 1 : next
}
