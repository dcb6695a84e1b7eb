/**
 * Runs git as a child process. Only plumbing commands are used: their output doesn't depend on
 * the user's settings.
 */
import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { ByteReader, UnexpectedEndError } from './byte-reader.ts'

/** git could not be run, or said no. The message is for people. */
export class GitError extends Error {
  override readonly name: string = 'GitError'
  /** There is no git program to run. */
  readonly isAbsent: boolean

  constructor(message: string, options: ErrorOptions & { readonly isAbsent?: boolean } = {}) {
    super(message, options)
    this.isAbsent = options.isAbsent ?? false
  }
}

/** Set when running inside a git hook; they would point every command at another repository. */
const REPOSITORY_VARIABLES: ReadonlySet<string> = new Set([
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_COMMON_DIR',
  'GIT_DIR',
  'GIT_GRAFT_FILE',
  'GIT_INDEX_FILE',
  'GIT_NAMESPACE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_PREFIX',
  'GIT_WORK_TREE',
])

const STDERR_CHARACTERS_MAX = 2000

function environment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !REPOSITORY_VARIABLES.has(name))
  return {
    ...Object.fromEntries(inherited),
    LC_ALL: 'C',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    // Reading a partial clone must not go to the network.
    GIT_NO_LAZY_FETCH: '1',
  }
}

export interface GitProcess {
  readonly output: ByteReader
  readonly input: Writable
  /** Resolves when git has ended well; rejects with a `GitError` when not. */
  readonly ended: Promise<void>
  /** Ends it now, if it still runs. */
  stop(): void
}

/** Starts `git -C directory ...args`. */
export function startGit(directory: string, args: readonly string[]): GitProcess {
  const child = spawn('git', ['-C', directory, ...args], { env: environment() })
  let complaint = ''
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text: string) => {
    if (complaint.length < STDERR_CHARACTERS_MAX) complaint += text
  })
  // A git that dies closes its input; its exit code and words tell why, not the broken pipe.
  child.stdin.on('error', () => {})
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', (cause) => {
      const isAbsent = 'code' in cause && cause.code === 'ENOENT'
      const message = isAbsent ? 'no git program was found' : `git: ${cause.message}`
      reject(new GitError(message, { cause, isAbsent }))
    })
    child.on('close', (code, signal) => {
      if (code === 0) resolve()
      else
        reject(new GitError(firstLine(complaint) ?? `git ${args[0]} ended with ${signal ?? code}`))
    })
  })
  // Those who don't wait for the end (they stop it early) don't want its rejection either.
  ended.catch(() => {})
  return {
    output: new ByteReader(child.stdout),
    input: child.stdin,
    ended,
    stop: () => {
      child.stdout.destroy()
      child.kill()
    },
  }
}

function firstLine(text: string): string | undefined {
  const line = text.split('\n').find((candidate) => candidate.trim() !== '')
  return line?.replace(/^fatal: /, 'git: ')
}

/**
 * What a command prints, without the final newline.
 * @throws {GitError} when it fails
 */
export async function gitText(directory: string, args: readonly string[]): Promise<string> {
  const git = startGit(directory, args)
  git.input.end()
  const pieces: Uint8Array[] = []
  for (let line = await lineOrEnd(git); line !== undefined; line = await lineOrEnd(git)) {
    pieces.push(line)
  }
  await git.ended
  return pieces.map((piece) => Buffer.from(piece).toString()).join('\n')
}

function lineOrEnd(git: GitProcess): Promise<Uint8Array | undefined> {
  return withGitError(git, () => git.output.until(0x0a))
}

/** Runs a read of git's output. Where the output breaks off, git's own words say why. */
export async function withGitError<T>(git: GitProcess, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (isBrokenOff(error)) await git.ended
    throw error
  }
}

function isBrokenOff(error: unknown): boolean {
  if (error instanceof UnexpectedEndError) return true
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}
