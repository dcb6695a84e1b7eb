import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { PowerCut } from '../disk/fault-plan.ts'
import {
  DB_PATH,
  bucketOf,
  keysOf,
  mustBeClean,
  openInMemory,
} from '../proptest/engine/memory-engine.ts'
import type { Engine } from './engine.ts'
import { openEngine } from './engine.ts'
import { BUCKET_HEADER_SIZE } from './format.ts'
import { decodeMeta, encodeMetaPage } from './meta.ts'
import type { Meta } from './meta.ts'
import { emptyImage } from './open.ts'
import type { EngineOptions } from './options.ts'

const PAGE_SIZES = [1024, 2048, 4096, 8192, 16384, 32768, 65536]

function withCode(code: string): unknown {
  return expect.objectContaining({ code })
}

/** A disk with a database of `commits` commits: commit i put key i. */
async function diskWith(commits: number, options: EngineOptions = {}): Promise<MemoryDisk> {
  const { engine, disk } = await openInMemory(options)
  for (let i = 0; i < commits; i++) putKey(engine, `k${i}`)
  await engine.close()
  return disk
}

function putKey(engine: Engine, key: string): void {
  engine.update((tx) => tx.createBucketIfNotExists('b').put(key, 'v'.repeat(200)))
}

function keysIn(engine: Engine): string[] {
  return engine.view((tx) => {
    const bucket = tx.bucket('b')
    return bucket === undefined ? [] : keysOf(bucket)
  })
}

function diskOf(bytes: Uint8Array): MemoryDisk {
  const disk = new MemoryDisk()
  disk.writeFile(DB_PATH, bytes)
  return disk
}

function openOn(disk: MemoryDisk, options: EngineOptions = {}): Promise<Engine> {
  return openEngine(DB_PATH, { disk, lock: 'none', ...options })
}

function flip(disk: MemoryDisk, offset: number): void {
  disk.flipBit(DB_PATH, offset, 3)
}

function metaOf(bytes: Uint8Array, pageSizeBytes: number, slot: 0 | 1): Meta {
  const reading = decodeMeta(bytes, slot * pageSizeBytes + 16, slot)
  if (!('meta' in reading)) throw new Error('no meta there')
  return reading.meta
}

describe('openEngine() of a new file', () => {
  test.each(PAGE_SIZES)('makes the four pages of bbolt, %i bytes each', async (pageSizeBytes) => {
    const { engine, disk } = await openInMemory({ pageSizeBytes })
    expect(engine.report).toEqual({ isNew: true, txid: 1, fallback: undefined })
    expect(engine.pageSizeBytes).toBe(pageSizeBytes)
    await engine.close()
    expect(Buffer.compare(disk.readFile(DB_PATH), emptyImage(pageSizeBytes))).toBe(0)
  })

  test('is whole after a power cut at any operation, or made anew by the next open', async () => {
    for (let cut = 1; cut < 10; cut++) {
      const disk = new MemoryDisk()
      disk.cutPowerAt(cut)
      let isOpen = true
      try {
        await (await openOn(disk)).close()
      } catch (error) {
        expect(error).toBeInstanceOf(PowerCut)
        isOpen = false
      }
      for (let seed = 0; seed < 10; seed++) {
        const found = disk.afterPowerLoss(seed)
        if (isOpen) expect(found.exists(DB_PATH)).toBe(true)
        const engine = await openOn(found, { pageSizeBytes: 1024 })
        putKey(engine, 'a')
        mustBeClean(engine)
        await engine.close()
      }
    }
  })

  test('a missing file opened read-only is KV_NOT_FOUND, and is not made', async () => {
    const disk = new MemoryDisk()
    await expect(openOn(disk, { readOnly: true })).rejects.toThrow(withCode('KV_NOT_FOUND'))
    expect(disk.exists(DB_PATH)).toBe(false)
  })
})

