/**
 * The example of the design and other use, compiled against the whole interfaces. `npm run types`
 * is the test of the types; what runs here is only the constructors.
 */
import { describe, expect, expectTypeOf, test } from 'vitest'
import { compare, del, get, put, range, txnOp } from './op.ts'
import type { BuiltLocalStore, LocalStore, Store } from './types.ts'
import type { KeyValue } from './types/key-value.ts'
import type { View } from './types/view.ts'
import type { WatchEvent } from './types/watch.ts'

interface Theme {
  readonly dark: boolean
}

declare const db: LocalStore<string>
declare const bytesDb: Store<Uint8Array, Uint8Array>
declare const themes: Store<Theme>
declare const signal: AbortSignal

async function example(seen: (events: readonly WatchEvent[]) => void): Promise<void> {
  const { revision } = await db.put('config/theme', 'dark')
  await db.get('config/theme')
  await db.get('config/theme', { revision })
  await db.txn({
    compare: [compare('config/theme').value('=', 'dark')],
    success: [put('config/theme', 'light')],
    failure: [get('config/theme')],
  })
  await db.transact(async (t) => {
    const kv = await t.get('config/theme')
    t.put('config/theme', kv?.value === 'dark' ? 'light' : 'dark')
  })
  for await (const { events } of db.watch({ prefix: 'config/', startRevision: revision, signal })) {
    seen(events)
  }
  const lease = await db.grant({ ttlSeconds: 10 })
  await db.put('up/node-1', '…', { lease })
  using view = db.view()
  view.get('config/theme')
  for (const kv of view.scan({ prefix: 'config/' })) expectTypeOf(kv).toEqualTypeOf<KeyValue>()
  await db.close()
}

async function moreUse(): Promise<void> {
  const kv = await db.get('a')
  expectTypeOf(kv).toEqualTypeOf<KeyValue<string, string> | undefined>()
  expectTypeOf(await db.get('a', { encoding: 'bytes' })).toEqualTypeOf<
    KeyValue<Uint8Array, Uint8Array> | undefined
  >()
  expectTypeOf((await db.range({ keysOnly: true })).kvs).toEqualTypeOf<
    readonly KeyValue<undefined, string>[]
  >()
  expectTypeOf((await bytesDb.range({ prefix: 'a', limit: 3 })).kvs).toEqualTypeOf<
    readonly KeyValue<Uint8Array, Uint8Array>[]
  >()
  for await (const entry of themes.scan({ fromKey: 'a' })) {
    expectTypeOf(entry).toEqualTypeOf<KeyValue<Theme, string>>()
  }
  await themes.put('a', { dark: true })
  await themes.put('a', undefined, { ignoreValue: true })
  await themes.txn({ success: [put('a', { dark: true }), txnOp({ success: [del('b')] })] })
  await db.put('a', { any: 'thing' }, { encoding: 'json' })
  await bytesDb.put(new Uint8Array([1]), 'text goes in as bytes')
  await db.delete({ prefix: 'up/' })
  // @ts-expect-error a value is needed
  await db.put('a')
  // @ts-expect-error undefined is no value
  await db.put('a', undefined)
  // @ts-expect-error a number is no text
  await db.put('a', 1)
  // @ts-expect-error not a theme
  await themes.put('a', { light: true })
  // @ts-expect-error not a theme
  await themes.txn({ success: [put('a', 'light')] })
  // @ts-expect-error no such option
  await db.range({ limt: 5 })
  // @ts-expect-error no such option
  await db.get('a', { keysOnly: true })
  // @ts-expect-error no such encoding
  await db.get('a', { encoding: 'latin1' })
  expectTypeOf<Extract<'put', keyof View>>().toEqualTypeOf<never>()
}

async function todaysStore(today: BuiltLocalStore): Promise<void> {
  await using store = today
  await store.put('a', 'b')
  // Whoever asks for today's store is content with the whole one.
  await todaysStore(db)
}

test('the types hold', () => {
  expectTypeOf(example).toBeFunction()
  expectTypeOf(moreUse).toBeFunction()
  expectTypeOf(todaysStore).toBeFunction()
  expectTypeOf<Extract<'check', keyof BuiltLocalStore>>().toEqualTypeOf<never>()
  // Nothing public may be awaited by accident.
  expectTypeOf<Extract<'then', keyof LocalStore>>().toEqualTypeOf<never>()
})

describe('the constructors', () => {
  test('put(), get(), range(), del() and txnOp() return plain frozen data', () => {
    const ops = [
      put('a', 'b', { previous: true }),
      get('a', { revision: 3 }),
      range({ prefix: 'a', limit: 2 }),
      del('a', { previous: true }),
      del({ start: 'a', end: 'c' }),
      txnOp({ success: [put('a', 'b')] }),
    ]
    expect(ops).toEqual([
      { type: 'put', key: 'a', value: 'b', previous: true },
      { type: 'get', key: 'a', revision: 3 },
      { type: 'range', prefix: 'a', limit: 2 },
      { type: 'delete', key: 'a', previous: true },
      { type: 'delete', start: 'a', end: 'c' },
      { type: 'txn', success: [{ type: 'put', key: 'a', value: 'b' }] },
    ])
    for (const op of ops) expect(Object.isFrozen(op)).toBe(true)
  })

  test('compare() names the key or the range, the target, the operator and the value', () => {
    expect([
      compare('a').value('=', 'b'),
      compare('a').version('>', 1),
      compare({ prefix: 'a/' }).createRevision('=', 0),
      compare('a').modRevision('<', 7),
      compare('a').lease('!=', { id: 5n }),
    ]).toEqual([
      { key: 'a', target: 'value', operator: '=', value: 'b' },
      { key: 'a', target: 'version', operator: '>', value: 1 },
      { prefix: 'a/', target: 'createRevision', operator: '=', value: 0 },
      { key: 'a', target: 'modRevision', operator: '<', value: 7 },
      { key: 'a', target: 'lease', operator: '!=', value: { id: 5n } },
    ])
    expect(Object.isFrozen(compare('a').value('=', 'b'))).toBe(true)
  })

  test('the constructors copy the bytes that they are given', () => {
    const buffer = new Uint8Array([1, 2])
    const ops = [
      put(buffer, buffer),
      get(buffer),
      del(buffer),
      range({ prefix: buffer }),
      compare(buffer).value('=', buffer),
      compare({ fromKey: buffer }).version('=', 0),
    ]
    const before = structuredClone(ops)
    buffer.fill(9)
    expect(ops).toEqual(before)
  })
})
