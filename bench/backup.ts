/**
 * What a backup costs, beside what others take for the same data: see README.md, or --help.
 *
 * Exit status: 0 all ran, whatever was reached; 1 something failed; 2 wrong usage.
 */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fsyncSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type * as door from '../index.ts'
import { integer, parse, runCommand } from './commit-arguments.ts'
import { DiskFolder } from './disk-folder.ts'
import { loadBuilt } from './library.ts'
import { LoopGaps } from './loop-gaps.ts'
import { summarize } from './statistics.ts'

const USAGE = `Usage: npm run backup -- [options]

Backups of one store, etcdctl's snapshot of the same data, sqlite3's .backup of the same keys and
values, and the disk's own copy of the file, by turns; then the throughput of 64 callers without a
backup and beside one, and what a backup takes of memory and of the event loop. etcd and sqlite3
where they are found.

  --rows N          rows (default 200000)
  --rounds N        rounds (default 3)
  --directory DIR   where files go, on a disk (default: the system's temporary directory)
  --help            this text
`

const OPTIONS = {
  rows: { type: 'string', default: '200000' },
  rounds: { type: 'string', default: '3' },
  directory: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

type Door = typeof door
type Db = door.BuiltLocalStore

const MIB = 1024 * 1024
const VALUE = 'v'.repeat(200)
const AT_ONCE = 512
const CALLERS = 64
const LOAD_MS = 3000
const CACHE_BYTES = 16 * MIB
const ETCD = 'http://127.0.0.1:23791'
const PEER = 'http://127.0.0.1:23801'

async function fill(db: Db, rows: number): Promise<void> {
  for (let at = 0; at < rows; at += AT_ONCE) {
    const count = Math.min(AT_ONCE, rows - at)
    const puts = Array.from({ length: count }, (_, i) => db.put(`key-${at + i}`, VALUE))
    await Promise.all(puts)
  }
}

/** The same keys and values as sqlite3 keeps them. */
function fillSqlite(path: string, rows: number): void {
  const sql = `PRAGMA page_size=4096; CREATE TABLE kv (k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID;
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < ${rows - 1})
    INSERT INTO kv SELECT 'key-' || i, '${VALUE}' FROM n;`
  execFileSync('sqlite3', [path], { input: sql })
}

/** Reads and writes a file through, and syncs it: what the disk can do. */
function copyByHand(source: string, target: string): void {
  const [from, to] = [openSync(source, 'r'), openSync(target, 'wx')]
  const room = new Uint8Array(MIB)
  for (let got = readSync(from, room); got > 0; got = readSync(from, room)) {
    writeSync(to, room.subarray(0, got))
  }
  fsyncSync(to)
  closeSync(from)
  closeSync(to)
}

function has(program: string, word = '--help'): boolean {
  try {
    execFileSync(program, [word], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

async function withEtcd(folder: string, backup: string, work: () => Promise<void>): Promise<void> {
  const data = join(folder, 'etcd')
  const env = { ...process.env, ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: ETCD }
  const restore = ['snapshot', 'restore', backup, '--data-dir', data]
  execFileSync('etcdctl', restore, { env, stdio: 'ignore' })
  const urls = ['--listen-client-urls', ETCD, '--advertise-client-urls', ETCD]
  const peers = ['--listen-peer-urls', PEER]
  const server = spawn('etcd', ['--data-dir', data, ...urls, ...peers], { stdio: 'ignore' })
  const ended = once(server, 'close')
  try {
    const health = ['--command-timeout=60s', 'get', 'key-0']
    execFileSync('etcdctl', health, { env, stdio: 'ignore' })
    await work()
  } finally {
    server.kill('SIGTERM')
    await ended
  }
}

async function timed(work: () => unknown): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

/** Commits a second of callers that each put one key after another. */
async function throughput(db: Db, until: () => boolean): Promise<number> {
  let count = 0
  const began = performance.now()
  const caller = async (number: number): Promise<void> => {
    for (let i = 0; !until(); i++, count++) await db.put(`load-${number}-${i % 100}`, VALUE)
  }
  await Promise.all(Array.from({ length: CALLERS }, (_, number) => caller(number)))
  return (count * 1000) / (performance.now() - began)
}

/** Of one backup alone: memory above what there was, and how long the event loop was kept. */
async function closely(db: Db, folder: DiskFolder): Promise<string> {
  globalThis.gc?.()
  const before = process.memoryUsage()
  const peak = { ...before }
  const gaps = new LoopGaps()
  const timer = setInterval(() => {
    const now = process.memoryUsage()
    for (const name of ['rss', 'heapUsed', 'arrayBuffers'] as const) {
      peak[name] = Math.max(peak[name], now[name])
    }
  }, 5)
  await db.backup(join(folder.fresh('close'), 'file'))
  clearInterval(timer)
  gaps.stop()
  const more = (name: 'rss' | 'heapUsed' | 'arrayBuffers'): string =>
    ((peak[name] - before[name]) / MIB).toFixed(0)
  const managed = `${more('heapUsed')} of heap, ${more('arrayBuffers')} of buffers`
  const memory = `${more('rss')} MiB resident, ${managed}`
  const { p99Ms, maxMs } = gaps.summarize(() => true)
  const loop = `p99 ${p99Ms.toFixed(1)} ms, longest ${maxMs.toFixed(1)}`
  return `a backup alone adds at most ${memory}; event loop ${loop}`
}

async function besideLoad(db: Db, folder: DiskFolder, round: number): Promise<string> {
  const began = performance.now()
  const alone = await throughput(db, () => performance.now() - began > LOAD_MS)
  let isDone = false
  let copied = 0
  const path = join(folder.path, `loaded-${round}`)
  const backup = db.backup(path).then(({ copiedPages }) => {
    isDone = true
    copied = copiedPages
  })
  const beside = await throughput(db, () => isDone)
  await backup
  const share = (beside / alone).toFixed(2)
  const commits = `${alone.toFixed(0)} commits/s alone, ${beside.toFixed(0)} beside a backup`
  return `${commits}: ${share}; ${copied} pages copied on write`
}

await runCommand(USAGE, async () => {
  const values = parse(OPTIONS)
  if (values.help) return console.log(USAGE)
  const rows = integer('rows', values.rows, 100_000_000)
  const rounds = integer('rounds', values.rounds, 1000)
  const { open } = await loadBuilt<Door>('index.js')
  using folder = new DiskFolder(values.directory)
  const db = await open(join(folder.path, 'data'), { cacheBytes: CACHE_BYTES })
  await fill(db, rows)
  const first = join(folder.path, 'first')
  await db.backup(first)
  const sizeMib = statSync(first).size / MIB
  console.log(`${rows} rows, ${sizeMib.toFixed(0)} MiB, ${CACHE_BYTES / MIB} MiB of cache`)
  const sqlite = join(folder.path, 'sqlite')
  const sides: Record<string, (target: string) => unknown> = {
    revbolt: async (target) => await db.backup(target),
    'copy by hand': (target) => copyByHand(first, target),
  }
  if (has('sqlite3', '--version')) {
    fillSqlite(sqlite, rows)
    sides['sqlite3 .backup'] = (target) => {
      execFileSync('sqlite3', [sqlite, `.backup ${target}`])
      const fd = openSync(target, 'r')
      fsyncSync(fd)
      closeSync(fd)
    }
  }
  const env = { ...process.env, ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: ETCD }
  if (has('etcd') && has('etcdctl')) {
    sides['etcdctl snapshot save'] = (target) =>
      execFileSync('etcdctl', ['snapshot', 'save', target], { env, stdio: 'ignore' })
  }
  const measure = async (): Promise<void> => {
    const took = new Map<string, number[]>()
    for (let round = 0; round < rounds; round++) {
      for (const [name, make] of Object.entries(sides)) {
        const target = join(folder.fresh('target'), 'file')
        took.set(name, [...(took.get(name) ?? []), await timed(() => make(target))])
      }
    }
    for (const [name, ms] of took) {
      const { median, min, max } = summarize(ms)
      const span = `${min.toFixed(0)} to ${max.toFixed(0)}`
      console.log(`${name}: ${median.toFixed(0)} ms (${span})`)
    }
  }
  if (sides['etcdctl snapshot save'] === undefined) await measure()
  else await withEtcd(folder.path, first, measure)
  for (let round = 0; round < rounds; round++) console.log(await closely(db, folder))
  for (let round = 0; round < rounds; round++) console.log(await besideLoad(db, folder, round))
  await db.close()
})
