import { expect, test } from 'vitest'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { newTally, sweep } from './power-cut.ts'

test('the log keeps what it acknowledged and showed, wherever the power is cut', async () => {
  const tally = newTally()
  const cases = effort({ smoke: 1500, ci: 20_000, soak: 400_000 })
  for (let workload = seed >>> 0; !isEnough(tally.images, cases, tally); workload++) {
    await sweep(workload, { cutsMax: 25, mix: 'any' }, tally)
  }
  // A run that never met a case proves nothing about it.
  expect(unmet(tally)).toEqual([])
})

test('the blocking path overtakes writes under way, wherever the power is cut', async () => {
  const tally = newTally()
  const cases = effort({ smoke: 800, ci: 6000, soak: 400_000 })
  for (let workload = seed >>> 0; tally.images < cases; workload++) {
    await sweep(workload, { cutsMax: Infinity, mix: 'bothPaths' }, tally)
  }
  expect(tally.overtaken).toBeGreaterThan(cases / 10)
  expect(tally.lost).toBeGreaterThan(0)
})
