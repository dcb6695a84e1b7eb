/** Opening a file and locking it, so that what is locked is what the path names. */

import { isKvError } from '../base/errors.ts'
import type { Disk, DiskFile, FileIdentity } from '../disk/disk.ts'
import type { EngineOptions } from './options.ts'

/** A path whose file is replaced again and again is given up. */
const OPEN_ATTEMPTS_MAX = 5

/** Opens and locks what the path names. A file renamed over it meanwhile is opened in its place. */
export async function openLocked(
  disk: Disk,
  path: string,
  options: EngineOptions,
): Promise<DiskFile> {
  for (let attempt = 1; ; attempt++) {
    const file = disk.open(path, { mode: options.readOnly === true ? 'read' : 'create' })
    try {
      await lockFile(disk, file, options)
      return file
    } catch (error) {
      const isReplaced = isKvError(error, 'KV_IO') && !isSameFile(disk.identityOf(path), file)
      file.close()
      if (!isReplaced || attempt === OPEN_ATTEMPTS_MAX) throw error
    }
  }
}

function isSameFile(named: FileIdentity | undefined, file: DiskFile): boolean {
  const own = file.identity()
  return named?.device === own.device && named.inode === own.inode
}

async function lockFile(disk: Disk, file: DiskFile, options: EngineOptions): Promise<void> {
  const method = options.lock ?? 'auto'
  if (method === 'none') return
  await disk.lock(file, {
    kind: options.readOnly === true ? 'shared' : 'exclusive',
    method,
    timeoutMs: options.lockTimeoutMs ?? 0,
    signal: options.signal,
  })
}
