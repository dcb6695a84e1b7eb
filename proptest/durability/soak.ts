/**
 * The long run of power cuts over log and data file.
 *
 *   npm run soak -- [--cases N] [--jobs J] [--seed S] [--workloads W] [--state FILE] [--first S]
 *
 * Each case is one image of what a power loss may leave, with all claims of power-cut.ts. Workload
 * i has the seed S + i; J processes run one each. Where a run stands is kept in FILE, and the next
 * one goes on from there; it may be interrupted at any time, and a workload counts only when it is
 * done. A failure is replayed with `--seed` of its workload and `--workloads 1`, which keeps no
 * state and shows stacks. Another run elsewhere takes a FILE of its own and begins at the seed that
 * `--first` names.
 */

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { newProgress, nextFree, note, readProgress, writeProgress } from './soak-progress.ts'
import type { Outcome, Progress } from './soak-progress.ts'
import { STACKS, WORKER, Worker, serve } from './soak-worker.ts'

const REPORT_EVERY_MS = 10_000
const STATE_DEFAULT = '.cache/soak.json'
const INTERRUPTED = 130

function numberOf(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`--${name}: expected an integer from 0 on, got ${text}`)
  }
  return value
}

interface Settings {
  readonly cases: number
  readonly jobs: number
  readonly workloads: number
  /** Undefined in a replay: nothing is kept. */
  readonly state: string | undefined
  readonly progress: Progress
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '1000000' },
      jobs: { type: 'string', default: '1' },
      seed: { type: 'string' },
      workloads: { type: 'string' },
      state: { type: 'string', default: STATE_DEFAULT },
      first: { type: 'string', default: '1' },
    },
  })
  const { seed, workloads, state } = values
  const jobs = numberOf('jobs', values.jobs)
  if (jobs === 0) throw new RangeError('--jobs: expected at least 1, got 0')
  const first = numberOf('first', values.first)
  return {
    cases: numberOf('cases', values.cases),
    jobs,
    workloads: workloads === undefined ? Infinity : numberOf('workloads', workloads),
    state: seed === undefined ? state : undefined,
    progress:
      seed === undefined
        ? (readProgress(state) ?? newProgress(first))
        : newProgress(numberOf('seed', seed)),
  }
}

/** Runs workloads until there are enough cases; resolves to whether it was interrupted. */
function soak({ cases, jobs, workloads, state, progress }: Settings): Promise<boolean> {
  const { tally } = progress
  const beganAt = tally.images
  const started = performance.now()
  let reported = started
  let begun = 0
  const running = new Set<Worker>()
  const { promise, resolve } = withResolver()
  const goOn = (worker: Worker): void => {
    if (tally.images >= cases || begun >= workloads) {
      worker.stop()
      running.delete(worker)
      if (running.size === 0) resolve(false)
      return
    }
    begun++
    const underWay = new Set([...running].flatMap(({ seed }) => seed ?? []))
    worker.run(nextFree(progress, underWay))
  }
  const ended = (worker: Worker, outcome: Outcome): void => {
    note(progress, outcome)
    if ('failure' in outcome) console.error(`soak: FAILED ${outcome.failure}`)
    if (state !== undefined) writeProgress(state, progress)
    if (performance.now() - reported >= REPORT_EVERY_MS) {
      reported = performance.now()
      const rate = ((tally.images - beganAt) / ((reported - started) / 1000)).toFixed(0)
      console.info(`soak: ${tally.images} cases, ${rate}/s, next seed ${progress.nextSeed}`)
    }
    goOn(worker)
  }
  const program = fileURLToPath(import.meta.url)
  const mode = state === undefined ? STACKS : undefined
  for (let i = 0; i < jobs; i++) running.add(new Worker({ program, mode, ended }))
  const interrupt = (): void => {
    for (const worker of running) worker.stop()
    resolve(true)
  }
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  for (const worker of running) goOn(worker)
  return promise
}

function withResolver(): { promise: Promise<boolean>; resolve: (value: boolean) => void } {
  let resolve: (value: boolean) => void = () => {}
  const promise = new Promise<boolean>((resolveIt) => {
    resolve = resolveIt
  })
  return { promise, resolve }
}

async function main(): Promise<void> {
  const settings = readSettings()
  const { progress, cases, state } = settings
  const { tally } = progress
  console.info(
    `soak: seed ${progress.firstSeed}, from workload ${progress.nextSeed} on, ` +
      `${tally.images} of ${cases} cases done`,
  )
  const isInterrupted = await soak(settings)
  if (state !== undefined) writeProgress(state, progress)
  console.info(`soak: ${JSON.stringify(tally)}`)
  const beyond = progress.ahead.length > 0 ? ` and ${progress.ahead.length} beyond` : ''
  console.info(`soak: seeds ${progress.firstSeed} to ${progress.nextSeed - 1}${beyond}`)
  console.info(`${tally.images} cases, ${progress.failed} workloads failed`)
  if (isInterrupted) process.exitCode = INTERRUPTED
  else if (progress.failed > 0) process.exitCode = 1
}

if (process.argv[2] === WORKER) serve(process.argv[3])
else await main()
