import { describe, expect, test } from 'vitest'
import { isKvError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import type { Operation } from '../disk/fault-plan.ts'
import {
  DIRECTORY,
  groupOf,
  openTestLog,
  recover,
  recoverOptions,
} from '../proptest/wal/fixture.ts'
import type { LogGroup } from '../base/log-group.ts'
import { frameSize } from './format.ts'
import { encodeEntries } from './group-writer.ts'
import { replayLog } from './replay.ts'

function codeOf(body: () => unknown): string {
  try {
    body()
    return 'none'
  } catch (error) {
    return isKvError(error) ? error.code : String(error)
  }
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return undefined
  } catch (error) {
    return error
  }
}

function groupsOf(disk: MemoryDisk, fromTxid = 0): LogGroup[] {
  return [...replayLog(recoverOptions(disk, { fromTxid })).groups()]
}

function groups(last: number): LogGroup[] {
  return Array.from({ length: last }, (_, i) => groupOf(i + 1))
}

/** The operations that were done, of some kinds. */
class Trace {
  readonly operations: Operation[] = []
  readonly disk: MemoryDisk = new MemoryDisk({ trace: (done) => void this.operations.push(done) })

  count(kind: string): number {
    return this.operations.filter((operation) => operation.kind === kind).length
  }
}

describe('Log.append()', () => {
  test('what was appended is found again, across segments', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk)
    for (const group of groups(60)) await log.append(group)
    expect(log.segments.length).toBeGreaterThan(5)
    expect(log.syncedThrough).toBe(60)
    await log.close()
    expect(groupsOf(disk)).toEqual(groups(60))
    expect(groupsOf(disk, 37)).toEqual(groups(60).slice(37))
  })

  test('groups that come while one is on its way share one write and one sync', async () => {
    const { disk, operations, count } = { ...traced() }
    const log = openTestLog(disk, { segmentBytes: 1024 * 1024 })
    operations.length = 0
    await Promise.all(groups(40).map((group) => log.append(group)))
    expect(count('sync')).toBe(2)
    expect(count('write')).toBe(2)
    await log.close()
  })

  test('an idle log does nothing', async () => {
    const { disk, operations } = traced()
    const log = openTestLog(disk)
    await log.append(groupOf(1))
    operations.length = 0
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(operations).toEqual([])
    await log.close()
  })

  test('a group larger than a segment gets one of its own size', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk)
    const large = { ...groupOf(2, 0, 100_000), txid: 2 }
    await log.append(groupOf(1))
    await log.append(large)
    await log.append(groupOf(3))
    await log.close()
    expect(groupsOf(disk)).toEqual([groupOf(1), large, groupOf(3)])
  })

  test('the bytes are copied before it returns', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk)
    const key = new Uint8Array([1, 2, 3])
    const put = { op: 'put', path: [key], key, value: key } as const
    const done = log.append({ txid: 1, entries: [{ revision: 2, timeMs: 3, ops: [put] }] })
    key.fill(9)
    await done
    await log.close()
    expect(groupsOf(disk)[0]?.entries[0]?.ops[0]).toMatchObject({ key: new Uint8Array([1, 2, 3]) })
  })

  test('os: acknowledged without a sync; flush() makes it durable', async () => {
    const { disk, operations, count } = traced()
    const log = openTestLog(disk, { syncMode: 'os', segmentBytes: 1024 * 1024 })
    operations.length = 0
    for (const group of groups(5)) await log.append(group)
    expect(count('sync')).toBe(0)
    expect(log.syncedThrough).toBe(0)
    await log.flush()
    expect(count('sync')).toBe(1)
    expect(log.syncedThrough).toBe(5)
    await log.close()
  })

  test('none: resolves at once; close() writes and syncs', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk, { syncMode: 'none' })
    for (const group of groups(30)) await log.append(group)
    await log.close()
    expect(groupsOf(disk.afterPowerLoss(1, 'nothing'))).toEqual(groups(30))
  })

  test('after close() it is refused', async () => {
    const log = openTestLog(new MemoryDisk())
    await log.close()
    await log.close()
    expect(codeOf(() => log.append(groupOf(1)))).toBe('KV_CLOSED')
    expect(codeOf(() => log.reserve(10))).toBe('KV_CLOSED')
  })

  test('a payload above the limit is refused and changes nothing', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk)
    const value = new Uint8Array(600 * 1024 * 1024)
    const put = { op: 'put', path: [], key: value.subarray(0, 1), value } as const
    const entries = [{ revision: 1, timeMs: 1, ops: [put, put] }]
    expect(codeOf(() => log.append({ txid: 1, entries }))).toBe('KV_REQUEST_TOO_LARGE')
    await log.append(groupOf(1))
    await log.close()
    expect(groupsOf(disk)).toEqual(groups(1))
  })
})

