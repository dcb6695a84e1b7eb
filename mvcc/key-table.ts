/**
 * A hash table from keys to their records: a key is found in two or three looks at memory, where
 * the tree needs ten.
 *
 * Extendible hashing: a directory, by the first bits of a key's hash, names segments of 4096 slots.
 * A segment that is full is split in two by one bit more; only the directory ever doubles, and it
 * has an entry for some thousand keys. In memory, a segment is
 *
 *   slots   4096 words    records
 *   tags    4096 bytes    0 empty · 1 removed · else 128 + seven bits of the key's hash
 *
 * Within a segment a key stands at the slot that the last bits of its hash name, or the next free
 * one. A search runs along the tags, which share cache lines, and looks at records whose tag
 * is right: at one in 128 of the others for nothing.
 *
 * The seed keeps strangers from choosing keys that fall into one place. Should many do so, a
 * segment that splitting does not help becomes larger.
 */

import { assert } from '../base/assert.ts'
import { hashOf } from './key-hash.ts'
import type { KeyRecords } from './key-records.ts'

const EMPTY = 0
const REMOVED = 1
const TAG_SHIFT = 12
const TAG_MARK = 0x80
const HASH_BITS = 32
/** How many keys there are for each entry of the directory, at least. */
const KEYS_PER_ENTRY_MIN = 256
const DEPTH_FREE = 4
/** Slots whose records are asked for at once. */
const WARM_SLOTS = 512

export interface KeyTableOptions {
  /** Any number below 2^32. */
  readonly seed?: number
  /** A power of two. Less than the default only in tests. */
  readonly segmentSlots?: number
}

interface Segment {
  readonly slots: Uint32Array
  readonly tags: Uint8Array
  /** While keys are loaded: the hash of each key, so that splitting need not look at records. */
  hashes: Uint32Array | undefined
  /** How many bits of the hash its keys have in common. */
  depth: number
  live: number
  /** Slots that are not empty. */
  used: number
}

export class KeyTable {
  readonly #records: KeyRecords
  readonly #seed: number
  readonly #segmentSlots: number
  /** By the first `depth` bits of a hash. */
  #directory: Segment[]
  #depth = 0
  #count = 0
  #allocatedBytes = 0
  #isLoading = false

  constructor(records: KeyRecords, options: KeyTableOptions = {}) {
    this.#records = records
    this.#seed = options.seed ?? 0
    this.#segmentSlots = options.segmentSlots ?? 4096
    this.#directory = [this.#newSegment(0, this.#segmentSlots)]
  }

  get count(): number {
    return this.#count
  }

  /** Bytes set aside for segments. */
  get allocatedBytes(): number {
    return this.#allocatedBytes
  }

