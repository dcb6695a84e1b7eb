import { expect, test } from 'vitest'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { newTally, sweepCuts, sweepFaults } from './logged-power.ts'

const TIMEOUT_MS = 24 * 3600_000

test(
  'file and log lose nothing acknowledged, wherever the power is cut',
  { timeout: TIMEOUT_MS },
  async () => {
    const tally = newTally()
    const cases = effort({ smoke: 100, ci: 10_000, soak: 1_000_000 })
    const met = (): Record<string, number> => {
      const { images, replayed, fallbacks, cutsInRecovery, checkpoints } = tally
      return { images, replayed, fallbacks, cutsInRecovery, checkpoints }
    }
    for (let workload = seed >>> 0; !isEnough(tally.images, cases, met()); workload++) {
      await sweepCuts(workload, { cutsMax: 12 }, tally)
    }
    // A run that never met a case proves nothing about it.
    expect(unmet(met())).toEqual([])
  },
)

test(
  'file and log lose nothing acknowledged, whatever the disk refuses',
  { timeout: TIMEOUT_MS },
  async () => {
    const tally = newTally()
    const cases = effort({ smoke: 60, ci: 5000, soak: 500_000 })
    for (let workload = seed >>> 0; !isEnough(tally.images, cases, tally); workload++) {
      await sweepFaults(workload, { cutsMax: 12 }, tally)
    }
    expect(unmet(tally)).toEqual([])
  },
)
