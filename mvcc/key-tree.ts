/**
 * A B+tree over the records of `KeyRecords`, in key order; its nodes are those of `KeyNodes`.
 *
 * Invariants
 *   1. all leaves are at depth `height`; only an empty tree has an empty node, its root leaf.
 *   2. separator i ≥ 1 of a branch is the first record of child i's subtree; separator 0 is not
 *      used.
 *   3. leaves are chained in key order.
 *   4. a node's count of keys that exist is right.
 *
 * A leaf that is split because something was appended behind the last key stays full, so that keys
 * arriving in order fill the tree. Removal frees nodes that become empty and merges nothing: keys
 * are removed by undo and by compaction only.
 */

import { assert } from '../base/assert.ts'
import { BRANCH, BRANCH_MAX, KeyNodes, LEAF, LEAF_MAX } from './key-nodes.ts'
import type { KeyRecords } from './key-records.ts'

/** How many entries a node holds. Less than the default only in tests. */
export interface KeyTreeOptions {
  readonly leafMax?: number
  readonly branchMax?: number
}

export class KeyTree {
  readonly #records: KeyRecords
  readonly #nodes: KeyNodes
  readonly #leafMax: number
  readonly #branchMax: number
  #root: number
  /** Levels of branches above the leaves. */
  #height = 0
  #count = 0
  #version = 0
  /** The path of the last descent: nodes by level, and the position taken in each. */
  readonly #path: number[] = []
  readonly #positions: number[] = []

  constructor(records: KeyRecords, options: KeyTreeOptions = {}) {
    this.#records = records
    this.#nodes = new KeyNodes(records)
    this.#leafMax = options.leafMax ?? LEAF_MAX
    this.#branchMax = options.branchMax ?? BRANCH_MAX
    this.#root = this.#nodes.add()
  }

  get count(): number {
    return this.#count
  }

  /** Changes whenever records were inserted or removed: positions found before are void then. */
  get version(): number {
    return this.#version
  }

  get allocatedBytes(): number {
    return this.#nodes.allocatedBytes
  }

  /**
   * Looks for a key's place: afterwards `place` is the first record not smaller than it. The answer
   * says whether it is the key's own.
   */
  seek(key: Uint8Array, place: LeafPlace): boolean {
    const found = this.#descend(key)
    place.leaf = this.#leaf
    place.position = this.#leafPosition
    return found
  }

  /** The leftmost leaf, or the rightmost. */
  edgeLeaf(last: boolean): number {
    let node = this.#root
    for (let level = 0; level < this.#height; level++) {
      node = this.#child(node, last ? this.countOf(node) - 1 : 0)
    }
    return node
  }

  countOf(node: number): number {
    return this.#nodes.count(node)
  }

  nextLeaf(leaf: number): number {
    return this.#nodes.next(leaf)
  }

  previousLeaf(leaf: number): number {
    return this.#nodes.previous(leaf)
  }

  recordAt(leaf: number, position: number): number {
    return this.#record(leaf, position)
  }

  /** Inserts the record of a key that is not there. */
  insert(key: Uint8Array, record: number): void {
    const found = this.#descend(key)
    assert(!found, 'key tree: the key is there already')
    this.#insertHere(record)
  }

