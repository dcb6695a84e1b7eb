/**
 * Follows a log while it is written: yields each group once it is durable, across segments, and
 * waits for more. Never sees what may still be lost.
 *
 * A follower holds no segment: one that is dropped while it is read is read to its end, and then,
 * or before its first group, a follower that is further behind learns that it is too late.
 */

import { CorruptionError, KvError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { SEGMENT_HEADER_SIZE } from './format.ts'
import { FrameReader } from './frames.ts'
import type { LogGroup } from '../base/log-group.ts'
import type { Log } from './log.ts'
import { decodeGroup } from './replay.ts'
import { openSegment } from './segment-files.ts'
import type { SegmentFile } from './segment-files.ts'
import type { SegmentPlace } from './segment-list.ts'

export interface FollowOptions {
  readonly disk: Disk
  /** The groups after this one are wanted. */
  readonly fromTxid: number
  /** Ends the wait: the iteration throws `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The groups after `fromTxid`, for ever; ends when the log is closed or poisoned and all that is
 * durable was yielded. Groups' bytes stay valid.
 *
 * @throws {KvError} `KV_NOT_FOUND` where the next group's segment was dropped (`Log.dropBefore`),
 *   `KV_CORRUPT`
 */
export async function* followLog(
  log: Log,
  options: FollowOptions,
): AsyncGenerator<LogGroup, void, void> {
  const cursor = new Cursor(log, options.disk, options.fromTxid + 1)
  try {
    while (await log.syncedBeyond(cursor.txid - 1, options.signal)) {
      const through = log.syncedThrough
      cursor.refresh()
      while (cursor.txid <= through) {
        options.signal?.throwIfAborted()
        yield cursor.next()
      }
    }
  } finally {
    cursor.close()
  }
}

function dropped(txid: number): KvError {
  return new KvError('KV_NOT_FOUND', `the log's segment with group ${txid} was dropped`)
}

/** A place in the segments of a log. */
class Cursor {
  readonly #log: Log
  readonly #disk: Disk
  #txid: number
  #place: SegmentPlace | undefined
  #segment: SegmentFile | undefined
  #reader: FrameReader | undefined

  constructor(log: Log, disk: Disk, txid: number) {
    this.#log = log
    this.#disk = disk
    this.#txid = txid
  }

  /** The group that comes next. */
  get txid(): number {
    return this.#txid
  }

  refresh(): void {
    this.#reader?.refresh()
  }

  /** The next group, which is durable. */
  next(): LogGroup {
    const reader = this.#readerAt(this.#txid)
    const path = this.#place?.path ?? ''
    for (;;) {
      const frame = reader.next()
      if (frame === undefined) {
        // What it still had open ends here, and what followed is gone.
        const { segments } = this.#log
        if (!segments.some((place) => place === this.#place)) throw dropped(this.#txid)
        const reason = `the frame of group ${reader.txid} is damaged`
        throw new CorruptionError(reason, { file: path, offset: reader.offset })
      }
      if (frame.txid < this.#txid) continue
      this.#txid += 1
      return decodeGroup(path, frame)
    }
  }

  close(): void {
    this.#segment?.file.close()
    this.#segment = undefined
    this.#reader = undefined
  }

  #readerAt(txid: number): FrameReader {
    const place = this.#log.segments.findLast((segment) => segment.firstTxid <= txid)
    if (this.#reader !== undefined && (place === undefined || place === this.#place)) {
      return this.#reader
    }
    if (place === undefined) throw dropped(txid)
    this.close()
    const segment = openSegment(this.#disk, place, this.#log.identity)
    const { header, seed, sizeBytes } = segment
    this.#place = place
    this.#segment = segment
    this.#reader = new FrameReader(segment.file, {
      seed,
      offset: SEGMENT_HEADER_SIZE,
      end: sizeBytes,
      txid: header.firstTxid,
      chainIn: header.chainIn,
    })
    return this.#reader
  }
}
