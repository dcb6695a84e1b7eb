/** Runs a command of `revbolt` in this process, and keeps what it printed. */
import { Readable, Writable } from 'node:stream'
import { runBolt } from '../../cli/bolt/bolt.ts'
import type { Setting } from '../../cli/bolt/command.ts'
import { runSnapshot } from '../../cli/snapshot/snapshot.ts'
import { runWal } from '../../cli/wal/wal.ts'
import { Screen } from '../../cli/screen.ts'
import { runStore } from '../../cli/store/store.ts'

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
  /** Standard input; without it there is none. */
  readonly input?: string | Uint8Array
}

/** What the clock shows to commands on a store. */
const TODAY = new Date(2026, 10, 23, 14, 3, 22)

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

/** Runs `revbolt snapshot …args` as if in `directory`. */
export function snapshotIn(
  directory: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  return ranIn(runSnapshot, directory, args, options)
}

/** Runs `revbolt …args` on a store, as if in `directory`. */
export function storeIn(
  directory: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  const { environment = {}, input = '' } = options
  const run: Run = (words, setting) => {
    const read = (): Readable => Readable.from([Buffer.from(input)])
    return runStore(words, { ...setting, input: read, environment, today: () => TODAY })
  }
  return ranIn(run, directory, args, options)
}

type Run = (args: readonly string[], setting: Setting) => Promise<number>

async function ranIn(
  run: Run,
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
