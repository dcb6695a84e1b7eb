/** The option `archive` of a store, and what its archive needs of it. */

import { describeType } from '../base/text.ts'
import type { Disk } from '../disk/disk.ts'
import { readNewestRevision } from '../mvcc/schema.ts'
import { findBases } from '../snapshot/archive-files.ts'
import type { ArchiveSetup } from '../snapshot/archiver.ts'
import { Fields } from './fields.ts'
import type { ArchiveOptions } from './types/open.ts'

const LIMITS = ['maxBytes', 'maxAgeMs', 'maxSegments'] as const

/** False: none is kept. Undefined: one that is there is. */
export type ArchiveChoice = boolean | ArchiveOptions | undefined

export function readArchiveChoice(value: unknown): ArchiveChoice {
  if (value === undefined || typeof value === 'boolean') return value
  if (typeof value !== 'object') {
    throw new TypeError(`archive: expected a boolean or an object, got ${describeType(value)}`)
  }
  const fields = new Fields(value, new Set(LIMITS), { name: 'archive', path: 'archive.' })
  const [maxBytes, maxAgeMs, maxSegments] = LIMITS.map((name) => fields.integer(name, 1))
  return { maxBytes, maxAgeMs, maxSegments }
}

/** Where a store's archive is. */
export function archiveDirectory(disk: Disk, path: string): string {
  return disk.join(path, 'archive')
}

export interface ArchiveSetting extends Pick<ArchiveSetup, 'clock' | 'signal' | 'onFailed'> {
  readonly disk: Disk
  /** The data directory. */
  readonly path: string
  readonly choice: ArchiveChoice
  /** The time of the newest write. */
  readonly lastTimeMs: () => number
}

export function archiveSetup(setting: ArchiveSetting): ArchiveSetup | undefined {
  const { disk, path, choice, clock, lastTimeMs, signal, onFailed } = setting
  const directory = archiveDirectory(disk, path)
  const isKept = choice ?? findBases(disk, directory).txids.length > 0
  if (isKept === false) return undefined
  return {
    directory,
    limits: typeof choice === 'object' ? choice : undefined,
    clock,
    signal,
    onFailed,
    describe: (tx) => ({
      revision: readNewestRevision(tx, disk.join(path, 'db')),
      timeMs: Math.floor(Math.max(clock.wallMs(), lastTimeMs())),
    }),
  }
}
