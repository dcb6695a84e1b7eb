/**
 * What the engine asks of a write-ahead log. The log knows nothing of pages: it is given what a
 * transaction did, as plain data, and gives it back in the same order when the file is opened
 * again.
 */

/** One change. A path names buckets from the top level down; [] is the top level itself. */
export type LogOp =
  | {
      readonly op: 'put'
      readonly path: readonly Uint8Array[]
      readonly key: Uint8Array
      readonly value: Uint8Array
    }
  | { readonly op: 'delete'; readonly path: readonly Uint8Array[]; readonly key: Uint8Array }
  | {
      readonly op: 'createBucket' | 'deleteBucket'
      readonly path: readonly Uint8Array[]
      readonly name: Uint8Array
    }
  | {
      readonly op: 'moveBucket'
      readonly path: readonly Uint8Array[]
      readonly target: readonly Uint8Array[]
      readonly name: Uint8Array
    }
  | {
      readonly op: 'setSequence'
      readonly path: readonly Uint8Array[]
      readonly sequence: bigint
    }

/** The changes of one revision; 0 where the engine is used without revisions. */
export interface LogEntry {
  readonly revision: number
  readonly timeMs: number
  readonly ops: readonly LogOp[]
}

/** One engine transaction. No entries: it changed nothing, as a checkpoint's. */
export interface LogGroup {
  readonly txid: number
  readonly entries: readonly LogEntry[]
}

export interface CommitLog {
  /**
   * Queues a group; their txids are consecutive. Resolves when it and all before it are durable.
   * After a rejection all later calls are rejected, too.
   */
  append(group: LogGroup): Promise<void>
  /** As `append`, blocking: durable when it returns, and all queued before it. */
  appendSync(group: LogGroup): void
}
