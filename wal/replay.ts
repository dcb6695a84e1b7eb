/**
 * Reads a log that nobody writes: its groups in order, and where it ends. Changes nothing on disk.
 *
 * The end. A frame that isn't valid where one should be is
 *   - damage, if it had been synced: a later frame, or the header of its own or a later segment,
 *     says so, or the caller knows (`syncedThrough`);
 *   - the torn tail else, which only the last segment can have: the log ends before it.
 */

import { CorruptionError, KvError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { SEGMENT_HEADER_SIZE } from './format.ts'
import type { LogIdentity } from './format.ts'
import { FrameReader, lookBehind } from './frames.ts'
import type { Frame } from './frames.ts'
import { PayloadError, decodeEntries } from './group.ts'
import type { LogGroup } from '../base/log-group.ts'
import { findSegments, openSegment, segmentsFrom } from './segment-files.ts'
import type { ExpectedLog, SegmentFile } from './segment-files.ts'
import type { SegmentPlace } from './segment-list.ts'

export interface ReplayOptions extends ExpectedLog {
  readonly disk: Disk
  readonly directory: string
  /** Where segments are that are no longer in the directory. Default: nowhere. */
  readonly archive?: string | undefined
  /** The groups after this one are wanted. */
  readonly fromTxid: number
  /**
   * The newest group that the caller knows to have been on the disk, such as the database's own
   * txid. Default: `fromTxid`.
   */
  readonly syncedThrough?: number | undefined
}

/** A torn tail. */
export interface TornTail {
  readonly file: string
  readonly offset: number
  /** From the offset to the last byte that isn't zero. */
  readonly sizeBytes: number
}

/** Where a log ends. */
export interface LogEnd {
  /** The last segment. */
  readonly segment: SegmentFile
  /** Where the next frame would go. */
  readonly offset: number
  readonly chain: number
  readonly lastTxid: number
  /** The newest group of which is known that it is on the disk, not in the page cache only. */
  readonly syncedThrough: number
  /** Where the first frame that may be in the page cache only stands, and the chain before it. */
  readonly unsyncedOffset: number
  readonly unsyncedChain: number
  readonly torn: TornTail | undefined
}

/** Segments that follow each other, and where reading them ends. */
export interface LogRow {
  /** From the one with `fromTxid + 1` on. */
  readonly segments: readonly SegmentPlace[]
  readonly identity: LogIdentity
  readonly end: Pick<LogEnd, 'lastTxid'>
}

/** A log as found. */
export interface FoundLog extends LogRow {
  /** All segments of the directory. */
  readonly places: readonly SegmentPlace[]
  readonly end: LogEnd
}

/**
 * Finds the log and its end; undefined where the directory has no segment.
 *
 * @throws {KvError} `KV_CORRUPT` (damage, a missing segment, a log that ends too soon),
 *   `KV_BAD_FILE` (of another store, log or timeline), `KV_BAD_VERSION`
 */
export function findLog(options: ReplayOptions): FoundLog | undefined {
  const { disk, directory, archive, fromTxid } = options
  const places = findSegments(disk, directory, archive)
  const last = places.at(-1)
  if (last === undefined) return undefined
  const segments = segmentsFrom(disk, places, fromTxid + 1)
  const segment = openSegment(disk, last, options)
  try {
    const end = findEnd(segment, options)
    const { storeId, logId, timeline } = segment.header
    return { places, segments, identity: { storeId, logId, timeline }, end }
  } finally {
    segment.file.close()
  }
}

export function readerOf(segment: SegmentFile): FrameReader {
  const { header, seed, sizeBytes } = segment
  return new FrameReader(segment.file, {
    seed,
    offset: SEGMENT_HEADER_SIZE,
    end: sizeBytes,
    txid: header.firstTxid,
    chainIn: header.chainIn,
  })
}

/** Where frames stand that may be in the page cache only: behind the last synced one. */
interface Mark {
  readonly txid: number
  readonly offset: number
  readonly chain: number
}

function findEnd(segment: SegmentFile, options: ReplayOptions): LogEnd {
  const { header } = segment
  const reader = readerOf(segment)
  const known = Math.max(header.syncedThrough, options.syncedThrough ?? 0, options.fromTxid)
  let syncedThrough = known
  const marks: Mark[] = [
    { txid: header.firstTxid - 1, offset: SEGMENT_HEADER_SIZE, chain: header.chainIn },
  ]
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    syncedThrough = Math.max(syncedThrough, frame.syncedThrough)
    marks.push({ txid: frame.txid, offset: reader.offset, chain: frame.checksum })
    while (marks[1] !== undefined && marks[1].txid <= syncedThrough) marks.shift()
  }
  const torn = judgeRest(segment, reader, syncedThrough)
  const [mark] = marks
  return {
    segment,
    offset: reader.offset,
    chain: reader.chain,
    lastTxid: reader.txid - 1,
    syncedThrough: Math.min(syncedThrough, reader.txid - 1),
    unsyncedOffset: mark?.offset ?? reader.offset,
    unsyncedChain: mark?.chain ?? reader.chain,
    torn,
  }
}

