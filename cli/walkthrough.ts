/**
 * The whole run behind `npm start`: load a history, look at it, close, reopen, check.
 *
 * It opens the store as any program would, through the package's public door. When it returns,
 * the store is closed and a temporary directory is gone, however it ended.
 */
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { open } from '../index.ts'
import type { CheckReport } from '../engine/index.ts'
import { openEngine } from '../engine/index.ts'
import type { StartArguments } from './arguments.ts'
import { timeCommits } from './commit-rates.ts'
import type { DataDirectory } from './data-directory.ts'
import { makeDataDirectory, removeDataDirectory } from './data-directory.ts'
import { COMMIT_PREFIX, FILE_PREFIX } from './layout.ts'
import type { HistoryStore, LoadResult } from './load.ts'
import { LOAD_LIMITS, loadHistory } from './load.ts'
import { Progress } from './progress.ts'
import type { Measures } from './report.ts'
import {
  VERSIONS_SHOWN,
  reportChanges,
  reportCommits,
  reportFile,
  reportLoad,
  reportMeasures,
  reportSource,
} from './report.ts'
import type { Screen } from './screen.ts'
import type { Source } from './source.ts'
import { findHome, openSource } from './source.ts'
import { newestCommit } from './timeline.ts'
import type { FileTour } from './tour.ts'
import { timeReads, tourChanges, tourFile } from './tour.ts'

export interface Setting {
  /** Where the result goes. */
  readonly screen: Screen
  /** Where progress goes. */
  readonly progressScreen: Screen
  /** What relative paths are relative to. */
  readonly directory: string
  readonly signal: AbortSignal
  /** The package's own directory. Default: found from this file. */
  readonly home?: string
}

/** The store is not as it should be. */
export class WalkthroughError extends Error {
  override readonly name: string = 'WalkthroughError'
}

/** Runs it all and prints it. Throws where anything is not as it should be. */
export async function walkThrough(args: StartArguments, setting: Setting): Promise<void> {
  const { directory } = setting
  const source = await openSource({
    repository: args.repository === undefined ? undefined : resolve(directory, args.repository),
    commitsMax: args.commitsMax,
    home: setting.home ?? findHome(),
  })
  const data = await makeDataDirectory(
    args.dataPath === undefined ? undefined : resolve(directory, args.dataPath),
  )
  const isKept = args.keep || !data.isTemporary
  try {
    await run(setting, { source, data, isKept })
  } finally {
    if (!isKept) await removeDataDirectory(data)
  }
}

interface Plan {
  readonly source: Source
  readonly data: DataDirectory
  readonly isKept: boolean
}

function openStore(path: string): Promise<HistoryStore> {
  return open(path, { encoding: 'bytes', ...LOAD_LIMITS })
}

async function run(setting: Setting, plan: Plan): Promise<void> {
  const { screen } = setting
  const { path } = plan.data
  const { before, file } = await loadAndTour(setting, plan)
  const reopenMs = await reopen(path, { revision: before.revision, load: before.load, file })
  setting.signal.throwIfAborted()
  const check = await checkFile(path, setting)
  const { size } = await stat(join(path, 'db'))
  const peakBytes = process.resourceUsage().maxRSS * 1024
  reportMeasures(screen, { ...before, sizeBytes: size, reopenMs, check, peakBytes })
  reportCommits(screen, await timeCommits(setting.signal))
  if (plan.isKept) screen.print(`\nThe store is kept in ${path}`)
}

interface FirstLook {
  readonly before: Omit<Measures, 'reopenMs' | 'check' | 'peakBytes'>
  readonly file: FileTour | undefined
}

