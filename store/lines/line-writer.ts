/** Writes lines one after the other, counts them and sums up their bytes. */

import { createHash } from 'node:crypto'
import { encodeLine } from './line.ts'
import type { HeadLine, Line } from './line.ts'

export class LineWriter {
  readonly #hash = createHash('sha256')
  readonly #revision: number
  readonly #head: HeadLine
  #count = 0
  #byteCount = 0

  constructor(head: HeadLine) {
    this.#head = head
    this.#revision = head.revision
  }

  /** Bytes so far. */
  get byteCount(): number {
    return this.#byteCount
  }

  head(): string {
    return this.#write(this.#head)
  }

  line(line: Exclude<Line, { readonly type: 'head' | 'end' }>): string {
    this.#count++
    return this.#write(line)
  }

  end(): string {
    const sha256 = this.#hash.copy().digest('hex')
    return this.#write({ type: 'end', count: this.#count, revision: this.#revision, sha256 })
  }

  #write(line: Line): string {
    const text = `${encodeLine(line)}\n`
    this.#hash.update(text, 'utf8')
    this.#byteCount += Buffer.byteLength(text)
    return text
  }
}
