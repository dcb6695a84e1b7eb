/**
 * A store as lines: the keys of one revision, of any store; or a whole history, of one that this
 * process owns. Read as the lines are taken, so that memory holds a few of them at a time.
 */

import { EMPTY_BYTES } from '../../base/bytes.ts'
import { describeType, toBytes } from '../../base/text.ts'
import type { HistoryRow } from '../../mvcc/history-rows.ts'
import { DirectoryStore } from '../directory-store.ts'
import { readOptions } from '../fields.ts'
import type { Fields } from '../fields.ts'
import type { BuiltLocalStore, BuiltStore } from '../types.ts'
import type { ExportHistoryOptions, ExportKeysOptions } from '../types/lines.ts'
import type { Progress } from '../types/maintenance.ts'
import type { ChangeLine } from './line.ts'
import { LineWriter } from './line-writer.ts'

const OPTIONS: ReadonlySet<string> = new Set([
  'history',
  'prefix',
  'revision',
  'signal',
  'onProgress',
])
/** Bytes between two calls of `onProgress`. */
const PROGRESS_BYTES = 1024 * 1024

interface Job {
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: Progress) => void) | undefined
}

/**
 * Exports the keys of one revision as lines of JSON, each with its line feed: key, value, create
 * and mod revision, version, lease. The last line has a checksum, so that lines which were cut off
 * or changed are told. The revision is pinned by the first line; on a store elsewhere a compaction
 * past it ends the lines with `KV_COMPACTED`.
 *
 * @throws {KvError} from the iteration: as `scan`; the signal's reason. Wrong arguments are thrown
 *   at once
 */
export function exportLines<V, K>(
  store: BuiltStore<V, K>,
  options?: ExportKeysOptions,
): AsyncIterableIterator<string>
/**
 * Exports the whole history of a store that `open` gave: every revision from the compacted one on,
 * deletes among them, and every lease. `importHistory` makes a store of it that answers the same.
 * While the lines are read the store holds the pages of the moment they began at, as for a view.
 */
export function exportLines<V, K>(
  store: BuiltLocalStore<V, K>,
  options: ExportHistoryOptions,
): AsyncIterableIterator<string>
export function exportLines(store: unknown, options?: unknown): AsyncIterableIterator<string> {
  const fields = readOptions(options, OPTIONS)
  const job: Job = { signal: fields.signal(), onProgress: fields.onProgress() }
  if (!fields.flag('history')) {
    const revision = fields.integer('revision', 1)
    const prefix = fields.has('prefix') ? new Uint8Array(fields.bytes('prefix')) : EMPTY_BYTES
    return keyLines(mustBeStore(store), { revision, prefix }, job)
  }
  mustBeWhole(fields)
  if (store instanceof DirectoryStore) return historyLines(store, job)
  const got = describeType(store)
  throw new TypeError(`store: expected one that open() gave, got ${got}; others show no history`)
}

function mustBeWhole(fields: Fields): void {
  for (const name of ['prefix', 'revision']) {
    if (fields.has(name)) throw new TypeError(`${name}: not together with history`)
  }
}

type AnyStore = BuiltStore<unknown, unknown> & Partial<Pick<BuiltLocalStore, 'snapshot'>>

function mustBeStore(store: unknown): AnyStore {
  if (typeof store === 'object' && store !== null && 'scan' in store && 'status' in store) {
    return store as AnyStore
  }
  throw new TypeError(`store: expected a store, got ${describeType(store)}`)
}

interface KeysWanted {
  readonly revision: number | undefined
  readonly prefix: Uint8Array
}

async function* keyLines(
  store: AnyStore,
  { revision: asked, prefix }: KeysWanted,
  job: Job,
): AsyncGenerator<string, void, void> {
  const { signal } = job
  const status = await store.status({ signal })
  const told = new Telling(job, status.sizeInUseBytes)
  // A snapshot keeps its revision, whatever is compacted meanwhile.
  const snapshot = store.snapshot?.({ revision: asked })
  try {
    const revision = asked ?? snapshot?.revision ?? status.revision
    const writer = new LineWriter({ type: 'head', content: 'keys', revision, prefix })
    const entries = (snapshot ?? store).scan({ prefix, revision, encoding: 'bytes', signal })
    let head = writer.head()
    for await (const entry of entries) {
      // Behind the first entry, so that a revision which can't be read gives no line.
      if (head !== '') yield head
      head = ''
      const { createRevision, modRevision, version, lease } = entry
      const bytes = { key: toBytes(entry.key, 'key'), value: toBytes(entry.value, 'value') }
      yield writer.line({ type: 'key', ...bytes, createRevision, modRevision, version, lease })
      told.look(writer.byteCount)
    }
    if (head !== '') yield head
    yield writer.end()
    told.end(writer.byteCount)
  } finally {
    await snapshot?.close()
  }
}

async function* historyLines(store: DirectoryStore, job: Job): AsyncGenerator<string, void, void> {
  const { signal } = job
  const { sizeInUseBytes } = await store.status({ signal })
  const told = new Telling(job, sizeInUseBytes)
  const history = store.history()
  try {
    const { revision, compactedRevision } = history
    const writer = new LineWriter({ type: 'head', content: 'history', revision, compactedRevision })
    yield writer.head()
    for (const lease of await history.leases()) yield writer.line({ type: 'lease', ...lease })
    for await (const row of history.rows(signal)) {
      yield writer.line(lineOf(row))
      told.look(writer.byteCount)
    }
    yield writer.end()
    told.end(writer.byteCount)
  } finally {
    history.close()
  }
}

function lineOf({ at, kv }: HistoryRow): ChangeLine {
  const place = { revision: at.main, sub: at.sub }
  if (kv === undefined) return { type: 'raise', ...place }
  const { key, value, createRevision, version, lease } = kv
  if (at.isTombstone) return { type: 'delete', ...place, key }
  return { type: 'put', ...place, key, value, createRevision, version, lease }
}

/** Tells how far a job has come, now and then. */
class Telling {
  readonly #job: Job
  readonly #totalBytes: number
  #toldBytes = 0

  constructor(job: Job, totalBytes: number) {
    this.#job = job
    this.#totalBytes = totalBytes
  }

  look(doneBytes: number): void {
    if (doneBytes - this.#toldBytes < PROGRESS_BYTES) return
    this.#toldBytes = doneBytes
    const totalBytes = Math.max(doneBytes, this.#totalBytes)
    this.#job.onProgress?.({ doneBytes, totalBytes })
  }

  end(doneBytes: number): void {
    this.#job.onProgress?.({ doneBytes, totalBytes: doneBytes })
  }
}
