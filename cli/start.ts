/** `npm start`: the first real run. See walkthrough.ts. */
import { isKvError } from '../index.ts'
import { USAGE, UsageError, readArguments } from './arguments.ts'
import type { Stage } from './program.ts'
import { runProgram } from './program.ts'
import { walkThrough } from './walkthrough.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2

async function run({ screen, complaints, signal }: Stage): Promise<number> {
  const args = readArguments(process.argv.slice(2))
  if (args.help) {
    screen.print(USAGE)
    return 0
  }
  await walkThrough(args, {
    screen,
    progressScreen: process.stderr.isTTY ? complaints : screen,
    // npm changes to the package's directory and says where it was called.
    directory: process.env['INIT_CWD'] ?? process.cwd(),
    signal,
  })
  return 0
}

function fail(error: unknown, { screen, complain }: Stage): number {
  complain(describe(error))
  if (!(error instanceof UsageError)) return EXIT_FAILURE
  screen.print(USAGE)
  return EXIT_USAGE
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return isKvError(error) ? `${error.message} (${error.code})` : error.message
}

process.exitCode = await runProgram({ name: 'npm start', run, fail })
