/**
 * Looks into a log without changing it: what stands in each segment, and what opening would make of
 * the whole.
 *
 * Two walks, which a person wants apart:
 *   - `walk()` goes through every segment, and on with the next one where one is damaged;
 *   - `judge()` does what recovery does before it writes anything, and stops where that would
 *     refuse.
 *
 * Nothing is locked. Beside a store that is open the last frames may look torn: they are being
 * written. `walk()` never takes a write for damage. `judge()` reads as recovery does, which has the
 * log to itself: see there.
 */

import { KvError, isKvError } from '../base/errors.ts'
import type { LogGroup } from '../base/log-group.ts'
import type { Disk } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { parseSegmentName } from './format.ts'
import type { SegmentHeader } from './format.ts'
import { Frame } from './frames.ts'
import type { FrameReader } from './frames.ts'
import { newestHeader } from './identity.ts'
import { decodeGroup, findLog, missingText, readGroups, readerOf, restOf } from './replay.ts'
import type { TornTail } from './replay.ts'
import { findSegments, openSegment } from './segment-files.ts'
import type { ExpectedLog, SegmentFile } from './segment-files.ts'
import type { SegmentPlace } from './segment-list.ts'

/** How the frames of a segment end. Offsets are bytes from the start of the file. */
export type SegmentEnd =
  /** The next segment goes on; so many frames behind its beginning count no more. */
  | { readonly kind: 'continued'; readonly voidFrames: number }
  /** Zeros follow. */
  | { readonly kind: 'open' }
  /** A write that was never finished, and never acknowledged. */
  | { readonly kind: 'torn'; readonly offset: number; readonly sizeBytes: number }
  | { readonly kind: 'damaged'; readonly offset: number; readonly reason: string }
  /** Its header can't be read, or it belongs to another log: nothing of it can be. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It was there when the walk began. */
  | { readonly kind: 'gone' }

/** What a segment of the log was, when all of it had been read. */
export interface SegmentReport {
  readonly name: string
  readonly path: string
  /** Undefined where the segment was refused, or is gone. */
  readonly header: SegmentHeader | undefined
  readonly groups: number
  /** The newest group; the one before the segment's first where it has none. */
  readonly lastTxid: number
  /** Header and frames, in bytes. */
  readonly usedBytes: number
  readonly end: SegmentEnd
}

/** What a walk meets, in order: a segment's groups, and then what the segment was. */
export type LogEvent =
  | {
      readonly kind: 'group'
      readonly path: string
      readonly offset: number
      readonly sizeBytes: number
      /** The newest group that was known to be durable when this one was written. */
      readonly syncedThrough: number
      readonly group: LogGroup
    }
  | { readonly kind: 'segment'; readonly segment: SegmentReport }

/** What opening would do. */
export type LogVerdict =
  | {
      readonly kind: 'sound'
      readonly lastTxid: number
      /** Groups that may be in the page cache only: opening writes them again. */
      readonly unsyncedGroups: number
      /** What opening would cut off. */
      readonly torn: TornTail | undefined
    }
  /** It would be refused, for this reason. Nothing would be changed. */
  | { readonly kind: 'refused'; readonly error: KvError }

/** What `inspectLog` takes. */
export interface InspectOptions {
  /** Default: the machine's. */
  readonly disk?: Disk
  /**
   * The newest commit that the data file has: older segments are not needed. Default: the groups of
   * the longest row of segments that ends with the newest.
   */
  readonly fromTxid?: number | undefined
}

interface WalkOptions {
  readonly next: SegmentPlace | undefined
  readonly expected: Partial<ExpectedLog>
  /** What the segment must begin with; undefined where that is not known. */
  readonly chain: number | undefined
}

/** A look at a log: its segments, what is in them, and what recovery would make of it. */
export class LogInspection {
  /** The segments found, oldest first; not empty. */
  readonly segments: readonly { readonly name: string; readonly path: string }[]
  /** The newest commit that the data file has, or is taken to have. */
  readonly fromTxid: number
  readonly #disk: Disk
  readonly #places: readonly SegmentPlace[]
  /** Undefined where a single segment is looked at. */
  readonly #directory: string | undefined

  constructor(disk: Disk, places: readonly SegmentPlace[], fromTxid?: number, directory?: string) {
    this.#disk = disk
    this.#places = places
    this.#directory = directory
    this.segments = places.map(({ path }) => ({ name: baseName(path), path }))
    this.fromTxid = fromTxid ?? rowStart(places) - 1
  }

