/**
 * The nodes of the key tree: packed words, and how an entry is found within one of them.
 *
 * A node is 256 words, in chunks of fixed size, addressed by number; node 0 is none.
 *
 *   0    count      entries of a leaf, children of a branch
 *   1    previous   leaves only: the chain in key order
 *   2    next       as well; for a node that is not in use: the next such one
 *   3    shared     how many first bytes the keys of all entries have in common, at least
 *   4    live       how many keys of the subtree exist: those whose newest revision is a put
 *   leaf     6… 125 entries · 131… their heads
 *   branch   6… 83 children · 89… 83 entries, the separators · 172… their heads
 *
 * An entry is a record (key-records.ts). Its head is the four bytes of its key behind the shared
 * ones, high byte first, zeros behind the key's end. Most steps of a search compare heads, which
 * lie side by side, so a record elsewhere in memory is looked at once or twice a node. Separator 0
 * of a branch is not used, and shares nothing.
 */

import { assert } from '../base/assert.ts'
import { headOf } from './key-records.ts'
import type { KeyRecords } from './key-records.ts'
import { CHUNK_MASK, WordChunks } from './word-chunks.ts'

const NODE_SHIFT = 8
const NODE_WORDS: number = 1 << NODE_SHIFT
const COUNT = 0
const PREVIOUS = 1
const NEXT = 2
const SHARED = 3
const LIVE = 4
const CHILDREN = 6

export const LEAF_MAX = 125
export const BRANCH_MAX = 83

/** Where a kind of node has its entries, and which is the first one used. */
export interface NodeKind {
  readonly entries: number
  readonly heads: number
  readonly first: number
}

export const LEAF: NodeKind = { entries: CHILDREN, heads: CHILDREN + LEAF_MAX, first: 0 }
export const BRANCH: NodeKind = {
  entries: CHILDREN + BRANCH_MAX,
  heads: CHILDREN + 2 * BRANCH_MAX,
  first: 1,
}

/** A child of a branch and the first record of its subtree. */
export interface ChildEntry {
  readonly child: number
  readonly separator: number
}

const LEAF_AREAS: readonly number[] = [LEAF.entries, LEAF.heads]
const BRANCH_AREAS: readonly number[] = [CHILDREN, BRANCH.entries, BRANCH.heads]

export class KeyNodes {
  readonly #records: KeyRecords
  readonly #memory = new WordChunks()
  #free = 0
  #isFound = false

  constructor(records: KeyRecords) {
    this.#records = records
  }

  get allocatedBytes(): number {
    return this.#memory.allocatedBytes
  }

  /** A node without entries. */
  add(): number {
    const free = this.#free
    if (free === 0) return this.#memory.allocate(NODE_WORDS) >>> NODE_SHIFT
    this.#free = this.next(free)
    const at = this.#at(free)
    this.#chunk(free).fill(0, at, at + NODE_WORDS)
    return free
  }

  release(node: number): void {
    this.#set(node, NEXT, this.#free)
    this.#free = node
  }

  count(node: number): number {
    return this.#word(node, COUNT)
  }

  /** How many keys of a node's subtree exist. */
  live(node: number): number {
    return this.#word(node, LIVE)
  }

  addLive(node: number, by: number): void {
    this.#set(node, LIVE, this.live(node) + by)
  }

