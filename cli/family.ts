/**
 * A family of commands, as `revbolt bolt` and `revbolt wal`: finds one, runs it, explains it. One
 * without a name has the commands of `revbolt` itself.
 *
 * Loads neither store nor engine: a command does, once it knows that it needs to.
 */
import { resolve } from 'node:path'
import { UsageError } from './arguments.ts'
import type { Called } from './bolt/call.ts'
import { callOf, nearest, readCall } from './bolt/call.ts'
import type { Command, Options, Setting } from './bolt/command.ts'
import { EXIT } from './bolt/command.ts'
import { Failure, operatingCode } from './bolt/failure.ts'
import { pathKind } from './bolt/file-kind.ts'
import { paragraph, printJson, wrap } from './bolt/output.ts'
import type { Screen } from './screen.ts'

export interface Family extends Called {
  /** What its commands are about, as the help names it: `FILE`. */
  readonly subject: string
  /** Paragraphs for its help. */
  readonly about: readonly string[]
  /** The command to name where a file was named and no command. */
  readonly example?: string
  /** Every command has these. */
  readonly options: Options
  /** Stands before the exit codes. */
  readonly note: string
  readonly commands: readonly Command[]
  /** Further families, for the help: what is typed, and what it does. */
  readonly families?: readonly (readonly [string, string])[]
  readonly exitCodes?: ExitCodes
  /** Whether complaints name the error's code. */
  readonly hasCodes?: boolean
}

export type ExitCodes = readonly (readonly [code: string, meaning: string])[]

const EXIT_CODES: ExitCodes = [
  ['0', 'fine'],
  ['1', 'damage was found, or what was asked for is not there'],
  ['2', 'the command line can’t be understood'],
  ['3', 'a file can’t be opened or written: missing, in use, of another kind, no permission'],
  ['70', 'a bug of this program; please report it'],
  ['130, 143', 'stopped by a signal; 141: nobody read the output any more'],
]

/** Runs one command. Returns the exit code; throws only where the signal was aborted. */
export async function runFamily(
  family: Family,
  args: readonly string[],
  setting: Setting,
): Promise<number> {
  const end = args.indexOf('--')
  const isJson = args.slice(0, end === -1 ? args.length : end).includes('--json')
  const [name, ...rest] = args
  try {
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      printHelp(setting.screen, family)
      return name === undefined ? EXIT.usage : EXIT.ok
    }
    const command = findCommand(family, name, setting)
    const call = readCall(family, command, rest)
    if (call.flag('help')) {
      printCommandHelp(setting.screen, family, command)
      return EXIT.ok
    }
    return await command.run(call, setting)
  } catch (error) {
    if (setting.signal.aborted) throw error
    const failure = toFailure(helpOf(family, name), error)
    if (isJson) printFailureJson(setting.screen, failure)
    else printFailure(family, setting.complaints, failure)
    return failure.exitCode
  }
}

function findCommand(family: Family, name: string, { directory }: Setting): Command {
  const { commands, example } = family
  const found = commands.find((command) => command.name === name)
  if (found !== undefined) return found
  const near = nearest(
    name,
    commands.map((command) => command.name),
  )
  const isPath = near === undefined && pathKind(resolve(directory, name)) !== 'nothing'
  if (isPath && example !== undefined) {
    throw new UsageError(`name a command before the file: ${callOf(family, example, name)}`)
  }
  const meant = near === undefined ? `see \`${callOf(family, '--help')}\`` : `did you mean ${near}?`
  throw new UsageError(`there is no command ${name}; ${meant}`)
}

/** Where to read on after a slip. */
function helpOf(family: Family, name: string | undefined): string {
  const isKnown = family.commands.some((command) => command.name === name)
  return `\`${callOf(family, isKnown ? (name ?? '') : '', '--help')}\``
}

function toFailure(help: string, error: unknown): Failure {
  if (error instanceof Failure) return error
  if (error instanceof UsageError) {
    const hints = error.message.includes(help) ? [] : [help]
    return new Failure(EXIT.usage, error.message, { hints })
  }
  const code = operatingCode(error)
  if (code !== undefined && error instanceof Error) {
    const exitCode = code === 'KV_CORRUPT' ? EXIT.found : EXIT.refused
    return new Failure(exitCode, error.message, { cause: error })
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new Failure(EXIT.bug, `internal error: ${what}`, {
    hints: ['that is a bug: please report it, with the command and, if you may, the file'],
    cause: error,
  })
}

function printFailure(family: Family, screen: Screen, { message, hints, code }: Failure): void {
  const named = family.hasCodes === true && code !== undefined ? ` (${code})` : ''
  const who = callOf(family)
  screen.print(`${screen.style('red', `${who === '' ? 'error' : who}:`)} ${message}${named}`)
  for (const hint of hints) {
    const [first = '', ...more] = wrap(hint, screen.width - 4)
    screen.print(`  ${screen.style('dim', '→')} ${first}`)
    for (const line of more) screen.print(`    ${line}`)
  }
}

function printFailureJson(screen: Screen, { message, hints, code, exitCode }: Failure): void {
  printJson(screen, { error: { message, code, hints, exitCode } })
}

function printHelp(screen: Screen, family: Family): void {
  const call = callOf(family, 'COMMAND', family.subject, '[arguments]', '[options]')
  screen.print(`Usage: ${call}`)
  screen.print()
  for (const text of family.about) paragraph(screen, text, '')
  screen.print()
  const rows = family.commands.map(({ name, positionals, summary }): [string, string] => [
    `${name} ${positionals}`.trimEnd(),
    summary,
  ])
  const { families = [] } = family
  const width = Math.max(...[...rows, ...families].map(([left]) => left.length))
  for (const row of rows) printRow(screen, row, width)
  if (families.length > 0) screen.print()
  for (const row of families) printRow(screen, row, width)
  screen.print()
  screen.print(`Options of all commands; \`${callOf(family, 'COMMAND', '--help')}\` has the rest:`)
  printOptions(screen, family.options)
  screen.print()
  screen.print(`${family.note}Exit codes:`)
  printExitCodes(screen, family)
}

function printExitCodes(screen: Screen, { exitCodes = EXIT_CODES }: Family): void {
  const width = Math.max(...exitCodes.map(([code]) => code.length))
  for (const [code, meaning] of exitCodes) printRow(screen, [code, meaning], width)
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

function printCommandHelp(screen: Screen, family: Family, command: Command): void {
  screen.print(`Usage: ${callOf(family, command.name, command.positionals, '[options]')}`)
  screen.print()
  paragraph(screen, command.details, '')
  const { examples = [] } = command
  if (examples.length > 0) screen.print()
  for (const example of examples) screen.print(`  ${screen.style('dim', '$')} ${example}`)
  screen.print()
  printOptions(screen, { ...command.options, ...family.options })
  screen.print()
  screen.print('Exit codes:')
  printExitCodes(screen, family)
}
