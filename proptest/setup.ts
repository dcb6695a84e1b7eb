/**
 * Loaded before every test file: one seed for all properties of the run, and a failure that ends
 * with the line which repeats it.
 */
import { relative } from 'node:path'
import fc from 'fast-check'
import { expect } from 'vitest'
import { effort, seed, size } from './effort.ts'

function replayLine(details: fc.RunDetails<unknown>): string {
  const { currentTestName, testPath } = expect.getState()
  const file = testPath === undefined ? '' : ` ${relative(process.cwd(), testPath)}`
  const name = currentTestName?.split(' > ').at(-1)
  const filter = name === undefined ? '' : ` -t '${name.replace(/[^\w -]/g, '.')}'`
  return `PROPTEST_SIZE=${size} PROPTEST_SEED=${details.seed} npx vitest run${file}${filter}`
}

function report(details: fc.RunDetails<unknown>): void {
  if (!details.failed) return
  const message = fc.defaultReportMessage(details) ?? 'the property failed'
  throw new Error(`${message}\n\nTo repeat it:\n  ${replayLine(details)}\n`, {
    cause: details.errorInstance,
  })
}

fc.configureGlobal({
  seed,
  numRuns: effort({ smoke: 100, ci: 500, soak: 20_000 }),
  reporter: report,
  // Canaries only ask whether a property fails: looking for its smallest case takes minutes.
  endOnFailure: process.env['PROPTEST_SHRINK'] === 'no',
})
