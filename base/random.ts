/**
 * Chance that replays: a seeded generator (xoshiro128**, its state filled by splitmix32).
 *
 * The same seed gives the same numbers on every machine and in every release that keeps the same
 * `RANDOM_VERSION`. Not for secrets.
 *
 * Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2018).
 */

/**
 * Changes when a seed would give other numbers than before, so that printed seeds say what they
 * need.
 */
export const RANDOM_VERSION = 1

const TWO_32 = 4294967296

export class Random {
  /** The seed it was made from, to print and replay. */
  readonly seed: number
  #a: number
  #b: number
  #c: number
  #d: number

  /** `seed`: an integer from 0 to 2^53 - 1. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`seed: expected an integer from 0 to 2^53 - 1, got ${seed}`)
    }
    this.seed = seed
    let state = (seed ^ Math.imul(Math.floor(seed / TWO_32), 0x9e3779b1)) | 0
    const splitmix = (): number => {
      state = (state + 0x9e3779b9) | 0
      let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      return (z ^ (z >>> 15)) | 0
    }
    this.#a = splitmix()
    this.#b = splitmix()
    this.#c = splitmix()
    // Four zero words are the one state that the generator never leaves.
    this.#d = splitmix() | 1
  }

  /** An integer from 0 to 2^32 - 1. */
  u32(): number {
    const scrambled = Math.imul(this.#b, 5)
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result
  }

  /** A number in [0, 1), with 32 random bits. */
  float(): number {
    return this.u32() / TWO_32
  }

  /** An integer from 0 to `end` - 1; `end` from 1 to 2^32. */
  below(end: number): number {
    if (!Number.isInteger(end) || end < 1 || end > TWO_32) {
      throw new RangeError(`end: expected an integer from 1 to 2^32, got ${end}`)
    }
    return Math.floor(this.float() * end)
  }

  /** An integer from `first` to `last`, both included. */
  between(first: number, last: number): number {
    if (!(last >= first)) throw new RangeError(`last: ${last} is below first, ${first}`)
    return first + this.below(last - first + 1)
  }

  /** True with the given probability: never for 0, always for 1. */
  chance(probability: number): boolean {
    return this.float() < probability
  }

  /** One of the items, all equally likely. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('items: nothing to pick from')
    // The index is in range, but T may include undefined, so no check on the value could tell.
    return items[this.below(items.length)] as T
  }

  /** Puts the items in random order, in place. */
  shuffle<T>(items: T[]): T[] {
    for (let last = items.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      const held = items[last] as T
      items[last] = items[other] as T
      items[other] = held
    }
    return items
  }

  /** Fills `target` with random bytes. */
  fill(target: Uint8Array): Uint8Array {
    for (let i = 0; i < target.length; i++) target[i] = this.u32() >>> 24
    return target
  }

  /** A generator of its own, so that what one part draws does not shift what another draws. */
  fork(): Random {
    return new Random(this.u32())
  }
}