/** What is done with the store before it is closed for the first time. */
async function loadAndTour(setting: Setting, plan: Plan): Promise<FirstLook> {
  const { screen, signal } = setting
  const { source, data, isKept } = plan
  const db = await openStore(data.path)
  try {
    const { version } = await db.status()
    reportSource(screen, { version, source, dataPath: data.path, isKept })
    const load = await loadWithProgress(db, setting, source)
    reportLoad(screen, load)
    const file = await tourFile(db, VERSIONS_SHOWN)
    if (file !== undefined) reportFile(screen, file)
    signal.throwIfAborted()
    const changes = await tourChanges(db, file?.key)
    if (changes !== undefined) reportChanges(screen, changes)
    signal.throwIfAborted()
    return { before: await measure(db, load), file }
  } finally {
    await db.close()
  }
}

async function loadWithProgress(
  db: HistoryStore,
  setting: Setting,
  source: Source,
): Promise<LoadResult> {
  const progress = new Progress(setting.progressScreen, {
    total: source.history.commitCount,
    noun: 'commits',
    now: () => performance.now(),
  })
  try {
    return await loadHistory(db, source.history, {
      onProgress: (commits) => progress.update(commits),
      signal: setting.signal,
    })
  } finally {
    progress.clear()
  }
}

async function measure(
  db: HistoryStore,
  load: LoadResult,
): Promise<Omit<Measures, 'reopenMs' | 'check' | 'peakBytes'>> {
  const readsNow = await timeReads(db, 'now')
  const readsPast = await timeReads(db, 'past')
  const { count } = await db.range({ prefix: FILE_PREFIX, countOnly: true })
  const { revision, sizeBytes, sizeInUseBytes } = await db.status()
  if (revision - 1 !== load.transactions) {
    throw new WalkthroughError(`${load.transactions} transactions made ${revision - 1} revisions`)
  }
  return { load, revision, files: count, sizeBytes, sizeInUseBytes, readsNow, readsPast }
}

/**
 * Opens the store again, and compares with what it was before. How long the opening took, in ms.
 */
async function reopen(
  path: string,
  expected: {
    readonly revision: number
    readonly load: LoadResult
    readonly file: FileTour | undefined
  },
): Promise<number> {
  const startedMs = performance.now()
  const db = await openStore(path)
  try {
    const elapsedMs = performance.now() - startedMs
    const { revision } = await db.status()
    const { count } = await db.range({ prefix: COMMIT_PREFIX, countOnly: true })
    const head = await newestCommit(db)
    if (revision !== expected.revision || count !== expected.load.commits) {
      throw new WalkthroughError(
        `after reopening there are ${count} commits at revision ${revision}; ` +
          `there were ${expected.load.commits} at ${expected.revision}`,
      )
    }
    if ((head?.number ?? 0) !== count) throw new WalkthroughError('a commit is missing')
    if (expected.file !== undefined) await mustReadTheSame(db, expected.file)
    return elapsedMs
  } finally {
    await db.close()
  }
}

async function mustReadTheSame(db: HistoryStore, file: FileTour): Promise<void> {
  const now = await db.get(file.key)
  const then = await db.get(file.key, { revision: file.past.commit.revision })
  const isSame =
    now !== undefined &&
    then !== undefined &&
    Buffer.compare(now.value, file.present) === 0 &&
    Buffer.compare(then.value, file.past.content) === 0
  if (!isSame) throw new WalkthroughError(`after reopening ${file.path} reads otherwise`)
}

async function checkFile(path: string, setting: Setting): Promise<Measures['check']> {
  const startedMs = performance.now()
  const engine = await openEngine(join(path, 'db'), { readOnly: true })
  let report: CheckReport
  try {
    report = await engine.checkAsync({ signal: setting.signal })
  } finally {
    await engine.close()
  }
  if (!report.isClean) {
    const first = report.findings[0]?.message ?? 'no details'
    const count = report.findings.length + report.findingsOmitted
    throw new WalkthroughError(`the check found damage in ${count} places; the first: ${first}`)
  }
  return { pages: report.highWaterMark, keys: report.keys, ms: performance.now() - startedMs }
}
