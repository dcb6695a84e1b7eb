import fc from 'fast-check'
import { Packr, Unpackr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import type { LogEntry, LogOp } from '../base/log-group.ts'
import { anyEntry, itemsOf } from '../proptest/wal/entries.ts'
import { viewOf } from './format.ts'
import { encodeEntries, measureEntries, writeEntries } from './group-writer.ts'

const packr = new Packr({ useRecords: false, moreTypes: false })
const unpackr = new Unpackr({ useRecords: false, moreTypes: false })

/** Entries at the edges of what a length or a number is written in. */
function edges(): LogEntry[][] {
  const numbers = [0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]
  const sizes = [0, 1, 24, 25, 255, 256, 65_535, 65_536]
  const path = [new Uint8Array([107])]
  const put = (size: number): LogOp => ({
    op: 'put',
    path,
    key: new Uint8Array(size).fill(1),
    value: new Uint8Array(size).fill(2),
  })
  // Entry count, then revision, time and operation count of each: 1, 4, …, 13, 16, … items.
  const counts = [0, 1, 4, 5, 6, 21_845, 21_846]
  return [
    numbers.map((each) => ({ revision: each, timeMs: each, ops: [] })),
    sizes.map((size) => ({ revision: 1, timeMs: 1, ops: [put(size)] })),
    ...counts.map((count) =>
      Array.from({ length: count }, () => ({ revision: 1, timeMs: 1, ops: [] })),
    ),
  ]
}

describe('writeEntries()', () => {
  test('writes what msgpackr writes, byte by byte', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 5 }), (entries) => {
        const expected = packr.pack(itemsOf(entries))
        expect(Buffer.compare(encodeEntries(entries), expected)).toBe(0)
      }),
    )
    for (const entries of edges()) {
      const items = itemsOf(entries)
      const written = encodeEntries(entries)
      expect(Buffer.compare(written, packr.pack(items))).toBe(0)
      const read: unknown[] = unpackr.unpack(written)
      expect(read.length).toBe(items.length)
    }
  })

  test('writes where it is told, and nothing around it', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 3 }), fc.nat(50), (entries, at) => {
        const size = measureEntries(entries)
        const bytes = new Uint8Array(at + size.byteCount + 20).fill(0xee)
        // A view that begins inside its buffer.
        const room = bytes.subarray(3)
        writeEntries(entries, size, { bytes: room, view: viewOf(room) }, at)
        expect(bytes.subarray(0, at + 3)).toEqual(new Uint8Array(at + 3).fill(0xee))
        const end = at + 3 + size.byteCount
        expect(bytes.subarray(at + 3, end)).toEqual(encodeEntries(entries))
        expect(bytes.subarray(end)).toEqual(new Uint8Array(17).fill(0xee))
      }),
    )
  })
})
