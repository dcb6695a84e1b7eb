/**
 * Reads the frames of a segment, one after the other, and looks at what stands behind the last.
 *
 * The file is read in windows; each window is memory of its own, so payloads stay valid as long as
 * they are held.
 */

import type { DiskFile } from '../disk/disk.ts'
import type { FrameHead, FrameWindow } from './format.ts'
import {
  FRAME_ALIGNMENT,
  FRAME_HEADER_SIZE,
  isFrameSound,
  probeFrame,
  readFrameHead,
  viewOf,
} from './format.ts'

/** Little enough that a core's cache holds it while its frames are read. */
const WINDOW_SIZE = 128 * 1024
const LOOK_SIZE = 1024 * 1024
const NO_WINDOW: FrameWindow = { bytes: new Uint8Array(0), view: new DataView(new ArrayBuffer(0)) }

/** A frame that was read, in the window that holds it. */
export class Frame {
  readonly txid: number
  readonly syncedThrough: number
  readonly offset: number
  readonly size: number
  readonly checksum: number
  readonly chainIn: number
  /** What holds it, from `payloadStart` to `payloadEnd`. */
  readonly bytes: Uint8Array
  readonly payloadStart: number
  readonly payloadEnd: number

  /** The frame of `size` bytes at `at`, which is at `offset` in its segment. */
  constructor({ bytes, view }: FrameWindow, at: number, head: FrameHead, place: Place) {
    this.txid = head.txid
    this.syncedThrough = head.syncedThrough
    this.offset = place.offset
    this.size = place.size
    this.checksum = view.getUint32(at + 4, true)
    this.chainIn = head.chainIn
    this.bytes = bytes
    this.payloadStart = at + FRAME_HEADER_SIZE
    this.payloadEnd = this.payloadStart + head.payloadSize
  }

  get payloadSize(): number {
    return this.payloadEnd - this.payloadStart
  }

  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadStart, this.payloadEnd)
  }
}

interface Place {
  readonly offset: number
  readonly size: number
}

/** Where reading begins. */
export interface FramePlace {
  /** Of the segment. */
  readonly seed: number
  readonly offset: number
  /** Where the segment ends. */
  readonly end: number
  /** What the next frame must have. */
  readonly txid: number
  readonly chainIn: number
}

export class FrameReader {
  readonly #file: DiskFile
  readonly #seed: number
  readonly #end: number
  #window: FrameWindow = NO_WINDOW
  #windowStart = 0
  #offset: number
  #txid: number
  #chain: number

  constructor(file: DiskFile, place: FramePlace) {
    this.#file = file
    this.#seed = place.seed
    this.#offset = place.offset
    this.#end = place.end
    this.#txid = place.txid
    this.#chain = place.chainIn
  }

  /** Where the next frame begins. */
  get offset(): number {
    return this.#offset
  }

  /** The txid the next frame must have. */
  get txid(): number {
    return this.#txid
  }

  /** Checksum of the frame before. */
  get chain(): number {
    return this.#chain
  }

  /** The next frame, or undefined where none that belongs there begins. Then nothing moves. */
  next(): Frame | undefined {
    const offset = this.#offset
    if (offset + FRAME_HEADER_SIZE > this.#end) return undefined
    if (!this.#cover(FRAME_HEADER_SIZE)) return undefined
    const size = probeFrame(this.#window.view, offset - this.#windowStart)
    if (size === 0 || offset + size > this.#end || !this.#cover(size)) return undefined
    const at = offset - this.#windowStart
    const { view } = this.#window
    if (!isFrameSound(this.#window, at, size, this.#seed)) return undefined
    const head = readFrameHead(view, at)
    if (head === undefined || head.txid !== this.#txid || head.chainIn !== this.#chain) {
      return undefined
    }
    const frame = new Frame(this.#window, at, head, { offset, size })
    this.#offset += size
    this.#txid += 1
    this.#chain = frame.checksum
    return frame
  }

  /** Forgets what was read ahead: a writer may have gone on since. */
  refresh(): void {
    this.#window = NO_WINDOW
  }

  /** Whether the window holds `size` bytes from the offset on, after reading where it must. */
  #cover(size: number): boolean {
    const end = this.#offset + size
    const isInside = this.#offset >= this.#windowStart
    if (isInside && end <= this.#windowStart + this.#window.bytes.length) return true
    const wanted = Math.min(Math.max(size, WINDOW_SIZE), this.#end - this.#offset)
    const bytes = new Uint8Array(wanted)
    const count = this.#file.read(bytes, this.#offset)
    const held = bytes.subarray(0, count)
    this.#window = { bytes: held, view: viewOf(held) }
    this.#windowStart = this.#offset
    return count >= size
  }
}

/** What stands behind the last good frame of a segment. */
export interface Remains {
  /** The end of the last byte that isn't zero; `offset` where all are. */
  readonly end: number
  /** A frame which says that the one missing at `offset` had been synced. */
  readonly witness: { readonly offset: number; readonly txid: number } | undefined
}

/**
 * Looks through `[place.offset, place.end)`, where no frame `place.txid` begins. Every frame counts
 * that is valid by itself: the chain is broken here.
 */
export function lookBehind(file: DiskFile, place: FramePlace): Remains {
  let end = place.offset
  let witness: Remains['witness']
  for (let start = place.offset; start < place.end; start += LOOK_SIZE) {
    // A head may lie across the end of a window.
    const sizeMax = LOOK_SIZE + FRAME_HEADER_SIZE
    const bytes = new Uint8Array(Math.min(sizeMax, place.end - start))
    const held = bytes.subarray(0, file.read(bytes, start))
    const last = lastNonZero(held)
    if (last === -1) continue
    end = Math.max(end, start + last + 1)
    witness ??= findWitness(file, held, { ...place, offset: start })
  }
  return { end, witness }
}

const ZEROS: Buffer = Buffer.alloc(4096)

function lastNonZero(bytes: Uint8Array): number {
  let end = bytes.length
  while (end > 0) {
    const start = Math.max(0, end - ZEROS.length)
    if (ZEROS.compare(bytes, start, end, 0, end - start) !== 0) break
    end = start
  }
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return end - 1
}

/** `place.offset` is where `held` begins. */
function findWitness(file: DiskFile, held: Uint8Array, place: FramePlace): Remains['witness'] {
  const view = viewOf(held)
  const count = Math.min(held.length - FRAME_HEADER_SIZE, LOOK_SIZE - FRAME_ALIGNMENT)
  for (let at = 0; at <= count; at += FRAME_ALIGNMENT) {
    const size = probeFrame(view, at)
    if (size === 0 || place.offset + at + size > place.end) continue
    const head = readFrameHead(view, at)
    if (head === undefined || head.syncedThrough < place.txid) continue
    const bytes = new Uint8Array(size)
    if (file.read(bytes, place.offset + at) < size) continue
    if (!isFrameSound({ bytes, view: viewOf(bytes) }, 0, size, place.seed)) continue
    return { offset: place.offset + at, txid: head.txid }
  }
  return undefined
}
