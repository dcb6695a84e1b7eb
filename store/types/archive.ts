/** What an archive holds. */
import type { ResultJson } from './key-value.ts'

/** A copy of the store's state, from which later moments are made. */
export interface ArchiveBase {
  /** The log's commit that it ends with. */
  readonly txid: number
  readonly revision: number
  /** No write in it is later, in ms since 1970. */
  readonly timeMs: number
  readonly sizeBytes: number
}

/** A segment of the log that the store itself needs no more. */
export interface ArchiveSegment {
  /** Of the file. */
  readonly name: string
  /** The first commit in it. */
  readonly firstTxid: number
  readonly sizeBytes: number
}

/** What `readArchive` finds. Both lists are in order, the oldest first. */
export interface ArchiveInfo {
  /** The archive's directory, absolute. */
  readonly directory: string
  readonly bases: readonly ArchiveBase[]
  readonly segments: readonly ArchiveSegment[]
  /** Of all that. */
  readonly sizeBytes: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}
