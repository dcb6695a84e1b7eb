/**
 * The long run of power cuts.
 *
 *   tsx proptest/faults/soak.ts [--cases N] [--seed S] [--workloads W]
 *
 * Each case is one image of what a power loss may leave, with all claims of power-cut.ts. Workload
 * i has the seed S + i, so a run is taken up again with the seed it names last, and a failure is
 * replayed with
 * `--seed` of its workload and `--workloads 1`.
 */

import { parseArgs } from 'node:util'
import { newTally, sweepWorkload } from './power-cut.ts'

const REPORT_EVERY_MS = 10_000

function numberOf(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`--${name}: expected an integer from 0 on, got ${text}`)
  }
  return value
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      workloads: { type: 'string', default: 'Infinity' },
    },
  })
  const cases = numberOf('cases', values.cases)
  const firstSeed = numberOf('seed', values.seed)
  const workloads =
    values.workloads === 'Infinity' ? Infinity : numberOf('workloads', values.workloads)
  const tally = newTally()
  const started = performance.now()
  const seconds = (): number => (performance.now() - started) / 1000
  let reported = started
  let failed = 0
  let seed = firstSeed
  console.info(`soak: seed ${firstSeed}, ${cases} cases`)
  for (; tally.images < cases && seed - firstSeed < workloads; seed++) {
    try {
      await sweepWorkload(seed, { cutsMax: 200, randomImages: 4 }, tally)
    } catch (error) {
      failed++
      console.error(`soak: FAILED ${error instanceof Error ? error.message : String(error)}`)
    }
    if (performance.now() - reported < REPORT_EVERY_MS) continue
    reported = performance.now()
    const rate = (tally.images / seconds()).toFixed(0)
    console.info(`soak: ${tally.images} cases, ${rate}/s, next seed ${seed + 1}`)
  }
  console.info(`soak: ${JSON.stringify(tally)}`)
  console.info(`soak: seeds ${firstSeed} to ${seed - 1}, ${seconds().toFixed(0)} s`)
  console.info(`${tally.images - failed} passed, ${failed} failed`)
  if (failed > 0) process.exitCode = 1
}

await main()
