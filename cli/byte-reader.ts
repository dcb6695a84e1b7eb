/**
 * Reads tokens and runs of bytes from a stream of chunks, pulling a chunk only when the last one
 * is used up: the reader of git's output and of the bundle. It holds two chunks and the token
 * asked for.
 */

/** The stream ended inside a token or a run. */
export class UnexpectedEndError extends Error {
  override readonly name: string = 'UnexpectedEndError'
}

/**
 * No subject, path or header line is this long; a stream that says so is not what it should be.
 */
const TOKEN_BYTES_MAX = 64 * 1024 * 1024
const EMPTY = new Uint8Array(0)

export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>
  /**
   * Asked for ahead. The first one at once: Node throws away a child's output that nobody reads
   * when it exits.
   */
  #next: Promise<Uint8Array | undefined>
  #chunk: Uint8Array = EMPTY
  #position = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
    this.#next = this.#ask()
  }

  /**
   * Reads up to the next `delimiter`, which is consumed and left out; undefined at the end of the
   * stream. The bytes may be a view of a chunk, which nobody writes to again.
   * @throws {UnexpectedEndError} where the stream ends in the middle of a token
   */
  async until(delimiter: number): Promise<Uint8Array | undefined> {
    const pieces: Uint8Array[] = []
    let size = 0
    for (;;) {
      if (this.#position === this.#chunk.length && !(await this.#refill())) {
        if (size === 0) return undefined
        throw new UnexpectedEndError(`the stream ended ${size} bytes into a token`)
      }
      const end = this.#chunk.indexOf(delimiter, this.#position)
      const piece = this.#chunk.subarray(this.#position, end === -1 ? undefined : end)
      this.#position += piece.length + (end === -1 ? 0 : 1)
      size += piece.length
      if (size > TOKEN_BYTES_MAX)
        throw new RangeError(`a token of more than ${TOKEN_BYTES_MAX} bytes`)
      if (end !== -1 && pieces.length === 0) return piece
      pieces.push(piece)
      if (end !== -1) return Buffer.concat(pieces, size)
    }
  }

  /**
   * Reads exactly `size` bytes.
   * @throws {UnexpectedEndError} where there are fewer
   */
  async exactly(size: number): Promise<Uint8Array> {
    if (this.#chunk.length - this.#position >= size) return this.#take(size)
    const bytes = Buffer.allocUnsafe(size)
    for (let filled = 0; filled < size;) {
      await this.#mustRefill(size - filled)
      const piece = this.#take(Math.min(size - filled, this.#chunk.length - this.#position))
      bytes.set(piece, filled)
      filled += piece.length
    }
    return bytes
  }

  /** Passes over `size` bytes without keeping them. */
  async skip(size: number): Promise<void> {
    for (let left = size; left > 0;) {
      await this.#mustRefill(left)
      left -= this.#take(Math.min(left, this.#chunk.length - this.#position)).length
    }
  }

  #ask(): Promise<Uint8Array | undefined> {
    const next = this.#nextChunk()
    // Its error is thrown by the read that comes to it, if one does.
    next.catch(() => {})
    return next
  }

  async #nextChunk(): Promise<Uint8Array | undefined> {
    const next = await this.#source.next()
    return next.done === true ? undefined : next.value
  }

  #take(size: number): Uint8Array {
    const bytes = this.#chunk.subarray(this.#position, this.#position + size)
    this.#position += size
    return bytes
  }

  async #mustRefill(missing: number): Promise<void> {
    if (this.#position < this.#chunk.length || (await this.#refill())) return
    throw new UnexpectedEndError(`the stream ended ${missing} bytes early`)
  }

  async #refill(): Promise<boolean> {
    for (;;) {
      const chunk = await this.#next
      if (chunk === undefined) return false
      this.#next = this.#ask()
      if (chunk.length === 0) continue
      this.#chunk = chunk
      this.#position = 0
      return true
    }
  }
}
