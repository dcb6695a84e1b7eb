/**
 * Keeps what is needed to go back: the segments that the log lets go of, and bases to do them again
 * on. What lies in the directory is told in archive-files.ts, what goes in archive-limits.ts.
 *
 * Invariants
 *   1. From the newest base on no segment is missing, in archive and log together; where one is
 *      when the store is opened, a base is made before anything is committed.
 *   2. A segment goes only when no base is left that needs it.
 *   3. All of it is of one log: another's bases or segments are refused, and so are those of a
 *      later state of this one.
 */

import { KvError } from '../base/errors.ts'
import { equalBytes } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import type { LogIdentity } from '../wal/format.ts'
import { newestHeader } from '../wal/identity.ts'
import { findSegments, segmentsFrom } from '../wal/segment-files.ts'
import type { SegmentPlace } from '../wal/segment-list.ts'
import { findBases, readBases } from './archive-files.ts'
import type { ArchivedBase } from './archive-files.ts'
import { isBaseDue, isOver } from './archive-limits.ts'
import type { ArchiveLimits } from './archive-limits.ts'
import { writeBase } from './base-writer.ts'
import type { BaseSource } from './base-writer.ts'

export interface ArchiveSetup {
  /** The archive's directory, which is made where it is missing. */
  readonly directory: string
  /** Undefined: all is kept. */
  readonly limits: ArchiveLimits | undefined
  readonly describe: BaseSource['describe']
  readonly clock: Clock
  /** Gives up the opening. */
  readonly signal?: AbortSignal | undefined
  /** Told of what could not be done in the background; it is tried again later. */
  readonly onFailed: (error: Error) => void
}

interface Ground extends Pick<BaseSource, 'disk' | 'engine' | 'log'> {
  /** The newest time in the log when it was opened. */
  readonly lastTimeMs: number
}

export class Archiver {
  readonly directory: string
  readonly #setup: ArchiveSetup
  readonly #ground: Ground
  #bases: readonly ArchivedBase[]
  /** Lengths of segments in the archive, by path. */
  readonly #sizes: Map<string, number> = new Map()
  #running: Promise<void> | undefined
  #isDue = false
  #isClosed = false

  private constructor(setup: ArchiveSetup, ground: Ground, bases: readonly ArchivedBase[]) {
    this.directory = setup.directory
    this.#setup = setup
    this.#ground = ground
    this.#bases = bases
  }

  /**
   * Goes on with the archive, or begins it: then the data file is copied before it returns.
   * @throws {KvError} `KV_LOG_MISMATCH` where the archive is another log's; `KV_CORRUPT`,
   *   `KV_BAD_VERSION`, `KV_NO_SPACE`, `KV_IO`
   */
  static async open(setup: ArchiveSetup, ground: Ground): Promise<Archiver> {
    const { disk } = ground
    const { directory } = setup
    if (!disk.exists(directory)) {
      disk.makeDirectory(directory)
      await disk.syncDirectoryAsync(disk.directoryOf(directory))
    }
    const { leftOver } = findBases(disk, directory)
    for (const name of leftOver) disk.remove(disk.join(directory, name))
    const archiver = new Archiver(setup, ground, readBases(disk, directory))
    archiver.#mustBeOurs()
    if (!archiver.#isWhole()) await archiver.#makeBase(setup.signal)
    return archiver
  }

  /** Segments were moved here. Looks in the background whether something is to go. */
  archived(): void {
    if (this.#setup.limits === undefined || this.#isClosed) return
    this.#isDue = true
    this.#running ??= this.#tend().finally(() => {
      this.#running = undefined
    })
  }

