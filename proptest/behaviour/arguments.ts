/** Wrong arguments: docs/decisions/0003-store-arguments.md, case by case. */
import { describe, expect, test } from 'vitest'
import type { Backend, StoreOf } from './backend.ts'
import { refusalOf, revisionOf, withStore } from './backend.ts'

/** A `Store` as plain JavaScript sees it: nothing keeps the caller from passing anything. */
interface Untyped {
  get(...args: unknown[]): Promise<unknown>
  range(...args: unknown[]): Promise<unknown>
  scan(...args: unknown[]): unknown
  watch(...args: unknown[]): unknown
  put(...args: unknown[]): Promise<unknown>
  delete(...args: unknown[]): Promise<unknown>
  txn(...args: unknown[]): Promise<unknown>
  status(...args: unknown[]): Promise<unknown>
}

type Method = keyof Untyped

interface Slip {
  readonly call: readonly [Method, ...unknown[]]
  readonly error: 'TypeError' | 'RangeError'
  /** How the message begins. */
  readonly about: string
}

const type = (about: string, ...call: readonly [Method, ...unknown[]]): Slip => {
  return { call, error: 'TypeError', about }
}

const value = (about: string, ...call: readonly [Method, ...unknown[]]): Slip => {
  return { call, error: 'RangeError', about }
}

const LONE_SURROGATES = ['\ud800', 'a\udfff', '\udc00\ud800', '\ud83dx'] as const

const NO_TEXT: readonly unknown[] = [
  undefined,
  null,
  1,
  1n,
  true,
  {},
  [],
  [1],
  Symbol('key'),
  new ArrayBuffer(1),
]

const KEY_SLIPS: readonly Slip[] = [
  ...NO_TEXT.flatMap((key) => [
    type('key', 'get', key),
    type('key', 'put', key, 'x'),
    type('success[0].key', 'txn', { success: [{ type: 'get', key }] }),
    type('success[0].key', 'txn', { success: [{ type: 'put', key, value: 'x' }] }),
  ]),
  ...[undefined, null, 1, true, [], Symbol('key')].map((keys) => type('keys', 'delete', keys)),
  ...LONE_SURROGATES.flatMap((text) => [
    type('key', 'get', text),
    type('key', 'put', text, 'x'),
    type('value', 'put', 'a', text),
    type('keys', 'delete', text),
    type('prefix', 'delete', { prefix: text }),
    type('prefix', 'range', { prefix: text }),
    type('fromKey', 'scan', { fromKey: text }),
    type('success[1].value', 'txn', {
      success: [
        { type: 'get', key: 'a' },
        { type: 'put', key: 'a', value: text },
      ],
    }),
    type('compare[0].value', 'txn', {
      compare: [{ key: 'a', target: 'value', operator: '=', value: text }],
    }),
  ]),
  ...NO_TEXT.map((text) => type('value', 'put', 'a', text)),
  type('value', 'put', 'a'),
]

/** Ways to name keys that are wrong wherever keys are named. */
const KEY_RANGES: readonly (readonly ['TypeError' | 'RangeError', string, object])[] = [
  ['RangeError', 'start', { start: 'b', end: 'b' }],
  ['RangeError', 'start', { start: 'c', end: 'b' }],
  ['RangeError', 'start', { start: '', end: '' }],
  // Above in UTF-8, below in UTF-16.
  ['RangeError', 'start', { start: '\u{1f600}', end: '\uff5e' }],
  ['TypeError', 'start', { start: 'a' }],
  ['TypeError', 'end', { end: 'a' }],
  ['TypeError', '', { start: 'a', end: undefined }],
  ['TypeError', '', { key: 'a', prefix: 'a' }],
  ['TypeError', '', { prefix: 'a', start: 'a', end: 'b' }],
  ['TypeError', '', { prefix: 'a', fromKey: 'a' }],
  ['TypeError', '', { key: 'a', end: 'b' }],
  ['TypeError', '', { start: 'a', end: 'b', fromKey: 'a' }],
  ['TypeError', 'key', { key: null }],
  ['TypeError', 'prefix', { prefix: 1 }],
  ['TypeError', 'start', { start: 1, end: 'b' }],
  ['TypeError', 'end', { start: 'a', end: true }],
  ['TypeError', 'fromKey', { fromKey: {} }],
  ['TypeError', 'prefx', { prefx: 'a', key: 'a' }],
]

