import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KeyRecords } from './key-records.ts'
import { sortRecords } from './record-sort.ts'

function sorted(keys: readonly Uint8Array[]): Buffer[] {
  const records = new KeyRecords()
  const list = Uint32Array.from(keys, (key) => records.add(key))
  for (const _ of sortRecords(records, list));
  return Array.from(list, (record) => Buffer.from(records.key(record)))
}

function expected(keys: readonly Uint8Array[]): Buffer[] {
  return keys.map((key) => Buffer.from(key)).toSorted((a, b) => Buffer.compare(a, b))
}

/** Few different bytes, zeros among them, so that many keys begin alike or end within a head. */
const key = fc
  .array(fc.constantFrom(0, 1, 0x61, 0xff), { minLength: 1, maxLength: 14 })
  .map((each) => Uint8Array.from(each))

describe('sortRecords()', () => {
  test('orders any keys as bytes are ordered', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(key, { maxLength: 400, size: 'max', selector: String }),
        fc.string({ maxLength: 9 }),
        (keys, prefix) => {
          const all = keys.map((each) => Buffer.concat([Buffer.from(prefix), each]))
          expect(sorted(all)).toEqual(expected(all))
        },
      ),
      { numRuns: 60 },
    )
  })

  test.each([5000, 20_000])('orders %i keys that begin alike', (count) => {
    const keys = Array.from({ length: count }, (_, i) =>
      Buffer.from(`/registry/pods/ns-${(i * 7919) % 13}/pod-${(i * 104_729) % 1_299_709}`),
    )
    expect(sorted(keys)).toEqual(expected(keys))
  })

  test('orders keys of which each begins with the one before', () => {
    const keys = Array.from({ length: 600 }, (_, i) => new Uint8Array(((i * 7) % 601) + 1))
    expect(sorted(keys)).toEqual(expected(keys))
  })

  test('lets others run every few thousand records', () => {
    const records = new KeyRecords()
    const list = Uint32Array.from({ length: 100_000 }, (_, i) =>
      records.add(Buffer.from(`key ${(i * 7919) % 100_003}`)),
    )
    let steps = 0
    for (const _ of sortRecords(records, list)) steps++
    expect(steps).toBeGreaterThan(100)
  })
})
