import { expect, test } from 'vitest'
import type { MemoryDisk } from '../disk/memory-disk.ts'
import { DB_PATH, bucketOf, keysOf, openInMemory } from '../proptest/engine/memory-engine.ts'
import { inlinePageFault } from './inline.ts'

const FILLER_SIZE = 700
const LEVEL_SIZE = 16 + 16 + 16 + 1

/**
 * The value of an inline bucket with one bucket "a" inside, inline too, and so on: `levels` deep.
 */
function nestedValue(levels: number): Uint8Array {
  const bytes = new Uint8Array(levels * LEVEL_SIZE + 32)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (let level = 0; level < levels; level++, at += LEVEL_SIZE) {
    view.setUint16(at + 24, 2, true)
    view.setUint16(at + 26, 1, true)
    view.setUint32(at + 32, 1, true)
    view.setUint32(at + 36, 16, true)
    view.setUint32(at + 40, 1, true)
    view.setUint32(at + 44, bytes.length - at - LEVEL_SIZE, true)
    bytes[at + 48] = 0x61
  }
  view.setUint16(at + 24, 2, true)
  return bytes
}

/** A disk whose bucket "b" holds `value` under "k" as if it were a bucket. */
async function diskWithBucketValue(value: Uint8Array): Promise<MemoryDisk> {
  const fillerSize = value.length < FILLER_SIZE ? FILLER_SIZE : 0
  const { engine, disk } = await openInMemory({ freelist: 'scan' })
  engine.update((tx) => {
    const bucket = tx.createBucket('b')
    bucket.put('k', value)
    // Too much for the bucket to be inline itself.
    if (fillerSize > 0) bucket.put('z', new Uint8Array(fillerSize))
  })
  const pgid = engine.view((tx) => bucketOf(tx, 'b').tree.rootPgid)
  await engine.close()
  const bytes = disk.readFile(DB_PATH)
  const start = pgid * 1024
  new DataView(bytes.buffer).setUint32(start + 16, 1, true)
  // Unsealed, as another writer would leave it.
  const entries = fillerSize > 0 ? 2 : 1
  const end = start + 16 + entries * (16 + 1) + value.length + fillerSize
  bytes.fill(0, end, Math.ceil(end / 1024) * 1024)
  disk.writeFile(DB_PATH, bytes)
  return disk
}

test('inlinePageFault() takes an inline bucket without buckets, and refuses one with', () => {
  const plain = nestedValue(0)
  expect(inlinePageFault(plain, 16, plain.length - 16, true)).toBeUndefined()
  const nested = nestedValue(1)
  expect(inlinePageFault(nested, 16, nested.length - 16, true)).toBe('it holds a bucket')
  expect(inlinePageFault(nested, 16, nested.length - 16, false)).toBeUndefined()
})

test('inline buckets nested twenty thousand deep are a finding, and no overflow of the stack', async () => {
  const disk = await diskWithBucketValue(nestedValue(20_000))
  const { engine } = await openInMemory({ readOnly: true }, disk)
  const isDamage: unknown = expect.objectContaining({ code: 'KV_CORRUPT' })
  expect(engine.check().findings.map(({ code }) => code)).toContain('bucket-damaged')
  expect(() => engine.inspect()).toThrow(isDamage)
  expect(() => engine.view((tx) => bucketOf(tx, 'b').bucket('k'))).toThrow(isDamage)
  await engine.close()
  await expect(openInMemory({}, disk)).rejects.toThrow(isDamage)
})

test('within bounds, inline buckets that hold buckets are read', async () => {
  const disk = await diskWithBucketValue(nestedValue(3))
  const { engine } = await openInMemory({ readOnly: true, pageRules: 'bounds' }, disk)
  engine.view((tx) => {
    let bucket = bucketOf(bucketOf(tx, 'b'), 'k')
    for (let level = 0; level < 3; level++) {
      expect(keysOf(bucket)).toEqual(['a'])
      bucket = bucketOf(bucket, 'a')
    }
    expect(keysOf(bucket)).toEqual([])
  })
  await engine.close()
})
