/** A store as lines of JSON, out and in: docs/export.md has the format. */
import type { BytesInput } from './encoding.ts'
import type { ResultJson } from './key-value.ts'
import type { JobOptions } from './maintenance.ts'

/** What `exportLines` takes for the keys of one revision. */
export interface ExportKeysOptions extends JobOptions {
  readonly history?: false | undefined
  /** Only keys that begin with it. Default: every key. */
  readonly prefix?: BytesInput | undefined
  /** The revision whose keys are exported. Default: the current one. */
  readonly revision?: number | undefined
}

/** What `exportLines` takes for a whole history. */
export interface ExportHistoryOptions extends JobOptions {
  /** Every revision from the compacted one on, and the leases. */
  readonly history: true
}

/**
 * Where lines come from: chunks of text or bytes, cut anywhere. A file's stream will do, and so
 * does what `exportLines` returns.
 */
export type Lines = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>

/** Lines, or a function that begins them anew each time it is called. */
export type LinesSource = Lines | (() => Lines)

/** What reading lines takes. */
export interface LinesOptions extends JobOptions {
  /** How long they are, in bytes, for `onProgress`; where it is not known the end is not either. */
  readonly sizeBytes?: number | undefined
}

/** What `importLines` takes. */
export interface ImportLinesOptions extends LinesOptions {
  /** Only keys that begin with it. Default: every key. */
  readonly prefix?: BytesInput | undefined
  /**
   * What becomes of a key that is there already: the import ends with `KV_EXISTS`, or it is put
   * anew, or it is left as it is. Default `refuse`.
   */
  readonly existing?: 'refuse' | 'replace' | 'skip' | undefined
  /** At most so many keys in one transaction: the store's own limit. Default 128, as `open`. */
  readonly maxTxnOps?: number | undefined
}

/** What `importLines` did: all of it is durable. */
export interface ImportLinesResult {
  /** Keys that were put. */
  readonly putCount: number
  /** Keys that were there already and were left as they are. */
  readonly skippedCount: number
  /** Of those put, how many were on a lease where they were exported. They are on none here. */
  readonly unleasedCount: number
  /** The store's revision after the last put; undefined where there was none. */
  readonly revision: number | undefined
  /** The revision that the keys were exported at. */
  readonly exportedRevision: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** What `importHistory` takes. */
export interface ImportHistoryOptions extends LinesOptions {
  /** How long to wait for whoever holds the directory, in ms. Default 0: not at all. */
  readonly lockTimeoutMs?: number | undefined
}

/** What `importHistory` made: it is durable. */
export interface ImportHistoryResult {
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