  /** Resolves when nothing is under way, and begins no more. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#running
  }

  /** Never rejects. */
  async #tend(): Promise<void> {
    try {
      while (this.#isDue) {
        this.#isDue = false
        await this.#keepLimits(this.#setup.limits ?? {})
      }
    } catch (error) {
      this.#setup.onFailed(error instanceof Error ? error : new Error(String(error)))
    }
  }

  async #keepLimits(limits: ArchiveLimits): Promise<void> {
    const { disk } = this.#ground
    const nowMs = this.#setup.clock.wallMs()
    if (isBaseDue(limits, this.#held(), nowMs)) await this.#makeBase()
    while (isOver(limits, this.#held(), nowMs)) await this.#dropOldest()
    let isChanged = false
    for (const { path } of this.#unneeded()) {
      disk.remove(path)
      this.#sizes.delete(path)
      isChanged = true
    }
    if (isChanged) await disk.syncDirectoryAsync(this.directory)
  }

  async #makeBase(signal?: AbortSignal): Promise<void> {
    const { directory } = this.#setup
    // The clock may have been set back since.
    const timesMs = [this.#ground.lastTimeMs, ...this.#bases.map(({ timeMs }) => timeMs)]
    const describe: BaseSource['describe'] = (tx) => {
      const { revision, timeMs } = this.#setup.describe(tx)
      return { revision, timeMs: Math.max(timeMs, ...timesMs) }
    }
    const base = await writeBase({ ...this.#ground, directory, describe }, signal)
    this.#bases = [...this.#bases.filter(({ txid }) => txid !== base.txid), base]
  }

  /** The manifest goes first: a base without one is none. */
  async #dropOldest(): Promise<void> {
    const { disk } = this.#ground
    const [oldest, ...rest] = this.#bases
    if (oldest === undefined) return
    disk.remove(oldest.manifestPath)
    await disk.syncDirectoryAsync(this.directory)
    this.#bases = rest
    disk.remove(oldest.path)
  }

  /** What counts against the limits. */
  #held(): Parameters<typeof isOver>[1] {
    const gone = new Set(this.#unneeded().map(({ path }) => path))
    const segments = findSegments(this.#ground.disk, this.directory)
      .filter(({ path }) => !gone.has(path))
      .map(({ firstTxid, path }) => ({ firstTxid, sizeBytes: this.#sizeOf(path) }))
    return { bases: this.#bases, segments }
  }

  #sizeOf(path: string): number {
    let sizeBytes = this.#sizes.get(path)
    if (sizeBytes === undefined) {
      const file = this.#ground.disk.open(path, { mode: 'read' })
      sizeBytes = file.size()
      file.close()
      this.#sizes.set(path, sizeBytes)
    }
    return sizeBytes
  }

  /** Segments of the archive that end before the oldest base does, oldest first. */
  #unneeded(): readonly SegmentPlace[] {
    const places = this.#places()
    const needed = (this.#bases[0]?.txid ?? 0) + 1
    const first = places.findLastIndex(({ firstTxid }) => firstTxid <= needed)
    const archived = new Set(findSegments(this.#ground.disk, this.directory).map((p) => p.path))
    return places.slice(0, Math.max(first, 0)).filter(({ path }) => archived.has(path))
  }

  #places(): readonly SegmentPlace[] {
    const { disk, log } = this.#ground
    return findSegments(disk, log.directory, this.directory)
  }

  #isWhole(): boolean {
    const newest = this.#bases.at(-1)
    if (newest === undefined) return false
    try {
      segmentsFrom(this.#ground.disk, this.#places(), newest.txid + 1)
      return true
    } catch (error) {
      if (error instanceof KvError) return false
      throw error
    }
  }

  #mustBeOurs(): void {
    const { disk, log } = this.#ground
    const newest = newestHeader(disk, this.directory)
    const lastTxid = Math.max(this.#bases.at(-1)?.txid ?? 0, (newest?.firstTxid ?? 1) - 1)
    const strange =
      this.#bases.find(({ identity }) => !isSameLog(identity, log.identity))?.manifestPath ??
      (newest === undefined || isSameLog(newest, log.identity) ? undefined : this.directory)
    const what =
      strange === undefined
        ? `it goes on to transaction ${lastTxid}, and the log ends with ${log.lastTxid}`
        : `${strange} is of another log`
    if (strange === undefined && lastTxid <= log.lastTxid) return
    throw new KvError(
      'KV_LOG_MISMATCH',
      `${this.directory}: the archive is not of the store beside it: ${what}. Move it to another ` +
        'place, to keep it; then a new one is begun',
    )
  }
}

function isSameLog(a: LogIdentity, b: LogIdentity): boolean {
  return a.logId === b.logId && a.timeline === b.timeline && equalBytes(a.storeId, b.storeId)
}
