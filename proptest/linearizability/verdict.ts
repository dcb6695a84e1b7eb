/** The verdict on a history of the store, told so that a person can follow it. */

import { linearize } from './checker.ts'
import type { StoreOperation } from './clients.ts'
import { STORE } from './store-specification.ts'

const CONTEXT = 12

/** How many calls that nobody answered took effect, and how many did not. */
export interface UnknownCalls {
  unknownSeen: number
  unknownLost: number
}

/**
 * Counts into `met` what became of the calls that nobody answered.
 * @throws {Error} with the calls around the one that can't be placed
 */
export function mustBeLinearizable(operations: readonly StoreOperation[], met: UnknownCalls): void {
  const verdict = linearize(STORE, operations)
  if ('state' in verdict) {
    const isDone = new Set(verdict.order)
    for (const [i, { answer }] of operations.entries()) {
      if (answer === undefined) met[isDone.has(i) ? 'unknownSeen' : 'unknownLost']++
    }
    return
  }
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

function show(one: StoreOperation | undefined): string {
  if (one === undefined) return '?'
  const { call, answer, calledAt, answeredAt } = one
  const { type, ...rest } = call
  const until = answeredAt === Infinity ? '' : answeredAt
  return `  ${calledAt}–${until}  ${type} ${JSON.stringify(rest)} → ${answer ?? 'unknown'}`
}

export function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
