/** `npm start`: the first real run. See walkthrough.ts. */
import { isKvError } from '../index.ts'
import { USAGE, UsageError, readArguments } from './arguments.ts'
import { Screen } from './screen.ts'
import { walkThrough } from './walkthrough.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2
/** 128 + the signal's number, as shells have it. */
const EXIT_SIGNAL = { SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const

type StopSignal = keyof typeof EXIT_SIGNAL

async function main(): Promise<number> {
  const screen = new Screen(process.stdout, process.env)
  const complaints = new Screen(process.stderr, process.env)
  const complain = (message: string): void =>
    complaints.print(`${complaints.style('red', 'npm start:')} ${message}`)
  const abort = new AbortController()
  let stoppedBy: StopSignal | undefined
  const stop = (signal: StopSignal): void => {
    stoppedBy ??= signal
    abort.abort(new Error(`stopped by ${signal}`))
  }
  process.once('SIGINT', () => stop('SIGINT'))
  process.once('SIGTERM', () => stop('SIGTERM'))
  // Whoever reads the output may have seen enough (`| head`): then there is nobody to show the
  // rest to.
  process.stdout.on('error', () => stop('SIGPIPE'))
  try {
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
      signal: abort.signal,
    })
    return 0
  } catch (error) {
    if (stoppedBy !== undefined) {
      if (stoppedBy !== 'SIGPIPE') complain('stopped')
      return EXIT_SIGNAL[stoppedBy]
    }
    complain(describe(error))
    if (!(error instanceof UsageError)) return EXIT_FAILURE
    screen.print(USAGE)
    return EXIT_USAGE
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return isKvError(error) ? `${error.message} (${error.code})` : error.message
}

process.exitCode = await main()