const RANGE_SLIPS: readonly Slip[] = KEY_RANGES.flatMap(([error, about, keys]) => {
  const at = (path: string): string => [path, about].filter((part) => part !== '').join('.')
  return [
    { error, about: at(''), call: ['range', keys] },
    { error, about: at(''), call: ['scan', keys] },
    { error, about: at(''), call: ['watch', keys] },
    { error, about: at(''), call: ['delete', keys] },
    { error, about: at('success[0]'), call: ['txn', { success: [{ type: 'range', ...keys }] }] },
    { error, about: at('failure[0]'), call: ['txn', { failure: [{ type: 'delete', ...keys }] }] },
    {
      error,
      about: at('compare[0]'),
      call: ['txn', { compare: [{ target: 'version', operator: '=', value: 0, ...keys }] }],
    },
  ]
})

const NO_OPTIONS: readonly unknown[] = [
  null,
  1,
  'options',
  true,
  [],
  new Uint8Array(1),
  (): void => {},
]

const OPTION_SLIPS: readonly Slip[] = [
  ...NO_OPTIONS.flatMap((options) => [
    type('options', 'get', 'a', options),
    type('options', 'range', options),
    type('options', 'scan', options),
    type('options', 'watch', options),
    type('options', 'put', 'a', 'x', options),
    type('options', 'delete', 'a', options),
    type('options', 'txn', {}, options),
    type('options', 'status', options),
  ]),
  type('keysOnly', 'get', 'a', { keysOnly: true }),
  type('limt', 'range', { limt: 1 }),
  type('sortBy', 'scan', { sortBy: 'key' }),
  type('countOnly', 'scan', { countOnly: true }),
  type('revision', 'watch', { revision: 2 }),
  type('ttl', 'put', 'a', 'x', { ttl: 1 }),
  type('prefix', 'delete', 'a', { prefix: 'a' }),
  type('revision', 'txn', {}, { revision: 1 }),
  type('revision', 'status', { revision: 1 }),
  ...['range', 'scan'].flatMap((method) => {
    const name = method === 'range' ? 'range' : 'scan'
    return [
      ...[0, -1, -Infinity, 1.5, Number.NaN, 2 ** 53].map((limit) =>
        value('limit', name, { limit }),
      ),
      ...['1', 1n, null, true].map((limit) => type('limit', name, { limit })),
      value('order', name, { order: 'up' }),
      type('order', name, { order: 1 }),
      type('keysOnly', name, { keysOnly: 1 }),
      type('serializable', name, { serializable: 'yes' }),
      value('minModRevision', name, { minModRevision: 0 }),
      value('maxModRevision', name, { maxModRevision: -1 }),
      value('minCreateRevision', name, { minCreateRevision: 0.5 }),
      type('maxCreateRevision', name, { maxCreateRevision: '1' }),
    ]
  }),
  value('sortBy', 'range', { sortBy: 'size' }),
  type('sortBy', 'range', { sortBy: null }),
  type('countOnly', 'range', { countOnly: 'yes' }),
  ...[0, -1, 1.5, Number.NaN, Infinity, 2 ** 53].flatMap((revision) => [
    value('revision', 'get', 'a', { revision }),
    value('revision', 'range', { revision }),
    value('revision', 'scan', { revision }),
    value('startRevision', 'watch', { startRevision: revision }),
    value('success[0].revision', 'txn', { success: [{ type: 'get', key: 'a', revision }] }),
  ]),
  ...['1', 1n, null, {}].map((revision) => type('revision', 'get', 'a', { revision })),
  value('encoding', 'get', 'a', { encoding: 'latin1' }),
  type('encoding', 'range', { encoding: 8 }),
  value('encoding', 'put', 'a', 'x', { encoding: '' }),
  value('encoding', 'delete', 'a', { encoding: 'UTF8' }),
  value('encoding', 'txn', {}, { encoding: 'text' }),
  type('signal', 'get', 'a', { signal: new AbortController() }),
  type('signal', 'range', { signal: {} }),
  type('signal', 'scan', { signal: null }),
  type('signal', 'watch', { signal: {} }),
  type('startRevision', 'watch', { startRevision: 2n }),
  type('previous', 'watch', { previous: 1 }),
  type('progress', 'watch', { progress: 'yes' }),
  type('only', 'watch', { only: true }),
  value('only', 'watch', { only: 'puts' }),
  value('encoding', 'watch', { encoding: 'utf7' }),
  type('signal', 'put', 'a', 'x', { signal: 'abort' }),
  type('signal', 'delete', 'a', { signal: true }),
  type('signal', 'txn', {}, { signal: 1 }),
]

