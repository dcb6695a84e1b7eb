import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import type { LoggedEngine } from '../proptest/engine/auto-log.ts'
import { openWithLog } from '../proptest/engine/auto-log.ts'
import { DB_PATH, bucketOf, keysOf, mustBeClean } from '../proptest/engine/memory-engine.ts'
import type { Bucket } from './bucket.ts'
import { Checker } from './check.ts'
import { checkpoint } from './checkpoint.ts'
import type { Engine } from './engine.ts'
import { openEngine } from './engine.ts'

function withCode(code: string): unknown {
  return expect.objectContaining({ code })
}

function put(engine: Engine, key: string, size = 50): void {
  engine.update((tx) => tx.createBucketIfNotExists('b').put(key, 'v'.repeat(size)))
}

/** Keys from `from` up to `to`, each in a commit of its own. */
function putMany(engine: Engine, from: number, to: number): void {
  for (let i = from; i < to; i++) put(engine, `k${String(i).padStart(6, '0')}`, 300)
}

function keysIn(engine: Engine): string[] {
  return engine.view((tx) => keysOf(bucketOf(tx, 'b')))
}

/** The keys of a file opened alone, and that it is clean. */
async function keysAlone(disk: MemoryDisk, path = DB_PATH): Promise<string[]> {
  const engine = await openEngine(path, { disk, lock: 'none', readOnly: true })
  mustBeClean(engine)
  const keys = keysIn(engine)
  await engine.close()
  return keys
}

async function reopen({ disk, engine, log }: LoggedEngine): Promise<LoggedEngine> {
  await engine.close()
  return openWithLog({}, disk, log.durable)
}

describe('checkpoint()', () => {
  test('begins before it returns: what is committed next is not in it', async () => {
    const { engine, disk } = await openWithLog()
    put(engine, 'a')
    const done = checkpoint(engine)
    expect(engine.isCheckpointing).toBe(true)
    put(engine, 'b')
    await done
    expect(engine.isCheckpointing).toBe(false)
    expect(await keysAlone(disk)).toEqual(['a'])
    expect(keysIn(engine)).toEqual(['a', 'b'])
    await engine.close()
  })

  test('waits for the writer that is open', async () => {
    const { engine, disk } = await openWithLog()
    const tx = await engine.begin({ writable: true })
    tx.createBucket('b').put('a', '')
    const done = checkpoint(engine)
    expect(engine.isCheckpointing).toBe(false)
    tx.commit()
    await done
    expect(await keysAlone(disk)).toEqual(['a'])
    await engine.close()
  })

  test('names the two generations of the file, and has no page left to write', async () => {
    const { engine } = await openWithLog()
    put(engine, 'a')
    expect(engine.dirtyBytes).toBeGreaterThan(0)
    await checkpoint(engine)
    const { newest } = engine.generations
    expect(newest).toBe(engine.txid)
    put(engine, 'b')
    await checkpoint(engine)
    expect(engine.generations).toEqual({ newest: engine.txid, previous: newest })
    expect(engine.dirtyBytes).toBe(0)
    mustBeClean(engine)
    await engine.close()
  })

  test('is refused while one is under way', async () => {
    const { engine } = await openWithLog()
    put(engine, 'a')
    const first = checkpoint(engine)
    await expect(checkpoint(engine)).rejects.toEqual(withCode('KV_TX_BUSY'))
    await first
    await engine.close()
  })

  test('is waited for by close()', async () => {
    const { engine, disk } = await openWithLog()
    putMany(engine, 0, 100)
    const done = checkpoint(engine)
    await engine.close()
    await done
    expect((await keysAlone(disk)).length).toBe(100)
  })

  test('writes values longer than a MiB', async () => {
    const { engine, disk } = await openWithLog()
    put(engine, 'a', 3_000_000)
    put(engine, 'b', 10)
    await checkpoint(engine)
    expect(await keysAlone(disk)).toEqual(['a', 'b'])
    await engine.close()
  })

  test('syncs after each MiB', async () => {
    const { engine, disk } = await openWithLog()
    put(engine, 'a', 5 * 1024 * 1024)
    // Grown, five pieces and the pages beside them, the meta.
    disk.injectFault({ kind: 'sync', skip: 6, code: 'EIO' })
    await expect(checkpoint(engine)).rejects.toEqual(withCode('KV_IO'))
    await engine.close()
  })

  test('of a file that grows is synced in full', async () => {
    const { engine, disk } = await openWithLog()
    putMany(engine, 0, 20)
    await checkpoint(engine)
    putMany(engine, 20, 2000)
    // The first sync is of the new size, and nothing has been written by then.
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    const before = disk.operationCount
    await expect(checkpoint(engine)).rejects.toEqual(withCode('KV_IO'))
    expect(disk.operationCount - before).toBe(2)
    await engine.close()
  })

  test('poisons the handle after a sync that finds the disk full', async () => {
    const { engine, disk } = await openWithLog()
    putMany(engine, 0, 50)
    await checkpoint(engine)
    const size = disk.readFile(DB_PATH).length
    putMany(engine, 0, 1)
    // Not of a new size, but of pages.
    disk.injectFault({ kind: 'sync', code: 'ENOSPC' })
    await expect(checkpoint(engine)).rejects.toEqual(withCode('KV_NO_SPACE'))
    expect(disk.readFile(DB_PATH).length).toBe(size)
    expect(() => engine.view(() => {})).toThrow(/unsafe to go on/)
    await engine.close()
  })

  test('that finds the disk full leaves all as it was, and the next one succeeds', async () => {
    const opened = await openWithLog()
    const { engine, disk } = opened
    putMany(engine, 0, 50)
    await checkpoint(engine)
    const kept = engine.generations
    putMany(engine, 50, 200)
    const lift = disk.injectFault({ kind: 'write', skip: 2, times: Infinity, code: 'ENOSPC' })
    await expect(checkpoint(engine)).rejects.toEqual(withCode('KV_NO_SPACE'))
    lift()
    expect(engine.generations).toEqual(kept)
    putMany(engine, 200, 210)
    await checkpoint(engine)
    mustBeClean(engine)
    expect((await keysAlone(disk)).length).toBe(210)
    const again = await reopen(opened)
    expect(keysIn(again.engine).length).toBe(210)
    await again.engine.close()
  })
})

