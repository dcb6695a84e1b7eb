/**
 * One record per key of the index: the key's bytes and its newest revision, in chunks of fixed
 * size.
 *
 * Layout, in 32-bit words from the record's start, numbers low half first:
 *
 *   0  mod main, low half
 *   1  mod sub
 *   2  version, low half; version 0: a tombstone
 *   3  bits 0-20 mod main, high half; bits 21-31 version, high half
 *   4  create main, low half
 *   5  create main, high half
 *   6  older revisions: the head block's place in `History`, 0: none
 *   7  key length in bytes
 *   8  the key, padded to whole words
 *
 * A record is addressed by its word index over all chunks, as in word-chunks.ts; 0 is none. A key
 * too long to share a chunk has one to itself. Records don't move. The room of one that was
 * released goes to the next of the same length; such rooms are chained through their first word.
 */

import { assert } from '../base/assert.ts'
import { TWO_32 } from '../base/bytes.ts'
import { KvError } from '../base/errors.ts'
import { hashOf } from './key-hash.ts'
import { CHUNK_MASK, CHUNK_SHIFT, CHUNK_WORDS } from './word-chunks.ts'

const MOD_LOW = 0
const MOD_SUB = 1
const VERSION_LOW = 2
const HIGH = 3
const CREATE_LOW = 4
const CREATE_HIGH = 5
const HISTORY = 6
const KEY_LENGTH = 7
const KEY_WORD = 8
const KEY_OFFSET: number = KEY_WORD * 4

/** Longer records get a chunk to themselves. */
const SHARED_WORDS_MAX: number = CHUNK_WORDS / 4

const HIGH_BITS = 21
const HIGH_MASK: number = (1 << HIGH_BITS) - 1

/** How often one key can be put without being deleted in between: 2^43 - 1. */
export const VERSION_MAX: number = 2 ** 43 - 1

/** A key's state at some revision. Filled in by whoever looks one up. */
export class KeyState {
  modMain = 0
  modSub = 0
  createMain = 0
  /** 0: a tombstone. */
  version = 0

  set(modMain: number, modSub: number, createMain: number, version: number): void {
    this.modMain = modMain
    this.modSub = modSub
    this.createMain = createMain
    this.version = version
  }

  copy(): KeyState {
    const copy = new KeyState()
    copy.set(this.modMain, this.modSub, this.createMain, this.version)
    return copy
  }
}

/** Joins a main's or version's halves as `History` and `KeyRecords` store them. */
export function packHigh(main: number, version: number): number {
  assert(version <= VERSION_MAX, 'version beyond 2^43')
  return (Math.floor(main / TWO_32) | (Math.floor(version / TWO_32) << HIGH_BITS)) >>> 0
}

export function unpackMain(low: number, high: number): number {
  return (high & HIGH_MASK) * TWO_32 + low
}

export function unpackVersion(low: number, high: number): number {
  return (high >>> HIGH_BITS) * TWO_32 + low
}

export class KeyRecords {
  /** Chunk 0 is empty, so that no record is 0. The two lists are views of the same memory. */
  readonly #words: Uint32Array[] = [new Uint32Array(0)]
  readonly #bytes: Uint8Array[] = [new Uint8Array(0)]
  /** Released records by their length in words, 0: none. */
  readonly #free: number[] = []
  /** Numbers of chunks that were given back. */
  readonly #freeChunks: number[] = []
  /** The chunk that shared records go to, and its next free word. */
  #open = 0
  #next = CHUNK_WORDS
  #allocatedBytes = 0
  /** Of no use but that the loads which make it are not left out. */
  warmth = 0

  get allocatedBytes(): number {
    return this.#allocatedBytes
  }

  /** Makes a record for a key that has no revision yet; the key is copied. */
  add(key: Uint8Array): number {
    const words = KEY_WORD + ((key.length + 3) >>> 2)
    const record = words > SHARED_WORDS_MAX ? this.#addChunk(words) : this.#allocate(words)
    this.#chunk(record)[(record & CHUNK_MASK) + KEY_LENGTH] = key.length
    this.#bytesOf(record).set(key, ((record & CHUNK_MASK) << 2) + KEY_OFFSET)
    return record
  }

