/** The verdict on a history of the store, told so that a person can follow it. */

import type { Linearization, Verdict } from './checker.ts'
import { SearchLimitError, linearize } from './checker.ts'
import type { StoreOperation } from './clients.ts'
import type { StoreState } from './store-specification.ts'
import { STORE } from './store-specification.ts'

const CONTEXT = 12

/**
 * Undefined where the search was given up: many calls that nobody answered, each of which may have
 * taken effect at any later moment, leave more orders than can be looked at.
 * @throws {Error} with the calls around the one that can't be placed
 */
export function mustBeLinearizable(
  operations: readonly StoreOperation[],
): Linearization<StoreState> | undefined {
  const verdict = search(operations)
  if (verdict === undefined || 'state' in verdict) return verdict
  const lines = verdict.order.slice(-CONTEXT).map((i) => show(operations[i]))
  const stuck = show(operations[verdict.stuckAt])
  const taken = new Set(verdict.order)
  const meanwhile = operations.filter(
    (one, i) => !taken.has(i) && one.calledAt < (operations[verdict.stuckAt]?.answeredAt ?? 0),
  )
  throw new Error(
    [
      `no order explains the answers; the longest one has ${verdict.order.length} of ` +
        `${operations.length} calls and ends with`,
      ...lines,
      'behind which this can’t come:',
      stuck,
      'nor these, which were made before it was answered:',
      ...meanwhile.map((one) => show(one)),
    ].join('\n'),
  )
}

function search(operations: readonly StoreOperation[]): Verdict<StoreState> | undefined {
  try {
    return linearize(STORE, operations)
  } catch (error) {
    if (error instanceof SearchLimitError) return undefined
    throw error
  }
}

function show(one: StoreOperation | undefined): string {
  if (one === undefined) return '?'
  const { call, answer, calledAt, answeredAt } = one
  const { type, ...rest } = call
  const until = answeredAt === Infinity ? 'never answered' : `${answeredAt}`
  return `  ${calledAt}–${until}  ${type} ${JSON.stringify(rest)} → ${answer ?? 'unknown'}`
}

export function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
