import { describe, expect, test } from 'vitest'
import { FakeClock } from '../base/clock.ts'
import { isKvError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { identifiedLog } from '../proptest/durability/log-of.ts'
import { get, put, range } from './op.ts'
import { openOn } from './open.ts'
import type { BuiltLocalStore } from './types.ts'

/** Time stands still, so that no turn's work is cut, however busy the machine is. */
function openAll(disk: MemoryDisk): Promise<BuiltLocalStore> {
  return openOn(disk, '/data', {}, { clock: new FakeClock() })
}

/** How many records the log holds, read from a copy of the disk. */
function recordsOf(disk: MemoryDisk): number {
  return identifiedLog(disk.clone(), '/data/wal').filter(({ entries }) => entries.length > 0).length
}

/** The segment that is written to. */
function segmentOf(disk: MemoryDisk): string {
  const name = disk.list('/data/wal').findLast((each) => each.endsWith('.wal'))
  return `/data/wal/${name}`
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
    const before = recordsOf(disk)
    const order: number[] = []
    const calls = Array.from({ length: 50 }, (_, i) =>
      store.put('a', `${i}`).finally(() => order.push(i)),
    )
    expect(await outcomes(calls)).toEqual(Array.from({ length: 50 }, (_, i) => i + 2))
    expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect(recordsOf(disk)).toBe(before + 1)
  })

  test('that come while a record is on its way share the next sync', async () => {
    const kinds: string[] = []
    const disk = new MemoryDisk({ trace: ({ kind }) => kinds.push(kind) })
    await using store = await openAll(disk)
    kinds.length = 0
    const first = store.put('a', '1')
    await new Promise((resolve) => setImmediate(resolve))
    const rest: Promise<unknown>[] = []
    for (const key of ['b', 'c', 'd']) {
      rest.push(store.put(key, '1'))
      await Promise.resolve()
    }
    expect(await outcomes([first, ...rest])).toEqual([2, 3, 4, 5])
    expect(kinds.filter((kind) => kind === 'sync')).toHaveLength(2)
  })

  test('of one writer after the other take one sync each', async () => {
    const kinds: string[] = []
    const disk = new MemoryDisk({ trace: ({ kind }) => kinds.push(kind) })
    await using store = await openAll(disk)
    kinds.length = 0
    for (let i = 0; i < 10; i++) await store.put('a', `${i}`)
    expect(kinds.filter((kind) => kind === 'sync')).toHaveLength(10)
    expect(kinds.filter((kind) => kind === 'write')).toHaveLength(10)
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
    const before = recordsOf(disk)
    const calls = [
      store.put('a', '1'),
      // Written first, then a result that can't be decoded: the engine transaction is half changed.
      store.txn({ success: [put('b', '1'), range({ prefix: '' })] }),
      store.put('c', '1'),
    ]
    expect(await outcomes(calls)).toEqual([3, 'KV_DECODE none', 4])
    expect(recordsOf(disk)).toBe(before + 2)
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
  test('in its sync: the outcome is unknown, and the store is poisoned', async () => {
    const disk = new MemoryDisk()
    const store = await openAll(disk)
    await store.put('a', '1')
    disk.injectFault({ kind: 'sync', path: segmentOf(disk), code: 'EIO' })
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

  test('behind everybody’s back, as a checkpoint does, poisons the store for readers, too', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data', { checkpointBytes: 2000 })
    await store.put('a', '1')
    disk.injectFault({ kind: 'sync', path: '/data/db', code: 'EIO' })
    await store.put('b', 'x'.repeat(3000))
    // A reader's root stands meanwhile.
    const scan = store.scan({ limit: 2 })
    await scan.next()
    for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve))
    await expect(store.get('a')).rejects.toMatchObject({
      code: 'KV_POISONED',
      cause: { code: 'KV_IO' },
    })
    await expect(store.status()).rejects.toMatchObject({ code: 'KV_POISONED' })
    await store.close().catch(() => {})
    await using again = await openAll(disk)
    expect(await again.get('a')).toMatchObject({ value: '1' })
  })

  test('rejects what was queued behind it, which did not happen', async () => {
    const disk = new MemoryDisk()
    const store = await openAll(disk)
    disk.injectFault({ kind: 'write', path: segmentOf(disk), code: 'EIO' })
    const first = store.put('a', '1')
    await new Promise((resolve) => setImmediate(resolve))
    const second = store.put('b', '1')
    expect(await outcomes([first, second])).toEqual(['KV_IO unknown', 'KV_POISONED none'])
    await store.close()
    await using again = await openAll(disk)
    expect(await history(again)).toEqual(['1 '])
  })

  test('for want of space rejects what did not fit and nothing else', async () => {
    const disk = new MemoryDisk({ capacityBytes: 2 * 1024 * 1024 })
    await using store = await openAll(disk)
    await store.put('small', '1')
    const big = 'x'.repeat(1200 * 1024)
    const calls = [store.put('a', '1'), store.put('big', big), store.put('b', '1')]
    expect(await outcomes(calls)).toEqual([3, 'KV_NO_SPACE none', 4])
    expect(await outcomes([store.put('big', big)])).toEqual(['KV_NO_SPACE none'])
    expect(await outcomes([store.put('c', '1')])).toEqual([5])
    expect(await store.range({ keysOnly: true })).toMatchObject({ count: 4, revision: 5 })
  })
})