  /** Gives back a record, for another of the same length. */
  release(record: number): void {
    const chunk = this.#chunk(record)
    const at = record & CHUNK_MASK
    const words = KEY_WORD + (((chunk[at + KEY_LENGTH] as number) + 3) >>> 2)
    if (words > SHARED_WORDS_MAX) {
      this.#releaseChunk(record >>> CHUNK_SHIFT)
      return
    }
    chunk.fill(0, at, at + words)
    if (record >>> CHUNK_SHIFT === this.#open && at + words === this.#next) {
      this.#next = at
      return
    }
    while (this.#free.length <= words) this.#free.push(0)
    chunk[at] = this.#free[words] as number
    this.#free[words] = record
  }

  /** Compares the record's key with `key`: negative, 0 or positive. */
  compare(record: number, key: Uint8Array): number {
    return this.compareFrom(record, key, 0)
  }

  /** As `compare`, when the first `from` bytes of both are known to be the same. */
  compareFrom(record: number, key: Uint8Array, from: number): number {
    const chunk = record >>> CHUNK_SHIFT
    const at = record & CHUNK_MASK
    const length = (this.#words[chunk] as Uint32Array)[at + KEY_LENGTH] as number
    const bytes = this.#bytes[chunk] as Uint8Array
    const start = (at << 2) + KEY_OFFSET
    const size = length < key.length ? length : key.length
    for (let i = from; i < size; i++) {
      const difference = (bytes[start + i] as number) - (key[i] as number)
      if (difference !== 0) return difference
    }
    return length - key.length
  }

  /** Whether the record's key is `key`. */
  hasKey(record: number, key: Uint8Array): boolean {
    const chunk = record >>> CHUNK_SHIFT
    const at = record & CHUNK_MASK
    if ((this.#words[chunk] as Uint32Array)[at + KEY_LENGTH] !== key.length) return false
    const bytes = this.#bytes[chunk] as Uint8Array
    const start = (at << 2) + KEY_OFFSET
    // Keys differ in their last bytes sooner than in their first.
    for (let i = key.length - 1; i >= 0; i--) {
      if (bytes[start + i] !== key[i]) return false
    }
    return true
  }

  /** The hash of the record's key. */
  hash(record: number, seed: number): number {
    const start = ((record & CHUNK_MASK) << 2) + KEY_OFFSET
    return hashOf(this.#bytesOf(record), start, start + this.keySize(record), seed)
  }

  /** Compares the first `size` bytes of the record's key, which has as many, with the key's. */
  compareFirst(record: number, key: Uint8Array, size: number): number {
    const bytes = this.#bytesOf(record)
    const start = ((record & CHUNK_MASK) << 2) + KEY_OFFSET
    for (let i = 0; i < size; i++) {
      if (i === key.length) return 1
      const difference = (bytes[start + i] as number) - (key[i] as number)
      if (difference !== 0) return difference
    }
    return 0
  }

  /** How many first bytes the keys of two records have in common; `max` at most. */
  sharedBy(record: number, other: number, max: number): number {
    const bytes = this.#bytesOf(record)
    const otherBytes = this.#bytesOf(other)
    const start = ((record & CHUNK_MASK) << 2) + KEY_OFFSET
    const otherStart = ((other & CHUNK_MASK) << 2) + KEY_OFFSET
    const size = Math.min(this.keySize(record), this.keySize(other), max)
    let shared = 0
    while (shared < size && bytes[start + shared] === otherBytes[otherStart + shared]) shared++
    return shared
  }

  /** The four bytes of the record's key from `from` on, high byte first, zeros behind its end. */
  head(record: number, from: number): number {
    const bytes = this.#bytesOf(record)
    const start = ((record & CHUNK_MASK) << 2) + KEY_OFFSET
    return headOf(bytes, start + from, start + this.keySize(record))
  }

  /**
   * The record made after `record` (0: the first one made), 0 behind the last. Only as long as none
   * was released.
   */
  after(record: number): number {
    let chunk = 1
    let at = 0
    if (record !== 0) {
      chunk = record >>> CHUNK_SHIFT
      at = (record & CHUNK_MASK) + KEY_WORD + ((this.keySize(record) + 3) >>> 2)
    }
    for (; chunk < this.#words.length; chunk++, at = 0) {
      // No key is empty, so a length of 0 is room that was not handed out.
      if ((this.#words[chunk] as Uint32Array)[at + KEY_LENGTH]) return chunk * CHUNK_WORDS + at
    }
    return 0
  }

  /**
   * Asks memory for records (0: none) of a list that are about to be looked at in turn: one after
   * the other they would be waited for, all at once take little longer than one.
   */
  warm(list: Uint32Array, from: number, to: number): void {
    let warmth = 0
    for (let i = from; i < to; i++) {
      const record = list[i] as number
      if (record === 0) continue
      const chunk = this.#words[record >>> CHUNK_SHIFT] as Uint32Array
      warmth ^= chunk[(record & CHUNK_MASK) + KEY_WORD] as number
    }
    this.warmth = warmth
  }

  /** How many bytes the record's key has. */
  keySize(record: number): number {
    return this.#chunk(record)[(record & CHUNK_MASK) + KEY_LENGTH] as number
  }

  /** The record's key as a view, valid until the record is released. */
  key(record: number): Uint8Array {
    const at = record & CHUNK_MASK
    const start = (at << 2) + KEY_OFFSET
    const length = this.#chunk(record)[at + KEY_LENGTH] as number
    return this.#bytesOf(record).subarray(start, start + length)
  }

  /** The newest revision's main; 0 for a record without a revision. */
  modMain(record: number): number {
    const chunk = this.#chunk(record)
    const at = record & CHUNK_MASK
    return unpackMain(chunk[at + MOD_LOW] as number, chunk[at + HIGH] as number)
  }

  /** Whether the newest revision is a put. */
  isLive(record: number): boolean {
    const chunk = this.#chunk(record)
    const at = record & CHUNK_MASK
    return chunk[at + VERSION_LOW] !== 0 || (chunk[at + HIGH] as number) >>> HIGH_BITS !== 0
  }

  load(record: number, state: KeyState): void {
    const chunk = this.#chunk(record)
    const at = record & CHUNK_MASK
    const high = chunk[at + HIGH] as number
    state.modMain = unpackMain(chunk[at + MOD_LOW] as number, high)
    state.modSub = chunk[at + MOD_SUB] as number
    state.version = unpackVersion(chunk[at + VERSION_LOW] as number, high)
    state.createMain =
      (chunk[at + CREATE_HIGH] as number) * TWO_32 + (chunk[at + CREATE_LOW] as number)
  }

  store(record: number, state: KeyState): void {
    const chunk = this.#chunk(record)
    const at = record & CHUNK_MASK
    chunk[at + MOD_LOW] = state.modMain % TWO_32
    chunk[at + MOD_SUB] = state.modSub
    chunk[at + VERSION_LOW] = state.version % TWO_32
    chunk[at + HIGH] = packHigh(state.modMain, state.version)
    chunk[at + CREATE_LOW] = state.createMain % TWO_32
    chunk[at + CREATE_HIGH] = Math.floor(state.createMain / TWO_32)
  }

  history(record: number): number {
    return this.#chunk(record)[(record & CHUNK_MASK) + HISTORY] as number
  }

  setHistory(record: number, head: number): void {
    this.#chunk(record)[(record & CHUNK_MASK) + HISTORY] = head
  }

  #chunk(record: number): Uint32Array {
    const chunk = this.#words[record >>> CHUNK_SHIFT]
    assert(chunk !== undefined, 'no such record')
    return chunk
  }

  #bytesOf(record: number): Uint8Array {
    const bytes = this.#bytes[record >>> CHUNK_SHIFT]
    assert(bytes !== undefined, 'no such record')
    return bytes
  }

  #allocate(words: number): number {
    const released = this.#free[words] ?? 0
    if (released !== 0) {
      const chunk = this.#chunk(released)
      this.#free[words] = chunk[released & CHUNK_MASK] as number
      chunk[released & CHUNK_MASK] = 0
      return released
    }
    if (this.#next + words > CHUNK_WORDS) {
      const place = this.#addChunk(CHUNK_WORDS)
      this.#open = place >>> CHUNK_SHIFT
      this.#next = 0
    }
    const record = this.#open * CHUNK_WORDS + this.#next
    this.#next += words
    return record
  }

  #addChunk(words: number): number {
    const index = this.#freeChunks.pop() ?? this.#words.length
    if (index >= TWO_32 / CHUNK_WORDS) throw new KvError('KV_NO_SPACE', 'the key index is full')
    const chunk = new Uint32Array(words)
    this.#words[index] = chunk
    this.#bytes[index] = new Uint8Array(chunk.buffer)
    this.#allocatedBytes += words * 4
    return index * CHUNK_WORDS
  }

  #releaseChunk(index: number): void {
    this.#allocatedBytes -= (this.#words[index] as Uint32Array).byteLength
    this.#words[index] = new Uint32Array(0)
    this.#bytes[index] = new Uint8Array(0)
    this.#freeChunks.push(index)
  }
}

/** The four bytes from `from` on, high byte first, as an unsigned number; zeros from `end` on. */
export function headOf(bytes: Uint8Array, from: number, end: number): number {
  if (from + 4 <= end) {
    const high = ((bytes[from] as number) << 8) | (bytes[from + 1] as number)
    const low = ((bytes[from + 2] as number) << 8) | (bytes[from + 3] as number)
    return ((high << 16) | low) >>> 0
  }
  let head = 0
  for (let i = from; i < from + 4; i++) head = head * 256 + (i < end ? (bytes[i] as number) : 0)
  return head
}
