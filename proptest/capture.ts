/** A stream that keeps what is written to it, and passes for a terminal if told to. */
import { Writable } from 'node:stream'

export class Capture extends Writable {
  readonly isTTY: boolean
  readonly columns: number
  text = ''

  constructor(options: { readonly isTTY?: boolean; readonly columns?: number } = {}) {
    super()
    this.isTTY = options.isTTY ?? false
    this.columns = options.columns ?? 80
  }

  override _write(chunk: unknown, _encoding: string, done: () => void): void {
    this.text += String(chunk)
    done()
  }
}
