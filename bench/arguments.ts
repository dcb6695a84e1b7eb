/** The command line of run.ts. */

import { parseArgs } from 'node:util'
import { CASES, type Case, findCase } from './cases.ts'
import { SIDE_NAMES, type SideName } from './protocol.ts'

const MIB = 1024 * 1024

export const USAGE: string = `Usage: npm run bench -- [options]

Measures the built library beside its peers, in interleaved rounds.

  --keys N          keys in the files (default 1000000)
  --lookups N       random reads in a round (default: as many as keys, 200000 to 1000000; with
                    --growth 1000000)
  --commits N       one-put commits in a round (default 2000)
  --rounds N        rounds, each side once in each (default 5)
  --seed N          seed of keys and orders (default 1)
  --cases A,B       only these cases; --list names them
  --sides A,B       only these sides: ${SIDE_NAMES.join(', ')}
  --cache-mib N     memory for sides with a cache of their own (default 256)
  --growth          the cases that grow, ours and bbolt's, at 10 thousand keys and tenfold, up to
  --keys-max N      so many keys (default 1000000; 10000000 makes files of 2.5 GB)
  --memory          a 1 GiB file with a page budget of 64 MiB: speed, and highest resident memory
  --data DIR        where data files go (default: a new folder in the system's temporary one)
  --keep            leave the data files there; those of --memory are used again
  --json FILE       write the record; report.ts prints tables from it
  --list            names and meanings of the cases
  --help            this text
`

/** What is wrong with the command line. */
export class UsageError extends Error {}

export interface Arguments {
  readonly keyCounts: readonly number[]
  readonly lookups: number | undefined
  readonly commits: number
  readonly rounds: number
  readonly seed: number
  readonly cases: readonly Case[]
  readonly sides: readonly SideName[]
  readonly cacheBytes: number
  readonly isGrowth: boolean
  readonly isMemory: boolean
  readonly data: string | undefined
  readonly keep: boolean
  readonly json: string | undefined
  readonly wanted: 'run' | 'help' | 'list'
}

const OPTIONS = {
  keys: { type: 'string', default: '1000000' },
  lookups: { type: 'string' },
  commits: { type: 'string', default: '2000' },
  rounds: { type: 'string', default: '5' },
  seed: { type: 'string', default: '1' },
  cases: { type: 'string' },
  sides: { type: 'string' },
  'cache-mib': { type: 'string', default: '256' },
  growth: { type: 'boolean', default: false },
  'keys-max': { type: 'string', default: '1000000' },
  memory: { type: 'boolean', default: false },
  data: { type: 'string' },
  keep: { type: 'boolean', default: false },
  json: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

function integer(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw new UsageError(`--${name}: expected an integer from ${min} to ${max}, got ${text}`)
}

function list<T>(name: string, text: string, find: (word: string) => T | undefined): T[] {
  return text.split(',').map((word) => {
    const found = find(word.trim())
    if (found === undefined) throw new UsageError(`--${name}: there is no ${word}; see --help`)
    return found
  })
}

function keyCounts(isGrowth: boolean, keys: number, keysMax: number): number[] {
  if (!isGrowth) return [keys]
  const counts: number[] = []
  for (let count = 10_000; count <= keysMax; count *= 10) counts.push(count)
  return counts
}

type Parsed = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>

function parse(words: readonly string[]): Parsed {
  try {
    return parseArgs({ args: [...words], options: OPTIONS, strict: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** @throws {UsageError} */
export function readArguments(words: readonly string[]): Arguments {
  const { values } = parse(words)
  const findSide = (word: string): SideName | undefined => SIDE_NAMES.find((name) => name === word)
  const keys = integer('keys', values.keys, 1000, 100_000_000)
  const keysMax = integer('keys-max', values['keys-max'], 10_000, 10_000_000)
  const { lookups, cases, sides, data, json, growth } = values
  return {
    keyCounts: keyCounts(growth, keys, keysMax),
    lookups: lookups === undefined ? undefined : integer('lookups', lookups, 100, 10_000_000),
    commits: integer('commits', values.commits, 10, 1_000_000),
    rounds: integer('rounds', values.rounds, 1, 1000),
    seed: integer('seed', values.seed, 0, 2 ** 52),
    cases: cases === undefined ? CASES : list('cases', cases, findCase),
    sides: sides === undefined ? SIDE_NAMES : list('sides', sides, findSide),
    cacheBytes: integer('cache-mib', values['cache-mib'], 1, 1 << 20) * MIB,
    isGrowth: growth,
    isMemory: values.memory,
    data,
    keep: values.keep,
    json,
    wanted: values.help ? 'help' : values.list ? 'list' : 'run',
  }
}
