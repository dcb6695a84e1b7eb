/** What goes in and what comes out: encodings, ownership of bytes, JSON of results. */
import { describe, expect, test } from 'vitest'
import { compare, get, put, range } from '../../store/op.ts'
import type { Backend, StoreOf } from './backend.ts'
import {
  brief,
  briefResult,
  collect,
  dump,
  expectCode,
  refusalOf,
  revisionOf,
  withEncoding,
  withStore,
} from './backend.ts'

/**
 * Not UTF-8: a lone continuation byte, a cut sequence, an overlong slash, a surrogate, beyond
 * U+10FFFF.
 */
const NOT_UTF8 = [
  [0x80],
  [0x61, 0xe2, 0x82],
  [0xc0, 0xaf],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
].map((bytes) => new Uint8Array(bytes))

export function encodingCases(backend: Backend): void {
  describe('bytes', () => {
    ownershipCases(backend)
  })
  describe('utf8', () => {
    utf8Cases(backend)
  })
  describe('encoding', () => {
    encodingsCases(backend)
  })
  describe('toJSON()', () => {
    jsonCases(backend)
  })
}

function ownershipCases(backend: Backend): void {
  test('that go in are copied before the call returns', async () => {
    await withStore(backend, async (store) => {
      const key = new Uint8Array([0x61])
      const other = new Uint8Array([0x62])
      const value = new Uint8Array([0x31])
      const scribble = (): void => {
        for (const bytes of [key, other, value]) bytes.fill(0x7a)
      }
      const restore = (): void => {
        key.set([0x61])
        other.set([0x62])
        value.set([0x31])
      }
      const during = async <T>(call: () => Promise<T>): Promise<T> => {
        restore()
        const result = call()
        scribble()
        return await result
      }
      await during(() => store.put(key, value))
      expect(await dump(store)).toEqual(['a=1 c2 m2 v1'])
      expect(brief(await during(() => store.get(key)))).toBe('a=1 c2 m2 v1')
      expect((await during(() => store.range({ start: key, end: other }))).count).toBe(1)
      const txn = await during(() =>
        store.txn({
          compare: [{ key, target: 'value', operator: '=', value }],
          success: [
            { type: 'put', key: other, value },
            { type: 'range', prefix: key },
          ],
        }),
      )
      expect(txn.succeeded).toBe(true)
      expect(txn.results.map((result) => briefResult(result))).toEqual([
        'put previous none',
        'range count 1 [a=1 c2 m2 v1]',
      ])
      const scan = await during(async () => {
        const iterator = store.scan({ prefix: key })
        scribble()
        return (await collect(iterator)).map((kv) => kv.key)
      })
      expect(scan).toEqual(['a'])
      expect((await during(() => store.delete({ start: key, end: other }))).deleted).toBe(1)
      expect(await dump(store)).toEqual(['b=1 c3 m3 v1'])
    })
  })

  resultBytesCases(backend)
}

function resultBytesCases(backend: Backend): void {
  test('that come out belong to the caller', async () => {
    await withEncoding(backend, 'bytes', async (store) => {
      await store.put('a', 'value')
      const first = await store.get('a')
      first?.key.fill(0)
      first?.value.fill(0)
      const page = await store.range()
      page.kvs[0]?.value.fill(0)
      for await (const kv of store.scan()) kv.value.fill(0)
      const { previous } = await store.put('a', 'value', { previous: true })
      previous?.value.fill(0)
      const wanted = new Uint8Array(Buffer.from('value'))
      expect((await store.get('a'))?.value).toEqual(wanted)
      expect((await store.get('a', { revision: 2 }))?.value).toEqual(wanted)
      expect((await store.get('a'))?.key).toEqual(new Uint8Array([0x61]))
    })
  })

  test('are plain Uint8Arrays, also where a Buffer went in', async () => {
    await withEncoding(backend, 'bytes', async (store) => {
      await store.put(Buffer.from('a'), Buffer.from('1'))
      const kv = await store.get(Buffer.from('a'))
      expect(Object.getPrototypeOf(kv?.value)).toBe(Uint8Array.prototype)
      expect(Object.getPrototypeOf(kv?.key)).toBe(Uint8Array.prototype)
      expect(kv?.value).toEqual(new Uint8Array([0x31]))
    })
  })

  test('may be a part of a larger buffer', async () => {
    await withStore(backend, async (store) => {
      const large = new Uint8Array(Buffer.from('..key..value..'))
      await store.put(large.subarray(2, 5), large.subarray(7, 12))
      expect(await dump(store)).toEqual(['key=value c2 m2 v1'])
    })
  })
}

