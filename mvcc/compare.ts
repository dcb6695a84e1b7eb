/**
 * Judges a transaction's compares.
 *
 * Every key of the span must satisfy the compare. Where there is none, a compare of the value is
 * false whatever its operator, and any other is made with 0.
 */

import { unreachable } from '../base/assert.ts'
import { compareBytes } from '../base/bytes.ts'
import { KeyState } from './key-records.ts'
import { spanCursor } from './range-scan.ts'
import type { RangeSource } from './range-scan.ts'
import type { Compare, CompareOperator } from './request.ts'

/** Whether all the compares hold at the source's revision. */
export function judgeCompares(source: RangeSource, compares: readonly Compare[]): boolean {
  return compares.every((compare) => judge(source, compare))
}

function judge(source: RangeSource, compare: Compare): boolean {
  const { index, revision } = source
  const state = new KeyState()
  if (compare.end === undefined) {
    return index.get(compare.key, revision, state)
      ? judgeKey(source, compare, compare.key, state)
      : judgeAbsent(compare)
  }
  const cursor = spanCursor(index, compare)
  let isEmpty = true
  while (cursor.next()) {
    if (!index.load(cursor.record, revision, state)) continue
    isEmpty = false
    if (!judgeKey(source, compare, cursor.key, state)) return false
  }
  return isEmpty ? judgeAbsent(compare) : true
}

function judgeKey(
  source: RangeSource,
  compare: Compare,
  key: Uint8Array,
  state: KeyState,
): boolean {
  switch (compare.target) {
    case 'version':
      return holds(compare.operator, state.version - compare.value)
    case 'createRevision':
      return holds(compare.operator, state.createMain - compare.value)
    case 'modRevision':
      return holds(compare.operator, state.modMain - compare.value)
    case 'value':
      return holds(compare.operator, compareBytes(source.rows.get(key, state).value, compare.value))
    case 'lease':
      return holds(compare.operator, compareLease(source.rows.get(key, state).lease, compare.value))
    default:
      return unreachable(compare)
  }
}

function judgeAbsent(compare: Compare): boolean {
  switch (compare.target) {
    case 'value':
      return false
    case 'lease':
      return holds(compare.operator, compareLease(0n, compare.value))
    case 'version':
    case 'createRevision':
    case 'modRevision':
      return holds(compare.operator, -compare.value)
    default:
      return unreachable(compare)
  }
}

function compareLease(a: bigint, b: bigint): number {
  return a === b ? 0 : a < b ? -1 : 1
}

/** Whether `order`, the sign of stored minus given, satisfies the operator. */
function holds(operator: CompareOperator, order: number): boolean {
  switch (operator) {
    case '=':
      return order === 0
    case '!=':
      return order !== 0
    case '<':
      return order < 0
    case '>':
      return order > 0
    default:
      return unreachable(operator)
  }
}
