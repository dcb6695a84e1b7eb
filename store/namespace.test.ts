import { once } from 'node:events'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { KvError, isKvError } from '../base/errors.ts'
import { namespace } from './namespace.ts'
import { compare, del, get, put, range, txnOp } from './op.ts'
import { open } from './open.ts'
import { queue, tryLock } from './recipes/index.ts'
import type { BuiltLocalStore, BuiltStore } from './types.ts'
import type { WatchBatch } from './types/watch.ts'

function openText(): Promise<BuiltLocalStore<string>> {
  return open(':memory:')
}

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  const error: unknown = await call.then(
    () => 'not refused',
    (reason: unknown) => reason,
  )
  return error instanceof KvError ? error.code : error
}

async function keysOf(store: BuiltStore<unknown, unknown>): Promise<string[]> {
  const { kvs } = await store.range({ encoding: 'bytes' })
  return kvs.map(({ key }) => Buffer.from(key).toString('latin1'))
}

function linesOf({ events }: WatchBatch): string[] {
  return events.map((event) => (event.type === 'put' ? `put ${event.kv.key}` : `del ${event.key}`))
}

const CHAT = ['chat', 'chat/', 'chat/a', 'chat/b', 'chat0', 'chas/', 'a', 'b']

describe('namespace()', () => {
  test('names the keys that begin with its prefix, and no others', async () => {
    await using store = await openText()
    for (const key of CHAT) await store.put(key, key)
    const chat = namespace(store, 'chat/')
    expect(await keysOf(chat)).toEqual(['a', 'b'])
    expect((await chat.get('a'))?.value).toBe('chat/a')
    expect(await chat.get('chat/a')).toBeUndefined()
    expect((await chat.range({ fromKey: '' })).count).toBe(2)
    expect((await chat.range({ start: '', end: 'b' })).count).toBe(1)
    expect((await chat.range({ start: '', end: '\0' })).count).toBe(0)
    expect(await codeOf(chat.get(''))).toBe('KV_KEY_EMPTY')
    expect((await chat.delete({ prefix: '' })).deleted).toBe(2)
    expect(await keysOf(store)).toEqual(['a', 'b', 'chas/', 'chat', 'chat/', 'chat0'])
  })

  test('ends where its prefix does, also where that is a byte of 0xff', async () => {
    await using store = await open(':memory:', { encoding: 'bytes' })
    const all = [[0x61], [0x61, 0xff], [0x61, 0xff, 0], [0x61, 0xff, 0xff], [0x62], [0x62, 0]]
    for (const key of [...all, [0xff], [0xff, 0xff], [0xff, 0xff, 0xff]]) {
      await store.put(Uint8Array.from(key), '')
    }
    const first = namespace(store, Uint8Array.from([0x61, 0xff]))
    expect(await keysOf(first)).toEqual(['\0', '\xff'])
    const last = namespace(store, Uint8Array.from([0xff]))
    expect(await keysOf(last)).toEqual(['\xff', '\xff\xff'])
    expect(await keysOf(namespace(last, Uint8Array.from([0xff])))).toEqual(['\xff'])
    expect(await keysOf(namespace(store, ''))).toHaveLength(9)
    expect((await first.delete({ fromKey: '' })).deleted).toBe(2)
    expect((await last.delete({ prefix: '' })).deleted).toBe(2)
    expect((await store.range({ countOnly: true })).count).toBe(5)
  })

  test('shows its own names everywhere: in entries, events, leases and JSON', async () => {
    await using store = await openText()
    const chat = namespace(namespace(store, 'é'), 'chat/')
    await chat.grant({ ttlSeconds: 3600, id: 7n })
    const watch = chat.watch({ previous: true, startRevision: 1 })
    await chat.put('a', '1', { lease: 7n })
    const { previous } = await chat.put('a', '2', { previous: true, ignoreLease: true })
    const { results } = await chat.txn({
      compare: [compare('a').value('=', '2'), compare({ prefix: '' }).version('<', 3)],
      success: [get('a'), range(), txnOp({ success: [get('a')] }), del('a', { previous: true })],
    })
    const seen: string[] = []
    for await (const { events } of watch) {
      seen.push(...events.map((event) => JSON.stringify(event)))
      if (seen.length === 3) break
    }
    const shown = JSON.stringify({ previous, results, seen, info: await chat.lease(7n) })
    expect(shown).not.toContain('chat/')
    expect(shown.split('\\"key\\":\\"a\\"')).toHaveLength(6)
    expect(shown.split('"key":"a"')).toHaveLength(6)
    expect(await keysOf(store)).toEqual([])
  })

  test("passes over its neighbours' events", async () => {
    await using store = await openText()
    const chat = namespace(store, 'chat/')
    const watch = chat.watch()
    for (const key of CHAT) await store.put(key, '')
    await store.delete({ prefix: 'cha' })
    const seen: string[] = []
    for await (const batch of watch) {
      seen.push(...linesOf(batch))
      if (seen.length === 4) break
    }
    expect(seen).toEqual(['put a', 'put b', 'del a', 'del b'])
  })

  test('writes with transact what others see behind the prefix', async () => {
    await using store = await openText()
    const chat = namespace(store, 'chat/')
    await store.put('count', 'not mine')
    const add = async (): Promise<unknown> =>
      await chat.transact(async (t) => {
        const found = await t.range({ prefix: 'count' })
        t.put('count', `${Number((await t.get('count'))?.value ?? 0) + found.length + 1}`)
        t.delete({ start: 'old', end: 'ole' })
      })
    await store.put('chat/old', 'x')
    await Promise.all([add(), add(), add()])
    expect((await store.range()).kvs.map((kv) => `${kv.key}=${kv.value}`)).toEqual([
      'chat/count=5',
      'count=not mine',
    ])
  })

  test("lists a lease's own keys, while the lease is the store's", async () => {
    await using store = await openText()
    const [chat, mail] = [namespace(store, 'chat/'), namespace(store, 'mail/')]
    const lease = await chat.grant({ ttlSeconds: 3600 })
    for (const key of ['chat/', 'chat/a', 'mail/b', 'c']) await store.put(key, '', { lease })
    expect((await chat.lease(lease, { keys: true }))?.keys).toEqual(['a'])
    expect((await mail.lease(lease, { keys: true }))?.keys).toEqual(['b'])
    expect(await mail.leases()).toEqual([lease.id])
    await mail.revoke(lease)
    expect(await keysOf(store)).toEqual([])
  })

  test('carries the recipes', async () => {
    await using store = await openText()
    const [one, two] = [namespace(store, '1/'), namespace(store, '2/')]
    await using held = await tryLock(one, 'job', { ttlSeconds: 60 })
    await using other = await tryLock(two, 'job', { ttlSeconds: 60 })
    expect([held, other, await tryLock(one, 'job')].map((found) => found !== undefined)).toEqual([
      true,
      true,
      false,
    ])
    await queue(one, 'mails').push('hello')
    expect(await queue(two, 'mails').size()).toBe(0)
    expect((await queue(one, 'mails').tryTake())?.value).toBe('hello')
  })

  test('has the type of the store', async () => {
    await using store = await open(':memory:', { encoding: 'bytes' })
    expectTypeOf(namespace(store, 'a')).toEqualTypeOf<BuiltStore<Uint8Array, Uint8Array>>()
    await using text = await openText()
    expectTypeOf(namespace(text, 'a')).toEqualTypeOf<BuiltStore>()
  })
})

