/**
 * Makes a store of what comes from elsewhere: its file is written beside the name that a store's
 * has, and gets that name when it is complete and durable. From then on, and not before, the
 * directory holds a store.
 */

import { KvError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { takeLock } from './directory-lock.ts'

const PARTIAL = 'db.importing'
/** What a target may hold: the lock of whoever makes a store of it, and what a crash has left. */
const LEFT_OVER = /^(lock(\.lock(\.takeover)?)?|db\.importing(\.partial)?)$/

export interface NewStore {
  readonly disk: Disk
  /** The directory, absolute. */
  readonly target: string
  readonly lockTimeoutMs: number
  readonly signal: AbortSignal | undefined
}

/** @throws {KvError} KV_EXISTS */
export function mustBeEmpty(disk: Disk, target: string): void {
  const found = disk.exists(target) ? disk.list(target) : []
  const foreign = found.find((name) => !LEFT_OVER.test(name))
  if (foreign === undefined) return
  const message = `it holds ${foreign} already; an import makes a new store`
  throw new KvError('KV_EXISTS', `${target}: ${message}`)
}

/**
 * Makes the store out of the file that `write` makes, whole and durable, at the path it is given.
 * Where it fails what it made is removed again.
 * @throws {KvError} KV_EXISTS, KV_LOCKED; whatever `write` throws
 */
export async function makeStore(
  { disk, target, lockTimeoutMs, signal }: NewStore,
  write: (partial: string) => Promise<void>,
): Promise<void> {
  const owner = { readOnly: false, lock: 'auto', lockTimeoutMs, signal } as const
  const lock = await takeLock(disk, target, owner)
  const partial = disk.join(target, PARTIAL)
  let made = partial
  try {
    mustBeEmpty(disk, target)
    removeIfThere(disk, partial)
    await write(partial)
    signal?.throwIfAborted()
    disk.rename(partial, disk.join(target, 'db'))
    made = disk.join(target, 'db')
    disk.syncDirectory(target)
  } catch (error) {
    removeIfThere(disk, made)
    throw error
  } finally {
    lock?.close()
  }
}

function removeIfThere(disk: Disk, path: string): void {
  if (disk.exists(path)) disk.remove(path)
}
