/**
 * `npm run canaries [-- part of a name …] [--jobs=n]`: tries the registry and says who survived.
 * Ends with 1 when a canary was not caught or could not be tried.
 */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CANARIES } from './registry.ts'
import { type Outcome, tryCanaries } from './try.ts'

const LIMIT_MS = 180_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string', default: String(Math.min(2, availableParallelism())) } },
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
console.log(`\n${outcomes.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
