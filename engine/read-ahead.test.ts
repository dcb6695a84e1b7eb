import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { equalBytes } from '../base/bytes.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { effort, seed } from '../proptest/effort.ts'
import { openEngine } from './index.ts'
import { ReadAhead } from './read-ahead.ts'

const PAGE = 512
const PAGES = 700

type Step =
  | { readonly type: 'read'; readonly pgid: number; readonly count: number }
  | { readonly type: 'write'; readonly pgid: number; readonly byte: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constant('read' as const),
    pgid: fc.nat(PAGES + 5),
    count: fc.integer({ min: 1, max: 300 }),
  }),
  fc.record({
    type: fc.constant('write' as const),
    pgid: fc.nat(PAGES - 1),
    byte: fc.integer({ min: 1, max: 255 }),
  }),
)

describe('ReadAhead', () => {
  test('gives what the file holds, in any order, between writes, and at its end', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const file = new MemoryDisk().open('/file', { mode: 'create' })
        const image = new Uint8Array(PAGES * PAGE + 100)
        for (let i = 0; i < image.length; i++) image[i] = (i / PAGE) % 256
        file.write(image, 0)
        const ahead = new ReadAhead(file, PAGE)
        let changes = 0
        const [got, wanted] = [new Uint8Array(PAGE), new Uint8Array(PAGE)]
        for (const one of steps) {
          if (one.type === 'write') {
            file.write(new Uint8Array(PAGE).fill(one.byte), one.pgid * PAGE)
            ahead.keepUp(++changes)
            continue
          }
          for (let pgid = one.pgid; pgid < one.pgid + one.count; pgid++) {
            const count = ahead.read(got, pgid)
            const wantedCount = file.read(wanted, pgid * PAGE)
            const ends = [got.subarray(0, count), wanted.subarray(0, wantedCount)] as const
            if (!equalBytes(...ends)) expect.fail(`page ${pgid} is not what the file holds`)
          }
        }
      }),
      { numRuns: effort({ smoke: 50, ci: 500, soak: 20_000 }), seed },
    )
  })

  test('asks the file for many pages at once where they follow each other', () => {
    const file = new MemoryDisk().open('/file', { mode: 'create' })
    file.write(new Uint8Array(PAGES * PAGE), 0)
    let readCount = 0
    const counting = new Proxy(file, {
      get: (on, name) => {
        if (name === 'read') readCount++
        const value: unknown = Reflect.get(on, name, on)
        return typeof value === 'function' ? (value.bind(on) as unknown) : value
      },
    })
    const ahead = new ReadAhead(counting, PAGE)
    const target = new Uint8Array(PAGE)
    for (let pgid = 0; pgid < 600; pgid++) {
      ahead.read(target, pgid)
      // A branch page between leaves.
      if (pgid % 100 === 50) ahead.read(target, 699)
    }
    expect(readCount).toBeLessThan(40)
  })
})

test('an engine that reads ahead while it is written to sees what was written', async () => {
  const engine = await openEngine('/file', { disk: new MemoryDisk(), cacheBytes: 16_384 })
  const values = new Map<string, string>()
  const reader = await engine.begin({ writable: false })
  const end = reader.beginReadAhead()
  reader.rollback()
  for (let round = 0; round < 40; round++) {
    engine.update((tx) => {
      const bucket = tx.createBucketIfNotExists('b')
      for (let i = 0; i < 40; i++) {
        const key = `key ${(round * 37 + i * 13) % 300}`
        const value = `${round} ${'x'.repeat(200)}`
        values.set(key, value)
        bucket.put(key, value)
      }
    })
    engine.view((tx) => {
      const cursor = tx.bucket('b')?.cursor()
      let count = 0
      for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
        const value = entry.value === undefined ? '' : Buffer.from(entry.value).toString()
        expect(value).toBe(values.get(Buffer.from(entry.key).toString()))
        count++
      }
      expect(count).toBe(values.size)
    })
  }
  end()
  await engine.close()
})
