/**
 * `npm run canaries [-- part of a name …] [--jobs=n] [--report=file]`: tries the registry and says
 * who survived. The report holds the numbers, under the names that vitest's has.
 * Ends with 1 when a canary was not caught or could not be tried.
 */
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CANARIES } from './registry.ts'
import { type Outcome, tryCanaries } from './try.ts'

const LIMIT_MS = 180_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: String(Math.min(2, availableParallelism())) },
    report: { type: 'string' },
  },
})

const chosen =
  positionals.length === 0
    ? CANARIES
    : CANARIES.filter((canary) => positionals.some((part) => canary.name.includes(part)))

function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

let done = 0
function report({ canary, caught, note, ms }: Outcome): void {
  done += 1
  const place = `[${done}/${chosen.length}]`
  const how = note === '' ? '' : ` (${note})`
  console.log(`${place} ${caught ? 'caught' : 'FAILED'}: ${canary.name}${how} ${formatSeconds(ms)}`)
}

if (chosen.length === 0) {
  console.error(`no canary's name contains: ${positionals.join(', ')}`)
  process.exit(1)
}

const outcomes = await tryCanaries(chosen, {
  root: fileURLToPath(new URL('../..', import.meta.url)),
  jobs: Number(values.jobs),
  limitMs: LIMIT_MS,
  onOutcome: report,
})

const width = Math.max(...chosen.map((canary) => canary.name.length))
console.log(`\n${'canary'.padEnd(width)}  caught by`)
for (const { canary, caught } of outcomes) {
  const catcher = caught ? `${canary.test} › ${canary.testName}` : 'NOBODY'
  console.log(`${canary.name.padEnd(width)}  ${catcher}`)
}
const failed = outcomes.filter((outcome) => !outcome.caught).length
if (values.report !== undefined) {
  const numPassedTests = outcomes.length - failed
  const numbers = { numPassedTests, numFailedTests: failed, numPendingTests: 0, numTodoTests: 0 }
  writeFileSync(values.report, JSON.stringify(numbers))
}
console.log(`\n${outcomes.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
