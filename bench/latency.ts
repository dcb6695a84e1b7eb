/**
 * How long revbolt's commits take while other things happen: see README.md, or --help.
 *
 * Exit status: 0 all ran, whatever was reached; 1 something failed; 2 wrong usage.
 */

import { integer, parse, runCommand } from './commit-arguments.ts'
import { makeCommitRecord, writeCommitParts } from './commit-record.ts'
import { formatCommitRecord } from './commit-tables.ts'
import { DiskFolder } from './disk-folder.ts'
import type { LatencyAnswer, LatencyCommand, LatencySample } from './latency-protocol.ts'
import { describeOccasion } from './machine.ts'
import { askOnce, nodeProgram } from './one-shot.ts'

const USAGE = `Usage: npm run latency -- [options]

How long a commit takes, and how late the event loop is: quiet, beside password hashes, during
checkpoints, and on a disk whose syncs take 20 ms. Some two minutes.

  --rounds N        rounds, each in a process and files of its own (default 3)
  --ms N            how long each case runs in a round (default 5000)
  --checkpoints N   checkpoints in a round, after 64 MiB of log each (default 2)
  --directory DIR   where files go, on a disk (default: the system's temporary directory)
  --json FILE       write the record, or its part of one that is there
  --help            this text
`

const OPTIONS = {
  rounds: { type: 'string', default: '3' },
  ms: { type: 'string', default: '5000' },
  checkpoints: { type: 'string', default: '2' },
  directory: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

await runCommand(USAGE, async () => {
  const values = parse(OPTIONS)
  if (values.help) return console.log(USAGE)
  const rounds = integer('rounds', values.rounds, 1000)
  const durationMs = integer('ms', values.ms, 3_600_000)
  const checkpoints = integer('checkpoints', values.checkpoints, 1000)
  using folder = new DiskFolder(values.directory)
  const occasion = describeOccasion(folder.path, false)
  const samples: LatencySample[] = []
  for (let round = 0; round < rounds; round++) {
    const command: LatencyCommand = { path: folder.fresh('run'), durationMs, checkpoints }
    const program = nodeProgram('latency-worker.ts')
    const answer = await askOnce<LatencyCommand, LatencyAnswer>(program, command, 'latency')
    samples.push(...answer.samples)
    folder.remove('run')
    process.stderr.write(`round ${round + 1} of ${rounds}\n`)
  }
  const latency = { ...occasion, rounds, samples }
  if (values.json !== undefined) writeCommitParts(values.json, { latency })
  console.log(formatCommitRecord(makeCommitRecord({ latency })))
})