  /** The record of a key; 0: none. */
  find(key: Uint8Array): number {
    const hash = hashOf(key, 0, key.length, this.#seed)
    const { slots, tags } = this.#segmentOf(hash)
    const mask = tags.length - 1
    const tag = tagOf(hash)
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const found = tags[at] as number
      if (found === tag) {
        const record = slots[at] as number
        if (this.#records.hasKey(record, key)) return record
      } else if (found === EMPTY) return 0
    }
  }

  /** Adds the record of a key that has none. */
  add(key: Uint8Array, record: number): void {
    const hash = hashOf(key, 0, key.length, this.#seed)
    let segment = this.#segmentOf(hash)
    while (segment.used >= limitOf(segment)) {
      this.#makeRoom(segment, hash)
      segment = this.#segmentOf(hash)
    }
    this.#count++
    place(segment, hash, record)
  }

  /** Removes the record of a key; it must be there. */
  remove(key: Uint8Array): void {
    const hash = hashOf(key, 0, key.length, this.#seed)
    const segment = this.#segmentOf(hash)
    const { slots, tags } = segment
    const mask = tags.length - 1
    const tag = tagOf(hash)
    let at = hash & mask
    while (tags[at] !== tag || !this.#records.hasKey(slots[at] as number, key)) {
      assert(tags[at] !== EMPTY, 'key table: no such key')
      at = (at + 1) & mask
    }
    this.#count--
    segment.live--
    tags[at] = REMOVED
    // What no search needs to pass any more becomes empty again.
    if (tags[(at + 1) & mask] !== EMPTY) return
    for (; tags[at] === REMOVED; at = (at - 1) & mask) {
      tags[at] = EMPTY
      segment.used--
    }
  }

  /** Many keys are about to be added: until `endLoad` hashes are kept, and splitting is quick. */
  beginLoad(): void {
    assert(this.#count === 0, 'key table: loading begins without keys')
    this.#isLoading = true
    this.#directory = [this.#newSegment(0, this.#segmentSlots)]
    this.#depth = 0
    this.#allocatedBytes = bytesOf(this.#directory[0] as Segment)
  }

  endLoad(): void {
    this.#isLoading = false
    for (const segment of this.#directory) segment.hashes = undefined
  }

  /** Throws `AssertionError` where the table and the records that it must hold differ. */
  verify(records: Iterable<number>): void {
    let count = 0
    for (const record of records) {
      count++
      assert(this.find(this.#records.key(record)) === record, 'key table: a record is not found')
    }
    assert(count === this.#count, 'key table: wrong count')
  }

  /** Makes room in a segment that is full: of removed keys, by splitting it, or by a larger one. */
  #makeRoom(segment: Segment, hash: number): void {
    if (segment.live < limitOf(segment) >>> 1) this.#replace(segment, hash, segment.tags.length)
    else if (segment.depth < this.#depthMax()) this.#split(segment, hash)
    else this.#replace(segment, hash, segment.tags.length * 2)
  }

  /** Deeper than the number of keys explains, splitting serves no purpose. */
  #depthMax(): number {
    const explained = HASH_BITS - Math.clz32(Math.floor(this.#count / KEYS_PER_ENTRY_MIN))
    return Math.min(Math.max(explained, DEPTH_FREE), HASH_BITS - TAG_SHIFT)
  }

  #split(segment: Segment, hash: number): void {
    if (segment.depth === this.#depth) {
      this.#directory = this.#directory.flatMap((each) => [each, each])
      this.#depth++
    }
    const depth = segment.depth + 1
    const low = this.#newSegment(depth, segment.tags.length)
    const high = this.#newSegment(depth, segment.tags.length)
    this.#forEach(segment, (record, hashed) => {
      place((hashed >>> (HASH_BITS - depth)) & 1 ? high : low, hashed, record)
    })
    const { first, size } = this.#entriesOf(segment, hash)
    this.#directory.fill(low, first, first + size / 2)
    this.#directory.fill(high, first + size / 2, first + size)
    this.#allocatedBytes -= bytesOf(segment)
  }

  #replace(segment: Segment, hash: number, slotCount: number): void {
    const next = this.#newSegment(segment.depth, slotCount)
    this.#forEach(segment, (record, hashed) => place(next, hashed, record))
    const { first, size } = this.#entriesOf(segment, hash)
    this.#directory.fill(next, first, first + size)
    this.#allocatedBytes -= bytesOf(segment)
  }

  #forEach(segment: Segment, visit: (record: number, hash: number) => void): void {
    const { slots, tags, hashes } = segment
    for (let at = 0; at < tags.length; at++) {
      if (hashes === undefined && at % WARM_SLOTS === 0) {
        this.#records.warm(slots, at, at + WARM_SLOTS)
      }
      if ((tags[at] as number) < TAG_MARK) continue
      const record = slots[at] as number
      visit(record, hashes?.[at] ?? this.#records.hash(record, this.#seed))
    }
  }

  /** Which entries of the directory name the segment of a hash. */
  #entriesOf(segment: Segment, hash: number): { readonly first: number; readonly size: number } {
    const size = 2 ** (this.#depth - segment.depth)
    const entry = firstBits(hash, this.#depth)
    return { first: entry - (entry % size), size }
  }

  #segmentOf(hash: number): Segment {
    return this.#directory[firstBits(hash, this.#depth)] as Segment
  }

  #newSegment(depth: number, slotCount: number): Segment {
    const memory = new ArrayBuffer(slotCount * 5)
    this.#allocatedBytes += memory.byteLength
    return {
      slots: new Uint32Array(memory, 0, slotCount),
      tags: new Uint8Array(memory, slotCount * 4, slotCount),
      hashes: this.#isLoading ? new Uint32Array(slotCount) : undefined,
      depth,
      live: 0,
      used: 0,
    }
  }
}

/** Puts a record into a segment that has room and does not hold it. */
function place(segment: Segment, hash: number, record: number): void {
  const { slots, tags } = segment
  const mask = tags.length - 1
  let at = hash & mask
  while ((tags[at] as number) >= TAG_MARK) at = (at + 1) & mask
  if (tags[at] === EMPTY) segment.used++
  segment.live++
  tags[at] = tagOf(hash)
  slots[at] = record
  if (segment.hashes !== undefined) segment.hashes[at] = hash
}

/** How many slots are used at most: beyond seven eighths searches get long. */
function limitOf({ tags }: Segment): number {
  return tags.length - (tags.length >>> 3)
}

function bytesOf({ slots, tags }: Segment): number {
  return slots.byteLength + tags.byteLength
}

function tagOf(hash: number): number {
  return TAG_MARK | ((hash >>> TAG_SHIFT) & 0x7f)
}

function firstBits(hash: number, count: number): number {
  return count === 0 ? 0 : hash >>> (HASH_BITS - count)
}
