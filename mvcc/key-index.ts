/**
 * The key index: every key's revisions, in memory.
 *
 * Keys are found through `KeyTree`, their newest revision stands in `KeyRecords`, older ones in
 * `History`; all three are packed arrays in chunks of fixed size, so there is no object and no map
 * entry per key or revision. A generation is a key's life from its creation to its tombstone:
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
 * Compaction will walk `cursor`, drop what `History` holds below the compacted revision and remove
 * records without revisions; `KeyRecords.release` is the place where their room is to be reused.
 */

import { assert } from '../base/assert.ts'
import { KeyCursor } from './key-cursor.ts'
import type { CursorRange } from './key-cursor.ts'
import { History } from './history.ts'
import { KeyRecords, KeyState } from './key-records.ts'
import { KeyTree } from './key-tree.ts'
import type { KeyTreeOptions } from './key-tree.ts'
import { MAIN_MAX, SUB_MAX } from './revision.ts'

export interface KeyIndexMemory {
  readonly recordBytes: number
  readonly treeBytes: number
  readonly historyBytes: number
}

export class KeyIndex {
  readonly #records = new KeyRecords()
  readonly #history = new History()
  readonly #tree: KeyTree
  /** The records changed since the last `forget`, one entry per change. */
  #changed: number[] = []
  #revisionCount = 0
  #liveCount = 0
  readonly #state = new KeyState()
  /** Only within `#append`. */
  readonly #before = new KeyState()

  constructor(options: KeyTreeOptions = {}) {
    this.#tree = new KeyTree(this.#records, options)
  }

  /** Keys that have a revision, live or not. */
  get keyCount(): number {
    return this.#tree.count
  }

  /** Keys whose newest revision is a put. */
  get liveCount(): number {
    return this.#liveCount
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
      historyBytes: this.#history.allocatedBytes,
    }
  }

  /** Loads a key's state at revision `main`; false where it doesn't exist there. */
  get(key: Uint8Array, main: number, state: KeyState): boolean {
    const record = this.#tree.find(key)
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

  /** Adds a put and loads the key's new state into `state`. */
  put(key: Uint8Array, main: number, sub: number, state: KeyState): void {
    const record = this.#tree.find(key)
    if (record === 0) {
      state.set(main, sub, main, 1)
      this.#add(key, state)
      return
    }
    this.#records.load(record, state)
    if (state.version === 0) state.set(main, sub, main, 1)
    else state.set(main, sub, state.createMain, state.version + 1)
    this.#append(record, state)
  }

  /** Adds a tombstone to a key that exists. */
  tombstone(key: Uint8Array, main: number, sub: number): void {
    const record = this.#tree.find(key)
    assert(record !== 0 && this.#records.isLive(record), 'tombstone for a key that does not exist')
    this.#state.set(main, sub, 0, 0)
    this.#append(record, this.#state)
  }

  /**
   * Adds a revision read from disk, in the order of revisions, where `state.version` 0 is a
   * tombstone. Answers with what is wrong when it can't follow what the index knows of the key;
   * then nothing was added.
   */
  restore(key: Uint8Array, state: KeyState): string | undefined {
    const { createMain, version } = state
    if (version > 0 && createMain > state.modMain) return 'created after it was modified'
    if (version === 1 && createMain !== state.modMain) return 'version 1 is not its creation'
    const record = this.#tree.find(key)
    if (record === 0) {
      this.#add(key, state)
      this.#changed.length = 0
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
  }

  cursor(range: CursorRange): KeyCursor {
    return new KeyCursor(this.#tree, this.#records, range)
  }

  /**
   * A key's revisions, newest first, tombstones (version 0) included, until `visit` returns false.
   */
  forEachRevision(key: Uint8Array, visit: (state: KeyState) => boolean): void {
    const record = this.#tree.find(key)
    if (record === 0) return
    const newest = new KeyState()
    this.#records.load(record, newest)
    if (visit(newest)) this.#history.forEach(this.#records.history(record), visit)
  }

  /** Throws `AssertionError` where the tree's invariants don't hold. */
  verify(): void {
    this.#tree.verify()
  }

  #add(key: Uint8Array, state: KeyState): void {
    assertRevision(state)
    const record = this.#records.add(key)
    this.#records.store(record, state)
    this.#tree.insert(record)
    this.#count(state, 1)
    this.#changed.push(record)
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
    this.#liveCount -= before.version > 0 ? 1 : 0
    this.#count(state, 1)
    this.#changed.push(record)
  }

  #takeBack(record: number): void {
    const state = this.#state
    this.#records.load(record, state)
    this.#count(state, -1)
    const head = this.#records.history(record)
    if (head === 0) {
      this.#tree.remove(this.#records.key(record))
      this.#records.release(record)
      return
    }
    this.#records.setHistory(record, this.#history.pop(head, state))
    this.#records.store(record, state)
    this.#liveCount += state.version > 0 ? 1 : 0
  }

  #count(state: KeyState, by: 1 | -1): void {
    this.#revisionCount += by
    if (state.version > 0) this.#liveCount += by
  }
}

function assertRevision(state: KeyState): void {
  assert(state.modMain <= MAIN_MAX && state.modSub <= SUB_MAX, 'revision out of range')
}