describe('Log.appendSync()', () => {
  test('takes what was queued along, and the write under way', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk)
    const done = groups(30).map((group) => log.append(group))
    log.appendSync(groupOf(31))
    expect(log.syncedThrough).toBe(31)
    expect(log.pendingBytes).toBe(0)
    const lost = disk.afterPowerLoss(1, 'nothing')
    expect(groupsOf(lost)).toEqual(groups(31))
    await Promise.all(done)
    await log.append(groupOf(32))
    for (let txid = 33; txid < 60; txid++) log.appendSync(groupOf(txid))
    await log.close()
    expect(groupsOf(disk)).toEqual(groups(59))
  })

  test('overtakes a cut at any of its steps', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const disk = new MemoryDisk({ seed: turns, asyncOrder: 'asCalled' })
      const log = openTestLog(disk)
      const done = groups(12).map((group) => log.append(group))
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
      const last = log.lastTxid + 1
      for (let txid = last; txid < last + 12; txid++) log.appendSync(groupOf(txid))
      expect(groupsOf(disk.afterPowerLoss(1, 'nothing'))).toEqual(groups(last + 11))
      await Promise.all(done)
      await log.append(groupOf(last + 12))
      await log.close()
      expect(groupsOf(disk)).toEqual(groups(last + 12))
    }
  })
})

describe('a failing disk', () => {
  test('a failed sync poisons the log; nothing is synced again', async () => {
    const { disk, operations, count } = traced()
    const log = openTestLog(disk, { segmentBytes: 1024 * 1024 })
    operations.length = 0
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    const first = rejection(log.append(groupOf(1)))
    const second = rejection(log.append(groupOf(2)))
    expect(await first).toMatchObject({ code: 'KV_IO', outcome: 'unknown' })
    expect(await second).toMatchObject({ code: 'KV_IO', outcome: 'none' })
    expect(codeOf(() => log.append(groupOf(3)))).toBe('KV_POISONED')
    expect(log.syncedThrough).toBe(0)
    await log.close()
    expect(count('sync')).toBe(1)
  })

  test('a failed sync of appendSync() is final too', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk)
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    expect(codeOf(() => log.appendSync(groupOf(1)))).toBe('KV_IO')
    expect(codeOf(() => log.appendSync(groupOf(1)))).toBe('KV_POISONED')
    await log.close()
  })

  test('none: close() tells of what could not be written', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk, { syncMode: 'none' })
    disk.injectFault({ kind: 'write', code: 'EIO' })
    await log.append(groupOf(1))
    await new Promise((resolve) => setTimeout(resolve, 20))
    await expect(log.close()).rejects.toMatchObject({ code: 'KV_IO', outcome: 'unknown' })
  })

  test('waiting for a group that won’t be durable ends', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk)
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    const beyond = log.syncedBeyond(0)
    await rejection(log.append(groupOf(1)))
    expect(await beyond).toBe(false)
    await log.close()
  })
})

describe('Log.reserve()', () => {
  test('refuses what does not fit on the disk, and what was admitted fits', async () => {
    for (let capacityBytes = 12_288; capacityBytes < 60_000; capacityBytes += 4096) {
      const disk = new MemoryDisk({ capacityBytes })
      const log = openTestLog(disk, { segmentBytes: 8192, emergencyBytes: 1024 })
      let txid = 0
      let refusal: unknown
      while (refusal === undefined) {
        try {
          const reservation = log.reserve(1000)
          await log.append(groupOf(txid + 1), reservation)
          txid += 1
        } catch (error) {
          refusal = error
        }
      }
      expect(refusal).toMatchObject({ code: 'KV_NO_SPACE', outcome: 'none' })
      const empty = { txid: txid + 1, entries: [] }
      await log.append(empty, log.reserve(10, { isEmergency: true }))
      const dropped = await log.dropBefore(txid)
      if (dropped.length > 0) await log.append(groupOf(txid + 2), await log.reserveAsync(1000))
      await log.close()
      const { report } = recover(disk, { fromTxid: txid })
      expect(report.lastTxid).toBe(dropped.length > 0 ? txid + 2 : txid + 1)
    }
  })

  test('room comes back when a reservation is released', async () => {
    const disk = new MemoryDisk({ capacityBytes: 8192 })
    const log = openTestLog(disk, { segmentBytes: 4096 })
    const reservation = log.reserve(3000)
    expect(codeOf(() => log.reserve(3000))).toBe('KV_NO_SPACE')
    reservation.release()
    reservation.release()
    expect(codeOf(() => log.reserve(3000))).toBe('none')
    await log.close()
  })

  test('waits on where its room was taken by who could not wait', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk, { segmentBytes: 4096 })
    const waiting = Array.from({ length: 5 }, () => log.reserveAsync(3000))
    const reservation = log.reserve(3000)
    const granted = await Promise.all(waiting)
    disk.setCapacity(disk.usedBytes)
    const appended: LogGroup[] = []
    for (const each of [reservation, ...granted]) {
      const group = groupOf(appended.length + 1, 0, 900)
      appended.push(group)
      await log.append(group, each)
    }
    await log.close()
    expect(groupsOf(disk)).toEqual(appended)
  })

  test('is refused when the log is closed meanwhile', async () => {
    const log = openTestLog(new MemoryDisk(), { segmentBytes: 4096 })
    const waiting = Array.from({ length: 3 }, () => rejection(log.reserveAsync(9000)))
    await log.close()
    for (const each of waiting) expect(await each).toMatchObject({ code: 'KV_CLOSED' })
  })

  test('fits() says what is granted without making a segment', async () => {
    const { disk, operations } = traced()
    const log = openTestLog(disk, { segmentBytes: 4096, emergencyBytes: 500 })
    let most = 0
    for (let txid = 1; txid <= 40; txid++) {
      // Nothing is prepared in the background any more.
      await new Promise((resolve) => setTimeout(resolve, 1))
      for (const payloadBytes of [10, 500, 1500, 3000, 3500, 10_000]) {
        const fits = log.fits(payloadBytes)
        if (fits) most = Math.max(most, payloadBytes)
        if (!fits && txid % 8 !== 0) continue
        const before = operations.length
        log.reserve(payloadBytes).release()
        expect(operations.length === before).toBe(fits)
      }
      await log.append(groupOf(txid))
    }
    expect(most).toBeGreaterThanOrEqual(3000)
    expect(log.fits(2 ** 31)).toBe(false)
    await log.close()
  })

  test('a segment that is cut leaves room for who has a reservation', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk, { segmentBytes: 1024 })
    const large = groupOf(1, 0, 60_000)
    await log.append(large, log.reserve(100_000))
    const reservation = log.reserve(3000)
    await log.cut()
    disk.setCapacity(disk.usedBytes)
    await log.append(groupOf(2, 0, 1000), reservation)
    await log.close()
    expect(groupsOf(disk)).toEqual([large, groupOf(2, 0, 1000)])
  })

  test('more than maxPendingBytes waiting is KV_BUSY', async () => {
    const log = openTestLog(new MemoryDisk(), { maxPendingBytes: 1000 })
    const reservation = log.reserve(800)
    expect(codeOf(() => log.reserve(800))).toBe('KV_BUSY')
    reservation.release()
    log.reserve(5000).release()
    await log.close()
  })
})