  /**
   * Makes a leaf of the records of a sorted list from `from` on, behind all that are there. Returns
   * where the rest of the list begins. The last leaf stays as it is, full or not.
   */
  appendLeaf(list: Uint32Array, from: number): number {
    const nodes = this.#nodes
    const to = Math.min(from + this.#leafMax, list.length)
    if (from === to) return to
    let last = this.#root
    for (let level = 0; level < this.#height; level++) {
      const position = nodes.count(last) - 1
      this.#path[level] = last
      this.#positions[level] = position
      last = nodes.child(last, position)
    }
    const leaf = this.#count === 0 ? last : nodes.add()
    this.#version++
    this.#count += to - from
    nodes.fillLeaf(leaf, list.subarray(from, to))
    if (leaf === last) return to
    nodes.setPrevious(leaf, last)
    nodes.setNext(last, leaf)
    for (let level = 0; level < this.#height; level++) {
      nodes.addLive(this.#path[level] as number, nodes.live(leaf))
    }
    this.#insertChild(this.#height, this.#record(leaf, 0), leaf)
    return to
  }

  /** Notes that a key, whose record is there, began to exist (1) or ended (−1). */
  addLive(key: Uint8Array, by: 1 | -1): void {
    const found = this.#descend(key)
    assert(found, 'key tree: no such key')
    this.#addLiveOnPath(by)
  }

  /** How many keys that exist lie below `key`; undefined: behind all. O(log keys). */
  liveBelow(key: Uint8Array | undefined): number {
    const nodes = this.#nodes
    let node = this.#root
    if (key === undefined) return nodes.live(node)
    let count = 0
    for (let level = 0; level < this.#height; level++) {
      const position = nodes.placeInBranch(node, key)
      count += nodes.liveBefore(node, BRANCH, position)
      node = nodes.child(node, position)
    }
    return count + nodes.liveBefore(node, LEAF, nodes.placeInLeaf(node, key))
  }

  /** Removes a key's record from the tree; false where there is none. */
  remove(key: Uint8Array): boolean {
    if (!this.#descend(key)) return false
    this.#version++
    this.#count--
    const leaf = this.#leaf
    const position = this.#leafPosition
    if (this.#records.isLive(this.#record(leaf, position))) this.#addLiveOnPath(-1)
    this.#nodes.removeEntry(leaf, position)
    const count = this.countOf(leaf)
    if (count === 0 && this.#height > 0) {
      this.#unlinkLeaf(leaf)
      this.#removeChild(this.#height)
    } else if (position === 0 && count > 0) {
      this.#replaceSeparator(this.#height, this.#record(leaf, 0))
    }
    return true
  }

  /** Walks the whole tree and throws `AssertionError` where an invariant doesn't hold. */
  verify(): void {
    const state = { leaf: 0, records: 0 }
    this.#verifyNode(this.#root, 0, state)
    assert(state.records === this.#count, 'key tree: wrong count')
    assert(this.nextLeaf(state.leaf) === 0, 'key tree: the last leaf has a successor')
  }

  #verifyNode(node: number, level: number, state: { leaf: number; records: number }): void {
    const count = this.countOf(node)
    assert(count > 0 || (level === 0 && this.#height === 0), 'key tree: empty node')
    if (level < this.#height) {
      assert(count <= this.#branchMax, 'key tree: overfull branch')
      this.#nodes.verify(node, BRANCH)
      for (let i = 0; i < count; i++) {
        const child = this.#child(node, i)
        if (i > 0) {
          const separator = this.#nodes.entry(node, BRANCH, i)
          assert(this.#firstRecord(child, level + 1) === separator, 'key tree: stale separator')
        }
        this.#verifyNode(child, level + 1, state)
      }
      return
    }
    assert(count <= this.#leafMax, 'key tree: overfull leaf')
    this.#nodes.verify(node, LEAF)
    assert(this.previousLeaf(node) === state.leaf, 'key tree: broken chain')
    for (let i = 0; i < count; i++) {
      const before =
        i > 0
          ? this.#record(node, i - 1)
          : state.leaf === 0
            ? 0
            : this.#record(state.leaf, this.countOf(state.leaf) - 1)
      const key = this.#records.key(this.#record(node, i))
      assert(before === 0 || this.#records.compare(before, key) < 0, 'key tree: keys out of order')
    }
    if (state.leaf !== 0) assert(this.nextLeaf(state.leaf) === node, 'key tree: broken chain')
    state.leaf = node
    state.records += count
  }

  #firstRecord(node: number, level: number): number {
    let at = node
    for (let i = level; i < this.#height; i++) at = this.#child(at, 0)
    return this.#record(at, 0)
  }

  get #leaf(): number {
    return this.#path[this.#height] as number
  }

  get #leafPosition(): number {
    return this.#positions[this.#height] as number
  }

  /** Fills the path; true when the leaf position is the key's own. */
  #descend(key: Uint8Array): boolean {
    const nodes = this.#nodes
    const height = this.#height
    let node = this.#root
    for (let level = 0; level < height; level++) {
      const position = nodes.placeInBranch(node, key)
      this.#path[level] = node
      this.#positions[level] = position
      node = nodes.child(node, position)
    }
    this.#path[height] = node
    this.#positions[height] = nodes.placeInLeaf(node, key)
    return nodes.isFound
  }

  #addLiveOnPath(by: 1 | -1): void {
    for (let level = 0; level <= this.#height; level++) {
      this.#nodes.addLive(this.#path[level] as number, by)
    }
  }

  /** Inserts a record at the leaf position of the path. */
  #insertHere(record: number): void {
    this.#version++
    this.#count++
    const leaf = this.#leaf
    const position = this.#leafPosition
    if (this.#records.isLive(record)) this.#addLiveOnPath(1)
    // A new smallest key stays left of every separator: descents take child 0 below the first one.
    if (this.countOf(leaf) < this.#leafMax) this.#nodes.insertEntry(leaf, position, record)
    else this.#splitLeaf(leaf, position, record)
  }

  #splitLeaf(leaf: number, position: number, record: number): void {
    const nodes = this.#nodes
    const count = this.countOf(leaf)
    const next = this.nextLeaf(leaf)
    const right = nodes.add()
    nodes.setPrevious(right, leaf)
    nodes.setNext(right, next)
    nodes.setNext(leaf, right)
    if (next !== 0) nodes.setPrevious(next, right)
    const kept = next === 0 && position === count ? count : count >>> 1
    if (kept < count) nodes.split(leaf, right, LEAF, kept)
    const isRight = position > kept || kept === count
    nodes.insertEntry(isRight ? right : leaf, isRight ? position - kept : position, record)
    nodes.recount(leaf, LEAF)
    nodes.recount(right, LEAF)
    this.#insertChild(this.#height, this.#record(right, 0), right)
  }

  /** Inserts `child` right of the node at `level` of the path. */
  #insertChild(level: number, separator: number, child: number): void {
    const nodes = this.#nodes
    if (level === 0) {
      const root = nodes.add()
      nodes.insertChild(root, 0, { child: this.#root, separator: 0 })
      nodes.insertChild(root, 1, { child, separator })
      nodes.recount(root, BRANCH)
      this.#root = root
      this.#height++
      return
    }
    const node = this.#path[level - 1] as number
    const position = (this.#positions[level - 1] as number) + 1
    const count = this.countOf(node)
    if (count < this.#branchMax) {
      nodes.insertChild(node, position, { child, separator })
      return
    }
    const right = nodes.add()
    const kept = position === count ? count - 1 : count >>> 1
    nodes.split(node, right, BRANCH, kept)
    if (position > kept) nodes.insertChild(right, position - kept, { child, separator })
    else nodes.insertChild(node, position, { child, separator })
    // Before the parent learns of it, which may count what is below.
    nodes.recount(node, BRANCH)
    nodes.recount(right, BRANCH)
    this.#insertChild(level - 1, nodes.entry(right, BRANCH, 0), right)
  }

  /** Removes the path's node at `level`, which is empty, from its parent. */
  #removeChild(level: number): void {
    const nodes = this.#nodes
    nodes.release(this.#path[level] as number)
    const parent = this.#path[level - 1] as number
    const position = this.#positions[level - 1] as number
    const first = nodes.entry(parent, BRANCH, 1)
    nodes.removeChild(parent, position)
    if (this.countOf(parent) === 0) {
      // The root has two children or more, so an emptied branch has a parent.
      this.#removeChild(level - 1)
      return
    }
    if (position === 0) this.#replaceSeparator(level - 1, first)
    while (this.#height > 0 && this.countOf(this.#root) === 1) {
      const root = this.#root
      this.#root = nodes.child(root, 0)
      this.#height--
      nodes.release(root)
    }
  }

  /** Names a new first record for the subtree at `level` of the path. */
  #replaceSeparator(level: number, record: number): void {
    for (let above = level - 1; above >= 0; above--) {
      const position = this.#positions[above] as number
      if (position === 0) continue
      this.#nodes.setSeparator(this.#path[above] as number, position, record)
      return
    }
  }

  #unlinkLeaf(leaf: number): void {
    const previous = this.previousLeaf(leaf)
    const next = this.nextLeaf(leaf)
    if (previous !== 0) this.#nodes.setNext(previous, next)
    if (next !== 0) this.#nodes.setPrevious(next, previous)
  }

  #child(node: number, position: number): number {
    return this.#nodes.child(node, position)
  }

  #record(leaf: number, position: number): number {
    return this.#nodes.entry(leaf, LEAF, position)
  }
}

/** A place in the tree. Void once the tree's version has changed. */
export interface LeafPlace {
  leaf: number
  position: number
}
