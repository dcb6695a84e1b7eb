/**
 * Makes a store out of the lines of a history.
 *
 * Every line is held against the ones before it as opening a store holds its rows: so what is no
 * history of a store is told by the number of its line. Rows go into a new file in the order they
 * come in, a megabyte in a transaction; the file becomes a store when the last line has said that
 * all is whole (new-store.ts). Memory holds the key index, as that of a store that is open does.
 */

import type { Disk } from '../../disk/disk.ts'
import { RealDisk } from '../../disk/real-disk.ts'
import { EMPTY_BYTES } from '../../base/bytes.ts'
import { openEngine } from '../../engine/index.ts'
import type { Engine, Tx } from '../../engine/index.ts'
import { putLeaseRow } from '../../lease/lease-rows.ts'
import { KeyIndex } from '../../mvcc/key-index.ts'
import { KeyState } from '../../mvcc/key-records.ts'
import { follows, restoreRevision } from '../../mvcc/restore.ts'
import { FIRST_REVISION, MAIN_MAX } from '../../mvcc/revision.ts'
import type { RevisionKey } from '../../mvcc/revision.ts'
import { Rows } from '../../mvcc/rows.ts'
import {
  createBuckets,
  writeFinishedCompaction,
  writeScheduledCompaction,
} from '../../mvcc/schema.ts'
import type { KeyValue } from '../../proto/mvccpb.ts'
import { readTimeout } from '../directory-lock.ts'
import { readOptions, readPath } from '../fields.ts'
import { makeStore, mustBeEmpty } from '../new-store.ts'
import { asResult } from '../result.ts'
import type { ImportHistoryOptions, ImportHistoryResult, LinesSource } from '../types/lines.ts'
import type { ChangeLine, HistoryHead, LeaseLine } from './line.ts'
import { LineReader, chunksOf } from './line-reader.ts'
import type { BodyLine } from './line-reader.ts'
import { Arriving } from './arriving.ts'

const OPTIONS: ReadonlySet<string> = new Set(['lockTimeoutMs', 'sizeBytes', 'signal', 'onProgress'])
/** How much is written between two syncs. */
const TX_BYTES = 1024 * 1024
/** What a row takes beside its key and value, roughly. */
const ROW_BYTES = 64

/**
 * Makes a store in `directory` of the lines that `exportLines` gives with `history`: the same
 * revisions, versions, leases with what was left of them, and the same `hashKV` at every revision.
 *
 * The directory must be empty or missing. Once the promise has resolved the store is durable and
 * can be opened; where it rejects, there is no store, and what was made of it is removed again.
 *
 * @throws {KvError} `KV_BAD_FILE`, `KV_BAD_VERSION` (no lines of a history); `KV_CORRUPT` (they
 *   were cut off or changed, or contradict each other; the message begins with the number of the
 *   line); `KV_EXISTS` (the directory holds something); `KV_LOCKED`, `KV_READ_ONLY`, `KV_NO_SPACE`,
 *   `KV_IO`; the signal's reason; whatever reading the lines throws
 */
export async function importHistory(
  lines: LinesSource,
  directory: string,
  options?: ImportHistoryOptions,
): Promise<ImportHistoryResult> {
  return await importHistoryOn(new RealDisk(), { lines, directory }, options)
}

interface Places {
  readonly lines: LinesSource
  readonly directory: unknown
}

/** As `importHistory`, on any disk. */
export async function importHistoryOn(
  disk: Disk,
  places: Places,
  options?: unknown,
): Promise<ImportHistoryResult> {
  const target = disk.resolve(readPath(places.directory, 'directory'))
  const fields = readOptions(options, OPTIONS)
  const lockTimeoutMs = readTimeout(fields)
  const arriving = new Arriving(fields)
  const { signal } = arriving
  signal?.throwIfAborted()
  mustBeEmpty(disk, target)
  const reader = new LineReader(chunksOf(places.lines))
  try {
    const head = await reader.head('history', 'importLines puts those into a store')
    if (head.content !== 'history') throw reader.fault('it is no head of a history')
    const history = new LineHistory(head)
    await makeStore({ disk, target, lockTimeoutMs, signal }, async (partial) => {
      const engine = await openEngine(partial, { disk, lock: 'none' })
      try {
        await write(engine, { reader, history, arriving })
      } finally {
        await engine.close()
      }
    })
    arriving.end(reader)
    return history.result()
  } finally {
    await reader.close()
  }
}

interface Work {
  readonly reader: LineReader
  readonly history: LineHistory
  readonly arriving: Arriving
}

