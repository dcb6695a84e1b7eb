/** What the model is asked: requests with every key set spelled out as a predicate. */
import type { ByteString, KeySet, Row } from './row.ts'

export type SortTarget = 'key' | 'version' | 'createRevision' | 'modRevision' | 'value'

export interface RangeQuery {
  readonly keys: KeySet
  /** Undefined: the current one. */
  readonly revision: number | undefined
  readonly limit: number
  readonly descending: boolean
  readonly sortBy: SortTarget
  readonly countOnly: boolean
  /** Which rows the revision filters keep. */
  readonly keep: (row: Row) => boolean
}

export interface RangeAnswer {
  readonly rows: readonly Row[]
  readonly count: number
  readonly more: boolean
}

export interface PutStep {
  readonly type: 'put'
  readonly key: ByteString
  /** Undefined: keep the value. */
  readonly value: ByteString | undefined
  /** Undefined: keep the lease. */
  readonly lease: bigint | undefined
}

export interface RangeStep {
  readonly type: 'range'
  readonly query: RangeQuery
}

export interface DeleteStep {
  readonly type: 'delete'
  readonly keys: KeySet
}

export interface TxnStep extends TxnQuery {
  readonly type: 'txn'
}

export type Step = PutStep | RangeStep | DeleteStep | TxnStep

export interface Condition {
  readonly keys: KeySet
  /** Judges one row. */
  readonly holds: (row: Row) => boolean
  /** What an empty set of keys counts as. */
  readonly holdsForNone: boolean
}

export interface TxnQuery {
  readonly conditions: readonly Condition[]
  readonly success: readonly Step[]
  readonly failure: readonly Step[]
}

export type StepAnswer =
  | { readonly type: 'put'; readonly previous: Row | undefined }
  | { readonly type: 'range'; readonly answer: RangeAnswer }
  | { readonly type: 'delete'; readonly deleted: readonly Row[] }
  | { readonly type: 'txn'; readonly succeeded: boolean; readonly answers: readonly StepAnswer[] }
