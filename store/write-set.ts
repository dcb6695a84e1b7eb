/**
 * What the function of a `transact` has written so far, not yet committed.
 *
 * Invariants
 *   1. what is noted of a key is newer than every deleted span that it lies in;
 *   2. no deleted span lies in another one.
 *
 * Committed, it is a list of operations that names no key twice, whatever happened in which order:
 * the last write of each key, and the deleted spans around the keys that were put after all. A span
 * stays a span, so that it also deletes keys that the function never saw.
 */

import { compareBytes } from '../base/bytes.ts'
import type { KeySpan } from '../mvcc/request.ts'
import type { KeyValue as Row } from '../proto/mvccpb.ts'
import { isEmptySpan, rangeOf, spanCovers, spanHas, spanWithout } from './key-span.ts'
import type { DeleteOp, PutOp } from './types/txn.ts'

/** A key as that of a map. */
export function keyId(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}

/** What the writes so far make of a span. */
export interface Overlay {
  /** Whether the store's own row of this key is overwritten or deleted. */
  hides(key: Uint8Array): boolean
  /** The keys put, in no order. */
  readonly rows: readonly Row[]
}

interface KeyWrite {
  readonly key: Uint8Array
  /** What was put; undefined: it was deleted. */
  readonly row: Row | undefined
}

export class WriteSet {
  readonly #keys = new Map<string, KeyWrite>()
  /** Of several keys each. Replaced, never changed: overlays hold it. */
  #deleted: readonly KeySpan[] = []

  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#deleted.length === 0
  }

  /** Takes the bytes over. */
  put(key: Uint8Array, value: Uint8Array, lease: bigint): void {
    const row = { key, value, lease, createRevision: 0, modRevision: 0, version: 0 }
    this.#keys.set(keyId(key), { key, row })
  }

  /** Takes the bytes over. */
  delete(span: KeySpan): void {
    if (isEmptySpan(span)) return
    if (span.end === undefined) {
      this.#keys.delete(keyId(span.key))
      if (!this.#isDeleted(span)) this.#keys.set(keyId(span.key), { key: span.key, row: undefined })
      return
    }
    for (const [id, { key }] of this.#keys) if (spanHas(span, key)) this.#keys.delete(id)
    if (this.#isDeleted(span)) return
    this.#deleted = [...this.#deleted.filter((other) => !spanCovers(span, other)), span]
  }

  /** Whether the writes alone say what is in the span. */
  decides(span: KeySpan): boolean {
    if (span.end === undefined && this.#keys.has(keyId(span.key))) return true
    return this.#isDeleted(span)
  }

  /** What is written in a span now. Later writes don't change it. */
  over(span: KeySpan): Overlay {
    const deleted = this.#deleted
    const rows: Row[] = []
    const ids = new Set<string>()
    for (const [id, { row }] of this.#within(span)) {
      ids.add(id)
      if (row !== undefined) rows.push(row)
    }
    return {
      rows,
      hides: (key) => ids.has(keyId(key)) || deleted.some((each) => spanHas(each, key)),
    }
  }

  /** What was written, for compares. */
  spans(): KeySpan[] {
    const keys = [...this.#keys.values()].map(({ key }) => ({ key, end: undefined }))
    return [...keys, ...this.#deleted]
  }

  ops(): (PutOp<Uint8Array> | DeleteOp)[] {
    const written = [...this.#keys.values()].sort((a, b) => compareBytes(a.key, b.key))
    const parts = this.#deleted.flatMap((span) => {
      const keys = written.map(({ key }) => key).filter((key) => spanHas(span, key))
      return spanWithout(span, keys)
    })
    return [
      ...written.map(({ key, row }) =>
        row === undefined
          ? ({ type: 'delete', key } as const)
          : ({ type: 'put', key, value: row.value, lease: row.lease } as const),
      ),
      ...parts.map((span) => ({ type: 'delete', ...rangeOf(span) }) as const),
    ]
  }

  #within(span: KeySpan): Iterable<[string, KeyWrite]> {
    if (span.end !== undefined) {
      return [...this.#keys].filter(([, { key }]) => spanHas(span, key))
    }
    const id = keyId(span.key)
    const found = this.#keys.get(id)
    return found === undefined ? [] : [[id, found]]
  }

  #isDeleted(span: KeySpan): boolean {
    return this.#deleted.some((deleted) => spanCovers(deleted, span))
  }
}