describe('openEngine() of an existing file', () => {
  test.each(PAGE_SIZES)('finds a page size of %i bytes, with meta 0 damaged too', async (size) => {
    for (const commits of [0, 1, 2, 5]) {
      const disk = await diskWith(commits, { pageSizeBytes: size })
      const whole = await openOn(disk)
      expect(whole.pageSizeBytes).toBe(size)
      expect(keysIn(whole)).toHaveLength(commits)
      await whole.close()
      flip(disk, 24)
      const engine = await openOn(disk)
      expect(engine.pageSizeBytes).toBe(size)
      expect(engine.report.fallback).toEqual({ slot: 0, reason: 'its checksum is wrong' })
      // Meta 0 held the newest commit when its number is even; the first one is number 2.
      const isNewest = commits > 0 && (commits + 1) % 2 === 0
      expect(keysIn(engine)).toHaveLength(isNewest ? commits - 1 : commits)
      mustBeClean(engine)
      putKey(engine, 'more')
      putKey(engine, 'more still')
      mustBeClean(engine)
      await engine.close()
    }
  })

  test('an option for another page size does not change it', async () => {
    const disk = await diskWith(1)
    const engine = await openOn(disk, { pageSizeBytes: 8192 })
    expect(engine.pageSizeBytes).toBe(1024)
    await engine.close()
  })

  test('with meta 1 damaged stands at meta 0 and says so', async () => {
    const disk = await diskWith(2)
    flip(disk, 1024 + 16)
    const engine = await openOn(disk, { readOnly: true })
    expect(engine.report.fallback).toEqual({ slot: 1, reason: 'it has no magic number' })
    expect(keysIn(engine)).toEqual(['k0'])
    await engine.close()
  })

  test('with both metas damaged is KV_CORRUPT', async () => {
    const disk = await diskWith(2)
    flip(disk, 30)
    flip(disk, 1024 + 30)
    await expect(openOn(disk)).rejects.toThrow(withCode('KV_CORRUPT'))
  })

  test('`previous` stands at the generation before, whole', async () => {
    const disk = await diskWith(5)
    const engine = await openOn(disk, { readOnly: true, generation: 'previous' })
    expect(engine.txid).toBe(5)
    expect(engine.report.fallback?.slot).toBe(0)
    expect(keysIn(engine)).toEqual(['k0', 'k1', 'k2', 'k3'])
    mustBeClean(engine)
    await engine.close()
  })

  test('`previous` opened to write leaves the passed-over commit behind, at any power cut', async () => {
    const disk = await diskWith(30)
    for (let cut = 1; cut < 14; cut++) {
      const copy = disk.clone()
      copy.cutPowerAt(cut)
      const acknowledged = new Set<string>()
      try {
        const engine = await openOn(copy, { generation: 'previous' })
        for (let i = 0; i < 2; i++) {
          putKey(engine, `new${i}`)
          acknowledged.add(`new${i}`)
        }
        await engine.close()
      } catch (error) {
        expect(error).toBeInstanceOf(PowerCut)
      }
      for (const mode of ['nothing', 'everything', 'random', 'torn'] as const) {
        const found = await openOn(copy.afterPowerLoss(cut, mode))
        mustBeClean(found)
        const keys = new Set(keysIn(found))
        for (const key of acknowledged) expect(keys.has(key), `${key} after cut ${cut}`).toBe(true)
        for (let i = 0; i < 29; i++) expect(keys.has(`k${i}`)).toBe(true)
        await found.close()
      }
    }
  })

  test('`previous` without a generation before is KV_NOT_FOUND', async () => {
    const disk = await diskWith(2)
    flip(disk, 30)
    const previous = openOn(disk, { generation: 'previous' })
    await expect(previous).rejects.toThrow(withCode('KV_NOT_FOUND'))
  })

  test('a file cut below its high-water mark falls back or is refused, and loses nothing', async () => {
    const disk = await diskWith(30)
    const bytes = disk.readFile(DB_PATH)
    const marks = ([0, 1] as const).map((slot) => metaOf(bytes, 1024, slot).highWaterMark)
    for (let pages = 2; pages < Math.max(...marks) + 2; pages++) {
      const short = diskOf(bytes.slice(0, pages * 1024))
      const usable = marks.filter((mark) => mark <= pages).length
      if (usable === 0) {
        await expect(openOn(short), `${pages} pages`).rejects.toThrow(withCode('KV_CORRUPT'))
        expect(short.readFile(DB_PATH)).toHaveLength(pages * 1024)
        continue
      }
      const engine = await openOn(short)
      expect(engine.report.fallback === undefined).toBe(usable === 2)
      mustBeClean(engine)
      await engine.close()
    }
  })

  test('a meta that names another page size than the file has is not used', async () => {
    const disk = await diskWith(2)
    const bytes = disk.readFile(DB_PATH)
    const meta = { ...metaOf(bytes, 1024, 1), pageSizeBytes: 2048, txid: 99 }
    bytes.set(encodeMetaPage(meta).subarray(0, 1024), 1024)
    const damaged = diskOf(bytes)
    const engine = await openOn(damaged)
    expect(engine.report.fallback?.slot).toBe(1)
    expect(engine.txid).toBe(2)
    putKey(engine, 'more')
    mustBeClean(engine)
    await engine.close()
    const again = await openOn(damaged)
    expect(keysIn(again)).toEqual(['k0', 'more'])
    await again.close()
  })
})

