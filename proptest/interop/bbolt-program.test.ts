/**
 * The tools of these tests, tested: the model agrees with bbolt, and the check finds what it is there to find.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { effort } from '../effort.ts'
import { digestOf, dumpOf, firstDifference } from './content.ts'
import { applyToModel, parseTransactions, scriptOf } from './edits.ts'
import { describeBbolt, textOf } from './go-program.ts'
import { histories, Planner } from './histories.ts'
import { BucketModel } from './model.ts'
import { withTempDirectory } from './temp-directory.ts'

const LEAK = /^(check: page \d+: unreachable unfreed|pages: page \d+ is neither used nor free)$/

describeBbolt('the tools', (bbolt) => {
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
          // bbolt 1.3.6 leaks pages when it deletes a bucket whose parent it changed in the same transaction.
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

      const bytes = readFileSync(path)
      // Every page is written for a branch's sake: lower the last byte of some separator key-000xxx.
      const at = findBranchKey(bytes, 1024)
      bytes[at] = (bytes[at] ?? 0) - 1
      writeFileSync(path, bytes)
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

/** The offset of the last byte of the second key in some branch page in use at both generations. */
function findBranchKey(bytes: Buffer, pageSize: number): number {
  const root = bytes.readUInt32LE(
    (bytes.readUInt32LE(64) > bytes.readUInt32LE(pageSize + 64) ? 0 : pageSize) + 32,
  )
  const stack = [root]
  for (let page = stack.pop(); page !== undefined; page = stack.pop()) {
    const start = page * pageSize
    const count = bytes.readUInt16LE(start + 10)
    if (bytes.readUInt16LE(start + 8) === 1) {
      const element = start + 16 + 16
      return element + bytes.readUInt32LE(element) + bytes.readUInt32LE(element + 4) - 1
    }
    for (let i = 0; i < count; i++) {
      const element = start + 16 + 16 * i
      const value = element + bytes.readUInt32LE(element + 4) + bytes.readUInt32LE(element + 8)
      const child = bytes.readUInt32LE(value)
      if (bytes.readUInt32LE(element) === 1 && child !== 0) stack.push(child)
    }
  }
  throw new Error('the file has no branch')
}
