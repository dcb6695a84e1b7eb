/**
 * What is said of a log that is looked at, whatever was done to it: the same as recovery does with
 * it, and nothing else than was appended.
 */
import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { isKvError } from '../../base/errors.ts'
import type { LogGroup } from '../../base/log-group.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { inspectLog } from '../../wal/index.ts'
import type { LogEvent, LogVerdict } from '../../wal/index.ts'
import { newestHeader } from '../../wal/identity.ts'
import { recoverLog } from '../../wal/recovery.ts'
import type { RecoveryReport } from '../../wal/recovery.ts'
import { effort, seed } from '../effort.ts'
import { DIRECTORY, groupOf, openTestLog, recoverOptions, sameGroups } from './fixture.ts'
import { damageLog, sampleOf } from './sample.ts'

function verdictOf(steps: Generator<void, LogVerdict, void>): LogVerdict {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

interface Recovered {
  readonly report: RecoveryReport
  readonly groups: readonly LogGroup[]
}

/** What opening makes of it; undefined where it refuses. */
function recovered(disk: MemoryDisk, fromTxid: number): Recovered | undefined {
  try {
    const header = newestHeader(disk, DIRECTORY)
    const recovery = recoverLog({ ...recoverOptions(disk, { fromTxid }), ...header })
    try {
      return { report: recovery.report, groups: [...recovery.groups()] }
    } finally {
      recovery.close()
    }
  } catch (error) {
    if (isKvError(error)) return undefined
    throw error
  }
}

/** Claims; returns what was said. */
function examine(disk: MemoryDisk, groups: readonly LogGroup[]): LogVerdict['kind'] | 'none' {
  let log
  try {
    log = inspectLog(DIRECTORY, { disk })
  } catch (error) {
    if (isKvError(error, 'KV_NOT_FOUND')) return 'none'
    throw error
  }
  const before = disk.operationCount
  const events: LogEvent[] = [...log.walk()]
  const verdict = verdictOf(log.judge())
  expect(disk.operationCount).toBe(before)
  expect(events.filter(({ kind }) => kind === 'segment')).toHaveLength(log.segments.length)
  const seen = events.flatMap((event) => (event.kind === 'group' ? [event.group] : []))
  const isTrue = (group: LogGroup): boolean =>
    sameGroups([group], groups.slice(group.txid - 1, group.txid))
  expect(seen.every(isTrue)).toBe(true)
  const { fromTxid } = log
  const recovery = recovered(disk.clone(), fromTxid)
  expect(verdict.kind === 'sound').toBe(recovery !== undefined)
  if (recovery === undefined || verdict.kind !== 'sound') return verdict.kind
  const { report } = recovery
  expect(verdict.lastTxid).toBe(report.lastTxid)
  expect(verdict.unsyncedGroups).toBe(report.rewrittenGroups)
  expect(verdict.torn).toEqual(report.torn)
  const wanted = seen.filter(({ txid }) => txid > fromTxid)
  expect(sameGroups(wanted, recovery.groups)).toBe(true)
  return 'sound'
}

test('what is said of a damaged log is what recovery does with it', async () => {
  const counts = { sound: 0, refused: 0, none: 0 }
  const random = new Random(seed >>> 0)
  const cases = effort({ smoke: 600, ci: 10_000, soak: 200_000 })
  for (let done = 0; done < cases;) {
    const sample = await sampleOf(random)
    for (let i = 0; i < 50; i++, done++) {
      const disk = sample.disk.clone()
      for (let times = random.below(3); times > 0; times--) {
        if (disk.list(DIRECTORY).length > 0) damageLog(disk, random)
      }
      counts[examine(disk, sample.groups)]++
    }
  }
  expect(counts.sound).toBeGreaterThan(0)
  expect(counts.refused).toBeGreaterThan(0)
})

/** The file changes under the walk's feet at every group, and before each segment's end. */
test('what is written or dropped while a log is looked at is no damage', async () => {
  const random = new Random((seed >>> 0) + 1)
  const counts = { written: 0, dropped: 0, gone: 0 }
  const cases = effort({ smoke: 150, ci: 1500, soak: 30_000 })
  for (let done = 0; done < cases; done++) {
    const disk = new MemoryDisk({ seed: random.u32() })
    const log = openTestLog(disk, { segmentBytes: random.pick([1024, 4096, 65_536]) })
    let txid = 0
    const write = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await log.append(groupOf(++txid, 0, 100))
    }
    await write(random.between(1, 12))
    const inspection = inspectLog(DIRECTORY, { disk })
    let last = 0
    for (const event of inspection.walk()) {
      if (event.kind === 'group') {
        last = Math.max(last, event.group.txid)
        expect(sameGroups([event.group], [groupOf(event.group.txid, 0, 100)])).toBe(true)
      } else {
        const { end } = event.segment
        expect(['continued', 'open', 'torn', 'gone'], JSON.stringify(end)).toContain(end.kind)
        if (end.kind === 'gone') counts.gone++
      }
      if (random.below(3) === 0) {
        await write(random.between(1, 4))
        counts.written++
      }
      if (random.below(6) === 0) {
        counts.dropped += (await log.dropBefore(random.between(1, txid))).length
      }
    }
    expect(last).toBeLessThanOrEqual(txid)
    await log.close()
  }
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0)
})

test('a segment looked at alone that is gone since is said to be gone, not sound', async () => {
  const { disk } = await sampleOf(new Random(seed >>> 0))
  const path = `${DIRECTORY}/${disk.list(DIRECTORY)[0]}`
  const inspection = inspectLog(path, { disk })
  disk.remove(path)
  expect(() => verdictOf(inspection.judge())).toThrow(
    expect.objectContaining({ code: 'KV_NOT_FOUND' }),
  )
})
