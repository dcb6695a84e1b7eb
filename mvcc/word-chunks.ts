/**
 * Memory of 32-bit words in chunks of a fixed size, addressed by one number.
 *
 * A place is a word's index over all chunks: chunk `place >>> CHUNK_SHIFT`, word
 * `place & CHUNK_MASK`. An allocation never straddles two chunks. It grows by a chunk at a time:
 * nothing is moved and nothing doubles. Place 0 is never handed out, so that 0 can stand for none.
 */

import { assert } from '../base/assert.ts'
import { KvError } from '../base/errors.ts'
import { TWO_32 } from '../base/bytes.ts'

export const CHUNK_SHIFT = 14
export const CHUNK_WORDS: number = 1 << CHUNK_SHIFT
export const CHUNK_MASK: number = CHUNK_WORDS - 1

/** Kept free at the start of the first chunk: the size of the largest thing aligned to its own. */
const RESERVED_WORDS = 256

export class WordChunks {
  readonly chunks: Uint32Array[] = []
  #next = RESERVED_WORDS

  /** Hands out `words` zeroed words in a row. */
  allocate(words: number): number {
    assert(words > 0 && words <= CHUNK_WORDS, 'allocation larger than a chunk')
    if (this.chunks.length === 0) this.chunks.push(new Uint32Array(CHUNK_WORDS))
    if ((this.#next & CHUNK_MASK) + words > CHUNK_WORDS || this.#next >= this.#capacity) {
      if (this.#capacity + CHUNK_WORDS > TWO_32) {
        throw new KvError('KV_NO_SPACE', 'the key index is full')
      }
      this.#next = this.#capacity
      this.chunks.push(new Uint32Array(CHUNK_WORDS))
    }
    const place = this.#next
    this.#next += words
    return place
  }

  get allocatedBytes(): number {
    return this.#capacity * 4
  }

  /** The chunk that holds a place. */
  chunkOf(place: number): Uint32Array {
    const chunk = this.chunks[place >>> CHUNK_SHIFT]
    assert(chunk !== undefined, 'place beyond the chunks')
    return chunk
  }

  get #capacity(): number {
    return this.chunks.length * CHUNK_WORDS
  }
}
