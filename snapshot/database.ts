/**
 * A data file and its log, opened as one.
 *
 *   db                 at the last checkpoint
 *   wal/*.wal          what was committed since, and a generation longer
 *
 * The two carry the same mark: the log's id stands in the file's meta, and with it the number of
 * the commit that the checkpoint wrote (engine/stamp.ts). What opening finds, and does:
 *
 *   file           log  
 *   no mark        none            ties them: begins a log behind the file, marks both generations
 *   no mark        holds nothing   a beginning that was cut short; begins again
 *   no mark        holds commits   KV_LOG_MISMATCH: the file is another one
 *   marked         none            KV_LOG_MISMATCH: the log is missing
 *   marked         of another id   KV_BAD_FILE
 *   another's mark                 KV_LOG_MISMATCH: somebody else committed to the file
 *   marked         of the same id  recovers the log, does again what the file lacks
 *
 * Nothing is acknowledged before both generations are marked, so a file that lost its newest meta
 * is still known as the log's.
 */

import { assert } from '../base/assert.ts'
import { KvError } from '../base/errors.ts'
import type { LogGroup } from '../base/log-group.ts'
import type { Disk } from '../disk/disk.ts'
import { checkpoint } from '../engine/checkpoint.ts'
import type { Engine } from '../engine/engine.ts'
import { attachLog, openForLog } from '../engine/open-logged.ts'
import type { EngineOptions } from '../engine/options.ts'
import { isAheadOfFile, isPreviousStamped } from '../engine/standing.ts'
import type { Reservation } from '../wal/admission.ts'
import { STORE_ID_SIZE } from '../wal/format.ts'
import { discardLog, newestHeader } from '../wal/identity.ts'
import { findSegments } from '../wal/segment-files.ts'
import type { LogOptions } from '../wal/log-options.ts'
import type { Log } from '../wal/log.ts'
import { recoverLog } from '../wal/recovery.ts'
import { replayLog } from '../wal/replay.ts'
import type { TornTail } from '../wal/replay.ts'
import { Archiver } from './archiver.ts'
import type { ArchiveSetup } from './archiver.ts'
import { Checkpointer } from './checkpointer.ts'
import type { CheckpointLimits, CheckpointListener } from './checkpointer.ts'

export interface DatabaseSetup extends CheckpointListener {
  readonly disk: Disk
  /** The data file. */
  readonly path: string
  /** The directory of the log's segments. */
  readonly logDirectory: string
  readonly engine: EngineOptions
  readonly log: LogOptions
  readonly limits: CheckpointLimits
  /** Where segments go that the log needs no more; undefined: they are removed. */
  readonly archive?: ArchiveSetup | undefined
  /** Gives a file that has no log yet what its user needs in it; refuses one that isn't its own. */
  readonly prepare: (engine: Engine) => Promise<void>
  /** Lets others run, every few milliseconds of replay. */
  readonly pause: () => Promise<void>
}

/** What opening found and did. */
export interface DatabaseReport {
  /** The commit that the file held, before anything was done again. */
  readonly fileTxid: number
  /** How many commits were done again from the log. */
  readonly replayedCommits: number
  /** How many of them had to be written again, for only the page cache may have had them. */
  readonly rewrittenCommits: number
  /** What stood behind the log's last commit and was never acknowledged; it was cut off. */
  readonly torn: TornTail | undefined
  /** Set where the file's newest generation could not be used: its slot, and why. */
  readonly fallback: Engine['report']['fallback']
}

/**
 * Opens both, or makes them.
 * @throws {KvError} as the table above, `openEngine` and `recoverLog`
 */
export async function openDatabase(setup: DatabaseSetup): Promise<Database> {
  const engine = await openForLog(setup.path, { ...setup.engine, disk: setup.disk })
  try {
    if (engine.readOnly) return await readDatabase(setup, engine)
    if (engine.stamp === undefined) return await beginDatabase(setup, engine)
    return await recoverDatabase(setup, engine)
  } catch (error) {
    await engine.close()
    throw error
  }
}

export class Database {
  readonly engine: Engine
  readonly report: DatabaseReport
  /** Undefined where it is opened read-only. */
  readonly log: Log | undefined
  readonly checkpointer: Checkpointer | undefined
  readonly #archiver: Archiver | undefined
  /** The newest time that the log holds, in ms since 1970; 0: none. */
  readonly lastTimeMs: number

