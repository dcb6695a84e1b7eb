/**
 * Whose log a directory holds, for whoever doesn't know it yet, and the end of one that was begun
 * in vain.
 */

import { CorruptionError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { SEGMENT_HEADER_SIZE, decodeSegmentHeader } from './format.ts'
import type { SegmentHeader } from './format.ts'
import { findSegments } from './segment-files.ts'

/**
 * The header of the newest segment; undefined where there is none.
 *
 * @throws {KvError} `KV_CORRUPT` where it can't be read
 */
export function newestHeader(disk: Disk, directory: string): SegmentHeader | undefined {
  const place = findSegments(disk, directory).at(-1)
  if (place === undefined) return undefined
  const file = disk.open(place.path, { mode: 'read' })
  try {
    const bytes = new Uint8Array(SEGMENT_HEADER_SIZE)
    file.read(bytes, 0)
    const header = decodeSegmentHeader(bytes)
    if (typeof header !== 'string') return header
    throw new CorruptionError(`its header can't be read: ${header}`, {
      file: place.path,
      offset: 0,
    })
  } finally {
    file.close()
  }
}

/** Removes all segments, the newest first: what a power cut leaves still begins where it did. */
export function discardLog(disk: Disk, directory: string): void {
  for (const place of findSegments(disk, directory).toReversed()) disk.remove(place.path)
  disk.syncDirectory(directory)
}
