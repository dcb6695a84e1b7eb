import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeLine, encodeLine } from './line.ts'
import type { Line, PutLine } from './line.ts'
import { LineFault } from './line-fields.ts'

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const put: PutLine = {
  type: 'put',
  revision: 4,
  sub: 1,
  key: bytes('a'),
  value: bytes('1'),
  createRevision: 2,
  version: 3,
  lease: 0n,
}

const GOLDEN: readonly (readonly [string, Line])[] = [
  [
    '{"type":"head","format":"revbolt-lines","formatVersion":1,"content":"keys","revision":9}',
    { type: 'head', content: 'keys', revision: 9, prefix: bytes('') },
  ],
  [
    '{"type":"head","format":"revbolt-lines","formatVersion":1,"content":"keys","revision":9,' +
      '"prefix":"config/"}',
    { type: 'head', content: 'keys', revision: 9, prefix: bytes('config/') },
  ],
  [
    '{"type":"head","format":"revbolt-lines","formatVersion":1,"content":"history","revision":9,' +
      '"compactedRevision":3}',
    { type: 'head', content: 'history', revision: 9, compactedRevision: 3 },
  ],
  [
    '{"type":"key","key":"ä","value":{"base64":"/wA="},"createRevision":2,"modRevision":4,' +
      '"version":3,"lease":"-9223372036854775808"}',
    {
      type: 'key',
      key: bytes('ä'),
      value: Uint8Array.of(0xff, 0),
      createRevision: 2,
      modRevision: 4,
      version: 3,
      lease: -(2n ** 63n),
    },
  ],
  [
    '{"type":"lease","id":"9223372036854775807","ttlSeconds":9000000000,"remainingSeconds":1}',
    { type: 'lease', id: 2n ** 63n - 1n, ttlSeconds: 9_000_000_000, remainingSeconds: 1 },
  ],
  ['{"type":"put","revision":4,"sub":1,"key":"a","value":"1","createRevision":2,"version":3}', put],
  [
    '{"type":"delete","revision":5,"sub":0,"key":"a"}',
    { type: 'delete', revision: 5, sub: 0, key: bytes('a') },
  ],
  ['{"type":"raise","revision":6,"sub":0}', { type: 'raise', revision: 6, sub: 0 }],
  [
    '{"type":"end","count":2,"revision":9,"sha256":"00"}',
    { type: 'end', count: 2, revision: 9, sha256: '00' },
  ],
]

describe('encodeLine() and decodeLine()', () => {
  test.each(GOLDEN)('%s', (text, line) => {
    expect(encodeLine(line)).toBe(text)
    const again = decodeLine(text)
    expect(encodeLine(again)).toBe(text)
    expect(again.type).toBe(line.type)
  })

  test('keep any bytes, and show text where it is plain', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.string({ unit: 'binary', maxLength: 20 }).map((text) => bytes(text.toWellFormed())),
    )
    const property = fc.property(anyBytes, (value) => {
      const text = encodeLine({ ...put, value })
      const line = decodeLine(text)
      if (line.type !== 'put') throw new Error('it was a put')
      expect(Buffer.from(line.value).equals(value)).toBe(true)
      expect(text).not.toMatch(/[\n\r]/)
    })
    fc.assert(property, { numRuns: 500 })
  })

  test.each([
    ['', '""'],
    ['tab\t, line\nand return\r', '"tab\\t, line\\nand return\\r"'],
    ['"quoted" \\', '"\\"quoted\\" \\\\"'],
    ['😀 ä', '"😀 ä"'],
    ['\u0000', '{"base64":"AA=="}'],
    ['\u001b[31m', '{"base64":"G1szMW0="}'],
    ['\u007f', '{"base64":"fw=="}'],
    ['\u0085', '{"base64":"woU="}'],
    ['\u2028', '{"base64":"4oCo"}'],
    ['\ufeffa', '{"base64":"77u/YQ=="}'],
  ])('the value %j is written as %s', (value, text) => {
    expect(encodeLine({ ...put, value: bytes(value) })).toContain(`"value":${text},`)
  })
})

const EDITS: readonly (readonly [string, (text: string) => string, string])[] = [
  ['no JSON', (text) => text.slice(1), 'it is no JSON'],
  ['a list', () => '[]', 'expected an object, got an array'],
  ['no type', () => '{}', 'type is missing'],
  ['another type', () => '{"type":"putt"}', 'type: expected one of'],
  ['a field too many', (text) => text.replace('{', '{"more":1,'), 'it has no field "more"'],
  ['a field too few', (text) => text.replace('"sub":1,', ''), 'sub is missing'],
  ['a half', (text) => text.replace('"sub":1', '"sub":1.5'), 'sub: 1.5 is no integer'],
  ['a number as text', (text) => text.replace(':4', ':"4"'), 'revision: expected a number'],
  ['version 0', (text) => text.replace('"version":3', '"version":0'), 'version: 0 is no'],
  ['beyond 2^53', (text) => text.replace(':4', ':9007199254740993'), 'revision: 9007'],
  ['no key', (text) => text.replace('"a"', '""'), 'key: it is empty'],
  ['half a letter', (text) => text.replace('"a"', '"\\ud800"'), 'key: the string has a lone'],
  ['no bytes', (text) => text.replace('"1"', '7'), 'value: expected a string or'],
  ['other bytes', (text) => text.replace('"1"', '{"hex":"00"}'), 'value: expected a string or'],
  ['bad base64', (text) => text.replace('"1"', '{"base64":"A"}'), 'value: it is not base64'],
  ['loose base64', (text) => text.replace('"1"', '{"base64":"AB=="}'), 'value: it is not base64'],
  ['lease 0', (text) => text.replace('}', ',"lease":"0"}'), 'lease: it is no id'],
  ['a lease of 65 bits', (text) => text.replace('}', `,"lease":"${2n ** 63n}"}`), 'lease: it is'],
]

describe('decodeLine() refuses', () => {
  test.each(EDITS)('%s', (_, edit, message) => {
    expect(() => decodeLine(edit(encodeLine(put)))).toThrow(LineFault)
    expect(() => decodeLine(edit(encodeLine(put)))).toThrow(message)
  })
})
