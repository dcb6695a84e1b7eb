/**
 * One range, read in steps, so that whoever reads a large one can let others run in between.
 *
 * In key order it reads a row only for what it returns. What is behind the limit, or only counted,
 * is not gone over: the index knows how many there are, unless the revision is long past. Sorted by
 * a revision or version, it sorts what the index knows and then reads the rows within the limit.
 * Only sorted by value does it read every row of the span.
 *
 * The engine transaction must stay open until the last step; rows are lent to `make` one at a time.
 */

import { assert } from '../base/assert.ts'
import { EMPTY_BYTES, compareBytes } from '../base/bytes.ts'
import type { KeyValue } from '../proto/mvccpb.ts'
import type { CursorRange, KeyCursor } from './key-cursor.ts'
import type { KeyIndex } from './key-index.ts'
import { KeyState } from './key-records.ts'
import { TO_LAST_KEY } from './request.ts'
import type { KeySpan, RangeRequest, RangeResult } from './request.ts'
import type { Rows } from './rows.ts'

/** Makes a result of a row. The row's bytes are lent for the call. */
export type MakeResult<T> = (kv: KeyValue) => T

/** What is read: the index and the rows, as they were at `revision`. */
export interface RangeSource {
  readonly index: KeyIndex
  readonly rows: Rows
  readonly revision: number
}

/** A key found, to be sorted and read later. */
interface Candidate {
  readonly key: Uint8Array
  readonly state: KeyState
  readonly rank: number
  readonly value: Uint8Array
}

export class RangeScan<T> {
  readonly #source: RangeSource
  readonly #request: RangeRequest
  readonly #make: MakeResult<T>
  readonly #cursor: KeyCursor
  readonly #state = new KeyState()
  readonly #kvs: T[] = []
  /** Only when sorting by something else than the key. */
  #candidates: Candidate[] = []
  #count = 0
  #matched = 0
  #phase: 'walk' | 'fetch' | 'done' = 'walk'
  #fetched = 0

  constructor(source: RangeSource, request: RangeRequest, make: MakeResult<T>) {
    this.#source = source
    this.#request = request
    this.#make = make
    this.#cursor = spanCursor(source.index, request, {
      isDescending: request.isDescending && request.sortBy === 'key',
    })
    if (request.isCountOnly) this.#endCounted()
  }

  /** Reads on for about `keyMax` keys; true when all is read. */
  step(keyMax: number): boolean {
    let left = keyMax
    while (this.#phase !== 'done' && left > 0) {
      left--
      if (this.#phase === 'walk') this.#walk()
      else this.#fetch()
    }
    if (this.#phase === 'walk') this.#cursor.park()
    return this.#phase === 'done'
  }

  /** Reads all there is left and returns the result. */
  finish(): RangeResult<T> {
    while (!this.step(Infinity));
    return this.result()
  }

  result(): RangeResult<T> {
    assert(this.#phase === 'done', 'the range is not read yet')
    const request = this.#request
    return {
      type: 'range',
      kvs: this.#kvs,
      count: this.#count,
      more: !request.isCountOnly && this.#matched > request.limit,
    }
  }

  #walk(): void {
    const source = this.#source
    const state = this.#state
    if (!this.#cursor.next()) {
      this.#endWalk()
      return
    }
    if (!source.index.load(this.#cursor.record, source.revision, state)) return
    this.#count++
    const request = this.#request
    if (request.isCountOnly || !isWithinBounds(request, state)) return
    this.#matched++
    if (request.sortBy !== 'key') this.#candidates.push(this.#candidate())
    else if (this.#matched <= request.limit) {
      this.#kvs.push(this.#make(source.rows.glance(this.#cursor.key, state)))
    } else if (this.#matched === request.limit + 1) {
      this.#endCounted()
    }
  }

  /** Ends the walk where the rest can be counted without it. */
  #endCounted(): void {
    const { index, revision } = this.#source
    const { start, end } = boundsOf(this.#request)
    const count = index.countLive(start, end, revision)
    if (count === undefined) return
    this.#count = count
    this.#phase = 'done'
  }

  #endWalk(): void {
    const request = this.#request
    this.#phase = 'done'
    if (request.sortBy === 'key') return
    // The sort is stable: what is equal stays in ascending key order, in both directions.
    const sign = request.isDescending ? -1 : 1
    this.#candidates.sort(
      request.sortBy === 'value'
        ? (a, b) => sign * compareBytes(a.value, b.value)
        : (a, b) => sign * (a.rank - b.rank),
    )
    if (this.#candidates.length > request.limit) this.#candidates.length = request.limit
    if (this.#candidates.length > 0) this.#phase = 'fetch'
  }

  #fetch(): void {
    const candidate = this.#candidates[this.#fetched]
    assert(candidate !== undefined, 'fetched beyond the end')
    this.#kvs.push(this.#make(this.#source.rows.glance(candidate.key, candidate.state)))
    this.#fetched++
    if (this.#fetched < this.#candidates.length) return
    this.#candidates = []
    this.#phase = 'done'
  }

  #candidate(): Candidate {
    const state = this.#state.copy()
    const key = this.#cursor.key
    switch (this.#request.sortBy) {
      case 'version':
        return { key, state, rank: state.version, value: EMPTY_BYTES }
      case 'createRevision':
        return { key, state, rank: state.createMain, value: EMPTY_BYTES }
      case 'modRevision':
        return { key, state, rank: state.modMain, value: EMPTY_BYTES }
      default:
        return { key, state, rank: 0, value: this.#source.rows.get(key, state).value }
    }
  }
}

/** A cursor over the keys of a span. */
export function spanCursor(
  index: KeyIndex,
  span: KeySpan,
  options: { readonly isDescending?: boolean } = {},
): KeyCursor {
  return index.cursor({ ...boundsOf(span), isDescending: options.isDescending ?? false })
}

function boundsOf(span: KeySpan): CursorRange {
  if (span.end === undefined) {
    // Nothing lies between a key and the key with a zero byte appended.
    const end = new Uint8Array(span.key.length + 1)
    end.set(span.key)
    return { start: span.key, end }
  }
  const isOpen = span.end.length === 1 && span.end[0] === TO_LAST_KEY[0]
  return { start: span.key, end: isOpen ? undefined : span.end }
}

export function isWithinBounds(request: RangeRequest, state: KeyState): boolean {
  return (
    state.modMain >= request.minModRevision &&
    state.modMain <= request.maxModRevision &&
    state.createMain >= request.minCreateRevision &&
    state.createMain <= request.maxCreateRevision
  )
}
