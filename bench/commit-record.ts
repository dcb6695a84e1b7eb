/**
 * The record of `npm run commits`, `npm run latency` and `npm run replay`: raw samples; medians and
 * ratios are computed when it is read. Fields are added, never changed; a change of meaning raises
 * the version. One file holds what the three measured last.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { CommitAnswer, CommitSide } from './commit-protocol.ts'
import type { LatencySample } from './latency-protocol.ts'
import type { Occasion } from './record.ts'
import type { ReplaySample } from './replay-protocol.ts'
import type { SyncCounts } from './sync-count.ts'

export const COMMIT_FORMAT = 'revbolt-commits'
const COMMIT_VERSION = 1

export interface CountedSyncs {
  /** Commits in the counting pass, which is another than the timed ones. */
  readonly commits: number
  readonly syncs: SyncCounts
}

export interface CommitCaseRecord {
  readonly side: CommitSide
  readonly callers: number
  readonly label: string
  /** One for each round, in order of rounds. */
  readonly samples: readonly CommitAnswer[]
  /** Missing where there was no strace. */
  readonly counted?: CountedSyncs
}

export interface CommitsPart extends Occasion {
  readonly rounds: number
  readonly durationMs: number
  /** Keys that were there before. */
  readonly keyCount: number
  readonly cases: readonly CommitCaseRecord[]
}

export interface LatencyPart extends Occasion {
  readonly rounds: number
  readonly samples: readonly LatencySample[]
}

export interface ReplayPart extends Occasion {
  readonly rounds: number
  readonly samples: readonly ReplaySample[]
}

export interface CommitRecord {
  readonly format: typeof COMMIT_FORMAT
  readonly version: typeof COMMIT_VERSION
  readonly commits?: CommitsPart
  readonly latency?: LatencyPart
  readonly replay?: ReplayPart
}

export type CommitParts = Pick<CommitRecord, 'commits' | 'latency' | 'replay'>

export function makeCommitRecord(parts: CommitParts): CommitRecord {
  return { format: COMMIT_FORMAT, version: COMMIT_VERSION, ...parts }
}

/** Whether parsed JSON is such a record, of any version. */
export function isCommitRecord(content: unknown): content is { readonly format: string } {
  return (
    typeof content === 'object' &&
    content !== null &&
    'format' in content &&
    content.format === COMMIT_FORMAT
  )
}

/** Throws where the file is no such record, or one of another version. */
export function readCommitRecord(path: string): CommitRecord {
  const content: unknown = JSON.parse(readFileSync(path, 'utf8'))
  if (!isCommitRecord(content)) throw new Error(`${path}: it is no record of durable commits`)
  if (!('version' in content) || content.version !== COMMIT_VERSION) {
    throw new Error(`${path}: expected version ${COMMIT_VERSION} of the record`)
  }
  return content as unknown as CommitRecord
}

/** Writes the parts into a record, over the same parts of an earlier run; others stay. */
export function writeCommitParts(path: string, parts: CommitParts): void {
  const earlier = existsSync(path) ? readCommitRecord(path) : makeCommitRecord({})
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify({ ...earlier, ...parts }, undefined, 1)}\n`)
}
