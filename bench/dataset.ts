/**
 * Keys and values, the same for every side.
 *
 * Keys are random 16-byte strings from a seed, in files of 16 bytes a key: the order they are
 * loaded in, the order they are looked up in, the order they sort in. A side reads a slice of
 * such a file into one arena and makes its key objects over it, so that keys lie in memory in the
 * order of their use: what is measured is the engine, not a caller's scattered heap.
 *
 * Values are 1,024 different byte strings of 100 bytes, made by the same formula in every
 * language; key number i of a load gets value i mod 1,024.
 */

import { closeSync, existsSync, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../base/random.ts'
import type { KeySlice } from './protocol.ts'

export const KEY_SIZE = 16
export const VALUE_SIZE = 100
export const VALUE_COUNT = 1024

/** Which keys, in which order. */
export type KeyOrder = 'load' | 'lookup' | 'sorted' | 'commit' | 'extra'

/** The values that loads put, to be indexed with a key's number mod VALUE_COUNT. */
export function makeValues(): Buffer[] {
  return Array.from({ length: VALUE_COUNT }, (_, v) => {
    const value = Buffer.alloc(VALUE_SIZE)
    for (let j = 0; j < VALUE_SIZE; j++) value[j] = v * 31 + j * 7
    value[0] = v
    value[1] = v >> 8
    return value
  })
}

/** The keys of a slice, as Buffers over one arena. */
export function readKeys(slice: KeySlice): Buffer[] {
  const arena = Buffer.allocUnsafeSlow(slice.count * KEY_SIZE)
  const fd = openSync(slice.file, 'r')
  try {
    for (let at = 0; at < arena.length;) {
      const size = readSync(fd, arena, at, arena.length - at, slice.first * KEY_SIZE + at)
      if (size === 0) throw new Error(`${slice.file}: it has no ${slice.first + slice.count} keys`)
      at += size
    }
  } finally {
    closeSync(fd)
  }
  return Array.from({ length: slice.count }, (_, i) =>
    arena.subarray(i * KEY_SIZE, (i + 1) * KEY_SIZE),
  )
}

export interface DatasetOptions {
  readonly folder: string
  readonly seed: number
  readonly keyCount: number
  readonly lookupCount: number
  /** Keys there are for the commit cases, over all rounds. */
  readonly commitCount: number
  /** New keys there are, over all rounds. */
  readonly extraCount: number
}

/** The key files of one key count. Each is made when it is first asked for. */
export class Dataset {
  readonly keyCount: number
  readonly #options: DatasetOptions
  #arena: Buffer | undefined

  constructor(options: DatasetOptions) {
    this.#options = options
    this.keyCount = options.keyCount
  }

  /** How many keys a file has. */
  count(order: KeyOrder): number {
    if (order === 'lookup') return this.#options.lookupCount
    if (order === 'commit') return this.#options.commitCount
    if (order === 'extra') return this.#options.extraCount
    return this.keyCount
  }

  slice(order: KeyOrder, first: number, count: number): KeySlice {
    const { folder, keyCount } = this.#options
    const file = join(folder, `keys-${keyCount}-${order}.bin`)
    if (!existsSync(file)) writeFileSync(file, this.#make(order))
    return { file, first, count }
  }

  /** Forgets what making files kept in memory. */
  release(): void {
    this.#arena = undefined
  }

  #keys(): Buffer {
    const size = this.keyCount * KEY_SIZE
    this.#arena ??= randomBytes(new Random(this.#options.seed), size)
    return this.#arena
  }

  #make(order: KeyOrder): Buffer {
    const { seed } = this.#options
    if (order === 'load') return this.#keys()
    if (order === 'sorted') return sortedKeys(this.#keys())
    if (order === 'extra') {
      return randomBytes(new Random(seed + 1), this.#options.extraCount * KEY_SIZE)
    }
    const picked = this.#shuffled(order === 'lookup' ? seed + 2 : seed + 3, this.count(order))
    if (order === 'lookup') return picked
    // Commits: a key that is there and a new one, by turns.
    const random = new Random(seed + 4)
    for (let at = KEY_SIZE; at < picked.length; at += 2 * KEY_SIZE) {
      random.fill(picked.subarray(at, at + KEY_SIZE))
    }
    return picked
  }

  /** `count` keys in shuffled order; all of them before any comes again. */
  #shuffled(seed: number, count: number): Buffer {
    const random = new Random(seed)
    const order = Uint32Array.from({ length: this.keyCount }, (_, i) => i)
    const wanted = Math.min(count, order.length)
    for (let i = 0; i < wanted; i++) {
      const other = random.between(i, order.length - 1)
      const held = order[i] ?? 0
      order[i] = order[other] ?? 0
      order[other] = held
    }
    const keys = this.#keys()
    const picked = Buffer.allocUnsafeSlow(count * KEY_SIZE)
    for (let i = 0; i < count; i++) {
      const from = (order[i % wanted] ?? 0) * KEY_SIZE
      keys.copy(picked, i * KEY_SIZE, from, from + KEY_SIZE)
    }
    return picked
  }
}

function randomBytes(random: Random, size: number): Buffer {
  const words = new Uint32Array(size / 4)
  for (let i = 0; i < words.length; i++) words[i] = random.u32()
  return Buffer.from(words.buffer)
}

function sortedKeys(arena: Buffer): Buffer {
  const keys = Array.from({ length: arena.length / KEY_SIZE }, (_, i) =>
    arena.subarray(i * KEY_SIZE, (i + 1) * KEY_SIZE),
  )
  return Buffer.concat(keys.toSorted((a, b) => Buffer.compare(a, b)))
}