function utf8Cases(backend: Backend): void {
  test('keeps every text, byte order marks and zeros included', async () => {
    await withStore(backend, async (store) => {
      const texts = [
        '\ufeffmark',
        '\0',
        'a\0b',
        '\u{10ffff}',
        'naïve',
        '日本',
        '\ufffd',
        '\r\n',
        ' ',
      ]
      for (const text of texts) await store.put(text, text)
      for (const text of texts) {
        const kv = await store.get(text)
        expect([kv?.key, kv?.value]).toEqual([text, text])
      }
      expect((await store.range({ countOnly: true })).count).toBe(texts.length)
    })
  })

  test('is strict: what is not UTF-8 is KV_DECODE, naming the key', async () => {
    await withStore(backend, async (store) => {
      for (const bytes of NOT_UTF8) await store.put('bad-value', bytes)
      for (let revision = 2; revision < 2 + NOT_UTF8.length; revision++) {
        const error = await expectCode('KV_DECODE', () => store.get('bad-value', { revision }))
        expect(error.message).toContain('bad-value')
      }
      await expectCode('KV_DECODE', () => store.range())
      await expectCode('KV_DECODE', async () => await collect(store.scan()))
      // What needs no decoding still works, and the bytes are all there.
      expect((await store.range({ countOnly: true })).count).toBe(1)
      expect((await store.range({ keysOnly: true })).kvs.map((kv) => kv.key)).toEqual(['bad-value'])
      const kv = await store.get('bad-value', { encoding: 'bytes' })
      expect(kv?.value).toEqual(NOT_UTF8.at(-1))
    })
  })

  strictCases(backend)
}

function strictCases(backend: Backend): void {
  test('is strict with keys too', async () => {
    await withStore(backend, async (store) => {
      const key = new Uint8Array([0x6b, 0xff])
      await store.put(key, 'x')
      await expectCode('KV_DECODE', () => store.get(key))
      await expectCode('KV_DECODE', () => store.range({ keysOnly: true }))
      const { kvs } = await store.range({ encoding: 'bytes' })
      expect(kvs.map((kv) => kv.key)).toEqual([key])
    })
  })

  test.skipIf(!backend.supports.decodesBeforeWriting)(
    'does not write what it can not answer for',
    async () => {
      await withStore(backend, async (store) => {
        const bad = new Uint8Array([0xff])
        await store.put('a', bad)
        const calls = [
          () => store.put('a', 'x', { previous: true }),
          () => store.delete('a', { previous: true }),
          () => store.txn({ success: [put('b', '1'), get('a')] }),
          () => store.txn({ success: [put('b', bad), range({ prefix: 'b' })] }),
        ]
        for (const call of calls) {
          const error = await expectCode('KV_DECODE', call)
          expect(error.outcome).toBe('none')
        }
        expect(await revisionOf(store)).toBe(2)
        expect(brief(await store.get('a', { encoding: 'bytes' }))).toBe('0x61=0xff c2 m2 v1')
        expect(await store.get('b')).toBeUndefined()
        expect((await store.put('c', '1')).revision).toBe(3)
      })
    },
  )
}

function encodingsCases(backend: Backend): void {
  test('bytes gives keys and values as bytes, and takes text', async () => {
    await withEncoding(backend, 'bytes', async (store) => {
      await store.put('a', 'é')
      await store.put(new Uint8Array([0, 255]), new Uint8Array(0))
      expect((await store.range()).kvs.map((kv) => brief(kv))).toEqual([
        '0x00ff=0x c3 m3 v1',
        '0x61=0xc3a9 c2 m2 v1',
      ])
    })
  })

  test('json gives back what JSON keeps of a value', async () => {
    await withEncoding(backend, 'json', async (store) => {
      const values = [
        { a: [1, null, 'é'] },
        [],
        'text',
        '',
        0,
        -1.5,
        true,
        null,
        { nested: { deep: {} } },
      ]
      for (const value of values) {
        await store.put('a', value)
        expect((await store.get('a'))?.value).toEqual(value)
      }
      await store.put('a', { kept: 1, dropped: undefined, date: new Date(0) })
      expect((await store.get('a'))?.value).toEqual({ kept: 1, date: '1970-01-01T00:00:00.000Z' })
      const { succeeded } = await store.txn({
        compare: [compare('a').value('=', { kept: 1, date: '1970-01-01T00:00:00.000Z' })],
        success: [put('b', [1])],
      })
      expect([succeeded, (await store.get('b'))?.value]).toEqual([true, [1]])
    })
  })

  refusedJsonCases(backend)
}

