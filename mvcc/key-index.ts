/**
 * The key index: every key's revisions, in memory.
 *
 * A key is found through `KeyTable`, keys in order through `KeyTree`; their newest revision stands
 * in `KeyRecords`, older ones in `History`. All are packed arrays in chunks of fixed size, so there
 * is no object and no map entry per key or revision. A generation is a key's life from its creation
 * to its tombstone:
 *
 *   put(2.0) put(3.0) tombstone(5.0) put(9.0)   →   {2.0 v1, 3.0 v2, 5.0 tombstone} {9.0 v1}
 *
 * A read at revision r sees a key's last revision whose main is ≤ r, if that is no tombstone. The
 * index may so be ahead of what readers are allowed to see.
 *
 * Changes are made in place and logged, so that a transaction reads its own writes through the same
 * tree, without an overlay to merge with; `undo` takes them back when the transaction fails,
 * `forget` keeps them for good.
 *
 * Invariants
 *   1. a key's revisions ascend.
 *   2. a generation begins with version 1, unless older revisions were compacted away.
 *
 * Loading: rows are `restore`d in the order of revisions, without the tree; `build` makes it at the
 * end, out of sorted records.
 *
 * Compaction walks `cursor` and prunes each record: what a read at the compacted revision or later
 * can't come to is dropped, a key of which nothing is left is forgotten.
 */

import { assert } from '../base/assert.ts'
import { EMPTY_BYTES, compareBytes } from '../base/bytes.ts'
import { KeyCursor } from './key-cursor.ts'
import type { CursorRange } from './key-cursor.ts'
import { History } from './history.ts'
import { KeyRecords, KeyState } from './key-records.ts'
import { KeyTable } from './key-table.ts'
import type { KeyTableOptions } from './key-table.ts'
import { KeyTree } from './key-tree.ts'
import type { KeyTreeOptions } from './key-tree.ts'
import { LiveChanges } from './live-changes.ts'
import { sortRecords } from './record-sort.ts'
import { MAIN_MAX, SUB_MAX } from './revision.ts'

export interface KeyIndexMemory {
  readonly recordBytes: number
  readonly treeBytes: number
  readonly tableBytes: number
  readonly historyBytes: number
}

export type KeyIndexOptions = KeyTreeOptions & KeyTableOptions

/** Records put into the tree between two steps of `build`. */
const STEP_RECORDS = 4096

export class KeyIndex {
  #records = new KeyRecords()
  #history = new History()
  #table: KeyTable
  #tree: KeyTree
  /** The records changed since the last `forget`, one entry per change. */
  #changed: number[] = []
  #liveChanges = new LiveChanges()
  /** The newest revision of all. */
  #newest = 0
  #revisionCount = 0
  readonly #state = new KeyState()
  /** Only within `#append`. */
  readonly #before = new KeyState()

  constructor(options: KeyIndexOptions = {}) {
    this.#table = new KeyTable(this.#records, options)
    this.#tree = new KeyTree(this.#records, options)
  }

  /** Forgets everything, for good: a store that is closed may be held on to for long. */
  release(): void {
    this.#records = new KeyRecords()
    this.#history = new History()
    this.#table = new KeyTable(this.#records, { segmentSlots: 1 })
    this.#tree = new KeyTree(this.#records)
    this.#changed = []
    this.#liveChanges = new LiveChanges()
  }

  /** Keys that have a revision, live or not. */
  get keyCount(): number {
    return this.#table.count
  }

  /** Keys whose newest revision is a put. */
  get liveCount(): number {
    return this.#tree.liveBelow(undefined)
  }

  /** Revisions of all keys, tombstones included. */
  get revisionCount(): number {
    return this.#revisionCount
  }

  /** Bytes set aside, used or not. */
  get memory(): KeyIndexMemory {
    return {
      recordBytes: this.#records.allocatedBytes,
      treeBytes: this.#tree.allocatedBytes,
      tableBytes: this.#table.allocatedBytes,
      historyBytes: this.#history.allocatedBytes,
    }
  }

  /** Whether a key has a revision, live or not. */
  has(key: Uint8Array): boolean {
    return this.#table.find(key) !== 0
  }

  /** Loads a key's state at revision `main`; false where it doesn't exist there. */
  get(key: Uint8Array, main: number, state: KeyState): boolean {
    const record = this.#table.find(key)
    return record !== 0 && this.load(record, main, state)
  }

