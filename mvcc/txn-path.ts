/**
 * The operations of a transaction that will run: of it and of every transaction inside it the list
 * that its compares choose, all judged before the first operation runs.
 *
 * Recursion is as deep as the transaction; who makes the request bounds that.
 */

import { judgeCompares } from './compare.ts'
import type { RangeSource } from './range-scan.ts'
import type { LeafRequest, TxnRequest } from './request.ts'

export interface TxnPath {
  readonly type: 'path'
  readonly succeeded: boolean
  readonly steps: readonly (LeafRequest | TxnPath)[]
}

/** Judges the compares of the whole tree that is reached, at the source's revision. */
export function choosePath(source: RangeSource, request: TxnRequest): TxnPath {
  const succeeded = judgeCompares(source, request.compare)
  const ops = succeeded ? request.success : request.failure
  const steps = ops.map((op) => (op.type === 'txn' ? choosePath(source, op) : op))
  return { type: 'path', succeeded, steps }
}