  /**
   * Everything that can be read, segment by segment. Groups' bytes stay valid.
   *
   * @throws {KvError} `KV_IO`
   */
  *walk(): Generator<LogEvent, void, void> {
    const expected = this.#expected()
    let before: { readonly place: SegmentPlace; readonly chain: number } | undefined
    for (const [i, place] of this.#places.entries()) {
      const next = this.#places[i + 1]
      const isRow = before !== undefined && before.place.sequence + 1 === place.sequence
      const options = { next, expected, chain: isRow ? before?.chain : undefined }
      const chain = yield* this.#walkSegment(place, options)
      before = chain === undefined ? undefined : { place, chain }
    }
  }

  /** Whose log it is, by its newest segment, where that can be read. */
  #expected(): Partial<ExpectedLog> {
    if (this.#directory === undefined) return {}
    try {
      return newestHeader(this.#disk, this.#directory) ?? {}
    } catch (error) {
      if (!isKvError(error) || error.code === 'KV_IO') throw error
      return {}
    }
  }

  /** Returns the checksum that the next segment must begin with, where that is known. */
  *#walkSegment(
    place: SegmentPlace,
    { next, expected, chain }: WalkOptions,
  ): Generator<LogEvent, number | undefined, void> {
    const { path } = place
    let segment: SegmentFile
    try {
      segment = openSegment(this.#disk, place, expected)
    } catch (error) {
      const end = endOfUnreadable(error)
      const none = { header: undefined, groups: 0, lastTxid: place.firstTxid - 1, usedBytes: 0 }
      yield { kind: 'segment', segment: { name: baseName(path), path, ...none, end } }
      return undefined
    }
    try {
      const { header } = segment
      const reader = readerOf(segment)
      const isCut = chain !== undefined && header.chainIn !== chain
      let end: SegmentEnd | undefined = isCut
        ? { kind: 'damaged', offset: 64, reason: 'it does not continue the segment before' }
        : undefined
      let groups = 0
      let syncedThrough = header.syncedThrough
      let { offset: usedBytes, chain: chainOut, txid } = reader
      while (end === undefined) {
        const found = frameOrEnd(segment, reader, next, syncedThrough)
        if (!(found instanceof Frame)) {
          end = found
          break
        }
        ;({ offset: usedBytes, chain: chainOut, txid } = reader)
        syncedThrough = Math.max(syncedThrough, found.syncedThrough)
        const { offset, size: sizeBytes } = found
        try {
          const group = decodeGroup(path, found)
          const known = found.syncedThrough
          yield { kind: 'group', path, offset, sizeBytes, syncedThrough: known, group }
          groups++
        } catch (error) {
          if (!isKvError(error)) throw error
          end = { kind: 'damaged', offset, reason: error.message }
        }
      }
      const counts = { groups, lastTxid: txid - 1, usedBytes }
      yield { kind: 'segment', segment: { name: baseName(path), path, header, ...counts, end } }
      return end.kind === 'continued' ? chainOut : undefined
    } finally {
      segment.file.close()
    }
  }

  /**
   * What opening would do, as recovery decides it. Yields after each group, for whoever wants to do
   * something else meanwhile.
   *
   * Beside a store that is open, a refusal may be of that moment only: a frame was written, or a
   * segment dropped, while it was looked at. Damage is what is refused at the same place by a
   * second inspection that was begun after the first, with the data file's commit read anew.
   *
   * @throws {KvError} `KV_IO`, `KV_NOT_FOUND` where a segment that is looked at alone is gone
   */
  *judge(): Generator<void, LogVerdict, void> {
    const disk = this.#disk
    const { fromTxid } = this
    if (this.#directory === undefined) return yield* this.#judgeSegment()
    const directory = this.#directory
    try {
      const header = newestHeader(disk, directory)
      if (header === undefined) throw gone(directory)
      const { storeId, logId, timeline } = header
      const options = { disk, directory, fromTxid, storeId, logId, timeline }
      const found = findLog(options)
      if (found === undefined) throw gone(directory)
      const { lastTxid, syncedThrough, torn } = found.end
      const groups = readGroups(options, found)
      while (groups.next().done !== true) yield
      return { kind: 'sound', lastTxid, unsyncedGroups: lastTxid - syncedThrough, torn }
    } catch (error) {
      return refusalOf(error)
    }
  }

  /** A segment alone: as if it were the newest one, and nothing known of what was synced. */
  *#judgeSegment(): Generator<void, LogVerdict, void> {
    for (const event of this.walk()) {
      if (event.kind === 'group') {
        yield
        continue
      }
      const { path, end, lastTxid, header } = event.segment
      if (end.kind === 'gone') break
      if (end.kind === 'damaged' || end.kind === 'refused') {
        const code = end.kind === 'damaged' ? 'KV_CORRUPT' : 'KV_BAD_FILE'
        return { kind: 'refused', error: new KvError(code, `${path}: ${end.reason}`) }
      }
      const torn =
        end.kind === 'torn'
          ? { file: path, offset: end.offset, sizeBytes: end.sizeBytes }
          : undefined
      const known = Math.min(header?.syncedThrough ?? 0, lastTxid)
      return { kind: 'sound', lastTxid, unsyncedGroups: lastTxid - known, torn }
    }
    throw gone(this.segments[0]?.path ?? '')
  }
}

/**
 * Looks into the log at `path`: a segment, a directory of segments, or a data directory, whose log
 * is in `wal/`.
 *
 * @throws {KvError} `KV_NOT_FOUND` where there is no segment, `KV_IO`
 */
export function inspectLog(path: string, options: InspectOptions = {}): LogInspection {
  const { disk = new RealDisk(), fromTxid } = options
  const resolved = disk.resolve(path)
  const named = parseSegmentName(baseName(resolved))
  if (named !== undefined) {
    if (!disk.exists(resolved)) throw new KvError('KV_NOT_FOUND', `${resolved}: it is not there`)
    return new LogInspection(disk, [{ ...named, path: resolved }], named.firstTxid - 1)
  }
  for (const directory of [resolved, disk.join(resolved, 'wal')]) {
    const places = findSegments(disk, directory)
    if (places.length > 0) return new LogInspection(disk, places, fromTxid, directory)
  }
  throw new KvError('KV_NOT_FOUND', `${resolved}: no segment of a log is there`)
}

function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
}

