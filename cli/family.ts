/** A family of commands, as `revbolt bolt` and `revbolt wal`: finds one, runs it, explains it. */
import { resolve } from 'node:path'
import { isKvError } from '../engine/index.ts'
import { UsageError } from './arguments.ts'
import { nearest, readCall } from './bolt/call.ts'
import type { Command, Options, Setting } from './bolt/command.ts'
import { EXIT } from './bolt/command.ts'
import { Failure } from './bolt/failure.ts'
import { pathKind } from './bolt/file-kind.ts'
import { paragraph, printJson, wrap } from './bolt/output.ts'
import type { Screen } from './screen.ts'

export interface Family {
  readonly name: string
  /** What its commands are about, as the help names it: `FILE`. */
  readonly subject: string
  /** Paragraphs for its help. */
  readonly about: readonly string[]
  /** The command to name where a file was named and no command. */
  readonly example: string
  /** Every command has these. */
  readonly options: Options
  /** Stands before the exit codes. */
  readonly note: string
  readonly commands: readonly Command[]
}

const EXIT_CODES = [
  ['0', 'fine'],
  ['1', 'damage was found, or what was asked for is not there'],
  ['2', 'the command line can’t be understood'],
  ['3', 'a file can’t be opened or written: missing, in use, of another kind, no permission'],
  ['70', 'a bug of this program; please report it'],
  ['130, 143', 'stopped by a signal; 141: nobody read the output any more'],
] as const

/** Runs one command. Returns the exit code; throws only where the signal was aborted. */
export async function runFamily(
  family: Family,
  args: readonly string[],
  setting: Setting,
): Promise<number> {
  const isJson = args.includes('--json')
  try {
    const [name, ...rest] = args
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
    const failure = toFailure(family, error)
    if (isJson) printFailureJson(setting.screen, failure)
    else printFailure(family, setting.complaints, failure)
    return failure.exitCode
  }
}

function findCommand(family: Family, name: string, { directory }: Setting): Command {
  const { commands, name: own, example } = family
  const found = commands.find((command) => command.name === name)
  if (found !== undefined) return found
  const near = nearest(
    name,
    commands.map((command) => command.name),
  )
  if (near === undefined && pathKind(resolve(directory, name)) !== 'nothing') {
    throw new UsageError(`name a command before the file: revbolt ${own} ${example} ${name}`)
  }
  const meant = near === undefined ? `see \`revbolt ${own} --help\`` : `did you mean ${near}?`
  throw new UsageError(`there is no command ${name}; ${meant}`)
}

function toFailure({ name }: Family, error: unknown): Failure {
  if (error instanceof Failure) return error
  if (error instanceof UsageError) {
    return new Failure(EXIT.usage, error.message, { hints: [`\`revbolt ${name} --help\``] })
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

function printFailure({ name }: Family, screen: Screen, { message, hints }: Failure): void {
  screen.print(`${screen.style('red', `revbolt ${name}:`)} ${message}`)
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
  screen.print(`Usage: revbolt ${family.name} COMMAND ${family.subject} [arguments] [options]`)
  screen.print()
  for (const text of family.about) paragraph(screen, text, '')
  screen.print()
  const rows = family.commands.map(({ name, positionals, summary }) => [
    `${name} ${positionals}`,
    summary,
  ])
  const width = Math.max(...rows.map(([left = '']) => left.length))
  for (const [left = '', right = ''] of rows) printRow(screen, [left, right], width)
  screen.print()
  screen.print(`Options of all commands; \`revbolt ${family.name} COMMAND --help\` has the rest:`)
  printOptions(screen, family.options)
  screen.print()
  screen.print(`${family.note}Exit codes:`)
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

function printCommandHelp(screen: Screen, family: Family, command: Command): void {
  screen.print(`Usage: revbolt ${family.name} ${command.name} ${command.positionals} [options]`)
  screen.print()
  paragraph(screen, command.details, '')
  screen.print()
  printOptions(screen, { ...command.options, ...family.options })
  screen.print()
  screen.print('Exit codes:')
  printExitCodes(screen)
}
