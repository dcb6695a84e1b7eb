import { describe, expect, test } from 'vitest'
import { Random } from '../base/random.ts'
import { isKvError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openEngine } from '../engine/index.ts'
import { openOn } from './open.ts'
import { nextTurn } from './pause.ts'
import type { BuiltLocalStore, BuiltOpenOptions } from './types.ts'
import type { Progress } from './types/maintenance.ts'

const DATA = '/data'
const VALUE = 'x'.repeat(200)
const KEYS = 3000

const open = (disk: MemoryDisk, options: BuiltOpenOptions = {}): Promise<BuiltLocalStore> =>
  openOn(disk, DATA, options, { random: new Random(1), slackPages: 4 })

/** Of the first rows every other, then two of five. */
const ABOUT_HALF = (i: number): boolean => (i < KEYS / 2 ? i % 2 > 0 : i % 5 < 2)
/** So little memory that pages are dropped and read again. */
const SPARING = { cacheBytes: 100_000 }

/** What is wrong with both generations of the file, as a process finds it that opens it now. */
async function findings(disk: MemoryDisk): Promise<unknown[]> {
  const found: unknown[] = []
  for (const generation of ['newest', 'previous'] as const) {
    const engine = await openEngine(`${DATA}/db`, {
      disk: disk.clone(),
      readOnly: true,
      generation,
    })
    found.push(...engine.check().findings)
    await engine.close()
  }
  return found
}

/** A store of which compaction has left pages half empty, and others free. */
async function thinned(
  disk: MemoryDisk,
  goes: (i: number) => boolean,
  { count = KEYS, ...options }: BuiltOpenOptions & { readonly count?: number } = {},
): Promise<BuiltLocalStore> {
  const store = await open(disk, options)
  const keys = Array.from({ length: count }, (_, i) => `k${i}`)
  await Promise.all(keys.map((key) => store.put(key, VALUE)))
  await Promise.all(keys.filter((_, i) => goes(i)).map((key) => store.delete(key)))
  await store.compact((await store.status()).revision, { physical: true })
  return store
}

/** Keys and values, as one text. */
async function content(store: BuiltLocalStore): Promise<string> {
  const { kvs } = await store.range({ limit: Infinity })
  return JSON.stringify(kvs)
}

