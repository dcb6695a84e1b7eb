import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { failAt, failReads, fillUp, newTally, operationsOf, readsOf } from './failing-disk.ts'

test('whichever operation fails, what was acknowledged is there and what was refused is not', async () => {
  const tally = newTally()
  const random = new Random(seed >>> 0)
  const cases = effort({ smoke: 80, ci: 3000, soak: 50_000 })
  while (!isEnough(tally.cases, cases, tally)) {
    const workload = random.u32()
    const operations = await operationsOf(workload)
    for (let i = 0; i < 12; i++) {
      const failure = {
        operation: random.between(1, operations),
        code: random.pick(['EIO', 'ENOSPC'] as const),
        leaves: random.pick(['nothing', 'part'] as const),
      }
      try {
        await failAt(workload, failure, tally)
      } catch (error) {
        throw new Error(`workload ${workload}, ${JSON.stringify(failure)}`, { cause: error })
      }
    }
  }
  expect(unmet(tally)).toEqual([])
})

test('a disk that is full refuses what has no room, and loses and poisons nothing', async () => {
  const tally = newTally()
  const random = new Random(seed >>> 0)
  const cases = effort({ smoke: 40, ci: 1500, soak: 20_000 })
  while (tally.cases < cases) {
    const workload = random.u32()
    // A new store takes some 40 KiB.
    const capacityBytes = random.between(30_000, 200_000)
    try {
      await fillUp(workload, capacityBytes, tally)
    } catch (error) {
      throw new Error(`workload ${workload}, ${capacityBytes} bytes`, { cause: error })
    }
  }
  expect(tally.poisoned).toBe(0)
  expect(tally.unknown).toBe(0)
  expect(tally.refused).toBeGreaterThan(0)
})

test('whichever read fails, the call that met it rejects, and nothing is lost', async () => {
  const tally = newTally()
  const random = new Random(seed >>> 0)
  const cases = effort({ smoke: 60, ci: 2000, soak: 30_000 })
  while (tally.cases < cases) {
    const workload = random.u32()
    const reads = await readsOf(workload)
    for (let i = Math.min(reads, 12); i > 0; i--) {
      const failure = { skip: random.below(reads), times: random.pick([1, 2, Infinity]) }
      try {
        await failReads(workload, failure, tally)
      } catch (error) {
        throw new Error(`workload ${workload}, ${JSON.stringify(failure)}`, { cause: error })
      }
    }
  }
  expect(tally.refused).toBeGreaterThan(0)
  expect(tally.unknown).toBe(0)
})
