import { expect, test } from 'vitest'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { backUpUnderLoad, newTally } from './under-load.ts'

const RUNS = effort({ smoke: 6, ci: 40, soak: 2000 })

test(`backups under full load equal the model at their revision, ${RUNS} loads, seed ${seed}`, async () => {
  const tally = newTally()
  for (let run = 0; !isEnough(run, RUNS, tally); run++) {
    try {
      await backUpUnderLoad((seed >>> 0) + run, tally)
    } catch (error) {
      throw new Error(`load ${run}`, { cause: error })
    }
  }
  expect(unmet(tally)).toEqual([])
})
