/**
 * A B+tree over the records of `KeyRecords`, in key order.
 *
 * Nodes are 128 words each, in chunks of fixed size, addressed by number; node 0 is none.
 *
 *   leaf    0 count · 1 previous leaf · 2 next leaf · 3… records, at most 125
 *   branch  0 count · 1… children, at most 63 · 64… separators, one per child
 *
 * Invariants
 *   1. all leaves are at depth `height`; only an empty tree has an empty node, its root leaf.
 *   2. separator i ≥ 1 of a branch is the first record of child i's subtree; separator 0 is not
 *      used.
 *   3. leaves are chained in key order.
 *
 * A leaf that is split because something was appended behind the last key stays full, so that keys
 * arriving in order fill the tree. Removal frees nodes that become empty and merges nothing: keys
 * are removed by undo and by compaction only.
 */

import { assert } from '../base/assert.ts'
import type { KeyRecords } from './key-records.ts'
import { CHUNK_MASK, WordChunks } from './word-chunks.ts'

const NODE_SHIFT = 7
const NODE_WORDS: number = 1 << NODE_SHIFT
const COUNT = 0
const PREVIOUS = 1
const NEXT = 2
const RECORDS = 3
const CHILDREN = 1
const SEPARATORS = 64

/** How many entries a node holds. Less than the default only in tests. */
export interface KeyTreeOptions {
  readonly leafMax?: number
  readonly branchMax?: number
}

export class KeyTree {
  readonly #records: KeyRecords
  readonly #memory = new WordChunks()
  readonly #leafMax: number
  readonly #branchMax: number
  #root: number
  /** Levels of branches above the leaves. */
  #height = 0
  #free = 0
  #count = 0
  #version = 0
  /** The path of the last descent: nodes by level, and the position taken in each. */
  readonly #path: number[] = []
  /** The version at which it led to a place where no key was; −1: it did not. */
  #gapVersion = -1
  readonly #positions: number[] = []

  constructor(records: KeyRecords, options: KeyTreeOptions = {}) {
    this.#records = records
    this.#leafMax = options.leafMax ?? NODE_WORDS - RECORDS
    this.#branchMax = options.branchMax ?? SEPARATORS - CHILDREN
    this.#root = this.#addNode()
  }

  get count(): number {
    return this.#count
  }

  /** Changes whenever records were inserted or removed: positions found before are void then. */
  get version(): number {
    return this.#version
  }

  get allocatedBytes(): number {
    return this.#memory.allocatedBytes
  }

  /** The record of a key; 0: none. */
  find(key: Uint8Array): number {
    return this.#descend(key) ? this.#record(this.#leaf, this.#leafPosition) : 0
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
    return this.#word(node, COUNT)
  }

  nextLeaf(leaf: number): number {
    return this.#word(leaf, NEXT)
  }

  previousLeaf(leaf: number): number {
    return this.#word(leaf, PREVIOUS)
  }

  recordAt(leaf: number, position: number): number {
    return this.#record(leaf, position)
  }

