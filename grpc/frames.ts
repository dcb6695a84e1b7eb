/**
 * Messages on a stream: each behind five bytes, whether it is compressed (0: it isn't) and how long
 * it is, big-endian. Frames and the chunks that a stream comes in have nothing to do with each
 * other.
 */

import { EMPTY_BYTES } from '../base/bytes.ts'
import { RpcError, STATUS } from './status.ts'

export const PREFIX_BYTES = 5

/** Messages as frames, one after the other. */
export function framesOf(messages: readonly Uint8Array[]): Uint8Array {
  let size = 0
  for (const { length } of messages) size += PREFIX_BYTES + length
  const frames = Buffer.allocUnsafeSlow(size)
  let at = 0
  for (const message of messages) {
    frames[at] = 0
    frames.writeUInt32BE(message.length, at + 1)
    frames.set(message, at + PREFIX_BYTES)
    at += PREFIX_BYTES + message.length
  }
  return frames
}

/**
 * Finds the messages in what a stream brings. It holds what came of a message that is not whole, so
 * no more than was sent.
 */
export class FrameReader {
  readonly #maxBytes: number
  readonly #prefix = Buffer.alloc(PREFIX_BYTES)
  /** Bytes of the prefix that are there. */
  #prefixed = 0
  /** How long the message is that has begun; -1: none has. */
  #size = -1
  #parts: Uint8Array[] = []
  #filled = 0
  /** What was pushed and not looked at. */
  #rest: Uint8Array = EMPTY_BYTES

  /** Messages longer than `maxBytes` are refused before they are there. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** More of the stream, when `next` has no more. */
  push(chunk: Uint8Array): void {
    this.#rest = chunk
  }

  /**
   * The next message; undefined where more of the stream is needed. A view of what was pushed, or
   * bytes of its own.
   * @throws {RpcError} `RESOURCE_EXHAUSTED`, `UNIMPLEMENTED`, `INTERNAL`
   */
  next(): Uint8Array | undefined {
    if (this.#size === -1 && !this.#takePrefix()) return undefined
    const part = this.#rest.subarray(0, this.#size - this.#filled)
    this.#rest = this.#rest.subarray(part.length)
    this.#filled += part.length
    const isWhole = this.#filled === this.#size
    if (isWhole && this.#parts.length === 0) {
      this.#end()
      return part
    }
    if (part.length > 0) this.#parts.push(part)
    if (!isWhole) return undefined
    const message = Buffer.concat(this.#parts, this.#size)
    this.#end()
    return message
  }

  /** Whether the stream may end here. */
  get isBetween(): boolean {
    return this.#prefixed === 0 && this.#size === -1
  }

  #end(): void {
    this.#size = -1
    this.#filled = 0
    this.#parts = []
  }

  #takePrefix(): boolean {
    const part = this.#rest.subarray(0, PREFIX_BYTES - this.#prefixed)
    this.#prefix.set(part, this.#prefixed)
    this.#prefixed += part.length
    this.#rest = this.#rest.subarray(part.length)
    if (this.#prefixed < PREFIX_BYTES) return false
    this.#prefixed = 0
    const flag = this.#prefix[0]
    if (flag === 1) {
      throw new RpcError(STATUS.UNIMPLEMENTED, 'grpc: compressed messages are not taken')
    }
    if (flag !== 0) throw new RpcError(STATUS.INTERNAL, `grpc: a message with the flag ${flag}`)
    const size = this.#prefix.readUInt32BE(1)
    if (size > this.#maxBytes) {
      const message = `grpc: received message larger than max (${size} vs. ${this.#maxBytes})`
      throw new RpcError(STATUS.RESOURCE_EXHAUSTED, message)
    }
    this.#size = size
    return true
  }
}
