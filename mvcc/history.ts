/**
 * The older revisions of keys: for each key a chain of blocks, newest first, in chunks of fixed
 * size. (The newest revision is in the key's record.)
 *
 * Block, in 32-bit words:
 *
 *   0  previous   the next older block; 0: none
 *   1  count, bits 0-6 · kind, bits 7-9 · high bits of the create main, bits 10-30
 *   2  high bits of all mains and of the first version, as key-records.ts has them
 *   3  create main at the first entry, low half: what the first entries of a block belong to when
 *      their generation began in an older block
 *   4  version of the first entry, low half; 0: a tombstone
 *   5  entries of 2 words, oldest first: main low · sub, and bit 31 for a tombstone
 *
 * and, of blocks of the largest kind, at the end
 *
 *   jump       a block of that kind further back; the oldest one jumps to itself
 *   depth      how many older ones there are
 *
 * `put(2.0) put(3.1) tombstone(5.0) put(6.0) put(7.0)`, in blocks of two:
 *   record: 7.0 version 2    →  [ tombstone 5.0 · 6.0 ]  →  [ version 1: 2.0 · 3.1 ]
 *
 * Versions follow from the first one: each entry's is one more than the one's before it, and 1
 * behind a tombstone. A chain's blocks grow from 3 to 63 entries: three revisions cost 15 bytes
 * each, a hundred 11. Jumps are chosen as in Myers' applicative random-access stack: a revision is
 * found in O(log n) steps, and appending needs no more than the head.
 *
 * Invariants
 *   1. mains ascend along the chain, towards its head; within one main, subs do.
 *   2. an entry of version 1 created its key; an entry of version v > 1 continues the entry before
 *      it.
 *   3. blocks of the largest kind are newer than all others of their chain.
 */

import { assert } from '../base/assert.ts'
import { TWO_32 } from '../base/bytes.ts'
import { KeyState, packHigh, unpackMain, unpackVersion } from './key-records.ts'
import { CHUNK_MASK, WordChunks } from './word-chunks.ts'

const PREVIOUS = 0
const SIZES = 1
const HIGH = 2
const CREATE_LOW = 3
const VERSION_LOW = 4
const ENTRIES = 5
const ENTRY_WORDS = 2

const COUNT_MASK = 0x7f
const KIND_SHIFT = 7
const KIND_MASK = 0x7
const CREATE_SHIFT = 10

const LARGEST = 4
/** Of the largest kind. */
const JUMP: number = ENTRIES + capacityOf(LARGEST) * ENTRY_WORDS
const DEPTH: number = JUMP + 1

const SUB_MASK = 0x7fffffff

/** How many entries a block of a kind has room for. */
function capacityOf(kind: number): number {
  return (4 << kind) - 1
}

export class History {
  readonly #memory = new WordChunks()
  /** Freed blocks by kind, chained through PREVIOUS. */
  readonly #free: number[] = []
  readonly #state = new KeyState()
  #located = 0
  #dropped = 0

  get allocatedBytes(): number {
    return this.#memory.allocatedBytes
  }

  /** Appends a revision to the chain at `head` (0: a new chain) and returns the chain's head. */
  push(head: number, state: KeyState): number {
    const block = head !== 0 && this.#continues(head, state) ? head : this.#addBlock(head, state)
    const words = this.#memory.chunkOf(block)
    const at = block & CHUNK_MASK
    const count = (words[at + SIZES] as number) & COUNT_MASK
    const entry = at + ENTRIES + count * ENTRY_WORDS
    words[entry] = state.modMain % TWO_32
    words[entry + 1] = state.version === 0 ? state.modSub + SUB_MASK + 1 : state.modSub
    words[at + SIZES] = (words[at + SIZES] as number) + 1
    return block
  }

