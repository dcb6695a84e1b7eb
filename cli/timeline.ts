/**
 * What a loaded history can be asked, through the store's own reads: which commit made a
 * revision, how a file was, what changed between two revisions.
 */
import type { KeyValue } from '../index.ts'
import type { CommitInfo } from './history.ts'
import { COMMIT_PREFIX, FILE_PREFIX, commitKey, commitNumber, decodeCommit } from './layout.ts'
import type { HistoryStore } from './load.ts'

export interface Commit extends CommitInfo {
  /** From 1. */
  readonly number: number
  /** The revision that made the commit whole. */
  readonly revision: number
}

/** A file as one revision left it. */
export interface FileVersion {
  readonly revision: number
  readonly version: number
  readonly content: Uint8Array
}

/** Keys of files, in key order. */
export interface Difference {
  readonly added: readonly Uint8Array[]
  readonly changed: readonly Uint8Array[]
  readonly deleted: readonly Uint8Array[]
}

type Entry = KeyValue<Uint8Array, Uint8Array>

function commitOf(entry: Entry | undefined): Commit | undefined {
  if (entry === undefined) return undefined
  const { hash, authorDate, subject } = decodeCommit(entry.value)
  const number = commitNumber(entry.key)
  return { hash, authorDate, subject, number, revision: entry.modRevision }
}

/** The newest commit. */
export async function newestCommit(db: HistoryStore): Promise<Commit | undefined> {
  const { kvs } = await db.range({ prefix: COMMIT_PREFIX, order: 'descend', limit: 1 })
  return commitOf(kvs[0])
}

/** The commit of that number; undefined where there is none. */
export async function commitAt(db: HistoryStore, number: number): Promise<Commit | undefined> {
  return commitOf(await db.get(commitKey(number)))
}

/** The commit that a revision belongs to: the first that was whole then, or became so later. */
export async function commitOfRevision(
  db: HistoryStore,
  revision: number,
): Promise<Commit | undefined> {
  // Commit n can't have been whole before revision n + 1, as a new store is at revision 1.
  const near = await commitAt(db, revision - 1)
  if (near?.revision === revision) return near
  const { kvs } = await db.range({ prefix: COMMIT_PREFIX, minModRevision: revision, limit: 1 })
  return commitOf(kvs[0])
}

/** The keys of the files that were put most often, most often first. */
export async function mostRevised(db: HistoryStore, limit: number): Promise<readonly Uint8Array[]> {
  const { kvs } = await db.range({
    prefix: FILE_PREFIX,
    sortBy: 'version',
    order: 'descend',
    limit,
    keysOnly: true,
  })
  return kvs.map((kv) => kv.key)
}

/**
 * The versions of a file, newest first, back to when it was last made. Each is found by reading
 * the file right before the one after it.
 */
export async function* versionsOf(
  db: HistoryStore,
  key: Uint8Array,
): AsyncGenerator<FileVersion, void, void> {
  let entry = await db.get(key)
  while (entry !== undefined) {
    const { modRevision, createRevision, version, value } = entry
    yield { revision: modRevision, version, content: value }
    if (modRevision === createRevision) return
    entry = await db.get(key, { revision: modRevision - 1 })
  }
}

/**
 * Which files differ between two revisions: both are read in key order, side by side, without
 * values.
 */
export async function differenceBetween(
  db: HistoryStore,
  older: number,
  newer: number,
): Promise<Difference> {
  const added: Uint8Array[] = []
  const changed: Uint8Array[] = []
  const deleted: Uint8Array[] = []
  const options = { prefix: FILE_PREFIX, keysOnly: true } as const
  const before = db.scan({ ...options, revision: older })
  const after = db.scan({ ...options, revision: newer })
  let [left, right] = await Promise.all([before.next(), after.next()])
  while (left.done !== true || right.done !== true) {
    const order = compareEntries(left, right)
    if (order < 0 && left.done !== true) deleted.push(left.value.key)
    if (order > 0 && right.done !== true) added.push(right.value.key)
    if (order === 0 && left.done !== true && right.done !== true) {
      if (left.value.modRevision !== right.value.modRevision) changed.push(right.value.key)
    }
    if (order <= 0) left = await before.next()
    if (order >= 0) right = await after.next()
  }
  return { added, changed, deleted }
}

type Step = IteratorResult<{ readonly key: Uint8Array }>

/** As `Buffer.compare`; an ended side comes after everything. */
function compareEntries(left: Step, right: Step): number {
  if (left.done === true) return 1
  if (right.done === true) return -1
  return Buffer.compare(left.value.key, right.value.key)
}
