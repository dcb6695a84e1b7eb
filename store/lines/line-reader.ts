/**
 * Reads lines out of chunks of text or bytes, cut anywhere, and sees to it that they are whole: a
 * head first, an end last, as many lines between as the end says, and with its checksum. So a file
 * that was cut, or changed anywhere, is told before its end is believed.
 *
 * What is wrong is a `KvError` that names the line: `KV_BAD_FILE` where the first line says that it
 * is something else, `KV_BAD_VERSION` for a format to come, else `KV_CORRUPT`.
 */

import { createHash } from 'node:crypto'
import { KvError } from '../../base/errors.ts'
import type { ErrorCode } from '../../base/errors.ts'
import { decodeText, describeType } from '../../base/text.ts'
import type { LinesSource } from '../types/lines.ts'
import { FORMAT, FORMAT_VERSION, decodeLine } from './line.ts'
import type { Content, HeadLine, Line } from './line.ts'
import { LineFault, LineFields } from './line-fields.ts'

const LINE_FEED = 0x0a
/** A head is short: so what is no export at all is told by its first bytes. */
const HEAD_BYTES_MAX = 64 * 1024
/** A value of 100 MB as base64, and some; far from what a string can hold. */
const LINE_BYTES_MAX = 256 * 1024 * 1024

/** A line between the head and the end. */
export type BodyLine = Exclude<Line, { readonly type: 'head' | 'end' }>

type Chunks = AsyncIterator<unknown> | Iterator<unknown>

/** @throws {TypeError} where that can't be iterated over */
export function chunksOf(source: LinesSource): Chunks {
  const given: unknown = typeof source === 'function' ? source() : source
  if (typeof given === 'object' && given !== null) {
    if (Symbol.asyncIterator in given)
      return (given as AsyncIterable<unknown>)[Symbol.asyncIterator]()
    if (given instanceof Uint8Array) return [given][Symbol.iterator]()
    if (Symbol.iterator in given) return (given as Iterable<unknown>)[Symbol.iterator]()
  }
  if (typeof given === 'string') return [given][Symbol.iterator]()
  throw new TypeError(`lines: expected something to iterate over, got ${describeType(given)}`)
}

export class LineReader {
  readonly #chunks: Chunks
  readonly #hash = createHash('sha256')
  #chunk: Uint8Array = new Uint8Array(0)
  #at = 0
  #lineNumber = 0
  #byteCount = 0
  #isAtEnd = false

  constructor(chunks: Chunks) {
    this.#chunks = chunks
  }

  /** The line that was read last, the first being 1. */
  get lineNumber(): number {
    return this.#lineNumber
  }

  /** Bytes of the lines read so far. */
  get byteCount(): number {
    return this.#byteCount
  }

  /** The first line. @throws {KvError} also where what follows is not of that content */
  async head(content: Content, other: string): Promise<HeadLine> {
    const bytes = await this.#next(HEAD_BYTES_MAX)
    if (bytes === undefined) throw this.fault('there is nothing', 'KV_BAD_FILE')
    const text = this.#textOf(bytes)
    this.#mustBeKnown(text)
    const line = this.#decode(text)
    if (line.type !== 'head') throw this.fault('it is no head')
    if (line.content === content) {
      this.#hash.update(bytes)
      return line
    }
    throw this.fault(`it is the head of ${line.content}: ${other}`, 'KV_BAD_FILE')
  }

