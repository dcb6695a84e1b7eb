import { expect, test } from 'vitest'
import { effort, seed } from '../effort.ts'
import { newTally, sweep } from './power-cut.ts'

test('the log keeps what it acknowledged and showed, wherever the power is cut', async () => {
  const tally = newTally()
  const cases = effort({ smoke: 1500, ci: 20_000, soak: 400_000 })
  for (let workload = seed >>> 0; tally.images < cases; workload++) {
    await sweep(workload, 25, tally)
  }
  // A run that never met a case proves nothing about it.
  const unmet = Object.entries(tally).filter(([, count]) => count === 0)
  expect(unmet).toEqual([])
})
