/**
 * What is found after a power loss: one image, drawn by chance among all that could legally be.
 *
 * For every sector written since the last sync: its durable state or any later one. For every file:
 * its durable length or any later one (a truncation takes its bytes along). For every change of
 * names: kept or lost (memory-names.ts). What was synced is always there.
 *
 * If each sector fell by a coin of its own, whole pages would hardly ever survive next to lost
 * ones, and those are the images that hurt. So each image has a manner drawn first: how much is
 * kept, how much is torn, or everything in order up to some moment, as a disk without a cache would
 * have it.
 */

import { CHUNK_SIZE, MemoryInode, SECTORS_PER_CHUNK, SECTOR_SIZE } from './memory-inode.ts'
import { nameKey } from './memory-names.ts'
import type { Random } from '../base/random.ts'
import type { Chunk, ChunkState } from './memory-inode.ts'
import type { NameChange } from './memory-names.ts'

/**
 *   random      a manner and then everything by chance
 *   nothing     only what is durable
 *   everything  all unsynced operations are kept
 *   torn        all lengths and names are kept; every unsynced chunk is torn between two sectors
 */
export type PowerLossMode = 'random' | 'nothing' | 'everything' | 'torn'

/**
 * How an image is drawn. Operations after `orderedThrough` are lost; the one after it may be torn.
 */
interface Manner {
  readonly orderedThrough: number | undefined
  readonly keep: number
  readonly keepSizes: number
  readonly keepNames: number
  readonly tear: number
}

const NOTHING: Manner = { orderedThrough: undefined, keep: 0, keepSizes: 0, keepNames: 0, tear: 0 }
const EVERYTHING: Manner = {
  orderedThrough: undefined,
  keep: 1,
  keepSizes: 1,
  keepNames: 1,
  tear: 0,
}
const TORN: Manner = { orderedThrough: undefined, keep: 1, keepSizes: 1, keepNames: 1, tear: 1 }

export class PowerLoss {
  readonly #random: Random
  readonly #mode: PowerLossMode
  readonly #manner: Manner

  /** `[firstSequence, lastSequence]` spans the operations that are not durable. */
  constructor(random: Random, mode: PowerLossMode, firstSequence: number, lastSequence: number) {
    this.#random = random
    this.#mode = mode
    this.#manner = mode === 'random' ? drawManner(random, firstSequence, lastSequence) : fixed(mode)
  }

  /** The changes of names that are kept, in order. */
  keptNames(changes: readonly NameChange[]): NameChange[] {
    const kept: NameChange[] = []
    const lostNames = new Set<string>()
    for (const change of changes) {
      const keys = change.edits.map(nameKey)
      const isPossible = !keys.some((key) => lostNames.has(key))
      if (isPossible && this.#keeps(change.sequence, this.#manner.keepNames)) kept.push(change)
      else for (const key of keys) lostNames.add(key)
    }
    return kept
  }

  /** The file as it is found, all of it durable. */
  file(inode: MemoryInode): MemoryInode {
    const { sizeBytes, sequence } = this.#size(inode)
    const count = Math.ceil(sizeBytes / CHUNK_SIZE)
    const chunks = inode.durableChunks().slice(0, count)
    for (const [index, { states }] of inode.history) {
      if (index >= count) continue
      while (chunks.length < index) chunks.push(undefined)
      chunks[index] = this.#chunk(inode.durableChunks()[index], states, sequence)
    }
    const tail = sizeBytes % CHUNK_SIZE
    const last = chunks[count - 1]
    if (tail !== 0 && last !== undefined) chunks[count - 1] = withoutTail(last, tail)
    return MemoryInode.ofDurable(inode.id, chunks, sizeBytes)
  }

  /** The length found, and the last change of length that it includes. */
  #size(inode: MemoryInode): { readonly sizeBytes: number; readonly sequence: number } {
    const states = inode.sizes
    const durable = { sizeBytes: inode.durableSize, sequence: inode.sizeSyncedThrough }
    const { orderedThrough, keepSizes } = this.#manner
    if (orderedThrough !== undefined) {
      return states.findLast((state) => state.sequence <= orderedThrough) ?? durable
    }
    if (keepSizes === 0 || states.length === 0) return durable
    if (this.#random.chance(keepSizes)) return states.at(-1) ?? durable
    return states[this.#random.below(states.length + 1) - 1] ?? durable
  }

  #keeps(sequence: number, probability: number): boolean {
    const { orderedThrough } = this.#manner
    if (orderedThrough !== undefined) return sequence <= orderedThrough
    return this.#random.chance(probability)
  }

  #chunk(durable: Chunk, states: readonly ChunkState[], sizeSequence: number): Chunk {
    const picks = this.#picks(states)
    if (states.some((state) => state.cutFrom !== undefined)) obeyCuts(picks, states, sizeSequence)
    const bytesOf = (pick: number): Chunk => (pick === 0 ? durable : states[pick - 1]?.bytes)
    const first = picks[0] ?? 0
    if (picks.every((pick) => pick === first)) return bytesOf(first)
    const bytes = new Uint8Array(CHUNK_SIZE)
    picks.forEach((pick, sector) => {
      const start = sector * SECTOR_SIZE
      const from = bytesOf(pick)
      if (from !== undefined) bytes.set(from.subarray(start, start + SECTOR_SIZE), start)
    })
    return bytes
  }