  constructor(parts: {
    readonly engine: Engine
    readonly report: DatabaseReport
    readonly lastTimeMs: number
    readonly log?: Log
    readonly checkpointer?: Checkpointer
    readonly archiver?: Archiver | undefined
  }) {
    this.engine = parts.engine
    this.report = parts.report
    this.lastTimeMs = parts.lastTimeMs
    this.log = parts.log
    this.checkpointer = parts.checkpointer
    this.#archiver = parts.archiver
  }

  /** Bytes of records that are on their way to the disk. */
  get backlogBytes(): number {
    return this.log?.pendingBytes ?? 0
  }

  /** Whether a record of that size can be appended now. */
  fits(byteCount: number): boolean {
    return this.#mustLog().fits(byteCount)
  }

  /** Keeps room in the log for a record. `isFreeing`: it may use the last there is. */
  async reserve(byteCount: number, isFreeing: boolean): Promise<Reservation> {
    return await this.#mustLog().reserveAsync(byteCount, { isEmergency: isFreeing })
  }

  /** As `reserve`, blocking. */
  reserveSync(byteCount: number, isFreeing: boolean): Reservation {
    return this.#mustLog().reserve(byteCount, { isEmergency: isFreeing })
  }

  /** Blocks until everything committed is durable. */
  flushSync(): void {
    this.#mustLog().flushSync()
  }

  /** See `Checkpointer.committed`. */
  committed(): void {
    this.checkpointer?.committed()
  }

  /** See `Checkpointer.obstacle`. */
  obstacle(): Promise<void> | undefined {
    return this.checkpointer?.obstacle()
  }

  /** See `Checkpointer.clearSync`. */
  clearSync(): void {
    this.checkpointer?.clearSync()
  }

  #mustLog(): Log {
    assert(this.log !== undefined, 'a database that is written to has a log')
    return this.log
  }

  /**
   * Brings the file to where the log is, if it isn't, and closes both. Readers must have ended.
   * Rejects where commits may be lost of which it was said that they would be there by now.
   */
  async close(): Promise<void> {
    const { engine, log, checkpointer } = this
    try {
      await checkpointer?.close()
      if (log !== undefined && checkpointer !== undefined && engine.isSound) {
        if (isAheadOfFile(engine)) await checkpointer.run()
        await this.#beginSmallSegment(log)
      }
    } finally {
      await this.#archiver?.close()
      try {
        await log?.close()
      } finally {
        await engine.close()
      }
    }
  }

  /** Closes both and leaves them as they are. */
  async abandon(): Promise<void> {
    await this.checkpointer?.close()
    await this.#archiver?.close()
    await this.log?.close().catch(() => {})
    await this.engine.close()
  }

  /** So that the next opening has little to read. Nothing is lost where it can't be had. */
  async #beginSmallSegment(log: Log): Promise<void> {
    try {
      await log.cut({ isSmall: true })
      await this.checkpointer?.dropSegments()
    } catch (error) {
      if (!(error instanceof KvError)) throw error
    }
  }
}

/** Counts what passes by. */
class Groups {
  count = 0
  lastTimeMs = 0
  readonly #groups: Iterable<LogGroup>

  constructor(groups: Iterable<LogGroup>) {
    this.#groups = groups
  }

  *[Symbol.iterator](): Generator<LogGroup, void, void> {
    for (const group of this.#groups) {
      if (group.entries.length > 0) this.count++
      for (const { timeMs } of group.entries) this.lastTimeMs = Math.max(this.lastTimeMs, timeMs)
      yield group
    }
  }
}

const NOTHING_REPLAYED = { replayedCommits: 0, rewrittenCommits: 0, torn: undefined }

async function readDatabase(setup: DatabaseSetup, engine: Engine): Promise<Database> {
  const { disk, logDirectory, pause } = setup
  const fileTxid = engine.txid
  const { fallback } = engine.report
  const header = newestHeader(disk, logDirectory)
  if (engine.stamp === undefined) {
    if (header !== undefined) mustBeVain(setup, engine)
    return new Database({
      engine,
      report: { fileTxid, fallback, ...NOTHING_REPLAYED },
      lastTimeMs: 0,
    })
  }
  const logId = mustBelong(engine, header !== undefined, logDirectory)
  const replay = replayLog({ disk, directory: logDirectory, logId, fromTxid: fileTxid })
  const groups = new Groups(replay.groups())
  await attachLog(engine, { log: undefined, logId, groups, pause })
  const { torn } = replay
  const report = { fileTxid, fallback, replayedCommits: groups.count, rewrittenCommits: 0, torn }
  return new Database({ engine, report, lastTimeMs: groups.lastTimeMs })
}

