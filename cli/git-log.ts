/**
 * Reads which files each commit put and deleted, from `git diff-tree --stdin -z`.
 *
 * The output is one run of NUL-ended tokens: for each commit its hash, author date and subject
 * (our own format string), then for each file changed a raw entry and the path:
 *
 *   HASH NUL DATE NUL SUBJECT NUL  [LF] ":MODE MODE OID OID STATUS" NUL PATH NUL …
 *
 * Paths are raw bytes between NULs, so no name can break it: not quotes, newlines nor bad UTF-8.
 */
import { pipeline } from 'node:stream/promises'
import type { ByteReader } from './byte-reader.ts'
import type { GitProcess } from './git-process.ts'
import { GitError, gitText, startGit, withGitError } from './git-process.ts'
import type { CommitInfo } from './history.ts'

const NUL = 0x00
const LF = 0x0a
const COLON = 0x3a

const MODE_ABSENT = '000000'
const HEADER_FORMAT = '--format=tformat:%H%x00%at%x00%s'
const RAW_OPTIONS = ['-r', '-z', '--raw', '--no-renames', '--no-abbrev', '--no-ext-diff'] as const
const HEADER_OPTIONS = ['-z', '--always', '--encoding=UTF-8', HEADER_FORMAT] as const

/** A file as a commit left it, or took it away. */
export interface RawChange {
  readonly path: Uint8Array
  /** Octal, as git writes it; undefined: deleted. */
  readonly mode: string | undefined
  readonly oid: string
}

export interface LogCommit {
  readonly info: CommitInfo
  readonly changes: readonly RawChange[]
}

/** A commit and the parent to compare it with; without one, everything in it is new. */
export interface CommitLine {
  readonly hash: string
  readonly parents: readonly string[]
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}

/** Reads `git rev-list --parents` line by line. */
export async function* readCommitLines(git: GitProcess): AsyncGenerator<CommitLine, void, void> {
  for (;;) {
    const line = await withGitError(git, () => git.output.until(LF))
    if (line === undefined) break
    const [hash = '', ...parents] = text(line).split(' ')
    yield { hash, parents }
  }
  await git.ended
}

function parseRawEntry(token: string): { readonly mode: string | undefined; readonly oid: string } {
  // ":100644 100755 OLD NEW M", perhaps with the newline that ends the header before it.
  const [, mode, , oid] = token.trimStart().split(' ')
  if (mode === undefined || oid === undefined) throw new GitError(`git: unreadable entry ${token}`)
  return { mode: mode === MODE_ABSENT ? undefined : mode, oid }
}

/** Reads the token stream described above. */
export async function* parseLog(output: ByteReader): AsyncGenerator<LogCommit, void, void> {
  let info: CommitInfo | undefined
  let changes: RawChange[] = []
  for (let token = await output.until(NUL); token !== undefined; token = await output.until(NUL)) {
    const isEntry = token[0] === COLON || (token[0] === LF && token[1] === COLON)
    if (isEntry) {
      changes.push({ ...parseRawEntry(text(token)), path: await mustRead(output) })
      continue
    }
    if (info !== undefined) yield { info, changes }
    changes = []
    const hash = text(token).trim()
    if (!/^[0-9a-f]{40,64}$/.test(hash)) throw new GitError(`git: expected a hash, got ${hash}`)
    const authorDate = Number(text(await mustRead(output)))
    info = { hash, authorDate, subject: text(await mustRead(output)) }
  }
  if (info !== undefined) yield { info, changes }
}

async function* withGitErrors<T>(
  git: GitProcess,
  items: AsyncGenerator<T, void, void>,
): AsyncGenerator<T, void, void> {
  for (;;) {
    const next = await withGitError(git, () => items.next())
    if (next.done === true) return
    yield next.value
  }
}

async function mustRead(output: ByteReader): Promise<Uint8Array> {
  const token = await output.until(NUL)
  if (token === undefined) throw new GitError('git: the log broke off')
  return token
}

/** What each commit of `lines` changed against its first parent, in that order. */
export async function* readLog(
  directory: string,
  lines: AsyncIterable<CommitLine>,
): AsyncGenerator<LogCommit, void, void> {
  const git = startGit(directory, [
    'diff-tree',
    '--stdin',
    '--root',
    ...RAW_OPTIONS,
    ...HEADER_OPTIONS,
  ])
  const fed = pipeline(async function* () {
    for await (const { hash, parents } of lines) {
      yield parents[0] === undefined ? `${hash}\n` : `${hash} ${parents[0]}\n`
    }
  }, git.input)
  let feedError: unknown
  fed.catch((error: unknown) => {
    feedError = error
    git.stop()
  })
  try {
    yield* withGitErrors(git, parseLog(git.output))
    await git.ended
    await fed
  } catch (error) {
    // A feed that failed has stopped git; a git that failed has broken the feed.
    throw feedError instanceof GitError ? feedError : error
  } finally {
    git.stop()
  }
}

/** One commit with every file in it, as if it had no parent. */
export async function readWholeCommit(directory: string, hash: string): Promise<LogCommit> {
  const emptyTree = await gitText(directory, ['hash-object', '-t', 'tree', '--stdin'])
  const header = startGit(directory, ['diff-tree', '-s', ...HEADER_OPTIONS, hash])
  const files = startGit(directory, ['diff-tree', ...RAW_OPTIONS, emptyTree, hash])
  try {
    for await (const { info } of parseLog(header.output)) {
      await header.ended
      const changes = await readEntries(files.output)
      await files.ended
      return { info, changes }
    }
    await header.ended
    throw new GitError(`git: no commit ${hash}`)
  } finally {
    header.stop()
    files.stop()
  }
}

async function readEntries(output: ByteReader): Promise<readonly RawChange[]> {
  const changes: RawChange[] = []
  for (let token = await output.until(NUL); token !== undefined; token = await output.until(NUL)) {
    changes.push({ ...parseRawEntry(text(token)), path: await mustRead(output) })
  }
  return changes
}