  /** Inserts the record of the key that the last `find` was of, and did not find. */
  insert(record: number): void {
    assert(this.#gapVersion === this.#version, 'the last search was of a key that is not there')
    this.#version++
    this.#count++
    const leaf = this.#leaf
    const position = this.#leafPosition
    const count = this.countOf(leaf)
    if (count < this.#leafMax) {
      this.#insertWord(leaf, RECORDS, { count, position, value: record })
      this.#setWord(leaf, COUNT, count + 1)
      // A new smallest key stays left of every separator: descents take child 0 below the first
      // one.
      return
    }
    this.#splitLeaf(leaf, position, record)
  }

  /** Removes a key's record from the tree; false where there is none. */
  remove(key: Uint8Array): boolean {
    if (!this.#descend(key)) return false
    this.#version++
    this.#count--
    const leaf = this.#leaf
    const position = this.#leafPosition
    const count = this.countOf(leaf) - 1
    this.#removeWord(leaf, RECORDS, count, position)
    this.#setWord(leaf, COUNT, count)
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
      for (let i = 0; i < count; i++) {
        const child = this.#child(node, i)
        if (i > 0) {
          const separator = this.#word(node, SEPARATORS + i)
          assert(this.#firstRecord(child, level + 1) === separator, 'key tree: stale separator')
        }
        this.#verifyNode(child, level + 1, state)
      }
      return
    }
    assert(count <= this.#leafMax, 'key tree: overfull leaf')
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

  /**
   * Fills the path; true when the leaf position is the key's own.
   *
   * The key lies between the last record found below it and the last one found above, so what it
   * shares with both need not be compared again: keys often begin alike.
   */
  #descend(key: Uint8Array): boolean {
    const records = this.#records
    let sharedBelow = 0
    let sharedAbove = 0
    let node = this.#root
    const height = this.#height
    for (let level = 0; level < height; level++) {
      const words = this.#chunk(node)
      const at = this.#at(node)
      let low = 1
      let high = words[at + COUNT] as number
      while (low < high) {
        const middle = (low + high) >>> 1
        const shared = sharedBelow < sharedAbove ? sharedBelow : sharedAbove
        const separator = words[at + SEPARATORS + middle] as number
        if (records.compareFrom(separator, key, shared) <= 0) {
          low = middle + 1
          sharedBelow = records.matched
        } else {
          high = middle
          sharedAbove = records.matched
        }
      }
      this.#path[level] = node
      this.#positions[level] = low - 1
      node = words[at + CHILDREN + low - 1] as number
    }
    const words = this.#chunk(node)
    const at = this.#at(node)
    let low = 0
    let high = words[at + COUNT] as number
    let found = false
    while (low < high) {
      const middle = (low + high) >>> 1
      const shared = sharedBelow < sharedAbove ? sharedBelow : sharedAbove
      const order = records.compareFrom(words[at + RECORDS + middle] as number, key, shared)
      if (order < 0) {
        low = middle + 1
        sharedBelow = records.matched
      } else {
        high = middle
        sharedAbove = records.matched
        if (order === 0) found = true
      }
    }
    this.#path[height] = node
    this.#positions[height] = low
    this.#gapVersion = found ? -1 : this.#version
    return found
  }

  #splitLeaf(leaf: number, position: number, record: number): void {
    const count = this.countOf(leaf)
    const next = this.nextLeaf(leaf)
    const right = this.#addNode()
    this.#setWord(right, PREVIOUS, leaf)
    this.#setWord(right, NEXT, next)
    this.#setWord(leaf, NEXT, right)
    if (next !== 0) this.#setWord(next, PREVIOUS, right)
    const kept = next === 0 && position === count ? count : count >>> 1
    this.#moveWords({ source: leaf, target: right, first: RECORDS }, kept, count - kept)
    this.#setWord(leaf, COUNT, kept)
    this.#setWord(right, COUNT, count - kept)
    const target = position > kept || kept === count ? right : leaf
    const at = target === right ? position - kept : position
    const size = this.countOf(target)
    this.#insertWord(target, RECORDS, { count: size, position: at, value: record })
    this.#setWord(target, COUNT, size + 1)
    this.#insertChild(this.#height, this.#record(right, 0), right)
  }

  /** Inserts `child` right of the node at `level` of the path. */
  #insertChild(level: number, separator: number, child: number): void {
    if (level === 0) {
      const root = this.#addNode()
      this.#setWord(root, CHILDREN, this.#root)
      this.#setWord(root, CHILDREN + 1, child)
      this.#setWord(root, SEPARATORS + 1, separator)
      this.#setWord(root, COUNT, 2)
      this.#root = root
      this.#height++
      return
    }
    let node = this.#path[level - 1] as number
    let position = (this.#positions[level - 1] as number) + 1
    const count = this.countOf(node)
    if (count === this.#branchMax) {
      const right = this.#addNode()
      const kept = position === count ? count - 1 : count >>> 1
      this.#moveWords({ source: node, target: right, first: CHILDREN }, kept, count - kept)
      this.#moveWords({ source: node, target: right, first: SEPARATORS }, kept, count - kept)
      this.#setWord(node, COUNT, kept)
      this.#setWord(right, COUNT, count - kept)
      this.#insertChild(level - 1, this.#word(right, SEPARATORS), right)
      if (position > kept) {
        node = right
        position -= kept
      }
    }
    const size = this.countOf(node)
    this.#insertWord(node, CHILDREN, { count: size, position, value: child })
    this.#insertWord(node, SEPARATORS, { count: size, position, value: separator })
    this.#setWord(node, COUNT, size + 1)
  }

  /** Removes the path's node at `level`, which is empty, from its parent. */
  #removeChild(level: number): void {
    this.#releaseNode(this.#path[level] as number)
    const parent = this.#path[level - 1] as number
    const position = this.#positions[level - 1] as number
    const count = this.countOf(parent) - 1
    const first = this.#word(parent, SEPARATORS + 1)
    this.#removeWord(parent, CHILDREN, count, position)
    this.#removeWord(parent, SEPARATORS, count, position)
    this.#setWord(parent, COUNT, count)
    if (count === 0) {
      // The root has two children or more, so an emptied branch has a parent.
      this.#removeChild(level - 1)
      return
    }
    if (position === 0) this.#replaceSeparator(level - 1, first)
    while (this.#height > 0 && this.countOf(this.#root) === 1) {
      const root = this.#root
      this.#root = this.#child(root, 0)
      this.#height--
      this.#releaseNode(root)
    }
  }

  /** Names a new first record for the subtree at `level` of the path. */
  #replaceSeparator(level: number, record: number): void {
    for (let above = level - 1; above >= 0; above--) {
      const position = this.#positions[above] as number
      if (position === 0) continue
      this.#setWord(this.#path[above] as number, SEPARATORS + position, record)
      return
    }
  }

