/** Canaries of the encodings of values. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

const PROPERTIES = 'proptest/encoding/msgpack.test.ts'

export const ENCODING_CANARIES: readonly Canary[] = [
  {
    name: 'a negative zero written as zero',
    file: 'store/msgpack-writer.ts',
    find: '    else if (Object.is(value, -0)) this.#float(value)\n',
    replace: '',
    test: PROPERTIES,
    testName: 'values come out as they went in',
  },
  {
    name: 'a small bigint written as a number would be',
    file: 'store/msgpack-writer.ts',
    find: '    this.#need(9)\n    const isSigned = value < INT64_END\n',
    replace:
      '    if (value < 128n && value >= 0n) return this.#byte(Number(value))\n' +
      '    this.#need(9)\n    const isSigned = value < INT64_END\n',
    test: PROPERTIES,
    testName: 'values come out as they went in',
  },
  {
    name: 'a Map written as an object',
    file: 'store/msgpack-writer.ts',
    find: 'return prototype === Object.prototype || prototype === null\n',
    replace: 'return !(value instanceof Set) && prototype !== undefined\n',
    test: PROPERTIES,
    testName: "values that hold what can't be written are refused",
  },
  {
    name: 'one room for two values that are written at once',
    file: 'store/msgpack-writer.ts',
    find: '  kept = undefined\n',
    replace: '  kept = room\n',
    test: 'store/msgpack-writer.test.ts',
    testName: 'may be called by a getter of the value it is writing',
  },
  {
    name: 'a text that is not UTF-8 read all the same',
    file: 'store/msgpack-reader.ts',
    find: '      if (code >= 0x80) return undefined\n',
    replace: '',
    test: PROPERTIES,
    testName: 'values come out as they went in',
  },
  {
    name: 'a value nested without end',
    file: 'store/msgpack-reader.ts',
    find: '    if (depth === DEPTH_MAX)',
    replace: '    if (depth === Infinity)',
    test: 'store/msgpack-reader.test.ts',
    testName: 'decodeMsgpack() refuses',
  },
  {
    name: 'a property that sets the prototype',
    file: 'store/msgpack-reader.ts',
    find: "  if (key === '__proto__') {",
    replace: "  if (key === '__proto') {",
    test: 'store/msgpack-reader.test.ts',
    testName: 'makes a property of a name that would be the prototype',
  },
  {
    name: 'bytes behind a value passed over',
    file: 'store/msgpack-reader.ts',
    find: '  if (reader.leftCount > 0)',
    replace: '  if (reader.leftCount > bytes.length)',
    test: 'store/msgpack-reader.test.ts',
    testName: 'decodeMsgpack() refuses c0c0',
  },
  {
    name: 'bytes lent out of the store',
    file: 'store/msgpack-reader.ts',
    find: 'return copyBytes(this.#take(this.#uint8()))',
    replace: 'return this.#take(this.#uint8())',
    test: 'store/msgpack-reader.test.ts',
    testName: 'gives bytes of their own',
  },
  {
    name: 'what is no MessagePack not said to be KV_DECODE',
    file: 'store/codec.ts',
    find: "    if (error instanceof MsgpackError) throw undecodable(key, 'MessagePack', error)\n",
    replace: '',
    test: PROPERTIES,
    testName: 'byte strings in a store are a value or KV_DECODE',
  },
]
