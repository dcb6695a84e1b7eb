/**
 * The store, called by many at once on a disk whose calls take a random time, and which loses power
 * now and then: what they were told is what calls made one after the other would have been told.
 */

import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openOn } from '../../store/open.ts'
import { nextTurn } from '../../store/pause.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { Record, crowd } from './clients.ts'
import { ask } from './store-calls.ts'
import { explain, mustBeLinearizable } from './verdict.ts'

const RUNS = effort({ smoke: 40, ci: 600, soak: 50_000 })

/** What the runs have met; without each of them they prove little. */
const met = { cut: 0, unknownSeen: 0, unknownLost: 0, compacted: 0, defragmented: 0, old: 0 }

async function oneRun(runSeed: number): Promise<void> {
  const random = new Random(runSeed)
  const record = new Record()
  let disk = new MemoryDisk({ seed: runSeed, idleTurns: random.pick([0, 0.5, 0.9]) })
  const lives = random.between(1, 3)
  for (let life = 1; life <= lives; life++) {
    if (random.chance(0.7)) disk.cutPowerAt(disk.operationCount + random.between(1, 120))
    await oneLife(disk, record, random.fork())
    if (!disk.isPowerOff) continue
    met.cut++
    disk = disk.afterPowerLoss(random.fork())
  }
  await lookBack(disk, record, random)
  mustBeLinearizable(record.operations, met)
  for (const { answer } of record.operations) if (answer === 'KV_COMPACTED') met.compacted++
  if (record.operations.some(({ call }) => call.type === 'get' && call.revision > 0)) met.old++
}

async function oneLife(disk: MemoryDisk, record: Record, random: Random): Promise<void> {
  let isOver = false
  const off = untilOff(disk, () => isOver)
  try {
    const checkpointBytes = random.pick([500, 3000, 1e6])
    const store = await openOn(disk, '/data', { checkpointBytes }, { random: random.fork() })
    const moving = random.chance(0.3)
      ? store.defragment().then(() => met.defragmented++)
      : undefined
    moving?.catch(() => {})
    await crowd({
      record,
      random,
      clients: random.between(2, 6),
      calls: random.between(2, 8),
      ask: async (call) => await Promise.race([ask(store, call, nextTurn), off]),
      pause: nextTurn,
    })
    await Promise.race([store.close(), off])
  } catch (error) {
    if (!disk.isPowerOff) throw error
  } finally {
    isOver = true
    record.endLife()
  }
}

/** Whoever waits when the power goes hears nothing more. */
async function untilOff(disk: MemoryDisk, isOver: () => boolean): Promise<undefined> {
  while (!disk.isPowerOff && !isOver()) await nextTurn()
  return undefined
}

/** Reads all there is to read of the past, so that nothing that was written is unseen. */
async function lookBack(disk: MemoryDisk, record: Record, random: Random): Promise<void> {
  disk.cutPowerAt(Infinity)
  const store = await openOn(disk, '/data', {}, { random: random.fork() })
  for (const call of record.last()) {
    await record.make(call, async (one) => await ask(store, one, nextTurn))
  }
  await store.close()
}

test(`histories of many callers are linearizable, ${RUNS} runs, seed ${seed}`, async () => {
  const first = seed >>> 0
  for (let done = 0; !isEnough(done, RUNS, met); done++) {
    try {
      await oneRun(first + done)
    } catch (error) {
      throw new Error(`run of seed ${first + done}: ${explain(error)}`, { cause: error })
    }
  }
  expect(unmet(met)).toEqual([])
}, 600_000)
