/**
 * The tools of these tests, tested: the model agrees with bbolt, and the check finds what it is
 * there to find.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { effort } from '../effort.ts'
import { digestOf, dumpOf, firstDifference } from './content.ts'
import { applyToModel, parseTransactions, scriptOf } from './edits.ts'
import { isWithoutGo } from './go-build.ts'
import { bbolt, textOf } from './go-program.ts'
import { histories, Planner } from './histories.ts'
import { BucketModel } from './model.ts'
import { RawFile } from './raw-file.ts'
import { withTempDirectory } from './temp-directory.ts'

const LEAK = /^(check: page \d+: unreachable unfreed|pages: page \d+ is neither used nor free)$/

describe.skipIf(isWithoutGo)('the tools', () => {
  test('the model holds what bbolt holds after the same history', async () => {
    const cases = fc.record({
      pageSize: fc.constantFrom(1024, 4096, 65536),
      freelist: fc.constantFrom('array', 'hashmap'),
      history: histories({ isMoving: false, transactionsMax: 6 }),
      seed: fc.nat(0x7fffffff),
    })
    await fc.assert(
      fc.asyncProperty(cases, ({ pageSize, freelist, history, seed }) =>
        withTempDirectory(async (directory) => {
          const path = join(directory, 'db')
          const flags = ['-page-size', String(pageSize), '-freelist', freelist]
          const planner = new Planner(pageSize, new BucketModel())
          const script = scriptOf(planner.plan(history))
          await bbolt.expect(['apply', ...flags, path, '-'], script)
          const lines = await bbolt.expect(['churn', ...flags, path, String(seed)])
          const churned = parseTransactions(lines)
          applyToModel(planner.model, churned)

          const checked = await bbolt.check(path)
          // bbolt 1.3.6 leaks pages when it deletes a bucket whose parent it changed in the same
          // transaction.
          expect(checked.findings.filter((finding) => !LEAK.test(finding))).toEqual([])
          const dump = await bbolt.dump(path, 64)
          expect(firstDifference(dumpOf(planner.model, 64), dump)).toBeUndefined()
          expect(checked.hash).toBe(digestOf(planner.model))
        }),
      ),
      { numRuns: effort({ smoke: 10, ci: 100, soak: 2000 }) },
    )
  })

  test('the check finds a separator that is not the first key, which bbolt does not', async () => {
    await withTempDirectory(async (directory) => {
      const path = join(directory, 'db')
      await bbolt.make('rich', path, ['-page-size', '1024'])
      const { findings, summary } = await bbolt.check(path)
      expect(findings).toEqual([])
      expect(summary['freelistIds']).toBeGreaterThan(0)

      const file = RawFile.read(path)
      const branch = file.pages().find((page) => page.isBranch)
      file.lowerKey(branch?.id ?? 0, 1)
      file.write(path)
      const damaged = await bbolt.check(path)
      expect(damaged.findings.join('\n')).toMatch(
        /^pages: .*separator \d+ is .*, its child begins with/m,
      )
      expect(damaged.findings.filter((finding) => finding.startsWith('check:'))).toEqual([])
    })
  })

  test('the check says so when bbolt dies of a file', async () => {
    await withTempDirectory(async (directory) => {
      const path = join(directory, 'db')
      await bbolt.make('rich', path, ['-page-size', '4096'])
      const bytes = readFileSync(path)
      // Everything but the metas: bbolt panics in a goroutine of its own.
      bytes.fill(0xff, 2 * 4096)
      writeFileSync(path, bytes)
      const { findings } = await bbolt.check(path)
      expect(findings.length).toBeGreaterThan(0)
    })
  })

  test('a file that is no database is refused with a message', async () => {
    await withTempDirectory(async (directory) => {
      const path = join(directory, 'db')
      writeFileSync(path, 'not a database')
      const run = await bbolt.run(['hash', path])
      expect(run.status).toBe(1)
      expect(textOf(run.lines[0], 'error')).toBe('invalid database')
    })
  })
})
