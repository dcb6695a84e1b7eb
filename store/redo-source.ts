/**
 * A store's past as something to go back to: where its archive and its log are, and what the redone
 * must be.
 */

import { CorruptionError, KvError, isKvError } from '../base/errors.ts'
import type { LogEntry } from '../base/log-group.ts'
import { describeType } from '../base/text.ts'
import type { Disk } from '../disk/disk.ts'
import { openForLog } from '../engine/open-logged.ts'
import type { Engine } from '../engine/index.ts'
import { readLeaseRows } from '../lease/lease-rows.ts'
import { restore } from '../mvcc/restore.ts'
import { KEY_BUCKET, mustHaveStore } from '../mvcc/schema.ts'
import { findBases } from '../snapshot/archive-files.ts'
import { planRedo } from '../snapshot/redo-plan.ts'
import type { Moment, RedoPlan, RedoSource } from '../snapshot/redo-plan.ts'
import { archiveDirectory } from './archive-option.ts'
import { Fields, readInteger } from './fields.ts'
import { nextTurn } from './pause.ts'

const KINDS = ['revision', 'time', 'txid'] as const
const KEY_NAME: Uint8Array = Buffer.from(KEY_BUCKET)

/** Reads the argument that names a moment. */
export function readMoment(value: unknown): Moment {
  if (value === 'end') return { kind: 'end' }
  if (typeof value !== 'object') {
    throw new TypeError(`to: expected 'end' or an object, got ${describeType(value)}`)
  }
  const fields = new Fields(value, new Set(KINDS), { name: 'to', path: 'to.' })
  const given = KINDS.filter((name) => fields.has(name))
  const [kind] = given
  if (kind === undefined || given.length > 1) {
    throw new TypeError(`to: expected one of ${KINDS.join(', ')}`)
  }
  const asked = fields.get(kind)
  if (kind !== 'time') return { kind, value: readInteger(asked, `to.${kind}`, 1) }
  const timeMs = asked instanceof Date ? asked.getTime() : asked
  if (typeof timeMs !== 'number') {
    throw new TypeError(`to.time: expected a Date or a number, got ${describeType(asked)}`)
  }
  if (!Number.isFinite(timeMs)) throw new RangeError(`to.time: ${timeMs} is no time`)
  return { kind, value: timeMs }
}

/** A data directory with its archive, or an archive alone. */
export async function findSource(disk: Disk, path: string): Promise<RedoSource> {
  const archive = archiveDirectory(disk, path)
  if (disk.exists(archive)) {
    return { disk, archive, log: disk.join(path, 'wal'), fileTxid: await fileTxid(disk, path) }
  }
  if (findBases(disk, path).txids.length > 0) {
    return { disk, archive: path, log: undefined, fileTxid: undefined }
  }
  throw new KvError('KV_NOT_FOUND', `${path}: no archive is there; open({ archive }) keeps one`)
}

/** The commit that the data file has; undefined where that can't be told: it may be why. */
async function fileTxid(disk: Disk, path: string): Promise<number | undefined> {
  let engine: Engine
  try {
    engine = await openForLog(disk.join(path, 'db'), { disk, readOnly: true, lock: 'none' })
  } catch (error) {
    if (isKvError(error)) return undefined
    throw error
  }
  const { stamp, txid } = engine
  await engine.close()
  return stamp?.isOwn === true ? txid : undefined
}

export async function plan(
  source: RedoSource,
  moment: Moment,
  pause: () => Promise<void>,
): Promise<RedoPlan> {
  return await planRedo(source, moment, { makesRevision, pause })
}

/** Whether the entry put a row into the bucket of revisions. */
function makesRevision({ ops }: LogEntry): boolean {
  return ops.some(({ op, path }) => {
    const [name] = path
    return op === 'put' && path.length === 1 && Buffer.compare(name ?? KEY_NAME, KEY_NAME) === 0
  })
}

/** Lets others run, and gives up where the signal says so. */
export function pauseOf(signal: AbortSignal | undefined): () => Promise<void> {
  return async () => {
    await nextTurn()
    signal?.throwIfAborted()
  }
}

/**
 * Reads the history and the leases that were made, as opening would.
 * @throws {CorruptionError} where they are not whole, or end with another revision
 */
export async function mustBeAt(
  engine: Engine,
  revision: number,
  pause: () => Promise<void>,
): Promise<void> {
  const file = engine.path
  const tx = engine.beginNow({ writable: false })
  try {
    mustHaveStore(tx, file)
    await readLeaseRows(tx, { file, pause, visit: () => {} })
    const mvcc = await restore(tx, { file, pause })
    mvcc.index.release()
    if (mvcc.revision === revision) return
    const reason = `what was done again ends with revision ${mvcc.revision}, not ${revision}`
    throw new CorruptionError(reason, { file })
  } finally {
    tx.rollback()
  }
}
