/**
 * A batch: frames in a row that go to the disk in one write.
 */

import { assert } from '../base/assert.ts'
import { FRAME_HEADER_SIZE, frameSize, sealFrame, viewOf } from './format.ts'
import type { FrameHead, FrameWindow } from './format.ts'

const ROOM_MIN = 16 * 1024

export class Batch {
  /** Where in its segment it stands. */
  readonly start: number
  #room: FrameWindow
  #size = 0

  /** `room`: a buffer to fill, from a batch that is written and done with. */
  constructor(start: number, room: FrameWindow = roomOf(ROOM_MIN)) {
    this.start = start
    this.#room = room
  }

  get size(): number {
    return this.#size
  }

  /** The frames. They don't move any more once nothing is added. */
  get bytes(): Uint8Array {
    return this.#room.bytes.subarray(0, this.#size)
  }

  /** The buffer underneath: where payloads are written to, and for another batch. */
  get room(): FrameWindow {
    return this.#room
  }

  /** Makes room for a frame; returns where in `room` its payload is to be written. */
  begin(payloadSize: number): number {
    this.#makeRoom(this.#size + frameSize(payloadSize))
    return this.#size + FRAME_HEADER_SIZE
  }

  /** Adds the frame whose payload was written; returns its checksum. `seed` is the segment's. */
  end(head: FrameHead, seed: number): number {
    const start = this.#size
    const { payloadSize } = head
    const end = start + frameSize(payloadSize)
    const { bytes } = this.#room
    assert(end <= bytes.length, 'room was made for the frame')
    for (let at = start + FRAME_HEADER_SIZE + payloadSize; at < end; at++) bytes[at] = 0
    this.#size = end
    return sealFrame(this.#room, start, head, seed)
  }

  /** Adds a frame; returns its checksum. `seed` is the segment's. */
  add(payload: Uint8Array, head: FrameHead, seed: number): number {
    assert(payload.length === head.payloadSize, 'a frame head tells the size of its payload')
    const at = this.begin(payload.length)
    this.#room.bytes.set(payload, at)
    return this.end(head, seed)
  }

  #makeRoom(size: number): void {
    const { bytes } = this.#room
    if (size <= bytes.length) return
    const room = roomOf(Math.max(size, 2 * bytes.length))
    room.bytes.set(this.bytes)
    this.#room = room
  }
}

function roomOf(size: number): FrameWindow {
  const bytes = new Uint8Array(size)
  return { bytes, view: viewOf(bytes) }
}
