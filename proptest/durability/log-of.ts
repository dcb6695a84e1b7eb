/** Reads a log of which nothing is known but where it is. */

import type { LogGroup } from '../../base/log-group.ts'
import type { Disk } from '../../disk/disk.ts'
import { newestHeader } from '../../wal/identity.ts'
import { replayLog } from '../../wal/replay.ts'
import { findSegments } from '../../wal/segment-files.ts'

/** All groups that the directory's segments hold, in order. */
export function identifiedLog(disk: Disk, directory: string): readonly LogGroup[] {
  const header = newestHeader(disk, directory)
  const [oldest] = findSegments(disk, directory)
  if (header === undefined || oldest === undefined) return []
  const { storeId, logId } = header
  const fromTxid = oldest.firstTxid - 1
  return [...replayLog({ disk, directory, storeId, logId, fromTxid }).groups()]
}
