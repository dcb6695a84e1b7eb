import { describe, expect, test } from 'vitest'
import { MsgpackError, decodeMsgpack } from './msgpack-reader.ts'

function read(hex: string): unknown {
  return decodeMsgpack(new Uint8Array(Buffer.from(hex, 'hex')))
}

describe('decodeMsgpack()', () => {
  test.each([
    ['cd0001', 1],
    ['ce00000001', 1],
    ['d0ff', -1],
    ['d1ffff', -1],
    ['d2ffffffff', -1],
    ['ca3f000000', 0.5],
    ['cf0000000000000001', 1n],
    ['d3ffffffffffffffff', -1n],
    ['d90161', 'a'],
    ['da000161', 'a'],
    ['db0000000161', 'a'],
    ['a0', ''],
    ['a3efbbbf', '\ufeff'],
    ['c50001ff', new Uint8Array([255])],
    ['c600000001ff', new Uint8Array([255])],
    ['dc000101', [1]],
    ['dd0000000101', [1]],
    ['de0001a16101', { a: 1 }],
    ['df00000001a16101', { a: 1 }],
    ['82a16101a16102', { a: 2 }],
    [
      '820102a16103',
      new Map<unknown, unknown>([
        [1, 2],
        ['a', 3],
      ]),
    ],
    [
      '82a161030102',
      new Map<unknown, unknown>([
        ['a', 3],
        [1, 2],
      ]),
    ],
    ['81c001', new Map([[null, 1]])],
    ['c70cff00000000ffffffffffffffff', new Date(-1000)],
    ['d7ff000f423c00000001', new Date(1000)],
    ['c704ff00000001', new Date(1000)],
  ])('reads %s, whoever wrote it', (hex, value) => {
    expect(read(hex)).toStrictEqual(value)
  })

  test('makes a property of a name that would be the prototype', () => {
    const read1 = read('82a95f5f70726f746f5f5f8101c0a16101') as object
    expect(Object.getPrototypeOf(read1)).toBe(Object.prototype)
    expect(Object.keys(read1)).toEqual(['__proto__', 'a'])
  })

  test.each([
    ['', /ends early/],
    ['92c0', /ends early/],
    ['a2ff', /ends early/],
    ['cb00', /ends early/],
    ['c6ffffffff00', /ends early/],
    ['ddffffffff', /ends early/],
    ['dfffffffffc0c0', /ends early/],
    ['81c0', /ends early/],
    ['d6ff0000', /ends early/],
    ['c1', /begins with the byte 193/],
    ['a1ff', /not UTF-8/],
    ['a3eda080', /not UTF-8/],
    ['c0c0', /1 bytes follow/],
    ['d40000', /undefined/],
    ['91d40001', /extension/],
    ['91d40100', /extension/],
    ['d5ff0000', /begins with the byte 213/],
    ['d600ffffffff', /extension/],
    ['c701ff00', /extension/],
    ['d8ff00000000000000000000000000000000', /begins with the byte 216/],
    ['d7fffffffffc00000000', /beyond what a Date/],
    ['c70cff000000007fffffffffffffff', /beyond what a Date/],
    ['c70cff00000000fffff82457de7fff', /beyond what a Date/],
    ['c70cff000f4240000007dba8218000', /beyond what a Date/],
    [`${'91'.repeat(1001)}c0`, /nested more than 1000/],
    [`${'91'.repeat(100_000)}c0`, /nested more than 1000/],
    ['94726563', /ends early/],
    // A definition of a record, which some would make a function of.
    ['d4724091a16101', /extension/],
  ])('refuses %s', (hex, why) => {
    expect(() => read(hex)).toThrow(MsgpackError)
    expect(() => read(hex)).toThrow(why)
  })

  test('gives bytes of their own', () => {
    const packed = new Uint8Array(Buffer.from('91c40161', 'hex'))
    const [bytes] = decodeMsgpack(packed) as [Uint8Array]
    packed.fill(0)
    expect(bytes).toEqual(new Uint8Array([0x61]))
    expect(bytes.buffer.byteLength).toBe(1)
  })
})
