/**
 * Freelists at the edge where the count no longer fits its field: 65,534, 65,535 and 65,536 ids,
 * written by us and read by bbolt, and the other way round.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openEngine } from '../../engine/index.ts'
import { contentOf, expectReadByBbolt, expectReadByUs, findingsOf } from './engine-file.ts'
import { applyToModel, parseTransactions } from './edits.ts'
import { isWithoutGo } from './go-build.ts'
import { bbolt } from './go-program.ts'
import { RawFile } from './raw-file.ts'
import { withTempDirectory } from './temp-directory.ts'

const PAGE_SIZE = 1024
const COUNTS = [65_534, 65_535, 65_536]

/** Writes a file in which a run of about `run` pages, and some single ones, have become free. */
async function freePages(path: string, run: number): Promise<void> {
  const engine = await openEngine(path, { pageSizeBytes: PAGE_SIZE })
  try {
    engine.update((tx) => {
      tx.createBucket('run').put('run', Buffer.alloc(run * PAGE_SIZE - PAGE_SIZE / 2))
      const kept = tx.createBucket('kept')
      for (let i = 0; i < 300; i++)
        kept.put(`key-${String(i).padStart(4, '0')}`, Buffer.alloc(300, i))
    })
    engine.update((tx) => {
      tx.deleteBucket('run')
      const kept = tx.bucket('kept')
      for (let i = 0; i < 300; i += 1 + (i % 2)) kept?.delete(`key-${String(i).padStart(4, '0')}`)
    })
    expect(findingsOf(engine.check())).toEqual([])
  } finally {
    await engine.close()
  }
}

/** Makes a file whose freelist names exactly `count` ids, by trying runs of other lengths. */
async function writeFreelist(directory: string, count: number): Promise<string> {
  let run = count - 100
  for (let attempt = 0; attempt < 12; attempt++) {
    const path = join(directory, `db-${attempt}`)
    await freePages(path, run)
    const found = RawFile.read(path).freeIds()?.length ?? 0
    if (found === count) return path
    run += count - found
  }
  throw new Error(`no freelist of ${count} ids after 12 attempts`)
}

describe.skipIf(isWithoutGo)('freelists', () => {
  test.each(COUNTS)('bbolt reads our freelist of %i ids, and writes with it', async (count) => {
    await withTempDirectory(async (directory) => {
      const path = await writeFreelist(directory, count)
      const content = await contentOf(path)
      await expectReadByUs(path, content)
      const { summary } = await bbolt.check(path)
      expect(summary['freelistIds']).toBe(count)
      await expectReadByBbolt(path, content)

      applyToModel(content, parseTransactions(await bbolt.expect(['churn', path, '7'])))
      await expectReadByBbolt(path, content)
      await expectReadByUs(path, content)
    })
  })

  test.each(COUNTS.flatMap((count) => ['array', 'hashmap'].map((type) => ({ count, type }))))(
    'our engine reads a freelist of $count ids from bbolt ($type), and writes with it',
    async ({ count, type }) => {
      await withTempDirectory(async (directory) => {
        const path = join(directory, 'db')
        const flags = ['-page-size', String(PAGE_SIZE), '-freelist', type, '-count', String(count)]
        await bbolt.make('freelist', path, flags)
        expect(RawFile.read(path).freeIds()).toHaveLength(count)
        const content = await contentOf(path)
        await expectReadByBbolt(path, content)

        const engine = await openEngine(path)
        const { freePages: free = 0, pendingPages: pending = 0 } = engine.stats()
        expect(free + pending).toBe(count)
        expect(findingsOf(engine.check())).toEqual([])
        for (const name of ['6f6e65', '74776f']) {
          engine.update((tx) => tx.createBucket(Buffer.from(name, 'hex')).put('key', 'value'))
          applyToModel(content, [
            {
              edits: [
                { op: 'createBucket', path: [name] },
                { op: 'put', path: [name], key: '6b6579', value: '76616c7565' },
              ],
              end: 'commit',
            },
          ])
        }
        expect(findingsOf(engine.check())).toEqual([])
        await engine.close()
        await expectReadByBbolt(path, content)
        await expectReadByUs(path, content)
      })
    },
  )
})
