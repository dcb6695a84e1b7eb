/** What a job that reads lines is told, and what it tells. */

import type { Fields } from '../fields.ts'
import type { Progress } from '../types/maintenance.ts'
import type { LineReader } from './line-reader.ts'

export class Arriving {
  readonly signal: AbortSignal | undefined
  readonly #onProgress: ((progress: Progress) => void) | undefined
  readonly #sizeBytes: number

  constructor(fields: Fields) {
    this.signal = fields.signal()
    this.#onProgress = fields.onProgress()
    this.#sizeBytes = fields.integer('sizeBytes', 0) ?? 0
  }

  /** Tells how far it has come. @throws the signal's reason */
  look({ byteCount: doneBytes }: LineReader): void {
    this.signal?.throwIfAborted()
    this.#onProgress?.({ doneBytes, totalBytes: Math.max(doneBytes, this.#sizeBytes) })
  }

  /** Tells that it is through. */
  end({ byteCount: doneBytes }: LineReader): void {
    this.#onProgress?.({ doneBytes, totalBytes: doneBytes })
  }
}
