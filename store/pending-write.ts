/** A write on its way through the queue: what was asked, who waits for it, what became of it. */

import { AssertionError, assert } from '../base/assert.ts'
import type { WriteGroup } from '../mvcc/mvcc.ts'
import type { WriteTxn } from '../mvcc/write-txn.ts'

export interface Write<T> {
  /** Bytes of its keys and values. */
  readonly byteCount: number
  /** Whether it only deletes, and so may use the log's last room. */
  readonly isFreeing: boolean
  /** The store's own, bounded by who makes it: it is not refused where the queue is full. */
  readonly isExempt?: boolean
  /** May run more than once, so it changes nothing but its transaction. */
  readonly run: (txn: WriteTxn) => T
}

export interface Pending extends Write<unknown> {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** What settles the promise made last: a function for each promise would cost as much as that. */
export const newest: { resolve: Pending['resolve']; reject: Pending['reject'] } = {
  resolve() {},
  reject() {},
}

/** For `new Promise(keepSettlers)`. */
export function keepSettlers(resolve: Pending['resolve'], reject: Pending['reject']): void {
  newest.resolve = resolve
  newest.reject = reject
}

/** A write that ran and waits for its group to be durable. */
export interface Ran {
  readonly pending: Pending
  readonly outcome: { readonly result: unknown } | { readonly error: unknown }
}

/** Runs a write; throws where it broke the transaction. */
export function runOne(writing: WriteGroup, pending: Pending | undefined): Ran {
  assert(pending !== undefined, 'a group is no longer than the queue')
  try {
    return { pending, outcome: { result: writing.run(pending.run) } }
  } catch (error) {
    if (writing.isBroken || error instanceof AssertionError) throw error
    return { pending, outcome: { error } }
  }
}
