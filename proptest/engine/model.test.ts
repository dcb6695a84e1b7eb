/** The engine against a sorted map: every operation, every page size, readers held open. */

import fc from 'fast-check'
import { test } from 'vitest'
import { effort } from '../effort.ts'
import { churns, programs } from './commands.ts'
import { runProgram } from './run-program.ts'

const TIMEOUT_MS = 24 * 3600_000

test('the engine is a sorted map in pages of 1 KiB', { timeout: TIMEOUT_MS }, async () => {
  const numRuns = effort({ smoke: 60, ci: 600, soak: 100_000 })
  await fc.assert(fc.asyncProperty(programs([1024], 16), runProgram), { numRuns })
})

test('the engine is a sorted map in larger pages', { timeout: TIMEOUT_MS }, async () => {
  const numRuns = effort({ smoke: 20, ci: 200, soak: 30_000 })
  const property = fc.asyncProperty(programs([2048, 4096, 4096, 65536], 10), runProgram)
  await fc.assert(property, { numRuns })
})

test(
  'the engine is a sorted map while free space is in crumbs',
  { timeout: TIMEOUT_MS },
  async () => {
    const property = fc.asyncProperty(churns(1024, 120), runProgram)
    await fc.assert(property, { numRuns: effort({ smoke: 12, ci: 120, soak: 4000 }) })
  },
)
