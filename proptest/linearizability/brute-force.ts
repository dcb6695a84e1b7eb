/** The definition of linearizability as it stands, for small histories: every order is tried. */

import type { Operation, Specification } from './checker.ts'

export function isLinearizable<State, Call, Answer>(
  specification: Specification<State, Call, Answer>,
  operations: readonly Operation<Call, Answer>[],
): boolean {
  return canEnd(specification, operations, specification.initial)
}

/** Whether what is left can follow `state`. */
function canEnd<State, Call, Answer>(
  specification: Specification<State, Call, Answer>,
  left: readonly Operation<Call, Answer>[],
  state: State,
): boolean {
  if (left.every((one) => one.answer === undefined)) return true
  for (const one of left) {
    const rest = left.filter((other) => other !== one)
    // It never took effect.
    if (one.answer === undefined && canEnd(specification, rest, state)) return true
    // Something else was over before it was called.
    if (left.some((other) => other.answeredAt < one.calledAt)) continue
    const after = specification.step(state, one.call, one.answer)
    if (after !== undefined && canEnd(specification, rest, after)) return true
  }
  return false
}
