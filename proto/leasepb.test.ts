import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { decodeLease, decodeLeaseKey, encodeLease, encodeLeaseKey } from './leasepb.ts'
import type { LeaseRow } from './leasepb.ts'
import { DecodeError } from './wire.ts'

const hex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))

const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
const leaseRow: fc.Arbitrary<LeaseRow> = fc.record({
  id: int64,
  ttlSeconds: fc.maxSafeInteger(),
  remainingSeconds: fc.maxSafeInteger(),
})

describe('Lease', () => {
  test('encodeLease() writes the bytes that etcd writes', () => {
    const row = { id: 7n, ttlSeconds: 10, remainingSeconds: 0 }
    expect(encodeLease(row)).toEqual(hex('0807 100a'))
    expect(encodeLease({ ...row, remainingSeconds: 300 })).toEqual(hex('0807 100a 18ac02'))
    expect(encodeLease({ ...row, id: -2n })).toEqual(hex('08feffffffffffffffff01 100a'))
    expect(encodeLease({ ...row, id: 0x694d71c2e9f4a10dn })).toEqual(
      hex('088dc2d2cfae b8dca669 100a'),
    )
  })

  test('decodeLease() gives back what was encoded', () => {
    fc.assert(
      fc.property(leaseRow, (row) => {
        expect(decodeLease(encodeLease(row))).toEqual(row)
      }),
    )
  })

  test('decodeLease() takes any order, the last of repeated fields and unknown fields', () => {
    expect(decodeLease(hex('1803 100a 2205 0102030405 0801 0807'))).toEqual({
      id: 7n,
      ttlSeconds: 10,
      remainingSeconds: 3,
    })
  })

  test('decodeLease() refuses a known field of the wrong wire type', () => {
    expect(() => decodeLease(hex('0a01 61'))).toThrow(/field 1 has wire type 2/)
  })

  test('decodeLease() of hostile bytes returns or throws DecodeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (hostile) => {
        try {
          decodeLease(hostile)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the key of a lease', () => {
  test('is the id in 8 bytes, big-endian, two’s complement', () => {
    expect(encodeLeaseKey(7n)).toEqual(hex('0000000000000007'))
    expect(encodeLeaseKey(-2n)).toEqual(hex('fffffffffffffffe'))
    expect(encodeLeaseKey(0x694d71c2e9f4a10dn)).toEqual(hex('694d71c2e9f4a10d'))
  })

  test('decodeLeaseKey() gives back the id, and nothing for another length', () => {
    fc.assert(
      fc.property(int64, (id) => {
        expect(decodeLeaseKey(encodeLeaseKey(id))).toBe(id)
      }),
    )
    expect(decodeLeaseKey(hex('00000000000007'))).toBeUndefined()
  })
})