describe('openEngine() of what is no database', () => {
  test.each<[string, Uint8Array]>([
    ['one byte', Uint8Array.of(1)],
    ['100 zero bytes', new Uint8Array(100)],
    ['5000 zero bytes', new Uint8Array(5000)],
    ['text', Uint8Array.from(Buffer.from('not a database\n'.repeat(2000)))],
    ['half a meta page', emptyImage(1024).slice(0, 60)],
  ])('%s: KV_BAD_FILE, and the file stays as it is', async (_, bytes) => {
    const disk = diskOf(bytes)
    for (const readOnly of [true, false]) {
      await expect(openOn(disk, { readOnly })).rejects.toThrow(withCode('KV_BAD_FILE'))
    }
    expect(Buffer.compare(disk.readFile(DB_PATH), bytes)).toBe(0)
  })

  test('a file of another version is KV_BAD_VERSION, a big-endian one KV_BAD_FILE', async () => {
    const version = emptyImage(1024)
    new DataView(version.buffer).setUint32(20, 3, true)
    new DataView(version.buffer).setUint32(1024 + 20, 3, true)
    await expect(openOn(diskOf(version))).rejects.toThrow(withCode('KV_BAD_VERSION'))
    const bigEndian = emptyImage(1024)
    new DataView(bigEndian.buffer).setUint32(16, 0xed0cdaed, false)
    new DataView(bigEndian.buffer).setUint32(1024 + 16, 0xed0cdaed, false)
    await expect(openOn(diskOf(bigEndian))).rejects.toThrow(withCode('KV_BAD_FILE'))
    await expect(openOn(diskOf(bigEndian))).rejects.toThrow(/big-endian/)
  })
})

describe('openEngine() read-only', () => {
  test('writes nothing, refuses to write, and two may read at once', async () => {
    const disk = await diskWith(3)
    const operations = disk.operationCount
    const one = await openOn(disk, { readOnly: true, lock: 'auto' })
    const two = await openOn(disk, { readOnly: true, lock: 'auto' })
    expect(keysIn(one)).toEqual(keysIn(two))
    expect(() => one.update(() => 0)).toThrow(withCode('KV_READ_ONLY'))
    await expect(one.begin({ writable: true })).rejects.toThrow(withCode('KV_READ_ONLY'))
    await expect(openOn(disk, { lock: 'auto' })).rejects.toThrow(withCode('KV_LOCKED'))
    await one.close()
    await two.close()
    expect(disk.operationCount).toBe(operations)
  })

  test('a writer keeps others out until it closes', async () => {
    const disk = await diskWith(1)
    const writer = await openOn(disk, { lock: 'auto' })
    for (const readOnly of [true, false]) {
      await expect(openOn(disk, { lock: 'auto', readOnly })).rejects.toThrow(withCode('KV_LOCKED'))
    }
    await writer.close()
    await (await openOn(disk, { lock: 'auto', readOnly: true })).close()
  })
})

describe('the freelist on opening', () => {
  test.each([
    ['sync', 'scan'],
    ['scan', 'sync'],
    ['scan', 'scan'],
    ['sync', 'sync'],
  ] as const)('written as %s opens as %s with the same free pages', async (before, after) => {
    const disk = await diskWith(40, { freelist: before })
    const engine = await openOn(disk, { freelist: after })
    mustBeClean(engine)
    const { freePages = 0, pendingPages = 0 } = engine.stats()
    expect(freePages + pendingPages).toBeGreaterThan(0)
    for (let i = 0; i < 10; i++) {
      putKey(engine, `k${i}`)
      mustBeClean(engine)
      expect(engine.check({ generation: 'previous' }).findings).toEqual([])
    }
    await engine.close()
    const again = await openOn(disk, { readOnly: true })
    expect(again.core.meta.freelistPgid === undefined).toBe(after === 'scan')
    mustBeClean(again)
    await again.close()
  })

  test('pages that the generation before still needs are held back', async () => {
    const disk = await diskWith(40)
    for (let round = 0; round < 6; round++) {
      const engine = await openOn(disk, { freelist: round % 2 === 0 ? 'sync' : 'scan' })
      expect(engine.check({ generation: 'previous' }).findings).toEqual([])
      const keys = keysIn(engine)
      putKey(engine, `round${round}`)
      await engine.close()
      const older = await openOn(disk, { readOnly: true, generation: 'previous' })
      expect(keysIn(older)).toEqual(keys)
      mustBeClean(older)
      await older.close()
    }
  })
})

