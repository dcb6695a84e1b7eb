/**
 * What a small durable write costs through each way that there is, on the built library:
 *
 *   npm run durable -- [--writes N] [--rounds N]
 *
 * Each write is 512 bytes into space that was filled with zeros and synced before. In every round
 * each way has its turn, quiet and while eight password hashes are always queued in libuv's pool.
 */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { DiskFile } from '../disk/disk.ts'
import type * as realDiskModule from '../disk/real-disk.ts'
import { HASHES, keepHashing } from './hashing.ts'
import { loadBuilt } from './library.ts'
import { median } from './statistics.ts'

const USAGE = 'Usage: npm run durable -- [--writes N] [--rounds N]   default 400 and 9'
const MIB = 1024 * 1024
const FILE_SIZE = 16 * MIB
const WRITE_SIZE = 512
/** A fifth as many writes beside hashes: those in the pool wait for them. */
const BUSY_SHARE = 5
const POOL_BUSY_SHARE = 40

interface Way {
  readonly name: string
  readonly isInPool: boolean
  readonly write: (file: DiskFile, source: Uint8Array, position: number) => Promise<void>
}

const WAYS: readonly Way[] = [
  {
    name: 'write(), sync(): blocks',
    isInPool: false,
    write: async (file, source, position) => {
      file.write(source, position)
      file.sync('data')
    },
  },
  {
    name: 'writeAsync(), syncAsync(): the pool',
    isInPool: true,
    write: async (file, source, position) => {
      await file.writeAsync(source, position)
      await file.syncAsync('data')
    },
  },
  {
    name: 'writeDurablyAsync(): the lane',
    isInPool: false,
    write: (file, source, position) => file.writeDurablyAsync(source, position),
  },
]

interface Sample {
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
  readonly perSecond: number
  /** What the main thread worked for each write; undefined where the system doesn't say. */
  readonly mainUs: number | undefined
  readonly loopDelayMaxMs: number
}

/** What the main thread has worked so far, in µs. */
function mainThreadUs(): number | undefined {
  try {
    const path = `/proc/self/task/${process.pid}/schedstat`
    return Number(readFileSync(path, 'utf8').split(' ')[0]) / 1000
  } catch {
    return undefined
  }
}

class Trial {
  readonly #file: DiskFile
  readonly #source: Uint8Array = randomBytes(WRITE_SIZE)
  #position = 0

  constructor(file: DiskFile) {
    this.#file = file
  }

  async run(way: Way, count: number): Promise<Sample> {
    const latencies = new Float64Array(count)
    const loop = monitorEventLoopDelay({ resolution: 1 })
    loop.enable()
    const workedBefore = mainThreadUs()
    const start = performance.now()
    for (let i = 0; i < count; i++) {
      this.#position = (this.#position + WRITE_SIZE) % FILE_SIZE
      const begun = performance.now()
      await way.write(this.#file, this.#source, this.#position)
      latencies[i] = (performance.now() - begun) * 1000
    }
    const wallMs = performance.now() - start
    const worked = mainThreadUs()
    loop.disable()
    latencies.sort()
    return {
      p50Us: latencies[count >> 1] ?? 0,
      p99Us: latencies[Math.floor(count * 0.99)] ?? 0,
      maxUs: latencies[count - 1] ?? 0,
      perSecond: (count / wallMs) * 1000,
      mainUs:
        worked === undefined || workedBefore === undefined
          ? undefined
          : (worked - workedBefore) / count,
      loopDelayMaxMs: loop.max / 1e6,
    }
  }
}

type Samples = Map<Way, Sample[]>

function printTable(title: string, samples: Samples): void {
  console.log(title)
  const rows = [...samples].map(([way, all]) => {
    const column = (pick: (sample: Sample) => number, digits = 0): string => {
      const values = all.map(pick)
      const [low, high] = [Math.min(...values), Math.max(...values)]
      return `${median(values).toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`
    }
    return {
      way: way.name,
      'p50 µs': column((sample) => sample.p50Us),
      'p99 µs': column((sample) => sample.p99Us),
      'max µs': column((sample) => sample.maxUs),
      'a second': column((sample) => sample.perSecond),
      'main thread µs': column((sample) => sample.mainUs ?? Number.NaN),
      'loop delay ms': column((sample) => sample.loopDelayMaxMs, 1),
    }
  })
  console.table(rows)
}

async function measure(file: DiskFile, writes: number, rounds: number): Promise<void> {
  const trial = new Trial(file)
  const empty = (): Samples => new Map(WAYS.map((way) => [way, []]))
  const [quiet, busy] = [empty(), empty()]
  for (const way of WAYS) await trial.run(way, Math.min(writes, 100))
  for (let round = 0; round < rounds; round++) {
    const turned = [...WAYS.slice(round % WAYS.length), ...WAYS.slice(0, round % WAYS.length)]
    for (const way of turned) quiet.get(way)?.push(await trial.run(way, writes))
    for (const way of turned) {
      const stop = keepHashing()
      const share = way.isInPool ? POOL_BUSY_SHARE : BUSY_SHARE
      busy.get(way)?.push(await trial.run(way, Math.ceil(writes / share)))
      await stop()
      await delay(50)
    }
  }
  printTable(`Quiet; median of ${rounds} rounds (smallest–largest)`, quiet)
  printTable(`${HASHES} hashes always in libuv's pool`, busy)
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      writes: { type: 'string', default: '400' },
      rounds: { type: 'string', default: '9' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const [writes, rounds] = [Number(values.writes), Number(values.rounds)]
  if (!(writes >= 1)) throw new TypeError(`--writes: expected 1 or more, got ${values.writes}`)
  if (!(rounds >= 1)) throw new TypeError(`--rounds: expected 1 or more, got ${values.rounds}`)
  const { RealDisk } = await loadBuilt<typeof realDiskModule>('disk/real-disk.js')
  const directory = mkdtempSync(join(tmpdir(), 'revbolt-durable-'))
  const file = new RealDisk().open(join(directory, 'file'), { mode: 'create' })
  try {
    file.allocate(0, FILE_SIZE)
    file.sync('full')
    await measure(file, writes, rounds)
  } finally {
    file.close()
    rmSync(directory, { recursive: true, force: true })
  }
  return 0
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? `${error.message}\n\n${USAGE}` : error)
  process.exitCode = 2
}
