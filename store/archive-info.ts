/** What a store's archive holds. */

import type { Disk } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { readBases } from '../snapshot/archive-files.ts'
import { findSegments } from '../wal/segment-files.ts'
import { archiveDirectory } from './archive-option.ts'
import { readPath } from './fields.ts'
import { asResult } from './result.ts'
import type { ArchiveInfo } from './types/archive.ts'

/**
 * Lists what the archive in a data directory holds, or a copy of an archive. Reads manifests and
 * names only, and takes no lock: beside a store that is open it tells of one moment. Without an
 * archive both lists are empty.
 *
 * @throws {KvError} `KV_CORRUPT` (a manifest), `KV_BAD_VERSION`, `KV_IO`
 */
export async function readArchive(directory: string): Promise<ArchiveInfo> {
  return await readArchiveOn(new RealDisk(), directory)
}

/** As `readArchive`, on any disk. */
export async function readArchiveOn(disk: Disk, directory: unknown): Promise<ArchiveInfo> {
  const path = disk.resolve(readPath(directory, 'directory'))
  const inside = archiveDirectory(disk, path)
  const archive = disk.exists(inside) ? inside : path
  const bases = readBases(disk, archive).map(({ txid, revision, timeMs, sizeBytes }) => ({
    txid,
    revision,
    timeMs,
    sizeBytes,
  }))
  const segments = findSegments(disk, archive).map((place) => ({
    name: place.path.slice(archive.length + 1),
    firstTxid: place.firstTxid,
    sizeBytes: sizeOf(disk, place.path),
  }))
  let sizeBytes = 0
  for (const each of [...bases, ...segments]) sizeBytes += each.sizeBytes
  return asResult({ directory: archive, bases, segments, sizeBytes })
}

function sizeOf(disk: Disk, path: string): number {
  const file = disk.open(path, { mode: 'read' })
  const sizeBytes = file.size()
  file.close()
  return sizeBytes
}
