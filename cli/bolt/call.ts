/** Reads the command line of a command. */
import { parseArgs } from 'node:util'
import { UsageError } from '../arguments.ts'
import type { Call, CommandForm, Option, Options } from './command.ts'

/** What of a family its commands are called by. */
export interface Called {
  readonly name: string
  /** Whether its commands are typed inside the program, so without its name. */
  readonly isInside?: boolean
}

/** What one types to call a command of a family, or its help. */
export function callOf({ name, isInside = false }: Called, ...words: readonly string[]): string {
  return [isInside ? '' : 'revbolt', name, ...words].filter((word) => word !== '').join(' ')
}

/** Every command has these. */
export const COMMON_OPTIONS: Options = {
  json: { type: 'boolean', help: 'JSON on standard output, and nothing else' },
  help: { type: 'boolean', short: 'h', help: 'show this' },
}

/** Every command of `revbolt bolt` has these. */
export const BOLT_OPTIONS: Options = {
  json: COMMON_OPTIONS['json'] as Option,
  generation: {
    type: 'string',
    value: 'WHICH',
    help: 'newest (default), or previous: the state before the last commit',
  },
  wait: { type: 'string', value: 'SECONDS', help: 'wait that long for a writer to let go' },
  'no-lock': {
    type: 'boolean',
    help: 'take no lock. A writer may change pages while they are read: what is shown can be mixed',
  },
  lenient: {
    type: 'boolean',
    help: 'read pages that are safe to read though bbolt would not have written them so',
  },
  'page-size': {
    type: 'string',
    value: 'BYTES',
    help: 'the page size, where the file does not say it any more',
  },
  help: COMMON_OPTIONS['help'] as Option,
}

/** @throws {UsageError} */
export function readCall(
  family: Called & { readonly options: Options },
  command: CommandForm,
  args: readonly string[],
): Call {
  const options = { ...family.options, ...command.options }
  const { values, positionals } = parse(command, args, options)
  const isHelp = values['help'] === true
  const [min, max] = command.counts
  if (!isHelp && (positionals.length < min || positionals.length > max)) {
    throw new UsageError(`usage: ${callOf(family, command.name, command.positionals)}`)
  }
  if (command.takesEmpty !== true && positionals.includes(''))
    throw new UsageError('an argument is empty')
  return {
    command,
    positionals,
    isJson: values['json'] === true,
    flag: (name) => values[name] === true,
    text: (name) => {
      const value = values[name]
      return typeof value === 'string' ? value : undefined
    },
  }
}

const TAKEN_AS_OPTION = '; what begins with - and is no option goes behind --'

type Values = Readonly<Record<string, string | boolean | undefined>>

function parse(
  command: CommandForm,
  args: readonly string[],
  options: Options,
): { readonly values: Values; readonly positionals: readonly string[] } {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { type, short }]) => [
      name,
      short === undefined ? { type } : { type, short },
    ]),
  )
  const loose = parseArgs({
    args: [...args],
    options: config,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  for (const token of loose.tokens) {
    if (token.kind !== 'option' || Object.hasOwn(options, token.name)) continue
    const near = nearest(token.name, Object.keys(options))
    const meant = near === undefined ? TAKEN_AS_OPTION : `; did you mean --${near}?`
    throw new UsageError(`${command.name} has no option ${token.rawName}${meant}`)
  }
  try {
    const read = parseArgs({ args: [...args], options: config, allowPositionals: true })
    return { values: read.values, positionals: read.positionals }
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/** The known name that is nearest to what was written; undefined where none is near. */
export function nearest(written: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(written.length / 3)) + 1
  for (const name of known) {
    const distance = name.startsWith(written) && written !== '' ? 1 : editDistance(written, name)
    if (distance < bestDistance) [best, bestDistance] = [name, distance]
  }
  return best
}

/** Characters to insert, remove or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** A whole number from `min` on; undefined where the option was not given. */
export function readCount(call: Call, name: string, min = 0): number | undefined {
  const text = call.text(name)
  return text === undefined ? undefined : parseCount(text, `--${name}`, min)
}

export function parseCount(text: string, name: string, min: number): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count >= min) return count
  throw new UsageError(`${name}: expected a whole number of ${min} or more, got ${text}`)
}

/** One of a few words; the first where the option was not given. */
export function readChoice<T extends string>(
  call: Call,
  name: string,
  choices: readonly [T, ...T[]],
): T {
  const text = call.text(name)
  if (text === undefined) return choices[0]
  const found = choices.find((choice) => choice === text)
  if (found !== undefined) return found
  throw new UsageError(`--${name}: expected ${choices.join(', ')}; got ${text}`)
}
