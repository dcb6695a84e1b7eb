/** The messages of the channels `revbolt:*` of `node:diagnostics_channel`. */

import type { RecoveryReport } from './recovery.ts'

/** On `revbolt:commit`: writes that became durable together, by one sync of the log. */
export interface CommitMessage {
  /** The store's directory. */
  readonly path: string
  /** The store's revision after them. */
  readonly revision: number
  /** How many calls they were; 0 for the store's own, as compaction's steps. */
  readonly writeCount: number
  /** From when their record was sent on its way until it was durable. */
  readonly tookMs: number
}

/** On `revbolt:slow`: a commit that took longer than 100 ms. */
export interface SlowMessage extends CommitMessage {
  readonly what: 'commit'
}

/** On `revbolt:checkpoint`: the data file has a new generation, and the log is cut behind it. */
export interface CheckpointMessage {
  readonly path: string
  /** The engine's commit that the generation holds. */
  readonly txid: number
  /** Segments of the log that went. */
  readonly droppedSegments: number
}

/** On `revbolt:recover`: a store was opened, and this is what was found. */
export interface RecoverMessage extends RecoveryReport {
  readonly path: string
  readonly revision: number
  /** How long opening took, the wait for the lock not counted. */
  readonly tookMs: number
}
