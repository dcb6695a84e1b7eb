/**
 * How fast a store is opened whose log holds a million commits: see README.md, or --help.
 *
 * Exit status: 0 all ran, whatever was reached; 1 something failed; 2 wrong usage.
 */

import { join } from 'node:path'
import { integer, parse, runCommand } from './commit-arguments.ts'
import { makeCommitRecord, writeCommitParts } from './commit-record.ts'
import { formatCommitRecord } from './commit-tables.ts'
import { DiskFolder } from './disk-folder.ts'
import { describeOccasion } from './machine.ts'
import { askOnce, nodeProgram } from './one-shot.ts'
import type {
  ReplayAnswer,
  ReplayCommand,
  ReplayOperation,
  ReplaySample,
} from './replay-protocol.ts'

const USAGE = `Usage: npm run replay -- [options]

Opens a store whose log holds commits of one put that the data file lacks. Some five minutes, 1 GB
of disk and 4 GB of memory.

  --records N       commits in the log (default 1000000)
  --rounds N        openings (default 3)
  --cache-mib N     memory for pages; all that is done again must find room (default 4096)
  --directory DIR   where files go, on a disk (default: the system's temporary directory)
  --json FILE       write the record, or its part of one that is there
  --help            this text
`

const OPTIONS = {
  records: { type: 'string', default: '1000000' },
  rounds: { type: 'string', default: '3' },
  'cache-mib': { type: 'string', default: '4096' },
  directory: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

const MIB = 1024 * 1024

class Replays {
  readonly #command: Omit<ReplayCommand, 'op'>
  #logBytes = 0

  constructor(command: Omit<ReplayCommand, 'op'>) {
    this.#command = command
  }

  async #ask(op: ReplayOperation): Promise<ReplayAnswer> {
    const command: ReplayCommand = { ...this.#command, op }
    const program = nodeProgram('replay-worker.ts')
    return await askOnce<ReplayCommand, ReplayAnswer>(program, command, `replay, ${op}`)
  }

  async #number(op: ReplayOperation, ...names: (keyof ReplaySample)[]): Promise<number[]> {
    const answer = await this.#ask(op)
    const { records } = this.#command
    if (answer.records !== records) {
      throw new Error(`replay, ${op}: there are ${answer.records} commits, ${records} were made`)
    }
    return names.map((name) => answer[name] ?? Number.NaN)
  }

  async write(): Promise<void> {
    await this.#number('write')
    // Before anything is written again: then a segment may end before it is full.
    const [logBytes = 0] = await this.#number('read', 'logBytes')
    this.#logBytes = logBytes
    // What may be in the page cache only is written again once; the openings measured find it done.
    await this.#number('open')
  }

  async sample(): Promise<ReplaySample> {
    const [openMs = 0] = await this.#number('open', 'openMs')
    const [readMs = 0] = await this.#number('read', 'readMs')
    const [databaseMs = 0, indexMs = 0] = await this.#number('split', 'databaseMs', 'indexMs')
    const logBytes = this.#logBytes
    return { records: this.#command.records, logBytes, openMs, readMs, databaseMs, indexMs }
  }
}

await runCommand(USAGE, async () => {
  const values = parse(OPTIONS)
  if (values.help) return console.log(USAGE)
  const records = integer('records', values.records, 100_000_000)
  const rounds = integer('rounds', values.rounds, 1000)
  const cacheBytes = integer('cache-mib', values['cache-mib'], 1 << 20) * MIB
  using folder = new DiskFolder(values.directory)
  const occasion = describeOccasion(folder.path, false)
  const replays = new Replays({ path: join(folder.path, 'store'), records, cacheBytes })
  process.stderr.write(`writing ${records} commits\n`)
  await replays.write()
  const samples: ReplaySample[] = []
  for (let round = 0; round < rounds; round++) {
    samples.push(await replays.sample())
    process.stderr.write(`round ${round + 1} of ${rounds}\n`)
  }
  const replay = { ...occasion, rounds, samples }
  if (values.json !== undefined) writeCommitParts(values.json, { replay })
  console.log(formatCommitRecord(makeCommitRecord({ replay })))
})
