/**
 * Times the engine's smallest parts with tinybench, on the built library.
 *
 *   npm run micro -- [--ms MILLISECONDS]
 */

import { parseArgs } from 'node:util'
import { Bench } from 'tinybench'
import { microCases } from './micro-cases.ts'

const USAGE = 'Usage: npm run micro -- [--ms MILLISECONDS]   time for each part, default 500'

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { ms: { type: 'string', default: '500' }, help: { type: 'boolean', default: false } },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const time = Number(values.ms)
  if (!(time >= 1)) throw new TypeError(`--ms: expected 1 or more, got ${values.ms}`)
  const bench = new Bench({ time, warmupTime: Math.min(200, time) })
  const cases = microCases()
  for (const { name, run } of cases) bench.add(name, () => void run())
  await bench.run()
  const rows = bench.tasks.map(({ name, result }, i) => {
    const nsEach = 1e6 / (cases[i]?.calls ?? 1)
    if (result.state !== 'completed') throw new Error(`${name}: ${result.state}`)
    const { latency } = result
    return {
      part: name,
      'median ns': Number((latency.p50 * nsEach).toFixed(1)),
      'p99 ns': Number((latency.p99 * nsEach).toFixed(1)),
      '± %': Number(latency.rme.toFixed(1)),
    }
  })
  console.table(rows)
  return 0
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? `${error.message}\n\n${USAGE}` : error)
  process.exitCode = 2
}
