/**
 * The older revisions of keys: for each key a chain of blocks, newest first, in chunks of fixed
 * size. (The newest revision is in the key's record.)
 *
 * Block, in 32-bit words:
 *
 *   0  previous   the next older block; 0: none
 *   1  jump       a block further back; the oldest block jumps to itself
 *   2  depth      how many older blocks there are
 *   3  count | capacity << 16, in entries
 *   4  create main at the first entry, low half: what the first entries of a block belong to
 *   5  the same, high half                        when their generation began in an older block
 *   6  entries of 4 words, oldest first: main low, sub, version low, high halves (key-records.ts)
 *
 * `put(2.0) put(3.1) tombstone(5.0) put(6.0)`, in blocks of two:
 *   record: 6.0 version 1    →  [ 3.1 version 2 · 5.0 version 0 ]  →  [ 2.0 version 1 ]
 *
 * A chain's blocks grow from 2 to 64 entries, so that few revisions cost little and many cost 16
 * bytes each. Jumps are chosen as in Myers' applicative random-access stack: a revision is found in
 * O(log n) steps, and appending needs no more than the head.
 *
 * Invariants
 *   1. mains ascend along the chain, towards its head; within one main, subs do.
 *   2. an entry of version 1 created its key; an entry of version v > 1 continues the entry before
 *      it.
 */

import { assert } from '../base/assert.ts'
import { TWO_32 } from '../base/bytes.ts'
import { KeyState, packHigh, unpackMain, unpackVersion } from './key-records.ts'
import { CHUNK_MASK, WordChunks } from './word-chunks.ts'

const PREVIOUS = 0
const JUMP = 1
const DEPTH = 2
const SIZES = 3
const CREATE_LOW = 4
const CREATE_HIGH = 5
const ENTRIES = 6
const ENTRY_WORDS = 4

const CAPACITY_MIN = 2
const CAPACITY_MAX = 64

export class History {
  readonly #memory = new WordChunks()
  /** Freed blocks by capacity, chained through PREVIOUS. */
  readonly #free = new Map<number, number>()
  readonly #state = new KeyState()
  #located = 0
  #dropped = 0

  get allocatedBytes(): number {
    return this.#memory.allocatedBytes
  }

  /** Appends a revision to the chain at `head` (0: a new chain) and returns the chain's head. */
  push(head: number, state: KeyState): number {
    let block = head
    if (head === 0 || this.#count(head) === this.#capacity(head)) {
      block = this.#addBlock(head)
      const words = this.#memory.chunkOf(block)
      const at = block & CHUNK_MASK
      words[at + CREATE_LOW] = state.createMain % TWO_32
      words[at + CREATE_HIGH] = Math.floor(state.createMain / TWO_32)
    }
    const words = this.#memory.chunkOf(block)
    const at = block & CHUNK_MASK
    const count = (words[at + SIZES] as number) & 0xffff
    const entry = at + ENTRIES + count * ENTRY_WORDS
    words[entry] = state.modMain % TWO_32
    words[entry + 1] = state.modSub
    words[entry + 2] = state.version % TWO_32
    words[entry + 3] = packHigh(state.modMain, state.version)
    words[at + SIZES] = (words[at + SIZES] as number) + 1
    return block
  }

  /** Takes the newest revision off the chain at `head` into `state`; returns the chain's head. */
  pop(head: number, state: KeyState): number {
    const count = this.#count(head)
    assert(count > 0, 'pop from an empty history')
    this.#load(head, count - 1, state)
    const words = this.#memory.chunkOf(head)
    const at = head & CHUNK_MASK
    words[at + SIZES] = (words[at + SIZES] as number) - 1
    if (count > 1) return head
    const previous = words[at + PREVIOUS] as number
    this.#release(head)
    return previous
  }

  /** Loads the newest revision at or before `main`; false where all are newer. */
  find(head: number, main: number, state: KeyState): boolean {
    const block = this.#locate(head, main)
    if (block === 0) return false
    this.#load(block, this.#located, state)
    return true
  }

