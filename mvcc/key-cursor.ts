/**
 * A position in the key index that moves in key order through a range of keys.
 *
 * It is before the first key until `next()`. Between two moves the index may change: a cursor that
 * was `park()`ed finds its place again by key, so keys that came meanwhile are seen if they lie
 * ahead. Without `park()` the index must not have got or lost keys since the last move.
 *
 * The cursor passes over every key that the index knows, also those without a live revision: `load`
 * tells.
 */

import { assert } from '../base/assert.ts'
import { compareBytes, copyBytes } from '../base/bytes.ts'
import type { KeyRecords } from './key-records.ts'
import type { KeyTree, LeafPlace } from './key-tree.ts'

export interface CursorRange {
  /** Inclusive. */
  readonly start: Uint8Array
  /** Exclusive; undefined: to the last key. */
  readonly end: Uint8Array | undefined
  readonly isDescending?: boolean
}

export class KeyCursor {
  readonly #tree: KeyTree
  readonly #records: KeyRecords
  readonly #range: CursorRange
  readonly #place: LeafPlace = { leaf: 0, position: 0 }
  readonly #stop: LeafPlace = { leaf: 0, position: 0 }
  #isStarted = false
  #version = 0
  #record = 0
  #parkedKey: Uint8Array | undefined

  constructor(tree: KeyTree, records: KeyRecords, range: CursorRange) {
    this.#tree = tree
    this.#records = records
    this.#range = range
  }

  /** The record under the cursor; 0 before the first move and after the last. */
  get record(): number {
    return this.#record
  }

  /** The key under the cursor, as a view that is valid until the index loses the key. */
  get key(): Uint8Array {
    assert(this.#record !== 0, 'the cursor is on no key')
    return this.#records.key(this.#record)
  }

  /** Moves on; false at the end of the range. */
  next(): boolean {
    if (!this.#isStarted || this.#version !== this.#tree.version) this.#find()
    else if (this.#record === 0) return false
    else if (this.#range.isDescending !== true) this.#place.position++
    this.#parkedKey = undefined
    return this.#range.isDescending === true ? this.#stepBack() : this.#step()
  }

  /** Prepares for changes of the index before the next move. */
  park(): void {
    if (this.#record !== 0) this.#parkedKey = copyBytes(this.#records.key(this.#record))
  }

  /** Puts the place where the next key is, ascending, or just behind it, descending. */
  #find(): void {
    const tree = this.#tree
    const parked = this.#parkedKey
    const range = this.#range
    assert(!this.#isStarted || parked !== undefined || this.#record === 0, 'cursor was not parked')
    this.#version = tree.version
    if (range.isDescending === true) {
      tree.seek(range.start, this.#stop)
      const below = parked ?? range.end
      if (below === undefined) this.#toEdge()
      else tree.seek(below, this.#place)
    } else {
      if (range.end === undefined) this.#stop.leaf = 0
      else tree.seek(range.end, this.#stop)
      const isAtKey = tree.seek(parked ?? range.start, this.#place)
      if (parked !== undefined && isAtKey) this.#place.position++
    }
    this.#normalize(this.#stop)
    // A range whose end lies before its start holds nothing, and its stop is never met.
    const isEmpty = range.end !== undefined && compareBytes(range.start, range.end) >= 0
    if (isEmpty || (this.#isStarted && this.#record === 0)) this.#place.leaf = 0
    this.#isStarted = true
  }

  #step(): boolean {
    const place = this.#place
    this.#normalize(place)
    const isEnd =
      place.leaf === 0 || (place.leaf === this.#stop.leaf && place.position === this.#stop.position)
    this.#record = isEnd ? 0 : this.#tree.recordAt(place.leaf, place.position)
    return !isEnd
  }

  #stepBack(): boolean {
    const place = this.#place
    if (place.leaf !== 0) {
      if (this.#isBehindStop()) place.leaf = 0
      else if (place.position > 0) place.position--
      else {
        place.leaf = this.#tree.previousLeaf(place.leaf)
        if (place.leaf !== 0) place.position = this.#tree.countOf(place.leaf) - 1
      }
    }
    this.#record = place.leaf === 0 ? 0 : this.#tree.recordAt(place.leaf, place.position)
    return this.#record !== 0
  }

  /** Whether the place is where a descending range ends: its first key, already visited. */
  #isBehindStop(): boolean {
    const { leaf, position } = this.#place
    const stop = this.#stop
    if (leaf === stop.leaf && position === stop.position) return true
    // The place may be behind its leaf's last key, which is before the next leaf's first one.
    if (position < this.#tree.countOf(leaf)) return false
    const next = this.#tree.nextLeaf(leaf)
    return stop.leaf === next && (next === 0 || stop.position === 0)
  }

  /** Moves a place behind its leaf's last record to the next leaf; leaf 0 is behind everything. */
  #normalize(place: LeafPlace): void {
    if (place.leaf === 0 || place.position < this.#tree.countOf(place.leaf)) return
    place.leaf = this.#tree.nextLeaf(place.leaf)
    place.position = 0
  }

  #toEdge(): void {
    this.#place.leaf = this.#tree.edgeLeaf(true)
    this.#place.position = this.#tree.countOf(this.#place.leaf)
  }
}
