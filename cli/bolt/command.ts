/** What a command of a family is, and what it is given. */
import type { Screen } from '../screen.ts'

/**
 * Exit codes. A signal ends the program with 128 and its number.
 *   - FOUND: damage was found, or what was asked for is not there;
 *   - REFUSED: a file can't be opened or written.
 */
export const EXIT = { ok: 0, found: 1, usage: 2, refused: 3, bug: 70 } as const

export interface Option {
  readonly type: 'string' | 'boolean'
  /** A letter that stands for it, too. */
  readonly short?: string
  /** What stands for the value in the help: `N`. */
  readonly value?: string
  readonly help: string
}

export type Options = Readonly<Record<string, Option>>

/** Where a command runs. */
export interface Setting {
  readonly screen: Screen
  /** For progress and complaints. */
  readonly complaints: Screen
  readonly signal: AbortSignal
  /** What relative paths are relative to. */
  readonly directory: string
  /** In ms, for progress. */
  readonly now: () => number
}

/** One call of a command: its arguments, read. */
export interface Call {
  readonly command: CommandForm
  readonly positionals: readonly string[]
  readonly isJson: boolean
  /** Whether a flag was given. */
  flag(name: string): boolean
  /** The value of an option; undefined where it was not given. */
  text(name: string): string | undefined
}

/** What a command is called with. */
export interface CommandForm {
  readonly name: string
  /** Its arguments, as the help names them: `FILE BUCKET…`. */
  readonly positionals: string
  /** How many there may be. */
  readonly counts: readonly [min: number, max: number]
  readonly summary: string
  /** A paragraph for its help. */
  readonly details: string
  /** Command lines for its help. */
  readonly examples?: readonly string[]
  /** Whether an argument may be empty. Default false. */
  readonly takesEmpty?: boolean
  readonly options: Options
}

export interface Command extends CommandForm {
  /** Returns the exit code. */
  run(call: Call, setting: Setting): Promise<number>
}
