import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes, formatBytes, readU64, writeU64 } from './bytes.ts'

describe('compareBytes()', () => {
  test('agrees with Buffer.compare() in sign', () => {
    const bytes = fc.uint8Array({ maxLength: 8 })
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
      }),
    )
  })

  test('puts a prefix before what it begins', () => {
    expect(compareBytes(Buffer.from('ab'), Buffer.from('abc'))).toBeLessThan(0)
    expect(compareBytes(Buffer.from('abc'), Buffer.from('ab'))).toBeGreaterThan(0)
  })
})

describe('readU64()', () => {
  test('returns what writeU64() was given, below 2^53', () => {
    const view = new DataView(new ArrayBuffer(12))
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat({ max: 4 }), (value, offset) => {
        writeU64(view, offset, value)
        expect(readU64(view, offset)).toBe(value)
        expect(view.getBigUint64(offset, true)).toBe(BigInt(value))
      }),
    )
  })

  test('gives a number that no range check lets through for values from 2^53 on', () => {
    const view = new DataView(new ArrayBuffer(8))
    for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      view.setBigUint64(0, value, true)
      expect(Number.isSafeInteger(readU64(view, 0))).toBe(false)
    }
  })
})

describe('formatBytes()', () => {
  test('quotes plain text', () => {
    expect(formatBytes(Buffer.from('key "1"'))).toBe('"key \\"1\\""')
  })

  test('shows hex where a byte is not plain ASCII', () => {
    expect(formatBytes(Uint8Array.of(0, 255, 65))).toBe('0x00ff41')
  })

  test('cuts long input and names its length', () => {
    expect(formatBytes(Buffer.from('abcdef'), 3)).toBe('"abc"… (6 bytes)')
  })
})
