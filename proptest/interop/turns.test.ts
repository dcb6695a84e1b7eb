/**
 * Our engine and bbolt write the same file in turns, and each accepts and reads what the other made
 * of it.
 */
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Engine } from '../../engine/index.ts'
import { openEngine } from '../../engine/index.ts'
import { effort } from '../effort.ts'
import { digestOf } from './content.ts'
import type { Transaction } from './edits.ts'
import { applyToEngine, applyToModel, parseTransactions } from './edits.ts'
import { expectReadByBbolt, expectReadByUs, findingsOf } from './engine-file.ts'
import { isWithoutGo } from './go-build.ts'
import { bbolt } from './go-program.ts'
import type { PlannedTransaction } from './histories.ts'
import { histories, Planner } from './histories.ts'
import { BucketModel } from './model.ts'
import { withTempDirectory } from './temp-directory.ts'

interface Turn {
  readonly history: readonly PlannedTransaction[]
  /** Whether a reader stays open over our transactions. */
  readonly isRead: boolean
  readonly churnSeed: number
}

interface Case {
  readonly pageSize: number
  readonly freelist: 'sync' | 'scan'
  /** How bbolt opens the file. */
  readonly theirs: readonly string[]
  readonly isBegunByBbolt: boolean
  readonly turns: readonly Turn[]
}

const CASES: fc.Arbitrary<Case> = fc.record({
  pageSize: fc.oneof(
    { weight: 4, arbitrary: fc.constant(1024) },
    { weight: 2, arbitrary: fc.constant(4096) },
    { weight: 1, arbitrary: fc.constant(65536) },
  ),
  freelist: fc.constantFrom('sync', 'scan'),
  theirs: fc.constantFrom<readonly string[]>(
    [],
    ['-freelist', 'hashmap'],
    ['-no-freelist-sync'],
    ['-no-freelist-sync', '-freelist', 'hashmap'],
  ),
  isBegunByBbolt: fc.boolean(),
  turns: fc.array(
    fc.record({
      history: histories({ isMoving: true, transactionsMax: 5 }),
      isRead: fc.boolean(),
      churnSeed: fc.nat(0x7fffffff),
    }),
    { minLength: 2, maxLength: 4 },
  ),
})

/**
 * Carries our part of a turn out; a reader that was there before sees its own moment all the while.
 */
async function write(
  engine: Engine,
  transactions: readonly Transaction[],
  isRead: boolean,
): Promise<void> {
  const reader = isRead ? await engine.begin() : undefined
  const before = reader === undefined ? '' : digestOf(reader)
  await applyToEngine(engine, transactions)
  if (reader !== undefined) {
    expect(digestOf(reader)).toBe(before)
    reader.rollback()
  }
  expect(findingsOf(engine.check())).toEqual([])
}

async function playTurn(path: string, setup: Case, turn: Turn, model: BucketModel): Promise<void> {
  const { pageSize, freelist, theirs } = setup
  const transactions = new Planner(pageSize, model).plan(turn.history)
  const half = transactions.length >> 1
  for (const part of [transactions.slice(0, half), transactions.slice(half)]) {
    const engine = await openEngine(path, { pageSizeBytes: pageSize, freelist })
    try {
      await write(engine, part, turn.isRead)
    } finally {
      await engine.close()
    }
  }
  await expectReadByBbolt(path, model)
  await expectReadByUs(path, model)

  const churned = await bbolt.expect(['churn', ...theirs, path, String(turn.churnSeed)])
  applyToModel(model, parseTransactions(churned))
  await expectReadByBbolt(path, model)
  await expectReadByUs(path, model)
}

describe.skipIf(isWithoutGo)('turns', () => {
  test('bbolt and our engine write a file in turns, and each reads what the other left', async () => {
    await fc.assert(
      fc.asyncProperty(CASES, (setup) =>
        withTempDirectory(async (directory) => {
          const path = join(directory, 'db')
          if (setup.isBegunByBbolt) {
            await bbolt.make('empty', path, ['-page-size', String(setup.pageSize), ...setup.theirs])
          }
          const model = new BucketModel()
          for (const turn of setup.turns) await playTurn(path, setup, turn, model)
          expect(await bbolt.hash(path)).toBe(digestOf(model))
        }),
      ),
      { numRuns: effort({ smoke: 12, ci: 200, soak: 5000 }), interruptAfterTimeLimit: 500_000 },
    )
  })
})
