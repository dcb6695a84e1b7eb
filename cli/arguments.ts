/** The command line of `npm start`. */
import { parseArgs } from 'node:util'

export const USAGE = `Usage: npm start [-- [options] [repository]]

Loads the history of a git repository into a store, one transaction a commit, and
shows what can be asked of it. Default: the repository this program lies in, or the
history that comes with it where that is not at hand.

  --commits N    load only the newest N commits
  --data DIR     put the store there and keep it (default: a temporary directory)
  --keep         keep the temporary directory
  --help         show this`

/** The command line can't be understood. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}

export interface StartArguments {
  readonly repository: string | undefined
  readonly commitsMax: number | undefined
  readonly dataPath: string | undefined
  readonly keep: boolean
  readonly help: boolean
}

const OPTIONS = {
  commits: { type: 'string' },
  data: { type: 'string' },
  keep: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** @throws {UsageError} */
export function readArguments(args: readonly string[]): StartArguments {
  const { values, positionals } = parse(args)
  if (positionals.length > 1) throw new UsageError('name one repository, not several')
  if (positionals[0] === '') throw new UsageError('the repository has no name')
  if (values.data === '') throw new UsageError('--data needs a directory')
  return {
    repository: positionals[0],
    commitsMax: readCount(values.commits),
    dataPath: values.data,
    keep: values.keep ?? false,
    help: values.help ?? false,
  }
}

interface Parsed {
  readonly values: {
    readonly commits?: string | undefined
    readonly data?: string | undefined
    readonly keep?: boolean | undefined
    readonly help?: boolean | undefined
  }
  readonly positionals: readonly string[]
}

function parse(args: readonly string[]): Parsed {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function readCount(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const count = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count >= 1) return count
  throw new UsageError(`--commits needs a number of 1 or more, not ${JSON.stringify(text)}`)
}
