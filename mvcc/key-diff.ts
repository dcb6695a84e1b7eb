/**
 * What differs between two states of keys, in key order: of one store at two revisions, or of two
 * stores.
 *
 * It holds no engine transaction: each step reads through those it is given, which hold both
 * revisions as long as they were not compacted away. Between steps an index may change. Rows are
 * read only for keys that differ, where the index alone can tell: in one store a key is the same
 * where its newest row is the same row.
 */

import { compareBytes, equalBytes } from '../base/bytes.ts'
import type { KeyValue } from '../proto/mvccpb.ts'
import type { KeyCursor } from './key-cursor.ts'
import type { KeyIndex } from './key-index.ts'
import { KeyState } from './key-records.ts'
import type { ScanStep } from './key-scan.ts'
import { spanCursor } from './range-scan.ts'
import type { KeySpan } from './request.ts'
import type { Rows } from './rows.ts'

/** Keys passed over without a result before a step ends, so that none takes long. */
const STEP_KEYS = 256

/** The index of a store, and at which revision it is read. */
export interface DiffSide {
  readonly index: KeyIndex
  readonly revision: number
}

/** Where the rows of each side are read. */
export interface DiffRows {
  readonly before: Rows
  readonly after: Rows
}

export interface DiffRequest extends KeySpan {
  /** A key that was put anew with the value that it had is the same. */
  readonly byValue: boolean
}

/** Makes a result of what a key was and is; not both are undefined. They are lent for the call. */
export type MakeChange<T> = (before: KeyValue | undefined, after: KeyValue | undefined) => T

export class KeyDiff {
  readonly before: DiffSide
  readonly after: DiffSide
  readonly #isOneStore: boolean
  readonly #byValue: boolean
  readonly #walk: PairWalk
  readonly #was = new KeyState()
  readonly #is = new KeyState()

  constructor(before: DiffSide, after: DiffSide, { byValue, ...span }: DiffRequest) {
    this.before = before
    this.after = after
    this.#isOneStore = before.index === after.index
    this.#byValue = byValue
    const cursor = spanCursor(after.index, span)
    this.#walk = this.#isOneStore
      ? new OneWalk(cursor)
      : new TwoWalk(spanCursor(before.index, span), cursor)
  }

  /** The next key that differs. */
  step<T>(rows: DiffRows, make: MakeChange<T>): ScanStep<T> {
    const walk = this.#walk
    for (let i = 0; i < STEP_KEYS; i++) {
      if (!walk.next()) return 'end'
      const was = load(this.before, walk.beforeRecord, this.#was)
      const is = load(this.after, walk.afterRecord, this.#is)
      if (was === undefined && is === undefined) continue
      const key = walk.key
      if (this.#isSameRow(was, is)) continue
      const before = was === undefined ? undefined : rows.before.get(key, was)
      const after = is === undefined ? undefined : rows.after.get(key, is)
      if (this.#isSame(before, after)) continue
      const found = make(before, after)
      walk.park()
      return { found }
    }
    walk.park()
    return 'more'
  }

  #isSameRow(was: KeyState | undefined, is: KeyState | undefined): boolean {
    if (!this.#isOneStore || was === undefined || is === undefined) return false
    return was.modMain === is.modMain && was.modSub === is.modSub
  }

  #isSame(before: KeyValue | undefined, after: KeyValue | undefined): boolean {
    if (before === undefined || after === undefined) return false
    if (!equalBytes(before.value, after.value)) return false
    if (this.#byValue) return true
    return (
      before.modRevision === after.modRevision &&
      before.createRevision === after.createRevision &&
      before.version === after.version &&
      before.lease === after.lease
    )
  }
}

function load(
  { index, revision }: DiffSide,
  record: number,
  state: KeyState,
): KeyState | undefined {
  return record !== 0 && index.load(record, revision, state) ? state : undefined
}

/** Goes over the keys that either side knows, in order. */
interface PairWalk {
  /** Moves on; false at the end. */
  next(): boolean
  /** The key, as a view that is valid until an index loses it. */
  readonly key: Uint8Array
  /** Its records; 0: that side has none. */
  readonly beforeRecord: number
  readonly afterRecord: number
  /** Prepares for changes of the indexes before the next move. */
  park(): void
}

class OneWalk implements PairWalk {
  readonly #cursor: KeyCursor

  constructor(cursor: KeyCursor) {
    this.#cursor = cursor
  }

  next(): boolean {
    return this.#cursor.next()
  }

  get key(): Uint8Array {
    return this.#cursor.key
  }

  get beforeRecord(): number {
    return this.#cursor.record
  }

  get afterRecord(): number {
    return this.#cursor.record
  }

  park(): void {
    this.#cursor.park()
  }
}

/** A cursor on each side; the one that is ahead waits for the other. */
class TwoWalk implements PairWalk {
  readonly #before: KeyCursor
  readonly #after: KeyCursor
  /** Negative: the side before is at the key alone; positive: the side after; 0: both. */
  #order = 0
  #isStarted = false

  constructor(before: KeyCursor, after: KeyCursor) {
    this.#before = before
    this.#after = after
  }

  next(): boolean {
    if (!this.#isStarted || this.#order <= 0) this.#before.next()
    if (!this.#isStarted || this.#order >= 0) this.#after.next()
    this.#isStarted = true
    const [hasBefore, hasAfter] = [this.#before.record !== 0, this.#after.record !== 0]
    if (hasBefore && hasAfter) this.#order = compareBytes(this.#before.key, this.#after.key)
    else this.#order = hasBefore ? -1 : 1
    return hasBefore || hasAfter
  }

  get key(): Uint8Array {
    return this.#order <= 0 ? this.#before.key : this.#after.key
  }

  get beforeRecord(): number {
    return this.#order <= 0 ? this.#before.record : 0
  }

  get afterRecord(): number {
    return this.#order >= 0 ? this.#after.record : 0
  }

  park(): void {
    this.#before.park()
    this.#after.park()
  }
}
