/**
 * The sides of `npm run commits`, what a process that hosts one is asked, and what it answers: one
 * JSON value each. commit-worker.ts speaks it for the sides in Node, bbolt/commits.go for bbolt.
 */

import type { Latency } from './latency-summary.ts'

export const COMMIT_SIDES = [
  'floor-blocking',
  'floor-pool',
  'floor-lane',
  'revbolt-sync',
  'revbolt',
  'engine',
  'bbolt',
  'sqlite',
  'lmdb',
  'lmdb-plain',
] as const
export type CommitSide = (typeof COMMIT_SIDES)[number]

/** A side with so many commits at once, as the tables name it. */
export interface CommitCase {
  readonly side: CommitSide
  /** How many callers there are, each waiting for its own commit before it makes the next. */
  readonly callers: number
  readonly label: string
}

export const CALLER_COUNTS = [1, 64, 1000] as const

export const COMMIT_CASES: readonly CommitCase[] = [
  { side: 'floor-blocking', callers: 1, label: 'disk alone: pwrite, fdatasyncSync' },
  { side: 'floor-pool', callers: 1, label: "disk alone: fs.write, fs.fdatasync in libuv's pool" },
  { side: 'floor-lane', callers: 1, label: 'disk alone: writeDurablyAsync' },
  { side: 'revbolt-sync', callers: 1, label: 'revbolt `putSync`' },
  { side: 'revbolt', callers: 1, label: 'revbolt `await put`' },
  { side: 'engine', callers: 1, label: "revbolt's engine and log alone" },
  { side: 'bbolt', callers: 1, label: 'bbolt `Update`' },
  { side: 'sqlite', callers: 1, label: 'better-sqlite3, a transaction each' },
  { side: 'lmdb', callers: 1, label: 'lmdb `await put`, `await flushed`' },
  { side: 'lmdb-plain', callers: 1, label: 'lmdb `await put`, without overlapping syncs' },
  ...CALLER_COUNTS.slice(1).flatMap((callers): CommitCase[] => [
    { side: 'revbolt', callers, label: 'revbolt `await put`' },
    { side: 'engine', callers, label: "revbolt's engine and log alone" },
    { side: 'bbolt', callers, label: 'bbolt `Batch`' },
    { side: 'sqlite', callers, label: `better-sqlite3, ${callers} puts a transaction` },
    { side: 'lmdb', callers, label: 'lmdb `await put`, `await flushed`' },
    { side: 'lmdb-plain', callers, label: 'lmdb `await put`, without overlapping syncs' },
  ]),
]

/** Paths that a process looks for, in vain, where the timed part begins and ends. */
export const MARK_BEGIN = '/revbolt-bench/begin'
export const MARK_END = '/revbolt-bench/end'

export interface CommitCommand {
  readonly op: 'commits'
  readonly side: CommitSide
  readonly callers: number
  /** Where its files go; it is there, empty, and the harness removes it. */
  readonly path: string
  /** Keys put before, not timed. */
  readonly keyCount: number
  /** Commits of one put each, made before in the way that is timed then. */
  readonly warmUp: number
  /** Between these and the timed part: what they left to be done in the background is done then. */
  readonly settleMs: number
  readonly durationMs: number
  readonly cacheBytes: number
  readonly mapBytes: number
}

/** Times are from the call to when the caller may go on. */
export interface CommitAnswer extends Latency {
  /** How long the timed part took. */
  readonly ns: number
  readonly error?: string
}
