import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { decodeRevisionKey, encodeRevisionKey, encodeTombstoneKey } from './revision.ts'

const hex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))

describe('revision keys', () => {
  test('are 17 bytes, 18 with the mark of a tombstone', () => {
    expect(encodeRevisionKey(2, 1)).toEqual(hex('0000000000000002 5f 0000000000000001'))
    expect(encodeTombstoneKey(258, 0)).toEqual(hex('0000000000000102 5f 0000000000000000 74'))
    expect(encodeRevisionKey(2 ** 53 - 1, 0)).toEqual(hex('001fffffffffffff 5f 0000000000000000'))
  })

  test('decodeRevisionKey() gives back what was encoded, and bytes sort as revisions do', () => {
    const revision = fc.tuple(fc.maxSafeNat(), fc.maxSafeNat())
    fc.assert(
      fc.property(revision, revision, (a, b) => {
        const [main, sub] = a
        expect(decodeRevisionKey(encodeRevisionKey(main, sub))).toEqual({
          main,
          sub,
          isTombstone: false,
        })
        expect(decodeRevisionKey(encodeTombstoneKey(main, sub))).toEqual({
          main,
          sub,
          isTombstone: true,
        })
        const order = Math.sign(main - b[0]) || Math.sign(sub - b[1])
        expect(Buffer.compare(encodeRevisionKey(...a), encodeRevisionKey(...b))).toBe(order)
      }),
    )
  })

  test.each([
    ['too short', '0000000000000002 5f 00000000000001'],
    ['too long', '0000000000000002 5f 0000000000000001 74 74'],
    ['another separator', '0000000000000002 2e 0000000000000001'],
    ['another mark', '0000000000000002 5f 0000000000000001 75'],
    ['main beyond 2^53', '0020000000000000 5f 0000000000000001'],
    ['negative main', 'ffffffffffffffff 5f 0000000000000001'],
    ['negative sub', '0000000000000002 5f 8000000000000000'],
    ['nothing', ''],
  ])('decodeRevisionKey() refuses: %s', (_, bytes) => {
    expect(decodeRevisionKey(hex(bytes))).toBeUndefined()
  })
})
