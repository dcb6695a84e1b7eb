/** Runs a command of `revbolt bolt` or `revbolt wal` in this process, and keeps what it printed. */
import { Writable } from 'node:stream'
import { runBolt } from '../../cli/bolt/bolt.ts'
import { runWal } from '../../cli/wal/wal.ts'
import { Screen } from '../../cli/screen.ts'

/** What a run came to. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

class Collector extends Writable {
  readonly columns: number
  readonly isTTY: boolean
  readonly #chunks: Buffer[] = []

  constructor(columns: number, isTerminal: boolean) {
    super()
    this.columns = columns
    this.isTTY = isTerminal
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(Buffer.from(chunk))
    done()
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString()
  }
}

export interface RunOptions {
  readonly columns?: number
  readonly isTerminal?: boolean
  readonly environment?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** Runs `revbolt bolt …args` as if in `directory`. */
export function boltIn(
  directory: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  return ranIn(runBolt, directory, args, options)
}

/** Runs `revbolt wal …args` as if in `directory`. */
export function walIn(
  directory: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  return ranIn(runWal, directory, args, options)
}

async function ranIn(
  run: typeof runBolt,
  directory: string,
  args: readonly string[],
  options: RunOptions,
): Promise<Ran> {
  const { columns = 0, isTerminal = false, environment = {}, signal } = options
  const out = new Collector(columns, isTerminal)
  const err = new Collector(columns, isTerminal)
  const code = await run(args, {
    screen: new Screen(out, environment, 160),
    complaints: new Screen(err, environment, 160),
    signal: signal ?? new AbortController().signal,
    directory,
    now: () => 0,
  })
  return { code, stdout: out.text(), stderr: err.text() }
}

/** Whatever JSON holds; tests say by what they expect of it what it is. */
export type Json = ReturnType<typeof JSON.parse>

/** The JSON objects that a run printed, one a line. */
export function jsonLines(ran: Ran): readonly Record<string, Json>[] {
  return ran.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}