  /** As `get`, of the record under a cursor. */
  load(record: number, main: number, state: KeyState): boolean {
    if (this.#records.modMain(record) <= main) {
      if (!this.#records.isLive(record)) return false
      this.#records.load(record, state)
      return true
    }
    const head = this.#records.history(record)
    return this.#history.find(head, main, state) && state.version > 0
  }

  /**
   * How many keys from `start` to `end` (exclusive; undefined: to the last one) exist at revision
   * `main`, without going over them; undefined where the revision is too far back for that.
   */
  countLive(start: Uint8Array, end: Uint8Array | undefined, main: number): number | undefined {
    if (end !== undefined && compareBytes(start, end) >= 0) return 0
    const changed = this.#liveChanges.after(main)
    if (changed === undefined) return undefined
    let count = this.#tree.liveBelow(end) - this.#tree.liveBelow(start)
    const then = new KeyState()
    for (const record of changed) {
      if (this.#records.compare(record, start) < 0) continue
      if (end !== undefined && this.#records.compare(record, end) >= 0) continue
      if (this.#records.isLive(record)) count--
      if (this.load(record, main, then)) count++
    }
    return count
  }

  /** Loads the revision of a key before `main`.`sub`; false where the index knows of none. */
  before(key: Uint8Array, main: number, sub: number, state: KeyState): boolean {
    const record = this.#table.find(key)
    if (record === 0) return false
    this.#records.load(record, state)
    if (state.modMain < main || (state.modMain === main && state.modSub < sub)) return true
    return this.#history.findBefore(this.#records.history(record), main, sub, state)
  }

  /** Whether `prune` to `main` would lose the key. */
  mayForget(record: number, main: number): boolean {
    return !this.#records.isLive(record) && this.#records.modMain(record) < main
  }

  /**
   * Drops what reads at `main` and later don't come to: all that is older than the record's newest
   * revision at or before `main`, and that one too where it is a tombstone before `main`. (One at
   * `main` is an event that a watcher may still ask for.) Returns whether the key is gone, and the
   * index has lost it. There must be no changes that can be undone.
   */
  prune(record: number, main: number): boolean {
    assert(this.#changed.length === 0, 'pruning of what may be undone')
    const state = this.#state
    const history = this.#history
    this.#records.load(record, state)
    const head = this.#records.history(record)
    if (state.modMain > main) {
      const left = history.prune(head, main, (newest) => isKept(newest, main))
      this.#records.setHistory(record, left)
      this.#revisionCount -= history.dropped
      return false
    }
    // All of the history is older than the newest revision, which is the one that may stay.
    this.#records.setHistory(
      record,
      history.prune(head, main, () => false),
    )
    this.#revisionCount -= history.dropped
    if (isKept(state, main)) return false
    this.#revisionCount--
    // The record will be another key's.
    this.#liveChanges.reset(this.#newest)
    this.#remove(record)
    return true
  }

  /** Adds a put and loads the key's new state into `state`. */
  put(key: Uint8Array, main: number, sub: number, state: KeyState): void {
    const record = this.#table.find(key)
    if (record === 0) {
      state.set(main, sub, main, 1)
      const added = this.#addRecord(key, state)
      this.#tree.insert(key, added)
      this.#liveChanges.note(main, added)
      this.#changed.push(added)
      return
    }
    this.#records.load(record, state)
    const isBack = state.version === 0
    if (isBack) state.set(main, sub, main, 1)
    else state.set(main, sub, state.createMain, state.version + 1)
    this.#append(record, state)
    if (isBack) this.#noteLive(key, record, 1)
  }

  /** Adds a tombstone to a key that exists. */
  tombstone(key: Uint8Array, main: number, sub: number): void {
    const record = this.#table.find(key)
    assert(record !== 0 && this.#records.isLive(record), 'tombstone for a key that does not exist')
    this.#state.set(main, sub, 0, 0)
    this.#append(record, this.#state)
    this.#noteLive(key, record, -1)
  }

  /**
   * Adds a revision read from disk, in the order of revisions, where `state.version` 0 is a
   * tombstone. Answers with what is wrong when it can't follow what the index knows of the key;
   * then nothing was added. Until `build` is through, the index answers about single keys only.
   */
  restore(key: Uint8Array, state: KeyState): string | undefined {
    const { createMain, version } = state
    if (version > 0 && createMain > state.modMain) return 'created after it was modified'
    if (version === 1 && createMain !== state.modMain) return 'version 1 is not its creation'
    const record = this.#table.find(key)
    if (record === 0) {
      if (this.#table.count === 0) this.#table.beginLoad()
      this.#addRecord(key, state)
      return undefined
    }
    const before = this.#state
    this.#records.load(record, before)
    if (version === 0) {
      if (before.version === 0) return 'a tombstone follows a tombstone'
    } else if (before.version === 0 && version !== 1) {
      return `version ${version} follows a tombstone`
    } else if (before.version > 0 && version !== before.version + 1) {
      return `version ${version} follows version ${before.version}`
    } else if (before.version > 0 && createMain !== before.createMain) {
      return `created at ${createMain}, but at ${before.createMain} one version before`
    }
    this.#append(record, state)
    this.#changed.length = 0
    return undefined
  }

  /** Puts what was restored in order, step by step; others may run in between. */
  *build(): Generator<void, void> {
    assert(this.#tree.count === 0, 'the key index was built already')
    this.#table.endLoad()
    const list = new Uint32Array(this.#table.count)
    let record = 0
    for (let i = 0; i < list.length; i++) {
      if (i % STEP_RECORDS === 0) yield
      record = this.#records.after(record)
      list[i] = record
    }
    yield* sortRecords(this.#records, list)
    for (let i = 0, yieldAt = STEP_RECORDS; i < list.length;) {
      i = this.#tree.appendLeaf(list, i)
      if (i < yieldAt) continue
      yieldAt += STEP_RECORDS
      yield
    }
    this.#liveChanges.reset(this.#newest)
  }

  /** A mark to `undo` to. */
  get changeCount(): number {
    return this.#changed.length
  }

  /** Takes back all changes after `changeCount` was `mark`. */
  undo(mark: number): void {
    assert(mark <= this.#changed.length, 'undo of changes that were forgotten')
    while (this.#changed.length > mark) {
      const record = this.#changed.pop()
      assert(record !== undefined, 'undo log is empty')
      this.#takeBack(record)
    }
  }

  /** Keeps all changes so far for good. */
  forget(): void {
    this.#changed = []
    this.#liveChanges.trim()
  }

  cursor(range: CursorRange): KeyCursor {
    return new KeyCursor(this.#tree, this.#records, range)
  }

  /**
   * A key's revisions, newest first, tombstones (version 0) included, until `visit` returns false.
   */
  forEachRevision(key: Uint8Array, visit: (state: KeyState) => boolean): void {
    const record = this.#table.find(key)
    if (record === 0) return
    const newest = new KeyState()
    this.#records.load(record, newest)
    if (visit(newest)) this.#history.forEach(this.#records.history(record), visit)
  }

  /** Throws `AssertionError` where an invariant doesn't hold. */
  verify(): void {
    this.#tree.verify()
    this.#table.verify(this.#recordsInOrder())
  }

  *#recordsInOrder(): Generator<number> {
    const cursor = this.cursor({ start: EMPTY_BYTES, end: undefined })
    while (cursor.next()) yield cursor.record
  }

  #addRecord(key: Uint8Array, state: KeyState): number {
    assertRevision(state)
    const record = this.#records.add(key)
    this.#records.store(record, state)
    this.#table.add(key, record)
    this.#count(state, 1)
    return record
  }

  /** Notes that a key began to exist or ended, by a change that was just made. */
  #noteLive(key: Uint8Array, record: number, by: 1 | -1): void {
    this.#tree.addLive(key, by)
    this.#liveChanges.note(this.#records.modMain(record), record)
  }

  /** Forgets a key. */
  #remove(record: number): void {
    const key = this.#records.key(record)
    this.#tree.remove(key)
    this.#table.remove(key)
    this.#records.release(record)
  }

  #append(record: number, state: KeyState): void {
    assertRevision(state)
    const before = this.#before
    this.#records.load(record, before)
    assert(
      state.modMain > before.modMain ||
        (state.modMain === before.modMain && state.modSub > before.modSub),
      'revisions of a key must ascend',
    )
    this.#records.setHistory(record, this.#history.push(this.#records.history(record), before))
    this.#records.store(record, state)
    this.#count(state, 1)
    this.#changed.push(record)
  }

  #takeBack(record: number): void {
    const state = this.#state
    this.#records.load(record, state)
    this.#count(state, -1)
    const wasLive = state.version > 0
    const head = this.#records.history(record)
    if (head === 0) {
      this.#liveChanges.undo()
      this.#remove(record)
      return
    }
    this.#records.setHistory(record, this.#history.pop(head, state))
    this.#records.store(record, state)
    if (wasLive === state.version > 0) return
    this.#liveChanges.undo()
    this.#tree.addLive(this.#records.key(record), wasLive ? -1 : 1)
  }

  #count(state: KeyState, by: 1 | -1): void {
    if (state.modMain > this.#newest) this.#newest = state.modMain
    this.#revisionCount += by
  }
}

/** Whether the newest revision at or before `main` stays when what is older goes. */
function isKept({ version, modMain }: KeyState, main: number): boolean {
  return version > 0 || modMain === main
}

function assertRevision(state: KeyState): void {
  assert(state.modMain <= MAIN_MAX && state.modSub <= SUB_MAX, 'revision out of range')
}
