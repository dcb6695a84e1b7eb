/** etcd's messages: what goes out comes in again, and bytes of any kind do no harm. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeMessage } from '../../proto/decode.ts'
import { encodeMessage } from '../../proto/encode.ts'
import { messageFromJson, messageToJson } from '../../proto/json.ts'
import type { Raw } from '../../proto/shape.ts'
import { DecodeError } from '../../proto/wire.ts'
import { effort } from '../effort.ts'
import { SHAPES, anyMessage } from './messages.ts'

const numRuns = effort({ smoke: 600, ci: 5000, soak: 200_000 })

/** The same without classes: a KeyValue has one of its own. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

/** Decodes, or says by undefined that the bytes were refused as they should be. */
function tryDecode(name: string, bytes: Uint8Array): Raw | undefined {
  try {
    return decodeMessage(SHAPES.get(name)!, bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError)
    return undefined
  }
}

describe('messages', () => {
  test('come out of their bytes as they went in', () => {
    fc.assert(
      fc.property(anyMessage, ({ shape, message }) => {
        const decoded = decodeMessage(shape, encodeMessage(shape, message))
        expect(plain(decoded)).toEqual(plain(message))
      }),
      { numRuns },
    )
  })

  test('have equal bytes whether defaults are there or left out', () => {
    fc.assert(
      fc.property(anyMessage, ({ shape, message }) => {
        const sparse = Object.fromEntries(
          Object.entries(message).filter(([name, value]) => {
            const field = shape.fields.find((one) => one.name === name)!
            return value !== field.defaultValue
          }),
        )
        expect(encodeMessage(shape, sparse)).toEqual(encodeMessage(shape, message))
      }),
      { numRuns },
    )
  })

  test('pass over fields that they do not know', () => {
    fc.assert(
      fc.property(anyMessage, ({ shape, message }) => {
        // Field 1000: a varint, bytes, 64 and 32 bits, a group with a varint in it.
        const more = Buffer.from(
          'c03e01' + 'c23e02abcd' + 'c13e0102030405060708' + 'c53e01020304' + 'c33e0801c43e',
          'hex',
        )
        const bytes = Buffer.concat([more, encodeMessage(shape, message), more])
        expect(plain(decodeMessage(shape, bytes))).toEqual(plain(message))
      }),
      { numRuns },
    )
  })

  test('come out of their JSON as they went in, under either name', () => {
    fc.assert(
      fc.property(anyMessage, ({ shape, message }) => {
        const json: unknown = JSON.parse(JSON.stringify(messageToJson(shape, message)))
        expect(plain(messageFromJson(shape, json))).toEqual(plain(message))
        const camel = Object.fromEntries(
          Object.entries(json as Raw).map(([name, value]) => [
            shape.fields.find((field) => field.protoName === name)!.jsonName,
            value,
          ]),
        )
        expect(plain(messageFromJson(shape, camel))).toEqual(plain(message))
      }),
      { numRuns },
    )
  })
})

describe('bytes of any kind', () => {
  const name = fc.constantFrom(...SHAPES.keys())

  test('are a message or a DecodeError', () => {
    fc.assert(
      fc.property(name, fc.uint8Array({ maxLength: 60 }), (type, bytes) => {
        tryDecode(type, bytes)
      }),
      { numRuns: numRuns * 5 },
    )
  })

  test('that were a message before they were damaged are one, or a DecodeError', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), fc.nat(255), fc.boolean(), (drawn, at, byte, cuts) => {
        const bytes = encodeMessage(drawn.shape, drawn.message)
        if (bytes.length === 0) return
        const place = at % bytes.length
        if (!cuts) bytes[place] = byte
        const decoded = tryDecode(drawn.shape.name, cuts ? bytes.subarray(0, place) : bytes)
        // What is accepted is a message: it can be sent on.
        if (decoded === undefined) return
        const again = encodeMessage(drawn.shape, decoded)
        expect(plain(decodeMessage(drawn.shape, again))).toEqual(plain(decoded))
      }),
      { numRuns: numRuns * 2 },
    )
  })
})