  /** Loads the newest revision before `main`.`sub`; false where there is none. */
  findBefore(head: number, main: number, sub: number, state: KeyState): boolean {
    let block = this.#locate(head, main)
    let index = this.#located
    while (block !== 0) {
      this.#load(block, index, state)
      if (state.modMain < main || state.modSub < sub) return true
      index--
      if (index >= 0) continue
      block = this.#word(block, PREVIOUS)
      if (block !== 0) index = this.#count(block) - 1
    }
    return false
  }

  /**
   * Drops what is older than the newest revision at or before `main`, and that one too unless
   * `keepsNewest` says of it to keep it. Returns the chain's head, 0 where nothing is left;
   * `dropped` says how many there were.
   */
  prune(head: number, main: number, keepsNewest: (state: KeyState) => boolean): number {
    this.#dropped = 0
    const block = this.#locate(head, main)
    if (block === 0) return head
    let first = this.#located
    this.#load(block, first, this.#state)
    if (!keepsNewest(this.#state)) first++
    const older = this.#word(block, PREVIOUS)
    if (first === 0 && older === 0) return head
    const isEmptied = first === this.#count(block)
    const oldest = isEmptied ? this.#newerThan(head, block) : block
    if (oldest !== 0) this.#makeOldest(head, oldest)
    this.#releaseFrom(older)
    this.#dropped += first
    if (isEmptied) this.#release(block)
    else this.#dropEntries(block, first)
    return oldest === 0 ? 0 : head
  }

  /** How many revisions the last `prune` dropped. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * The block with the newest revision at or before `main`, 0 where all are newer; `located` is
   * its place there.
   */
  #locate(head: number, main: number): number {
    let block = head
    if (block === 0) return 0
    while (this.#main(block, 0) > main) {
      const words = this.#memory.chunkOf(block)
      const at = block & CHUNK_MASK
      const previous = words[at + PREVIOUS] as number
      if (previous === 0) return 0
      const jump = words[at + JUMP] as number
      block = this.#main(jump, 0) > main ? jump : previous
    }
    let low = 1
    let high = this.#count(block)
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#main(block, middle) <= main) low = middle + 1
      else high = middle
    }
    this.#located = low - 1
    return block
  }

  /** The block that is newer by one; 0 for the head. */
  #newerThan(head: number, block: number): number {
    let newer = 0
    for (let at = head; at !== block; at = this.#word(at, PREVIOUS)) newer = at
    return newer
  }

  /** Makes a block its chain's oldest: nothing leads beyond it any more. */
  #makeOldest(head: number, oldest: number): void {
    const depth = this.#word(oldest, DEPTH)
    for (let block = head; block !== oldest; block = this.#word(block, PREVIOUS)) {
      if (this.#word(this.#word(block, JUMP), DEPTH) < depth) this.#setWord(block, JUMP, oldest)
    }
    this.#setWord(oldest, PREVIOUS, 0)
    this.#setWord(oldest, JUMP, oldest)
  }

