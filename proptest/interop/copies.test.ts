/**
 * What copyTo and compactTo write is a database to bbolt, with the same content.
 */
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openEngine } from '../../engine/index.ts'
import { effort } from '../effort.ts'
import { digestOf, modelOf } from './content.ts'
import { applyToEngine, applyToModel, parseTransactions } from './edits.ts'
import { expectReadByBbolt, expectReadByUs } from './engine-file.ts'
import { isWithoutGo } from './go-build.ts'
import { bbolt } from './go-program.ts'
import { histories, Planner } from './histories.ts'
import { BucketModel } from './model.ts'
import { withTempDirectory } from './temp-directory.ts'

const CASES = fc.record({
  pageSize: fc.constantFrom(1024, 4096, 65536),
  freelist: fc.constantFrom<'sync' | 'scan'>('sync', 'scan'),
  txBytes: fc.constantFrom(1, 5000, 1 << 24),
  history: histories({ isMoving: true, transactionsMax: 6 }),
  later: histories({ isMoving: true, transactionsMax: 2 }),
  seed: fc.nat(0x7fffffff),
})

/** Makes all three kinds of copy, while a later history goes on in the source. */
async function copyAll(path: string, directory: string, txBytes: number): Promise<string[]> {
  const copies = ['copy', 'stream', 'compact'].map((name) => join(directory, name))
  const [copy = '', stream = '', compact = ''] = copies
  const engine = await openEngine(path)
  try {
    await engine.copyTo(copy)
    const target = createWriteStream(stream)
    await engine.copyTo(target)
    target.end()
    await finished(target)
    await engine.compactTo(compact, { txBytes })
  } finally {
    await engine.close()
  }
  return copies
}

/** The copy is a database of its own: bbolt writes to it, and our engine reads that. */
async function expectUsable(path: string, content: BucketModel, seed: number): Promise<void> {
  await expectReadByBbolt(path, content)
  await expectReadByUs(path, content)
  const churned = await bbolt.expect(['churn', path, String(seed)])
  const model = content.clone()
  applyToModel(model, parseTransactions(churned))
  await expectReadByBbolt(path, model)
  await expectReadByUs(path, model)
}

describe.skipIf(isWithoutGo)('copies', () => {
  test('copyTo() and compactTo() write files that bbolt accepts, with the same content', async () => {
    await fc.assert(
      fc.asyncProperty(CASES, ({ pageSize, freelist, txBytes, history, seed }) =>
        withTempDirectory(async (directory) => {
          const path = join(directory, 'db')
          const planner = new Planner(pageSize, new BucketModel())
          const engine = await openEngine(path, { pageSizeBytes: pageSize, freelist })
          await applyToEngine(engine, planner.plan(history))
          await engine.close()
          for (const copy of await copyAll(path, directory, txBytes)) {
            expect(await bbolt.hash(copy)).toBe(digestOf(planner.model))
            await expectUsable(copy, planner.model, seed)
          }
          await expectReadByBbolt(path, planner.model)
        }),
      ),
      { numRuns: effort({ smoke: 8, ci: 100, soak: 2000 }), interruptAfterTimeLimit: 500_000 },
    )
  })

  test('a copy made while commits go on is the moment it began at', async () => {
    await fc.assert(
      fc.asyncProperty(CASES, ({ pageSize, freelist, history, later }) =>
        withTempDirectory(async (directory) => {
          const planner = new Planner(pageSize, new BucketModel())
          const engine = await openEngine(join(directory, 'db'), {
            pageSizeBytes: pageSize,
            freelist,
          })
          try {
            await applyToEngine(engine, planner.plan(history))
            const before = planner.model.clone()
            const copying = engine.copyTo(join(directory, 'copy'))
            const compacting = engine.compactTo(join(directory, 'compact'), { txBytes: 1000 })
            await applyToEngine(engine, planner.plan(later))
            await Promise.all([copying, compacting])
            expect(engine.view((tx) => digestOf(tx))).toBe(digestOf(planner.model))
            for (const name of ['copy', 'compact']) {
              await expectReadByBbolt(join(directory, name), before)
            }
          } finally {
            await engine.close()
          }
        }),
      ),
      { numRuns: effort({ smoke: 5, ci: 60, soak: 1000 }), interruptAfterTimeLimit: 500_000 },
    )
  })

  test.each(['rich', 'long-names', 'sequences', 'generations', 'no-freelist', 'empty'])(
    'compactTo() and copyTo() of a file made by bbolt: %s',
    async (kind) => {
      await withTempDirectory(async (directory) => {
        const path = join(directory, 'db')
        await bbolt.make(kind, path, ['-page-size', '1024'])
        const source = await openEngine(path, { readOnly: true })
        const content = source.view((tx) => modelOf(tx))
        await source.close()
        for (const copy of await copyAll(path, directory, 1 << 20)) {
          expect(await bbolt.hash(copy)).toBe(digestOf(content))
          await expectUsable(copy, content, 3)
        }
      })
    },
  )
})
