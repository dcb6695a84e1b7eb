/**
 * A batch: frames in a row that go to the disk in one write.
 */

import { assert } from '../base/assert.ts'
import { FRAME_HEADER_SIZE, frameSize, sealFrame } from './format.ts'
import type { FrameHead } from './format.ts'

const ROOM_MIN = 16 * 1024

export class Batch {
  /** Where in its segment it stands. */
  readonly start: number
  #room: Uint8Array
  #size = 0

  /** `room`: a buffer to fill, from a batch that is written and done with. */
  constructor(start: number, room: Uint8Array = new Uint8Array(ROOM_MIN)) {
    this.start = start
    this.#room = room
  }

  get size(): number {
    return this.#size
  }

  /** The frames. They don't move any more once nothing is added. */
  get bytes(): Uint8Array {
    return this.#room.subarray(0, this.#size)
  }

  /** The buffer underneath, for another batch. */
  get room(): Uint8Array {
    return this.#room
  }

  /** Adds a frame; returns its checksum. `seed` is the segment's. */
  add(payload: Uint8Array, head: FrameHead, seed: number): number {
    assert(payload.length === head.payloadSize, 'a frame head tells the size of its payload')
    const start = this.#size
    const end = start + frameSize(payload.length)
    this.#makeRoom(end)
    const payloadStart = start + FRAME_HEADER_SIZE
    this.#room.set(payload, payloadStart)
    this.#room.fill(0, payloadStart + payload.length, end)
    this.#size = end
    return sealFrame(this.#room.subarray(start, end), head, seed)
  }

  #makeRoom(size: number): void {
    if (size <= this.#room.length) return
    const room = new Uint8Array(Math.max(size, 2 * this.#room.length))
    room.set(this.bytes)
    this.#room = room
  }
}
