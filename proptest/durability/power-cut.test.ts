import { expect, test } from 'vitest'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { newTally, sweep } from './power-cut.ts'

test('nothing acknowledged or shown is lost and nothing is half there, wherever the power is cut', async () => {
  const tally = newTally()
  const cases = effort({ smoke: 300, ci: 4_000, soak: 200_000 })
  for (let workload = seed >>> 0; !isEnough(tally.images, cases, tally); workload++) {
    await sweep(workload, { cutsMax: 15 }, tally)
  }
  // A run that never met a case proves nothing about it.
  expect(unmet(tally)).toEqual([])
})