async function write(engine: Engine, { reader, history, arriving }: Work): Promise<void> {
  const file = engine.path
  let tx = await engine.begin({ writable: true })
  try {
    createBuckets(tx)
    let rows = new Rows(tx, file)
    let pending = 0
    for await (const line of reader.body(history.head)) {
      const problem = history.add(line)
      if (problem !== undefined) throw reader.fault(problem)
      writeLine(tx, rows, line)
      pending += sizeOf(line)
      if (pending < TX_BYTES) continue
      pending = 0
      await tx.commitAsync()
      arriving.look(reader)
      tx = await engine.begin({ writable: true })
      rows = new Rows(tx, file)
    }
    const problem = history.end()
    if (problem !== undefined) throw reader.fault(problem)
    writeCompacted(tx, history.head.compactedRevision)
    await tx.commitAsync()
  } finally {
    tx.close()
  }
}

function sizeOf(line: BodyLine): number {
  const key = 'key' in line ? line.key.length : 0
  return ROW_BYTES + key + ('value' in line ? line.value.length : 0)
}

function writeLine(tx: Tx, rows: Rows, line: BodyLine): void {
  switch (line.type) {
    case 'lease': {
      const { id, ttlSeconds, remainingSeconds: left } = line
      putLeaseRow(tx, { id, ttlSeconds, remainingSeconds: left === ttlSeconds ? 0 : left })
      break
    }
    case 'put':
      rows.put(keyValueOf(line), line.sub)
      break
    case 'delete':
      rows.putTombstone(line.key, line.revision, line.sub)
      break
    case 'raise':
      rows.putRaise(line.revision, line.sub)
      break
    case 'key':
  }
}

function writeCompacted(tx: Tx, revision: number): void {
  if (revision === 0) return
  writeScheduledCompaction(tx, revision)
  writeFinishedCompaction(tx, revision)
}

/** What the lines of a history have said so far, and whether the next one fits. */
class LineHistory {
  readonly head: HistoryHead
  readonly #index = new KeyIndex({ seed: 0 })
  readonly #state = new KeyState()
  #last: RevisionKey = { main: 0, sub: 0, isTombstone: false }
  #lastLease: bigint | undefined
  #leaseCount = 0
  /** Keys that exist. */
  #liveCount = 0

  constructor(head: HistoryHead) {
    this.head = head
  }

  /** Takes a line; where it doesn't fit says why. */
  add(line: BodyLine): string | undefined {
    if (line.type === 'key') return 'a history has no keys of one revision'
    if (line.type === 'lease') return this.#addLease(line)
    return this.#addChange(line)
  }

  /** All lines were taken; where something is missing says what. */
  end(): string | undefined {
    const { revision, compactedRevision } = this.head
    const last = Math.max(FIRST_REVISION, this.#last.main, compactedRevision)
    if (last === revision) return undefined
    return `the head says that the last revision is ${revision}, but it is ${last}`
  }

  result(): ImportHistoryResult {
    const { revision, compactedRevision } = this.head
    const { revisionCount } = this.#index
    const counts = { keyCount: this.#liveCount, revisionCount, leaseCount: this.#leaseCount }
    return asResult({ revision, compactedRevision, ...counts })
  }

  #addLease({ id }: LeaseLine): string | undefined {
    if (this.#last.main > 0) return 'leases come before the first revision'
    if (this.#lastLease !== undefined && id <= this.#lastLease) {
      return `lease ${id} follows lease ${this.#lastLease}`
    }
    this.#lastLease = id
    this.#leaseCount++
    return undefined
  }

  #addChange(line: ChangeLine): string | undefined {
    const isTombstone = line.type === 'delete'
    const at: RevisionKey = { main: line.revision, sub: line.sub, isTombstone }
    const last = this.#last
    if (!follows(at, last)) {
      return `revision ${at.main}.${at.sub} follows revision ${last.main}.${last.sub}`
    }
    if (at.main > this.head.revision) {
      return `revision ${at.main} is beyond that of the head, ${this.head.revision}`
    }
    this.#last = at
    if (line.type === 'raise') return undefined
    const wasLive = this.#index.get(line.key, MAIN_MAX, this.#state)
    this.#liveCount += Number(!isTombstone) - Number(wasLive)
    return this.#faultOf(line, at) ?? restoreRevision(this.#index, at, keyValueOf(line))
  }

  /** What opening a store would let pass, and no compaction leaves. */
  #faultOf(line: Exclude<ChangeLine, { type: 'raise' }>, at: RevisionKey): string | undefined {
    const { compactedRevision: compacted } = this.head
    const isNew = !this.#index.has(line.key)
    if (at.main <= compacted) {
      if (!isNew) return `the key has an older revision, which revision ${compacted} compacted`
      if (!at.isTombstone || at.main === compacted) return undefined
      return `a delete before revision ${compacted}, which compacted it`
    }
    if (!isNew || (line.type === 'put' && line.version === 1)) return undefined
    return line.type === 'delete'
      ? 'it deletes a key that is not there'
      : `version ${line.version} of a key that is not there`
  }
}

function keyValueOf(line: Exclude<ChangeLine, { type: 'raise' }>): KeyValue {
  if (line.type === 'put') return { ...line, modRevision: line.revision }
  const nothing = { createRevision: 0, version: 0, value: EMPTY_BYTES, lease: 0n }
  return { key: line.key, modRevision: line.revision, ...nothing }
}
