/**
 * The segments found in a directory, and whether they are one log.
 */

import { equalBytes } from '../base/bytes.ts'
import { CorruptionError, KvError, isKvError } from '../base/errors.ts'
import type { Disk, DiskFile } from '../disk/disk.ts'
import {
  FORMAT_VERSION,
  SEGMENT_HEADER_SIZE,
  decodeSegmentHeader,
  parseSegmentName,
  seedOf,
  segmentName,
} from './format.ts'
import type { SegmentHeader } from './format.ts'
import type { SegmentPlace } from './segment-list.ts'

/** Which log is expected. */
export interface ExpectedLog {
  /** Default: that of the newest segment. */
  readonly storeId?: Uint8Array | undefined
  readonly logId: number
  /** Default: that of the newest segment. */
  readonly timeline?: number | undefined
}

/** A segment opened for reading. */
export interface SegmentFile {
  readonly path: string
  readonly file: DiskFile
  readonly header: SegmentHeader
  readonly seed: number
  readonly sizeBytes: number
}

/**
 * The segments by their names, oldest first. None where there is no such directory. `archive`:
 * where older ones were moved to. A move that power cut short leaves a segment in one of the two.
 */
export function findSegments(disk: Disk, directory: string, archive?: string): SegmentPlace[] {
  const places = new Map<string, SegmentPlace>()
  for (const at of archive === undefined ? [directory] : [archive, directory]) {
    for (const name of listOrNone(disk, at)) {
      const parsed = parseSegmentName(name)
      if (parsed !== undefined) places.set(name, { ...parsed, path: disk.join(at, name) })
    }
  }
  return [...places.values()].sort((a, b) => a.sequence - b.sequence)
}

/** The names in a directory; none where it is missing. */
export function listOrNone(disk: Disk, directory: string): string[] {
  try {
    return disk.list(directory)
  } catch (error) {
    if (isKvError(error, 'KV_NOT_FOUND')) return []
    throw error
  }
}

/**
 * Which of the segments hold the groups from `txid` on: the last one that begins at or before it,
 * and all after. Those must follow each other; what is older may have holes, since power may fail
 * while segments are dropped.
 *
 * @throws {CorruptionError} where one is missing
 */
export function segmentsFrom(
  disk: Disk,
  places: readonly SegmentPlace[],
  txid: number,
): readonly SegmentPlace[] {
  const first = places.findLastIndex((place) => place.firstTxid <= txid)
  const needed = places.slice(Math.max(first, 0))
  const [oldest] = needed
  if (first === -1 && oldest !== undefined) {
    const reason = `the log begins at txid ${oldest.firstTxid}; the segment with ${txid} is missing`
    throw new CorruptionError(reason, { file: oldest.path })
  }
  needed.forEach((place, i) => {
    const before = needed[i - 1]
    if (before === undefined) return
    const missing = `${segmentName(before.sequence + 1, 0).slice(0, 16)}-*.wal`
    if (place.sequence !== before.sequence + 1 || place.firstTxid < before.firstTxid) {
      const reason = `it does not follow ${before.path}; missing: ${missing}`
      throw new CorruptionError(reason, { file: disk.resolve(place.path) })
    }
  })
  return needed
}

/**
 * Opens a segment and checks that it is what its name says, and of the expected log.
 *
 * @throws {KvError} `KV_BAD_FILE` (another log's), `KV_BAD_VERSION`, `KV_CORRUPT`
 */
export function openSegment(
  disk: Disk,
  place: SegmentPlace,
  expected: Partial<ExpectedLog>,
): SegmentFile {
  const file = disk.open(place.path, { mode: 'read' })
  try {
    const bytes = new Uint8Array(SEGMENT_HEADER_SIZE)
    file.read(bytes, 0)
    const header = headerOf(bytes, place.path)
    mustMatch(header, place, expected)
    const { sizeBytes } = header
    const found = file.size()
    if (found < sizeBytes) {
      const reason = `the segment is cut short: ${found} of ${sizeBytes} bytes are there`
      throw new CorruptionError(reason, { file: place.path, offset: found })
    }
    return { path: place.path, file, header, seed: seedOf(bytes), sizeBytes }
  } catch (error) {
    file.close()
    throw error
  }
}

function headerOf(bytes: Uint8Array, path: string): SegmentHeader {
  const header = decodeSegmentHeader(bytes)
  switch (header) {
    case 'magic':
      throw new CorruptionError('it does not begin as a segment of the log', {
        file: path,
        offset: 0,
      })
    case 'checksum':
      throw new CorruptionError("the header's checksum is wrong", { file: path, offset: 0 })
    case 'fields':
      throw new CorruptionError('the header names ids above 2^53 - 1', { file: path, offset: 0 })
    case 'version':
      throw new KvError(
        'KV_BAD_VERSION',
        `${path}: a log of another format version; this release reads ${FORMAT_VERSION}`,
      )
    default:
      return header
  }
}

function mustMatch(
  header: SegmentHeader,
  place: SegmentPlace,
  expected: Partial<ExpectedLog>,
): void {
  const { path } = place
  const belongsTo = (what: string): KvError =>
    new KvError('KV_BAD_FILE', `${path}: the segment belongs to another ${what}`)
  if (expected.storeId !== undefined && !equalBytes(header.storeId, expected.storeId))
    throw belongsTo('store')
  if (expected.logId !== undefined && header.logId !== expected.logId) {
    throw belongsTo(`log of the store: ${header.logId}, not ${expected.logId}`)
  }
  if (expected.timeline !== undefined && header.timeline !== expected.timeline) {
    throw belongsTo(`timeline of the log: ${header.timeline}, not ${expected.timeline}`)
  }
  if (header.sequence !== place.sequence || header.firstTxid !== place.firstTxid) {
    const named = segmentName(header.sequence, header.firstTxid)
    throw new CorruptionError(`its header says that it is ${named}`, { file: path, offset: 40 })
  }
}