  #unlinkLeaf(leaf: number): void {
    const previous = this.previousLeaf(leaf)
    const next = this.nextLeaf(leaf)
    if (previous !== 0) this.#setWord(previous, NEXT, next)
    if (next !== 0) this.#setWord(next, PREVIOUS, previous)
  }

  #addNode(): number {
    const free = this.#free
    if (free === 0) return this.#memory.allocate(NODE_WORDS) >>> NODE_SHIFT
    this.#free = this.#word(free, NEXT)
    this.#chunk(free).fill(0, this.#at(free), this.#at(free) + NODE_WORDS)
    return free
  }

  #releaseNode(node: number): void {
    this.#setWord(node, NEXT, this.#free)
    this.#free = node
  }

  #chunk(node: number): Uint32Array {
    return this.#memory.chunkOf(node * NODE_WORDS)
  }

  #at(node: number): number {
    return (node * NODE_WORDS) & CHUNK_MASK
  }

  #word(node: number, word: number): number {
    return this.#chunk(node)[this.#at(node) + word] as number
  }

  #setWord(node: number, word: number, value: number): void {
    this.#chunk(node)[this.#at(node) + word] = value
  }

  #child(node: number, position: number): number {
    return this.#word(node, CHILDREN + position)
  }

  #record(leaf: number, position: number): number {
    return this.#word(leaf, RECORDS + position)
  }

  #insertWord(
    node: number,
    first: number,
    entry: { readonly count: number; readonly position: number; readonly value: number },
  ): void {
    const start = this.#at(node) + first
    const at = start + entry.position
    this.#chunk(node).copyWithin(at + 1, at, start + entry.count)
    this.#chunk(node)[at] = entry.value
  }

  /** Removes one of `count + 1` words. */
  #removeWord(node: number, first: number, count: number, position: number): void {
    const start = this.#at(node) + first
    this.#chunk(node).copyWithin(start + position, start + position + 1, start + count + 1)
  }

  #moveWords(
    move: { readonly source: number; readonly target: number; readonly first: number },
    from: number,
    count: number,
  ): void {
    const start = this.#at(move.source) + move.first + from
    const words = this.#chunk(move.source).subarray(start, start + count)
    this.#chunk(move.target).set(words, this.#at(move.target) + move.first)
  }
}

/** A place in the tree. Void once the tree's version has changed. */
export interface LeafPlace {
  leaf: number
  position: number
}
