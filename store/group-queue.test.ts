import { describe, expect, test } from 'vitest'
import { isKvError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openEngine } from '../engine/index.ts'
import { get, put, range } from './op.ts'
import { openOn } from './open.ts'
import type { BuiltLocalStore } from './types.ts'

const DB = '/data/db'

function openAll(disk: MemoryDisk): Promise<BuiltLocalStore> {
  return openOn(disk, '/data')
}

/** The number of the file's newest commit, read from a copy of the disk. */
async function txidOf(disk: MemoryDisk): Promise<number> {
  const engine = await openEngine(DB, { disk: disk.clone(), readOnly: true })
  const { txid } = engine
  await engine.close()
  return txid
}

/** Every key at every revision, as text. */
async function history(store: BuiltLocalStore): Promise<string[]> {
  const { revision } = await store.status()
  const lines: string[] = []
  for (let at = 1; at <= revision; at++) {
    const { kvs } = await store.range({ revision: at })
    lines.push(`${at} ${kvs.map((kv) => `${kv.key}=${kv.value}`).join(' ')}`)
  }
  return lines
}

/** Codes and outcomes of what was rejected, revisions of what was not. */
async function outcomes(calls: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(calls)
  return settled.map((each) => {
    if (each.status === 'rejected') {
      const reason: unknown = each.reason
      return isKvError(reason) ? `${reason.code} ${reason.outcome}` : String(reason)
    }
    const { value } = each
    return typeof value === 'object' && value !== null && 'revision' in value
      ? value.revision
      : value
  })
}

describe('writes of one turn', () => {
  test('share one commit, each with its own revision, in the order of the calls', async () => {
    const disk = new MemoryDisk()
    await using store = await openAll(disk)
    const txid = await txidOf(disk)
    const order: number[] = []
    const calls = Array.from({ length: 50 }, (_, i) =>
      store.put('a', `${i}`).finally(() => order.push(i)),
    )
    expect(await outcomes(calls)).toEqual(Array.from({ length: 50 }, (_, i) => i + 2))
    expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect(await txidOf(disk)).toBe(txid + 1)
  })

  test('that come while a commit is under way share the next one', async () => {
    const disk = new MemoryDisk()
    await using store = await openAll(disk)
    const txid = await txidOf(disk)
    const first = store.put('a', '1')
    await new Promise((resolve) => setImmediate(resolve))
    const rest = [store.put('b', '1'), store.put('c', '1'), store.delete('a')]
    expect(await outcomes([first, ...rest])).toEqual([2, 3, 4, 5])
    expect(await txidOf(disk)).toBe(txid + 2)
  })

  test('do not concern each other when one fails on its own checks', async () => {
    await using store = await openAll(new MemoryDisk())
    const calls = [
      store.put('a', '1'),
      store.put('b', undefined, { ignoreValue: true }),
      store.txn({ success: [put('c', '1'), get('a', { revision: 77 })] }),
      store.put('d', '1', { lease: 5n }),
      store.put('e', '1'),
    ]
    expect(await outcomes(calls)).toEqual([
      2,
      'KV_KEY_NOT_FOUND none',
      'KV_FUTURE_REVISION none',
      'KV_LEASE_NOT_FOUND none',
      3,
    ])
    expect(await history(store)).toEqual(['1 ', '2 a=1', '3 a=1 e=1'])
  })

  test('are run again one by one when one fails half-way', async () => {
    const disk = new MemoryDisk()
    await using store = await openAll(disk)
    await store.put('bad', new Uint8Array([0xff]))
    const txid = await txidOf(disk)
    const calls = [
      store.put('a', '1'),
      // Written first, then a result that can't be decoded: the engine transaction is half changed.
      store.txn({ success: [put('b', '1'), range({ prefix: '' })] }),
      store.put('c', '1'),
    ]
    expect(await outcomes(calls)).toEqual([3, 'KV_DECODE none', 4])
    expect(await txidOf(disk)).toBe(txid + 2)
    const { kvs } = await store.range({ encoding: 'bytes' })
    expect(kvs.map((kv) => String.fromCharCode(...kv.key))).toEqual(['a', 'bad', 'c'])
    expect((await store.get('c'))?.modRevision).toBe(4)
  })

  test('see those before them', async () => {
    await using store = await openAll(new MemoryDisk())
    const calls = [
      store.put('a', '1'),
      store.put('a', '2', { previous: true }),
      store.delete('a', { previous: true }),
      store.delete('a'),
      store.put('a', '3', { previous: true }),
    ] as const
    const [, second, third, fourth, fifth] = await Promise.all(calls)
    expect(second.previous).toMatchObject({ value: '1', modRevision: 2, version: 1 })
    expect(third).toMatchObject({ deleted: 1, revision: 4 })
    expect(third.previous).toMatchObject([{ value: '2', version: 2 }])
    expect(fourth).toMatchObject({ deleted: 0, revision: 4 })
    expect(fifth).toMatchObject({ revision: 5, previous: undefined })
  })
})

