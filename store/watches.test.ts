import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isKvError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openOn } from './open.ts'
import type { Watch, WatchBatch, WatchEvent } from './types/watch.ts'

/** The keys of the events so far, as they come, until the watch is over. */
function follow(watch: Watch): { readonly keys: string[]; readonly over: Promise<void> } {
  const keys: string[] = []
  const read = async (): Promise<void> => {
    for await (const { events } of watch) {
      keys.push(...events.map(keyOf))
    }
  }
  return { keys, over: read() }
}

function keyOf(event: WatchEvent): string {
  return event.type === 'put' ? event.kv.key : event.key
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('watch()', () => {
  test('shows only what a power cut leaves', async () => {
    const disk = new MemoryDisk()
    await using store = await openOn(disk, '/data')
    const { keys } = follow(store.watch())
    const writes = Array.from({ length: 20 }, async (_, i) => {
      for (let turn = 0; turn < i; turn++) await nextTurn()
      await store.put(`${i}`, '1')
    })
    let seen = 0
    while (seen < 20) {
      await nextTurn()
      if (keys.length === seen) continue
      seen = keys.length
      await using left = await openOn(disk.afterPowerLoss(seen, 'nothing'), '/data')
      const { count } = await left.range({ keysOnly: true })
      expect(count).toBeGreaterThanOrEqual(seen)
    }
    await Promise.all(writes)
  })

  test('shows nothing of a commit that fails in its sync', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data')
    const live = follow(store.watch())
    await store.put('a', '1')
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    await expect(store.put('b', '1')).rejects.toSatisfy((error) => isKvError(error, 'KV_IO'))
    await expect(live.over).rejects.toMatchObject({ code: 'KV_POISONED', cause: { code: 'KV_IO' } })
    await store.close()
    expect(live.keys).toEqual(['a'])
  })

  test('tells those that wait of a checkpoint that fails behind everybody’s back', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data', { checkpointBytes: 2000 })
    const live = follow(store.watch())
    const unread = store.watch()
    await store.put('a', '1')
    disk.injectFault({ kind: 'sync', path: '/data/db', code: 'EIO' })
    await store.put('b', 'x'.repeat(3000))
    await expect(live.over).rejects.toMatchObject({ code: 'KV_POISONED' })
    expect(live.keys).toEqual(['a', 'b'])
    // What it had received is there still, then the error, then the end.
    const late = follow(unread)
    await expect(late.over).rejects.toMatchObject({ code: 'KV_POISONED' })
    expect(late.keys).toEqual(['a', 'b'])
    expect(await unread[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined })
    await expect(follow(store.watch()).over).rejects.toMatchObject({ code: 'KV_POISONED' })
    await store.close().catch(() => {})
  })

  test('tells those that wait of a checkpoint that fails under a write that blocks', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data', { cacheBytes: 1024 * 1024 })
    const live = follow(store.watch({ key: 'nothing' }))
    disk.injectFault({ kind: 'sync', path: '/data/db', code: 'EIO' })
    const value = 'x'.repeat(100_000)
    const fill = (): void => {
      for (let i = 0; i < 100; i++) store.putSync(`${i}`, value)
    }
    expect(fill).toThrow(expect.objectContaining({ code: 'KV_IO' }))
    await expect(live.over).rejects.toMatchObject({ code: 'KV_POISONED' })
    await store.close().catch(() => {})
  })

  test('what one reader does to its entries is not seen by another', async () => {
    const store = await openOn(new MemoryDisk(), '/data')
    const readers = [0, 1, 2].map(() => store.watch({ key: 'a' })[Symbol.asyncIterator]())
    const seen = readers.map((reader) => reader.next())
    await store.put('a', '1')
    for (const one of seen) {
      const { value } = await one
      const [event] = (value as WatchBatch).events
      expect(event).toMatchObject({ type: 'put', kv: { key: 'a', value: '1', version: 1 } })
      if (event?.type === 'put') Object.assign(event.kv, { key: 'mine', value: 'mine' })
    }
    await store.close()
  })

  test('next() called many times at once is answered in order, and done at the end', async () => {
    const store = await openOn(new MemoryDisk(), '/data')
    const watch = store.watch()
    const iterator = watch[Symbol.asyncIterator]()
    await store.put('before', '1')
    const answers = Array.from({ length: 20_000 }, () => iterator.next())
    for (const key of ['a', 'b', 'c']) await store.put(key, '1')
    await watch.cancel()
    const keys = (await Promise.all(answers)).map(({ done, value }) =>
      done === true ? 'done' : value.events.map(keyOf).join(),
    )
    expect(keys.slice(0, 5)).toEqual(['before', 'a', 'b', 'c', 'done'])
    expect(new Set(keys.slice(4))).toEqual(new Set(['done']))
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    await store.close()
  })

  test('follows put() and putSync()', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    const { keys } = follow(store.watch())
    for (let i = 0; i < 50; i++) {
      await store.put(`${i}`, '1')
      store.putSync(`${i}+`, '1')
    }
    await nextTurn()
    expect(keys).toHaveLength(100)
  })

  test('loses nothing where nobody reads, though the queue is bounded', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    const watch = store.watch()
    const value = 'x'.repeat(100_000)
    for (let i = 0; i < 40; i++) await store.put(`${i}`, value)
    const revisions: number[] = []
    for await (const { events } of watch) {
      for (const event of events) if (event.type === 'put') revisions.push(event.kv.modRevision)
      if (revisions.length === 40) break
    }
    expect(revisions).toEqual(Array.from({ length: 40 }, (_, i) => i + 2))
  })

  test('answers steps that are asked for at once in their order', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    const steps = store.watch({ key: 'a' })[Symbol.asyncIterator]()
    const asked = [steps.next(), steps.next(), steps.next()]
    for (const value of ['1', '2']) await store.put('a', value)
    await steps.return?.()
    const got = await Promise.all(asked)
    const shown = got.map(({ done, value }: IteratorResult<WatchBatch>) =>
      done === true ? 'done' : value.revision,
    )
    expect(shown).toEqual([2, 3, 'done'])
  })

  test('takes its signal’s listener away when it is over', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    await store.watch({ signal }).cancel()
    expect(listeners).toBe(0)
  })
})

describe('a process', () => {
  let place: string

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'revbolt-watches-'))
  })

  afterEach(() => {
    rmSync(place, { recursive: true, force: true })
  })

  test('ends though watches are idle, waited for and unread', async () => {
    const openPath = fileURLToPath(new URL('./open.ts', import.meta.url))
    const script = join(place, 'script.mts')
    const text = `
      import { open } from ${JSON.stringify(openPath)}
      const store = await open(${JSON.stringify(join(place, 'data'))})
      const follow = async () => {
        for await (const { revision } of store.watch({ startRevision: 2 })) console.log(revision)
      }
      void follow()
      store.watch({ startRevision: 1, progress: true })
      await store.put('a', '1')
      process.on('exit', () => console.log('exit'))
    `
    writeFileSync(script, text)
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--import', 'tsx', script], { timeout: 60_000 })
    expect(stdout).toBe('2\nexit\n')
  })
})
