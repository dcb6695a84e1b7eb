/**
 * bbolt, as a program to put questions to: runs `interop/bbolt`, and reads what it prints.
 */

import { spawn } from 'node:child_process'
import { programPath } from './go-build.ts'

const RUN_TIMEOUT_MS = 120_000

/** One line that the program printed. */
export type Line = Readonly<Record<string, unknown>>

/** What a run of the program came to. */
export interface Run {
  /**
   * The exit status: 0 fine, 1 findings or a failed operation, 2 wrong usage or a panic; null
   * after a signal.
   */
  readonly status: number | null
  readonly lines: readonly Line[]
  readonly stderr: string
}

/** What bbolt says of a file. */
export interface CheckResult {
  /**
   * Each with who found it: `open`, `pages`, `previous` (the other meta's tree), `walk` or
   * `check`.
   */
  readonly findings: readonly string[]
  /** The digest of the whole content; see content.ts. */
  readonly hash: string
  /** The last line: counts and what the strict look at the pages saw. */
  readonly summary: Line
}

/** A lock that bbolt holds. */
export interface HeldLock {
  /** Ends the process that holds it. */
  release(): Promise<void>
}

/** The text of a field that must be there. */
export function textOf(line: Line | undefined, name: string): string {
  const value = line?.[name]
  if (typeof value !== 'string')
    throw new TypeError(`${name}: not a text in ${JSON.stringify(line)}`)
  return value
}

/** The number of a field that must be there. */
export function numberOf(line: Line | undefined, name: string): number {
  const value = line?.[name]
  if (typeof value !== 'number')
    throw new TypeError(`${name}: not a number in ${JSON.stringify(line)}`)
  return value
}

function isLine(value: unknown): value is Line {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The lines of a run's output. */
export function parseLines(output: string): Line[] {
  const lines: Line[] = []
  for (const text of output.split('\n')) {
    if (text === '') continue
    const value: unknown = JSON.parse(text)
    if (!isLine(value)) throw new TypeError(`output: not an object: ${text.slice(0, 200)}`)
    lines.push(value)
  }
  return lines
}

/** bbolt at hand. */
export class Bbolt {
  /** Runs a subcommand to its end; `input` becomes its standard input. */
  async run(args: readonly string[], input?: string): Promise<Run> {
    const child = spawn(programPath(), args, { stdio: ['pipe', 'pipe', 'pipe'] })
    const timer = setTimeout(() => child.kill('SIGKILL'), RUN_TIMEOUT_MS)
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    // A program that ends before it has read its input is judged by its status.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input ?? '')
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    clearTimeout(timer)
    const stderr = Buffer.concat(err).toString()
    return { status, lines: parseLines(Buffer.concat(out).toString()), stderr }
  }

  /** Runs a subcommand that must succeed. The last line is the result. */
  async expect(args: readonly string[], input?: string): Promise<readonly Line[]> {
    const run = await this.run(args, input)
    if (run.status !== 0 || run.lines.at(-1)?.['result'] === undefined) {
      const stderr = run.stderr.slice(0, 4000)
      throw new Error(`bbolt ${args.join(' ')} ended with ${run.status}:\n${stderr}`)
    }
    return run.lines
  }

  /**
   * Has a file opened, checked by bbolt, read both ways, sought key by key, and its pages looked
   * at strictly. A file that makes bbolt panic has the panic among its findings.
   */
  async check(path: string, options: readonly string[] = []): Promise<CheckResult> {
    const run = await this.run(['check', ...options, path])
    const findings = run.lines
      .filter((line) => line['finding'] !== undefined)
      .map((line) => `${textOf(line, 'source')}: ${textOf(line, 'finding')}`)
    const summary = run.lines.findLast((line) => line['sources'] !== undefined) ?? {}
    const failure = run.lines.findLast((line) => line['error'] !== undefined)
    if (summary['result'] === undefined) {
      findings.push(`died: status ${run.status}: ${run.stderr.slice(0, 4000)}`)
    } else if (findings.length === 0 && failure !== undefined) {
      findings.push(`failed: ${textOf(failure, 'error')}`)
    }
    const hash = summary['hash']
    return { findings, summary, hash: typeof hash === 'string' ? hash : '' }
  }

  /** The digest of a file's whole content. */
  async hash(path: string): Promise<string> {
    const lines = await this.expect(['hash', path])
    return textOf(lines.at(-1), 'hash')
  }

  /** A file's whole content; keys and values longer than `limit` bytes as size and SHA-256. */
  async dump(path: string, limit: number, flags: readonly string[] = []): Promise<readonly Line[]> {
    const lines = await this.expect(['dump', ...flags, '-digest', String(limit), path])
    return lines.slice(0, -1)
  }

  /** Has bbolt make a file with a feature of the format; see `interop/bbolt/fixtures.go`. */
  async make(kind: string, path: string, options: readonly string[] = []): Promise<void> {
    await this.expect(['make', ...options, kind, path])
  }

  /** Has bbolt hold its lock on a file until released. */
  async lock(path: string, mode?: 'ro'): Promise<HeldLock> {
    const args = ['lock', path, '300', ...(mode === undefined ? [] : [mode])]
    const child = spawn(programPath(), args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve())
      child.on('error', reject)
      child.on('close', (status) => reject(new Error(`lock ended with ${status}`)))
    })
    return {
      release: async () => {
        child.kill('SIGKILL')
        await ended
      },
    }
  }

  /** Whether bbolt gets the file open within the time. */
  async tryLock(path: string, timeoutMs: number, mode?: 'ro'): Promise<boolean> {
    const args = ['trylock', path, String(timeoutMs), ...(mode === undefined ? [] : [mode])]
    const lines = await this.expect(args)
    return textOf(lines.at(-1), 'result') === 'locked'
  }
}

/** bbolt. Asking it anything throws where it could not be built. */
export const bbolt: Bbolt = new Bbolt()
