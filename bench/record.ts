/**
 * The record of a run: what `--json` writes, and what report.ts and later work read.
 *
 * It holds raw samples only; medians and ratios are computed when it is read. Fields are added,
 * never changed; a change of meaning raises RECORD_VERSION.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { SideName } from './protocol.ts'

const RECORD_FORMAT = 'revbolt-bench'
const RECORD_VERSION = 1

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  /** Type of the file system that the data lay on, as mount(8) names it. */
  readonly fileSystem: string
}

/** Name → version: node, v8, every peer, go, bbolt. */
export type Versions = Readonly<Record<string, string>>

/** What was measured, when and on what. */
export interface Occasion {
  /** When it began, ISO 8601. */
  readonly startedAt: string
  /** The commit measured; `-dirty` behind it where files differed from it. */
  readonly commit: string
  readonly machine: Machine
  readonly versions: Versions
  /** How many processes ran or wanted to in the minute before; missing where it wasn't noted. */
  readonly loadBefore?: number
}

export interface SideRecord {
  readonly side: SideName
  /** One for each round, in order of rounds. */
  readonly samplesNs: readonly number[]
  /** The size of the file that was read or written, after the last round. */
  readonly fileBytes?: number
}

export interface CaseRecord {
  /** A name from cases.ts. */
  readonly name: string
  /** Keys in the file, or loaded into it. */
  readonly keyCount: number
  /** What a sample did, in the case's own operations. */
  readonly operations: number
  /** Memory that sides with a cache of their own were given. */
  readonly cacheBytes: number
  /** The same on all sides; one for each round. */
  readonly checksums: readonly number[]
  readonly sides: readonly SideRecord[]
}

export interface MemoryPhase {
  readonly name: string
  readonly operations: number
  readonly ns: number
  /** Highest resident memory from the start to the end of the phase. */
  readonly maxResidentBytes: number
}

export interface MemoryRecord {
  readonly fileBytes: number
  readonly keyCount: number
  readonly cacheBytes: number
  /** Resident memory when the library was loaded and nothing was open. */
  readonly baseResidentBytes: number
  readonly phases: readonly MemoryPhase[]
}

export interface BenchRecord extends Occasion {
  readonly format: typeof RECORD_FORMAT
  readonly version: typeof RECORD_VERSION
  readonly seed: number
  readonly rounds: number
  readonly cases: readonly CaseRecord[]
  readonly memory?: MemoryRecord
}

export type RecordContent = Omit<BenchRecord, 'format' | 'version'>

export function makeRecord(content: RecordContent): BenchRecord {
  return { format: RECORD_FORMAT, version: RECORD_VERSION, ...content }
}

export function writeRecord(path: string, record: BenchRecord): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(record, undefined, 1)}\n`)
}

/** Throws where the file is no record, or one of another version. */
export function readRecord(path: string): BenchRecord {
  const content: unknown = JSON.parse(readFileSync(path, 'utf8'))
  const isRecord =
    typeof content === 'object' &&
    content !== null &&
    'format' in content &&
    content.format === RECORD_FORMAT
  if (!isRecord) throw new Error(`${path}: it is no record of a benchmark`)
  if (!('version' in content) || content.version !== RECORD_VERSION) {
    throw new Error(`${path}: expected version ${RECORD_VERSION} of the record`)
  }
  return content as unknown as BenchRecord
}