async function beginDatabase(setup: DatabaseSetup, engine: Engine): Promise<Database> {
  const { disk, logDirectory, pause } = setup
  if (newestHeader(disk, logDirectory) !== undefined) {
    mustBeVain(setup, engine)
    discardLog(disk, logDirectory)
  }
  const fileTxid = engine.txid
  const { fallback } = engine.report
  await setup.prepare(engine)
  const { random } = setup.log
  const logId = 1 + random.below(2 ** 32 - 1)
  const recovery = recoverLog({
    disk,
    directory: logDirectory,
    storeId: random.fill(new Uint8Array(STORE_ID_SIZE)),
    logId,
    fromTxid: engine.txid,
    log: setup.log,
    isCreated: true,
  })
  const log = recovery.start()
  try {
    await attachLog(engine, { log, logId, groups: [], pause })
    // Both generations, so that either is known as the log's.
    await checkpoint(engine)
    await checkpoint(engine)
    const report = { fileTxid, fallback, ...NOTHING_REPLAYED }
    return await complete(setup, { engine, log, report, lastTimeMs: 0 })
  } catch (error) {
    await log.close().catch(() => {})
    throw error
  }
}

async function recoverDatabase(setup: DatabaseSetup, engine: Engine): Promise<Database> {
  const { disk, logDirectory, pause } = setup
  const isThere = newestHeader(disk, logDirectory) !== undefined
  const logId = mustBelong(engine, isThere, logDirectory)
  const fileTxid = engine.txid
  const { fallback } = engine.report
  const recovery = recoverLog({
    disk,
    directory: logDirectory,
    logId,
    fromTxid: fileTxid,
    log: setup.log,
  })
  const log = recovery.start()
  try {
    const groups = new Groups(recovery.groups())
    await attachLog(engine, { log, logId, groups, pause })
    // The beginning was cut short between the two.
    if (!isPreviousStamped(engine)) await checkpoint(engine)
    const { torn, rewrittenGroups: rewrittenCommits } = recovery.report
    const report = { fileTxid, fallback, replayedCommits: groups.count, rewrittenCommits, torn }
    return await complete(setup, { engine, log, report, lastTimeMs: groups.lastTimeMs })
  } catch (error) {
    await log.close().catch(() => {})
    throw error
  }
}

async function complete(
  setup: DatabaseSetup,
  parts: {
    readonly engine: Engine
    readonly log: Log
    readonly report: DatabaseReport
    readonly lastTimeMs: number
  },
): Promise<Database> {
  const { engine, log } = parts
  const { disk, archive, limits } = setup
  const ground = { ...parts, disk }
  const archiver = archive === undefined ? undefined : await Archiver.open(archive, ground)
  const checkpointer = new Checkpointer({ engine, log, archiver, limits }, setup)
  return new Database({ ...parts, checkpointer, archiver })
}

/** The id of the log that the file belongs to, once it is known that nobody else wrote to it. */
function mustBelong(engine: Engine, isThere: boolean, logDirectory: string): number {
  const { stamp, path } = engine
  if (stamp === undefined || !stamp.isOwn) {
    throw new KvError(
      'KV_LOG_MISMATCH',
      `${path}: another program committed to it (transaction ${engine.txid}) since its log's ` +
        `last checkpoint, so the log in ${logDirectory} does not follow it any more`,
    )
  }
  if (!isThere) {
    throw new KvError(
      'KV_LOG_MISMATCH',
      `${path}: its log is missing: ${logDirectory} has no segment. Commits made after ` +
        `transaction ${engine.txid} are in the log alone: put it back`,
    )
  }
  return stamp.logId
}

/** A log beside a file that isn't marked may only be one whose beginning was cut short. */
function mustBeVain({ disk, logDirectory }: DatabaseSetup, engine: Engine): void {
  const header = newestHeader(disk, logDirectory)
  const [oldest] = findSegments(disk, logDirectory)
  if (header === undefined || oldest === undefined) return
  const { storeId, logId } = header
  const fromTxid = oldest.firstTxid - 1
  const replay = replayLog({ disk, directory: logDirectory, storeId, logId, fromTxid })
  let isVain = true
  for (const { entries } of replay.groups()) if (entries.length > 0) isVain = false
  if (isVain) return
  throw new KvError(
    'KV_LOG_MISMATCH',
    `${engine.path}: it does not belong to the log in ${logDirectory}, which holds commits. Put ` +
      `the file back that the log was written for, or take the log away`,
  )
}
