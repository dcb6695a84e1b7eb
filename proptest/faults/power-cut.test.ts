import { expect, test } from 'vitest'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { newTally, sweepWorkload } from './power-cut.ts'

test('nothing acknowledged is lost and nothing is half there, wherever the power is cut', async () => {
  const tally = newTally()
  const cases = effort({ smoke: 500, ci: 10_000, soak: 100_000 })
  for (let workload = seed >>> 0; !isEnough(tally.images, cases, tally); workload++) {
    await sweepWorkload(workload, { cutsMax: 20, randomImages: 2 }, tally)
  }
  // A run that never met a case proves nothing about it.
  expect(unmet(tally)).toEqual([])
})