function refusedJsonCases(backend: Backend): void {
  test('json escapes a lone surrogate, so that it is kept', async () => {
    await withEncoding(backend, 'json', async (store) => {
      await store.put('a', { lone: '\ud800' })
      expect((await store.get('a'))?.value).toEqual({ lone: '\ud800' })
    })
  })

  test('json refuses what JSON can not write, and writes nothing', async () => {
    await withEncoding(backend, 'json', async (store) => {
      const cycle: unknown[] = []
      cycle.push(cycle)
      const poisoned = {
        toJSON: (): never => {
          throw new Error('no')
        },
      }
      for (const value of [(): void => {}, Symbol('x'), 1n, cycle, poisoned]) {
        const error = await refusalOf(() => store.put('a', value))
        expect(error).toBeInstanceOf(TypeError)
        expect(String(error)).toMatch(/^TypeError: value\b/)
      }
      expect(await store.get('a')).toBeUndefined()
    })
  })

  test('json is KV_DECODE where the bytes are no JSON', async () => {
    await withEncoding(backend, 'json', async (store) => {
      await store.put('half', '{"a"', { encoding: 'utf8' })
      const error = await expectCode('KV_DECODE', () => store.get('half'))
      expect(error.message).toContain('half')
      expect((await store.get('half', { encoding: 'utf8' }))?.value).toBe('{"a"')
    })
  })

  msgpackCases(backend)
  perCallCases(backend)
}

/** What each is as MessagePack, so that any program can read it. */
const PACKED: readonly (readonly [unknown, string])[] = [
  [{ n: 1, list: ['é', null, true] }, '82a16e01a46c69737493a2c3a9c0c3'],
  [-0, 'cb8000000000000000'],
  [Number.NaN, 'cb7ff8000000000000'],
  [2 ** 32, 'cb41f0000000000000'],
  [1n, 'd30000000000000001'],
  [2n ** 64n - 1n, 'cfffffffffffffffff'],
  [new Date(1_500), 'd7ff7735940000000001'],
  [[undefined], '91d40000'],
  [new Uint8Array([0, 255]), 'c40200ff'],
]

function msgpackCases(backend: Backend): void {
  test('msgpack gives back what went in, and stores plain MessagePack', async () => {
    await withEncoding(backend, 'msgpack', async (store) => {
      for (const [value, packed] of PACKED) {
        await store.put('a', value)
        expect((await store.get('a'))?.value).toStrictEqual(value)
        const stored = await store.get('a', { encoding: 'bytes' })
        expect(Buffer.from(stored?.value ?? []).toString('hex')).toBe(packed)
      }
      const { succeeded } = await store.txn({
        compare: [compare('a').value('=', new Uint8Array([0, 255]))],
        success: [put('b', { at: new Date(0) })],
      })
      expect([succeeded, (await store.get('b'))?.value]).toEqual([true, { at: new Date(0) }])
    })
  })

  test('msgpack refuses what would not come out as it went in, and writes nothing', async () => {
    await withEncoding(backend, 'msgpack', async (store) => {
      const cycle: unknown[] = []
      cycle.push({ cycle })
      const refused = [
        ...[undefined, (): void => {}, Symbol('x'), 2n ** 64n, -(2n ** 63n) - 1n],
        ...['\ud800', { '\ud800': 1 }, new Date(Number.NaN), new Map(), new Set(), /x/u],
        ...[new Error('x'), new Float64Array(1), new ArrayBuffer(1), Object.create({}), cycle],
      ]
      for (const value of refused) {
        for (const given of value === cycle ? [value] : [value, [{ value }]]) {
          // Inside of something, undefined is a value.
          if (given !== value && value === undefined) continue
          const error = await refusalOf(() => store.put('a', given))
          expect(error).toBeInstanceOf(TypeError)
          expect(String(error)).toMatch(/^TypeError: value: /)
        }
      }
      const error = await refusalOf(() => store.txn({ success: [put('b', 1), put('a', /x/u)] }))
      expect(String(error)).toMatch(/^TypeError: success\[1\]\.value: /)
      expect(await store.get('a')).toBeUndefined()
    })
  })

  test('msgpack is KV_DECODE where the bytes are no MessagePack, or not one value', async () => {
    await withEncoding(backend, 'msgpack', async (store) => {
      for (const hex of ['', 'c1', '92c0', 'c0c0', 'a1ff', 'd40000', 'd4017f', 'dfffffffff']) {
        const bytes = new Uint8Array(Buffer.from(hex, 'hex'))
        await store.put('odd', bytes, { encoding: 'bytes' })
        const error = await expectCode('KV_DECODE', () => store.get('odd'))
        expect(error.message).toContain('odd')
        expect((await store.get('odd', { encoding: 'bytes' }))?.value).toEqual(bytes)
      }
      const key = new Uint8Array([0xff])
      await store.put(key, 1)
      await expectCode('KV_DECODE', () => store.get(key))
    })
  })
}

