import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import type { Engine } from './engine.ts'
import { openEngine } from './engine.ts'
import type { Bucket } from './bucket.ts'

/** Everything in a bucket as nested plain data. */
function contentOf(bucket: Bucket): unknown {
  const entries: unknown[] = []
  for (const { key, value } of bucket.entries()) {
    const name = Buffer.from(key).toString('latin1')
    const inner = value === undefined ? contentOf(bucket.mustFindBucket(key.slice())) : undefined
    entries.push([name, inner ?? Buffer.from(value ?? []).toString('latin1')])
  }
  return { sequence: bucket.sequence, entries }
}

function content(engine: Engine): unknown {
  return engine.view((tx) => contentOf(tx.root))
}

async function filled(disk: MemoryDisk, path = '/a.db'): Promise<Engine> {
  const engine = await openEngine(path, { disk, pageSizeBytes: 1024 })
  for (let round = 0; round < 5; round++) {
    engine.update((tx) => {
      const bucket = tx.createBucketIfNotExists('big')
      for (let i = 0; i < 200; i++) bucket.put(`key ${(i * 37 + round) % 331}`, 'v'.repeat(i % 90))
      bucket.setSequence(2n ** 64n - 1n)
      const inner = bucket.createBucketIfNotExists('inner').createBucketIfNotExists('innermost')
      inner.put('deep', 'x'.repeat(round * 700))
      tx.createBucketIfNotExists(`small ${round}`).put('only', 'one')
      tx.createBucketIfNotExists('empty').nextSequence()
    })
  }
  engine.update((tx) => {
    const bucket = tx.bucket('big')
    for (let i = 0; i < 150; i++) bucket?.delete(`key ${i}`)
  })
  return engine
}

describe('Engine.copyTo()', () => {
  test('writes a file that equals the source, checks clean and can be written', async () => {
    const disk = new MemoryDisk()
    const engine = await filled(disk)
    const progress: number[] = []
    await engine.copyTo('/copy.db', { onProgress: ({ bytes }) => progress.push(bytes) })
    expect(progress.at(-1)).toBe(engine.view((tx) => tx.sizeBytes))
    const copy = await openEngine('/copy.db', { disk })
    expect(copy.txid).toBe(engine.txid)
    expect(content(copy)).toEqual(content(engine))
    expect(copy.check().findings).toEqual([])
    copy.update((tx) => tx.bucket('big')?.put('another', 'one'))
    copy.update((tx) => tx.bucket('big')?.put('and another', 'one'))
    expect(copy.check().findings).toEqual([])
    await copy.close()
    await engine.close()
  })

  test('copies the moment at which it was called while writes go on', async () => {
    const disk = new MemoryDisk()
    const engine = await filled(disk)
    const before = content(engine)
    const copying = engine.copyTo('/copy.db')
    for (let i = 0; i < 30; i++) {
      engine.update((tx) => tx.bucket('big')?.put(`key ${i}`, 'changed'.repeat(i)))
    }
    await copying
    const copy = await openEngine('/copy.db', { disk, readOnly: true })
    expect(content(copy)).toEqual(before)
    expect(copy.check().findings).toEqual([])
    await copy.close()
    await engine.close()
  })

  test('writes the same bytes to a stream, and heeds its back-pressure', async () => {
    const disk = new MemoryDisk()
    const engine = await filled(disk)
    await engine.copyTo('/copy.db')
    const stream = new PassThrough({ highWaterMark: 1024 })
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    await engine.copyTo(stream)
    expect(Buffer.concat(chunks).equals(disk.readFile('/copy.db'))).toBe(true)
    await engine.close()
  })

  test('replaces nothing, and leaves nothing behind when it is aborted', async () => {
    const disk = new MemoryDisk()
    const engine = await filled(disk)
    disk.writeFile('/there.db', new Uint8Array([1]))
    await expect(engine.copyTo('/there.db')).rejects.toMatchObject({ code: 'KV_EXISTS' })
    expect([...disk.readFile('/there.db')]).toEqual([1])
    const reason = new Error('enough')
    await expect(engine.copyTo('/copy.db', { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    )
    expect(disk.list('/')).toEqual(['a.db', 'there.db'])
    // @ts-expect-error neither a path nor a stream
    await expect(engine.copyTo(7)).rejects.toThrow(TypeError)
    await engine.close()
  })
})

describe('Engine.compactTo()', () => {
  test('writes the same buckets, sequences and keys without the waste', async () => {
    const disk = new MemoryDisk()
    const engine = await filled(disk)
    await engine.compactTo('/small.db', { txBytes: 2000 })
    const small = await openEngine('/small.db', { disk })
    expect(content(small)).toEqual(content(engine))
    expect(small.check().findings).toEqual([])
    expect(small.stats().highWaterMark).toBeLessThan(engine.stats().highWaterMark / 2)
    expect(small.pageSizeBytes).toBe(1024)
    await small.close()
    await engine.close()
  })

  test('keeps the not-persisted form of the freelist', async () => {
    const disk = new MemoryDisk()
    const engine = await openEngine('/a.db', { disk, freelist: 'scan' })
    engine.update((tx) => tx.createBucket('b').put('k', 'v'))
    await engine.compactTo('/small.db')
    await engine.close()
    const small = await openEngine('/small.db', { disk, readOnly: true })
    expect(small.core.meta.freelistPgid).toBeUndefined()
    expect(small.check().findings).toEqual([])
    await small.close()
  })

  test('stops at a damaged page and leaves nothing behind', async () => {
    const disk = new MemoryDisk()
    const engine = await filled(disk)
    const root = engine.view((tx) => tx.bucket('big')?.tree.rootPgid ?? 0)
    await engine.close()
    disk.flipBit('/a.db', root * 1024 + 40, 3)
    const damaged = await openEngine('/a.db', { disk, readOnly: true })
    await expect(damaged.compactTo('/small.db')).rejects.toMatchObject({
      code: 'KV_CORRUPT',
      offset: root * 1024,
    })
    expect(disk.list('/')).toEqual(['a.db'])
    await damaged.close()
  })
})
