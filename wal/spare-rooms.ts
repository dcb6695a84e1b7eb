/** Buffers of batches that are written and done with, for others: a new one is zeros to be made. */

import type { Batch } from './batch.ts'
import type { FrameWindow } from './format.ts'

/** A larger one isn't kept. */
const SIZE_MAX = 1024 * 1024
const COUNT_MAX = 3

export class SpareRooms {
  readonly #rooms: FrameWindow[] = []

  take(): FrameWindow | undefined {
    return this.#rooms.pop()
  }

  /** Nobody may look at the batch's bytes any more. */
  keep({ room }: Batch): void {
    if (room.bytes.length <= SIZE_MAX && this.#rooms.length < COUNT_MAX) this.#rooms.push(room)
  }
}