test('a bucket that leads to itself is KV_CORRUPT to those who walk it, and no endless walk', async () => {
  const { engine, disk } = await openInMemory({ freelist: 'scan' })
  engine.update((tx) => {
    const outer = tx.createBucket('outer')
    outer.put('large', 'v'.repeat(700))
    outer.createBucket('inner').put('large', 'v'.repeat(700))
  })
  const outerPgid = engine.view((tx) => bucketOf(tx, 'outer').tree.rootPgid)
  const innerPgid = engine.view((tx) => bucketOf(bucketOf(tx, 'outer'), 'inner').tree.rootPgid)
  await engine.close()
  const bytes = disk.readFile(DB_PATH)
  const page = Buffer.from(bytes.buffer, outerPgid * 1024, 1024)
  const header = page.indexOf('inner') + 'inner'.length
  expect(page.readBigUInt64LE(header)).toBe(BigInt(innerPgid))
  expect(BUCKET_HEADER_SIZE).toBe(16)
  page.writeBigUInt64LE(BigInt(outerPgid), header)
  // Without its seal the page could have come from anyone.
  page.fill(0, 1016)
  const damaged = diskOf(bytes)
  const isDamage = withCode('KV_CORRUPT')
  await expect(openOn(damaged)).rejects.toThrow(isDamage)
  const reader = await openOn(damaged, { readOnly: true })
  expect(reader.check().findings[0]?.code).toBe('page-reached-twice')
  expect(() => reader.inspect()).toThrow(isDamage)
  expect(() => reader.view((tx) => bucketOf(tx, 'outer').stats())).toThrow(isDamage)
  await expect(reader.compactTo('/copy')).rejects.toThrow(isDamage)
  await reader.close()
})

describe('openEngine() with wrong arguments', () => {
  test.each<[string, unknown, unknown]>([
    ['path', 5, {}],
    ['path', undefined, {}],
    ['options', 'db', null],
    ['options', 'db', { readonly: true }],
    ['disk', 'db', { disk: 'real' }],
    ['readOnly', 'db', { readOnly: 1 }],
    ['pageSizeBytes', 'db', { pageSizeBytes: '4096' }],
    ['lockTimeoutMs', 'db', { lockTimeoutMs: '1s' }],
    ['lock', 'db', { lock: 'flock' }],
    ['freelist', 'db', { freelist: 'array' }],
    ['generation', 'db', { generation: 'oldest' }],
    ['cacheBytes', 'db', { cacheBytes: true }],
    ['pageRules', 'db', { pageRules: 'none' }],
    ['signal', 'db', { signal: {} }],
  ])('%s: a TypeError names it', async (name, path, options) => {
    const opening = openEngine(path as string, options as EngineOptions)
    await expect(opening).rejects.toThrow(TypeError)
    await expect(opening).rejects.toThrow(new RegExp(`^${name}: `))
  })

  test.each<[string, string, EngineOptions]>([
    ['path', '', {}],
    ['pageSizeBytes', 'db', { pageSizeBytes: 512 }],
    ['pageSizeBytes', 'db', { pageSizeBytes: 131072 }],
    ['pageSizeBytes', 'db', { pageSizeBytes: 3000 }],
    ['pageSizeBytes', 'db', { pageSizeBytes: Number.NaN }],
    ['lockTimeoutMs', 'db', { lockTimeoutMs: -1 }],
    ['lockTimeoutMs', 'db', { lockTimeoutMs: Number.NaN }],
    ['cacheBytes', 'db', { cacheBytes: 1024 }],
  ])('%s: a RangeError names it', async (name, path, options) => {
    const opening = openEngine(path, options)
    await expect(opening).rejects.toThrow(RangeError)
    await expect(opening).rejects.toThrow(new RegExp(`^${name}: `))
  })
})

test('a file whose making stopped at any byte, on a full disk say, is made anew', async () => {
  const image = emptyImage(1024)
  for (let written = 1; written < image.length; written += 89) {
    const bytes = new Uint8Array(image.length)
    bytes.set(image.subarray(0, written))
    const disk = new MemoryDisk()
    disk.writeFile('/torn.db', bytes)
    const engine = await openEngine('/torn.db', { disk, pageSizeBytes: 4096 })
    engine.update((tx) => tx.createBucket('b').put('k', 'v'))
    expect(engine.check().isClean).toBe(true)
    await engine.close()
  }
})
