/**
 * Writes this project's history into the bundle that `npm start` falls back on (bundle.ts). The
 * same commits give the same bytes.
 *
 * The bundle is one line of commits, while the project's history has branches. All commits that
 * lead to the given ones are taken in topological order, branch by branch, each with the files
 * that it changed against its first parent. A merge brings every file that differs from one of
 * its parents to the state that it has in the merge, so whatever two branches did to the same
 * file comes out as the merge settled it. A change that is there already is left out.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { BlobReader } from './git-blobs.ts'
import type { CommitLine, RawChange } from './git-log.ts'
import { readCommitLines, readLog } from './git-log.ts'
import { GitError, startGit } from './git-process.ts'
import type { Change, CommitInfo } from './history.ts'
import { FILE_BYTES_MAX } from './history.ts'
import { createBundleCompressor, encodeBundle } from './bundle.ts'

/** The bundle itself, and other data that is no history of the project's own. */
const LEFT_OUT = /^testdata\//
const MODE_SUBMODULE = '160000'

interface ExportedCommit {
  readonly commit: CommitInfo
  readonly changes: readonly Change[]
}

async function listCommits(directory: string, heads: readonly string[]): Promise<CommitLine[]> {
  const args = ['rev-list', '--topo-order', '--reverse', '--parents', '--end-of-options']
  const list = startGit(directory, [...args, ...heads, '--'])
  list.input.end()
  const lines: CommitLine[] = []
  for await (const line of readCommitLines(list)) lines.push(line)
  return lines
}

function nameOf(path: Uint8Array): string {
  return Buffer.from(path).toString('latin1')
}

/** The files of the line of commits so far: path to the object that holds the content. */
type Tree = Map<string, RawChange>

/** Applies changes and returns those that made a difference. */
function apply(tree: Tree, changes: readonly RawChange[]): RawChange[] {
  const applied: RawChange[] = []
  for (const change of changes) {
    const name = nameOf(change.path)
    if (LEFT_OUT.test(name) || change.mode === MODE_SUBMODULE) continue
    const present = tree.get(name)
    if (present?.oid === change.oid && present.mode === change.mode) continue
    if (change.mode !== undefined) tree.set(name, change)
    else if (!tree.delete(name)) continue
    applied.push(change)
  }
  return applied
}

/** A merge is compared with each of its parents, as if it were a commit of each. */
function perParent(line: CommitLine): readonly CommitLine[] {
  if (line.parents.length < 2) return [line]
  return line.parents.map((parent) => ({ hash: line.hash, parents: [parent] }))
}

async function* exportCommits(
  directory: string,
  lines: readonly CommitLine[],
): AsyncGenerator<ExportedCommit, void, void> {
  const blobs = new BlobReader(directory, { sizeBytesMax: FILE_BYTES_MAX, mayMiss: false })
  const log = readLog(directory, Readable.from(lines.flatMap(perParent)))
  const tree: Tree = new Map()
  try {
    for (const line of lines) {
      const changes: RawChange[] = []
      let commit: CommitInfo | undefined
      for (let parts = perParent(line).length; parts > 0; parts--) {
        const next = await log.next()
        if (next.done === true) throw new GitError(`git: the log ends before ${line.hash}`)
        commit = next.value.info
        changes.push(...apply(tree, next.value.changes))
      }
      if (commit === undefined) continue
      changes.sort((a, b) => Buffer.compare(a.path, b.path))
      yield { commit, changes: await withContents(changes, blobs) }
    }
  } finally {
    blobs.stop()
    await log.return()
  }
}

async function withContents(
  changes: readonly RawChange[],
  blobs: BlobReader,
): Promise<readonly Change[]> {
  const result: Change[] = []
  blobs.ask(changes.filter((change) => change.mode !== undefined).map((change) => change.oid))
  for (const { path, mode } of changes) {
    if (mode === undefined) {
      result.push({ type: 'delete', path })
      continue
    }
    const { content } = await blobs.read()
    if (content === undefined) throw new GitError(`${nameOf(path)}: too large`)
    result.push({ type: 'put', path, content })
  }
  return result
}

/**
 * Writes the history that leads to `heads` into a bundle at `target`. Returns how many commits
 * there are.
 */
export async function exportHistory(
  directory: string,
  heads: readonly string[],
  target: string,
): Promise<number> {
  const lines = await listCommits(directory, heads)
  const header = { title: 'history of revbolt', commitCount: lines.length }
  const bytes = Readable.from(encodeBundle(header, exportCommits(directory, lines)))
  const pieces: Uint8Array[] = []
  const compressor = createBundleCompressor()
  bytes.on('error', (error) => compressor.destroy(error))
  for await (const piece of bytes.pipe(compressor)) pieces.push(piece as Uint8Array)
  await mkdir(dirname(target), { recursive: true })
  await writeFile(`${target}.tmp`, Buffer.concat(pieces))
  await rename(`${target}.tmp`, target)
  return lines.length
}
