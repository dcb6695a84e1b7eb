import { beforeAll, describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import type { Sample } from '../proptest/faults/sample.ts'
import { SAMPLE_PAGE_SIZE, SAMPLE_PATH, makeSample } from '../proptest/faults/sample.ts'
import { Forgery } from '../proptest/faults/crafted.ts'
import { openEngine } from './engine.ts'
import type { RawFile, RawFileOptions } from './raw-file.ts'
import { openRawFile } from './raw-file.ts'

let sample: Sample

beforeAll(async () => {
  sample = await makeSample('sync')
})

async function open(bytes: Uint8Array, options: RawFileOptions = {}): Promise<RawFile> {
  const disk = new MemoryDisk()
  disk.writeFile(SAMPLE_PATH, bytes)
  return openRawFile(SAMPLE_PATH, { disk, ...options })
}

describe('openRawFile()', () => {
  test('reads both metas as they stand, the newest first among the usable', async () => {
    const file = await open(sample.bytes)
    const { pageSizeBytes, pageSizeSource, metas, usableMetas } = file
    expect({ pageSizeBytes, pageSizeSource }).toEqual({
      pageSizeBytes: SAMPLE_PAGE_SIZE,
      pageSizeSource: 'meta 0',
    })
    expect(metas.map((meta) => meta?.fault)).toEqual([undefined, undefined])
    expect(usableMetas.map(({ txid }) => txid)).toEqual([4, 3])
    file.close()
  })

  test('a meta that can not be used keeps its fields and says why', async () => {
    const forgery = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
    forgery.view.setUint32(16 + 40, 12345, true)
    const file = await open(forgery.bytes)
    expect(file.metas[0]).toMatchObject({ highWaterMark: 12345n, meta: undefined })
    expect(file.metas[0]?.fault).toContain('checksum')
    expect(file.pageSizeSource).toBe('meta 1')
    expect(file.usableMetas).toHaveLength(1)
    file.close()
  })

  test.each([1024, 4096, 65536])('finds the page size %d without any meta', async (size) => {
    const disk = new MemoryDisk()
    const engine = await openEngine('/db', { disk, pageSizeBytes: size })
    engine.update((tx) => {
      const bucket = tx.createBucket('b')
      for (let i = 0; i < 2000; i++) bucket.put(`key ${i}`, Buffer.alloc(100))
    })
    await engine.close()
    const bytes = disk.readFile('/db').fill(0, 0, 2 * size)
    const file = await open(bytes)
    expect([file.pageSizeBytes, file.pageSizeSource]).toEqual([size, 'guess'])
    expect(file.hasMagic).toBe(false)
    file.close()
  })

  test('knows nothing of a file of noise, unless it is told', async () => {
    const noise = Uint8Array.from({ length: 9000 }, (_, i) => (i * 31) & 0xff)
    const file = await open(noise)
    expect([file.pageSizeBytes, file.pageCount]).toEqual([undefined, 0])
    file.close()
    const told = await open(noise, { pageSizeBytes: 2048 })
    expect([told.pageSizeSource, told.pageCount]).toEqual(['asked', 5])
    told.close()
    await expect(open(noise, { pageSizeBytes: 1000 })).rejects.toThrow(/^pageSizeBytes: /)
  })

  test('reads no further than the file goes', async () => {
    const file = await open(sample.bytes.subarray(0, 3 * SAMPLE_PAGE_SIZE + 10))
    expect(file.readPages(3, 1)).toHaveLength(10)
    expect(file.readPages(9, 4)).toHaveLength(0)
    file.close()
  })

  test('takes a shared lock: a writer keeps it out, a reader does not', async () => {
    const disk = new MemoryDisk()
    disk.writeFile(SAMPLE_PATH, sample.bytes)
    const writer = await openEngine(SAMPLE_PATH, { disk })
    await expect(openRawFile(SAMPLE_PATH, { disk })).rejects.toMatchObject({ code: 'KV_LOCKED' })
    const unlocked = await openRawFile(SAMPLE_PATH, { disk, lock: 'none' })
    unlocked.close()
    await writer.close()
    const reader = await openEngine(SAMPLE_PATH, { disk, readOnly: true })
    const file = await openRawFile(SAMPLE_PATH, { disk })
    file.close()
    await reader.close()
  })
})
