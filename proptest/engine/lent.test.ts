/**
 * The same programs without KV_VERIFY. With it what the engine lends is a copy; without it a view
 * of the page or heap itself, which must not change until its transaction ends.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { effort } from '../effort.ts'

test('what is lent stays as it was until its transaction ends', { timeout: 3600_000 }, async () => {
  // Read once, when assert.ts is loaded: so nothing that loads it may be imported before.
  delete process.env['KV_VERIFY']
  const { verifying } = await import('../../base/assert.ts')
  expect(verifying).toBe(false)
  const { programs } = await import('./commands.ts')
  const { runProgram } = await import('./run-program.ts')
  const property = fc.asyncProperty(programs([1024, 1024, 4096], 12), runProgram)
  await fc.assert(property, { numRuns: effort({ smoke: 20, ci: 200, soak: 5000 }) })
})
