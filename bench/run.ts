/**
 * Runs the benchmarks: see README.md beside it, or --help.
 *
 * Exit status: 0 all ran; 1 something failed, or the sides read different bytes; 2 wrong usage.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Arguments, USAGE, UsageError, readArguments } from './arguments.ts'
import { CASES, type Case, GROWTH_SIDES } from './cases.ts'
import { Dataset } from './dataset.ts'
import { currentCommit, describeMachine, fileSystemOf, readVersions } from './machine.ts'
import { measureMemory } from './memory.ts'
import { type CaseRecord, makeRecord, writeRecord } from './record.ts'
import { EXTRA_PER_ROUND, type Setting, removeFile, runCase } from './rounds.ts'
import { formatRecord } from './tables.ts'

const GIB = 1024 ** 3
/** More than any file here takes for a key, stale versions included. */
const BYTES_A_KEY = 2048
const LOOKUPS_MIN = 200_000
const LOOKUPS_MAX = 1_000_000

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

function settingOf(options: Arguments, folder: string, keyCount: number): Setting {
  const { rounds, commits, seed, cacheBytes } = options
  // As the file grows, only the file may: with fewer lookups a side is colder, too.
  const usual = options.isGrowth
    ? LOOKUPS_MAX
    : Math.min(Math.max(keyCount, LOOKUPS_MIN), LOOKUPS_MAX)
  const dataset = new Dataset({
    folder,
    seed,
    keyCount,
    lookupCount: options.lookups ?? usual,
    commitCount: rounds * commits,
    extraCount: rounds * EXTRA_PER_ROUND,
  })
  const sideOptions = { cacheBytes, mapBytes: 4 * GIB + keyCount * BYTES_A_KEY }
  const sides = options.isGrowth
    ? GROWTH_SIDES.filter((side) => options.sides.includes(side))
    : options.sides
  return { folder, dataset, rounds, commits, sideOptions, sides, say }
}

/** The cases at one key count; cases that want a smaller file are left for it. */
async function measureAt(
  setting: Setting,
  cases: readonly Case[],
  keep: boolean,
): Promise<CaseRecord[]> {
  const records: CaseRecord[] = []
  for (const one of cases) {
    const record = await runCase(one, setting)
    if (record !== undefined) records.push(record)
  }
  if (!keep) {
    for (const side of setting.sides) {
      removeFile(join(setting.folder, `${side}-${setting.dataset.keyCount}.db`))
    }
  }
  return records
}

async function measure(options: Arguments, folder: string): Promise<CaseRecord[]> {
  const { isGrowth, keep } = options
  const steps = options.keyCounts.flatMap((keyCount) => {
    if (isGrowth) return [{ keyCount, cases: options.cases.filter((one) => one.grows) }]
    // One step for each size of file, so that each file is made once.
    const sizeFor = (one: Case): number => Math.min(keyCount, one.fileKeysMax ?? keyCount)
    return [...new Set(options.cases.map(sizeFor))].map((size) => ({
      keyCount: size,
      cases: options.cases.filter((one) => sizeFor(one) === size),
    }))
  })
  const records: CaseRecord[] = []
  for (const { keyCount, cases } of steps) {
    records.push(...(await measureAt(settingOf(options, folder, keyCount), cases, keep)))
  }
  return records
}

async function run(options: Arguments, folder: string): Promise<void> {
  const fileSystem = fileSystemOf(folder)
  if (fileSystem === 'tmpfs' || fileSystem === 'ramfs') {
    say(`warning: ${folder} lies in memory (${fileSystem}): durable cases mean nothing there`)
  }
  const withGo = options.sides.includes('bbolt')
  const startedAt = new Date().toISOString()
  const versions = readVersions(withGo)
  const isOnlyMemory = options.isMemory && !options.isGrowth
  const cases = isOnlyMemory ? [] : await measure(options, folder)
  const record = makeRecord({
    startedAt,
    commit: currentCommit(),
    machine: describeMachine(folder),
    versions,
    seed: options.seed,
    rounds: options.rounds,
    cases,
    ...(options.isMemory ? { memory: await measureMemory(folder, say) } : {}),
  })
  if (options.json !== undefined) writeRecord(options.json, record)
  console.log(formatRecord(record))
}

async function main(): Promise<void> {
  const options = readArguments(process.argv.slice(2))
  if (options.wanted === 'help') return console.log(USAGE)
  if (options.wanted === 'list') {
    for (const one of CASES) console.log(`${one.name.padEnd(20)} ${one.what}`)
    return
  }
  const isOwn = options.data === undefined
  const parent = isOwn ? mkdtempSync(join(tmpdir(), 'revbolt-bench-')) : resolve(options.data)
  // A folder of our own in theirs: what is removed at the end is ours.
  const folder = join(parent, 'revbolt-bench')
  mkdirSync(folder, { recursive: true })
  try {
    await run(options, folder)
  } finally {
    if (!options.keep) rmSync(isOwn ? parent : folder, { recursive: true, force: true })
  }
}

try {
  await main()
} catch (error) {
  const isUsage = error instanceof UsageError
  console.error(isUsage ? `${error.message}\n\n${USAGE}` : error)
  process.exitCode = isUsage ? 2 : 1
}
