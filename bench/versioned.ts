/**
 * What revbolt's versioned store costs and holds: see README.md, or --help.
 *
 * Exit status: 0 all ran, whatever was reached; 1 something failed; 2 wrong usage.
 */

import { chosen, integer, parse, runCommand } from './commit-arguments.ts'
import { DiskFolder } from './disk-folder.ts'
import { describeOccasion } from './machine.ts'
import { askOnce, nodeProgram } from './one-shot.ts'
import { VERSIONED_CASES } from './versioned-protocol.ts'
import type { Figure, VersionedAnswer, VersionedCommand } from './versioned-protocol.ts'
import { formatPart, writeVersionedParts } from './versioned-record.ts'
import type { VersionedPart } from './versioned-record.ts'

const USAGE = `Usage: npm run versioned -- [options]

Reads, ranges, memory, opening, the event loop beside long jobs, leases, watches, what etcd's
third version claims over its second, and a file that must stay flat. Half an hour a round.

  --cases a,b       of ${VERSIONED_CASES.join(', ')} (default: all)
  --rounds N        rounds, each case in a process and files of its own (default 3)
  --percent N       sizes, in percent of a million keys (default 100)
  --directory DIR   where files go, on a disk (default: the system's temporary directory)
  --json FILE       write the record, or its cases of one that is there
  --help            this text
`

const OPTIONS = {
  cases: { type: 'string' },
  rounds: { type: 'string', default: '3' },
  percent: { type: 'string', default: '100' },
  directory: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

await runCommand(USAGE, async () => {
  const values = parse(OPTIONS)
  if (values.help) return console.log(USAGE)
  const wanted = chosen('cases', values.cases, VERSIONED_CASES)
  const rounds = integer('rounds', values.rounds, 1000)
  const scale = integer('percent', values.percent, 10_000) / 100
  using folder = new DiskFolder(values.directory)
  const occasion = describeOccasion(folder.path, false)
  for (const name of VERSIONED_CASES) {
    if (!wanted.has(name)) continue
    const measured: (readonly Figure[])[] = []
    for (let round = 0; round < rounds; round++) {
      const command: VersionedCommand = { name, path: folder.fresh(name), scale }
      const program = nodeProgram('versioned-worker.ts')
      const { figures } = await askOnce<VersionedCommand, VersionedAnswer>(program, command, name)
      measured.push(figures)
      folder.remove(name)
      process.stderr.write(`${name}: round ${round + 1} of ${rounds}\n`)
    }
    const part: VersionedPart = { ...occasion, scale, rounds: measured }
    if (values.json !== undefined) writeVersionedParts(values.json, { [name]: part })
    console.log(formatPart(name, part))
  }
})
