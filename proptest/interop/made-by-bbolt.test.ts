/**
 * Files made by bbolt, with every feature of the format: our engine reads in them what bbolt
 * reads, finds nothing wrong, and bbolt accepts what our engine then writes.
 */
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openEngine } from '../../engine/index.ts'
import { seed } from '../effort.ts'
import { digestOf, dumpOf, firstDifference } from './content.ts'
import { applyToEngine, applyToModel, parseTransactions } from './edits.ts'
import { contentOf, expectReadByBbolt, expectReadByUs, findingsOf } from './engine-file.ts'
import { isWithoutGo } from './go-build.ts'
import { bbolt, numberOf } from './go-program.ts'
import { histories, Planner } from './histories.ts'
import type { BucketModel } from './model.ts'
import { withTempDirectory } from './temp-directory.ts'

interface Fixture {
  readonly kind: string
  readonly pageSize: number
  readonly flags: readonly string[]
}

const PAGE_SIZES = [1024, 2048, 4096, 8192, 16384, 32768, 65536]
const FREELISTS = ['array', 'hashmap']
const KINDS = [
  'empty',
  'one-key',
  'inline-boundary',
  'sequences',
  'long-keys',
  'long-names',
  'empty-values',
  'no-freelist',
  'emptied',
  'full-pages',
  'sparse-pages',
  'many-elements',
  'generations',
  'copied',
  'compacted',
]

const FIXTURES: readonly Fixture[] = [
  ...PAGE_SIZES.map((pageSize) => ({ kind: 'rich', pageSize, flags: [] })),
  ...KINDS.flatMap((kind) =>
    [1024, 4096, 65536].map((pageSize, i) => ({
      kind,
      pageSize,
      flags: ['-freelist', FREELISTS[i % 2] ?? ''],
    })),
  ),
  { kind: 'deep', pageSize: 1024, flags: [] },
  { kind: 'deep', pageSize: 4096, flags: [] },
  { kind: 'overflow', pageSize: 1024, flags: [] },
  { kind: 'overflow', pageSize: 4096, flags: ['-no-freelist-sync'] },
  ...[1024, 4096, 65536].flatMap((pageSize) =>
    ['0', '1'].flatMap((damaged) =>
      ['0', '3', '4'].map((commits) => ({
        kind: 'one-meta',
        pageSize,
        flags: ['-corrupt', damaged, '-commits', commits],
      })),
    ),
  ),
]

/** Fails where our engine reads anything else than bbolt. Returns what both read. */
async function expectSameContent(path: string, flags: readonly string[]): Promise<BucketModel> {
  const { findings, hash } = await bbolt.check(path, flags)
  expect(findings).toEqual([])
  const content = await contentOf(path)
  if (digestOf(content) !== hash) {
    const dump = await bbolt.dump(path, 64, flags)
    expect.unreachable(`our engine reads otherwise: ${firstDifference(dump, dumpOf(content, 64))}`)
  }
  return content
}

/** Has our engine change the file by a short history, and bbolt after it. */
async function writeInTurns(path: string, content: BucketModel, pageSize: number): Promise<void> {
  const planner = new Planner(pageSize, content)
  const drawn = fc.sample(histories({ isMoving: true, transactionsMax: 4 }), { seed, numRuns: 3 })
  for (const history of drawn) {
    const engine = await openEngine(path)
    try {
      await applyToEngine(engine, planner.plan(history))
      expect(findingsOf(engine.check())).toEqual([])
    } finally {
      await engine.close()
    }
    await expectReadByBbolt(path, planner.model, ['-page-size', String(pageSize)])
  }
  const churned = await bbolt.expect(['churn', '-max-value', '500', path, String(seed)])
  applyToModel(planner.model, parseTransactions(churned))
  await expectReadByUs(path, planner.model)
}

describe.skipIf(isWithoutGo)('files made by bbolt', () => {
  test.each(FIXTURES)(
    '$kind, pages of $pageSize bytes, $flags',
    async ({ kind, pageSize, flags }) => {
      await withTempDirectory(async (directory) => {
        const path = join(directory, 'db')
        const page = ['-page-size', String(pageSize)]
        await bbolt.make(kind, path, [...page, ...flags])
        const content = await expectSameContent(path, page)
        await expectReadByUs(path, content)

        const reader = await openEngine(path, { readOnly: true })
        expect(reader.pageSizeBytes).toBe(pageSize)
        expect(reader.report.fallback !== undefined).toBe(kind === 'one-meta')
        await reader.close()

        // Opened to write and closed again, nothing has changed.
        const writer = await openEngine(path)
        expect(writer.view((tx) => digestOf(tx))).toBe(digestOf(content))
        await writer.close()
        await expectReadByBbolt(path, content, page)

        await writeInTurns(path, content, pageSize)
      })
    },
  )

  test.each([
    { pageSize: 4096, freelist: 'array' },
    { pageSize: 65536, freelist: 'hashmap' },
  ])('data past 4 GiB in pages of $pageSize bytes', async ({ pageSize, freelist }) => {
    await withTempDirectory(async (directory) => {
      const path = join(directory, 'db')
      const page = ['-page-size', String(pageSize), '-freelist', freelist]
      await bbolt.make('beyond-4gib', path, page)
      const content = await expectSameContent(path, [])
      const engine = await openEngine(path)
      const { fileSizeBytes, highWaterMark } = engine.stats()
      expect(fileSizeBytes).toBeGreaterThan(2 ** 32)
      expect(highWaterMark).toBeGreaterThan(2 ** 32 / pageSize)
      // Overwrites what lies past 4 GiB.
      engine.update((tx) => {
        const high = tx.bucket('high')
        const cursor = high?.cursor()
        for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
          const key = Buffer.from(entry.key)
          high?.put(key, 'changed')
          content
            .at([Buffer.from('high').toString('hex')])
            .entries.set(key.toString('hex'), '6368616e676564')
        }
      })
      expect(findingsOf(engine.check())).toEqual([])
      await engine.close()
      await expectReadByBbolt(path, content)
      await expectReadByUs(path, content)
    })
  })

  test('every kind of fixture is looked at', async () => {
    const lines = await bbolt.expect(['make', 'list'])
    const kinds = lines.flatMap((line) => (typeof line['kind'] === 'string' ? [line['kind']] : []))
    const seen = new Set([...FIXTURES.map(({ kind }) => kind), 'freelist', 'beyond-4gib'])
    expect(kinds.filter((kind) => !seen.has(kind))).toEqual([])
    expect(numberOf(await summaryOf(), 'osPageSize')).toBeGreaterThanOrEqual(4096)
  })
})

async function summaryOf(): Promise<Readonly<Record<string, unknown>>> {
  const lines = await bbolt.expect(['version'])
  return lines[0] ?? {}
}
