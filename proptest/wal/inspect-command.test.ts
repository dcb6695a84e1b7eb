/** `revbolt wal` on logs made by hand, damaged at random, and written while they are looked at. */
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isKvError } from '../../base/errors.ts'
import type { LogEntry, LogOp } from '../../base/log-group.ts'
import { Random } from '../../base/random.ts'
import type { MemoryDisk } from '../../disk/memory-disk.ts'
import { runWal } from '../../cli/wal/wal.ts'
import { Screen } from '../../cli/screen.ts'
import { RealDisk } from '../../disk/real-disk.ts'
import { inspectLog } from '../../wal/index.ts'
import type { Log } from '../../wal/log.ts'
import { newestHeader } from '../../wal/identity.ts'
import { recoverLog } from '../../wal/recovery.ts'
import { jsonLines, walIn } from '../bolt/run-bolt.ts'
import { effort, seed } from '../effort.ts'
import { DIRECTORY, LOG_ID, groupOf, STORE_ID, recoverOptions } from './fixture.ts'
import { damageLog, sampleOf } from './sample.ts'

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** One of each operation. */
const OPS: readonly LogOp[] = [
  { op: 'createBucket', path: [], name: bytes('shop') },
  { op: 'createBucket', path: [bytes('shop')], name: bytes('old') },
  { op: 'put', path: [bytes('shop')], key: bytes('apple'), value: bytes('a "round" fruit') },
  { op: 'put', path: [bytes('shop')], key: new Uint8Array([0, 255]), value: new Uint8Array(50) },
  { op: 'delete', path: [bytes('shop')], key: bytes('pear') },
  { op: 'moveBucket', path: [bytes('shop')], target: [], name: bytes('old') },
  { op: 'setSequence', path: [bytes('shop')], sequence: 18_446_744_073_709_551_615n },
  { op: 'deleteBucket', path: [], name: bytes('old') },
]

const SEGMENT = '0000000000000001-0000000000000003.wal'

const DUMPED = `${SEGMENT}
  group 3  at byte 512, 64 B, synced through 2
    without a revision
      create bucket "shop"
      create bucket "shop" › "old"
  group 4  at byte 576, 184 B, synced through 2
    revision 2, 2023-11-14T22:13:20.002Z
      put "shop" "apple" = "a \\"round\\" fruit"
      put "shop" 0x00ff = 0x${'00'.repeat(40)}… (50 bytes)
    revision 3, 2023-11-14T22:13:20.003Z
      delete "shop" "pear"
      move bucket "shop" › "old" to "old"
      set the sequence of "shop" to 18446744073709551615
      delete bucket "old"
  group 5, a checkpoint  at byte 760, 40 B, synced through 2
  3 groups; the end of the log
`

// Its first line break is none of it.
const VERIFIED = `
  segment                                groups   txids   used        of  how it ends
  ${SEGMENT}       3  3 to 5  800 B  4.00 KiB  the end of the log

sound: opening would do 3 groups again, up to 5; write 3 groups once more
`

test('a log that never changes looks like this', async () => {
  const entry = (revision: number, ops: readonly LogOp[]): LogEntry => {
    return { revision, timeMs: revision === 0 ? 0 : 1_700_000_000_000 + revision, ops }
  }
  const log = recoverLog({
    disk: new RealDisk(),
    directory: join(directory, 'wal'),
    storeId: STORE_ID,
    logId: LOG_ID,
    fromTxid: 2,
    isCreated: true,
    log: { syncMode: 'none', segmentBytes: 4096, random: new Random(1) },
  }).start()
  await log.append({ txid: 3, entries: [entry(0, OPS.slice(0, 2))] })
  await log.append({ txid: 4, entries: [entry(2, OPS.slice(2, 4)), entry(3, OPS.slice(4))] })
  await log.append({ txid: 5, entries: [] })
  await log.close()
  const dumped = await walIn(directory, ['dump', 'wal'])
  expect(dumped).toEqual({ code: 0, stderr: '', stdout: DUMPED })
  expect(await walIn(directory, ['verify', 'wal'])).toEqual({
    code: 0,
    stderr: '',
    stdout: VERIFIED.slice(1),
  })
  const [line] = jsonLines(await walIn(directory, ['dump', 'wal', '--json']))
  const shop = { hex: '73686f70', text: 'shop' }
  expect(line).toEqual({
    group: {
      txid: 3,
      segment: SEGMENT,
      offset: 512,
      sizeBytes: 64,
      syncedThrough: 2,
      entries: [
        {
          revision: 0,
          timeMs: 0,
          ops: [
            { op: 'createBucket', path: [], name: shop },
            { op: 'createBucket', path: [shop], name: { hex: '6f6c64', text: 'old' } },
          ],
        },
      ],
    },
  })
})

