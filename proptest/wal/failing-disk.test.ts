/**
 * A disk of which one operation fails, at every operation of a workload. What is rejected with
 * `outcome: 'none'` is not there after reopening; what was acknowledged is; a sync is never tried
 * again; what is there is a prefix.
 */
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { assert } from '../../base/assert.ts'
import { isKvError } from '../../base/errors.ts'
import { Random } from '../../base/random.ts'
import type { Operation } from '../../disk/fault-plan.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { Log } from '../../wal/log.ts'
import { effort, seed } from '../effort.ts'
import { groupOf, recover, sameGroups } from './fixture.ts'

interface Outcomes {
  acknowledged: number
  /** The first group that was rejected for certain. */
  firstNone: number
  lastTxid: number
  error: unknown
}

async function run(disk: MemoryDisk, random: Random): Promise<Outcomes> {
  const outcomes: Outcomes = { acknowledged: 0, firstNone: Infinity, lastTxid: 0, error: undefined }
  let log: Log | undefined
  try {
    log = recover(disk, { segmentBytes: random.pick([1024, 4096]) }).start()
    for (let steps = 12; steps > 0; steps--) await step(log, random, outcomes)
  } catch (error) {
    outcomes.error = error
  }
  try {
    await log?.close()
  } catch (error) {
    outcomes.error ??= error
  }
  return outcomes
}

async function noted(
  work: Promise<void>,
  whenDone: () => void,
  whenFailed: (error: unknown) => void,
): Promise<void> {
  try {
    await work
  } catch (error) {
    whenFailed(error)
    return
  }
  whenDone()
}

async function step(log: Log, random: Random, outcomes: Outcomes): Promise<void> {
  const waits: Promise<void>[] = []
  for (let count = random.between(1, 4); count > 0; count--) {
    const txid = log.lastTxid + 1
    const note = (error: unknown): void => {
      outcomes.error ??= error
      if (!isKvError(error)) throw error
      if (error.outcome === 'none') outcomes.firstNone = Math.min(outcomes.firstNone, txid)
    }
    const isSync = random.chance(0.2)
    const group = groupOf(txid, 0, 200)
    outcomes.lastTxid = txid
    if (isSync) {
      try {
        log.appendSync(group)
        outcomes.acknowledged = txid
      } catch (error) {
        note(error)
        break
      }
    } else {
      const done = (): void => void (outcomes.acknowledged = Math.max(outcomes.acknowledged, txid))
      waits.push(noted(log.append(group), done, note))
    }
  }
  await Promise.all(waits)
  if (random.chance(0.2) && outcomes.error === undefined) await log.cut()
}

test('a failing operation loses nothing that was acknowledged, and says what may be there', async () => {
  const cases = effort({ smoke: 300, ci: 5000, soak: 100_000 })
  const kinds = new Set<string>()
  let done = 0
  for (let workload = seed >>> 0; done < cases; workload++) {
    const whole = new MemoryDisk({ seed: workload })
    await run(whole, new Random(workload))
    for (let i = 0; i < 20; i++, done++) {
      const random = new Random(workload * 32 + i)
      const operations: Operation[] = []
      const trace = (operation: Operation): void => void operations.push(operation)
      const disk = new MemoryDisk({ seed: workload, trace })
      const operation = random.between(4, whole.operationCount)
      const code = random.pick(['EIO', 'ENOSPC'])
      const leaves = random.pick(['nothing', 'part'] as const)
      disk.injectFault({ operation, code, leaves })
      const outcomes = await run(disk, new Random(workload))
      kinds.add(isKvError(outcomes.error) ? 'failed' : 'fine')
      for (const image of [disk.processKilled(), disk.afterPowerLoss(random)]) {
        const recovery = recover(image)
        const found = [...recovery.groups()]
        const { acknowledged, firstNone } = outcomes
        const isRight =
          found.length >= acknowledged &&
          found.length < firstNone &&
          sameGroups(
            found,
            found.map((_, at) => groupOf(at + 1, 0, 200)),
          )
        const count = `${found.length} groups found`
        assert(
          isRight,
          () => `seed ${workload}, ${operation} ${code}: ${count}, ${inspect(outcomes)}`,
        )
        recovery.close()
      }
    }
  }
  expect([...kinds].sort()).toEqual(['failed', 'fine'])
})