describe('putSync()', () => {
  test('is durable and visible when it returns, and so is what was queued before it', async () => {
    const disk = new MemoryDisk()
    await using store = await openAll(disk)
    const queued = [store.put('a', '1'), store.put('b', '1')]
    expect(store.putSync('a', '2', { previous: true })).toMatchObject({
      revision: 4,
      previous: { value: '1', modRevision: 2 },
    })
    expect(await store.get('a')).toMatchObject({ value: '2', modRevision: 4 })
    const found = await openOn(disk.afterPowerLoss(1, 'nothing'), '/data')
    expect(await history(found)).toEqual(['1 ', '2 a=1', '3 a=1 b=1', '4 a=2 b=1'])
    expect(await outcomes(queued)).toEqual([2, 3])
  })

  test('takes over records that are on their way', async () => {
    const disk = new MemoryDisk()
    await using store = await openAll(disk)
    const first = store.put('a', '1')
    await new Promise((resolve) => setImmediate(resolve))
    const second = store.put('b', '1')
    expect(store.putSync('c', '1').revision).toBe(4)
    const found = await openOn(disk.afterPowerLoss(1, 'nothing'), '/data')
    expect((await history(found)).at(-1)).toBe('4 a=1 b=1 c=1')
    expect(await outcomes([first, second])).toEqual([2, 3])
  })

  test('throws what the call would reject with, and changes nothing', async () => {
    await using store = await openAll(new MemoryDisk())
    const untyped: (...args: readonly unknown[]) => unknown = store.putSync.bind(store) as never
    const codeOf = (...args: readonly unknown[]): unknown => {
      try {
        return untyped(...args)
      } catch (error) {
        return isKvError(error) ? error.code : error
      }
    }
    expect(codeOf('', 'x')).toBe('KV_KEY_EMPTY')
    expect(codeOf('a', undefined, { ignoreValue: true })).toBe('KV_KEY_NOT_FOUND')
    expect(codeOf('a', '1', { lease: 5n })).toBe('KV_LEASE_NOT_FOUND')
    expect(codeOf('a', 7)).toBeInstanceOf(TypeError)
    expect(codeOf('a', '1', { signal: undefined })).toMatchObject({ revision: 2 })
    expect(codeOf('a', 'x'.repeat(2_000_000))).toBe('KV_REQUEST_TOO_LARGE')
    expect(await history(store)).toEqual(['1 ', '2 a=1'])
  })

  test('whose record is not durable poisons the store', async () => {
    const disk = new MemoryDisk()
    const store = await openAll(disk)
    const queued = store.put('a', '1')
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    expect(() => store.putSync('b', '1')).toThrow(
      expect.objectContaining({ code: 'KV_IO', outcome: 'unknown' }),
    )
    expect(await outcomes([queued, store.get('a')])).toEqual(['KV_IO unknown', 'KV_POISONED none'])
    await store.close()
    await using again = await openAll(disk)
    expect(['1 ', '2 a=1', '3 a=1 b=1']).toContain((await history(again)).at(-1))
  })
})

describe('back-pressure', () => {
  test('refuses with KV_BUSY what does not fit, and takes writes again later', async () => {
    const disk = new MemoryDisk()
    await using store = await openOn(disk, '/data', { maxPendingBytes: 4000 })
    const calls = Array.from({ length: 20 }, (_, i) => store.put(`${i}`, 'x'.repeat(500)))
    const results = await outcomes(calls)
    expect(results.slice(0, 5)).toEqual([2, 3, 4, 5, 6])
    expect(results.slice(-5)).toEqual(Array(5).fill('KV_BUSY none'))
    expect(await outcomes([store.put('later', '1')])).toEqual([7])
    // What is too large for it alone is taken when nothing else waits.
    expect(await outcomes([store.put('large', 'x'.repeat(9000))])).toEqual([8])
  })
})