describe('freelist: scan with a log', () => {
  test('a checkpoint writes no freelist, and opening finds what is free', async () => {
    const disk = new MemoryDisk()
    const { engine, log } = await openWithLog({ freelist: 'scan' }, disk)
    putMany(engine, 0, 100)
    await checkpoint(engine)
    putMany(engine, 0, 50)
    await checkpoint(engine)
    expect(engine.core.meta.freelistPgid).toBe(undefined)
    mustBeClean(engine)
    expect(engine.check({ generation: 'previous' }).findings).toEqual([])
    await engine.close()
    const again = await openWithLog({ freelist: 'scan' }, disk, log.durable)
    expect(again.engine.stats().freePages).toBeGreaterThan(0)
    putMany(again.engine, 100, 150)
    await checkpoint(again.engine)
    mustBeClean(again.engine)
    expect(again.engine.check({ generation: 'previous' }).findings).toEqual([])
    expect(keysIn(again.engine).length).toBe(150)
    await again.engine.close()
  })
})

describe('copies of a file with a log', () => {
  test('copyTo() has the visible root, though only memory does', async () => {
    const { engine, disk } = await openWithLog()
    putMany(engine, 0, 300)
    put(engine, 'large', 2_500_000)
    await engine.copyTo('/memory')
    expect((await keysAlone(disk, '/memory')).length).toBe(301)
    await engine.compactTo('/compact')
    expect((await keysAlone(disk, '/compact')).length).toBe(301)
    await engine.close()
  })

  test('copyTo() has one root, whatever is committed and checkpointed meanwhile', async () => {
    const { engine, disk } = await openWithLog({ cacheBytes: 64 * 1024 })
    putMany(engine, 0, 3000)
    const expected = keysIn(engine)
    let isCopied = false
    const copying = engine.copyTo('/copy').then(() => (isCopied = true))
    for (let at = 3000; !isCopied; at += 100) {
      putMany(engine, at % 3000, (at % 3000) + 50)
      putMany(engine, at, at + 50)
      await checkpoint(engine)
    }
    await copying
    expect(await keysAlone(disk, '/copy')).toEqual(expected)
    await engine.close()
  })

  test('copyTo() of what is not durable yet leaves it out', async () => {
    const { engine, log, disk } = await openWithLog()
    put(engine, 'a')
    log.isHeld = true
    const tx = engine.beginNow({ writable: true })
    bucketOf(tx, 'b').put('b', '')
    const durable = tx.commitAsync()
    await engine.copyTo('/copy')
    expect(await keysAlone(disk, '/copy')).toEqual(['a'])
    log.isHeld = false
    log.sync(Infinity)
    await durable
    await engine.close()
  })
})