function perCallCases(backend: Backend): void {
  test('may be chosen call by call', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', { n: 1 }, { encoding: 'json' })
      expect((await store.get('a'))?.value).toBe('{"n":1}')
      expect((await store.get('a', { encoding: 'json' }))?.value).toEqual({ n: 1 })
      const { kvs } = await store.range({ encoding: 'json' })
      expect(kvs.map((kv) => kv.value)).toEqual([{ n: 1 }])
      const scanned = await collect(store.scan({ encoding: 'bytes' }))
      expect(scanned[0]?.key).toEqual(new Uint8Array([0x61]))
      const replaced = await store.put('a', [2], { encoding: 'json', previous: true })
      expect(replaced.previous?.value).toEqual({ n: 1 })
      const { results } = await store.txn({ success: [get('a')] }, { encoding: 'json' })
      expect(results.map((result) => briefResult(result))).toEqual(['get a=[2] c2 m3 v2'])
      const packed = await store.put('b', 1n, { encoding: 'msgpack' })
      expect((await store.get('b', { encoding: 'msgpack' }))?.value).toBe(1n)
      await expectCode('KV_DECODE', () => store.get('b', { encoding: 'json' }))
      await store.delete('b')
      expect(packed.previous).toBeUndefined()
      const deleted = await store.delete('a', { encoding: 'json', previous: true })
      expect(deleted.previous.map((kv) => kv.value)).toEqual([[2]])
    })
  })
}

function jsonCases(backend: Backend): void {
  const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
  const rowOf = (key: string, value: unknown): object => {
    return { key, value, createRevision: '2', modRevision: '2', version: '1', lease: '0' }
  }

  test('gives decimal strings for numbers and leaves out what is absent', async () => {
    await withStore(backend, async (store) => {
      const first = await store.put('a', '1', { previous: true })
      expect(json(first)).toEqual({ revision: '2' })
      expect(json(await store.get('a'))).toEqual(rowOf('a', '1'))
      expect(json(await store.range())).toEqual({
        kvs: [rowOf('a', '1')],
        count: '1',
        more: false,
        revision: '2',
      })
      const { value: _, ...bare } = { ...rowOf('a', '1'), value: '' }
      expect(json((await store.range({ keysOnly: true })).kvs)).toEqual([bare])
      expect(json(await store.txn({ success: [get('a'), range({ countOnly: true })] }))).toEqual({
        succeeded: true,
        revision: '2',
        results: [
          { type: 'get', kv: rowOf('a', '1') },
          { type: 'range', kvs: [], count: '1', more: false },
        ],
      })
      expect(json(await store.delete('a', { previous: true }))).toEqual({
        deleted: '1',
        revision: '3',
        previous: [rowOf('a', '1')],
      })
      expect(json(await store.status())).toMatchObject({ revision: '3' })
    })
  })

  test('gives base64 for bytes, and a JSON value as it is', async () => {
    await withStore(backend, async (store: StoreOf<'utf8'>) => {
      await store.put('a', new Uint8Array([255]))
      const bytes = await store.get('a', { encoding: 'bytes' })
      expect(json(bytes)).toEqual(rowOf('YQ==', '/w=='))
    })
    await withEncoding(backend, 'json', async (store) => {
      await store.put('a', { n: 1, list: [2] })
      expect(json(await store.get('a'))).toEqual(rowOf('a', { n: 1, list: [2] }))
    })
  })
}
