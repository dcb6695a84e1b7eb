/**
 * Commands typed while a watch runs. One process owns a store, so whoever watches it live is the
 * one to change it, too.
 */
import { createInterface } from 'node:readline'
import type { Interface } from 'node:readline'
import { UsageError } from '../arguments.ts'
import { EXIT } from '../bolt/command.ts'
import type { Db, Input, StoreSetting } from './command.ts'
import { splitWords } from './words.ts'

/** Runs the command that a line is, on a store that is open. Returns its exit code. */
export type RunWords = (words: readonly string[], db: Db, setting: StoreSetting) => Promise<number>

const END_WORDS: ReadonlySet<string> = new Set(['exit', 'quit'])
const PROMPT = '> '

export class Shell {
  readonly #setting: StoreSetting
  readonly #run: RunWords
  readonly #lines: Interface | undefined
  readonly #input: Input | undefined
  readonly #isInteractive: boolean
  /** A command was entered and its answer is not all there: the prompt is not on the line. */
  #isAnswering = false

  constructor(setting: StoreSetting, run: RunWords) {
    this.#setting = setting
    this.#run = run
    this.#input = setting.input?.()
    this.#isInteractive = this.#input?.isTTY === true && setting.complaints.isTerminal
    if (this.#input === undefined) return
    this.#lines = createInterface({
      input: this.#input,
      prompt: PROMPT,
      terminal: this.#isInteractive,
      ...(this.#isInteractive ? { output: process.stderr } : {}),
    })
    // In a terminal Ctrl-C comes here, and not as a signal.
    this.#lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  }

  get isInteractive(): boolean {
    return this.#isInteractive
  }

  /**
   * Runs line by line until the input ends or the signal is aborted. Returns the exit code: of the
   * first line that failed, unless somebody sits there and has seen it.
   */
  async run(db: Db, signal: AbortSignal): Promise<number> {
    const lines = this.#lines
    if (lines === undefined) return EXIT.ok
    const stop = (): void => lines.close()
    signal.addEventListener('abort', stop, { once: true })
    let exitCode: number = EXIT.ok
    try {
      if (signal.aborted) return exitCode
      this.#prompt()
      for await (const line of lines) {
        const words = this.#split(line)
        if (END_WORDS.has(words[0] ?? '')) break
        this.#isAnswering = true
        const code = await this.#runWords(words, db)
        if (exitCode === EXIT.ok && !this.#isInteractive) exitCode = code
        if (signal.aborted) break
        await settled()
        this.#isAnswering = false
        this.#prompt()
      }
    } finally {
      signal.removeEventListener('abort', stop)
      lines.close()
      this.#input?.destroy()
      // The prompt stands there still.
      if (this.#isInteractive) this.#setting.complaints.print()
    }
    return exitCode
  }

  /** Prints something while a line may be half typed. */
  aside(print: () => void): void {
    if (!this.#isInteractive || this.#isAnswering) {
      print()
      return
    }
    this.#setting.complaints.overwrite('')
    print()
    this.#lines?.prompt(true)
  }

  #prompt(): void {
    if (this.#isInteractive) this.#lines?.prompt()
  }

  #split(line: string): readonly string[] {
    try {
      return splitWords(line)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      this.#setting.complaints.print(error.message)
      return []
    }
  }

  async #runWords(words: readonly string[], db: Db): Promise<number> {
    if (words.length === 0) return EXIT.ok
    // Standard output is for the events, standard error for what is answered to whoever types.
    const { complaints } = this.#setting
    const setting = { ...this.#setting, screen: complaints, input: undefined }
    return this.#run(words, db, setting)
  }
}

/** Lets what a command did be shown before the next one is asked for. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
}
