/**
 * Backups of an open store: a moment is pinned when one is asked for, and its pages are written to
 * a file while writes go on.
 *
 *   pin      the root that readers see; costs nothing
 *   check    walks it, and hashes the history as its pages go by
 *   write    the image, from file and memory (snapshot/backup-image.ts)
 *   verify   reads back what was written; then the file gets its name (snapshot/backup-file.ts)
 *
 * Whoever writes meanwhile goes first: after a piece of work that writers may have waited for, the
 * backup rests several times as long.
 */

import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { assert } from '../base/assert.ts'
import { formatBytes } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { CorruptionError, KvError } from '../base/errors.ts'
import { describeType } from '../base/text.ts'
import type { Disk } from '../disk/disk.ts'
import type { Tx } from '../engine/index.ts'
import type { Head, Mvcc } from '../mvcc/mvcc.ts'
import type { ReadTxn } from '../mvcc/read-txn.ts'
import { FIRST_REVISION, decodeRevisionKey } from '../mvcc/revision.ts'
import { KEY_BUCKET, readCompactedRevisions } from '../mvcc/schema.ts'
import { backupChunks, mustBeVacant, writeBackup } from '../snapshot/backup-file.ts'
import type { BackupWriting } from '../snapshot/backup-file.ts'
import { BackupImage } from '../snapshot/backup-image.ts'
import type { Sums } from '../snapshot/checksums.ts'
import { DIGEST_BYTES } from '../snapshot/checksums.ts'
import type { Database } from '../snapshot/database.ts'
import { MANIFEST_VERSION, encodeManifest } from '../snapshot/manifest.ts'
import type { BackupManifest } from '../snapshot/manifest.ts'
import type { LogIdentity } from '../wal/format.ts'
import { newestHeader } from '../wal/identity.ts'
import { BackupReport } from './backup-report.ts'
import type { Expected } from './backup-report.ts'
import type { Fields } from './fields.ts'
import { nextTurn } from './pause.ts'
import { asResult } from './result.ts'
import type { ReadRoots } from './read-root.ts'
import type { BackupProgress, BackupResult } from './types/backup.ts'
import { VERSION } from './version.ts'

/** The bucket of the history's rows, as the walk names it, */
const HISTORY_ROWS = formatBytes(Buffer.from(KEY_BUCKET))
/** and that of leases. */
const LEASE_ENTRIES = formatBytes(Buffer.from('lease'))

export interface BackupsSetup {
  /** The data directory, for messages. */
  readonly path: string
  /** Where the store's files are. */
  readonly disk: Disk
  /** Where backups go. */
  readonly targetDisk: Disk
  readonly logDirectory: string
  readonly database: Database
  readonly mvcc: Mvcc
  readonly roots: ReadRoots
  readonly clock: Clock
  /** The newest head that is durable. */
  readonly head: () => Head
}

/** What one backup was asked to do. */
export interface BackupJob {
  readonly target: string | Writable
  readonly hasTrailer: boolean
  readonly onProgress: ((progress: BackupProgress) => void) | undefined
  readonly signal: AbortSignal | undefined
}

/** Reads the arguments of `backup`. */
export function readBackupJob(target: unknown, fields: Fields): BackupJob {
  return {
    target: readTarget(target),
    hasTrailer: fields.has('trailer') ? fields.flag('trailer') : true,
    onProgress: fields.onProgress(),
    signal: fields.signal(),
  }
}

function readTarget(target: unknown): string | Writable {
  if (typeof target === 'string') {
    if (target === '') throw new RangeError('target: it is empty')
    if (target.includes('\0')) throw new RangeError('target: it has a zero byte')
    return target
  }
  if (isWritable(target)) return target
  throw new TypeError(`target: expected a path or a writable stream, got ${describeType(target)}`)
}

function isWritable(target: unknown): target is Writable {
  if (typeof target !== 'object' || target === null) return false
  const { write, on } = target as { readonly write?: unknown; readonly on?: unknown }
  return typeof write === 'function' && typeof on === 'function'
}

