/** Bringing data from elsewhere into a store of its own. */
import type { ResultJson } from './key-value.ts'
import type { AlarmType, JobOptions } from './maintenance.ts'

/** What `importEtcd` takes. */
export interface ImportEtcdOptions extends JobOptions {
  /** How long to wait for whoever holds the source or the target, in ms. Default 0: not at all. */
  readonly lockTimeoutMs?: number | undefined
}

/** What `importEtcd` brought over. */
export interface ImportEtcdResult {
  /** The file that was read, absolute. */
  readonly source: string
  /** The newest revision. */
  readonly revision: number
  /** The oldest revision that can be read, 0 where nothing was compacted. */
  readonly compactedRevision: number
  /** Keys that exist at the newest revision. */
  readonly keyCount: number
  /** Revisions kept, tombstones included. */
  readonly revisionCount: number
  readonly leaseCount: number
  /** Whether the source had the checksum of `snapshot save`, which then was right. */
  readonly hadChecksum: boolean
  /**
   * The server's index of the last raft entry in the file; undefined where it has none. A server
   * that did not end in peace may know of later entries.
   */
  readonly consistentIndex: bigint | undefined
  /** Whether etcd asked for passwords. The store does not; users and roles stay in the file. */
  readonly isAuthEnabled: boolean
  /** Alarms of the cluster's members, which the new store does not have. */
  readonly alarms: readonly AlarmType[]
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}
