import { describe, expect, test } from 'vitest'
import type { LogGroup, LogOp } from '../base/log-group.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { DB_PATH, bucketOf, keysOf, mustBeClean } from '../proptest/engine/memory-engine.ts'
import { AutoLog, LOG_ID, openWithLog } from '../proptest/engine/auto-log.ts'
import { checkpoint } from './checkpoint.ts'
import type { Engine } from './engine.ts'
import { openEngine } from './engine.ts'
import { decodeMeta, encodeMetaPage } from './meta.ts'
import type { Meta } from './meta.ts'
import { attachLog, openForLog } from './open-logged.ts'
import type { EngineOptions } from './options.ts'

const PAGE_SIZE = 1024

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}

function withCode(code: string, message: RegExp = /./): unknown {
  return expect.objectContaining({ code, message: expect.stringMatching(message) })
}

function openOn(disk: MemoryDisk, options: EngineOptions = {}): Promise<Engine> {
  return openForLog(DB_PATH, { disk, lock: 'none', pageSizeBytes: PAGE_SIZE, ...options })
}

function put(engine: Engine, key: string): void {
  engine.update((tx) => tx.createBucketIfNotExists('b').put(key, 'v'.repeat(50)))
}

function keysIn(engine: Engine): string[] {
  return engine.view((tx) => keysOf(bucketOf(tx, 'b')))
}

/** A file at a checkpoint with the keys a and b, and the log with key c behind it. */
async function stampedDisk(): Promise<{ disk: MemoryDisk; groups: LogGroup[] }> {
  const disk = new MemoryDisk()
  const { engine, log } = await openWithLog({}, disk)
  put(engine, 'a')
  put(engine, 'b')
  await checkpoint(engine)
  put(engine, 'c')
  await engine.close()
  return { disk, groups: log.durable }
}

function newestMeta(disk: MemoryDisk): Meta {
  const file = disk.readFile(DB_PATH)
  const metas = ([0, 1] as const).map((slot) => decodeMeta(file, slot * PAGE_SIZE + 16, slot))
  const found = metas.flatMap((reading) => ('meta' in reading ? [reading.meta] : []))
  return found.reduce((a, b) => (b.txid > a.txid ? b : a))
}

/** As bbolt does it: what it does not know stays. */
function commitAsBbolt(disk: MemoryDisk): void {
  const newest = newestMeta(disk)
  const slot = newest.slot === 0 ? 1 : 0
  const file = disk.readFile(DB_PATH)
  file.set(encodeMetaPage({ ...newest, txid: newest.txid + 1, slot }), slot * PAGE_SIZE)
  disk.writeFile(DB_PATH, file)
}

describe('a file with a stamp', () => {
  test('openEngine() does not write it, and leaves it as it was', async () => {
    const { disk } = await stampedDisk()
    const before = disk.readFile(DB_PATH)
    const operations = disk.operationCount
    await expect(openEngine(DB_PATH, { disk, lock: 'none' })).rejects.toEqual(
      withCode('KV_LOG_MISMATCH', /belongs to a log.*open the directory/),
    )
    expect(disk.operationCount).toBe(operations)
    expect(disk.readFile(DB_PATH)).toEqual(before)
  })

  test('openEngine() reads it as of its last checkpoint', async () => {
    const { disk } = await stampedDisk()
    const engine = await openEngine(DB_PATH, { disk, lock: 'none', readOnly: true })
    expect(keysIn(engine)).toEqual(['a', 'b'])
    await engine.close()
  })

  test('openForLog() names its log, and that the last to write was a checkpoint', async () => {
    const { disk } = await stampedDisk()
    const engine = await openOn(disk)
    expect(engine.stamp).toEqual({ logId: LOG_ID, isOwn: true })
    await engine.close()
    const fresh = await openOn(new MemoryDisk())
    expect(fresh.stamp).toBe(undefined)
    await fresh.close()
  })

  test('openForLog() sees that another program committed since', async () => {
    const { disk } = await stampedDisk()
    commitAsBbolt(disk)
    const engine = await openOn(disk)
    expect(engine.stamp).toEqual({ logId: LOG_ID, isOwn: false })
    await engine.close()
  })

  test('openForLog() gives no writer before the log is attached', async () => {
    const { disk } = await stampedDisk()
    const engine = await openOn(disk)
    expect(keysIn(engine)).toEqual(['a', 'b'])
    expect(() => engine.update(() => {})).toThrow(/belongs to a log/)
    await expect(engine.begin({ writable: true })).rejects.toEqual(withCode('KV_LOG_MISMATCH'))
    await engine.close()
  })

  test('copies of it have none, and can be written', async () => {
    const { disk, groups } = await stampedDisk()
    const { engine } = await openWithLog({}, disk, groups)
    await checkpoint(engine)
    await engine.copyTo('/copy')
    await engine.compactTo('/compact')
    await engine.close()
    for (const path of ['/copy', '/compact']) {
      const copy = await openEngine(path, { disk, lock: 'none' })
      expect(copy.stamp).toBe(undefined)
      expect(copy.core.meta).toMatchObject({ flags: 0, rootSequence: 0n })
      expect(copy.core.previous).toMatchObject({ flags: 0, rootSequence: 0n })
      put(copy, 'd')
      expect(keysIn(copy)).toEqual(['a', 'b', 'c', 'd'])
      mustBeClean(copy)
      await copy.close()
    }
  })
})

