/**
 * bbolt, as a program to put questions to: builds `interop/bbolt` with Go and runs it.
 *
 * The binary is built once for a given source and kept under node_modules/.cache, so that later runs start at once.
 * bbolt's own source comes from Debian's golang-github-coreos-bbolt-dev where it is installed, else from
 * Go's module cache or proxy.
 *
 * Without Go, `describeBbolt` skips and says so; with REVBOLT_REQUIRE_GO=1 it fails instead.
 */

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync } from 'node:fs'
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, test } from 'vitest'

const DEBIAN_GOPATH = '/usr/share/gocode'
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const SOURCE = join(ROOT, 'interop', 'bbolt')
const CACHE = join(ROOT, 'node_modules', '.cache', 'revbolt-interop')
const RUN_TIMEOUT_MS = 120_000

/** One line that the program printed. */
export type Line = Readonly<Record<string, unknown>>

/** What a run of the program came to. */
export interface Run {
  /** The exit status: 0 fine, 1 findings or a failed operation, 2 wrong usage or a panic; null after a signal. */
  readonly status: number | null
  readonly lines: readonly Line[]
  readonly stderr: string
}

/** What bbolt says of a file. */
export interface CheckResult {
  /** Each with who found it: `open`, `pages`, `previous` (the other meta's tree), `walk` or `check`. */
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
  readonly #binary: string

  constructor(binary: string) {
    this.#binary = binary
  }

  /** Runs a subcommand to its end; `input` becomes its standard input. */
  async run(args: readonly string[], input?: string): Promise<Run> {
    const child = spawn(this.#binary, args, { stdio: ['pipe', 'pipe', 'pipe'] })
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
   * Has a file opened, checked by bbolt, read both ways, sought key by key, and its pages looked at strictly. A file that
   * makes bbolt panic has the panic among its findings.
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
  async dump(path: string, limit: number): Promise<readonly Line[]> {
    const lines = await this.expect(['dump', '-digest', String(limit), path])
    return lines.slice(0, -1)
  }

  /** Has bbolt make a file with a feature of the format; see `interop/bbolt/fixtures.go`. */
  async make(kind: string, path: string, options: readonly string[] = []): Promise<void> {
    await this.expect(['make', ...options, kind, path])
  }

  /** Has bbolt hold its lock on a file until released. */
  async lock(path: string, mode?: 'ro'): Promise<HeldLock> {
    const args = ['lock', path, '300', ...(mode === undefined ? [] : [mode])]
    const child = spawn(this.#binary, args, { stdio: ['ignore', 'pipe', 'inherit'] })
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

function goVersion(): string | undefined {
  const run = spawnSync('go', ['version'], { encoding: 'utf8' })
  return run.status === 0 ? run.stdout.trim() : undefined
}

function goEnvironment(workspace: string): NodeJS.ProcessEnv {
  const environment = { ...process.env, GOCACHE: join(workspace, 'cache'), GOFLAGS: '' }
  if (existsSync(join(DEBIAN_GOPATH, 'src', 'go.etcd.io', 'bbolt'))) {
    return { ...environment, GO111MODULE: 'off', GOPATH: DEBIAN_GOPATH }
  }
  return { ...environment, GO111MODULE: 'on' }
}

/** Builds the program, unless this very source has been built before. */
function build(version: string): Bbolt {
  const key = createHash('sha256').update(version)
  for (const name of readdirSync(SOURCE).toSorted()) {
    if (/\.(go|mod|sum)$/.test(name)) key.update(name).update(readFileSync(join(SOURCE, name)))
  }
  const binary = join(CACHE, `bbolt-${key.digest('hex').slice(0, 24)}`)
  if (existsSync(binary)) return new Bbolt(binary)
  mkdirSync(CACHE, { recursive: true })
  // Two test processes may build at once: each builds its own, and the renames agree.
  const workspace = mkdtempSync(join(CACHE, 'build-'))
  try {
    const target = join(workspace, 'bbolt')
    const run = spawnSync('go', ['build', '-o', target, '.'], {
      cwd: SOURCE,
      env: goEnvironment(workspace),
      encoding: 'utf8',
    })
    if (run.status !== 0) throw new Error(`go build failed:\n${run.stderr}`)
    renameSync(target, binary)
  } finally {
    rmSync(workspace, { recursive: true, force: true })
  }
  return new Bbolt(binary)
}

const version = goVersion()
const isRequired = process.env['REVBOLT_REQUIRE_GO'] === '1'
let built: Bbolt | undefined

/** bbolt, built when first asked for. Throws where there is no Go. */
export function findBbolt(): Bbolt {
  if (version === undefined) throw new Error('go: not found; bbolt itself can not be asked')
  built ??= build(version)
  return built
}

/**
 * A suite that needs bbolt. `define` is called with it; on a machine without Go the suite is skipped with a message,
 * or fails where REVBOLT_REQUIRE_GO=1.
 */
export function describeBbolt(name: string, define: (bbolt: Bbolt) => void): void {
  if (version === undefined && !isRequired) {
    const reason = 'skipped: no Go on this machine, so bbolt itself can not be asked'
    process.stderr.write(`${name}: ${reason}\n`)
    describe(name, () => {
      test(`needs Go (${reason})`, (context) => context.skip(reason))
    })
    return
  }
  describe(name, () => define(findBbolt()))
}
