/**
 * MessagePack, both ways: what goes in comes out equal, a second implementation agrees, and no
 * bytes do harm.
 */
import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { Packr, Unpackr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { isKvError } from '../../base/errors.ts'
import { MsgpackError, decodeMsgpack } from '../../store/msgpack-reader.ts'
import { encodeMsgpack } from '../../store/msgpack-writer.ts'
import { open } from '../../store/open.ts'
import { effort, seed } from '../effort.ts'

const RUNS = effort({ smoke: 1000, ci: 20_000, soak: 1_000_000 })
const REFUSED_RUNS = effort({ smoke: 300, ci: 3000, soak: 100_000 })
const STORE_RUNS = effort({ smoke: 100, ci: 1000, soak: 20_000 })
const peer = { useRecords: false, moreTypes: false, useToJSON: false } as const
const packr = new Packr(peer)
const unpackr = new Unpackr(peer)

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 300 }),
  fc.constantFrom('\ufeff', '\0', '__proto__', 'constructor', 'toJSON', '', '7'),
)

const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.nat(300),
  ...[5, 7, 8, 15, 16, 31, 32, 53].map((bits) =>
    fc.integer({ min: -2, max: 2 }).chain((by) => fc.constantFrom(2 ** bits + by, by - 2 ** bits)),
  ),
  fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE),
)

const bigint = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 1n, -1n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n),
)

const date = fc.oneof(
  fc.date({ noInvalidDate: true }),
  fc
    .constantFrom(0, 2 ** 32, 2 ** 34)
    .chain((seconds) => fc.integer({ min: -1500, max: 1500 }).map((ms) => seconds * 1000 + ms))
    .map((ms) => new Date(ms)),
  fc.constantFrom(8.64e15, -8.64e15).map((ms) => new Date(ms)),
)

const bytes = fc.uint8Array({ maxLength: 300 }).map((given) => new Uint8Array(given))

/** All that can be written, inside of something. */
const { inner } = fc.letrec<{ inner: unknown }>((tie) => ({
  inner: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.constantFrom(null, true, false, undefined),
    ...[text, number, bigint, date, bytes],
    fc.array(tie('inner'), { maxLength: 20 }),
    fc.array(fc.tuple(text, tie('inner')), { maxLength: 20 }).map(fromEntries),
  ),
}))

const value = inner.filter((found) => found !== undefined)

/** What no value can be or hold. */
const refused = fc.constantFrom<() => unknown>(
  () => Symbol('x'),
  () => (): void => {},
  () => 2n ** 64n,
  () => -(2n ** 63n) - 1n,
  () => 'cut \ud83d',
  () => ({ 'cut \udc00': 1 }),
  () => new Date(Number.NaN),
  () => new Map([[1, 2]]),
  () => new Set(),
  () => new Uint16Array(2),
  () => new ArrayBuffer(2),
  () => new (class Point {})(),
  () => new Proxy({}, { ownKeys: () => [1 as never] }),
)

/** As `Object.fromEntries`, which sets `__proto__` as any other property. */
function fromEntries(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries)
}

/** The value with what the other implementation gives in another form, in ours. */
function inOurForm(read: unknown): unknown {
  if (read instanceof Uint8Array) return new Uint8Array(read)
  if (Array.isArray(read)) return read.map((item) => inOurForm(item))
  if (typeof read !== 'object' || read === null || read instanceof Date) return read
  return fromEntries(Object.entries(read).map(([key, item]) => [key, inOurForm(item)]))
}

/** Whether the value has a property that the other implementation renames, or a zero it changes. */
function isOtherwise(found: unknown, ofZero: boolean): boolean {
  if (Object.is(found, -0)) return ofZero
  if (typeof found !== 'object' || found === null) return false
  return Object.entries(found).some(
    ([key, item]) => key === '__proto__' || isOtherwise(item, ofZero),
  )
}

