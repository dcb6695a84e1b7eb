/**
 * What is said of a log that is looked at, whatever was done to it: the same as recovery does with
 * it, and nothing else than was appended.
 */
import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { isKvError } from '../../base/errors.ts'
import type { LogGroup } from '../../base/log-group.ts'
import type { MemoryDisk } from '../../disk/memory-disk.ts'
import { inspectLog } from '../../wal/index.ts'
import type { LogEvent, LogVerdict } from '../../wal/index.ts'
import { newestHeader } from '../../wal/identity.ts'
import { recoverLog } from '../../wal/recovery.ts'
import type { RecoveryReport } from '../../wal/recovery.ts'
import { effort, seed } from '../effort.ts'
import { DIRECTORY, recoverOptions, sameGroups } from './fixture.ts'
import { sampleOf } from './sample.ts'

/** Changes one thing of the log. */
function damage(disk: MemoryDisk, random: Random): void {
  const names = disk.list(DIRECTORY)
  const path = `${DIRECTORY}/${random.pick(names)}`
  const bytes = disk.readFile(path)
  if (bytes.length === 0) return
  const start = random.below(Math.min(bytes.length, random.pick([bytes.length, 80, 600])))
  switch (random.below(5)) {
    case 0:
      disk.flipBit(path, start, random.below(8))
      return
    case 1:
      disk.writeFile(path, bytes.subarray(0, start))
      return
    case 2:
      random.fill(bytes.subarray(start, start + random.between(1, 600)))
      disk.writeFile(path, bytes)
      return
    case 3: {
      const other = `${DIRECTORY}/${random.pick(names)}`
      disk.writeFile(path, disk.readFile(other))
      disk.writeFile(other, bytes)
      return
    }
    default:
      disk.remove(path)
  }
}

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
        if (disk.list(DIRECTORY).length > 0) damage(disk, random)
      }
      counts[examine(disk, sample.groups)]++
    }
  }
  expect(counts.sound).toBeGreaterThan(0)
  expect(counts.refused).toBeGreaterThan(0)
})