  /** The lines between; it ends when the last one is there and says that all is whole. */
  async *body(head: HeadLine): AsyncGenerator<BodyLine, void, void> {
    let count = 0
    for (;;) {
      const bytes = await this.#next(LINE_BYTES_MAX)
      if (bytes === undefined) throw this.#cutOff()
      const line = this.#decode(this.#textOf(bytes))
      if (line.type === 'head') throw this.fault('it is a second head')
      if (line.type === 'end') {
        if (line.count !== count) {
          throw this.fault(`it ends ${line.count} lines, but there are ${count}`)
        }
        if (line.revision !== head.revision) {
          throw this.fault(`it ends at revision ${line.revision}, the head says ${head.revision}`)
        }
        if (line.sha256 !== this.#hash.digest('hex')) {
          throw this.fault('its checksum is not that of the lines before it')
        }
        if ((await this.#next(1)) !== undefined) throw this.fault('it is behind the end')
        return
      }
      count++
      this.#hash.update(bytes)
      yield line
    }
  }

  /** Says what is wrong with the line that was read last. */
  fault(message: string, code: ErrorCode = 'KV_CORRUPT'): KvError {
    return new KvError(code, `line ${this.#lineNumber}: ${message}`)
  }

  /** Lets go of where the lines come from, where they were not read to their end. */
  async close(): Promise<void> {
    if (!this.#isAtEnd) await this.#chunks.return?.()
  }

  /** A line with its line feed; undefined at the end. */
  async #next(sizeMax: number): Promise<Uint8Array | undefined> {
    this.#lineNumber++
    const parts: Uint8Array[] = []
    let size = 0
    for (;;) {
      if (this.#at >= this.#chunk.length && !(await this.#fill())) {
        if (size === 0) return undefined
        throw this.#cutOff()
      }
      const feed = this.#chunk.indexOf(LINE_FEED, this.#at)
      const part = this.#chunk.subarray(this.#at, feed === -1 ? undefined : feed + 1)
      this.#at += part.length
      size += part.length
      this.#byteCount += part.length
      if (size > sizeMax) throw this.#tooLong(sizeMax)
      if (feed !== -1 && parts.length === 0) return part
      parts.push(part)
      if (feed !== -1) return Buffer.concat(parts)
    }
  }

  /** What is no export often has no line feed either; behind the end there is to be nothing. */
  #tooLong(sizeMax: number): KvError {
    if (sizeMax === 1) return this.fault('it is behind the end')
    if (this.#lineNumber === 1) return this.#foreign()
    return this.fault(`it is longer than ${sizeMax} bytes`)
  }

  async #fill(): Promise<boolean> {
    while (!this.#isAtEnd) {
      const next: IteratorResult<unknown, unknown> = await this.#chunks.next()
      this.#isAtEnd = next.done === true
      if (this.#isAtEnd) break
      this.#chunk = bytesOf(next.value)
      this.#at = 0
      if (this.#chunk.length > 0) return true
    }
    return false
  }

  #textOf(bytes: Uint8Array): string {
    const text = decodeText(bytes)
    if (text !== undefined) return text
    if (this.#lineNumber === 1) throw this.#foreign()
    throw this.fault('it is no UTF-8')
  }

  #decode(text: string): Line {
    try {
      return decodeLine(text)
    } catch (error) {
      if (error instanceof LineFault) throw this.fault(error.message)
      throw error
    }
  }

  /** Whether the first line is one of this format, of a version that is understood. */
  #mustBeKnown(text: string): void {
    try {
      const fields = new LineFields(text)
      if (fields.text('format') !== FORMAT) throw this.#foreign()
      const version = fields.integer('formatVersion', 1)
      if (version <= FORMAT_VERSION) return
      const message = `it is of format ${version}; this version reads up to ${FORMAT_VERSION}`
      throw this.fault(message, 'KV_BAD_VERSION')
    } catch (error) {
      if (error instanceof LineFault) throw this.#foreign()
      throw error
    }
  }

  #foreign(): KvError {
    return this.fault('it is no head of an export', 'KV_BAD_FILE')
  }

  #cutOff(): KvError {
    return this.fault('there is no end: the export was cut off')
  }
}

function bytesOf(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk, 'utf8')
  if (chunk instanceof Uint8Array) return chunk
  throw new TypeError(`lines: expected strings or bytes, got ${describeType(chunk)}`)
}