describe('a prefix', () => {
  test('is text or bytes, and copied', async () => {
    await using store = await openText()
    for (const wrong of [undefined, null, 1, {}, '\ud800']) {
      expect(() => namespace(store, wrong as string)).toThrow(/^prefix: /)
      expect(() => namespace(store, wrong as string)).toThrow(TypeError)
    }
    const bytes = Uint8Array.from([0x61])
    const a = namespace(store, bytes)
    bytes[0] = 0x62
    await a.put('x', '')
    expect(await keysOf(store)).toEqual(['ax'])
  })

  test('that is no text is for bytes, and KV_DECODE for text', async () => {
    await using store = await openText()
    // With the byte behind it a character; so the store itself can read the whole key.
    const half = namespace(store, Uint8Array.from([0xc3]))
    const rest = Uint8Array.from([0xa9])
    await half.put(rest, '1')
    expect((await store.get('é'))?.value).toBe('1')
    expect((await half.get(rest, { encoding: 'bytes' }))?.key).toEqual(rest)
    expect(await codeOf(half.get(rest))).toBe('KV_DECODE')
    expect(await codeOf(half.range())).toBe('KV_DECODE')
    const scan = half.scan()
    expect(await codeOf(scan.next())).toBe('KV_DECODE')
    expect(await scan.next()).toEqual({ done: true, value: undefined })
    const watch = half.watch({ startRevision: 1 })[Symbol.asyncIterator]()
    expect(await codeOf(watch.next())).toBe('KV_DECODE')
    expect(await watch.next()).toEqual({ done: true, value: undefined })
    const lease = await half.grant({ ttlSeconds: 3600 })
    await store.put('e', '', { lease })
    expect((await half.lease(lease, { keys: true }))?.keys).toEqual([])
    const error: unknown = await half.put(rest, '2', { previous: true }).catch((e: unknown) => e)
    expect(isKvError(error, 'KV_DECODE') && error.outcome).toBe('unknown')
    expect((await store.get('é'))?.value).toBe('2')
  })
})