  /** How many keys before a leaf's or branch's position exist. */
  liveBefore(node: number, kind: NodeKind, position: number): number {
    let count = 0
    for (let i = 0; i < position; i++) {
      if (kind === BRANCH) count += this.live(this.child(node, i))
      else if (this.#records.isLive(this.entry(node, LEAF, i))) count++
    }
    return count
  }

  /** Counts the keys that exist anew. */
  recount(node: number, kind: NodeKind): void {
    this.#set(node, LIVE, this.liveBefore(node, kind, this.count(node)))
  }

  previous(leaf: number): number {
    return this.#word(leaf, PREVIOUS)
  }

  next(leaf: number): number {
    return this.#word(leaf, NEXT)
  }

  setPrevious(leaf: number, previous: number): void {
    this.#set(leaf, PREVIOUS, previous)
  }

  setNext(leaf: number, next: number): void {
    this.#set(leaf, NEXT, next)
  }

  child(branch: number, position: number): number {
    return this.#word(branch, CHILDREN + position)
  }

  /** The record of a leaf's entry, or a branch's separator. */
  entry(node: number, kind: NodeKind, position: number): number {
    return this.#word(node, kind.entries + position)
  }

  /** The first entry of a leaf whose key is not below `key`; `isFound` says whether it is its. */
  placeInLeaf(leaf: number, key: Uint8Array): number {
    // As if the key began as the others do: where it is there, it does.
    const place = this.#bisect(leaf, LEAF, key, 0)
    if (this.#isFound) return place
    const order = this.#compareShared(leaf, LEAF, key)
    return order === 0 ? place : order < 0 ? this.count(leaf) : 0
  }

  /** Which child of a branch may hold `key`. */
  placeInBranch(branch: number, key: Uint8Array): number {
    const order = this.#compareShared(branch, BRANCH, key)
    if (order !== 0) return order < 0 ? this.count(branch) - 1 : 0
    const place = this.#bisect(branch, BRANCH, key, this.#word(branch, SHARED))
    return this.#isFound ? place : place - 1
  }

  /** Whether the last search within a node met the key itself. */
  get isFound(): boolean {
    return this.#isFound
  }

  /** Puts a record among a leaf's entries. */
  insertEntry(leaf: number, position: number, record: number): void {
    this.#openGap(leaf, LEAF_AREAS, position)
    this.#setEntry(leaf, LEAF, position, record)
  }

  /** Puts a child, with its separator, among a branch's; the first child has none. */
  insertChild(branch: number, position: number, { child, separator }: ChildEntry): void {
    this.#openGap(branch, BRANCH_AREAS, position)
    this.#set(branch, CHILDREN + position, child)
    if (position > 0) this.#setEntry(branch, BRANCH, position, separator)
  }

  /** Fills a leaf that is empty with the records of keys in order. */
  fillLeaf(leaf: number, records: Uint32Array): void {
    this.#records.warm(records, 0, records.length)
    this.#chunk(leaf).set(records, this.#at(leaf) + LEAF.entries)
    this.#set(leaf, COUNT, records.length)
    this.#share(leaf, LEAF)
    this.recount(leaf, LEAF)
  }

  setSeparator(branch: number, position: number, separator: number): void {
    this.#setEntry(branch, BRANCH, position, separator)
  }

  removeEntry(leaf: number, position: number): void {
    this.#closeGap(leaf, LEAF_AREAS, position)
  }

  /** Removes a child with its separator; whichever is the first one then has none. */
  removeChild(branch: number, position: number): void {
    this.#closeGap(branch, BRANCH_AREAS, position)
  }

  /** Moves everything from position `kept` on to another node, which is empty. */
  split(source: number, target: number, kind: NodeKind, kept: number): void {
    const count = this.count(source)
    for (const area of kind === LEAF ? LEAF_AREAS : BRANCH_AREAS) {
      const start = this.#at(source) + area
      const moved = this.#chunk(source).subarray(start + kept, start + count)
      this.#chunk(target).set(moved, this.#at(target) + area)
    }
    this.#set(source, COUNT, kept)
    this.#set(target, COUNT, count - kept)
    this.#share(source, kind)
    this.#share(target, kind)
  }

  /** Throws `AssertionError` where heads or counts are not what the entries say. */
  verify(node: number, kind: NodeKind): void {
    const shared = this.#word(node, SHARED)
    const live = this.liveBefore(node, kind, this.count(node))
    assert(this.live(node) === live, 'key tree: wrong count of keys that exist')
    for (let i = kind.first; i < this.count(node); i++) {
      const record = this.entry(node, kind, i)
      const first = this.entry(node, kind, kind.first)
      assert(this.#records.sharedBy(first, record, shared) === shared, 'key tree: nothing shared')
      const head = this.#word(node, kind.heads + i)
      assert(head === this.#records.head(record, shared), 'key tree: another head')
    }
  }

  /** The first entry not below `key`, among those that begin as it does. */
  #bisect(node: number, kind: NodeKind, key: Uint8Array, known: number): number {
    const words = this.#chunk(node)
    const at = this.#at(node)
    const head = headOf(key, words[at + SHARED] as number, key.length)
    const heads = at + kind.heads
    let low = kind.first
    let high = words[at + COUNT] as number
    this.#isFound = false
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = words[heads + middle] as number
      if (other < head) low = middle + 1
      else if (other > head) high = middle
      else {
        const record = words[at + kind.entries + middle] as number
        const order = this.#records.compareFrom(record, key, known)
        if (order < 0) low = middle + 1
        else high = middle
        if (order === 0) this.#isFound = true
      }
    }
    return low
  }

  /** Compares what all entries of a node begin with to what `key` begins with. */
  #compareShared(node: number, kind: NodeKind, key: Uint8Array): number {
    const shared = this.#word(node, SHARED)
    if (shared === 0 || this.count(node) <= kind.first) return 0
    return this.#records.compareFirst(this.entry(node, kind, kind.first), key, shared)
  }

  #setEntry(node: number, kind: NodeKind, position: number, record: number): void {
    this.#set(node, kind.entries + position, record)
    const other = position === kind.first ? position + 1 : kind.first
    if (other >= this.count(node)) {
      this.#setShared(node, kind, this.#records.keySize(record))
      return
    }
    const shared = this.#word(node, SHARED)
    const left = this.#records.sharedBy(this.entry(node, kind, other), record, shared)
    if (left < shared) this.#setShared(node, kind, left)
    else this.#set(node, kind.heads + position, this.#records.head(record, shared))
  }

  /** Finds what the entries of a node have in common: what the first and the last one do. */
  #share(node: number, kind: NodeKind): void {
    const count = this.count(node)
    if (count <= kind.first) return
    const first = this.entry(node, kind, kind.first)
    const last = this.entry(node, kind, count - 1)
    this.#setShared(node, kind, this.#records.sharedBy(first, last, Infinity))
  }

  #setShared(node: number, kind: NodeKind, shared: number): void {
    const words = this.#chunk(node)
    const at = this.#at(node)
    const count = words[at + COUNT] as number
    words[at + SHARED] = shared
    for (let i = kind.first; i < count; i++) {
      words[at + kind.heads + i] = this.#records.head(
        words[at + kind.entries + i] as number,
        shared,
      )
    }
  }

  #openGap(node: number, areas: readonly number[], position: number): void {
    const words = this.#chunk(node)
    const count = this.count(node)
    for (const area of areas) {
      const start = this.#at(node) + area
      words.copyWithin(start + position + 1, start + position, start + count)
    }
    this.#set(node, COUNT, count + 1)
  }

  #closeGap(node: number, areas: readonly number[], position: number): void {
    const words = this.#chunk(node)
    const count = this.count(node)
    for (const area of areas) {
      const start = this.#at(node) + area
      words.copyWithin(start + position, start + position + 1, start + count)
    }
    this.#set(node, COUNT, count - 1)
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

  #set(node: number, word: number, value: number): void {
    this.#chunk(node)[this.#at(node) + word] = value
  }
}