/** What stands behind the last good frame: nothing, a torn tail, or damage, which throws. */
function judgeRest(
  segment: SegmentFile,
  reader: FrameReader,
  syncedThrough: number,
): TornTail | undefined {
  const { offset } = reader
  const { damage: why, sizeBytes } = restOf(segment, reader, syncedThrough)
  if (why !== undefined) throw damage(segment, reader, why)
  return sizeBytes === 0 ? undefined : { file: segment.path, offset, sizeBytes }
}

/** What stands behind the last good frame of the last segment. */
export interface Rest {
  /** Why that frame can't be the last that was synced; undefined: it may be. */
  readonly damage: string | undefined
  /** From its end to the last byte that isn't zero. */
  readonly sizeBytes: number
}

/** `syncedThrough`: what the frames and those who know say was synced. */
export function restOf(segment: SegmentFile, reader: FrameReader, syncedThrough: number): Rest {
  const { offset, txid, chain } = reader
  if (txid <= syncedThrough) return { damage: `group ${syncedThrough} was synced`, sizeBytes: 0 }
  const { seed, sizeBytes: end } = segment
  const rest = lookBehind(segment.file, { seed, offset, end, txid, chainIn: chain })
  const { witness } = rest
  const why = witness && `the frame of ${witness.txid} at byte ${witness.offset} follows`
  return { damage: why, sizeBytes: rest.end - offset }
}

function damage(segment: SegmentFile, reader: FrameReader, why: string): CorruptionError {
  return new CorruptionError(missingText(reader.txid, why), {
    file: segment.path,
    offset: reader.offset,
  })
}

export function missingText(txid: number, why: string): string {
  return `group ${txid} is damaged or missing: ${why}`
}

/**
 * The groups after `fromTxid`, in order and without a gap, up to the end found. Decoded one at a
 * time; their bytes stay valid. The consumer may pause as long as it likes.
 *
 * @throws {KvError} as `findLog`
 */
export function* readGroups(
  options: ReplayOptions,
  found: LogRow,
): Generator<LogGroup, void, void> {
  const { disk, fromTxid } = options
  const { segments, end } = found
  const expected = { ...options, ...found.identity }
  let chain: number | undefined
  for (const [i, place] of segments.entries()) {
    const segment = openSegment(disk, place, expected)
    try {
      if (chain !== undefined && segment.header.chainIn !== chain) {
        const reason = 'it does not continue the segment before'
        throw new CorruptionError(reason, { file: segment.path, offset: 64 })
      }
      const lastTxid = segments[i + 1] === undefined ? end.lastTxid : endOf(segments[i + 1])
      const reader = readerOf(segment)
      while (reader.txid <= lastTxid) {
        const frame = reader.next()
        if (frame === undefined) throw damage(segment, reader, `the log goes on to ${end.lastTxid}`)
        if (frame.txid > fromTxid) yield decodeGroup(segment.path, frame)
      }
      chain = reader.chain
    } finally {
      segment.file.close()
    }
  }
}

function endOf(next: SegmentPlace | undefined): number {
  return (next?.firstTxid ?? 0) - 1
}

/** @throws {CorruptionError} where the frame, sound as it is, holds no group */
export function decodeGroup(path: string, frame: Frame): LogGroup {
  try {
    return {
      txid: frame.txid,
      entries: decodeEntries(frame.bytes, frame.payloadStart, frame.payloadEnd),
    }
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error
    const reason = `the frame of group ${frame.txid}: ${error.message}`
    throw new CorruptionError(reason, { file: path, offset: frame.offset }, { cause: error })
  }
}

/** The replay of a log, without a writer: for a store that is opened to be read only. */
export interface Replay {
  /** The newest group there; `fromTxid` where there is no log. */
  readonly lastTxid: number
  readonly torn: TornTail | undefined
  groups(): Generator<LogGroup, void, void>
}

/**
 * Reads the log and writes nothing. `KV_NOT_FOUND` where there is none.
 *
 * @throws {KvError} as `findLog`
 */
export function replayLog(options: ReplayOptions): Replay {
  const found = mustFind(options)
  const { lastTxid, torn } = found.end
  return { lastTxid, torn, groups: () => readGroups(options, found) }
}

export function mustFind(options: ReplayOptions): FoundLog {
  const found = findLog(options)
  if (found !== undefined) return found
  throw new KvError('KV_NOT_FOUND', `${options.directory}: no segment of a log is there`)
}