/** The first txid of the longest row of segments without a gap that ends with the newest. */
function rowStart(places: readonly SegmentPlace[]): number {
  let at = places.length - 1
  while (at > 0 && places[at - 1]?.sequence === (places[at] as SegmentPlace).sequence - 1) at--
  return places[at]?.firstTxid ?? 1
}

function gone(path: string): KvError {
  return new KvError('KV_NOT_FOUND', `${path}: it is gone since the inspection began`)
}

function endOfUnreadable(error: unknown): SegmentEnd {
  if (!isKvError(error) || error.code === 'KV_IO') throw error
  if (error.code === 'KV_NOT_FOUND') return { kind: 'gone' }
  return { kind: 'refused', reason: error.message }
}

/** The next frame, or how the segment ends. A writer may go on while it is looked at. */
function frameOrEnd(
  segment: SegmentFile,
  reader: FrameReader,
  next: SegmentPlace | undefined,
  syncedThrough: number,
): Frame | SegmentEnd {
  // A frame from the next segment's first on is void: that segment begins with it.
  if (next === undefined || reader.txid < next.firstTxid) {
    const frame = reader.next() ?? readAgain(reader)
    if (frame !== undefined) return frame
  }
  const end = endOf(segment, reader, next, syncedThrough)
  // Whatever tells of a frame was written after it: one that came meanwhile is there by now.
  return end.kind === 'damaged' ? (readAgain(reader) ?? end) : end
}

/** The next frame, from the file as it is now. */
function readAgain(reader: FrameReader): Frame | undefined {
  reader.refresh()
  return reader.next()
}

/** What stands behind the last frame that was read. */
function endOf(
  segment: SegmentFile,
  reader: FrameReader,
  next: SegmentPlace | undefined,
  syncedThrough: number,
): SegmentEnd {
  const { offset, txid } = reader
  if (next !== undefined && txid >= next.firstTxid) {
    let voidFrames = 0
    while (reader.next() !== undefined) voidFrames++
    return { kind: 'continued', voidFrames }
  }
  const { damage, sizeBytes } =
    next === undefined
      ? restOf(segment, reader, syncedThrough)
      : { damage: `the log goes on with ${next.firstTxid}`, sizeBytes: 0 }
  if (damage !== undefined) return { kind: 'damaged', offset, reason: missingText(txid, damage) }
  return sizeBytes === 0 ? { kind: 'open' } : { kind: 'torn', offset, sizeBytes }
}

function refusalOf(error: unknown): LogVerdict {
  if (!isKvError(error) || error.code === 'KV_IO') throw error
  return { kind: 'refused', error }
}
