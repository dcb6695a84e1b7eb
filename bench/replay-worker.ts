/**
 * Writes, opens or reads a store for `npm run replay`: reads a command on standard input and
 * answers on standard output. See replay-protocol.ts.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type * as randomModule from '../base/random.ts'
import type * as realDiskModule from '../disk/real-disk.ts'
import type * as libraryModule from '../index.ts'
import type * as restoreModule from '../mvcc/restore.ts'
import type * as databaseModule from '../snapshot/database.ts'
import type * as identityModule from '../wal/identity.ts'
import type * as replayModule from '../wal/replay.ts'
import type * as segmentsModule from '../wal/segment-files.ts'
import { loadBuilt } from './library.ts'
import type { ReplayAnswer, ReplayCommand } from './replay-protocol.ts'

const VALUE_SIZE = 100
/** Puts that block, between two turns in which the log gets its next segment. */
const PUTS_A_TURN = 100
/** The store pauses as often. */
const PAUSE_MS = 5

function options({ cacheBytes }: ReplayCommand): libraryModule.BuiltOpenOptions<'bytes'> {
  return {
    encoding: 'bytes',
    cacheBytes,
    checkpointBytes: Number.MAX_SAFE_INTEGER,
    // Faster to write; it makes no difference to the log.
    sync: 'os',
  }
}

async function write(command: ReplayCommand): Promise<ReplayAnswer> {
  const { open } = await loadBuilt<typeof libraryModule>('index.js')
  const store = await open(command.path, options(command))
  const value = randomBytes(VALUE_SIZE)
  for (let count = 0; count < command.records; count++) {
    store.putSync(randomBytes(16), value)
    if (count % PUTS_A_TURN === 0) await nextTurn()
  }
  return { records: command.records }
}

async function open(command: ReplayCommand): Promise<ReplayAnswer> {
  const library = await loadBuilt<typeof libraryModule>('index.js')
  const start = performance.now()
  const store = await library.open(command.path, options(command))
  return { openMs: performance.now() - start, records: store.recovery.replayedCommits }
}

async function read(command: ReplayCommand): Promise<ReplayAnswer> {
  const { RealDisk } = await loadBuilt<typeof realDiskModule>('disk/real-disk.js')
  const { newestHeader } = await loadBuilt<typeof identityModule>('wal/identity.js')
  const { findLog, readGroups } = await loadBuilt<typeof replayModule>('wal/replay.js')
  const { findSegments } = await loadBuilt<typeof segmentsModule>('wal/segment-files.js')
  const disk = new RealDisk()
  const directory = join(command.path, 'wal')
  const header = newestHeader(disk, directory)
  const [oldest] = findSegments(disk, directory)
  if (header === undefined || oldest === undefined) throw new Error(`${directory}: no log is there`)
  const start = performance.now()
  const wanted = { disk, directory, logId: header.logId, fromTxid: oldest.firstTxid - 1 }
  const found = findLog(wanted)
  if (found === undefined) throw new Error(`${directory}: no log is there`)
  let records = 0
  for (const group of readGroups(wanted, found)) records += group.entries.length
  const readMs = performance.now() - start
  const before = found.segments.slice(0, -1)
  const logBytes = before.reduce((sum, { path }) => sum + statSync(path).size, found.end.offset)
  return { readMs, records, logBytes }
}

/** Lets others run every few milliseconds, as the store does. */
function pacer(): () => Promise<void> {
  let last = performance.now()
  return async () => {
    if (performance.now() - last < PAUSE_MS) return
    await nextTurn()
    last = performance.now()
  }
}

async function split(command: ReplayCommand): Promise<ReplayAnswer> {
  const { RealDisk } = await loadBuilt<typeof realDiskModule>('disk/real-disk.js')
  const { Random } = await loadBuilt<typeof randomModule>('base/random.js')
  const { openDatabase } = await loadBuilt<typeof databaseModule>('snapshot/database.js')
  const { restore } = await loadBuilt<typeof restoreModule>('mvcc/restore.js')
  const { path, cacheBytes } = command
  const pause = pacer()
  const start = performance.now()
  const database = await openDatabase({
    disk: new RealDisk(),
    path: join(path, 'db'),
    logDirectory: join(path, 'wal'),
    engine: { cacheBytes },
    log: { syncMode: 'os', random: new Random(1) },
    limits: { logBytes: Number.MAX_SAFE_INTEGER, dirtyBytes: cacheBytes / 2 },
    prepare: () => Promise.reject(new Error(`${path}: no store is there`)),
    pause,
  })
  const opened = performance.now()
  const tx = database.engine.beginNow({ writable: false })
  await restore(tx, { file: database.engine.path, pause })
  return {
    records: database.report.replayedCommits,
    databaseMs: opened - start,
    indexMs: performance.now() - opened,
  }
}

const OPERATIONS = { write, open, read, split } as const

const command = JSON.parse(readFileSync(0, 'utf8')) as ReplayCommand
let answer: ReplayAnswer
try {
  answer = await OPERATIONS[command.op](command)
} catch (error) {
  answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
writeSync(1, `${JSON.stringify(answer)}\n`)
process.kill(process.pid, 'SIGKILL')