const WRITE_SLIPS: readonly Slip[] = [
  type('value', 'put', 'a', 'x', { ignoreValue: true }),
  type('value', 'put', 'a', '', { ignoreValue: true }),
  type('value', 'put', 'a', undefined, { ignoreValue: false }),
  type('value', 'put', 'a', undefined, { ignoreLease: true }),
  type('ignoreValue', 'put', 'a', undefined, { ignoreValue: 1 }),
  type('ignoreLease', 'put', 'a', 'x', { ignoreLease: null }),
  type('previous', 'put', 'a', 'x', { previous: 'yes' }),
  type('previous', 'delete', 'a', { previous: 1 }),
  type('lease', 'put', 'a', 'x', { lease: 1n, ignoreLease: true }),
  type('lease', 'put', 'a', 'x', { lease: 1 }),
  type('lease', 'put', 'a', 'x', { lease: '1' }),
  type('lease', 'put', 'a', 'x', { lease: null }),
  type('lease', 'put', 'a', 'x', { lease: { id: 1 } }),
  type('lease', 'put', 'a', 'x', { lease: {} }),
  value('lease', 'put', 'a', 'x', { lease: 2n ** 63n }),
  value('lease', 'put', 'a', 'x', { lease: -(2n ** 63n) - 1n }),
  type('keys', 'delete', {}),
  type('keys', 'delete', { prefix: undefined }),
  type('limit', 'delete', { prefix: 'a', limit: 1 }),
]

const op = (error: Slip['error'], field: string, fields: unknown): Slip[] => {
  const about = field === '' ? 'success[0]' : `success[0].${field}`
  return [
    { error, about, call: ['txn', { success: [fields] }] },
    { error, about: about.replace('success', 'failure'), call: ['txn', { failure: [fields] }] },
  ]
}

const comparison = (error: Slip['error'], field: string, fields: unknown): Slip => {
  const about = field === '' ? 'compare[0]' : `compare[0].${field}`
  return { error, about, call: ['txn', { compare: [fields] }] }
}

const KEY_A = { key: 'a', target: 'version', operator: '=', value: 1 }

const TXN_SLIPS: readonly Slip[] = [
  ...[undefined, null, 1, 'txn', []].map((request) => type('request', 'txn', request)),
  type('succes', 'txn', { succes: [] }),
  type('success', 'txn', { success: {} }),
  type('failure', 'txn', { failure: 'none' }),
  type('compare', 'txn', { compare: null }),
  ...[undefined, null, 1, 'put', []].flatMap((item) => op('TypeError', '', item)),
  ...op('TypeError', 'type', { key: 'a' }),
  ...op('TypeError', 'type', { type: 1 }),
  ...op('RangeError', 'type', { type: 'swap', key: 'a' }),
  ...op('TypeError', 'limit', { type: 'get', key: 'a', limit: 1 }),
  ...op('TypeError', 'prefix', { type: 'get', key: 'a', prefix: 'a' }),
  ...op('TypeError', 'signal', {
    type: 'put',
    key: 'a',
    value: 'x',
    signal: undefined,
    ttl: 1,
  }).map((slip) => ({ ...slip, about: slip.about.replace('signal', 'ttl') })),
  ...op('TypeError', 'encoding', { type: 'put', key: 'a', value: 'x', encoding: 'utf8' }),
  ...op('TypeError', 'value', { type: 'put', key: 'a' }),
  ...op('TypeError', 'value', { type: 'put', key: 'a', value: 'x', ignoreValue: true }),
  ...op('TypeError', 'lease', { type: 'put', key: 'a', value: 'x', lease: 1n, ignoreLease: true }),
  ...op('TypeError', 'previous', { type: 'delete', key: 'a', previous: 'no' }),
  ...op('TypeError', '', { type: 'delete' }),
  ...op('RangeError', 'limit', { type: 'range', prefix: 'a', limit: 0 }),
  ...op('RangeError', 'sortBy', { type: 'range', sortBy: 'size' }),
  ...op('TypeError', 'keysOnly', { type: 'range', keysOnly: 'no' }),
  ...[undefined, null, 1, []].map((item) => comparison('TypeError', '', item)),
  comparison('TypeError', '', { target: 'version', operator: '=', value: 1 }),
  comparison('TypeError', 'target', { ...KEY_A, target: undefined }),
  comparison('RangeError', 'target', { ...KEY_A, target: 'mod' }),
  comparison('TypeError', 'operator', { ...KEY_A, operator: undefined }),
  comparison('RangeError', 'operator', { ...KEY_A, operator: '==' }),
  comparison('RangeError', 'operator', { ...KEY_A, operator: '>=' }),
  comparison('TypeError', 'value', { ...KEY_A, value: undefined }),
  comparison('TypeError', 'value', { ...KEY_A, value: '1' }),
  comparison('TypeError', 'value', { ...KEY_A, value: 1n }),
  comparison('RangeError', 'value', { ...KEY_A, value: -1 }),
  comparison('RangeError', 'value', { ...KEY_A, value: 0.5 }),
  comparison('TypeError', 'value', { ...KEY_A, target: 'value', value: 1 }),
  comparison('TypeError', 'value', { ...KEY_A, target: 'lease', value: 1 }),
  comparison('TypeError', 'result', { ...KEY_A, result: '=' }),
]

