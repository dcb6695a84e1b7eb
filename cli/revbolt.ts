#!/usr/bin/env node
/**
 * The `revbolt` command. What a command needs is loaded when it is called: a `get` waits for no
 * page inspector.
 */
import { nearest } from './bolt/call.ts'
import type { Setting } from './bolt/command.ts'
import { EXIT } from './bolt/command.ts'
import type { Stage } from './program.ts'
import { runProgram } from './program.ts'
import type { Input } from './store/command.ts'
import { NAMES as STORE_NAMES, runStore } from './store/store.ts'

const NAMES: readonly string[] = [...STORE_NAMES, 'snapshot', 'bolt', 'wal']
const HELP: readonly (string | undefined)[] = ['--help', '-h', 'help', undefined]

/** A map of pages is the better the wider it is, up to a point. */
const WIDTH_MAX = 160

async function run({ screen, complaints, signal, complain }: Stage): Promise<number> {
  const args = process.argv.slice(2)
  const [command, ...rest] = args
  const now = (): number => performance.now()
  const setting: Setting = { screen, complaints, signal, directory: process.cwd(), now }
  if (command === 'bolt') return (await import('./bolt/bolt.ts')).runBolt(rest, setting)
  if (command === 'snapshot') {
    return (await import('./snapshot/snapshot.ts')).runSnapshot(rest, setting)
  }
  if (command === 'wal') return (await import('./wal/wal.ts')).runWal(rest, setting)
  if (command === '--version' || command === '-v') {
    screen.print((await import('../index.ts')).VERSION)
    return EXIT.ok
  }
  if (command !== undefined && ![...NAMES, ...HELP].includes(command)) {
    const near = nearest(command, NAMES)
    const meant = near === undefined ? 'see `revbolt --help`' : `did you mean ${near}?`
    complain(`there is no command ${command}; ${meant}`)
    return EXIT.usage
  }
  const { env: environment } = process
  const input = (): Input => process.stdin
  return runStore(args, { ...setting, input, environment, today: () => new Date() })
}

function fail(error: unknown, { complain }: Stage): number {
  const what = error instanceof Error ? error.message : String(error)
  complain(`internal error: ${what}`)
  return EXIT.bug
}

process.exitCode = await runProgram({ name: 'revbolt', widthMax: WIDTH_MAX, run, fail })
