/**
 * Durable commits side by side: see README.md, or --help.
 *
 * Exit status: 0 all ran, whatever was reached; 1 something failed; 2 wrong usage.
 */

import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError, chosen, integer, parse, runCommand } from './commit-arguments.ts'
import {
  COMMIT_CASES,
  COMMIT_SIDES,
  type CommitAnswer,
  type CommitCase,
  type CommitCommand,
  MARK_BEGIN,
  MARK_END,
} from './commit-protocol.ts'
import type { CommitCaseRecord, CommitsPart, CountedSyncs } from './commit-record.ts'
import { makeCommitRecord, writeCommitParts } from './commit-record.ts'
import { formatCommitRecord } from './commit-tables.ts'
import { DiskFolder } from './disk-folder.ts'
import { buildProgram } from './go-build.ts'
import { describeOccasion } from './machine.ts'
import { type Program, askOnce, nodeProgram } from './one-shot.ts'
import { countSyncs, tracing } from './sync-count.ts'

const USAGE = `Usage: npm run commits -- [options]

Durable commits of one put through revbolt and its peers, in interleaved rounds, and the syncs of
each. Some twelve minutes.

  --rounds N        rounds, each side once in each (default 5)
  --ms N            how long a side runs in a round (default 1000)
  --keys N          keys that are there before (default 100000)
  --sides A,B       only these: ${COMMIT_SIDES.join(', ')}
  --callers A,B     only so many commits at once: 1, 64, 1000
  --no-syncs        without the counting pass, which needs strace
  --directory DIR   where files go, on a disk (default: the system's temporary directory)
  --json FILE       write the record, or its part of one that is there
  --help            this text
`
const MIB = 1024 * 1024
/**
 * Commits before those that are timed. V8 makes good code of what has run some thousand times, and
 * our log's segments grow up to their full length: what is measured is a program that has run for a
 * while. Few at once take long.
 */
const WARM_UP_ONE = 4000
const WARM_UP_MANY = 30_000
/** Where syncs are traced, everything takes long. */
const TRACED_WARM_UP = 100
const TRACED_KEYS = 10_000
const SETTLE_MS = 4000

interface Options {
  readonly rounds: number
  readonly durationMs: number
  readonly keyCount: number
  readonly cases: readonly CommitCase[]
  readonly countsSyncs: boolean
  readonly directory: string | undefined
  readonly json: string | undefined
}

const OPTIONS = {
  rounds: { type: 'string', default: '5' },
  ms: { type: 'string', default: '1000' },
  keys: { type: 'string', default: '100000' },
  sides: { type: 'string' },
  callers: { type: 'string' },
  'no-syncs': { type: 'boolean', default: false },
  directory: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

function readOptions(): Options | 'help' {
  const values = parse(OPTIONS)
  if (values.help) return 'help'
  const sides = chosen('sides', values.sides, COMMIT_SIDES)
  const callers = chosen('callers', values.callers, ['1', '64', '1000'])
  const cases = COMMIT_CASES.filter(
    (one) => sides.has(one.side) && callers.has(String(one.callers)),
  )
  if (cases.length === 0) throw new UsageError('--sides: none of them has so many commits at once')
  return {
    rounds: integer('rounds', values.rounds, 1000),
    durationMs: integer('ms', values.ms, 3_600_000),
    keyCount: integer('keys', values.keys, 1_000_000, 0),
    cases,
    countsSyncs: !values['no-syncs'],
    directory: values.directory,
    json: values.json,
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

function nameOf({ side, callers }: CommitCase): string {
  return `${side} ${callers}`
}

class Runner {
  readonly #options: Options
  readonly #folder: DiskFolder
  /** Built before anything is timed. */
  readonly #bbolt: string | undefined

  constructor(options: Options, folder: DiskFolder) {
    this.#options = options
    this.#folder = folder
    const withBbolt = options.cases.some(({ side }) => side === 'bbolt')
    this.#bbolt = withBbolt ? buildProgram() : undefined
  }

  async run(): Promise<CommitCaseRecord[]> {
    const { cases, rounds } = this.#options
    const samples = new Map(cases.map((one) => [one, [] as CommitAnswer[]]))
    for (let round = 0; round < rounds; round++) {
      for (const one of rotated(cases, round)) {
        const sample = await this.#measure(one)
        samples.get(one)?.push(sample)
        const rate = (sample.count * 1e9) / sample.ns
        say(`round ${round + 1}, ${nameOf(one)}: ${rate.toFixed(0)} a second`)
      }
    }
    const records: CommitCaseRecord[] = []
    for (const one of cases) {
      const counted = this.#options.countsSyncs ? await this.#count(one) : undefined
      records.push({
        ...one,
        samples: samples.get(one) ?? [],
        ...(counted === undefined ? {} : { counted }),
      })
    }
    return records
  }

  async #measure(one: CommitCase, before: Program = []): Promise<CommitAnswer> {
    const { durationMs } = this.#options
    const { side, callers } = one
    const isTraced = before.length > 0
    const warmUp = callers === 1 ? WARM_UP_ONE : WARM_UP_MANY
    const keyCount = Math.min(this.#options.keyCount, isTraced ? TRACED_KEYS : Infinity)
    const command: CommitCommand = {
      op: 'commits',
      side,
      callers,
      path: this.#folder.fresh('run'),
      keyCount,
      warmUp: isTraced ? Math.max(TRACED_WARM_UP, callers) : warmUp,
      settleMs: SETTLE_MS,
      durationMs,
      cacheBytes: 256 * MIB,
      mapBytes: 4096 * MIB,
    }
    const program = side === 'bbolt' ? [this.#bbolt ?? ''] : nodeProgram('commit-worker.ts')
    try {
      return await askOnce([...before, ...program], command, nameOf(one))
    } finally {
      this.#folder.remove('run')
    }
  }

  async #count(one: CommitCase): Promise<CountedSyncs | undefined> {
    const path = join(this.#folder.path, 'trace')
    const before = tracing(path)
    if (before === undefined) {
      say(`${nameOf(one)}: syncs are not counted, strace(1) is missing or may not trace`)
      return undefined
    }
    const answer = await this.#measure(one, before)
    const marks = { begin: MARK_BEGIN, end: MARK_END }
    const syncs = countSyncs(readFileSync(path, 'utf8'), marks)
    rmSync(path)
    say(`${nameOf(one)}: ${JSON.stringify(syncs)} for ${answer.count} commits`)
    return { commits: answer.count, syncs }
  }
}

function rotated<T>(items: readonly T[], round: number): T[] {
  const first = round % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

async function main(): Promise<void> {
  const options = readOptions()
  if (options === 'help') return console.log(USAGE)
  using folder = new DiskFolder(options.directory)
  const withBbolt = options.cases.some(({ side }) => side === 'bbolt')
  const occasion = describeOccasion(folder.path, withBbolt)
  const { rounds, durationMs, keyCount } = options
  const commits: CommitsPart = {
    ...occasion,
    rounds,
    durationMs,
    keyCount,
    cases: await new Runner(options, folder).run(),
  }
  if (options.json !== undefined) writeCommitParts(options.json, { commits })
  console.log(formatCommitRecord(makeCommitRecord({ commits })))
}

await runCommand(USAGE, main)
