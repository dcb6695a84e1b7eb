/**
 * A git repository's history as a stream of commits, first parents only (a merge is one commit
 * with everything it brought in). Three gits run side by side, each held back by its pipe when we
 * are slow:
 *
 *   rev-list (which commits) ─▶ diff-tree (which files) ─▶ look-ahead queue ─▶ parts
 *                                      └─ object ids ─▶ cat-file (contents) ─┘
 *
 * Memory holds the queue (commits without contents) and the part being put together, whatever the
 * length of the history. A rename is a delete and a put; a symbolic link's content is its target;
 * a submodule's is a line that names its commit, as in git's own diffs.
 */
import { realpath } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Blob } from './git-blobs.ts'
import { BlobReader } from './git-blobs.ts'
import type { LogCommit, RawChange } from './git-log.ts'
import { readCommitLines, readLog, readWholeCommit } from './git-log.ts'
import { GitError, gitText, startGit } from './git-process.ts'
import type { Change, CommitPart, FilePut, History, Omission } from './history.ts'
import { FILE_BYTES_MAX, cutIntoParts } from './history.ts'

const MODE_SUBMODULE = '160000'
/** Contents asked for ahead: enough to keep git busy, little enough to stay in the pipe. */
const LOOK_AHEAD = 256

export interface GitHistoryOptions {
  /** Only the newest so many commits; the oldest of them comes with its whole tree. */
  readonly commitsMax?: number | undefined
  /** Refuse a directory that merely lies inside somebody's repository. */
  readonly mustBeRoot?: boolean | undefined
}

/**
 * Looks at a repository.
 * @throws {GitError} where there is no git, no repository or no commit
 */
export async function openGitHistory(
  directory: string,
  options: GitHistoryOptions = {},
): Promise<History> {
  await gitText(directory, ['rev-parse', '--git-dir'])
  if (options.mustBeRoot === true) {
    const root = await gitText(directory, ['rev-parse', '--show-toplevel'])
    if ((await realpath(root)) !== (await realpath(directory))) {
      throw new GitError('git: the directory is no repository of its own')
    }
  }
  const head = await headOf(directory)
  const counted = await gitText(directory, ['rev-list', '--count', '--first-parent', head])
  const commitCount = Math.min(Number(counted), options.commitsMax ?? Infinity)
  const mayMiss = await isPartialClone(directory)
  return {
    title: await titleOf(directory),
    commitCount,
    parts: () => readParts(directory, head, { commitCount, mayMiss }),
  }
}

const PARTIAL_CLONE = '^(extensions\\.partialclone|remote\\..*\\.promisor)$'

async function isPartialClone(directory: string): Promise<boolean> {
  try {
    return (await gitText(directory, ['config', '--get-regexp', PARTIAL_CLONE])) !== ''
  } catch {
    // git config fails where there is no such setting.
    return false
  }
}

async function headOf(directory: string): Promise<string> {
  try {
    return await gitText(directory, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'])
  } catch (cause) {
    throw new GitError('git: the repository has no commits', { cause })
  }
}

async function titleOf(directory: string): Promise<string> {
  const branch = await gitText(directory, ['rev-parse', '--abbrev-ref', 'HEAD'])
  const name = basename(await realpath(directory)).replace(/\.git$/, '')
  return branch === 'HEAD' ? `git history of ${name}` : `git history of ${name}, branch ${branch}`
}

/** The commits with their changed files, oldest first. */
async function* readCommits(
  directory: string,
  head: string,
  commitsMax: number,
): AsyncGenerator<LogCommit, void, void> {
  const count = `--max-count=${commitsMax}`
  const list = startGit(directory, [
    'rev-list',
    '--first-parent',
    '--parents',
    '--reverse',
    count,
    head,
  ])
  const lines = readCommitLines(list)
  try {
    const first = await lines.next()
    if (first.done === true) return
    yield await readWholeCommit(directory, first.value.hash)
    yield* readLog(directory, lines)
  } finally {
    list.stop()
  }
}

function needsBlob(change: RawChange): boolean {
  return change.mode !== undefined && change.mode !== MODE_SUBMODULE
}

async function* readParts(
  directory: string,
  head: string,
  options: { readonly commitCount: number; readonly mayMiss: boolean },
): AsyncGenerator<CommitPart, void, void> {
  const { commitCount, mayMiss } = options
  const blobs = new BlobReader(directory, { sizeBytesMax: FILE_BYTES_MAX, mayMiss })
  const commits = readCommits(directory, head, commitCount)
  const queue: LogCommit[] = []
  let hasMore = true
  try {
    for (;;) {
      while (hasMore && (queue.length === 0 || isAhead(queue.length, blobs.waiting))) {
        const next = await commits.next()
        hasMore = next.done !== true
        if (next.done === true) break
        queue.push(next.value)
        blobs.ask(next.value.changes.filter(needsBlob).map((change) => change.oid))
      }
      const commit = queue.shift()
      if (commit === undefined) return
      yield* cutIntoParts(commit.info, withContents(commit.changes, blobs))
    }
  } finally {
    blobs.stop()
    await commits.return()
  }
}

function isAhead(commits: number, contents: number): boolean {
  return commits < LOOK_AHEAD && contents < LOOK_AHEAD
}

async function* withContents(
  changes: readonly RawChange[],
  blobs: BlobReader,
): AsyncGenerator<Change, void, void> {
  for (const change of changes) {
    const { path, mode, oid } = change
    if (mode === undefined) yield { type: 'delete', path }
    else if (mode === MODE_SUBMODULE) yield note(path, `Subproject commit ${oid}\n`, 'submodule')
    else yield fileOf(path, await blobs.read())
  }
}

function fileOf(path: Uint8Array, { content, sizeBytes }: Blob): FilePut {
  if (content !== undefined) return { type: 'put', path, content }
  if (sizeBytes === undefined) return note(path, 'content not in this clone\n', 'missing')
  return note(path, `content of ${sizeBytes} bytes left out\n`, 'large')
}

function note(path: Uint8Array, line: string, omitted: Omission): FilePut {
  return { type: 'put', path, content: Buffer.from(line), omitted }
}
