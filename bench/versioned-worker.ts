/** Runs one case of `npm run versioned`: reads a command, answers, and ends. */

import { mkdirSync, readFileSync } from 'node:fs'
import { runFlat } from './versioned/flat.ts'
import { runLeases, runLoop } from './versioned/loop.ts'
import { runEmpty, runMemory } from './versioned/memory.ts'
import { runModel } from './versioned/model.ts'
import { runRanges } from './versioned/ranges.ts'
import { runReads } from './versioned/reads.ts'
import { runWatches } from './versioned/watches.ts'
import type {
  RunCase,
  VersionedAnswer,
  VersionedCase,
  VersionedCommand,
} from './versioned-protocol.ts'

const CASES: Readonly<Record<VersionedCase, RunCase>> = {
  reads: runReads,
  ranges: runRanges,
  memory: runMemory,
  empty: runEmpty,
  loop: runLoop,
  leases: runLeases,
  watches: runWatches,
  model: runModel,
  flat: runFlat,
}

const command = JSON.parse(readFileSync(0, 'utf8')) as VersionedCommand
let answer: VersionedAnswer
try {
  mkdirSync(command.path, { recursive: true })
  answer = { figures: await CASES[command.name](command) }
} catch (error) {
  answer = { figures: [], error: error instanceof Error ? String(error.stack) : String(error) }
}
process.stdout.write(`${JSON.stringify(answer)}\n`)
