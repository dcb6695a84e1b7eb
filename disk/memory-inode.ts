/**
 * A file's bytes in memory: as programs see them, as they would be found after a power loss, and
 * every state in between.
 *
 * The page cache of an operating system, in chunks of `CHUNK_SIZE`:
 *
 *   live      what read() returns
 *   durable   what a completed sync made safe
 *   history   per chunk written since: its state after each unsynced write; the last is live
 *   sizes     the file's length after each unsynced change of it, oldest first
 *
 * What a power loss may leave of a 512-byte sector is its durable state or any one in its history:
 * a disk writes sectors whole, from the cache, in any order, or not at all. So lost, reordered and
 * torn writes all come down to choosing a state for each sector (power-loss.ts).
 *
 * Invariants
 *   1. A chunk's bytes never change once it is in place, so copies of a file share them.
 *   2. Bytes beyond the length are zero or absent, in live and durable alike. An absent chunk reads
 *      as zeros.
 *   3. A chunk has a history if and only if live may differ from durable there.
 *   4. A chunk is `isDirty` when the next sync will write it. A failed sync makes chunks clean
 *      without making them durable (what Linux does), so later syncs leave them alone until they
 *      are written again.
 *
 * A file that `isPlain` has live bytes alone, which are written in place: 1 to 3 don't hold for it,
 * and it can't be copied.
 */

import { assert } from '../base/assert.ts'

export const CHUNK_SIZE = 4096
export const SECTOR_SIZE = 512
export const SECTORS_PER_CHUNK: number = CHUNK_SIZE / SECTOR_SIZE

/**
 * More states than this between two syncs and the oldest are forgotten: fewer images, all still
 * legal.
 */
const STATES_MAX = 32

export type Chunk = Uint8Array | undefined

const ZERO_CHUNK: Uint8Array = new Uint8Array(CHUNK_SIZE)

export interface ChunkState {
  /** When: the number of the operation that led to it. */
  readonly sequence: number
  readonly bytes: Chunk
  /**
   * For a truncation: the first byte in the chunk that it cut off. It takes effect with the file's
   * length.
   */
  readonly cutFrom: number | undefined
}

export interface ChunkHistory {
  readonly states: ChunkState[]
  isDirty: boolean
}

export interface SizeState {
  readonly sequence: number
  readonly sizeBytes: number
}

interface ChunkPart {
  readonly done: number
  readonly part: number
  readonly index: number
  readonly offset: number
}

export class MemoryInode {
  readonly kind = 'file'
  readonly id: number
  readonly #isPlain: boolean
  /** Handles open on it; not copied with the file. */
  openCount = 0
  /** Directory entries that name it now. */
  nameCount = 0

  #live: Chunk[] = []
  #durable: Chunk[] = []
  #history: Map<number, ChunkHistory> = new Map()
  #size = 0
  #durableSize = 0
  #sizes: SizeState[] = []
  /** Changes of length up to this operation are durable. */
  #sizeSyncedThrough = 0
  #chunkCount = 0

  constructor(id: number, isPlain: boolean = false) {
    this.id = id
    this.#isPlain = isPlain
  }

  /**
   * A file whose bytes are all durable. `chunks` are taken over, none of them reaching beyond
   * `sizeBytes`.
   */
  static ofDurable(id: number, chunks: Chunk[], sizeBytes: number): MemoryInode {
    const inode = new MemoryInode(id)
    inode.#live = chunks
    inode.#durable = [...chunks]
    inode.#size = sizeBytes
    inode.#durableSize = sizeBytes
    for (const chunk of chunks) if (chunk !== undefined) inode.#chunkCount += 1
    return inode
  }

