/** Canaries of etcd's messages. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

const PROPERTIES = 'proptest/rpc/codec.test.ts'
const UNIT = 'proto/message.test.ts'
const ROUND_TRIP = 'messages come out of their bytes as they went in'

export const RPC_CANARIES: readonly Canary[] = [
  {
    name: 'a negative id read as a positive one',
    file: 'proto/wire.ts',
    find: '    return BigInt.asIntN(64, this.#wide())\n',
    replace: '    return this.#wide()\n',
    test: PROPERTIES,
    testName: ROUND_TRIP,
  },
  {
    name: 'the last field of a message left out',
    file: 'proto/encode.ts',
    find: '  if (field.hasPresence) return false\n  if (value',
    replace:
      '  if (field.number === 6) return true\n  if (field.hasPresence) return false\n  if (value',
    test: PROPERTIES,
    testName: ROUND_TRIP,
  },
  {
    name: 'a member of a oneof left out where it is empty',
    file: 'proto/encode.ts',
    find: '  if (field.hasPresence) return false\n',
    replace: '',
    test: UNIT,
    testName: 'tells a member that is zero from one that is absent',
  },
  {
    name: 'a oneof that keeps two members',
    file: 'proto/decode.ts',
    find: '        for (const rival of field.rivals) message[rival] = undefined\n',
    replace: '',
    test: UNIT,
    testName: 'keeps the last member of a oneof',
  },
  {
    name: 'an unknown field not passed over',
    file: 'proto/decode.ts',
    find: '  reader.skip(tag)\n',
    replace: '',
    test: PROPERTIES,
    testName: 'messages pass over fields that they do not know',
  },
  {
    name: 'messages nested without end',
    file: 'proto/decode.ts',
    find: '    if (depth > MESSAGE_DEPTH_MAX) {',
    replace: '    if (depth > 10 * MESSAGE_DEPTH_MAX) {',
    test: UNIT,
    testName: 'takes 128 transactions in one another, and has a limit',
  },
  {
    name: 'a list that ends a message read beyond it',
    file: 'proto/decode.ts',
    find: '    while (reader.position < reader.end) list.push(readScalar(field, reader))\n',
    replace: '    list.push(readScalar(field, reader))\n    reader.position = reader.end\n',
    test: PROPERTIES,
    testName: ROUND_TRIP,
  },
  {
    name: 'a text that is not UTF-8 taken',
    file: 'proto/decode.ts',
    find: "      if (text === undefined) throw new DecodeError('not UTF-8', at)\n",
    replace: '',
    test: UNIT,
    testName: 'refuses a text that is not UTF-8',
  },
  {
    name: 'base64url taken for base64',
    file: 'proto/json.ts',
    find: '/^[A-Za-z0-9+/]*={0,2}$/',
    replace: '/^[A-Za-z0-9+/_-]*={0,2}$/',
    test: UNIT,
    testName: 'refuses base64url by its place',
  },
  {
    name: 'a number that JSON rounded taken',
    file: 'proto/json.ts',
    find: '    if (Number.isSafeInteger(value)) return BigInt(value)\n',
    replace: '    if (Number.isInteger(value)) return BigInt(value)\n',
    test: UNIT,
    testName: 'refuses a number that was rounded by its place',
  },
]
