/**
 * What the function of a `transact` has read so far, and the compares that tell whether it still
 * holds.
 *
 *   a key      its modRevision is what it was; 0: it is missing still
 *   a span     no key in it is newer than the reading, which finds what was put there; and each key
 *              that it had, as above, which finds what was deleted
 *
 * A deleted key shows in no compare of a span, and a new one in no compare of the keys that were
 * there: it takes both.
 */

import type { KeySpan } from '../mvcc/request.ts'
import type { KeyValue as Row } from '../proto/mvccpb.ts'
import { rangeOf, spanCovers, spanHas } from './key-span.ts'
import type { NumberCompare } from './types/txn.ts'
import { keyId } from './write-set.ts'

/** A key as it was found first. */
export interface KeyRead {
  readonly key: Uint8Array
  /** undefined: it was missing. */
  readonly row: Row | undefined
}

interface SpanRead {
  readonly span: KeySpan
  readonly revision: number
}

export class ReadSet {
  readonly #keys = new Map<string, KeyRead>()
  readonly #spans: SpanRead[] = []

  /** A key as it was found first; undefined where it was not read yet. */
  get(key: Uint8Array): KeyRead | undefined {
    return this.#keys.get(keyId(key))
  }

  /** The keys found in a span by whatever reading. */
  within(span: KeySpan): KeyRead[] {
    return [...this.#keys.values()].filter(({ key }) => spanHas(span, key))
  }

  /** A span, or a key, was found to hold these rows at a revision. */
  add(span: KeySpan, rows: readonly Row[], revision: number): void {
    for (const row of rows) this.#addKey(row.key, row)
    if (span.end !== undefined) this.#spans.push({ span, revision })
    else if (rows.length === 0) this.#addKey(span.key, undefined)
  }

  /**
   * The compares under which all that was read is still so. `isPinned`: it was read at one
   * revision, so that of two compares that say the same of it one is enough.
   */
  compares(isPinned: boolean): NumberCompare[] {
    const spans = isPinned ? withoutCovered(this.#spans) : this.#spans
    const keys = [...this.#keys.values()].filter(
      ({ key, row }) => !isPinned || row !== undefined || !spans.some((s) => spanHas(s.span, key)),
    )
    return [
      ...keys.map(({ key, row }) => sameCompare(key, row?.modRevision ?? 0)),
      ...spans.map(({ span, revision }) => olderCompare(span, revision)),
    ]
  }

  /** Whether the compares say of every key in the span that it is no newer than its reading. */
  guards(span: KeySpan): boolean {
    if (span.end === undefined && this.#keys.has(keyId(span.key))) return true
    return this.#spans.some((read) => spanCovers(read.span, span))
  }

  #addKey(key: Uint8Array, row: Row | undefined): void {
    const id = keyId(key)
    if (!this.#keys.has(id)) this.#keys.set(id, { key, row })
  }
}

function sameCompare(key: Uint8Array, modRevision: number): NumberCompare {
  return { key, target: 'modRevision', operator: '=', value: modRevision }
}

/** That no key of the span was put after the revision. */
export function olderCompare(span: KeySpan, revision: number): NumberCompare {
  return { ...rangeOf(span), target: 'modRevision', operator: '<', value: revision + 1 }
}

function withoutCovered(spans: readonly SpanRead[]): SpanRead[] {
  const kept: SpanRead[] = []
  for (const each of spans) {
    if (kept.some((other) => spanCovers(other.span, each.span))) continue
    for (let i = kept.length - 1; i >= 0; i--) {
      const other = kept[i]
      if (other !== undefined && spanCovers(each.span, other.span)) kept.splice(i, 1)
    }
    kept.push(each)
  }
  return kept
}
