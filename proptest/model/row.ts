/**
 * The model's data: a map of rows per revision, never changed once it is part of the history.
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

/** All rows of one revision, by their keys. */
export type Snapshot = ReadonlyMap<ByteString, Row>

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

/** The rows, ascending by key. */
export function sortedRows(snapshot: Snapshot): readonly Row[] {
  return [...snapshot.values()].sort((a, b) => compareText(a.key, b.key))
}
