/**
 * Makes a store of what another one was at a moment, out of its archive.
 *
 * It is built in a directory beside the target, checked, and gets its name by one rename: until
 * then there is no store under that name, from then on a whole one.
 */

import { randomInt } from 'node:crypto'
import { KvError, isKvError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import type { Disk } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import type { RedoPlan } from '../snapshot/redo-plan.ts'
import { redo } from '../snapshot/redo.ts'
import { readTimeout, takeLock } from './directory-lock.ts'
import { readOptions, readPath } from './fields.ts'
import { findSource, mustBeAt, pauseOf, plan, readMoment } from './redo-source.ts'
import { asResult } from './result.ts'
import { mustBeSettled, removeBuilt } from './rollback-swap.ts'
import type { Progress } from './types/maintenance.ts'
import type { MomentInput, RestoreOptions, RestoreResult } from './types/restore.ts'

const OPTIONS: ReadonlySet<string> = new Set(['lockTimeoutMs', 'signal', 'onProgress'])
const SEED_END = 2 ** 48 - 1

/**
 * Makes a store in `directory` of what the one in `source` was at a moment. `source` is a data
 * directory that was opened with `archive` and is not open now, or a copy of its `archive/` alone;
 * it is only read. The archive is checked as it is read, and what was made of it is checked whole.
 *
 * The directory must not exist; the one it lies in must. Once the promise has resolved the store is
 * durable and can be opened; where it rejects, there is none. It goes on from its newest revision
 * on a timeline of its own: no log of the source fits it any more.
 *
 * @throws {KvError} `KV_NOT_FOUND` (no archive, or it does not reach back that far);
 *   `KV_FUTURE_REVISION`; `KV_EXISTS` (the target); `KV_LOCKED` (the source is open, or someone
 *   makes the target); `KV_CORRUPT` (damaged, or a segment is missing); `KV_BAD_FILE`,
 *   `KV_BAD_VERSION`, `KV_NO_SPACE`, `KV_IO`; the signal's reason
 */
export async function restoreTo(
  source: string,
  directory: string,
  to: MomentInput,
  options?: RestoreOptions,
): Promise<RestoreResult> {
  return await restoreToOn({ disk: new RealDisk() }, { source, directory, to }, options)
}

export interface RedoGround {
  readonly disk: Disk
  /** For ids and salts. Default: the system's. */
  readonly random?: Random | undefined
}

interface RestoreArguments {
  readonly source: unknown
  readonly directory: unknown
  readonly to: unknown
}

/** As `restoreTo`, on any disk. */
export async function restoreToOn(
  ground: RedoGround,
  given: RestoreArguments,
  options?: unknown,
): Promise<RestoreResult> {
  const { disk } = ground
  const source = disk.resolve(readPath(given.source, 'source'))
  const target = disk.resolve(readPath(given.directory, 'directory'))
  const moment = readMoment(given.to)
  const fields = readOptions(options, OPTIONS)
  const signal = fields.signal()
  const lockTimeoutMs = readTimeout(fields)
  const onProgress = fields.onProgress()
  signal?.throwIfAborted()
  mustBeFree(disk, target)
  const reader = { readOnly: true, lock: 'auto', lockTimeoutMs, signal } as const
  const lock = await takeLock(disk, source, reader)
  try {
    mustBeSettled(disk, source)
    const way = await plan(await findSource(disk, source), moment, pauseOf(signal))
    await make(way, target, { ...ground, lockTimeoutMs, signal, onProgress })
    return asResult({ directory: target, ...factsOf(way) })
  } finally {
    lock?.close()
  }
}

/** What a result tells of a plan. */
export function factsOf(way: RedoPlan): Omit<RestoreResult, 'directory' | 'toJSON'> {
  const { revision, lastTxid: txid, timeMs, base, commits } = way
  return { revision, txid, timeMs, baseTxid: base.txid, commits }
}

/** @throws {KvError} KV_EXISTS, KV_NOT_FOUND */
function mustBeFree(disk: Disk, target: string): void {
  if (disk.exists(target)) {
    throw new KvError('KV_EXISTS', `${target}: it exists; a restored store replaces nothing`)
  }
  const parent = disk.directoryOf(target)
  if (!disk.exists(parent)) throw new KvError('KV_NOT_FOUND', `${parent}: it is not there`)
}

export interface RedoJob extends RedoGround {
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: Progress) => void) | undefined
}

/** Does the plan again in a directory that is empty but for a lock. */
export async function build(way: RedoPlan, directory: string, job: RedoJob): Promise<void> {
  const { disk, signal, onProgress } = job
  const pause = pauseOf(signal)
  const totalBytes = way.base.sizeBytes
  await redo(way, {
    disk,
    directory,
    random: job.random ?? new Random(randomInt(SEED_END)),
    signal,
    onCopied: (doneBytes) => onProgress?.({ doneBytes, totalBytes }),
    pause,
    verify: (engine) => mustBeAt(engine, way.revision, pause),
  })
}

async function make(
  way: RedoPlan,
  target: string,
  job: RedoJob & { readonly lockTimeoutMs: number },
): Promise<void> {
  const { disk, signal, lockTimeoutMs } = job
  const partial = `${target}.restoring`
  const owner = { readOnly: false, lock: 'auto', lockTimeoutMs, signal } as const
  const lock = await takeLock(disk, partial, owner)
  try {
    clear(disk, partial)
    await build(way, partial, job)
    mustBeFree(disk, target)
    disk.rename(partial, target)
  } catch (error) {
    removeQuietly(disk, partial)
    throw error
  } finally {
    lock?.close()
  }
  disk.syncDirectory(disk.directoryOf(target))
}

/** Removes what a power cut has left, but for the lock that is held. */
function clear(disk: Disk, partial: string): void {
  const log = disk.join(partial, 'wal')
  for (const name of disk.list(partial)) {
    if (name === 'wal') removeBuilt(disk, log)
    else if (!name.startsWith('lock')) disk.remove(disk.join(partial, name))
  }
}

/** What can't be removed is in nobody's way: the next one clears it. */
function removeQuietly(disk: Disk, partial: string): void {
  try {
    removeBuilt(disk, partial)
  } catch (error) {
    if (!isKvError(error)) throw error
  }
}