/** The moment that a backup is of. */
interface Moment {
  readonly tx: Tx
  /** Keeps in the key index what the moment's hash needs, though it be compacted meanwhile. */
  readonly txn: ReadTxn
  readonly head: Head
  readonly compactedRevision: number
  readonly timeMs: number
  readonly log: LogIdentity | undefined
}

export class Backups {
  readonly #setup: BackupsSetup
  readonly #running = new Set<Promise<unknown>>()
  /** Where they are written to. */
  readonly #paths = new Set<string>()
  /** Aborted when the store is closed. */
  readonly #stop = new AbortController()

  constructor(setup: BackupsSetup) {
    this.#setup = setup
  }

  /** Pins the moment before it returns, save where a write is just becoming visible. */
  async run(job: BackupJob): Promise<BackupResult> {
    const done = this.#run(job)
    this.#running.add(done)
    try {
      return await done
    } finally {
      this.#running.delete(done)
    }
  }

  /** Stops those that are under way; resolves when they have let go of what they pinned. */
  async close(): Promise<void> {
    const message = `${this.#setup.path}: closed while a backup was made`
    this.#stop.abort(new KvError('KV_CLOSED', message))
    await Promise.allSettled(this.#running)
  }

  /** Two to the same place would take each other's files for left-overs. */
  #take(path: string): void {
    mustBeVacant(this.#setup.targetDisk, path)
    if (!this.#paths.has(path)) {
      this.#paths.add(path)
      return
    }
    throw new KvError('KV_EXISTS', `${path}: a backup is being written to it`)
  }

  async #run(job: BackupJob): Promise<BackupResult> {
    const { target } = job
    if (typeof target !== 'string') return await this.#make(job, undefined)
    const path = this.#setup.targetDisk.resolve(target)
    this.#take(path)
    try {
      return await this.#make(job, path)
    } finally {
      this.#paths.delete(path)
    }
  }

  async #make(job: BackupJob, path: string | undefined): Promise<BackupResult> {
    const { clock, database } = this.#setup
    const moment = await this.#pin(job)
    try {
      const report = new BackupReport(job.onProgress, {
        clock,
        txid: () => database.engine.core.head.txid,
        mayGoOn: () => this.#mayGoOn(job),
      })
      report.expect(expectedOf(moment.tx.sizeBytes, moment.tx.sizeBytes, path !== undefined))
      const { image, history } = await this.#survey(moment, report)
      report.countCopied(() => image.copiedPages)
      return await this.#write(job, { moment, report, image, history, path })
    } finally {
      moment.txn.end()
      moment.tx.rollback()
    }
  }

  async #write(job: BackupJob, work: Work): Promise<BackupResult> {
    const { targetDisk } = this.#setup
    const { hasTrailer, target } = job
    const { report, image, path } = work
    const sizeBytes = image.sizeBytes + (hasTrailer ? DIGEST_BYTES : 0)
    report.expect(expectedOf(work.moment.tx.sizeBytes, sizeBytes, path !== undefined))
    const writing: BackupWriting = {
      image,
      pace: report,
      hasTrailer,
      onWritten: (count) => report.add('write', count),
      onReadBack: (count) => report.add('verify', count),
    }
    let manifest: BackupManifest | undefined
    let manifestText = ''
    const describe = (sums: Sums): string => {
      manifest = manifestOf(work, sizeBytes, sums)
      manifestText = encodeManifest(manifest)
      return manifestText
    }
    if (path !== undefined) {
      await writeBackup({ disk: targetDisk, path, manifest: describe }, writing)
    } else if (typeof target !== 'string') {
      await this.#send(owned(backupChunks(writing, describe)), target, job)
    }
    assert(manifest !== undefined, 'a backup that was written has a manifest')
    return asResult({
      path,
      revision: manifest.revision,
      sizeBytes,
      sha256: manifest.sha256,
      manifest,
      manifestText,
      copiedPages: image.copiedPages,
      tookMs: report.finish(),
    })
  }

  /** A stream may take its time: neither closing nor aborting waits for it. */
  async #send(
    chunks: AsyncIterable<Uint8Array>,
    target: Writable,
    { signal }: BackupJob,
  ): Promise<void> {
    const stop =
      signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal])
    try {
      await pipeline(chunks, target, { signal: stop })
    } catch (error) {
      stop.throwIfAborted()
      throw error
    }
  }

  /**
   * The newest durable moment. A commit becomes visible to the engine first and to the store right
   * after: between the two the engine's root would hold more than its head tells.
   */
  async #pin(job: BackupJob): Promise<Moment> {
    const { database, mvcc, roots, head, clock, disk, logDirectory } = this.#setup
    for (;;) {
      const tx = database.engine.beginNow({ writable: false })
      try {
        const revision = newestRevision(tx, database.engine.path)
        const { compacted } = readCompactedRevisions(tx, database.engine.path)
        const isTold = head().revision === revision && roots.revision === revision
        if (isTold && mvcc.compactedRevision === compacted) {
          const log = isLogged(database) ? newestHeader(disk, logDirectory) : undefined
          const facts = { head: head(), compactedRevision: compacted, timeMs: clock.wallMs(), log }
          return { tx, txn: mvcc.read(tx, revision), ...facts }
        }
      } catch (error) {
        tx.rollback()
        throw error
      }
      tx.rollback()
      await nextTurn()
      this.#mayGoOn(job)
    }
  }

  /** Walks the pages once: what they hold of the history is hashed as they go by. */
  async #survey({ tx, txn }: Moment, report: BackupReport): Promise<Surveyed> {
    const { engine } = this.#setup.database
    const hashing = txn.hash(0)
    const image = await BackupImage.of(engine, {
      tx,
      pace: report,
      onPages: (count) => report.add('check', count * engine.pageSizeBytes),
      onLeaf: (bucketPath, leaf) => {
        if (bucketPath === HISTORY_ROWS) hashing.takeLeaf(leaf)
      },
    })
    const { hash } = hashing.end()
    return { image, history: { hashKV: hash, revisionCount: hashing.rowCount } }
  }

  #mayGoOn({ signal }: BackupJob): void {
    signal?.throwIfAborted()
    this.#stop.signal.throwIfAborted()
  }
}