describe('segments', () => {
  test('cut() begins another, and none where the last is empty', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk)
    await log.append(groupOf(1))
    await log.cut()
    await log.cut()
    expect(log.segments.map((segment) => segment.firstTxid)).toEqual([1, 2])
    await log.append(groupOf(2))
    await log.close()
    expect(groupsOf(disk)).toEqual(groups(2))
  })

  test('cut() to a small one leaves little to read, and does nothing where it is small', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk, { segmentBytes: 64 * 1024 * 1024 })
    const first = log.segments.length
    await log.append(groupOf(1))
    await log.cut({ isSmall: true })
    expect(log.segments.length).toBe(first)
    await log.cut()
    await log.append(groupOf(2))
    await log.cut({ isSmall: true })
    await log.cut({ isSmall: true })
    const sizes = log.segments.map(({ path }) => disk.readFile(path).length / 1024 / 1024)
    expect(sizes).toEqual([1, 4, 1])
    await log.close()
    expect(groupsOf(disk)).toEqual(groups(2))
  })

  test('appendedBytes counts the frames, and what recovery found', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk, { segmentBytes: 65_536 })
    const before = log.appendedBytes
    for (const group of groups(20)) await log.append(group)
    const frames = groups(20).map(({ entries }) => frameSize(encodeEntries(entries).length))
    const sum = frames.reduce((total, size) => total + size, 0)
    expect(log.appendedBytes - before).toBe(sum)
    await log.close()
    const next = openTestLog(disk, { segmentBytes: 65_536 })
    expect(next.appendedBytes).toBeGreaterThanOrEqual(sum)
    await next.close()
  })

  test('dropBefore() removes what is older, or archives it, durably', async () => {
    for (const archive of [undefined, '/data/archive']) {
      const disk = new MemoryDisk()
      const log = openTestLog(disk)
      for (const group of groups(60)) await log.append(group)
      const dropped = await log.dropBefore(40, archive)
      expect(dropped.length).toBeGreaterThan(3)
      const found = disk.afterPowerLoss(1, 'nothing')
      expect(found.list(DIRECTORY).filter((name) => name.endsWith('.wal'))).toHaveLength(
        log.segments.length,
      )
      if (archive !== undefined) expect(found.list(archive)).toHaveLength(dropped.length)
      expect(groupsOf(disk, 39)).toEqual(groups(60).slice(39))
      expect(codeOf(() => groupsOf(disk, 2))).toBe('KV_CORRUPT')
      await log.close()
    }
  })
})

/** A disk and what was done on it. */
function traced(): {
  readonly disk: MemoryDisk
  readonly operations: Operation[]
  readonly count: (kind: string) => number
} {
  const trace = new Trace()
  const { disk, operations } = trace
  return { disk, operations, count: (kind) => trace.count(kind) }
}
