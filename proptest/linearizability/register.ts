/** Registers that are written, read, and written on a condition: the smallest specification. */

import type { Specification } from './checker.ts'

export type RegisterCall =
  | { readonly type: 'write'; readonly value: number }
  | { readonly type: 'read' }
  | { readonly type: 'swap'; readonly from: number; readonly to: number }

/** What was read; whether a condition held; 0 of a write. */
export type RegisterAnswer = number

export const REGISTER: Specification<number, RegisterCall, RegisterAnswer> = {
  initial: 0,
  step(state, call, answer) {
    switch (call.type) {
      case 'write':
        return call.value
      case 'read':
        return answer === undefined || answer !== state ? undefined : state
      case 'swap': {
        const holds = state === call.from ? 1 : 0
        if (answer === undefined) return holds === 1 ? call.to : undefined
        if (answer !== holds) return undefined
        return holds === 1 ? call.to : state
      }
    }
  },
  keyOf: String,
}
