/**
 * Tries canaries: first their tests on the code as it is, then on each mutation of it.
 */
import { SEEDS, runNarrow } from './narrow-run.ts'
import type { Verdict } from './narrow-run.ts'
import type { Canary } from './registry.ts'
import { CanaryError, Workbench } from './workbench.ts'

export interface Outcome {
  readonly canary: Canary
  readonly caught: boolean
  /** Why not, where it was not caught; how, where that needs saying. */
  readonly note: string
  readonly ms: number
}

export interface TryOptions {
  /** The project. */
  readonly root: string
  /** How many to try at a time, each in a copy of its own. */
  readonly jobs: number
  /** For one run of one test, in milliseconds. */
  readonly limitMs: number
  readonly onOutcome?: (outcome: Outcome) => void
}

async function tryOne(bench: Workbench, canary: Canary, limitMs: number): Promise<string> {
  const [first] = SEEDS
  const before = await runNarrow(canary, { folder: bench.path, seed: first, limitMs })
  if (before !== 'passed') throw new CanaryError(`its test ${before} on the code as it is`)
  const restore = bench.plant(canary)
  try {
    let verdict: Verdict = 'passed'
    for (const seed of SEEDS) {
      if (verdict !== 'passed') break
      verdict = await runNarrow(canary, { folder: bench.path, seed, limitMs })
    }
    if (verdict === 'passed') throw new CanaryError('it SURVIVED: the test passes all the same')
    if (verdict === 'failed') return ''
    if (canary.mayHang === true) return 'by the time limit'
    throw new CanaryError('its test hung; say mayHang if that is how the fault shows')
  } finally {
    restore()
  }
}

async function outcomeOf(bench: Workbench, canary: Canary, limitMs: number): Promise<Outcome> {
  const start = performance.now()
  const end = (caught: boolean, note: string): Outcome => ({
    canary,
    caught,
    note,
    ms: performance.now() - start,
  })
  try {
    return end(true, await tryOne(bench, canary, limitMs))
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return end(false, error.message)
  }
}

/** Tries each canary; the outcomes are in the order of `canaries`. */
export async function tryCanaries(
  canaries: readonly Canary[],
  options: TryOptions,
): Promise<readonly Outcome[]> {
  const outcomes = new Map<Canary, Outcome>()
  const queue = [...canaries]
  const work = async (): Promise<void> => {
    const bench = new Workbench(options.root)
    try {
      for (let canary = queue.shift(); canary !== undefined; canary = queue.shift()) {
        const outcome = await outcomeOf(bench, canary, options.limitMs)
        outcomes.set(canary, outcome)
        options.onOutcome?.(outcome)
      }
    } finally {
      bench.remove()
    }
  }
  await Promise.all(Array.from({ length: Math.min(options.jobs, canaries.length) }, work))
  return canaries.flatMap((canary) => outcomes.get(canary) ?? [])
}
