/**
 * The long run of power cuts over log and data file.
 *
 *   npm run soak -- [--cases N] [--seed S] [--workloads W] [--state FILE] [--first S]
 *
 * Each case is one image of what a power loss may leave, with all claims of power-cut.ts. Workload
 * i has the seed S + i. Where a run stands is kept in FILE, and the next one goes on from there; a
 * failure is replayed with `--seed` of its workload and `--workloads 1`. A second run beside the
 * first, for another processor, takes a FILE of its own and begins at the seed of `--first`.
 */

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { newTally, sweep } from './power-cut.ts'
import type { Tally } from './power-cut.ts'

const REPORT_EVERY_MS = 10_000
const CUTS_MAX = 60
const STATE_DEFAULT = '.cache/soak.json'

/** Where a run stands. */
interface Progress {
  readonly firstSeed: number
  nextSeed: number
  failed: number
  readonly failures: string[]
  readonly tally: Tally
}

function numberOf(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`--${name}: expected an integer from 0 on, got ${text}`)
  }
  return value
}

function readProgress(path: string, seed: number | undefined, first: number): Progress {
  const fresh = (firstSeed: number): Progress => {
    return { firstSeed, nextSeed: firstSeed, failed: 0, failures: [], tally: newTally() }
  }
  if (seed !== undefined) return fresh(seed)
  if (!existsSync(path)) return fresh(first)
  const found = JSON.parse(readFileSync(path, 'utf8')) as Progress
  return { ...found, tally: { ...newTally(), ...found.tally } }
}

function writeProgress(path: string, progress: Progress): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(progress, undefined, 2)}\n`)
  renameSync(`${path}.new`, path)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '1000000' },
      seed: { type: 'string' },
      workloads: { type: 'string' },
      state: { type: 'string', default: STATE_DEFAULT },
      first: { type: 'string', default: '1' },
    },
  })
  const cases = numberOf('cases', values.cases)
  const seed = values.seed === undefined ? undefined : numberOf('seed', values.seed)
  const workloads =
    values.workloads === undefined ? Infinity : numberOf('workloads', values.workloads)
  const progress = readProgress(values.state, seed, numberOf('first', values.first))
  const { tally } = progress
  const beganAt = tally.images
  const started = performance.now()
  let reported = started
  console.info(
    `soak: seed ${progress.firstSeed}, from workload ${progress.nextSeed} on, ` +
      `${tally.images} of ${cases} cases done`,
  )
  for (let done = 0; tally.images < cases && done < workloads; done++) {
    try {
      await sweep(progress.nextSeed, { cutsMax: CUTS_MAX }, tally)
    } catch (error) {
      progress.failed++
      const message = error instanceof Error ? error.message : String(error)
      progress.failures.push(message)
      console.error(`soak: FAILED ${message}`)
    }
    progress.nextSeed++
    if (performance.now() - reported < REPORT_EVERY_MS) continue
    reported = performance.now()
    const rate = ((tally.images - beganAt) / ((reported - started) / 1000)).toFixed(0)
    console.info(`soak: ${tally.images} cases, ${rate}/s, next seed ${progress.nextSeed}`)
    if (seed === undefined) writeProgress(values.state, progress)
  }
  if (seed === undefined) writeProgress(values.state, progress)
  console.info(`soak: ${JSON.stringify(tally)}`)
  console.info(`soak: seeds ${progress.firstSeed} to ${progress.nextSeed - 1}`)
  console.info(`${tally.images} cases, ${progress.failed} workloads failed`)
  if (progress.failed > 0) process.exitCode = 1
}

await main()
