/** Looking after a store: history, size, checks. */
import type { ResultJson } from './key-value.ts'

/** What every call takes that can be given up. */
export interface CallOptions {
  /** Abort rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** What `compact` takes. */
export interface CompactOptions extends CallOptions {
  /** Resolves only when the dropped revisions are gone from the file too. Default false. */
  readonly physical?: boolean | undefined
}

/** What `compact` resolves with: older revisions can't be read any more. */
export interface CompactResult {
  /** The store's current revision. */
  readonly revision: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** How far a store is and how large its file. */
export interface Status {
  /** The version of the software that answers. */
  readonly version: string
  /** The current revision; 1 for a store nothing was ever written to. */
  readonly revision: number
  /**
   * The oldest revision that can be read, 0 where nothing was compacted yet, undefined where the
   * server doesn't say.
   */
  readonly compactedRevision: number | undefined
  /** The data file's size in bytes. */
  readonly sizeBytes: number
  /** How much of it holds data; the rest is free for reuse. */
  readonly sizeInUseBytes: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/**
 * `NOSPACE`: a write was refused for the quota. `CORRUPT`: members of an etcd cluster disagree; a
 * store in this process never raises it.
 */
export type AlarmType = 'NOSPACE' | 'CORRUPT'

/** Names an alarm. */
export interface AlarmReference {
  readonly type: AlarmType
  /** The member that raised it. Default 0n: a store that is no member of a cluster. */
  readonly memberId?: bigint | undefined
}

/** An alarm that was raised and has not ended. */
export interface Alarm {
  readonly type: AlarmType
  /** The member that raised it; 0n: a store that is no member of a cluster. */
  readonly memberId: bigint
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** What `hashKV` takes. */
export interface HashKVOptions extends CallOptions {
  /** Hashes history up to this revision. Default: the current one. */
  readonly revision?: number | undefined
}

/**
 * A hash of the history between the compacted revision and the hashed one, equal to etcd's over the
 * same data.
 */
export interface HashKVResult {
  /** CRC-32C, unsigned 32-bit. */
  readonly hash: number
  readonly hashRevision: number
  readonly compactedRevision: number
  readonly revision: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** How far a long job has come. `totalBytes` is an estimate until the end. */
export interface Progress {
  readonly doneBytes: number
  readonly totalBytes: number
}

/** What long jobs take. */
export interface JobOptions extends CallOptions {
  /** Called now and then, and once at the end. What it throws stops the job and rejects it. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** Something that is wrong with a store's file. */
export interface CheckProblem {
  /** What kind of damage; stable, for programs. */
  readonly kind: string
  /** For people. */
  readonly message: string
  /** The page concerned, where there is one. */
  readonly pageId: number | undefined
}

/** What a check found. */
export interface CheckResult {
  /** Everything found, worst first; empty: the store is sound. */
  readonly problems: readonly CheckProblem[]
  /** How many pages and revisions were looked at. */
  readonly pageCount: number
  readonly revisionCount: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/**
 * What a store holds at the newest durable revision, and who holds something of it. Costs
 * microseconds: all of it is counted as it comes and goes.
 */
export interface StoreStats {
  /** The current revision. */
  readonly revision: number
  /** The oldest revision that can be read, 0 where nothing was compacted yet. */
  readonly compactedRevision: number
  /** Keys that exist now. */
  readonly keyCount: number
  /**
   * Revisions in the data file, tombstones included. What compaction drops is counted until its
   * rows are gone.
   */
  readonly revisionCount: number
  readonly sizeBytes: number
  readonly sizeInUseBytes: number
  /** Memory that the key index takes, in bytes. */
  readonly indexBytes: number
  /** Bytes of writes that wait to be durable; see `maxPendingBytes`. */
  readonly pendingBytes: number
  /**
   * Bytes of the log that the data file lacks: what opening would have to do again after a crash.
   * 0 in a store opened read-only.
   */
  readonly logBytes: number
  /** Views and snapshots open, and the age of the oldest in ms; 0 where there is none. */
  readonly viewCount: number
  readonly oldestViewMs: number
  /** Watches under way. */
  readonly watchCount: number
  readonly leaseCount: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** What `defragment` gave back. */
export interface DefragmentResult {
  /** The data file's size in bytes, as it was or the next checkpoint would have made it. */
  readonly sizeBytesBefore: number
  readonly sizeBytesAfter: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}
