/**
 * What a transaction did, as plain data: the engine makes it, the log keeps it, and the engine does
 * it again. It knows nothing of pages nor of frames.
 */

/**
 * One change. `path` names buckets from the top level down, and [] is the top level itself: the
 * bucket that the change happened in, or whose sequence was set.
 */
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
      /** The new parents. */
      readonly target: readonly Uint8Array[]
      readonly name: Uint8Array
    }
  | {
      readonly op: 'setSequence'
      readonly path: readonly Uint8Array[]
      /** From 0 to 2^64 - 1. */
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
