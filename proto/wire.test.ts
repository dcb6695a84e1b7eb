import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import {
  DecodeError,
  WireReader,
  sizeOfInt64,
  sizeOfVarint,
  writeInt64,
  writeVarint,
} from './wire.ts'

const hex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))

function encodeNumber(value: number): Uint8Array {
  const bytes = new Uint8Array(sizeOfVarint(value))
  expect(writeVarint(bytes, 0, value)).toBe(bytes.length)
  return bytes
}

function encodeBig(value: bigint): Uint8Array {
  const bytes = new Uint8Array(sizeOfInt64(value))
  expect(writeInt64(bytes, 0, value)).toBe(bytes.length)
  return bytes
}

describe('varints', () => {
  test.each([
    [0, '00'],
    [1, '01'],
    [127, '7f'],
    [128, '8001'],
    [300, 'ac02'],
    [2 ** 31, '8080808008'],
    [2 ** 32, '8080808010'],
    [2 ** 53 - 1, 'ffffffffffffff0f'],
    [-1, 'ffffffffffffffffff01'],
    [-5, 'fbffffffffffffffff01'],
  ])('%d is written as the specification says', (value, bytes) => {
    expect(Buffer.from(encodeNumber(value)).toString('hex')).toBe(bytes)
    expect(new WireReader(hex(bytes)).int()).toBe(value)
    expect(new WireReader(hex(bytes)).int64()).toBe(BigInt(value))
  })

  test('every safe integer and every int64 is read back as written', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (small, big) => {
        expect(new WireReader(encodeNumber(small)).int()).toBe(small)
        if (small >= 0) expect(new WireReader(encodeNumber(small)).uint()).toBe(small)
        expect(new WireReader(encodeBig(big)).int64()).toBe(big)
        expect(encodeBig(BigInt(small))).toEqual(encodeNumber(small))
      }),
    )
  })

  test('numbers beyond 2^53 are refused, not rounded', () => {
    for (const value of [2n ** 53n, 2n ** 63n - 1n, -(2n ** 53n), -(2n ** 63n)]) {
      expect(() => new WireReader(encodeBig(value)).int()).toThrow(/beyond 2\^53/)
      expect(() => new WireReader(encodeBig(value)).uint()).toThrow(/beyond 2\^53/)
    }
  })

  test('a varint cut short or longer than 64 bits is refused', () => {
    expect(() => new WireReader(hex('80')).uint()).toThrow(/cut short/)
    expect(() => new WireReader(hex('')).uint()).toThrow(/cut short/)
    expect(() => new WireReader(hex('ffffffffffffffffff02')).int64()).toThrow(/beyond 64 bits/)
    expect(() => new WireReader(hex('80808080808080808080 01')).int64()).toThrow(/beyond 64 bits/)
  })
})

describe('WireReader', () => {
  test('tag() refuses field number 0', () => {
    expect(() => new WireReader(hex('00')).tag()).toThrow(DecodeError)
    expect(() => new WireReader(hex('07')).tag()).toThrow(DecodeError)
  })

  test('lent() refuses a length beyond the end', () => {
    expect(new WireReader(hex('026162')).lent()).toEqual(hex('6162'))
    expect(() => new WireReader(hex('036162')).lent()).toThrow(/beyond the end/)
    expect(() => new WireReader(hex('ffffffff0f6162')).lent()).toThrow(/beyond the end/)
  })

  test('skip() passes over each wire type and nested groups', () => {
    const fields = [
      '08 9601',
      '11 0102030405060708',
      '1a 03 616263',
      '25 01020304',
      '2b 33 08 01 34 2c',
    ]
    for (const field of fields) {
      const reader = new WireReader(hex(`${field} 7801`))
      reader.skip(reader.tag())
      expect(reader.tag()).toBe(0x78)
    }
  })

  test('skip() refuses open groups, stray ends, unknown wire types and bottomless nesting', () => {
    for (const field of [
      '2b',
      '2b 33 34',
      '2c',
      '0e',
      '0f',
      '11 0102',
      '25 01',
      '2b'.repeat(5000),
    ]) {
      const reader = new WireReader(hex(field))
      expect(() => reader.skip(reader.tag())).toThrow(DecodeError)
    }
  })
})
