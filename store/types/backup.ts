/** Backups: files made of a store, checked, and made a store again. */
import type { BackupManifest } from '../../snapshot/manifest.ts'
import type { ResultJson } from './key-value.ts'
import type { CallOptions, Progress } from './maintenance.ts'

/** How far a backup has come. Bytes are those looked at, written and read back. */
export interface BackupProgress extends Progress {
  /** What is being done: the pages checked, the file written, the file read back. */
  readonly phase: 'check' | 'write' | 'verify'
  /** On average since the beginning. */
  readonly bytesPerSecond: number
  /** How long it will go on at that rate, in ms; undefined while there is no telling. */
  readonly remainingMs: number | undefined
  /**
   * Pages of the pinned moment that writers have replaced since: the backup keeps them, so the
   * writers placed theirs elsewhere.
   */
  readonly copiedPages: number
}

/** What `backup` takes. */
export interface BackupOptions extends CallOptions {
  /**
   * Whether the SHA-256 of the database stands behind it, 32 bytes, as `etcdctl snapshot save` has
   * it. etcd's `snapshot restore` asks for it; bbolt opens the file either way. Default true.
   */
  readonly trailer?: boolean | undefined
  /** Called now and then, and once at the end. What it throws stops the backup and rejects it. */
  readonly onProgress?: ((progress: BackupProgress) => void) | undefined
}

/** What `backup` wrote. */
export interface BackupResult {
  /** The file, absolute; undefined where the backup went to a stream. */
  readonly path: string | undefined
  /** The revision that the backup holds, with all history back to the compacted one. */
  readonly revision: number
  /** The whole file's length. */
  readonly sizeBytes: number
  /** SHA-256 of the database bytes, hexadecimal. */
  readonly sha256: string
  /** What the backup holds, and its checksums. */
  readonly manifest: BackupManifest
  /** What stands in `FILE.manifest.json`; to be put there where the backup went to a stream. */
  readonly manifestText: string
  /** See `BackupProgress`. */
  readonly copiedPages: number
  readonly tookMs: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** What `verifyBackup` takes. */
export interface VerifyBackupOptions extends CallOptions {
  /** Called now and then, and once at the end. What it throws stops the work and rejects it. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** What `verifyBackup` found: the backup is whole. */
export interface VerifiedBackup {
  /** The file, absolute. */
  readonly path: string
  /** What stands beside it; undefined where nothing does, as with a file of etcd's. */
  readonly manifest: BackupManifest | undefined
  /** Whether its SHA-256 stands behind the database, which then was right. */
  readonly hasTrailer: boolean
  readonly sizeBytes: number
  /** The newest revision. */
  readonly revision: number
  /** The oldest revision that can be read, 0 where nothing was compacted. */
  readonly compactedRevision: number
  /** Keys that exist at the newest revision. */
  readonly keyCount: number
  /** Revisions kept, tombstones included. */
  readonly revisionCount: number
  readonly leaseCount: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** What `restoreBackup` takes. */
export interface RestoreBackupOptions extends VerifyBackupOptions {
  /** How long to wait for whoever holds the source or the target, in ms. Default 0: not at all. */
  readonly lockTimeoutMs?: number | undefined
}