/** The value that the tests look for in messages: values are never shown. */
const SECRET = 'a secret value'

export function argumentCases(backend: Backend): void {
  describe('wrong arguments', () => {
    const groups = { KEY_SLIPS, RANGE_SLIPS, OPTION_SLIPS, WRITE_SLIPS, TXN_SLIPS }
    const names = {
      KEY_SLIPS: 'of keys and values',
      RANGE_SLIPS: 'of ranges',
      OPTION_SLIPS: 'of options',
      WRITE_SLIPS: 'of writes',
      TXN_SLIPS: 'of transactions',
    }
    for (const group of [
      'KEY_SLIPS',
      'RANGE_SLIPS',
      'OPTION_SLIPS',
      'WRITE_SLIPS',
      'TXN_SLIPS',
    ] as const) {
      test(`${names[group]} are refused by name, and nothing is written`, async () => {
        await withStore(backend, async (store) => {
          await store.put('a', '1')
          const got: string[] = []
          for (const slip of groups[group]) got.push(await outcomeOf(store, slip))
          expect(got).toEqual(groups[group].map((slip) => wanted(slip)))
          expect(await revisionOf(store)).toBe(2)
        })
      })
    }

    test('come to light before a closed store, an aborted signal, an empty key', async () => {
      await withStore(backend, async (store) => {
        await store.close()
        const slips = [
          type('revision', 'get', '', { revision: 'x', signal: AbortSignal.abort() }),
          value('limit', 'range', { limit: -1, signal: AbortSignal.abort() }),
          type('value', 'put', '', 5, { signal: AbortSignal.abort() }),
          type('success[1].value', 'txn', {
            success: [
              { type: 'get', key: '' },
              { type: 'put', key: '', value: 5 },
            ],
          }),
        ]
        for (const slip of slips) expect(await outcomeOf(store, slip)).toBe(wanted(slip))
      })
    })

    test('are never repeated whole in the message', async () => {
      await withStore(backend, async (store) => {
        const untyped: Untyped = asUntyped(store)
        const error = await refusalOf(() => untyped.put('a', `${SECRET}\ud800`))
        expect(String(error)).not.toContain(SECRET)
      })
    })
  })
}

function asUntyped(store: StoreOf<'utf8'>): Untyped {
  return store
}

function nameOf(slip: Slip): string {
  const shown = slip.call.slice(1).map((arg) => describeArgument(arg))
  return `${slip.call[0]}(${shown.join(', ')})`
}

function describeArgument(arg: unknown): string {
  if (typeof arg === 'object' && arg !== null && !Array.isArray(arg)) {
    if (arg instanceof AbortController) return 'AbortController'
    const entries = Object.entries(arg).map(([key, inner]) => `${key}: ${describeArgument(inner)}`)
    return `{ ${entries.join(', ')} }`
  }
  if (Array.isArray(arg)) return `[${arg.map((inner) => describeArgument(inner)).join(', ')}]`
  if (typeof arg === 'string') return JSON.stringify(arg)
  return typeof arg === 'bigint' ? `${arg}n` : String(arg)
}

function wanted(slip: Slip): string {
  return `${nameOf(slip)} → ${slip.error} about ${slip.about}`
}

/** The same line, of what came in fact. */
async function outcomeOf(store: StoreOf<'utf8'>, slip: Slip): Promise<string> {
  const untyped = asUntyped(store)
  const [method, ...args] = slip.call
  let result: unknown
  try {
    result = untyped[method](...args)
  } catch (error) {
    // Only what returns no promise may throw at once.
    return `${nameOf(slip)} → ${throwsAtOnce(method) ? '' : 'threw '}${outcome(error, slip)}`
  }
  if (throwsAtOnce(method)) return `${nameOf(slip)} → was not refused at once`
  try {
    await result
    return `${nameOf(slip)} → was not refused`
  } catch (error) {
    return `${nameOf(slip)} → ${outcome(error, slip)}`
  }
}

function throwsAtOnce(method: Method): boolean {
  return method === 'scan' || method === 'watch'
}

function outcome(error: unknown, slip: Slip): string {
  if (!(error instanceof TypeError || error instanceof RangeError)) return String(error)
  const { message, name } = error
  // The name must end where the message's first word does: `limit:`, not `limited`.
  const rest = message.slice(slip.about.length)
  const isAbout = message.startsWith(slip.about) && !/^\w/.test(rest)
  return `${name} about ${isAbout || slip.about === '' ? slip.about : message}`
}