  /** A copy with the same states and no handles; costs a few words a chunk. */
  clone(): MemoryInode {
    assert(!this.#isPlain, 'a plain file is not copied')
    const copy = new MemoryInode(this.id)
    copy.#live = [...this.#live]
    copy.#durable = [...this.#durable]
    for (const [index, { states, isDirty }] of this.#history) {
      copy.#history.set(index, { states: [...states], isDirty })
    }
    copy.#size = this.#size
    copy.#durableSize = this.#durableSize
    copy.#sizes = [...this.#sizes]
    copy.#sizeSyncedThrough = this.#sizeSyncedThrough
    copy.#chunkCount = this.#chunkCount
    return copy
  }

  get size(): number {
    return this.#size
  }

  get durableSize(): number {
    return this.#durableSize
  }

  /** Chunks that take up space. */
  get chunkCount(): number {
    return this.#chunkCount
  }

  get sizes(): readonly SizeState[] {
    return this.#sizes
  }

  get sizeSyncedThrough(): number {
    return this.#sizeSyncedThrough
  }

  get history(): ReadonlyMap<number, ChunkHistory> {
    return this.#history
  }

  durableChunks(): readonly Chunk[] {
    return this.#durable
  }

  liveChunks(): readonly Chunk[] {
    return this.#live
  }

  /** How many chunks writing there would take up anew. */
  newChunkCount(position: number, sizeBytes: number): number {
    if (sizeBytes === 0) return 0
    let count = 0
    const last = Math.floor((position + sizeBytes - 1) / CHUNK_SIZE)
    for (let index = Math.floor(position / CHUNK_SIZE); index <= last; index++) {
      if (this.#live[index] === undefined) count += 1
    }
    return count
  }

  read(target: Uint8Array, position: number): number {
    const size = Math.max(0, Math.min(target.length, this.#size - position))
    for (let done = 0; done < size;) {
      const offset = (position + done) % CHUNK_SIZE
      const part = Math.min(CHUNK_SIZE - offset, size - done)
      const chunk = this.#live[Math.floor((position + done) / CHUNK_SIZE)]
      if (chunk === undefined) target.fill(0, done, done + part)
      else target.set(chunk.subarray(offset, offset + part), done)
      done += part
    }
    return size
  }

  write(source: Uint8Array, position: number, sequence: number): void {
    for (let done = 0; done < source.length;) {
      const index = Math.floor((position + done) / CHUNK_SIZE)
      const offset = (position + done) % CHUNK_SIZE
      const part = Math.min(CHUNK_SIZE - offset, source.length - done)
      const bytes = this.#chunkWith(source, { done, part, index, offset })
      this.#change(index, { sequence, bytes, cutFrom: undefined })
      done += part
    }
    if (source.length > 0) this.#growTo(position + source.length, sequence)
  }

  /** A chunk as it is with `part` of the source's bytes, from `done` on, at `offset`. */
  #chunkWith(source: Uint8Array, at: ChunkPart): Uint8Array {
    const { done, part, index, offset } = at
    const written = part === source.length ? source : source.subarray(done, done + part)
    if (part === CHUNK_SIZE) return new Uint8Array(written)
    const before = this.#live[index]
    const bytes = before === undefined ? new Uint8Array(CHUNK_SIZE) : this.#writable(before)
    bytes.set(written, offset)
    return bytes
  }

  writeZeros(position: number, sizeBytes: number, sequence: number): void {
    const end = position + sizeBytes
    for (let at = position; at < end;) {
      const index = Math.floor(at / CHUNK_SIZE)
      const offset = at % CHUNK_SIZE
      const part = Math.min(CHUNK_SIZE - offset, end - at)
      const before = this.#live[index]
      const isWhole = part === CHUNK_SIZE || before === undefined
      const bytes = isWhole ? this.#zeros : this.#writable(before).fill(0, offset, offset + part)
      this.#change(index, { sequence, bytes, cutFrom: undefined })
      at += part
    }
    if (sizeBytes > 0) this.#growTo(end, sequence)
  }

  truncate(sizeBytes: number, sequence: number): void {
    const keptCount = Math.ceil(sizeBytes / CHUNK_SIZE)
    for (let index = keptCount; index < this.#live.length; index++) {
      if (this.#live[index] === undefined) continue
      this.#change(index, { sequence, bytes: undefined, cutFrom: 0 })
    }
    const cutFrom = sizeBytes % CHUNK_SIZE
    const boundary = this.#live[keptCount - 1]
    if (sizeBytes < this.#size && cutFrom !== 0 && boundary !== undefined) {
      const bytes = this.#writable(boundary).fill(0, cutFrom)
      this.#change(keptCount - 1, { sequence, bytes, cutFrom })
    }
    if (this.#live.length > keptCount) this.#live.length = keptCount
    if (sizeBytes !== this.#size && !this.#isPlain) this.#sizes.push({ sequence, sizeBytes })
    this.#size = sizeBytes
  }

  /** Makes the bytes of dirty chunks durable, and the length. */
  sync(sequence: number): void {
    if (this.#isPlain) return
    for (const [index, history] of this.#history) {
      if (!history.isDirty) continue
      this.#durable[index] = this.#live[index]
      this.#history.delete(index)
    }
    const count = Math.ceil(this.#size / CHUNK_SIZE)
    if (this.#durable.length > count) this.#durable.length = count
    this.#durableSize = this.#size
    this.#sizes = []
    this.#sizeSyncedThrough = sequence
  }

  /**
   * A sync that failed: what it should have written counts as clean from now on, and is not
   * durable.
   */
  failSync(): void {
    for (const history of this.#history.values()) history.isDirty = false
  }

  /** Makes exactly these bytes the file's, durable at once. */
  replace(bytes: Uint8Array): void {
    const fresh = MemoryInode.ofBytes(this.id, bytes)
    this.#live = fresh.#live
    this.#durable = fresh.#durable
    this.#history = new Map()
    this.#size = this.#durableSize = fresh.#size
    this.#sizes = []
    this.#chunkCount = fresh.#chunkCount
  }

  static ofBytes(id: number, bytes: Uint8Array): MemoryInode {
    const chunks: Chunk[] = []
    for (let start = 0; start < bytes.length; start += CHUNK_SIZE) {
      const chunk = new Uint8Array(CHUNK_SIZE)
      chunk.set(bytes.subarray(start, start + CHUNK_SIZE))
      chunks.push(chunk)
    }
    return MemoryInode.ofDurable(id, chunks, bytes.length)
  }

  /**
   * Flips one bit of the medium: in every state of the byte, as the cache and the disk both have
   * it.
   */
  flipBit(offset: number, bit: number): void {
    const index = Math.floor(offset / CHUNK_SIZE)
    const flipped = new Map<Uint8Array, Uint8Array>()
    const flip = (chunk: Chunk): Chunk => {
      if (chunk === undefined) return undefined
      let copy = flipped.get(chunk)
      if (copy === undefined) {
        copy = new Uint8Array(chunk)
        copy[offset % CHUNK_SIZE] = (copy[offset % CHUNK_SIZE] ?? 0) ^ (1 << bit)
        flipped.set(chunk, copy)
      }
      return copy
    }
    if (this.#live[index] === undefined) this.#setLive(index, ZERO_CHUNK)
    this.#live[index] = flip(this.#live[index])
    if (offset < this.#durableSize) this.#durable[index] = flip(this.#durable[index] ?? ZERO_CHUNK)
    const states = this.#history.get(index)?.states
    states?.forEach((state, i) => {
      states[i] = { ...state, bytes: flip(state.bytes) }
    })
  }

  /** A chunk's bytes, to be changed and put in its place. */
  #writable(chunk: Uint8Array): Uint8Array {
    return this.#isPlain ? chunk : new Uint8Array(chunk)
  }

  /** A chunk of zeros: where nothing is kept of what was there, none at all. */
  get #zeros(): Chunk {
    return this.#isPlain ? undefined : ZERO_CHUNK
  }

  #change(index: number, state: ChunkState): void {
    if (this.#isPlain) {
      this.#setLive(index, state.bytes)
      return
    }
    let history = this.#history.get(index)
    if (history === undefined) {
      history = { states: [], isDirty: true }
      this.#history.set(index, history)
    }
    history.isDirty = true
    history.states.push(state)
    if (history.states.length > STATES_MAX) {
      // A truncation must stay, it decides together with the length.
      const oldest = history.states.findIndex((old) => old.cutFrom === undefined)
      if (oldest >= 0) history.states.splice(oldest, 1)
    }
    this.#setLive(index, state.bytes)
  }

  #setLive(index: number, bytes: Chunk): void {
    const had = this.#live[index] !== undefined
    while (this.#live.length < index) this.#live.push(undefined)
    this.#live[index] = bytes
    if (!had && bytes !== undefined) this.#chunkCount += 1
    if (had && bytes === undefined) this.#chunkCount -= 1
    assert(this.#chunkCount >= 0, 'a file with fewer than no chunks')
  }

  #growTo(sizeBytes: number, sequence: number): void {
    if (sizeBytes <= this.#size) return
    if (this.#isPlain) {
      this.#size = sizeBytes
      return
    }
    const last = this.#sizes.at(-1)
    const isGrowth = last !== undefined && last.sizeBytes === this.#size
    if (isGrowth && this.#sizes.length >= STATES_MAX && this.#isAllGrowth()) this.#sizes.shift()
    this.#sizes.push({ sequence, sizeBytes })
    this.#size = sizeBytes
  }

  /** Whether the length only grew since the last sync, so that an older state may be forgotten. */
  #isAllGrowth(): boolean {
    let before = this.#durableSize
    for (const { sizeBytes } of this.#sizes) {
      if (sizeBytes < before) return false
      before = sizeBytes
    }
    return true
  }
}
