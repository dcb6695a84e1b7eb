import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import {
  decodeEvent,
  decodeKeyValue,
  encodeEvent,
  encodeKeyValue,
  sizeOfKeyValue,
  writeKeyValue,
} from './mvccpb.ts'
import type { Event, KeyValue } from './mvccpb.ts'
import { DecodeError } from './wire.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const hex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))

const EMPTY: KeyValue = {
  key: bytes(''),
  createRevision: 0,
  modRevision: 0,
  version: 0,
  value: bytes(''),
  lease: 0n,
}

const smallBytes = fc.uint8Array({ maxLength: 300 })
const keyValue: fc.Arbitrary<KeyValue> = fc.record({
  key: smallBytes,
  createRevision: fc.maxSafeNat(),
  modRevision: fc.maxSafeNat(),
  version: fc.maxSafeNat(),
  value: smallBytes,
  lease: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
})
const event: fc.Arbitrary<Event> = fc.record({
  type: fc.constantFrom('put', 'delete'),
  kv: keyValue,
  prevKv: fc.option(keyValue, { nil: undefined }),
})

describe('KeyValue', () => {
  test('encodeKeyValue() writes the bytes that etcd writes', () => {
    const kv = {
      ...EMPTY,
      key: bytes('a'),
      createRevision: 2,
      modRevision: 2,
      version: 1,
      value: bytes('1'),
    }
    expect(encodeKeyValue(kv)).toEqual(hex('0a0161 1002 1802 2001 2a0131'))
    expect(encodeKeyValue({ ...kv, lease: -1n })).toEqual(
      hex('0a0161 1002 1802 2001 2a0131 30ffffffffffffffffff01'),
    )
  })

  test('encodeKeyValue() leaves out what is zero: a tombstone is its key alone', () => {
    expect(encodeKeyValue({ ...EMPTY, key: bytes('key1') })).toEqual(hex('0a04 6b657931'))
    expect(encodeKeyValue(EMPTY)).toEqual(hex(''))
  })

  test('decodeKeyValue() gives back what was encoded, in exactly the size foretold', () => {
    fc.assert(
      fc.property(keyValue, (kv) => {
        const encoded = encodeKeyValue(kv)
        expect(encoded.length).toBe(sizeOfKeyValue(kv))
        expect(decodeKeyValue(encoded)).toEqual(kv)
        const roomy = new Uint8Array(encoded.length + 7)
        expect(writeKeyValue(roomy, 3, kv)).toBe(3 + encoded.length)
        expect(roomy.subarray(3, 3 + encoded.length)).toEqual(encoded)
      }),
    )
  })

  test('decodeKeyValue() takes any order, the last of repeated fields and unknown fields', () => {
    const kv = decodeKeyValue(hex('2a0131 0a0162 7a03010203 2001 80019601 0a0161 1802 1002'))
    expect(kv).toEqual({
      ...EMPTY,
      key: bytes('a'),
      createRevision: 2,
      modRevision: 2,
      version: 1,
      value: bytes('1'),
    })
  })

  test('decodeKeyValue() refuses a known field of the wrong wire type', () => {
    expect(() => decodeKeyValue(hex('0801'))).toThrow(/field 1 has wire type 0/)
    expect(() => decodeKeyValue(hex('1202 0101'))).toThrow(/field 2 has wire type 2/)
  })

  test('decodeKeyValue() of hostile bytes returns or throws DecodeError', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          fc.tuple(keyValue, fc.nat(), fc.nat(255), fc.nat()).map(([kv, at, flip, cut]) => {
            const encoded = encodeKeyValue(kv)
            if (encoded.length === 0) return encoded
            const index = at % encoded.length
            encoded[index] = (encoded[index] ?? 0) ^ flip
            return encoded.subarray(0, cut % (encoded.length + 1))
          }),
        ),
        (hostile) => {
          for (const decode of [decodeKeyValue, decodeEvent]) {
            try {
              decode(hostile)
            } catch (error) {
              expect(error).toBeInstanceOf(DecodeError)
            }
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('Event', () => {
  test('encodeEvent() writes the bytes that etcd writes', () => {
    expect(
      encodeEvent({
        type: 'delete',
        kv: { ...EMPTY, key: bytes('a'), modRevision: 3 },
        prevKv: undefined,
      }),
    ).toEqual(hex('0801 1205 0a0161 1803'))
  })

  test('decodeEvent() gives back what was encoded', () => {
    fc.assert(
      fc.property(event, (each) => {
        expect(decodeEvent(encodeEvent(each))).toEqual(each)
      }),
    )
  })

  test('decodeEvent() refuses an event type that does not exist', () => {
    expect(() => decodeEvent(hex('0802'))).toThrow(/unknown event type 2/)
  })
})