function holdsMap(found: unknown): boolean {
  if (found instanceof Map) return true
  if (typeof found !== 'object' || found === null || found instanceof Uint8Array) return false
  return Object.values(found).some((item) => holdsMap(item))
}

/** The bytes of a value, with a few of them changed, cut off or put in. */
const damaged = fc
  .tuple(
    value,
    fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('set', 'cut', 'put')), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  .map(([found, edits]) => {
    const all = [...encodeMsgpack(found, 'value')]
    for (const [place, byte, edit] of edits) {
      const at = place % (all.length + 1)
      if (edit === 'set') all.splice(at, 1, byte)
      else if (edit === 'cut') all.splice(at, 1 + (byte % 8))
      else all.splice(at, 0, byte)
    }
    return new Uint8Array(all)
  })

const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), damaged)

/** The value, or undefined where it was refused in the one way that is allowed. */
function readOrRefuse(given: Uint8Array): unknown {
  try {
    return decodeMsgpack(given)
  } catch (error) {
    if (error instanceof MsgpackError) return undefined
    throw error
  }
}

describe('MessagePack', () => {
  test(`${RUNS} values come out as they went in, seed ${seed}`, () => {
    const property = fc.property(value, (found) => {
      const packed = encodeMsgpack(found, 'value')
      deepStrictEqual(decodeMsgpack(packed), found)
      deepStrictEqual(encodeMsgpack(decodeMsgpack(packed), 'value'), packed)
    })
    fc.assert(property, { numRuns: RUNS, seed })
  })

  test(`${RUNS} values are read alike by msgpackr, and its by us, seed ${seed}`, () => {
    const property = fc.property(value, (found) => {
      if (!isOtherwise(found, false)) {
        deepStrictEqual(inOurForm(unpackr.unpack(encodeMsgpack(found, 'value'))), found)
      }
      if (!isOtherwise(found, true)) {
        deepStrictEqual(decodeMsgpack(new Uint8Array(packr.pack(found))), found)
      }
    })
    fc.assert(property, { numRuns: RUNS, seed })
  })

  test(`${REFUSED_RUNS} values that hold what can't be written are refused, seed ${seed}`, () => {
    const property = fc.property(refused, fc.array(inner), fc.nat(3), (make, beside, depth) => {
      let found = make()
      for (let i = 0; i < depth; i++) found = i % 2 === 0 ? [...beside, found] : { beside, found }
      expect(() => encodeMsgpack(found, 'value')).toThrow(TypeError)
      expect(() => encodeMsgpack(found, 'value')).toThrow(/^value: /)
    })
    fc.assert(property, { numRuns: REFUSED_RUNS, seed })
  })

  test(`${RUNS} byte strings are read or refused, seed ${seed}`, () => {
    const property = fc.property(anyBytes, (given) => {
      const before = Buffer.from(given)
      const found = readOrRefuse(given)
      expect(Buffer.from(given)).toEqual(before)
      // A Map can be read, and not written; all else that is read can be written.
      if (found === undefined || holdsMap(found)) return
      deepStrictEqual(decodeMsgpack(encodeMsgpack(found, 'value')), found)
    })
    fc.assert(property, { numRuns: RUNS, seed })
  })

  test(`${STORE_RUNS} byte strings in a store are a value or KV_DECODE, seed ${seed}`, async () => {
    await using store = await open(':memory:', { encoding: 'msgpack' })
    const property = fc.asyncProperty(anyBytes, async (given) => {
      await store.put('the key', given, { encoding: 'bytes' })
      const expected = readOrRefuse(given)
      const got = await store.get('the key').catch((error: unknown) => error)
      if (expected === undefined) {
        expect(isKvError(got, 'KV_DECODE') && got.message.includes('the key')).toBe(true)
      } else {
        deepStrictEqual((got as { readonly value: unknown }).value, expected)
      }
    })
    await fc.assert(property, { numRuns: STORE_RUNS, seed })
  })
})
