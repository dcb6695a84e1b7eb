import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { SEAL_MAGIC, checkSeal, sealRun } from './seal.ts'

const RUN_SIZE = 64
const START = 5

/**
 * A run of 64 bytes that begins at byte 5 of a larger buffer, with `tail` bytes behind its content.
 */
function run(tail: number): { bytes: Uint8Array; view: DataView; contentEnd: number; end: number } {
  const end = START + RUN_SIZE
  const bytes = new Uint8Array(end + 3)
  bytes.fill(0xaa, 0, end - tail)
  bytes.fill(0xaa, end)
  return { bytes, view: new DataView(bytes.buffer), contentEnd: end - tail, end }
}

const TAILS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 63]

describe('sealRun()', () => {
  test.each(TAILS)(
    'with a tail of %i is taken by checkSeal(), and touches the tail alone',
    (tail) => {
      const { bytes, view, contentEnd, end } = run(tail)
      sealRun(bytes, view, START, contentEnd, end)
      expect(checkSeal(bytes, view, START, contentEnd, end)).toBe(
        tail === 0 ? 'unsealed' : 'sealed',
      )
      expect(bytes.subarray(0, contentEnd).every((byte) => byte === 0xaa)).toBe(true)
      expect(bytes.subarray(end).every((byte) => byte === 0xaa)).toBe(true)
    },
  )

  test('ends with its magic and the CRC-32 of all before that', () => {
    const bytes = new Uint8Array(32)
    bytes.set(Buffer.from('123456789'))
    const view = new DataView(bytes.buffer)
    sealRun(bytes, view, 0, 9, 32)
    expect(Buffer.from(bytes.subarray(24, 28)).toString()).toBe('rsal')
    expect(view.getUint32(24, true)).toBe(SEAL_MAGIC)
    // Worked out with another implementation: Python's zlib.crc32 over the same 28 bytes.
    expect(view.getUint32(28, true)).toBe(0xc0bd93c1)
  })
})

describe('a sealed run with a long tail', () => {
  test('has the checksum of all its bytes, zeros included', () => {
    for (const size of [1024, 4096, 65_536]) {
      for (let contentEnd = 16; contentEnd < size; contentEnd += 1 + (contentEnd >>> 3)) {
        const bytes = new Uint8Array(size)
        for (let i = 0; i < contentEnd; i++) bytes[i] = i * 31 + (i >>> 8)
        const view = new DataView(bytes.buffer)
        sealRun(bytes, view, 0, contentEnd, size)
        if (size - contentEnd < 8) continue
        const sum = crc32(bytes.subarray(0, size - 4))
        expect(view.getUint32(size - 4, true), `${contentEnd} of ${size}`).toBe(sum)
      }
    }
  })
})

describe('checkSeal()', () => {
  test('takes a tail of zeros as a page of another writer', () => {
    for (const tail of TAILS) {
      const { bytes, view, contentEnd, end } = run(tail)
      expect(checkSeal(bytes, view, START, contentEnd, end), `tail ${tail}`).toBe('unsealed')
    }
  })

  test('finds any byte that flipped in a sealed run with room for a checksum', () => {
    for (const tail of [8, 9, 20]) {
      const { bytes, view, contentEnd, end } = run(tail)
      sealRun(bytes, view, START, contentEnd, end)
      for (let at = START; at < end; at++) {
        bytes[at] = (bytes[at] ?? 0) ^ 0x01
        expect(checkSeal(bytes, view, START, contentEnd, end), `byte ${at}`).toBe('broken')
        bytes[at] = (bytes[at] ?? 0) ^ 0x01
      }
    }
  })

  test('finds content that has grown into or shrunk from a short tail', () => {
    for (let tail = 1; tail < 8; tail++) {
      const { bytes, view, contentEnd, end } = run(tail)
      sealRun(bytes, view, START, contentEnd, end)
      // At the very end there is no tail left that could speak.
      for (let other = contentEnd - 3; other < end; other++) {
        if (other === contentEnd) continue
        expect(checkSeal(bytes, view, START, other, end), `${tail} as ${other}`).toBe('broken')
      }
    }
  })

  test('finds stray bytes in a tail', () => {
    for (const tail of TAILS.slice(2)) {
      const { bytes, view, contentEnd, end } = run(tail)
      bytes[contentEnd] = 1
      expect(checkSeal(bytes, view, START, contentEnd, end), `tail ${tail}`).toBe('broken')
    }
  })
})
