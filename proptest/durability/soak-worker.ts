/**
 * Workloads in processes of their own: each runs one at a time, told its seed by a message, and
 * answers with what became of it.
 */

import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { newTally, sweep } from './power-cut.ts'
import type { Outcome } from './soak-progress.ts'

export const CUTS_MAX = 60

/**
 * The argument that makes the program a worker. With `STACKS`, errors have stacks; power cuts throw
 * so many that they are worth leaving out.
 */
export const WORKER = '--worker'
export const STACKS = 'stacks'

/** Runs what the parent asks for until it goes away. */
export function serve(mode: string | undefined): void {
  if (mode !== STACKS) Error.stackTraceLimit = 0
  // From a terminal it reaches every process; the parent decides.
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit())
  process.on('message', (seed) => {
    if (typeof seed === 'number') void runOne(seed, mode)
  })
}

async function runOne(seed: number, mode: string | undefined): Promise<void> {
  const tally = newTally()
  try {
    await sweep(seed, { cutsMax: CUTS_MAX }, tally)
    answer({ seed, tally })
  } catch (error) {
    answer({ seed, failure: describe(error, mode) })
  }
}

function answer(outcome: Outcome): void {
  process.send?.(outcome)
}

function describe(error: unknown, mode: string | undefined): string {
  if (!(error instanceof Error)) return String(error)
  if (mode !== STACKS) return error.message
  const { cause } = error
  return [error.message, cause instanceof Error ? cause.stack : error.stack].join('\n')
}

/**
 * Every image leaves megabytes behind that live for milliseconds: a larger young space collects
 * them at once, and threads that help one process collect take time from the others.
 */
const GC_FLAGS = ['--single-threaded-gc', '--max-semi-space-size=32']

export interface WorkerSetup {
  /** The program that calls `serve`. */
  readonly program: string
  readonly mode: string | undefined
  /** Called once for each workload. A process that ended has failed the one it was at. */
  readonly ended: (worker: Worker, outcome: Outcome) => void
}

/** A process for workloads, started anew where it ended. */
export class Worker {
  readonly #setup: WorkerSetup
  #child: ChildProcess | undefined
  #seed: number | undefined

  constructor(setup: WorkerSetup) {
    this.#setup = setup
  }

  /** The workload under way. */
  get seed(): number | undefined {
    return this.#seed
  }

  run(seed: number): void {
    this.#seed = seed
    this.#child ??= this.#start()
    this.#child.send(seed)
  }

  /** Ends the process; what is under way is not told of. */
  stop(): void {
    this.#seed = undefined
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }

  #start(): ChildProcess {
    const { program, mode } = this.#setup
    const child = fork(program, [WORKER, ...(mode === undefined ? [] : [mode])], {
      execArgv: [...process.execArgv, ...GC_FLAGS],
    })
    child.on('message', (message) => {
      if (isOutcome(message) && message.seed === this.#seed) this.#end(message)
    })
    child.on('exit', (code, signal) => {
      if (this.#child !== child) return
      this.#child = undefined
      const seed = this.#seed
      if (seed === undefined) return
      this.#end({ seed, failure: `seed ${seed}: the process ended with ${signal ?? code}` })
    })
    return child
  }

  #end(outcome: Outcome): void {
    this.#seed = undefined
    this.#setup.ended(this, outcome)
  }
}

function isOutcome(message: unknown): message is Outcome {
  return typeof message === 'object' && message !== null && 'seed' in message
}
