/**
 * Puts a data file and a log in the place of others, so that a power cut at any moment leaves the
 * ones or the others.
 *
 *   rollback.partial/   what is to be: db, wal/, and keep.json, which names what the old is kept as
 *   rollback/           the same under the name that decides: one rename
 *
 * From that rename on the new state is the store's, whatever lies where; opening finishes it:
 *
 *   1. while both, rollback/wal and rollback/db, are there: archive, wal and db go into the
 *      directory that keep.json names; directory syncs
 *   2. rollback/wal and rollback/db go to their places; directory syncs
 *   3. rollback/ is removed
 *
 * Each step can be done again by what names there are. All of it is done by who holds the lock of
 * the data directory, whose own name never changes: it may be where a volume is mounted.
 */

import { CorruptionError, KvError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'

const PARTIAL = 'rollback.partial'
const DECIDED = 'rollback'
const KEEP = 'keep.json'
/** What a store consists of beside its lock. */
const OLD = ['archive', 'wal', 'db'] as const
const NEW = ['wal', 'db'] as const
const KEPT = /^before-rollback-[0-9TZ-]+$/

/** The directory to build in; empty. */
export function beginRollback(disk: Disk, path: string): string {
  const partial = disk.join(path, PARTIAL)
  removeBuilt(disk, partial)
  disk.makeDirectory(partial)
  return partial
}

/** A name for what is put aside at that time, which is not taken. */
export function keptName(disk: Disk, path: string, wallMs: number): string {
  const time = new Date(wallMs).toISOString().replace(/\.\d+/, '').replaceAll(':', '-')
  let name = `before-rollback-${time}`
  for (let i = 2; disk.exists(disk.join(path, name)); i++) name = `before-rollback-${time}-${i}`
  return name
}

/** Decides for what was built, and puts it in place. `kept`: see `keptName`. */
export function decideRollback(disk: Disk, path: string, kept: string): void {
  const partial = disk.join(path, PARTIAL)
  const file = disk.open(disk.join(partial, KEEP), { mode: 'createNew' })
  try {
    file.write(Buffer.from(`${JSON.stringify({ version: 1, kept })}\n`), 0)
    file.sync('full')
  } finally {
    file.close()
  }
  disk.syncDirectory(partial)
  disk.rename(partial, disk.join(path, DECIDED))
  disk.syncDirectory(path)
  finish(disk, path)
}

/** Whether a rollback was decided and not finished. */
export function isRollbackDue(disk: Disk, path: string): boolean {
  return disk.exists(disk.join(path, DECIDED))
}

/**
 * Finishes a rollback that was decided, and removes what is left of one that was not. For who holds
 * the directory's lock.
 * @throws {KvError} `KV_CORRUPT`, `KV_NO_SPACE`, `KV_IO`: call it again
 */
export function settleRollback(disk: Disk, path: string): void {
  removeBuilt(disk, disk.join(path, PARTIAL))
  if (!isRollbackDue(disk, path)) return
  // Who decided it may have been killed before that was durable.
  disk.syncDirectory(path)
  finish(disk, path)
}

/** Writes nothing: refuses what only a writer could finish. */
export function mustBeSettled(disk: Disk, path: string): void {
  if (!isRollbackDue(disk, path)) return
  throw new KvError(
    'KV_READ_ONLY',
    `${path}: a rollback was cut short; opened to write, the store finishes it first`,
  )
}

function finish(disk: Disk, path: string): void {
  const decided = disk.join(path, DECIDED)
  const left = NEW.filter((name) => disk.exists(disk.join(decided, name)))
  if (left.length === NEW.length) putAside(disk, path, readKept(disk, disk.join(decided, KEEP)))
  for (const name of left) disk.rename(disk.join(decided, name), disk.join(path, name))
  disk.syncDirectory(path)
  disk.syncDirectory(decided)
  removeBuilt(disk, decided)
  disk.syncDirectory(path)
}

/** Nothing of the new is in place yet: what is there is the old. */
function putAside(disk: Disk, path: string, kept: string): void {
  const aside = disk.join(path, kept)
  disk.makeDirectory(aside)
  disk.syncDirectory(path)
  for (const name of OLD) {
    const from = disk.join(path, name)
    if (disk.exists(from)) disk.rename(from, disk.join(aside, name))
  }
  disk.syncDirectory(aside)
  disk.syncDirectory(path)
}

function readKept(disk: Disk, path: string): string {
  const damaged = (): CorruptionError =>
    new CorruptionError('it does not say where the old state is to be kept', { file: path })
  if (!disk.exists(path)) throw damaged()
  const file = disk.open(path, { mode: 'read' })
  try {
    const bytes = new Uint8Array(file.size())
    file.read(bytes, 0)
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('latin1'))
    const kept = typeof value === 'object' && value !== null && 'kept' in value ? value.kept : ''
    if (typeof kept === 'string' && KEPT.test(kept)) return kept
    throw damaged()
  } catch (error) {
    throw error instanceof SyntaxError ? damaged() : error
  } finally {
    file.close()
  }
}

/** Removes a directory that a data file and a log were built in. Files first that make it one. */
export function removeBuilt(disk: Disk, directory: string): void {
  if (!disk.exists(directory)) return
  const names = disk.list(directory)
  const log = disk.join(directory, 'wal')
  for (const name of names) if (name !== 'wal') disk.remove(disk.join(directory, name))
  if (names.includes('wal')) {
    for (const name of disk.list(log)) disk.remove(disk.join(log, name))
    disk.removeDirectory(log)
  }
  disk.removeDirectory(directory)
}
