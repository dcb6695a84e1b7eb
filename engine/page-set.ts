/**
 * A set of page ids as a bitmap: one bit a page, so a freelist of a million ids is 128 KiB and
 * finding a run is a scan of words.
 */

import { assert } from '../base/assert.ts'

const WORD_BITS = 32

export class PageSet {
  #words = new Uint32Array(64)
  #size = 0
  /** No word below this index has a bit set. */
  #firstWord = 0

  get size(): number {
    return this.#size
  }

  has(pgid: number): boolean {
    const word = this.#words[Math.floor(pgid / WORD_BITS)]
    return word !== undefined && ((word >>> (pgid % WORD_BITS)) & 1) === 1
  }

  /** Adds an id. Returns false if it was there. */
  add(pgid: number): boolean {
    const at = Math.floor(pgid / WORD_BITS)
    if (at >= this.#words.length) this.#grow(at + 1)
    const bit = (1 << (pgid % WORD_BITS)) >>> 0
    const word = this.#words[at] as number
    if ((word & bit) !== 0) return false
    this.#words[at] = word | bit
    this.#size++
    if (at < this.#firstWord) this.#firstWord = at
    return true
  }

  /** Removes an id. Returns false if it was not there. */
  delete(pgid: number): boolean {
    if (!this.has(pgid)) return false
    const at = Math.floor(pgid / WORD_BITS)
    this.#words[at] = (this.#words[at] as number) & ~(1 << (pgid % WORD_BITS))
    this.#size--
    return true
  }

  /** Takes the lowest run of `count` consecutive ids out of the set. undefined: there is none. */
  takeRun(count: number): number | undefined {
    assert(count >= 1, 'takeRun: count')
    if (this.#size < count) return undefined
    const first = this.findRun(count)
    if (first === undefined) return undefined
    for (let i = 0; i < count; i++) this.delete(first + i)
    return first
  }

  /** Takes the lowest id of `[start, end)` out of the set. undefined: there is none. */
  takeWithin(start: number, end: number): number | undefined {
    const words = this.#words
    let at = Math.floor(start / WORD_BITS)
    let word = at < words.length ? (words[at] as number) & (-1 << (start % WORD_BITS)) : 0
    while (word === 0) {
      at++
      if (at >= words.length || at * WORD_BITS >= end) return undefined
      word = words[at] as number
    }
    const pgid = at * WORD_BITS + (31 - Math.clz32(word & -word))
    if (pgid >= end) return undefined
    this.delete(pgid)
    return pgid
  }

  /**
   * The stretches of `size` ids, a multiple of 32, that hold most: fullest first, until `wanted`
   * ids are covered, none with fewer than `atLeast`. [start, end, start, end, …]
   */
  densest(size: number, wanted: number, atLeast: number): number[] {
    const words = this.#words
    const step = size / WORD_BITS
    const found: { readonly start: number; readonly count: number }[] = []
    for (let at = 0; at < words.length; at += step) {
      let count = 0
      for (let i = at; i < at + step && i < words.length; i++) count += bitCount(words[i] as number)
      if (count >= atLeast && count > 0) found.push({ start: at * WORD_BITS, count })
    }
    found.sort((a, b) => b.count - a.count || a.start - b.start)
    const stretches: number[] = []
    let covered = 0
    for (const { start, count } of found) {
      if (covered >= wanted) break
      stretches.push(start, start + size)
      covered += count
    }
    return stretches
  }

  /** The lowest run of `count` consecutive ids. undefined: there is none. */
  findRun(count: number): number | undefined {
    const words = this.#words
    let at = this.#firstWord
    while (at < words.length && words[at] === 0) at++
    this.#firstWord = at
    let runStart = 0
    let runSize = 0
    for (; at < words.length; at++) {
      const word = words[at] as number
      if (word === 0) {
        runSize = 0
        continue
      }
      const lowest = 31 - Math.clz32(word & -word)
      // Only a run that reaches the end of the word before goes on at bit 0 of this one.
      if (lowest > 0) runSize = 0
      for (let bit = lowest; bit < WORD_BITS; bit++) {
        if (((word >>> bit) & 1) === 0) {
          runSize = 0
          continue
        }
        if (runSize === 0) runStart = at * WORD_BITS + bit
        if (++runSize === count) return runStart
      }
    }
    return undefined
  }

  /** Ids in ascending order. */
  *[Symbol.iterator](): Generator<number, void, undefined> {
    const words = this.#words
    for (let at = this.#firstWord; at < words.length; at++) {
      let word = words[at] as number
      while (word !== 0) {
        const low = word & -word
        yield at * WORD_BITS + (31 - Math.clz32(low))
        word ^= low
      }
    }
  }

  /** Calls `visit` with each id, ascending. */
  forEach(visit: (pgid: number) => void): void {
    const words = this.#words
    for (let at = this.#firstWord; at < words.length; at++) {
      let word = words[at] as number
      while (word !== 0) {
        const low = word & -word
        visit(at * WORD_BITS + (31 - Math.clz32(low)))
        word ^= low
      }
    }
  }

  /** Adds all ids of another set. */
  addAll(other: PageSet): void {
    if (other.#words.length > this.#words.length) this.#grow(other.#words.length)
    for (let at = other.#firstWord; at < other.#words.length; at++) {
      const word = this.#words[at] as number
      const added = (other.#words[at] as number) & ~word
      if (added === 0) continue
      this.#words[at] = word | added
      this.#size += bitCount(added)
      if (at < this.#firstWord) this.#firstWord = at
    }
  }

  /** Takes all ids of another set out of this one. */
  deleteAll(other: PageSet): void {
    const end = Math.min(this.#words.length, other.#words.length)
    for (let at = this.#firstWord; at < end; at++) {
      const gone = (this.#words[at] as number) & (other.#words[at] as number)
      if (gone === 0) continue
      this.#words[at] = (this.#words[at] as number) & ~gone
      this.#size -= bitCount(gone)
    }
  }

  /** Takes all ids from `pgid` on out of the set. */
  deleteFrom(pgid: number): void {
    const words = this.#words
    const first = Math.floor(pgid / WORD_BITS)
    for (let at = first; at < words.length; at++) {
      const word = words[at] as number
      const kept = at === first ? word & ~(-1 << (pgid % WORD_BITS)) : 0
      this.#size -= bitCount(word & ~kept)
      words[at] = kept
    }
  }

  /** How many ids lie below `end`. */
  countBelow(end: number): number {
    const words = this.#words
    const last = Math.min(words.length, Math.floor(end / WORD_BITS))
    let count = 0
    for (let at = this.#firstWord; at < last; at++) count += bitCount(words[at] as number)
    const rest = words[last]
    return rest === undefined ? count : count + bitCount(rest & ~(-1 << (end % WORD_BITS)))
  }

  /** How many ids are in another set too. */
  countCommon(other: PageSet): number {
    const words = Math.min(this.#words.length, other.#words.length)
    let count = 0
    for (let at = Math.max(this.#firstWord, other.#firstWord); at < words; at++) {
      count += bitCount((this.#words[at] as number) & (other.#words[at] as number))
    }
    return count
  }

  copy(): PageSet {
    const other = new PageSet()
    other.#words = this.#words.slice()
    other.#size = this.#size
    other.#firstWord = this.#firstWord
    return other
  }

  #grow(words: number): void {
    const larger = new Uint32Array(Math.max(words, this.#words.length * 2))
    larger.set(this.#words)
    this.#words = larger
  }
}

function bitCount(word: number): number {
  let pairs = word - ((word >>> 1) & 0x55555555)
  pairs = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((pairs + (pairs >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
