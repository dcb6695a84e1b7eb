/**
 * What there is to see in a loaded history: gathers it from the store, prints nothing. Every
 * number is counted or measured here.
 */
import { formatCount } from './format.ts'
import type { DiffLine } from './line-diff.ts'
import { diffLines } from './line-diff.ts'
import { FILE_PREFIX, pathOf } from './layout.ts'
import type { HistoryStore } from './load.ts'
import type { Commit, Difference } from './timeline.ts'
import {
  commitAt,
  commitOfRevision,
  differenceBetween,
  mostRevised,
  newestCommit,
  versionsOf,
} from './timeline.ts'

/** How many candidates are looked at for a file that is worth showing. */
const CANDIDATES = 50
/** How far back the versions of a file are followed. */
const VERSIONS_MAX = 200
/** Larger files are not diffed on a screen. */
const SHOWN_BYTES_MAX = 1024 * 1024
/** Commits between the two revisions that are compared. */
const COMPARED_COMMITS = 10
/** As git decides: a file with a zero byte near its start is binary. */
const BINARY_PROBE_BYTES = 8000
/** Written by tools for tools. */
const GENERATED = /(^|\/)(package-lock\.json|[^/]*[.-]lock(\.[a-z]+)?|go\.sum|[^/]*\.min\.[a-z]+)$/i

export interface FileTour {
  readonly key: Uint8Array
  readonly path: string
  /** How often it was put since it was made. */
  readonly version: number
  /** The newest ones with their commits, newest first. */
  readonly newest: readonly {
    readonly revision: number
    readonly sizeBytes: number
    readonly commit: Commit | undefined
  }[]
  /** An older state of it, and how many commits ago that was. */
  readonly past: {
    readonly commit: Commit
    readonly commitsAgo: number
    readonly content: Uint8Array
  }
  readonly present: Uint8Array
}

export interface ChangeTour {
  readonly older: Commit
  readonly newer: Commit
  readonly difference: Difference
  /** One changed text file, line by line. */
  readonly example: { readonly path: string; readonly lines: readonly DiffLine[] } | undefined
}

/** A path as text, for people. */
export function pathText(key: Uint8Array): string {
  return Buffer.from(pathOf(key)).toString()
}

export function linesOf(content: Uint8Array): readonly string[] {
  const lines = Buffer.from(content).toString().split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

function isShowable(content: Uint8Array | undefined): content is Uint8Array {
  if (content === undefined || content.length > SHOWN_BYTES_MAX) return false
  return !content.subarray(0, BINARY_PROBE_BYTES).includes(0)
}

async function findFile(db: HistoryStore): Promise<Uint8Array | undefined> {
  const keys = await mostRevised(db, CANDIDATES)
  for (const key of keys) {
    if (GENERATED.test(pathText(key))) continue
    if (isShowable((await db.get(key))?.value)) return key
  }
  return undefined
}

/** Follows the text file that changed most often; undefined where there is no text file. */
export async function tourFile(db: HistoryStore, shownMax: number): Promise<FileTour | undefined> {
  const key = await findFile(db)
  const head = await newestCommit(db)
  if (key === undefined || head === undefined) return undefined
  const revisions: { readonly revision: number; readonly sizeBytes: number }[] = []
  let version = 0
  for await (const each of versionsOf(db, key)) {
    version = Math.max(version, each.version)
    revisions.push({ revision: each.revision, sizeBytes: each.content.length })
    if (revisions.length >= VERSIONS_MAX) break
  }
  const middle = revisions[Math.floor(revisions.length / 2)]
  const commit = middle && (await commitOfRevision(db, middle.revision))
  const now = await db.get(key)
  const before = commit && (await db.get(key, { revision: commit.revision }))
  if (commit === undefined || now === undefined || before === undefined) return undefined
  const newest = []
  for (const each of revisions.slice(0, shownMax)) {
    newest.push({ ...each, commit: await commitOfRevision(db, each.revision) })
  }
  return {
    key,
    path: pathText(key),
    version,
    newest,
    past: { commit, commitsAgo: head.number - commit.number, content: before.value },
    present: now.value,
  }
}

/**
 * Compares the newest revision with one some commits before; undefined where there is only one
 * commit.
 */
export async function tourChanges(
  db: HistoryStore,
  preferred: Uint8Array | undefined,
): Promise<ChangeTour | undefined> {
  const newer = await newestCommit(db)
  if (newer === undefined) return undefined
  const older = await commitAt(db, Math.max(1, newer.number - COMPARED_COMMITS))
  if (older === undefined || older.number === newer.number) return undefined
  const difference = await differenceBetween(db, older.revision, newer.revision)
  const { changed } = difference
  const first = changed.find(
    (key) => preferred !== undefined && Buffer.compare(key, preferred) === 0,
  )
  for (const key of first === undefined ? changed.slice(0, CANDIDATES) : [first, ...changed]) {
    if (GENERATED.test(pathText(key))) continue
    const before = (await db.get(key, { revision: older.revision }))?.value
    const after = (await db.get(key, { revision: newer.revision }))?.value
    if (!isShowable(before) || !isShowable(after)) continue
    const lines = diffLines(linesOf(before), linesOf(after))
    // A mode that changed, or a file put back as it was, has nothing to show.
    if (lines.every((line) => line.kind === ' ')) continue
    return { older, newer, difference, example: { path: pathText(key), lines } }
  }
  return { older, newer, difference, example: undefined }
}

export interface ReadTimes {
  /** For each get: from the call until its value was there. */
  readonly samplesMs: readonly number[]
  readonly keys: number
  readonly revisions: number
}

const READS = 10_000
const PAST_REVISIONS = 16
/** Knuth's multiplier: visits a list in a scattered order, the same one every time. */
const SCATTER = 2_654_435_761

/** Times single gets of files that exist: now, or at revisions spread over the whole history. */
export async function timeReads(db: HistoryStore, when: 'now' | 'past'): Promise<ReadTimes> {
  const head = await newestCommit(db)
  const revisions = head === undefined ? [] : await revisionsToRead(db, head, when)
  const samplesMs: number[] = []
  let keyCount = 0
  for (const revision of revisions) {
    const { kvs } = await db.range({ prefix: FILE_PREFIX, keysOnly: true, revision })
    keyCount = Math.max(keyCount, kvs.length)
    for (let read = 0; read < READS / revisions.length && kvs.length > 0; read++) {
      const key = kvs[(read * SCATTER) % kvs.length]?.key
      if (key === undefined) throw new Error('a key that was listed is gone')
      const startedMs = performance.now()
      const entry = await (when === 'now' ? db.get(key) : db.get(key, { revision }))
      samplesMs.push(performance.now() - startedMs)
      if (entry === undefined)
        throw new Error(`a file of revision ${formatCount(revision)} is missing`)
    }
  }
  return { samplesMs, keys: keyCount, revisions: revisions.length }
}

async function revisionsToRead(
  db: HistoryStore,
  head: Commit,
  when: 'now' | 'past',
): Promise<readonly number[]> {
  if (when === 'now') return [head.revision]
  const revisions = new Set<number>()
  for (let step = 1; step <= PAST_REVISIONS; step++) {
    const number = Math.max(1, Math.floor((head.number * step) / (PAST_REVISIONS + 1)))
    const commit = await commitAt(db, number)
    if (commit !== undefined) revisions.add(commit.revision)
  }
  return [...revisions]
}
