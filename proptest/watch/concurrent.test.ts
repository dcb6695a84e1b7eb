/**
 * Writers and watches at once, through compactions, crashes and restarts: see concurrent.ts. A
 * run that fails is named by its seed.
 */
import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { ConcurrentRun, newTally } from './concurrent.ts'

const RUNS = effort({ smoke: 16, ci: 150, soak: 50_000 })

test(
  `what watches show in ${RUNS} runs of many writers keeps every promise, seed ${seed}`,
  { timeout: 600_000 },
  async () => {
    const tally = newTally()
    for (let run = 0; !isEnough(run, RUNS, tally); run++) {
      const runSeed = (seed + run) >>> 0
      try {
        expect(await new ConcurrentRun(new Random(runSeed), tally).run()).toEqual([])
      } catch (error) {
        throw new Error(`run of seed ${runSeed}: ${String(error)}`, { cause: error })
      }
    }
    // A run that never met a case proves nothing about it.
    expect(unmet(tally)).toEqual([])
  },
)
