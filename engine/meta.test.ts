import { describe, expect, test } from 'vitest'
import { decodeMeta, encodeMetaPage, fnv1a64, nextTxid } from './meta.ts'
import type { Meta } from './meta.ts'
import { emptyImage } from './open.ts'

const META: Meta = {
  pageSizeBytes: 4096,
  flags: 0,
  rootPgid: 3,
  rootSequence: 0n,
  freelistPgid: 2,
  highWaterMark: 4,
  txid: 1,
  slot: 1,
}

function fnv(text: string): string {
  const bytes = Buffer.from(text)
  const [low, high] = fnv1a64(bytes, 0, bytes.length)
  return ((BigInt(high) << 32n) | BigInt(low)).toString(16).padStart(16, '0')
}

/**
 * A meta page with `change` made to it, and a right checksum over that unless it is to be wrong.
 */
function changed(meta: Meta, change: (view: DataView) => void, isChecksumRight = true): Uint8Array {
  const bytes = encodeMetaPage(meta)
  const view = new DataView(bytes.buffer)
  change(view)
  if (!isChecksumRight) return bytes
  const [low, high] = fnv1a64(bytes, 16, 72)
  view.setUint32(72, low, true)
  view.setUint32(76, high, true)
  return bytes
}

describe('fnv1a64()', () => {
  // From the FNV authors' list of test vectors, and Go's hash/fnv for the longer one.
  test.each([
    ['', 'cbf29ce484222325'],
    ['a', 'af63dc4c8601ec8c'],
    ['foobar', '85944171f73967e8'],
    ['bbolt', '1403df99f29c4b46'],
  ])('of %j is %s', (text, expected) => {
    expect(fnv(text)).toBe(expected)
  })

  test('agrees with the definition in whole numbers of 64 bits', () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 89 + 7) & 0xff)
    let hash = 0xcbf29ce484222325n
    for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
    const [low, high] = fnv1a64(bytes, 0, bytes.length)
    expect((BigInt(high) << 32n) | BigInt(low)).toBe(hash)
  })
})

describe('encodeMetaPage()', () => {
  test('of an empty database has the checksums of bbolt', () => {
    const image = emptyImage(4096)
    expect(image.length).toBe(16384)
    const view = new DataView(image.buffer)
    expect(view.getBigUint64(72, true).toString(16).padStart(16, '0')).toBe('07516e114689fdee')
    expect(view.getBigUint64(4096 + 72, true).toString(16)).toBe('264c351a5179480f')
  })

  test('is read back by decodeMeta(), every field', () => {
    const metas: Meta[] = [
      META,
      { ...META, txid: 2, slot: 0 },
      { ...META, freelistPgid: undefined, highWaterMark: 3, rootPgid: 2 },
      { ...META, pageSizeBytes: 65536, flags: 0xfedcba98, rootSequence: 2n ** 64n - 1n },
      {
        ...META,
        rootPgid: 2 ** 40,
        freelistPgid: 2 ** 52,
        highWaterMark: 2 ** 53 - 1,
        txid: 2 ** 53 - 1,
      },
    ]
    for (const meta of metas) {
      const page = encodeMetaPage(meta)
      expect(page.length).toBe(meta.pageSizeBytes)
      expect(decodeMeta(page, 16, meta.slot)).toEqual({ meta })
      expect(page.subarray(80).every((byte) => byte === 0)).toBe(true)
    }
  })

  test('names its slot in the page header, and its type', () => {
    const view = new DataView(encodeMetaPage(META).buffer)
    expect(view.getBigUint64(0, true)).toBe(1n)
    expect(view.getUint16(8, true)).toBe(4)
  })
})

describe('decodeMeta()', () => {
  function faultOf(bytes: Uint8Array): unknown {
    const reading = decodeMeta(bytes, 16, 1)
    return 'fault' in reading ? reading.fault : undefined
  }

  test('tells a short file, a stranger, a big-endian file and another version apart', () => {
    expect(faultOf(encodeMetaPage(META).subarray(0, 79))).toEqual({ kind: 'absent' })
    expect(faultOf(new Uint8Array(0))).toEqual({ kind: 'absent' })
    expect(faultOf(new Uint8Array(4096))).toEqual({ kind: 'magic' })
    const bigEndian = changed(META, (v) => v.setUint32(16, 0xed0cdaed, false))
    expect(faultOf(bigEndian)).toEqual({ kind: 'big-endian' })
    const version3 = changed(META, (v) => v.setUint32(20, 3, true))
    expect(faultOf(version3)).toEqual({ kind: 'version', version: 3 })
  })

  test('finds every flipped bit of its 64 bytes', () => {
    for (let bit = 16 * 8; bit < 80 * 8; bit++) {
      const bytes = encodeMetaPage(META)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(faultOf(bytes), `bit ${bit}`).toBeDefined()
    }
  })

  test('calls a wrong checksum by its name', () => {
    const bytes = changed(META, (v) => v.setUint32(24, 8192, true), false)
    expect(faultOf(bytes)).toEqual({ kind: 'checksum' })
  })

  test.each<[string, (view: DataView) => void]>([
    ['page size 0', (v) => v.setUint32(24, 0, true)],
    ['page size 512', (v) => v.setUint32(24, 512, true)],
    ['page size 3000', (v) => v.setUint32(24, 3000, true)],
    ['page size 131072', (v) => v.setUint32(24, 131072, true)],
    ['root page 0', (v) => v.setUint32(32, 0, true)],
    ['root page 4', (v) => v.setUint32(32, 4, true)],
    ['freelist page 1', (v) => v.setUint32(48, 1, true)],
    ['freelist page 4', (v) => v.setUint32(48, 4, true)],
    ['high-water mark 3', (v) => v.setUint32(56, 3, true)],
    ['high-water mark beyond 2^53', (v) => v.setUint32(60, 0x200000, true)],
    ['txid beyond 2^53', (v) => v.setUint32(68, 0x200000, true)],
  ])('refuses %s though the checksum is right', (reason, change) => {
    expect(faultOf(changed(META, change))).toEqual({ kind: 'fields', reason })
  })
})

describe('nextTxid()', () => {
  test('goes on by one, into the other slot', () => {
    expect(nextTxid(META)).toBe(2)
    expect(nextTxid({ ...META, txid: 2, slot: 0 })).toBe(3)
  })

  test('skips one rather than overwrite the newest meta of a copy that holds it in the odd place', () => {
    expect(nextTxid({ ...META, txid: 7, slot: 0 })).toBe(9)
    expect(nextTxid({ ...META, txid: 8, slot: 1 })).toBe(10)
  })
})
