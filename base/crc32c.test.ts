import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32c } from './crc32c.ts'

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1')

/** Bit by bit, from the definition. */
function slowly(bytes: Uint8Array): number {
  let sum = 0xffffffff
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1
  }
  return ~sum >>> 0
}

describe('crc32c()', () => {
  test('is what RFC 3720 gives', () => {
    expect(crc32c(ascii('123456789'))).toBe(0xe3069283)
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
    expect(crc32c(new Uint8Array(0))).toBe(0)
  })

  test('is the definition, in one go or in two', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), (bytes, at) => {
        const whole = slowly(bytes)
        expect(crc32c(bytes)).toBe(whole)
        expect(crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at)))).toBe(whole)
      }),
    )
  })
})
