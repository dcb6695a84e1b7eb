/**
 * Recovery: finds the end of the log, makes sure that all up to there is on the disk, and hands out
 * the groups and then a log that goes on.
 *
 * What was found may be in the page cache only: a process was killed before its sync returned, or a
 * sync failed. So before anyone sees a group, those of which no frame says that they had been
 * synced are written again, into a new segment that begins with them, with a salt of its own:
 *
 *   1. the new segment, under a temporary name: header, the frames, zeros; full sync
 *   2. rename; directory sync; from here on it is the last segment
 *   3. in the segment before, zeros over what was written again and over the torn tail; data sync
 *
 * Cut before 2, the next recovery finds what this one found. Cut after it, the new segment's first
 * txid says where the one before ends, whatever stands behind.
 *
 * Where nothing has to be written again and no tail is torn, the last segment is gone on with.
 */

import { CorruptionError, KvError } from '../base/errors.ts'
import type { Disk, DiskFile } from '../disk/disk.ts'
import { Batch } from './batch.ts'
import type { SegmentHeader } from './format.ts'
import {
  SEGMENT_HEADER_SIZE,
  encodeSegmentHeader,
  frameSize,
  seedOf,
  segmentName,
  temporaryName,
} from './format.ts'
import { FrameReader } from './frames.ts'
import type { LogGroup } from '../base/log-group.ts'
import { Log } from './log.ts'
import { FIRST_SEGMENT_BYTES } from './log-options.ts'
import type { LogOptions } from './log-options.ts'
import { removeTemporaries } from './preparation.ts'
import { findLog, mustFind, readGroups } from './replay.ts'
import type { FoundLog, LogEnd, ReplayOptions, TornTail } from './replay.ts'
import { Segment } from './segment.ts'
import { findSegments, openSegment } from './segment-files.ts'
import { SegmentList } from './segment-list.ts'

export interface RecoverOptions extends ReplayOptions {
  readonly log: LogOptions
  /** Begin a log after `fromTxid` where there is none. Default false: `KV_NOT_FOUND`. */
  readonly isCreated?: boolean | undefined
}

export interface RecoveryReport {
  /** The newest group of the log. */
  readonly lastTxid: number
  readonly segmentCount: number
  /** What was cut off. */
  readonly torn: TornTail | undefined
  /** How many groups were written again. */
  readonly rewrittenGroups: number
}

/** Where writing goes on. */
interface Continuation {
  readonly segment: Segment
  readonly offset: number
  readonly chain: number
}

const WRITE_BYTES = 1024 * 1024

export class Recovery {
  readonly report: RecoveryReport
  readonly #options: RecoverOptions
  readonly #found: FoundLog
  readonly #next: Continuation

  constructor(
    options: RecoverOptions,
    found: FoundLog,
    next: Continuation,
    report: RecoveryReport,
  ) {
    this.#options = options
    this.#found = found
    this.#next = next
    this.report = report
  }

