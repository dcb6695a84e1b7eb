/**
 * Where a command prints: colours only where a person looks at it, and no line wider than the
 * terminal.
 */
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { styleText } from 'node:util'

export type Style =
  | 'bold'
  | 'dim'
  | 'green'
  | 'red'
  | 'yellow'
  | 'cyan'
  | 'blue'
  | 'magenta'
  | 'inverse'

/** A stream that may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number }

export type Environment = Readonly<Record<string, string | undefined>>

const WIDTH_MAX = 80
const WIDTH_MIN = 40

export class Screen {
  readonly #output: Output
  readonly isTerminal: boolean
  readonly isColoured: boolean
  readonly #widthMax: number

  constructor(output: Output, environment: Environment, widthMax: number = WIDTH_MAX) {
    this.#output = output
    this.#widthMax = widthMax
    this.isTerminal = output.isTTY === true && environment['TERM'] !== 'dumb'
    // https://no-color.org: set to anything but nothing. FORCE_COLOR as Node has it.
    const isForced = !['', '0'].includes(environment['FORCE_COLOR'] ?? '')
    this.isColoured = (this.isTerminal || isForced) && (environment['NO_COLOR'] ?? '') === ''
  }

  /** Columns to use. */
  get width(): number {
    // A terminal that doesn't know its width says 0.
    const columns = this.#output.columns ?? 0
    return columns === 0 ? WIDTH_MAX : Math.max(WIDTH_MIN, Math.min(columns, this.#widthMax))
  }

  style(style: Style | readonly Style[], text: string): string {
    if (!this.isColoured || text === '') return text
    return styleText(typeof style === 'string' ? style : [...style], text, {
      validateStream: false,
    })
  }

  print(line = ''): void {
    this.#output.write(`${line}\n`)
  }

  /** Bytes as they are. */
  write(bytes: Uint8Array): void {
    this.#output.write(bytes)
  }

  /** Waits while the reader is behind, so that output doesn't pile up in memory. */
  async catchUp(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#output.writableNeedDrain) await once(this.#output, 'drain', { signal })
  }

  /** Replaces what the last `overwrite` left on the line. For terminals. */
  overwrite(line: string): void {
    this.#output.write(`\r${line}\u001b[K`)
  }
}
