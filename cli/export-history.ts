/**
 * `npm run history:export -- [commit …]`: rewrites the bundle that `npm start` falls back on.
 * Default: HEAD.
 */
import { stat } from 'node:fs/promises'
import { formatBytes, plural } from './format.ts'
import { exportHistory } from './history-export.ts'
import { Screen } from './screen.ts'
import { bundlePath, findHome } from './source.ts'

async function main(): Promise<void> {
  const home = findHome()
  const heads = process.argv.slice(2)
  const target = bundlePath(home)
  const commits = await exportHistory(home, heads.length === 0 ? ['HEAD'] : heads, target)
  const { size } = await stat(target)
  new Screen(process.stdout, process.env).print(
    `${plural(commits, 'commit')}, ${formatBytes(size)}: ${target}`,
  )
}

try {
  await main()
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  new Screen(process.stderr, process.env).print(`history:export: ${message}`)
  process.exitCode = 1
}
