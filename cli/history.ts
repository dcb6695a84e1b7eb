/**
 * A history to load: commits in order, each a set of files put and deleted, as a stream of parts.
 *
 * A part is what goes into one transaction. Nearly every commit is one part; one that adds a
 * whole source tree at once is cut, so that memory stays bounded however large it is.
 */

/** Content that is put in one transaction, in bytes, before the commit is cut. */
export const PART_BYTES_MAX: number = 32 * 1024 * 1024
/** Files that are put or deleted in one transaction before the commit is cut. */
export const PART_CHANGES_MAX = 20_000
/** A larger file is stored as a note of its size. */
export const FILE_BYTES_MAX: number = 8 * 1024 * 1024

export interface CommitInfo {
  readonly hash: string
  /** Author date, in seconds since 1970. */
  readonly authorDate: number
  readonly subject: string
}

/** Why a value is not the file's content but a note. */
export type Omission = 'large' | 'missing' | 'submodule'

export interface FilePut {
  readonly type: 'put'
  /** As git has it, which need not be UTF-8. */
  readonly path: Uint8Array
  readonly content: Uint8Array
  readonly omitted?: Omission
}

export interface FileDelete {
  readonly type: 'delete'
  readonly path: Uint8Array
}

export type Change = FilePut | FileDelete

export interface CommitPart {
  readonly commit: CommitInfo
  readonly changes: readonly Change[]
  /** Bytes of content in `changes`. */
  readonly contentBytes: number
  /** Whether the commit is complete with this part. */
  readonly isLast: boolean
}

export interface History {
  /** What it is, for people. */
  readonly title: string
  /** How many commits will come. */
  readonly commitCount: number
  /** Oldest commit first. Leaving the loop early ends whatever feeds it. */
  parts(): AsyncGenerator<CommitPart, void, void>
}

/** Cuts a commit's changes into parts: see `PART_BYTES_MAX`. */
export async function* cutIntoParts(
  commit: CommitInfo,
  changes: AsyncIterable<Change>,
): AsyncGenerator<CommitPart, void, void> {
  let part: Change[] = []
  let contentBytes = 0
  for await (const change of changes) {
    if (contentBytes >= PART_BYTES_MAX || part.length >= PART_CHANGES_MAX) {
      yield { commit, changes: part, contentBytes, isLast: false }
      part = []
      contentBytes = 0
    }
    part.push(change)
    if (change.type === 'put') contentBytes += change.content.length
  }
  yield { commit, changes: part, contentBytes, isLast: true }
}

/**
 * The newest `count` commits of a history that can only be read from its beginning. What came
 * before is folded into the oldest of them, so memory holds one whole tree while that is read.
 */
export function newestCommits(history: History, count: number): History {
  const skipped = history.commitCount - count
  if (skipped <= 0) return history
  return { title: history.title, commitCount: count, parts: () => foldParts(history, skipped) }
}

async function* foldParts(
  history: History,
  skipped: number,
): AsyncGenerator<CommitPart, void, void> {
  const tree = new Map<string, FilePut>()
  let commits = 0
  for await (const part of history.parts()) {
    if (commits > skipped) {
      yield part
      continue
    }
    for (const change of part.changes) {
      const path = Buffer.from(change.path).toString('latin1')
      if (change.type === 'put') tree.set(path, change)
      else tree.delete(path)
    }
    if (!part.isLast) continue
    if (commits++ === skipped) yield* cutIntoParts(part.commit, inPathOrder(tree))
  }
}

async function* inPathOrder(tree: Map<string, FilePut>): AsyncGenerator<FilePut, void, void> {
  for (const path of [...tree.keys()].sort()) {
    const file = tree.get(path)
    if (file !== undefined) yield file
  }
  tree.clear()
}
