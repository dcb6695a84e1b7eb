/** `revbolt bolt`: looks into any bbolt file. */
import { resolve } from 'node:path'
import { isKvError } from '../../engine/index.ts'
import { UsageError } from '../arguments.ts'
import type { Screen } from '../screen.ts'
import { buckets } from './buckets.ts'
import { COMMON_OPTIONS, nearest, readCall } from './call.ts'
import { check } from './check.ts'
import type { Command, Options, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { compact, copy } from './copy.ts'
import { dump } from './dump.ts'
import { Failure } from './failure.ts'
import { pathKind } from './file-kind.ts'
import { info } from './info.ts'
import { inspect } from './inspect.ts'
import { get, keys } from './keys.ts'
import { paragraph, printJson, wrap } from './output.ts'
import { page } from './page.ts'
import { pages } from './pages.ts'
import { stats } from './stats.ts'

export const COMMANDS: readonly Command[] = [
  info,
  inspect,
  buckets,
  keys,
  get,
  check,
  stats,
  pages,
  page,
  dump,
  copy,
  compact,
]

const EXIT_CODES = [
  ['0', 'fine'],
  ['1', 'damage was found, or what was asked for is not there'],
  ['2', 'the command line can’t be understood'],
  ['3', 'a file can’t be opened or written: missing, in use, no bbolt file, no permission'],
  ['70', 'a bug of this program; please report it'],
  ['130, 143', 'stopped by a signal; 141: nobody read the output any more'],
] as const

/** Runs one command. Returns the exit code; throws only where the signal was aborted. */
export async function runBolt(args: readonly string[], setting: Setting): Promise<number> {
  const isJson = args.includes('--json')
  try {
    const [name, ...rest] = args
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      printHelp(setting.screen)
      return name === undefined ? EXIT.usage : EXIT.ok
    }
    const command = findCommand(name, setting)
    const call = readCall(command, rest)
    if (call.flag('help')) {
      printCommandHelp(setting.screen, command)
      return EXIT.ok
    }
    return await command.run(call, setting)
  } catch (error) {
    if (setting.signal.aborted) throw error
    const failure = toFailure(error)
    if (isJson) printFailureJson(setting.screen, failure)
    else printFailure(setting.complaints, failure)
    return failure.exitCode
  }
}

function findCommand(name: string, { directory }: Setting): Command {
  const found = COMMANDS.find((command) => command.name === name)
  if (found !== undefined) return found
  const near = nearest(
    name,
    COMMANDS.map((command) => command.name),
  )
  if (near === undefined && pathKind(resolve(directory, name)) === 'file') {
    throw new UsageError(`name a command before the file: revbolt bolt info ${name}`)
  }
  const meant = near === undefined ? 'see `revbolt bolt --help`' : `did you mean ${near}?`
  throw new UsageError(`there is no command ${name}; ${meant}`)
}

function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  if (error instanceof UsageError) {
    return new Failure(EXIT.usage, error.message, { hints: ['`revbolt bolt --help`'] })
  }
  if (isKvError(error)) {
    const exitCode = error.code === 'KV_CORRUPT' ? EXIT.found : EXIT.refused
    return new Failure(exitCode, error.message, { cause: error })
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new Failure(EXIT.bug, `internal error: ${what}`, {
    hints: ['that is a bug: please report it, with the command and, if you may, the file'],
    cause: error,
  })
}

function printFailure(screen: Screen, { message, hints }: Failure): void {
  screen.print(`${screen.style('red', 'revbolt bolt:')} ${message}`)
  for (const hint of hints) {
    const [first = '', ...more] = wrap(hint, screen.width - 4)
    screen.print(`  ${screen.style('dim', '→')} ${first}`)
    for (const line of more) screen.print(`    ${line}`)
  }
}

function printFailureJson(screen: Screen, { message, hints, code, exitCode }: Failure): void {
  printJson(screen, { error: { message, code, hints, exitCode } })
}

function printHelp(screen: Screen): void {
  screen.print('Usage: revbolt bolt COMMAND FILE [arguments] [options]')
  screen.print()
  paragraph(
    screen,
    'Looks into any bbolt file: revbolt’s, etcd’s, bbolt’s own. Files are opened',
    '',
  )
  paragraph(screen, 'read-only, under a shared lock.', '')
  screen.print()
  const rows = COMMANDS.map(({ name, positionals, summary }) => [`${name} ${positionals}`, summary])
  const width = Math.max(...rows.map(([left = '']) => left.length))
  for (const [left = '', right = ''] of rows) printRow(screen, [left, right], width)
  screen.print()
  screen.print('Options of all commands; `revbolt bolt COMMAND --help` has the rest:')
  printOptions(screen, COMMON_OPTIONS)
  screen.print()
  screen.print('Names and keys: 0x… is hex, the rest text. Exit codes:')
  printExitCodes(screen)
}

function printExitCodes(screen: Screen): void {
  const width = Math.max(...EXIT_CODES.map(([code]) => code.length))
  for (const [code, meaning] of EXIT_CODES) printRow(screen, [code, meaning], width)
}

function printRow(screen: Screen, [left, right]: readonly [string, string], width: number): void {
  const [first = '', ...more] = wrap(right, screen.width - width - 4)
  screen.print(`  ${left.padEnd(width)}  ${first}`)
  for (const line of more) screen.print(`  ${' '.repeat(width)}  ${line}`)
}

function printOptions(screen: Screen, options: Options): void {
  const rows = Object.entries(options).map(([name, { value, help }]): [string, string] => [
    value === undefined ? `--${name}` : `--${name} ${value}`,
    help,
  ])
  const width = Math.max(...rows.map(([left]) => left.length))
  for (const row of rows) printRow(screen, row, width)
}

function printCommandHelp(screen: Screen, command: Command): void {
  screen.print(`Usage: revbolt bolt ${command.name} ${command.positionals} [options]`)
  screen.print()
  paragraph(screen, command.details, '')
  screen.print()
  printOptions(screen, { ...command.options, ...COMMON_OPTIONS })
  screen.print()
  screen.print('Exit codes:')
  printExitCodes(screen)
}
