/**
 * How to get to a moment: from which base, and by which groups of the log.
 *
 * A moment is the end of a commit, or lies between two writes of one: a turn's writes share a
 * commit, and each is an entry of its group. What belongs to a revision ends before the first entry
 * that is about a later one; what belongs to a time, before the first one made later.
 *
 * Making a plan reads all groups up to the moment, with every check that recovery makes, and
 * changes nothing.
 */

import { CorruptionError, KvError, isKvError } from '../base/errors.ts'
import type { LogEntry, LogGroup } from '../base/log-group.ts'
import type { Disk } from '../disk/disk.ts'
import { findLog, readGroups } from '../wal/replay.ts'
import type { LogRow, ReplayOptions } from '../wal/replay.ts'
import { findSegments, segmentsFrom } from '../wal/segment-files.ts'
import type { SegmentPlace } from '../wal/segment-list.ts'
import { readBases } from './archive-files.ts'
import type { ArchivedBase } from './archive-files.ts'

/** Where to go back to. Times are in ms since 1970. */
export type Moment =
  | { readonly kind: 'end' }
  | { readonly kind: 'txid' | 'revision' | 'time'; readonly value: number }

export interface RedoSource {
  readonly disk: Disk
  /** The archive's directory. */
  readonly archive: string
  /** The log's directory; undefined where the archive is all there is. */
  readonly log: string | undefined
  /** The newest commit that the data file has, where that is known: the log has it, too. */
  readonly fileTxid: number | undefined
}

export interface RedoSetup {
  /** Whether an entry made a revision: others are labelled with the next one. */
  readonly makesRevision: (entry: LogEntry) => boolean
  /** Lets others run, every few groups. What it throws ends the planning. */
  readonly pause: () => Promise<void>
}

/** What leads to a moment. */
export interface RedoPlan {
  readonly base: ArchivedBase
  /** The newest commit to be done again; the base's where there is none. */
  readonly lastTxid: number
  /** Of the last group so many entries; undefined: all. */
  readonly lastEntryCount: number | undefined
  /** The newest revision then. */
  readonly revision: number
  /** When the newest of what is done again was made, in ms since 1970; the base's: none is. */
  readonly timeMs: number
  /** How many commits are done again that changed something. */
  readonly commits: number
  /** What is done again, in order. */
  groups(): Generator<LogGroup, void, void>
}

const GROUPS_PER_TURN = 64

/**
 * @throws {KvError} `KV_NOT_FOUND` where the archive does not reach back that far, or there is
 *   none; `KV_FUTURE_REVISION`; `KV_CORRUPT` where something is damaged or missing;
 *   `KV_BAD_FILE`, `KV_BAD_VERSION`
 */
export async function planRedo(
  source: RedoSource,
  moment: Moment,
  setup: RedoSetup,
): Promise<RedoPlan> {
  const { disk, archive } = source
  const bases = readBases(disk, archive)
  if (bases.length === 0) {
    throw new KvError('KV_NOT_FOUND', `${archive}: no archive is there: it has no base`)
  }
  const base = baseFor(bases, moment, archive)
  return await walk(source, { base, rest: findRest(source, base, moment), moment, setup })
}

/** The newest base that is not beyond the moment. */
function baseFor(bases: readonly ArchivedBase[], moment: Moment, archive: string): ArchivedBase {
  const isBefore = (base: ArchivedBase): boolean => {
    if (moment.kind === 'end') return true
    const at = { txid: base.txid, revision: base.revision, time: base.timeMs }[moment.kind]
    return at <= moment.value
  }
  const base = bases.findLast(isBefore)
  if (base !== undefined) return base
  const { txid = 0, revision = 0, timeMs = 0 } = bases[0] ?? {}
  const begins = `transaction ${txid}, revision ${revision}, ${new Date(timeMs).toISOString()}`
  throw new KvError('KV_NOT_FOUND', `${archive}: the archive begins at ${begins}, later than that`)
}

/** What follows the base. */
interface Rest {
  /** What can be read; undefined: nothing follows. */
  readonly found: LogRow | undefined
  /** Why it ends before the log does; undefined: it doesn't. */
  readonly damage: KvError | undefined
}

function findRest(source: RedoSource, base: ArchivedBase, moment: Moment): Rest {
  const { disk, archive, log } = source
  const options = optionsOf(source, base)
  const places = findSegments(disk, log ?? archive, archive)
  const last = places.at(-1)
  if (log === undefined) {
    // A base may be newer than all that the log has let go of.
    if (last === undefined) return { found: undefined, damage: undefined }
    const found = findLog({ ...options, fromTxid: last.firstTxid - 1, syncedThrough: 0 })
    if (found === undefined || found.end.lastTxid <= base.txid) {
      return { found: undefined, damage: undefined }
    }
    const segments = segmentsFrom(disk, places, base.txid + 1)
    return { found: { ...found, segments }, damage: undefined }
  }
  if (last === undefined) {
    throw new KvError('KV_NOT_FOUND', `${log}: the log is missing: no segment is there`)
  }
  try {
    return { found: findLog(options), damage: undefined }
  } catch (error) {
    // The moment may lie before what is damaged or missing.
    if (!isKvError(error, 'KV_CORRUPT') || moment.kind === 'end') throw error
    const found = rowBefore(places, base)
    if (found === undefined) throw error
    return { found, damage: error }
  }
}

