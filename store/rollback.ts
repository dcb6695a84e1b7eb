/** Brings a store back to what it was at a moment, and keeps what it was before. */

import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { KvError, isKvError, withOutcome } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import type { RedoSource } from '../snapshot/redo-plan.ts'
import { archiveDirectory } from './archive-option.ts'
import { readTimeout, takeLock } from './directory-lock.ts'
import { readOptions, readPath } from './fields.ts'
import { findSource, pauseOf, plan, readMoment } from './redo-source.ts'
import { asResult } from './result.ts'
import { build, factsOf } from './restore-to.ts'
import type { RedoGround, RedoJob } from './restore-to.ts'
import {
  beginRollback,
  decideRollback,
  isRollbackDue,
  keptName,
  settleRollback,
} from './rollback-swap.ts'
import type { MomentInput, RollbackOptions, RollbackResult } from './types/restore.ts'

const OPTIONS: ReadonlySet<string> = new Set(['lockTimeoutMs', 'signal', 'onProgress', 'dryRun'])

/**
 * Brings the store in `directory` back to a moment: undo. The store must not be open, and was
 * opened with `archive` before that moment. What it was is kept, whole, in a directory
 * `before-rollback-<time>` inside it, archive included; nobody removes that.
 *
 * The past is done again beside the store and checked; then one rename decides. Power may fail at
 * any time: the store is what it was, or what it was to be. Where the promise rejects, nothing has
 * changed, unless the error's `outcome` is `unknown`: then opening the store, or calling this
 * again, finishes it.
 *
 * @throws {KvError} as `restoreTo`, without `KV_EXISTS`
 */
export async function rollback(
  directory: string,
  to: MomentInput,
  options?: RollbackOptions,
): Promise<RollbackResult> {
  return await rollbackOn({ disk: new RealDisk() }, { directory, to }, options)
}

interface RollbackGround extends RedoGround {
  /** For the name of what is kept. Default: the system's. */
  readonly clock?: Clock | undefined
}

/** As `rollback`, on any disk. */
export async function rollbackOn(
  ground: RollbackGround,
  given: { readonly directory: unknown; readonly to: unknown },
  options?: unknown,
): Promise<RollbackResult> {
  const { disk, clock = systemClock } = ground
  const path = disk.resolve(readPath(given.directory, 'directory'))
  const moment = readMoment(given.to)
  const fields = readOptions(options, OPTIONS)
  const signal = fields.signal()
  const lockTimeoutMs = readTimeout(fields)
  const job: RedoJob = { ...ground, signal, onProgress: fields.onProgress() }
  const dryRun = fields.flag('dryRun')
  signal?.throwIfAborted()
  mustHaveArchive(disk, path)
  const owner = { readOnly: false, lock: 'auto', lockTimeoutMs, signal } as const
  const lock = await takeLock(disk, path, owner)
  try {
    settleRollback(disk, path)
    const source = await findSource(disk, path)
    const way = await plan(source, moment, pauseOf(signal))
    const revisionBefore = await newestRevision(source, signal)
    const facts = { directory: path, ...factsOf(way), revisionBefore }
    if (dryRun) return asResult({ ...facts, kept: undefined })
    const name = keptName(disk, path, clock.wallMs())
    const partial = beginRollback(disk, path)
    try {
      await build(way, partial, job)
      decideRollback(disk, path, name)
    } catch (error) {
      if (isRollbackDue(disk, path)) throw withOutcome(error, 'unknown')
      settleRollback(disk, path)
      throw error
    }
    return asResult({ ...facts, kept: disk.join(path, name) })
  } finally {
    lock?.close()
  }
}

/** Before anything is made there, be it a lock. */
function mustHaveArchive(disk: Disk, path: string): void {
  if (disk.exists(archiveDirectory(disk, path)) || isRollbackDue(disk, path)) return
  throw new KvError('KV_NOT_FOUND', `${path}: no store with an archive is there`)
}

/** The end may be what is wrong with the store. */
async function newestRevision(
  source: RedoSource,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  try {
    return (await plan(source, { kind: 'end' }, pauseOf(signal))).revision
  } catch (error) {
    if (isKvError(error)) return undefined
    throw error
  }
}