  /** Drops the first entries of a block, which keeps some. */
  #dropEntries(block: number, count: number): void {
    if (count === 0) return
    const create = this.#createMain(block, count)
    this.#setWord(block, CREATE_LOW, create % TWO_32)
    this.#setWord(block, CREATE_HIGH, Math.floor(create / TWO_32))
    const words = this.#memory.chunkOf(block)
    const start = (block & CHUNK_MASK) + ENTRIES
    const end = start + this.#count(block) * ENTRY_WORDS
    words.copyWithin(start, start + count * ENTRY_WORDS, end)
    this.#setWord(block, SIZES, this.#word(block, SIZES) - count)
  }

  /** Releases a block and all that are older. */
  #releaseFrom(first: number): void {
    for (let block = first; block !== 0;) {
      const older = this.#word(block, PREVIOUS)
      this.#dropped += this.#count(block)
      this.#release(block)
      block = older
    }
  }

  /** Visits the chain's revisions, newest first, until `visit` returns false. `state` is reused. */
  forEach(head: number, visit: (state: KeyState) => boolean): void {
    const state = new KeyState()
    for (let block = head; block !== 0;) {
      for (let i = this.#count(block) - 1; i >= 0; i--) {
        this.#load(block, i, state)
        if (!visit(state)) return
      }
      block = this.#memory.chunkOf(block)[(block & CHUNK_MASK) + PREVIOUS] as number
    }
  }

  #addBlock(head: number): number {
    const capacity = head === 0 ? CAPACITY_MIN : Math.min(CAPACITY_MAX, this.#capacity(head) * 2)
    const block =
      this.#takeFree(capacity) ?? this.#memory.allocate(ENTRIES + capacity * ENTRY_WORDS)
    const words = this.#memory.chunkOf(block)
    const at = block & CHUNK_MASK
    words[at + PREVIOUS] = head
    words[at + SIZES] = capacity << 16
    if (head === 0) {
      words[at + JUMP] = block
      words[at + DEPTH] = 0
      return block
    }
    const jump = this.#word(head, JUMP)
    const further = this.#word(jump, JUMP)
    const depth = this.#word(head, DEPTH)
    const near = depth - this.#word(jump, DEPTH)
    const far = this.#word(jump, DEPTH) - this.#word(further, DEPTH)
    words[at + JUMP] = near === far ? further : head
    words[at + DEPTH] = depth + 1
    return block
  }

  #takeFree(capacity: number): number | undefined {
    const block = this.#free.get(capacity)
    if (block === undefined || block === 0) return undefined
    this.#free.set(capacity, this.#word(block, PREVIOUS))
    return block
  }

  #release(block: number): void {
    const capacity = this.#capacity(block)
    this.#memory.chunkOf(block)[(block & CHUNK_MASK) + PREVIOUS] = this.#free.get(capacity) ?? 0
    this.#free.set(capacity, block)
  }

  #word(block: number, word: number): number {
    return this.#memory.chunkOf(block)[(block & CHUNK_MASK) + word] as number
  }

  #setWord(block: number, word: number, value: number): void {
    this.#memory.chunkOf(block)[(block & CHUNK_MASK) + word] = value
  }

  #count(block: number): number {
    return this.#word(block, SIZES) & 0xffff
  }

  #capacity(block: number): number {
    return this.#word(block, SIZES) >>> 16
  }

  #main(block: number, index: number): number {
    const words = this.#memory.chunkOf(block)
    const entry = (block & CHUNK_MASK) + ENTRIES + index * ENTRY_WORDS
    return unpackMain(words[entry] as number, words[entry + 3] as number)
  }

  #load(block: number, index: number, state: KeyState): void {
    const words = this.#memory.chunkOf(block)
    const at = block & CHUNK_MASK
    const entry = at + ENTRIES + index * ENTRY_WORDS
    const high = words[entry + 3] as number
    state.modMain = unpackMain(words[entry] as number, high)
    state.modSub = words[entry + 1] as number
    state.version = unpackVersion(words[entry + 2] as number, high)
    state.createMain = state.version === 0 ? 0 : this.#createMain(block, index)
  }

  /** The create revision of the generation that an entry, not a tombstone, belongs to. */
  #createMain(block: number, index: number): number {
    const words = this.#memory.chunkOf(block)
    const at = block & CHUNK_MASK
    for (let i = index; i >= 0; i--) {
      const entry = at + ENTRIES + i * ENTRY_WORDS
      const high = words[entry + 3] as number
      if (unpackVersion(words[entry + 2] as number, high) === 1) {
        return unpackMain(words[entry] as number, high)
      }
    }
    return (words[at + CREATE_HIGH] as number) * TWO_32 + (words[at + CREATE_LOW] as number)
  }
}
