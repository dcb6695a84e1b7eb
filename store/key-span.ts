/** Spans of keys: what lies in them, and how they are named in a call. See mvcc/request.ts. */

import { EMPTY_BYTES, compareBytes } from '../base/bytes.ts'
import { TO_LAST_KEY } from '../mvcc/request.ts'
import type { KeySpan } from '../mvcc/request.ts'
import type { KeyRange } from './types/key-value.ts'

export const EVERY_KEY: KeySpan = { key: EMPTY_BYTES, end: TO_LAST_KEY }

/** The least key above `key`. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const after = new Uint8Array(key.length + 1)
  after.set(key)
  return after
}

function isToLast(end: Uint8Array): boolean {
  return compareBytes(end, TO_LAST_KEY) === 0
}

/** Whether no key can lie in it. */
export function isEmptySpan({ key, end }: KeySpan): boolean {
  return end !== undefined && !isToLast(end) && compareBytes(key, end) >= 0
}

export function spanHas(span: KeySpan, key: Uint8Array): boolean {
  const order = compareBytes(key, span.key)
  if (span.end === undefined) return order === 0
  return order >= 0 && (isToLast(span.end) || compareBytes(key, span.end) < 0)
}

/** Whether every key of `inner`, which isn't empty, lies in `outer`. */
export function spanCovers(outer: KeySpan, inner: KeySpan): boolean {
  if (inner.end === undefined) return spanHas(outer, inner.key)
  if (outer.end === undefined || compareBytes(inner.key, outer.key) < 0) return false
  if (isToLast(outer.end)) return true
  return !isToLast(inner.end) && compareBytes(inner.end, outer.end) <= 0
}

/**
 * What is left of a span of several keys without the given ones, which are in order and lie in it.
 */
export function spanWithout(span: KeySpan, keys: readonly Uint8Array[]): KeySpan[] {
  const parts: KeySpan[] = []
  let from = span.key
  for (const key of keys) {
    parts.push({ key: from, end: key })
    from = keyAfter(key)
  }
  parts.push({ key: from, end: span.end })
  return parts.filter((part) => !isEmptySpan(part))
}

/** The span, which isn't empty, as arguments name it. */
export function rangeOf({ key, end }: KeySpan): KeyRange {
  if (end === undefined) return { key }
  return isToLast(end) ? { fromKey: key } : { start: key, end }
}