describe('what is not durable', () => {
  test('is not visible', async () => {
    const disk = new MemoryDisk()
    await using store = await openAll(disk)
    await store.put('a', '1')
    let isDurable = false
    const writing = Promise.all([store.put('a', '2'), store.put('b', '1'), store.delete('a')]).then(
      () => {
        isDurable = true
      },
    )
    const scan = store.scan()
    let looks = 0
    while (!isDurable) {
      const found = await store.range()
      const { revision } = await store.status()
      if (revision > 2) break
      looks++
      expect(found).toMatchObject({ count: 1, revision: 2, kvs: [{ key: 'a', value: '1' }] })
      await expect(store.get('a', { revision: 3 })).rejects.toMatchObject({
        code: 'KV_FUTURE_REVISION',
      })
      await new Promise((resolve) => setImmediate(resolve))
    }
    await writing
    expect(looks).toBeGreaterThan(1)
    expect(await store.get('a')).toBeUndefined()
    const scanned: string[] = []
    for await (const kv of scan) scanned.push(kv.value)
    expect(scanned).toEqual(['1'])
  })
})

describe('a commit that fails', () => {
  test('in its last sync: the outcome is unknown, and the store is poisoned', async () => {
    const disk = new MemoryDisk()
    const store = await openAll(disk)
    await store.put('a', '1')
    disk.injectFault({ kind: 'sync', path: DB, skip: 1, code: 'EIO' })
    const calls = [store.put('a', '2'), store.put('b', '1'), store.delete('nothing')]
    expect(await outcomes(calls)).toEqual(Array(3).fill('KV_IO unknown'))
    for (const call of [
      (): Promise<unknown> => store.get('a'),
      (): Promise<unknown> => store.range(),
      (): Promise<unknown> => store.put('c', '1'),
      (): Promise<unknown> => store.txn({}),
      (): Promise<unknown> => store.status(),
      (): Promise<unknown> => store.scan().next(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'KV_POISONED' })
    }
    await store.close()
    await expect(store.get('a')).rejects.toMatchObject({ code: 'KV_CLOSED' })
    await using again = await openAll(disk)
    expect([2, 4]).toContain((await history(again)).length)
  })

  test('before its meta was written did not happen, whatever the disk keeps', async () => {
    const disk = new MemoryDisk()
    const store = await openAll(disk)
    await store.put('a', '1')
    disk.injectFault({ kind: 'sync', path: DB, code: 'EIO' })
    expect(await outcomes([store.put('a', '2'), store.put('b', '1')])).toEqual(
      Array(2).fill('KV_IO none'),
    )
    await store.close()
    await using again = await openAll(disk)
    expect(await history(again)).toEqual(['1 ', '2 a=1'])
  })

  test('rejects what was queued behind it with KV_POISONED', async () => {
    const disk = new MemoryDisk()
    const store = await openAll(disk)
    disk.injectFault({ kind: 'sync', path: DB, code: 'EIO' })
    const first = store.put('a', '1')
    await new Promise((resolve) => setImmediate(resolve))
    const second = store.put('b', '1')
    expect(await outcomes([first, second])).toEqual(['KV_IO none', 'KV_POISONED none'])
    await store.close()
  })

  test('for want of space rejects what did not fit and nothing else', async () => {
    const disk = new MemoryDisk({ capacityBytes: 256 * 1024 })
    await using store = await openAll(disk)
    await store.put('small', '1')
    const big = 'x'.repeat(300 * 1024)
    const calls = [store.put('a', '1'), store.put('big', big), store.put('b', '1')]
    expect(await outcomes(calls)).toEqual([3, 'KV_NO_SPACE none', 4])
    expect(await outcomes([store.put('big', big)])).toEqual(['KV_NO_SPACE none'])
    expect(await outcomes([store.put('c', '1')])).toEqual([5])
    expect(await store.range({ keysOnly: true })).toMatchObject({ count: 4, revision: 5 })
  })
})