  /** The groups after `fromTxid`, all of them durable. See `readGroups`. */
  groups(): Generator<LogGroup, void, void> {
    return readGroups(this.#options, this.#found)
  }

  /** The log, to go on with after the last group. Call it once. */
  start(): Log {
    const { disk, directory } = this.#options
    const { places, identity, end } = this.#found
    return new Log(
      {
        ...this.#next,
        disk,
        directory,
        identity,
        segments: new SegmentList(disk, directory, places),
        lastTxid: end.lastTxid,
        heldBytes: heldBytes(disk, this.#found),
      },
      this.#options.log,
    )
  }

  /** Gives the log up without starting it. */
  close(): void {
    this.#next.segment.close()
  }
}

/**
 * Recovers the log in a directory, or begins one. Everything it does may be cut short by a power
 * loss, and done again.
 *
 * @throws {KvError} `KV_NOT_FOUND` (no log), `KV_CORRUPT` (damage, a missing segment),
 *   `KV_BAD_FILE` (of another store, log or timeline), `KV_BAD_VERSION`, `KV_NO_SPACE`, `KV_IO`;
 *   nothing is lost
 */
export function recoverLog(options: RecoverOptions): Recovery {
  const { disk, directory } = options
  const found = findLog(options)
  if (found === undefined) return beginLog(options)
  removeTemporaries(disk, directory)
  const { end } = found
  const isUnsynced = end.lastTxid > end.syncedThrough
  if (!isUnsynced && end.torn === undefined) {
    // Its name may be in the page cache only.
    disk.syncDirectory(directory)
    return continueIn(options, found, 0)
  }
  const rewritten = rewriteTail(options, found)
  clearTail(disk, end)
  const renewed = mustFind({ ...options, ...found.identity })
  return continueIn(options, renewed, rewritten, end.torn)
}

function continueIn(
  options: RecoverOptions,
  found: FoundLog,
  rewrittenGroups: number,
  torn?: TornTail,
): Recovery {
  const { disk } = options
  const { end } = found
  const file = disk.open(end.segment.path, { mode: 'write' })
  const segment = Segment.ofFile(disk, end.segment.header, file)
  const next = { segment, offset: end.offset, chain: end.chain }
  const { lastTxid } = end
  const report = { lastTxid, segmentCount: found.places.length, torn, rewrittenGroups }
  return new Recovery(options, found, next, report)
}

/** How long the segments are that are needed, up to the end of the log. */
function heldBytes(disk: Disk, { segments, end }: FoundLog): number {
  let bytes = end.offset
  for (const { path } of segments.slice(0, -1)) {
    const file = disk.open(path, { mode: 'read' })
    bytes += file.size()
    file.close()
  }
  return bytes
}

/** Begins a log where there is none. */
function beginLog(options: RecoverOptions): Recovery {
  const { disk, directory, fromTxid, storeId, logId, timeline = 0 } = options
  if (options.isCreated !== true || storeId === undefined) {
    throw new KvError('KV_NOT_FOUND', `${directory}: no segment of a log is there`)
  }
  disk.makeDirectory(directory)
  disk.syncDirectory(disk.directoryOf(disk.resolve(directory)))
  removeTemporaries(disk, directory)
  const header: SegmentHeader = {
    storeId,
    logId,
    timeline,
    sequence: 1,
    firstTxid: fromTxid + 1,
    syncedThrough: fromTxid,
    chainIn: 0,
    salt: options.log.random.u32(),
    sizeBytes: firstSegmentBytes(options),
  }
  writeSegment(options, header, [])
  return continueIn(options, mustFind(options), 0)
}

function firstSegmentBytes(options: RecoverOptions): number {
  return Math.min(FIRST_SEGMENT_BYTES, options.log.segmentBytes ?? FIRST_SEGMENT_BYTES)
}

/** Step 1 and 2: the frames behind the last synced one, in a new segment. Returns how many. */
function rewriteTail(options: RecoverOptions, found: FoundLog): number {
  const { disk } = options
  const { end, identity } = found
  const firstTxid = end.syncedThrough + 1
  const room = end.offset - end.unsyncedOffset
  const header: SegmentHeader = {
    ...identity,
    sizeBytes: Math.max(firstSegmentBytes(options), SEGMENT_HEADER_SIZE + 2 * room),
    sequence: end.segment.header.sequence + 1,
    firstTxid,
    syncedThrough: end.lastTxid,
    chainIn: end.unsyncedChain,
    salt: options.log.random.u32(),
  }
  const [place] = findSegments(disk, options.directory).slice(-1)
  if (place === undefined) throw new CorruptionError('it is gone', { file: end.segment.path })
  const old = openSegment(disk, place, identity)
  try {
    const reader = new FrameReader(old.file, {
      seed: old.seed,
      offset: end.unsyncedOffset,
      end: end.offset,
      txid: firstTxid,
      chainIn: end.unsyncedChain,
    })
    writeSegment(options, header, batches(reader, header))
    return end.lastTxid - end.syncedThrough
  } finally {
    old.file.close()
  }
}

/** The frames that are left, as they stand in a segment with this header. */
function* batches(reader: FrameReader, header: SegmentHeader): Generator<Batch, void, void> {
  const seed = seedOf(encodeSegmentHeader(header))
  let batch = new Batch(SEGMENT_HEADER_SIZE)
  let chainIn = header.chainIn
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    const { payload, payloadSize, txid, syncedThrough } = frame
    if (batch.size > 0 && batch.size + frameSize(payloadSize) > WRITE_BYTES) {
      yield batch
      batch = new Batch(batch.start + batch.size)
    }
    chainIn = batch.add(payload, { payloadSize, chainIn, txid, syncedThrough }, seed)
  }
  if (batch.size > 0) yield batch
}

function writeSegment(
  options: RecoverOptions,
  header: SegmentHeader,
  frames: Iterable<Batch>,
): void {
  const { disk, directory } = options
  const path = disk.join(directory, temporaryName(0))
  const file = disk.open(path, { mode: 'createNew' })
  try {
    file.write(encodeSegmentHeader(header), 0)
    let end = SEGMENT_HEADER_SIZE
    for (const batch of frames) {
      file.write(batch.bytes, batch.start)
      end = batch.start + batch.size
    }
    file.allocate(end, header.sizeBytes - end)
    file.sync('full')
    disk.rename(path, disk.join(directory, segmentName(header.sequence, header.firstTxid)))
    disk.syncDirectory(directory)
    // Where directories can't be synced, a sync of the file makes its name durable.
    file.sync('full')
  } finally {
    file.close()
  }
}

/** Step 3. */
function clearTail(disk: Disk, end: LogEnd): void {
  const last = end.torn === undefined ? end.offset : end.torn.offset + end.torn.sizeBytes
  const file: DiskFile = disk.open(end.segment.path, { mode: 'write' })
  try {
    file.allocate(end.unsyncedOffset, last - end.unsyncedOffset)
    file.sync('data')
  } finally {
    file.close()
  }
}
