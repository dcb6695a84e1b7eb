/** What the command lines of commits.ts, latency.ts and replay.ts have in common. */

import { type ParseArgsConfig, parseArgs } from 'node:util'
import { FolderError } from './disk-folder.ts'

/** What is wrong with the command line. */
export class UsageError extends Error {}

export function integer(name: string, text: string, max: number, min = 1): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= min && value <= max) {
    return value
  }
  throw new UsageError(`--${name}: expected an integer from ${min} to ${max}, got ${text}`)
}

/** The words of a list; all that are known where it is missing. */
export function chosen(
  name: string,
  text: string | undefined,
  known: readonly string[],
): Set<string> {
  const words = text === undefined ? known : text.split(',').map((word) => word.trim())
  const wrong = words.find((word) => !known.includes(word))
  if (wrong !== undefined) throw new UsageError(`--${name}: there is no ${wrong}; see --help`)
  return new Set(words)
}

type Options = NonNullable<ParseArgsConfig['options']>

/** @throws {UsageError} */
export function parse<T extends Options>(
  options: T,
): ReturnType<typeof parseArgs<{ options: T }>>['values'] {
  try {
    return parseArgs({ args: process.argv.slice(2), options }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** Runs a command and sets the exit status: 1 where it failed, 2 for wrong usage. */
export async function runCommand(usage: string, main: () => Promise<void>): Promise<void> {
  try {
    await main()
  } catch (error) {
    const isUsage = error instanceof UsageError || error instanceof FolderError
    console.error(isUsage ? `${error.message}\n\n${usage}` : error)
    process.exitCode = isUsage ? 2 : 1
  }
}
