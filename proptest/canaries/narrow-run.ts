/**
 * One test, run by itself in a workbench: did it run, and did it pass?
 */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Canary } from './registry.ts'
import { CanaryError } from './workbench.ts'

/**
 * The seeds of every canary: caught every time, or never. A property at its smallest size may miss
 * a fault by one seed, and everybody who runs the tests has another: one of these has to find it.
 */
export const SEEDS = ['20240229', '20240301', '20240302', '20240303'] as const

const SMALLEST = { PROPTEST_SIZE: 'smoke', PROPTEST_RUNS: '', PROPTEST_SHRINK: 'no' } as const

export type Verdict = 'passed' | 'failed' | 'hung'

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly { readonly message: string; readonly status: string }[]
}

function readReport(path: string, output: string): Report {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Report
  } catch (error) {
    throw new CanaryError(`vitest left no report:\n${output.slice(-2000)}`, { cause: error })
  }
}

function judge(report: Report, canary: Canary): Verdict {
  if (report.numFailedTests > 0) return 'failed'
  const broken = report.testResults.find((result) => result.status === 'failed')
  if (broken !== undefined) throw new CanaryError(`${canary.test} does not load: ${broken.message}`)
  if (report.numPassedTests > 0) return 'passed'
  throw new CanaryError(`no test of ${canary.test} is named "${canary.testName}"`)
}

export interface NarrowRun {
  /** The workbench, as the code stands there. */
  readonly folder: string
  readonly seed: string
  /** The run is ended after that. */
  readonly limitMs: number
}

/** Runs the canary's test. */
export async function runNarrow(canary: Canary, run: NarrowRun): Promise<Verdict> {
  const { folder, seed, limitMs } = run
  const reportPath = join(folder, 'canary-report.tmp')
  rmSync(reportPath, { force: true })
  const name = canary.testName.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
  const vitest = join(folder, 'node_modules', 'vitest', 'vitest.mjs')
  const options = ['--reporter=json', `--outputFile=${reportPath}`, '--passWithNoTests']
  const child = spawn(process.execPath, [vitest, 'run', canary.test, '-t', name, ...options], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...SMALLEST, PROPTEST_SEED: seed },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  let hung = false
  const limit = setTimeout(() => {
    hung = true
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }, limitMs)
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve())
  })
  clearTimeout(limit)
  return hung ? 'hung' : judge(readReport(reportPath, output), canary)
}
