/**
 * Who owns a data directory: whoever holds the exclusive lock of its file `lock`.
 *
 * The lock is taken first and then compared with what its path names, because whoever swaps a
 * directory does so while holding the lock of the old one.
 */

import { describeType } from '../base/text.ts'
import type { Disk, DiskFile, LockMethod } from '../disk/disk.ts'
import { currentProcess } from '../disk/process-identity.ts'
import type { Fields } from './fields.ts'

export interface DirectoryLock {
  readonly readOnly: boolean
  readonly lock: LockMethod
  readonly lockTimeoutMs: number
  readonly signal: AbortSignal | undefined
}

/** How long to wait for another owner, in ms. */
export function readTimeout(fields: Fields): number {
  const value = fields.get('lockTimeoutMs')
  if (value === undefined) return 0
  if (typeof value !== 'number') {
    throw new TypeError(`lockTimeoutMs: expected a number, got ${describeType(value)}`)
  }
  if (!(value >= 0)) throw new RangeError(`lockTimeoutMs: ${value} is below 0`)
  return value
}

/** Locks the directory; undefined where a read-only opener finds no lock file. */
export async function takeLock(
  disk: Disk,
  path: string,
  settings: DirectoryLock,
): Promise<DiskFile | undefined> {
  const { readOnly } = settings
  const lockPath = disk.join(path, 'lock')
  if (!readOnly) prepareDirectory(disk, path)
  for (;;) {
    if (readOnly && !disk.exists(lockPath)) return undefined
    const file = disk.open(lockPath, { mode: readOnly ? 'read' : 'create' })
    try {
      await disk.lock(file, {
        kind: readOnly ? 'shared' : 'exclusive',
        method: settings.lock,
        timeoutMs: settings.lockTimeoutMs,
        signal: settings.signal,
      })
      const held = file.identity()
      const named = disk.identityOf(lockPath)
      if (named?.device === held.device && named.inode === held.inode) {
        if (!readOnly) nameOwner(file)
        return file
      }
    } catch (error) {
      file.close()
      throw error
    }
    file.close()
  }
}

function prepareDirectory(disk: Disk, path: string): void {
  const isNew = !disk.exists(path)
  disk.makeDirectory(path)
  if (isNew) disk.syncDirectory(disk.directoryOf(path))
}

/** Says in the lock file who holds it. For people and tools only, so it needs no sync. */
function nameOwner(file: DiskFile): void {
  const text = Buffer.from(`${JSON.stringify(currentProcess())}\n`, 'utf8')
  file.truncate(0)
  file.write(text, 0)
}