  /** Whether a revision can be the next entry of a block. */
  #continues(block: number, { modMain, version }: KeyState): boolean {
    const count = this.#count(block)
    if (count === capacityOf(this.#kind(block))) return false
    if (Math.floor(modMain / TWO_32) !== Math.floor(this.#main(block, 0) / TWO_32)) return false
    if (version === 0) return true
    return version === this.#version(block, count - 1) + 1
  }

  /** Takes the newest revision off the chain at `head` into `state`; returns the chain's head. */
  pop(head: number, state: KeyState): number {
    const count = this.#count(head)
    assert(count > 0, 'pop from an empty history')
    this.#load(head, count - 1, state)
    this.#setWord(head, SIZES, this.#word(head, SIZES) - 1)
    if (count > 1) return head
    const previous = this.#word(head, PREVIOUS)
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
      const previous = this.#word(block, PREVIOUS)
      if (previous === 0) return 0
      const jump = this.#kind(block) === LARGEST ? this.#word(block, JUMP) : block
      block = jump !== block && this.#main(jump, 0) > main ? jump : previous
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
    this.#setWord(oldest, PREVIOUS, 0)
    // All jumps lead to newer ones.
    if (this.#kind(oldest) !== LARGEST) return
    const depth = this.#word(oldest, DEPTH)
    for (let block = head; block !== oldest; block = this.#word(block, PREVIOUS)) {
      if (this.#word(this.#word(block, JUMP), DEPTH) < depth) this.#setWord(block, JUMP, oldest)
    }
    this.#setWord(oldest, JUMP, oldest)
  }

  /** Drops the first entries of a block, which keeps some. */
  #dropEntries(block: number, count: number): void {
    if (count === 0) return
    const first = this.#state
    this.#load(block, count, first)
    const words = this.#memory.chunkOf(block)
    const start = (block & CHUNK_MASK) + ENTRIES
    const end = start + this.#count(block) * ENTRY_WORDS
    words.copyWithin(start, start + count * ENTRY_WORDS, end)
    this.#describe(block, first, this.#count(block) - count)
  }

  /** Writes what a block says of its first entry, and how many entries it has. */
  #describe(block: number, first: KeyState, count: number): void {
    const createHigh = Math.floor(first.createMain / TWO_32)
    const words = this.#memory.chunkOf(block)
    const at = block & CHUNK_MASK
    words[at + SIZES] = count | (this.#kind(block) << KIND_SHIFT) | (createHigh << CREATE_SHIFT)
    words[at + HIGH] = packHigh(first.modMain, first.version)
    words[at + CREATE_LOW] = first.createMain % TWO_32
    words[at + VERSION_LOW] = first.version % TWO_32
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
      block = this.#word(block, PREVIOUS)
    }
  }

  /** Adds a block in front of `head`, whose first entry is to be `first`. */
  #addBlock(head: number, first: KeyState): number {
    const kind = head === 0 ? 0 : Math.min(LARGEST, this.#kind(head) + 1)
    const words = kind === LARGEST ? DEPTH + 1 : ENTRIES + capacityOf(kind) * ENTRY_WORDS
    const block = this.#takeFree(kind) ?? this.#memory.allocate(words)
    this.#setWord(block, PREVIOUS, head)
    this.#setWord(block, SIZES, kind << KIND_SHIFT)
    this.#describe(block, first, 0)
    if (kind === LARGEST) this.#setJump(head, block)
    return block
  }

  #setJump(head: number, block: number): void {
    if (this.#kind(head) !== LARGEST) {
      this.#setWord(block, JUMP, block)
      this.#setWord(block, DEPTH, 0)
      return
    }
    const jump = this.#word(head, JUMP)
    const further = this.#word(jump, JUMP)
    const depth = this.#word(head, DEPTH)
    const near = depth - this.#word(jump, DEPTH)
    const far = this.#word(jump, DEPTH) - this.#word(further, DEPTH)
    this.#setWord(block, JUMP, near === far ? further : head)
    this.#setWord(block, DEPTH, depth + 1)
  }

  #takeFree(kind: number): number | undefined {
    const block = this.#free[kind]
    if (block === undefined || block === 0) return undefined
    this.#free[kind] = this.#word(block, PREVIOUS)
    return block
  }

  #release(block: number): void {
    const kind = this.#kind(block)
    this.#setWord(block, PREVIOUS, this.#free[kind] ?? 0)
    this.#free[kind] = block
  }

  #word(block: number, word: number): number {
    return this.#memory.chunkOf(block)[(block & CHUNK_MASK) + word] as number
  }

  #setWord(block: number, word: number, value: number): void {
    this.#memory.chunkOf(block)[(block & CHUNK_MASK) + word] = value
  }

  #count(block: number): number {
    return this.#word(block, SIZES) & COUNT_MASK
  }

  #kind(block: number): number {
    return (this.#word(block, SIZES) >>> KIND_SHIFT) & KIND_MASK
  }

  #main(block: number, index: number): number {
    const words = this.#memory.chunkOf(block)
    const at = block & CHUNK_MASK
    const low = words[at + ENTRIES + index * ENTRY_WORDS] as number
    return unpackMain(low, words[at + HIGH] as number)
  }

  /** The index of the newest tombstone before an entry; -1: none in the block. */
  #tombstoneBefore(block: number, index: number): number {
    const words = this.#memory.chunkOf(block)
    const first = (block & CHUNK_MASK) + ENTRIES
    let i = index - 1
    while (i >= 0 && (words[first + i * ENTRY_WORDS + 1] as number) <= SUB_MASK) i--
    return i
  }

  #version(block: number, index: number): number {
    const words = this.#memory.chunkOf(block)
    const at = block & CHUNK_MASK
    if ((words[at + ENTRIES + index * ENTRY_WORDS + 1] as number) > SUB_MASK) return 0
    const tombstone = this.#tombstoneBefore(block, index)
    if (tombstone >= 0) return index - tombstone
    return index + unpackVersion(words[at + VERSION_LOW] as number, words[at + HIGH] as number)
  }

  #load(block: number, index: number, state: KeyState): void {
    const words = this.#memory.chunkOf(block)
    const entry = (block & CHUNK_MASK) + ENTRIES + index * ENTRY_WORDS
    state.modMain = this.#main(block, index)
    state.modSub = (words[entry + 1] as number) & SUB_MASK
    state.version = this.#version(block, index)
    state.createMain = state.version === 0 ? 0 : this.#createMain(block, index, state.version)
  }

  /** The create revision of the generation that an entry, not a tombstone, belongs to. */
  #createMain(block: number, index: number, version: number): number {
    // Its first revision is in this block, or none of it is in an older one.
    if (version <= index + 1) return this.#main(block, index + 1 - version)
    const words = this.#memory.chunkOf(block)
    const at = block & CHUNK_MASK
    const high = (words[at + SIZES] as number) >>> CREATE_SHIFT
    return high * TWO_32 + (words[at + CREATE_LOW] as number)
  }
}
