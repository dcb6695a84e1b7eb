import fc from 'fast-check'
import { expect, test } from 'vitest'
import { copyRange, copyShort } from './copy-range.ts'

test('copyRange() copies what was there, and no copy shares bytes with another', () => {
  const range = fc.tuple(fc.nat(3000), fc.oneof(fc.nat(200), fc.nat(3000)))
  fc.assert(
    fc.property(fc.array(range, { maxLength: 200 }), (ranges) => {
      const source = new Uint8Array(6000).map((_, i) => (i * 7) ^ (i >>> 5))
      const copies = ranges.map(([start, size]) => copyRange(source.buffer, start, size))
      const expected = ranges.map(([start, size]) => source.slice(start, start + size))
      source.fill(0)
      copies.forEach((copy, i) => expect(copy).toEqual(expected[i]))
      copies.forEach((copy, i) => copy.fill(i))
      copies.forEach((copy, i) => expect(copy.every((byte) => byte === (i & 0xff))).toBe(true))
    }),
  )
})

test('a copy that is sent away takes no other copy with it', () => {
  const kept = copyShort(Uint8Array.of(1, 2, 3))
  const sent = copyShort(Uint8Array.of(4))
  const { buffer } = sent
  expect(buffer).toBe(kept.buffer)
  if (!(buffer instanceof ArrayBuffer)) throw new Error('the pool is no ArrayBuffer')
  try {
    structuredClone(sent, { transfer: [buffer] })
  } catch (error) {
    // Refused from Node 21 on; before that it is copied.
    expect(error).toMatchObject({ name: 'DataCloneError' })
  }
  expect(kept).toEqual(Uint8Array.of(1, 2, 3))
})
