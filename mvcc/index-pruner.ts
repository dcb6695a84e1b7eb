/**
 * Prunes the key index after a compaction, a few keys at a time.
 *
 * It goes over all keys in order; keys that come meanwhile are met or not, and the next compaction
 * meets them.
 */

import { EMPTY_BYTES } from '../base/bytes.ts'
import type { KeyCursor } from './key-cursor.ts'
import type { KeyIndex } from './key-index.ts'

export class IndexPruner {
  readonly #index: KeyIndex
  readonly #main: number
  readonly #cursor: KeyCursor

  /** Prunes to `main`: see `KeyIndex.prune`. */
  constructor(index: KeyIndex, main: number) {
    this.#index = index
    this.#main = main
    this.#cursor = index.cursor({ start: EMPTY_BYTES, end: undefined })
  }

  /** Looks at up to `keyMax` keys; true when it has been at all of them. */
  step(keyMax: number): boolean {
    const cursor = this.#cursor
    for (let i = 0; i < keyMax; i++) {
      if (!cursor.next()) return true
      // Losing the key under it moves the others.
      if (this.#index.mayForget(cursor.record, this.#main)) cursor.park()
      this.#index.prune(cursor.record, this.#main)
    }
    cursor.park()
    return false
  }
}
