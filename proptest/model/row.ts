/**
 * The model's data: rows in sorted arrays that are never changed once made.
 *
 * Bytes are held as byte strings: one character per byte, U+0000 to U+00FF. JavaScript compares
 * strings by code unit, so `<` on byte strings is unsigned byte order, which is the order wanted.
 */

/** Bytes as a string of characters U+0000 to U+00FF. */
export type ByteString = string

/** A key as it stands at some revision. */
export interface Row {
  readonly key: ByteString
  readonly value: ByteString
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: bigint
}

/** All rows of one revision, ascending by key. */
export type Snapshot = readonly Row[]

/** A set of keys, by what is in it. */
export type KeySet = (key: ByteString) => boolean

export type ModelEvent =
  | { readonly type: 'put'; readonly row: Row; readonly previous: Row | undefined }
  | {
      readonly type: 'delete'
      readonly key: ByteString
      readonly modRevision: number
      readonly previous: Row
    }

export function toByteString(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes).toString('latin1')
}

export function toBytes(text: ByteString): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export function findRow(snapshot: Snapshot, key: ByteString): Row | undefined {
  return snapshot.find((row) => row.key === key)
}

/** A snapshot with `row` in the place of what its key held. */
export function withRow(snapshot: Snapshot, row: Row): Snapshot {
  const others = snapshot.filter((other) => other.key !== row.key)
  return [...others, row].sort((a, b) => compareText(a.key, b.key))
}