describe('a namespace that is closed', () => {
  test('leaves the store open, and other namespaces of it', async () => {
    await using store = await openText()
    const [one, two] = [namespace(store, '1/'), namespace(store, '2/')]
    await one.close()
    await one.close()
    await two.put('a', '1')
    expect(await keysOf(store)).toEqual(['2/a'])
    for (const call of [
      one.put('a', '1'),
      one.delete({ prefix: '' }),
      one.transact(() => 1),
      one.compact(1),
      one.disarm(),
      one.disarm({ type: 'NOSPACE' }, { signal: new AbortController().signal }),
      one.hashKV(),
      one.alarms(),
      one.grant({ ttlSeconds: 60 }),
    ]) {
      expect(await codeOf(call)).toBe('KV_CLOSED')
    }
    expect(await codeOf(one.get('a', { signal: AbortSignal.abort('no') }))).toBe('KV_CLOSED')
    expect(await keysOf(store)).toEqual(['2/a'])
    expect(await store.leases()).toEqual([])
  })

  test('has ended its watches, its scans and its keeping alive, and only those', async () => {
    await using store = await openText()
    const lease = await store.grant({ ttlSeconds: 3600 })
    const chat = namespace(store, 'chat/')
    for (const key of CHAT) await store.put(key, '')
    const [watch, other] = [chat.watch(), store.watch()]
    const scan = chat.scan()
    const kept = chat.keepAlive(lease)
    await scan.next()
    const written = chat.put('c', '1')
    await chat.close()
    await written
    const seen: string[] = []
    for await (const batch of watch) seen.push(...linesOf(batch))
    expect(seen).toEqual(['put c'])
    expect(await codeOf(scan.next())).toBe('KV_CLOSED')
    expect(await scan.next()).toEqual({ done: true, value: undefined })
    if (!kept.lost.aborted) await once(kept.lost, 'abort')
    expect(isKvError(kept.lost.reason, 'KV_CLOSED')).toBe(true)
    expect(await store.leases()).toEqual([lease.id])
    for await (const batch of other) {
      expect(linesOf(batch)).toEqual(['put chat/c'])
      break
    }
  })

  test('is not waited for by a transaction in it, which is KV_CLOSED', async () => {
    await using store = await openText()
    const chat = namespace(store, 'chat/')
    const call = chat.transact(async (t) => {
      await chat.close()
      t.put('a', '1')
    })
    expect(await codeOf(call)).toBe('KV_CLOSED')
    expect(await keysOf(store)).toEqual([])
  })

  test('is closed with the store beneath, too', async () => {
    const store = await openText()
    const chat = namespace(store, 'chat/')
    await store.close()
    expect(await codeOf(chat.get('a'))).toBe('KV_CLOSED')
    await chat.close()
  })
})

describe('transactions in a namespace', () => {
  test('are refused beyond a depth, and nothing beyond it is reached', async () => {
    await using store = await open(':memory:', { maxTxnOps: 1000 })
    const chat = namespace(store, 'chat/')
    let request = txnOp({ success: [put('deep', '1')] })
    for (let i = 0; i < 300; i++) request = txnOp({ success: [request] })
    expect(await codeOf(chat.txn(request))).not.toBe('not refused')
    expect(await codeOf(chat.txn({ success: [request] }))).toBe('KV_TXN_TOO_MANY_OPS')
    expect(await keysOf(store)).toEqual([])
  })

  test('read what a getter gives once', async () => {
    await using store = await openText()
    const chat = namespace(store, 'chat/')
    let reads = 0
    const op = {
      type: 'put',
      get key(): string {
        reads++
        return reads === 1 ? 'mine' : '../outside'
      },
      value: '1',
    } as const
    await chat.txn({ success: [op] })
    expect([reads, await keysOf(store)]).toEqual([1, ['chat/mine']])
  })
})