test('a page edited and rolled back is whole for readers whose root leads to it by another page', async () => {
  const { engine, log } = await openWithLog()
  put(engine, '0', 300)
  put(engine, '1', 1100)
  const done = checkpoint(engine)
  log.isHeld = true
  // The head's root is the second leaf from now on; readers come to it by the branch above.
  const first = engine.beginNow({ writable: true })
  bucketOf(first, 'b').delete('0')
  const durable = first.commitAsync()
  expect(keysIn(engine)).toEqual(['0', '1'])
  await done
  const second = engine.beginNow({ writable: true })
  bucketOf(second, 'b').delete('1')
  second.rollback()
  expect(keysIn(engine)).toEqual(['0', '1'])
  log.sync(Infinity)
  await durable
  expect(keysIn(engine)).toEqual(['1'])
  log.isHeld = false
  await engine.close()
})

describe('check and stats of a file with a log', () => {
  test('checkAsync() finds its generation whole, though checkpoints pass over it', async () => {
    const { engine } = await openWithLog()
    // As many pages: the walk takes long enough for a few checkpoints.
    for (const fill of [1, 2]) {
      engine.update((tx) => {
        const bucket = tx.createBucketIfNotExists('b')
        const value = new Uint8Array(600).fill(fill)
        for (let i = 0; i < 12_000; i++) bucket.put(`k${String(i).padStart(6, '0')}`, value)
      })
      await checkpoint(engine)
    }
    for (const generation of ['newest', 'previous'] as const) {
      let isDone = false
      const checking = engine.checkAsync({ generation }).finally(() => (isDone = true))
      let checkpoints = 0
      for (let at = 0; !isDone; at += 700) {
        putMany(engine, at % 12_000, (at % 12_000) + 3)
        await checkpoint(engine)
        checkpoints++
      }
      expect(checkpoints).toBeGreaterThan(2)
      expect((await checking).findings).toEqual([])
    }
    await engine.close()
  })

  test('a walk of a root finds it whole, though a checkpoint writes its pages meanwhile', async () => {
    const { engine } = await openWithLog()
    const update = (change: (bucket: Bucket, key: (i: number) => string) => void): void => {
      engine.update((tx) => {
        change(tx.createBucketIfNotExists('b'), (i) => `k${String(i).padStart(4, '0')}`)
      })
    }
    // Leaves one behind the other, and then a hole among them for what is written next.
    update((bucket, key) => {
      for (let i = 0; i < 900; i++) bucket.put(key(i), 'v'.repeat(100))
    })
    for (let i = 0; i < 3; i++) await checkpoint(engine)
    update((bucket, key) => {
      for (let i = 300; i < 600; i++) bucket.delete(key(i))
    })
    for (let i = 0; i < 3; i++) await checkpoint(engine)
    update((bucket) => {
      for (let i = 0; i < 100; i++) bucket.put(`new ${i}`, 'w'.repeat(100))
    })
    const tx = engine.beginNow({ writable: false })
    const steps = new Checker(engine.core, tx.meta, { isRoot: true }).run()
    let step = steps.next()
    for (let i = 0; i < 12 && step.done !== true; i++) step = steps.next()
    await checkpoint(engine)
    while (step.done !== true) step = steps.next()
    expect(step.value).toMatchObject({ findings: [], keys: 701 })
    tx.rollback()
    await engine.close()
  })

  test('stats() and page() speak of the visible root', async () => {
    const { engine } = await openWithLog()
    putMany(engine, 0, 100)
    const { txid, highWaterMark, fileSizeBytes } = engine.stats()
    expect(txid).toBe(engine.txid)
    expect(highWaterMark * 1024).toBeGreaterThan(fileSizeBytes)
    const types = new Set<string | undefined>()
    for (let pgid = 2; pgid < highWaterMark; pgid++) types.add(engine.page(pgid)?.type)
    expect(types).toContain('branch')
    expect(types).toContain('leaf')
    await engine.close()
  })
})
