/**
 * Iterates over a span in key order at one revision, a key at a time, over any length of time.
 *
 * It holds no engine transaction: each step reads through the one it is given, which holds the
 * revision as long as that was not compacted away. Between steps the index may change.
 */

import type { KeyCursor } from './key-cursor.ts'
import type { KeyIndex } from './key-index.ts'
import { KeyState } from './key-records.ts'
import { isWithinBounds, spanCursor } from './range-scan.ts'
import type { MakeResult } from './range-scan.ts'
import type { RangeRequest } from './request.ts'
import type { Rows } from './rows.ts'

/** Keys passed over without a result before a step ends, so that none takes long. */
const STEP_KEYS = 256

/** `more`: nothing found in this step, call again. */
export type ScanStep<T> = { readonly found: T } | 'more' | 'end'

export class KeyScan {
  readonly #index: KeyIndex
  readonly #request: RangeRequest
  readonly #cursor: KeyCursor
  readonly #state = new KeyState()
  #left: number
  /** The revision that is read. */
  readonly revision: number

  constructor(index: KeyIndex, request: RangeRequest, revision: number) {
    this.#index = index
    this.#request = request
    this.#left = request.limit
    this.revision = revision
    this.#cursor = spanCursor(index, request, { isDescending: request.isDescending })
  }

  /** The next key, read through `rows`. */
  step<T>(rows: Rows, make: MakeResult<T>): ScanStep<T> {
    if (this.#left === 0) return 'end'
    const state = this.#state
    for (let i = 0; i < STEP_KEYS; i++) {
      if (!this.#cursor.next()) {
        this.#left = 0
        return 'end'
      }
      const isLive = this.#index.load(this.#cursor.record, this.revision, state)
      if (!isLive || !isWithinBounds(this.#request, state)) continue
      this.#left--
      const key = this.#cursor.key
      this.#cursor.park()
      return { found: make(rows.glance(key, state)) }
    }
    this.#cursor.park()
    return 'more'
  }
}