describe('attachLog()', () => {
  test('does again what the log holds beyond the file', async () => {
    const { disk, groups } = await stampedDisk()
    const { engine } = await openWithLog({}, disk, groups)
    expect(keysIn(engine)).toEqual(['a', 'b', 'c'])
    expect(engine.txid).toBe(groups.at(-1)?.txid)
    put(engine, 'd')
    await checkpoint(engine)
    mustBeClean(engine)
    await engine.close()
  })

  test('refuses a file of another log, and one that another program wrote to', async () => {
    const { disk, groups } = await stampedDisk()
    const other = await openOn(disk)
    const log = new AutoLog(groups)
    await expect(attachLog(other, { log, logId: 5, groups })).rejects.toEqual(
      withCode('KV_LOG_MISMATCH', /belongs to log 00c0ffee, and this one is 00000005/),
    )
    await other.close()
    commitAsBbolt(disk)
    const foreign = await openOn(disk)
    await expect(attachLog(foreign, { log, logId: LOG_ID, groups })).rejects.toEqual(
      withCode('KV_LOG_MISMATCH', /another program has written to it/),
    )
    await foreign.close()
  })

  test('refuses groups with a gap between them', async () => {
    const { disk, groups } = await stampedDisk()
    const txid = (groups.at(-1)?.txid ?? 0) + 2
    const engine = await openOn(disk)
    const gapped = [...groups, { txid, entries: [] }]
    await expect(
      attachLog(engine, { log: new AutoLog(), logId: LOG_ID, groups: gapped }),
    ).rejects.toEqual(withCode('KV_CORRUPT', new RegExp(`transaction ${txid}, after ${txid - 2}`)))
    expect(() => engine.view(() => {})).toThrow(withPoison())
    await engine.close()
  })

  test('refuses groups that begin behind a gap', async () => {
    const { disk, groups } = await stampedDisk()
    const txid = groups.at(-1)?.txid ?? 0
    const engine = await openOn(disk)
    const late = [{ txid: txid + 1, entries: [] }]
    await expect(
      attachLog(engine, { log: new AutoLog(), logId: LOG_ID, groups: late }),
    ).rejects.toEqual(
      withCode('KV_CORRUPT', new RegExp(`transaction ${txid + 1}, the file ends with ${txid - 1}`)),
    )
    await engine.close()
  })

  test('refuses a group that does not fit what is there', async () => {
    const { disk, groups } = await stampedDisk()
    const engine = await openOn(disk)
    const op: LogOp = { op: 'delete', path: [bytes('no such bucket')], key: bytes('k') }
    const wrong = groups.map((group, i) =>
      i === groups.length - 1
        ? { ...group, entries: [{ revision: 0, timeMs: 0, ops: [op] }] }
        : group,
    )
    await expect(
      attachLog(engine, { log: new AutoLog(), logId: LOG_ID, groups: wrong }),
    ).rejects.toEqual(withCode('KV_CORRUPT', /can't be done again/))
    await engine.close()
  })

  test('of a file opened read-only writes nothing, however much there is', async () => {
    const { disk, groups } = await stampedDisk()
    let txid = groups.at(-1)?.txid ?? 0
    for (let i = 0; i < 400; i++) {
      const ops: LogOp[] = []
      for (let k = 0; k < 5; k++) {
        const key = bytes(`k${(i * 7919 + k * 104_729) % 1000}`)
        ops.push({ op: 'put', path: [bytes('b')], key, value: new Uint8Array(200).fill(i) })
      }
      groups.push({ txid: ++txid, entries: [{ revision: 0, timeMs: 0, ops }] })
    }
    const operations = disk.operationCount
    const engine = await openOn(disk, { readOnly: true, cacheBytes: 16 * 1024 })
    let pauses = 0
    const pause = (): Promise<void> => Promise.resolve(void pauses++)
    await attachLog(engine, { log: undefined, logId: LOG_ID, groups, pause })
    expect(engine.txid).toBe(txid)
    expect(keysIn(engine).length).toBeGreaterThan(400)
    expect(pauses).toBeGreaterThan(2)
    expect(() => engine.update(() => {})).toThrow(withCodeError('KV_READ_ONLY'))
    await engine.close()
    expect(disk.operationCount).toBe(operations)
  })

  test('brings the file to where the log is when memory is short', async () => {
    const { disk, groups } = await stampedDisk()
    let txid = groups.at(-1)?.txid ?? 0
    for (let i = 0; i < 1000; i++) {
      const op: LogOp = { op: 'put', path: [bytes('b')], key: bytes(`k${i}`), value: bytes('v') }
      const large: LogOp = { ...op, value: new Uint8Array(600) }
      groups.push({ txid: ++txid, entries: [{ revision: 0, timeMs: 0, ops: [large] }] })
    }
    const engine = await openOn(disk, { cacheBytes: 512 * 1024 })
    const before = engine.generations.newest
    await attachLog(engine, { log: new AutoLog(groups), logId: LOG_ID, groups })
    expect(engine.generations.newest).toBeGreaterThan(before)
    expect(keysIn(engine).length).toBe(1003)
    mustBeClean(engine)
    await engine.close()
  })
})

function withPoison(): unknown {
  return withCodeError('KV_POISONED')
}

function withCodeError(code: string): unknown {
  return expect.objectContaining({ code })
}
