/**
 * Measures how long revbolt's commits take while other things happen: reads a command on standard
 * input, answers on standard output, and ends. See latency-protocol.ts.
 */

import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type * as realDiskModule from '../disk/real-disk.ts'
import type { BuiltLocalStore } from '../index.ts'
import type * as openModule from '../store/open.ts'
import { CheckpointSpans } from './checkpoint-spans.ts'
import { keepHashing } from './hashing.ts'
import type {
  LatencyAnswer,
  LatencyCase,
  LatencyCommand,
  LatencySample,
  LoopDelay,
} from './latency-protocol.ts'
import { Latencies } from './latency-summary.ts'
import { loadBuilt } from './library.ts'
import { LoopGaps } from './loop-gaps.ts'
import { Spans } from './spans.ts'
import { type Watch, WatchedDisk } from './watched-disk.ts'

const MIB = 1024 * 1024
const WRITERS = 64
const CHECKPOINT_BYTES = 64 * MIB
const WARM_UP_MS = 500
const SLOW_SYNC_MS = 20
const SMALL = 100
/** Larger values bring a checkpoint on sooner. */
const LARGE = 1024
/** When a checkpoint doesn't come, that is said, not waited for. */
const PATIENCE_MS = 60_000

type Store = BuiltLocalStore<Uint8Array, Uint8Array>
type Note = (begun: number, ended: number) => void

interface Load {
  readonly store: Store
  readonly writers: number
  readonly valueSize: number
}

/** Writers that each put, wait, and put again until `isOver`. */
async function writeUntil(load: Load, isOver: () => boolean, note: Note): Promise<void> {
  const { store, writers, valueSize } = load
  const value = randomBytes(valueSize)
  const write = async (): Promise<void> => {
    while (!isOver()) {
      const key = randomBytes(16)
      const begun = performance.now()
      await store.put(key, value)
      note(begun, performance.now())
    }
  }
  await Promise.all(Array.from({ length: writers }, write))
}

function untilMs(durationMs: number): () => boolean {
  const end = performance.now() + durationMs
  return () => performance.now() >= end
}

async function warmUp(load: Load): Promise<void> {
  await writeUntil(load, untilMs(WARM_UP_MS), () => undefined)
  globalThis.gc?.()
  await delay(50)
}

/** Runs something and says how late the event loop was meanwhile. */
async function watchingLoop(run: () => Promise<void>): Promise<LoopDelay> {
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  await run()
  loop.disable()
  return { p99Ms: loop.percentile(99) / 1e6, maxMs: loop.max / 1e6 }
}

async function timed(name: LatencyCase, load: Load, durationMs: number): Promise<LatencySample> {
  const latencies = new Latencies()
  const loop = await watchingLoop(() =>
    writeUntil(load, untilMs(durationMs), (begun, ended) => latencies.note((ended - begun) * 1000)),
  )
  return { name, latency: latencies.summarize(), loop }
}

interface OpenModules {
  readonly openOn: typeof openModule.openOn
  readonly RealDisk: typeof realDiskModule.RealDisk
}

async function openWatched(
  { openOn, RealDisk }: OpenModules,
  path: string,
  watch: Watch,
): Promise<Store> {
  const disk = new WatchedDisk(new RealDisk(), watch)
  return await openOn(disk, path, { encoding: 'bytes', checkpointBytes: CHECKPOINT_BYTES })
}

function newWatch(): Watch {
  return { syncMs: 0, slowedSyncs: 0, blockedSyncs: 0, onChange: () => undefined }
}

/** The loop of a process that does nothing: what of its delays is the machine's. */
async function measureIdle(durationMs: number): Promise<LatencySample> {
  const loop = await watchingLoop(() => delay(durationMs))
  return { name: 'idle', latency: new Latencies().summarize(), loop }
}

/** The quiet and the busy in turn, in the same store. */
async function measureHashes(store: Store, durationMs: number): Promise<LatencySample[]> {
  const load = { store, writers: 1, valueSize: SMALL }
  await warmUp(load)
  const quiet = await timed('quiet', load, durationMs)
  const stop = keepHashing()
  const hashes = await timed('hashes', load, durationMs)
  await stop()
  return [quiet, hashes]
}

async function measureSlow(
  modules: OpenModules,
  path: string,
  durationMs: number,
): Promise<LatencySample> {
  const watch = newWatch()
  const store = await openWatched(modules, path, watch)
  const load = { store, writers: WRITERS, valueSize: SMALL }
  await warmUp(load)
  watch.syncMs = SLOW_SYNC_MS
  const sample = await timed('slow', load, durationMs)
  const { slowedSyncs, blockedSyncs } = watch
  watch.syncMs = 0
  await store.close()
  return { ...sample, slowedSyncs, blockedSyncs }
}

async function measureCheckpoints(
  modules: OpenModules,
  path: string,
  count: number,
): Promise<LatencySample> {
  const watch = newWatch()
  const store = await openWatched(modules, path, watch)
  const load = { store, writers: WRITERS, valueSize: LARGE }
  await warmUp(load)
  const checkpoints = new CheckpointSpans()
  const dataFile = join(path, 'db')
  watch.onChange = (changed) => {
    if (changed === dataFile) checkpoints.changed(performance.now())
  }
  const puts = new Spans()
  const isPast = untilMs(PATIENCE_MS)
  const isOver = (): boolean => checkpoints.doneCount(performance.now()) >= count || isPast()
  const gaps = new LoopGaps()
  await writeUntil(load, isOver, (begun, ended) => puts.note(begun, ended))
  gaps.stop()
  const doneCount = checkpoints.doneCount(performance.now())
  const latencies = new Latencies()
  for (const put of puts) {
    if (checkpoints.overlap(put)) latencies.note((put.ended - put.begun) * 1000)
  }
  await store.close()
  return {
    name: 'checkpoint',
    latency: latencies.summarize(),
    loop: gaps.summarize((gap) => checkpoints.overlap(gap)),
    otherLoop: gaps.summarize((gap) => !checkpoints.overlap(gap)),
    checkpoints: doneCount,
    checkpointMs: checkpoints.changingMs,
    putBytes: puts.count * (LARGE + 16),
  }
}

async function measure(command: LatencyCommand): Promise<LatencyAnswer> {
  const { path, durationMs } = command
  const { openOn } = await loadBuilt<typeof openModule>('store/open.js')
  const { RealDisk } = await loadBuilt<typeof realDiskModule>('disk/real-disk.js')
  const modules = { openOn, RealDisk }
  const store = await openOn(new RealDisk(), join(path, 'quiet'), { encoding: 'bytes' })
  const samples = [await measureIdle(durationMs)]
  samples.push(...(await measureHashes(store, durationMs)))
  const writers = { store, writers: WRITERS, valueSize: SMALL }
  await warmUp(writers)
  samples.push(await timed('writers', writers, durationMs))
  await store.close()
  samples.push(await measureSlow(modules, join(path, 'slow'), durationMs))
  samples.push(await measureCheckpoints(modules, join(path, 'checkpoint'), command.checkpoints))
  return { samples }
}

const command = JSON.parse(readFileSync(0, 'utf8')) as LatencyCommand
let answer: LatencyAnswer
try {
  mkdirSync(command.path, { recursive: true })
  answer = await measure(command)
} catch (error) {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  answer = { samples: [], error: message }
}
process.stdout.write(`${JSON.stringify(answer)}\n`)
