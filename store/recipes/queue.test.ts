import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { codeOf } from '../../proptest/behaviour/backend.ts'
import { turns } from '../../proptest/recipes/transact-steps.ts'
import { openOn } from '../open.ts'
import { queue } from './queue.ts'

describe('queue()', () => {
  test('gives items in the order in which they were pushed', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    const [q, other] = [queue(store, 'q'), queue(store, 'q')]
    await Promise.all(Array.from({ length: 20 }, (_, i) => q.push(`${i}`)))
    await other.push('20')
    await q.push('21')
    expect(await q.size()).toBe(22)
    const taken = await Promise.all(Array.from({ length: 22 }, () => other.take()))
    expect(taken.map(({ value }) => value)).toEqual(Array.from({ length: 22 }, (_, i) => `${i}`))
    expect([await q.size(), await q.tryTake()]).toEqual([0, undefined])
    await other.push('22')
    await q.push('23')
    expect((await q.tryTake())?.value).toBe('22')
    expect(await store.range({})).toMatchObject({ kvs: [{ value: '23' }] })
  })

  test('gives the more urgent first', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    const q = queue(store, 'q')
    for (const priority of [10, 9, 100, 0, 65_535, 9]) await q.push(`${priority}`, { priority })
    const taken: string[] = []
    for (let i = 0; i < 6; i++) taken.push((await q.take()).value)
    expect(taken).toEqual(['0', '9', '9', '10', '100', '65535'])
    await expect(q.push('x', { priority: 65_536 })).rejects.toThrow(/^priority: /)
    await expect(q.push('x', { priority: -1 })).rejects.toThrow(/^priority: /)
  })

  test('take() waits for an item, and each waiting one gets another', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    const q = queue(store, 'q')
    const takes = [q.take(), queue(store, 'q').take(), q.take()]
    await turns(10)
    await Promise.all(['a', 'b', 'c'].map((value) => q.push(value)))
    const values = (await Promise.all(takes)).map(({ value }) => value)
    expect(values.toSorted()).toEqual(['a', 'b', 'c'])
    expect(await q.size()).toBe(0)
  })

  test('take() that is aborted takes nothing and keeps nobody waiting', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    const q = queue(store, 'q')
    const [first, second] = [new AbortController(), new AbortController()]
    const takes = [q.take({ signal: first.signal }), q.take({ signal: second.signal }), q.take()]
    await turns(5)
    second.abort(new Error('two'))
    await expect(takes[1]).rejects.toThrow('two')
    first.abort(new Error('one'))
    await expect(takes[0]).rejects.toThrow('one')
    await q.push('a')
    expect((await takes[2])?.value).toBe('a')
  })

  test('take() ends with the store', async () => {
    const store = await openOn(new MemoryDisk(), '/data')
    const code = codeOf(() => queue(store, 'q').take())
    await turns(5)
    await store.close()
    expect(await code).toBe('KV_CLOSED')
  })

  test('is a queue of whatever the store holds', async () => {
    await using store = await openOn(new MemoryDisk(), '/data', { encoding: 'json' })
    const q = queue(store, 'q')
    await q.push({ n: 1 })
    expect((await q.take()).value).toEqual({ n: 1 })
    await using raw = await openOn(new MemoryDisk(), '/data', { encoding: 'bytes' })
    const bytes = queue(raw, 'q')
    await bytes.push(new Uint8Array([0xff]))
    expect((await bytes.take()).value).toEqual(new Uint8Array([0xff]))
  })

  test('push() says what is in its way', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    await store.put('q/00000/9x', 'no item')
    expect(await codeOf(() => queue(store, 'q').push('a'))).toBe('KV_EXISTS')
  })
})
