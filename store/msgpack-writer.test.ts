import { describe, expect, test } from 'vitest'
import { decodeMsgpack } from './msgpack-reader.ts'
import { DEPTH_MAX, encodeMsgpack } from './msgpack-writer.ts'

function hex(value: unknown): string {
  return Buffer.from(encodeMsgpack(value, 'value')).toString('hex')
}

/** Head of the bytes, and how many there are. */
function head(value: unknown, byteCount: number): string {
  const all = hex(value)
  return `${all.slice(0, 2 * byteCount)} ${all.length / 2}`
}

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

describe('encodeMsgpack() writes the shortest form', () => {
  test.each([
    [null, 'c0'],
    [false, 'c2'],
    [true, 'c3'],
    [0, '00'],
    [127, '7f'],
    [128, 'cc80'],
    [255, 'ccff'],
    [256, 'cd0100'],
    [65_535, 'cdffff'],
    [65_536, 'ce00010000'],
    [2 ** 32 - 1, 'ceffffffff'],
    [2 ** 32, 'cb41f0000000000000'],
    [-1, 'ff'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [-128, 'd080'],
    [-129, 'd1ff7f'],
    [-32_768, 'd18000'],
    [-32_769, 'd2ffff7fff'],
    [-(2 ** 31), 'd280000000'],
    [-(2 ** 31) - 1, 'cbc1e0000000200000'],
    [0.5, 'cb3fe0000000000000'],
    [-Infinity, 'cbfff0000000000000'],
    [0n, 'd30000000000000000'],
    [-(2n ** 63n), 'd38000000000000000'],
    [2n ** 63n - 1n, 'd37fffffffffffffff'],
    [2n ** 63n, 'cf8000000000000000'],
    ['', 'a0'],
    ['é', 'a2c3a9'],
    [new Date(0), 'd6ff00000000'],
    [new Date((2 ** 32 - 1) * 1000), 'd6ffffffffff'],
    [new Date(2 ** 32 * 1000), 'd7ff0000000100000000'],
    [new Date(2 ** 34 * 1000 - 1), 'd7ffee2e1f03ffffffff'],
    [new Date(2 ** 34 * 1000), 'c70cff000000000000000400000000'],
    [new Date(-1), 'c70cff3b8b87c0ffffffffffffffff'],
    [[], '90'],
    [{}, '80'],
    [Object.assign(Object.create(null), { a: 1 }), '81a16101'],
    [{ a: undefined }, '81a161d40000'],
    [Buffer.from('ab'), 'c4026162'],
    // A hole is what reading it gives.
    [Array.from({ length: 2 }), '92d40000d40000'],
  ])('%o as %s', (value, bytes) => {
    expect(hex(value)).toBe(bytes)
  })

  test('of long text, bytes, arrays and maps', () => {
    const keyed = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 0]))
    expect(head('x'.repeat(31), 1)).toBe('bf 32')
    expect(head('x'.repeat(32), 2)).toBe('d920 34')
    expect(head('é'.repeat(16), 2)).toBe('d920 34')
    expect(head('x'.repeat(256), 3)).toBe('da0100 259')
    expect(head('x'.repeat(65_536), 5)).toBe('db00010000 65541')
    expect(head(new Uint8Array(256), 3)).toBe('c50100 259')
    expect(head(new Uint8Array(65_536), 5)).toBe('c600010000 65541')
    expect(head(Array(15).fill(0), 1)).toBe('9f 16')
    expect(head(Array(16).fill(0), 3)).toBe('dc0010 19')
    expect(head(Array(65_536).fill(0), 5)).toBe('dd00010000 65541')
    expect(head(keyed(15), 1).slice(0, 2)).toBe('8f')
    expect(head(keyed(16), 3).slice(0, 6)).toBe('de0010')
    expect(head(keyed(65_536), 5).slice(0, 10)).toBe('df00010000')
  })
})

describe('encodeMsgpack()', () => {
  test('takes the same thing twice, though not inside itself', () => {
    const twice = { n: 1 }
    expect(decodeMsgpack(encodeMsgpack([twice, [twice]], 'value'))).toEqual([twice, [twice]])
    const list: unknown[] = []
    list.push([{ list }])
    expect(() => hex(list)).toThrow(/^value: an object that holds itself can't be written/)
  })

  test('goes as deep as the reader, and no deeper', () => {
    expect(decodeMsgpack(encodeMsgpack(nested(DEPTH_MAX), 'value'))).toEqual(nested(DEPTH_MAX))
    expect(() => hex(nested(DEPTH_MAX + 1))).toThrow(TypeError)
    expect(() => hex(nested(100_000))).toThrow(/^value: what is nested 1000 deep/)
  })

  test('names the argument it was given, and what it found, never the value', () => {
    const write = (value: unknown) => (): unknown => encodeMsgpack(value, 'success[3].value')
    expect(write([new Map([['secret', 1]])])).toThrow(
      /^success\[3\]\.value: an object that is not plain \(Map\) can't/,
    )
    expect(write({ f: () => 'secret' })).toThrow(/^success\[3\]\.value: a function can't/)
    expect(write(10n ** 30n)).toThrow(/^success\[3\]\.value: a bigint beyond 64 bits can't/)
    expect(write('secret\udfff')).not.toThrow(/secret/)
  })

  test('is a TypeError also where a getter throws, with that as its cause', () => {
    const cause = new RangeError('mine')
    const value = {
      get x(): never {
        throw cause
      },
    }
    expect(() => hex(value)).toThrow(expect.objectContaining({ name: 'TypeError', cause }))
  })

  test('may be called by a getter of the value it is writing', () => {
    const value = {
      get inner(): string {
        return hex(['b'.repeat(3000), 1])
      },
    }
    const inner = hex(['b'.repeat(3000), 1])
    for (let i = 0; i < 3; i++) expect(hex({ a: 1, value })).toBe(hex({ a: 1, value: { inner } }))
  })

  test('gives bytes of their own', () => {
    const first = encodeMsgpack('first', 'value')
    const before = Buffer.from(first)
    encodeMsgpack('other', 'value')
    expect(Buffer.from(first)).toEqual(before)
    expect(first.buffer.byteLength).toBe(first.length)
  })
})