interface History {
  readonly hashKV: number
  readonly revisionCount: number
}

interface Surveyed {
  readonly image: BackupImage
  readonly history: History
}

interface Work {
  readonly moment: Moment
  readonly report: BackupReport
  readonly image: BackupImage
  readonly history: History
  readonly path: string | undefined
}

function expectedOf(check: number, write: number, isReadBack: boolean): Expected {
  return { check, write, verify: isReadBack ? write : 0 }
}

/** Whether commits go, or went, into a log. */
function isLogged({ engine }: Database): boolean {
  return engine.stamp !== undefined
}

/** As `restore` in mvcc tells it. @throws {CorruptionError} */
function newestRevision(tx: Tx, file: string): number {
  const last = tx.bucket(KEY_BUCKET)?.cursor().last()
  const { compacted } = readCompactedRevisions(tx, file)
  if (last === undefined) return Math.max(FIRST_REVISION, compacted)
  const revision = decodeRevisionKey(last.key)
  if (revision !== undefined) return Math.max(FIRST_REVISION, revision.main, compacted)
  throw new CorruptionError('the last row of bucket "key" is no revision', { file })
}

function manifestOf(
  { moment, image, history }: Work,
  sizeBytes: number,
  sums: Sums,
): BackupManifest {
  const { head, log, compactedRevision, timeMs } = moment
  return {
    format: 'revbolt backup',
    formatVersion: MANIFEST_VERSION,
    softwareVersion: VERSION,
    timeMs,
    revision: head.revision,
    compactedRevision,
    hashKV: history.hashKV,
    txid: image.txid,
    storeId: log === undefined ? null : Buffer.from(log.storeId).toString('hex'),
    logId: log?.logId ?? null,
    timeline: log?.timeline ?? null,
    keyCount: head.keyCount,
    revisionCount: history.revisionCount,
    leaseCount: image.countOf(LEASE_ENTRIES),
    sizeBytes,
    databaseBytes: image.sizeBytes,
    sha256: Buffer.from(sums.sha256).toString('hex'),
    crc32: sums.crcs.map((crc) => crc.toString(16).padStart(8, '0')),
  }
}

/** Chunks that whoever takes them may keep. */
async function* owned(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) yield chunk.slice()
}
