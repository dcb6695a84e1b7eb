/**
 * The end of a log, where frames are laid out: at `append`, ahead of what is written.
 */

import type { LogGroup } from '../base/log-group.ts'
import type { Random } from '../base/random.ts'
import type { Batch } from './batch.ts'
import { SEGMENT_HEADER_SIZE, frameSize } from './format.ts'
import { writeEntries } from './group-writer.ts'
import type { PayloadSize } from './group-writer.ts'
import { FIRST_SEGMENT_BYTES, GROWTH } from './log-options.ts'
import type { LogStart } from './log-start.ts'
import type { Preparation } from './preparation.ts'
import { Segment } from './segment.ts'

export class LogTail {
  readonly #start: LogStart
  readonly #random: Random
  readonly #segmentBytes: number
  #segment: Segment
  #offset: number
  #chain: number
  #lastTxid: number

  /** `segmentBytes`: how long segments get. */
  constructor(start: LogStart, random: Random, segmentBytes: number) {
    this.#start = start
    this.#random = random
    this.#segmentBytes = segmentBytes
    this.#segment = start.segment
    this.#offset = start.offset
    this.#chain = start.chain
    this.#lastTxid = start.lastTxid
  }

  /** The one frames are laid out in. */
  get segment(): Segment {
    return this.#segment
  }

  /** Where the next frame goes. */
  get offset(): number {
    return this.#offset
  }

  get lastTxid(): number {
    return this.#lastTxid
  }

  /** Whether no frame stands in the segment. */
  get isEmpty(): boolean {
    return this.#offset === SEGMENT_HEADER_SIZE
  }

  /** What is left of the segment. */
  get leftBytes(): number {
    return this.#segment.sizeBytes - this.#offset
  }

  get nextSegmentBytes(): number {
    const grown = Math.max(FIRST_SEGMENT_BYTES, this.#segment.sizeBytes * GROWTH)
    return Math.min(this.#segmentBytes, grown)
  }

  /** Lays the group out, for which there is room. */
  add(batch: Batch, group: LogGroup, payload: PayloadSize, syncedThrough: number): void {
    const { txid, entries } = group
    const payloadSize = payload.byteCount
    const at = batch.begin(payloadSize)
    writeEntries(entries, payload, batch.room, at)
    const head = { payloadSize, chainIn: this.#chain, txid, syncedThrough }
    this.#chain = batch.end(head, this.#segment.seed)
    this.#lastTxid = txid
    this.#offset += frameSize(payloadSize)
  }

  /** Goes on in a segment to come, with room for a frame of that size. */
  plan(size: number, preparation: Preparation): void {
    const needed = SEGMENT_HEADER_SIZE + size
    const ready = preparation.takeReady(needed)
    const header = {
      ...this.#start.identity,
      sequence: this.#segment.header.sequence + 1,
      firstTxid: this.#lastTxid + 1,
      syncedThrough: this.#lastTxid,
      chainIn: this.#chain,
      salt: this.#random.u32(),
      sizeBytes: ready?.sizeBytes ?? Math.max(this.nextSegmentBytes, needed),
    }
    this.#segment = new Segment(this.#start.disk, this.#start.directory, header)
    if (ready !== undefined) this.#segment.attach(ready)
    this.#offset = SEGMENT_HEADER_SIZE
  }

  /** Has the next segment prepared when half of this one is full. */
  lookAhead(preparation: Preparation): void {
    const { leftBytes } = this
    const { sizeBytes } = this.#segment
    if (leftBytes < sizeBytes / 2) preparation.start(this.nextSegmentBytes)
    if (leftBytes < sizeBytes / 4) preparation.hurry()
  }
}
