/** Going back to a moment. */
import type { ResultJson } from './key-value.ts'
import type { JobOptions } from './maintenance.ts'

/**
 * A moment in a store's past.
 *
 *   'end'         the newest there is
 *   { revision }  right after that revision, before anything later: leases, compactions, too
 *   { time }      after the last write at or before it: a Date, or ms since 1970. Writes carry the
 *                 time of the machine they were made on; where its clock was set back, the moment
 *                 ends before the first write that is later
 *   { txid }      after that commit of the log (`revbolt wal dump` shows them)
 */
export type MomentInput =
  | 'end'
  | { readonly revision: number }
  | { readonly time: number | Date }
  | { readonly txid: number }

/** What `restoreTo` takes. */
export interface RestoreOptions extends JobOptions {
  /** How long to wait for whoever has the source or the target, in ms. Default 0: not at all. */
  readonly lockTimeoutMs?: number | undefined
}

/** What `rollback` takes. */
export interface RollbackOptions extends RestoreOptions {
  /** Tells what would be, and changes nothing. Default false. */
  readonly dryRun?: boolean | undefined
}

/** The moment that was gone back to, and how. */
export interface RestoreResult {
  /** The store's directory, absolute. */
  readonly directory: string
  /** The newest revision there. */
  readonly revision: number
  /** The log's commit that it ends with. */
  readonly txid: number
  /** When the newest write was made, in ms since 1970; where `commits` is 0, not before that. */
  readonly timeMs: number
  /** The commit that the base has which it was begun from. */
  readonly baseTxid: number
  /** Commits that were done again on it. */
  readonly commits: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** What `rollback` did, or would do. */
export interface RollbackResult extends RestoreResult {
  /** The newest revision before; undefined where the end of the log can't be read. */
  readonly revisionBefore: number | undefined
  /** Where the state before is kept, a data directory of its own; undefined after a dry run. */
  readonly kept: string | undefined
}