  /** For each sector which state it has: 0 the durable one, n the n-th in `states`. */
  #picks(states: readonly ChunkState[]): number[] {
    const random = this.#random
    const { orderedThrough, keep, tear } = this.#manner
    if (orderedThrough !== undefined) {
      const kept = states.findLastIndex((state) => state.sequence <= orderedThrough) + 1
      const isNext = states[kept]?.sequence === orderedThrough + 1
      return isNext ? this.#torn(kept + 1, kept) : uniform(kept)
    }
    if (this.#mode === 'torn') return this.#torn(states.length, 0)
    if (random.chance(tear)) {
      if (random.chance(0.5)) return this.#torn(random.below(states.length + 1), states.length)
      return uniform(0).map(() => random.below(states.length + 1))
    }
    if (states.length > 1 && keep > 0 && keep < 1 && random.chance(0.3)) {
      return uniform(random.below(states.length + 1))
    }
    return uniform(random.chance(keep) ? states.length : 0)
  }

  /** One state up to some sector and the other after it, either way round. */
  #torn(one: number, other: number): number[] {
    const split = this.#random.between(1, SECTORS_PER_CHUNK - 1)
    const isFirst = this.#random.chance(0.5)
    return uniform(one).map((pick, sector) => (sector < split === isFirst ? pick : other))
  }
}

function fixed(mode: Exclude<PowerLossMode, 'random'>): Manner {
  switch (mode) {
    case 'nothing':
      return NOTHING
    case 'everything':
      return EVERYTHING
    case 'torn':
      return TORN
  }
}

function drawManner(random: Random, firstSequence: number, lastSequence: number): Manner {
  const isOrdered = lastSequence >= firstSequence && random.chance(0.2)
  return {
    orderedThrough: isOrdered ? random.between(firstSequence - 1, lastSequence) : undefined,
    keep: random.pick([0.05, 0.3, 0.5, 0.7, 0.95]),
    keepSizes: random.pick([0.1, 0.5, 0.95]),
    keepNames: random.pick([0.1, 0.5, 0.95]),
    tear: random.pick([0, 0.1, 0.5, 1]),
  }
}

/**
 * A truncation is there with the length it belongs to: sectors it cut off have no state from before
 * it when the length includes it, and none from it on when the length does not.
 */
function obeyCuts(picks: number[], states: readonly ChunkState[], sizeSequence: number): void {
  picks.forEach((pick, sector) => {
    let first = 0
    let last = states.length
    const sectorEnd = (sector + 1) * SECTOR_SIZE
    states.forEach((state, i) => {
      if (state.cutFrom === undefined || state.cutFrom >= sectorEnd) return
      if (state.sequence <= sizeSequence) first = i + 1
      else last = Math.min(last, i)
    })
    picks[sector] = Math.max(first, Math.min(last, pick))
  })
}

function uniform(pick: number): number[] {
  return new Array<number>(SECTORS_PER_CHUNK).fill(pick)
}

function withoutTail(chunk: Uint8Array, tail: number): Uint8Array {
  for (let i = tail; i < CHUNK_SIZE; i++) {
    if (chunk[i] !== 0) return new Uint8Array(chunk).fill(0, tail)
  }
  return chunk
}
