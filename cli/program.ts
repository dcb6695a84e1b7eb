/**
 * A program's outermost layer: where it prints, how it is told to stop, and what its exit code is.
 */
import { Screen } from './screen.ts'

/** What could not be written is not there, as a file that was refused is not. */
const EXIT_UNWRITTEN = 3

/** 128 + the signal's number, as shells have it. */
const EXIT_SIGNAL = { SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const

type StopSignal = keyof typeof EXIT_SIGNAL

export interface Stage {
  /** Standard output. */
  readonly screen: Screen
  /** Standard error. */
  readonly complaints: Screen
  /** Aborted when the program is to stop. */
  readonly signal: AbortSignal
  readonly complain: (message: string) => void
}

export interface Program {
  /** What its complaints begin with. */
  readonly name: string
  /** Columns it uses at most, however wide the terminal is. */
  readonly widthMax?: number
  /** Returns the exit code. */
  run(stage: Stage): Promise<number>
  /** Says what went wrong; returns the exit code. */
  fail(error: unknown, stage: Stage): number
}

/** Runs a program to its end. Returns the exit code. */
export async function runProgram(program: Program): Promise<number> {
  const { name, widthMax } = program
  const screen = new Screen(process.stdout, process.env, widthMax)
  const complaints = new Screen(process.stderr, process.env, widthMax)
  const complain = (message: string): void =>
    complaints.print(`${complaints.style('red', `${name}:`)} ${message}`)
  const abort = new AbortController()
  let stoppedBy: StopSignal | undefined
  const stop = (signal: StopSignal): void => {
    stoppedBy ??= signal
    abort.abort(new Error(`stopped by ${signal}`))
  }
  process.once('SIGINT', () => stop('SIGINT'))
  process.once('SIGTERM', () => stop('SIGTERM'))
  let broken: Error | undefined
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever reads the output may have seen enough (`| head`): then there is nobody to show the
    // rest to. A full disk is another thing.
    if (error.code === 'EPIPE') return stop('SIGPIPE')
    broken ??= error
    abort.abort(error)
  })
  const unwritten = (error: Error): number => {
    complain(`standard output can’t be written: ${error.message}`)
    return EXIT_UNWRITTEN
  }
  const stage: Stage = { screen, complaints, signal: abort.signal, complain }
  try {
    const exitCode = await program.run(stage)
    const error = await flush(process.stdout)
    return error === undefined ? exitCode : unwritten(broken ?? error)
  } catch (error) {
    if (broken !== undefined) return unwritten(broken)
    if (stoppedBy === undefined) return program.fail(error, stage)
    if (stoppedBy !== 'SIGPIPE') complain('stopped')
    return EXIT_SIGNAL[stoppedBy]
  }
}

/** Waits for what was printed; returns what kept it from being written, but for a closed pipe. */
async function flush(output: NodeJS.WriteStream): Promise<Error | undefined> {
  const error = await new Promise<NodeJS.ErrnoException | undefined | null>((resolve) => {
    output.write('', resolve)
  })
  return error instanceof Error && error.code !== 'EPIPE' ? error : undefined
}
