import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { PayloadError, decodeEntries } from './group.ts'
import { encodeEntries } from './group-writer.ts'
import { anyEntry } from '../proptest/wal/entries.ts'
import type { LogOp } from '../base/log-group.ts'

function pack(items: readonly unknown[]): Uint8Array {
  return new Packr({ useRecords: false }).pack(items)
}

describe('decodeEntries()', () => {
  test('reads any entries that encodeEntries() wrote', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 5 }), (entries) => {
        expect(decodeEntries(encodeEntries(entries))).toEqual(entries)
      }),
    )
  })

  test('a payload of more than 65,535 items and of a value above 64 KiB is read', () => {
    const key = new Uint8Array(3)
    const put = (size: number): LogOp => ({
      op: 'put',
      path: [key],
      key,
      value: new Uint8Array(size),
    })
    const ops = Array.from({ length: 30_000 }, () => put(2))
    const entries = [{ revision: 1, timeMs: 2, ops: [...ops, put(100_000)] }]
    expect(decodeEntries(encodeEntries(entries))).toEqual(entries)
  })

  test('operations of one run share their path, which is written once', () => {
    const name = new Uint8Array(200).fill(1)
    const run = (): LogOp => ({
      op: 'delete',
      path: [new Uint8Array(name)],
      key: new Uint8Array(1),
    })
    const payload = encodeEntries([{ revision: 1, timeMs: 2, ops: [run(), run(), run()] }])
    expect(payload.length).toBeLessThan(260)
    const ops = decodeEntries(payload)[0]?.ops ?? []
    expect(new Set(ops.map((each) => each.path)).size).toBe(1)
  })

  test('reads a payload that stands in a larger buffer, and nothing around it', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 3 }), fc.nat(40), (entries, start) => {
        const payload = encodeEntries(entries)
        const bytes = new Uint8Array(start + payload.length + 9).fill(0x01)
        bytes.set(payload, start)
        const end = start + payload.length
        expect(decodeEntries(bytes, start, end)).toEqual(entries)
        expect(() => decodeEntries(bytes, start, end + 1)).toThrow(PayloadError)
        expect(() => decodeEntries(bytes, start, end - 1)).toThrow(PayloadError)
      }),
    )
  })

  test('whatever is no group is a PayloadError, and asks for no memory', () => {
    const key = new Uint8Array(2)
    const wrong: readonly Uint8Array[] = [
      new Uint8Array(0),
      new Uint8Array([0xdd, 0xff, 0xff, 0xff, 0xff]),
      new Uint8Array([0xdc, 0xff]),
      new Uint8Array([0x91, 0xc6, 0xff, 0xff, 0xff, 0xff]),
      new Uint8Array([0x91, 0xc7, 0x01, 0x74, 0x00]),
      pack([]),
      pack([1]),
      pack([0, 0]),
      pack([1, 1, 1, 1, 1, key, key]),
      pack([1, 1, 1, 1, 0, 1, key, 9, key]),
      pack([1, 1, 1, 1, 0, 5000, key, 2, key]),
      pack([1, 1, 1, 1, 0, 1, key, 2, 7]),
      pack([1, 1, 1, 1, 0, 1, key, 6, 2 ** 33, 1]),
      pack([1, 1.5, 1, 0]),
      pack([1, -1, 1, 0]),
      pack([1, 'x', 1, 0]),
      pack([[0]]),
      pack([1, 1, 1, 4_000_000_000]),
    ]
    for (const payload of wrong) expect(() => decodeEntries(payload)).toThrow(PayloadError)
  })

  test('any bytes are a group or a PayloadError', () => {
    fc.assert(
      fc.property(
        fc.array(anyEntry, { maxLength: 3 }),
        fc.nat(),
        fc.nat(255),
        (entries, at, byte) => {
          const payload = encodeEntries(entries)
          payload[at % payload.length] = byte
          try {
            decodeEntries(payload)
          } catch (error) {
            expect(error).toBeInstanceOf(PayloadError)
          }
        },
      ),
    )
  })
})
