/**
 * One test, run by itself in a workbench: did it run, and did it pass?
 */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Canary } from './registry.ts'
import { CanaryError } from './workbench.ts'

/** One seed for every canary: caught every time, or never. */
const SEED = '20240229'

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

/** Runs the canary's test in `folder`, as the code stands there. Ends it after `limitMs`. */
export async function runNarrow(folder: string, canary: Canary, limitMs: number): Promise<Verdict> {
  const reportPath = join(folder, 'canary-report.tmp')
  rmSync(reportPath, { force: true })
  const name = canary.testName.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
  const vitest = join(folder, 'node_modules', 'vitest', 'vitest.mjs')
  const options = ['--reporter=json', `--outputFile=${reportPath}`, '--passWithNoTests']
  const child = spawn(process.execPath, [vitest, 'run', canary.test, '-t', name, ...options], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PROPTEST_SEED: SEED, PROPTEST_SIZE: 'smoke', PROPTEST_RUNS: '' },
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