/** The segments that follow each other from the base on, but for the last: its end isn't known. */
function rowBefore(places: readonly SegmentPlace[], base: ArchivedBase): LogRow | undefined {
  const needed = base.txid + 1
  const row = places.slice(places.findLastIndex(({ firstTxid }) => firstTxid <= needed))
  const [first] = row
  if (first === undefined || first.firstTxid > needed) return undefined
  const hole = row.findIndex(({ sequence }, i) => sequence !== first.sequence + i)
  const segments = hole === -1 ? row : row.slice(0, hole)
  const last = segments.pop()
  if (last === undefined || last.firstTxid <= needed) return undefined
  return { segments, identity: base.identity, end: { lastTxid: last.firstTxid - 1 } }
}

function optionsOf(
  { disk, archive, log, fileTxid }: RedoSource,
  { txid, identity }: ArchivedBase,
): ReplayOptions {
  const places = log === undefined ? { directory: archive } : { directory: log, archive }
  const syncedThrough = Math.max(txid, fileTxid ?? 0)
  return { disk, ...places, ...identity, fromTxid: txid, syncedThrough }
}

interface Walk {
  readonly base: ArchivedBase
  readonly rest: Rest
  readonly moment: Moment
  readonly setup: RedoSetup
}

async function walk(source: RedoSource, { base, rest, moment, setup }: Walk): Promise<RedoPlan> {
  const options = optionsOf(source, base)
  const { found, damage } = rest
  const read = (): Iterable<LogGroup> => (found === undefined ? [] : readGroups(options, found))
  const reached = new Reached(base)
  let isThere = false
  let count = 0
  for (const group of read()) {
    reached.mustFollow(group.txid, found)
    const entryCount = entriesWithin(group, moment)
    isThere = moment.kind === 'txid' ? group.txid >= moment.value : entryCount !== undefined
    if (entryCount !== 0) reached.take(group, entryCount, setup)
    if (isThere) break
    if (++count % GROUPS_PER_TURN === 0) await setup.pause()
  }
  // What belongs to the moment may go on behind the damage.
  if (!isThere && damage !== undefined) throw damage
  mustBeThere(moment, reached, source.log ?? source.archive)
  const { lastTxid, lastEntryCount, revision, timeMs, commits } = reached
  const facts = { base, lastTxid, lastEntryCount, revision, timeMs, commits }
  return { ...facts, groups: () => upTo(read(), lastTxid, lastEntryCount) }
}

/** How many of the group's entries belong to what leads to the moment; undefined: all. */
function entriesWithin({ txid, entries }: LogGroup, moment: Moment): number | undefined {
  const { kind } = moment
  if (kind === 'end') return undefined
  const { value } = moment
  if (kind === 'txid') return txid <= value ? undefined : 0
  const beyond = entries.findIndex(
    (entry) => (kind === 'revision' ? entry.revision : entry.timeMs) > value,
  )
  return beyond === -1 ? undefined : beyond
}

/** How far a walk has come. */
class Reached {
  lastTxid: number
  lastEntryCount: number | undefined
  revision: number
  timeMs: number
  commits = 0

  constructor({ txid, revision, timeMs }: ArchivedBase) {
    this.lastTxid = txid
    this.revision = revision
    this.timeMs = timeMs
  }

  mustFollow(txid: number, found: LogRow | undefined): void {
    if (txid === this.lastTxid + 1) return
    const reason = `group ${this.lastTxid + 1} is missing: ${txid} follows`
    throw new CorruptionError(reason, { file: found?.segments[0]?.path ?? '' })
  }

  take({ txid, entries }: LogGroup, entryCount: number | undefined, setup: RedoSetup): void {
    const taken = entries.slice(0, entryCount)
    for (const entry of taken) {
      if (setup.makesRevision(entry)) this.revision = entry.revision
      if (entry.timeMs > 0) this.timeMs = entry.timeMs
    }
    if (taken.length > 0) this.commits++
    this.lastTxid = txid
    this.lastEntryCount = entryCount
  }
}

function mustBeThere(moment: Moment, reached: Reached, file: string): void {
  if (moment.kind === 'txid' && reached.lastTxid < moment.value) {
    const message = `it ends with transaction ${reached.lastTxid}; ${moment.value} is later`
    throw new KvError('KV_NOT_FOUND', `${file}: ${message}`)
  }
  if (moment.kind === 'revision' && reached.revision < moment.value) {
    const message = `it ends with revision ${reached.revision}; ${moment.value} is later`
    throw new KvError('KV_FUTURE_REVISION', `${file}: ${message}`)
  }
}

function* upTo(
  groups: Iterable<LogGroup>,
  lastTxid: number,
  lastEntryCount: number | undefined,
): Generator<LogGroup, void, void> {
  for (const { txid, entries } of groups) {
    if (txid > lastTxid) return
    yield { txid, entries: txid < lastTxid ? entries : entries.slice(0, lastEntryCount) }
    if (txid === lastTxid) return
  }
}