describe('defragment()', () => {
  test('puts thin pages together, and gives back what is free then', async () => {
    const disk = new MemoryDisk()
    const store = await thinned(disk, ABOUT_HALF)
    const before = await content(store)
    const { sizeBytes, sizeInUseBytes } = await store.status()
    const result = await store.defragment()
    const after = await store.status()
    expect(result.sizeBytesBefore).toBeGreaterThanOrEqual(sizeBytes)
    expect(result.sizeBytesAfter).toBe(after.sizeBytes)
    expect(after.sizeBytes).toBeLessThan(sizeBytes)
    expect(after.sizeInUseBytes).toBeLessThan(0.7 * sizeInUseBytes)
    expect(JSON.parse(JSON.stringify(result))).toEqual({
      sizeBytesBefore: String(result.sizeBytesBefore),
      sizeBytesAfter: String(after.sizeBytes),
    })
    expect(await content(store)).toBe(before)
    await store.close()
    expect(await findings(disk)).toEqual([])
    await using again = await open(disk)
    expect(await content(again)).toBe(before)
    const { sizeBytesBefore, sizeBytesAfter } = await again.defragment()
    expect(sizeBytesAfter).toBe(sizeBytesBefore)
  })

  test('moves values that take many pages', async () => {
    const disk = new MemoryDisk()
    const store = await open(disk)
    for (let i = 0; i < 60; i++) await store.put(`k${i % 6}`, String(i).repeat(20_000))
    await store.compact((await store.status()).revision, { physical: true })
    const before = await content(store)
    const { sizeBytesBefore, sizeBytesAfter } = await store.defragment()
    expect(sizeBytesAfter).toBeLessThan(sizeBytesBefore / 3)
    expect(await content(store)).toBe(before)
    await store.close()
    expect(await findings(disk)).toEqual([])
  })

  test('goes on beside writes and a view, and gives back what the view held when it is closed', async () => {
    const disk = new MemoryDisk()
    await using store = await thinned(disk, ABOUT_HALF, SPARING)
    const view = store.view()
    const before = JSON.stringify(view.range({ limit: Infinity }))
    const job = store.defragment()
    let isDone = false
    void job.finally(() => (isDone = true)).catch(() => {})
    let writes = 0
    while (!isDone) {
      await store.put(`new${writes % 50}`, VALUE)
      writes++
      expect((await store.get('k0'))?.value).toBe(VALUE)
    }
    expect(writes).toBeGreaterThan(10)
    await job
    expect(JSON.stringify(view.range({ limit: Infinity }))).toBe(before)
    expect(view.get('new0')).toBeUndefined()
    view.close()
    await store.compact((await store.status()).revision, { physical: true })
    const { sizeBytesAfter } = await store.defragment()
    expect(sizeBytesAfter).toBeLessThan((await job).sizeBytesBefore)
    expect(await findings(disk.processKilled())).toEqual([])
  })

  test('tells how far it has come, and stops where that throws, or the signal is aborted', async () => {
    const disk = new MemoryDisk()
    await using store = await thinned(disk, ABOUT_HALF)
    const before = await content(store)
    const reason = new Error('enough')
    const aborted = AbortSignal.abort(reason)
    await expect(store.defragment({ signal: aborted })).rejects.toBe(reason)
    const controller = new AbortController()
    const aborting = store.defragment({
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    })
    await expect(aborting).rejects.toBe(reason)
    const throwing = store.defragment({
      onProgress: () => {
        throw reason
      },
    })
    await expect(throwing).rejects.toBe(reason)
    expect(await content(store)).toBe(before)
    expect(await findings(disk.processKilled())).toEqual([])

    const told: Progress[] = []
    await store.defragment({ onProgress: (progress) => told.push(progress) })
    expect(told.length).toBeGreaterThan(1)
    const done = told.map(({ doneBytes }) => doneBytes)
    expect(done).toEqual(done.toSorted((a, b) => a - b))
    expect(told.at(-1)?.doneBytes).toBe(told.at(-1)?.totalBytes)
    await expect(store.defragment({ onProgress: 1 as never })).rejects.toThrow(/^onProgress: /)
  })

  test('is ended by close(), and others wait for the one before', async () => {
    const disk = new MemoryDisk()
    const store = await thinned(disk, ABOUT_HALF)
    const before = await content(store)
    const jobs = Promise.allSettled([store.defragment(), store.defragment()])
    await nextTurn()
    await store.close()
    for (const job of await jobs) expect(job).toMatchObject({ reason: { code: 'KV_CLOSED' } })
    await expect(store.defragment()).rejects.toMatchObject({ code: 'KV_CLOSED' })
    expect(await findings(disk)).toEqual([])
    const again = await open(disk)
    expect(await content(again)).toBe(before)
    const [first, second] = await Promise.all([again.defragment(), again.defragment()])
    expect(second.sizeBytesAfter).toBe(first.sizeBytesAfter)
    await again.close()
    await using reader = await openOn(disk, DATA, { readOnly: true })
    await expect(reader.defragment()).rejects.toMatchObject({ code: 'KV_READ_ONLY' })
  })

  test('a disk that is full refuses it, and the store goes on', async () => {
    const disk = new MemoryDisk()
    const store = await thinned(disk, ABOUT_HALF)
    const before = await content(store)
    disk.setCapacity(0)
    await expect(store.defragment()).rejects.toMatchObject({ code: 'KV_NO_SPACE' })
    expect(await content(store)).toBe(before)
    disk.setCapacity(Infinity)
    await store.defragment()
    expect(await content(store)).toBe(before)
    await store.close()
    expect(await findings(disk)).toEqual([])
  })

  test('wherever the power is cut, both generations of the file are whole', async () => {
    const start = new MemoryDisk({ seed: 5 })
    const store = await thinned(start, ABOUT_HALF, { count: 800 })
    const before = await content(store)
    await store.close()
    const random = new Random(5)
    const cutAt = async (operation: number): Promise<boolean> => {
      const disk = start.clone()
      disk.cutPowerAt(disk.operationCount + operation)
      const isThrough = await (async () => {
        const moving = await open(disk, SPARING)
        await moving.defragment()
        await moving.put('end', 'v')
        return true
      })().catch((error: unknown) => {
        if (error instanceof Error) return false
        throw error
      })
      const image = disk.afterPowerLoss(random, random.pick(['nothing', 'torn', 'random']))
      expect(await findings(disk.processKilled())).toEqual([])
      expect(await findings(image)).toEqual([])
      await using found = await open(image)
      expect(await content(found)).toContain(before.slice(1, -1))
      return isThrough
    }
    let operation = 1
    while (!(await cutAt(operation))) operation += random.between(1, 3)
    expect(operation).toBeGreaterThan(30)
  })

  test('a step with nothing to move shows nothing that is not durable', async () => {
    const disk = new MemoryDisk()
    const store = await open(disk)
    await store.put('a', '1')
    const segment = disk.list('/data/wal').findLast((name) => name.endsWith('.wal'))
    disk.injectFault({ kind: 'sync', path: `/data/wal/${segment}`, code: 'EIO' })
    const writing = store.put('a', '2').then(
      () => 'durable',
      (error: unknown) => (isKvError(error) ? error.outcome : error),
    )
    await nextTurn()
    const moving = store.defragment().catch(() => {})
    let shown = 0
    for (let turn = 0; turn < 30; turn++) {
      shown = await store.status().then(
        ({ revision }) => Math.max(shown, revision),
        () => shown,
      )
      await nextTurn()
    }
    expect(await writing).toBe('unknown')
    expect(shown).toBe(2)
    await moving
    await store.close().catch(() => {})
  })
})
