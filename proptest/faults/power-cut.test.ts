import { expect, test } from 'vitest'
import { newTally, sweepWorkload } from './power-cut.ts'
import type { Tally } from './power-cut.ts'

const IS_FULL = process.env['KV_FAULTS'] === 'full'
const SEED = Number(process.env['KV_SEED'] ?? 1)

test('nothing acknowledged is lost and nothing is half there, wherever the power is cut', async () => {
  const tally = newTally()
  const workloads = IS_FULL ? 40 : 8
  for (let i = 0; i < workloads; i++) {
    await sweepWorkload(SEED + i, { cutsMax: IS_FULL ? 40 : 20, randomImages: 2 }, tally)
  }
  expectVariety(tally)
}, 120_000)

/** A run that never met a case proves nothing about it. */
function expectVariety(tally: Tally): void {
  console.info(JSON.stringify(tally))
  for (const [name, count] of Object.entries(tally)) {
    expect(count, name).toBeGreaterThan(0)
  }
}