/** Whether opening refuses it. */
function isRefused(disk: MemoryDisk): boolean {
  try {
    const { fromTxid } = inspectLog(DIRECTORY, { disk })
    const header = newestHeader(disk, DIRECTORY)
    const recovery = recoverLog({ ...recoverOptions(disk, { fromTxid }), ...header })
    try {
      for (const { txid } of recovery.groups()) expect(txid).toBeGreaterThan(fromTxid)
    } finally {
      recovery.close()
    }
    return false
  } catch (error) {
    if (isKvError(error)) return true
    throw error
  }
}

test('whatever the damage, the exit code is 1 where opening refuses, and no bug is met', async () => {
  const rounds = effort({ smoke: 60, ci: 400, soak: 5000 })
  const seen = new Set<number>()
  for (let round = 0; round < rounds; round++) {
    const random = new Random((seed + round) >>> 0)
    const { disk } = await sampleOf(random)
    for (let times = random.below(4); times > 0; times--) {
      if (disk.list(DIRECTORY).length > 0) damageLog(disk, random)
    }
    const names = disk.list(DIRECTORY)
    const path = join(directory, 'wal')
    await rm(path, { recursive: true, force: true })
    await mkdir(path)
    for (const name of names)
      await writeFile(join(path, name), disk.readFile(`${DIRECTORY}/${name}`))
    const where = `seed ${seed} + ${round}`
    const isLog = names.some((name) => name.endsWith('.wal'))
    const expected = isLog ? Number(isRefused(disk.clone())) : 3
    for (const target of ['wal', '.', ...names.slice(0, 1).map((name) => `wal/${name}`)]) {
      for (const args of [['verify'], ['verify', '--json'], ['dump'], ['dump', '--json']]) {
        const ran = await walIn(directory, [...args, target])
        expect([0, 1, 3], `${where}: ${args.join(' ')} ${target}\n${ran.stderr}`).toContain(
          ran.code,
        )
        expect(ran.stdout + ran.stderr, where).not.toMatch(/^ {4}at |internal error/m)
        if (args.includes('--json')) jsonLines(ran)
        const isWhole = args[0] === 'verify' && !target.endsWith('.wal') && !target.endsWith('.tmp')
        if (isWhole) expect(ran.code, `${where}\n${ran.stdout}${ran.stderr}`).toBe(expected)
      }
    }
    seen.add(expected)
  }
  expect(seen.has(0) && seen.has(1)).toBe(true)
}, 3_600_000)

/** A log of segments, each with many groups. */
async function writtenLog(groups: number): Promise<Log> {
  const log = recoverLog({
    disk: new RealDisk(),
    directory: join(directory, 'wal'),
    storeId: STORE_ID,
    logId: LOG_ID,
    fromTxid: 0,
    isCreated: true,
    log: { syncMode: 'os', segmentBytes: 16 * 1024, random: new Random(1) },
  }).start()
  for (let txid = 1; txid <= groups; txid++) await log.append(groupOf(txid, 0, 100))
  return log
}

test('dump that met damage before its limit exits with 1', async () => {
  const log = await writtenLog(200)
  await log.close()
  const path = join(directory, 'wal')
  const [first = '', ...others] = (await readdir(path))
    .filter((name) => name.endsWith('.wal'))
    .sort()
  expect(others).not.toEqual([])
  expect((await walIn(directory, ['dump', 'wal', '--limit', '1'])).code).toBe(0)
  const bytes = await readFile(join(path, first))
  bytes[600] = (bytes[600] ?? 0) ^ 1
  await writeFile(join(path, first), bytes)
  const { code, stdout } = await walIn(directory, ['dump', 'wal', '--limit', '1'])
  expect(code).toBe(1)
  expect(stdout).toContain('damaged at byte')
})

/** Its pauses are what another process has time for. */
class PausingScreen extends Screen {
  readonly #pause: () => void

  constructor(pause: () => void) {
    super(new Writable({ write: (_chunk, _encoding, done) => done() }), {}, 160)
    this.#pause = pause
  }

  override async catchUp(signal: AbortSignal): Promise<void> {
    this.#pause()
    await super.catchUp(signal)
  }
}

test('verify judges anew where its owner dropped segments meanwhile', async () => {
  const disk = new RealDisk()
  const path = join(directory, 'wal')
  const log = await writtenLog(600)
  const before = disk.list(path).length
  let pauses = 0
  const { signal } = new AbortController()
  // The first pause comes after 256 groups: what is dropped then has been looked at.
  const screen = new PausingScreen(() => {
    if (pauses++ === 0) void log.dropBefore(300)
  })
  const setting = { screen, complaints: screen, signal, directory, now: () => 0 }
  expect(await runWal(['verify', 'wal'], setting)).toBe(0)
  expect(pauses).toBeGreaterThan(0)
  expect(disk.list(path).length).toBeLessThan(before)
  await log.close()
})
