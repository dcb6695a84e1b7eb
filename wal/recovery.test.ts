import { describe, expect, test } from 'vitest'
import { CorruptionError, isKvError } from '../base/errors.ts'
import type { KvError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import {
  DIRECTORY,
  groupOf,
  openTestLog,
  recover,
  recoverOptions,
} from '../proptest/wal/fixture.ts'
import { crc32 } from 'node:zlib'
import { viewOf } from './format.ts'
import type { LogGroup } from '../base/log-group.ts'
import { recoverLog } from './recovery.ts'
import { replayLog } from './replay.ts'

function groups(last: number): LogGroup[] {
  return Array.from({ length: last }, (_, i) => groupOf(i + 1))
}

async function diskWith(last: number, segmentBytes = 2048): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const log = openTestLog(disk, { segmentBytes })
  for (const group of groups(last)) await log.append(group)
  await log.close()
  return disk
}

function segmentsOf(disk: MemoryDisk): string[] {
  return disk
    .list(DIRECTORY)
    .filter((name) => name.endsWith('.wal'))
    .map((name) => `${DIRECTORY}/${name}`)
}

/** Where the frames of a segment begin. */
function framesOf(bytes: Uint8Array): number[] {
  const view = viewOf(bytes)
  const offsets: number[] = []
  let at = 512
  while (at < bytes.length && view.getUint32(at, true) !== 0) {
    offsets.push(at)
    at += Math.ceil((32 + view.getUint32(at + 8, true)) / 8) * 8
  }
  return offsets
}

function errorOf(body: () => unknown): KvError {
  try {
    body()
  } catch (error) {
    if (isKvError(error)) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

function edited(disk: MemoryDisk, path: string, edit: (bytes: Uint8Array) => void): MemoryDisk {
  const clone = disk.clone()
  const bytes = clone.readFile(path)
  edit(bytes)
  clone.writeFile(path, bytes)
  return clone
}

function resealHeader(bytes: Uint8Array): void {
  viewOf(bytes).setUint32(508, crc32(bytes.subarray(0, 508)), true)
}

describe('recoverLog()', () => {
  test('a torn tail is cut off, reported and zeroed; the log goes on', async () => {
    const disk = await diskWith(5, 65_536)
    const [path = ''] = segmentsOf(disk)
    const at = framesOf(disk.readFile(path))[4] ?? 0
    const torn = edited(disk, path, (bytes) => bytes.fill(0x55, at + 40, at + 60))
    const recovery = recover(torn)
    expect(recovery.report.torn).toMatchObject({ file: path, offset: at })
    expect([...recovery.groups()]).toEqual(groups(4))
    expect(
      torn
        .readFile(path)
        .subarray(at)
        .every((byte) => byte === 0),
    ).toBe(true)
    const log = recovery.start()
    await log.append(groupOf(5))
    await log.close()
    const again = recover(torn)
    expect(again.report.torn).toBeUndefined()
    expect([...again.groups()]).toEqual(groups(5))
  })

  test('a bad frame that a later one says was synced is damage, with file and offset', async () => {
    const disk = await diskWith(5, 65_536)
    const [path = ''] = segmentsOf(disk)
    const at = framesOf(disk.readFile(path))[2] ?? 0
    const damaged = edited(disk, path, (bytes) => bytes.fill(0x55, at + 40, at + 60))
    const before = damaged.readFile(path)
    const error = errorOf(() => recover(damaged))
    expect(error).toBeInstanceOf(CorruptionError)
    expect(error).toMatchObject({ code: 'KV_CORRUPT', file: path, offset: at })
    expect(damaged.readFile(path)).toEqual(before)
  })

  test('a later frame that was not synced before does not make a torn one damage', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk, { segmentBytes: 65_536 })
    await log.append(groupOf(1))
    await Promise.all([log.append(groupOf(2)), log.append(groupOf(3)), log.append(groupOf(4))])
    const [path = ''] = segmentsOf(disk)
    const at = framesOf(disk.readFile(path))[1] ?? 0
    const torn = edited(disk, path, (bytes) => bytes.fill(0, at, at + 32))
    const recovery = recover(torn)
    expect([...recovery.groups()]).toEqual(groups(1))
    expect(recovery.report.torn?.offset).toBe(at)
    await log.close()
  })

  test('what the database knows to be synced is not cut off', async () => {
    const disk = await diskWith(5, 65_536)
    const [path = ''] = segmentsOf(disk)
    const at = framesOf(disk.readFile(path))[4] ?? 0
    const damaged = edited(disk, path, (bytes) => bytes.fill(0, at, at + 32))
    expect(errorOf(() => recover(damaged, { fromTxid: 5 }))).toMatchObject({ code: 'KV_CORRUPT' })
    expect(errorOf(() => recover(damaged, { fromTxid: 3, syncedThrough: 5 }))).toMatchObject({
      offset: at,
    })
  })

  test('a frame of an older segment at the right place is not taken', async () => {
    // Two logs with the same groups: their frames differ by the salt alone.
    const disk = await diskWith(5, 65_536)
    const other = new MemoryDisk()
    const log = openTestLog(other, { segmentBytes: 65_536, seed: 99 })
    for (const group of groups(5)) await log.append(group)
    await log.close()
    const [path = ''] = segmentsOf(disk)
    const [otherPath = ''] = segmentsOf(other)
    const stale = other.readFile(otherPath)
    const at = framesOf(stale)[2] ?? 0
    const found = edited(disk, path, (bytes) => {
      bytes.set(stale.subarray(at), at)
      // The chain fits by chance.
      bytes.copyWithin(at + 12, framesOf(bytes)[1]! + 4, framesOf(bytes)[1]! + 8)
    })
    expect([...replayLog(recoverOptions(found)).groups()]).toEqual(groups(2))
  })

  test('what was in the page cache only is durable before it is shown', async () => {
    const disk = new MemoryDisk()
    const log = openTestLog(disk, { syncMode: 'os', segmentBytes: 65_536 })
    for (const group of groups(5)) await log.append(group)
    const killed = disk.processKilled()
    const recovery = recover(killed)
    expect(recovery.report.rewrittenGroups).toBe(5)
    expect([...recovery.groups()]).toEqual(groups(5))
    const found = killed.afterPowerLoss(1, 'nothing')
    expect([...recover(found).groups()]).toEqual(groups(5))
    await log.close()
  })

  test('a log that was closed is gone on with: no segment more for each opening', async () => {
    const disk = await diskWith(5, 65_536)
    recover(disk).close()
    const before = segmentsOf(disk)
    for (let i = 0; i < 3; i++) await recover(disk).start().close()
    expect(segmentsOf(disk)).toEqual(before)
  })

  test('another store, log or timeline, and a newer format, are named', async () => {
    const disk = await diskWith(3)
    const options = recoverOptions(disk)
    const storeId = new Uint8Array(16)
    expect(errorOf(() => recoverLog({ ...options, storeId })).message).toContain('another store')
    expect(errorOf(() => recoverLog({ ...options, logId: 9 })).message).toContain('another log')
    const other = errorOf(() => recoverLog({ ...options, timeline: 1 }))
    expect(other).toMatchObject({ code: 'KV_BAD_FILE' })
    expect(other.message).toContain('another timeline')
    const newer = edited(disk, segmentsOf(disk).at(-1) ?? '', (bytes) => {
      bytes[8] = 2
      resealHeader(bytes)
    })
    expect(errorOf(() => recover(newer)).code).toBe('KV_BAD_VERSION')
  })

  test('a missing segment, a foreign name and a damaged header are told', async () => {
    const disk = await diskWith(60)
    const paths = segmentsOf(disk)
    const middle = paths[3] ?? ''
    const gone = disk.clone()
    gone.remove(middle)
    expect(errorOf(() => recover(gone)).message).toContain('does not follow')
    const late = errorOf(() => recover(disk.clone(), { fromTxid: 70 }))
    expect(late.message).toContain('group 61 is damaged or missing: group 70 was synced')
    const broken = edited(disk, middle, (bytes) => bytes.fill(1, 30, 40))
    expect(errorOf(() => [...recover(broken).groups()])).toMatchObject({ file: middle, offset: 0 })
    const renamed = disk.clone()
    renamed.rename(middle, `${DIRECTORY}/00000000000000ff-00000000000000ff.wal`)
    expect(errorOf(() => recover(renamed)).code).toBe('KV_CORRUPT')
    const swapped = disk.clone()
    swapped.writeFile(middle, swapped.readFile(paths[2] ?? ''))
    expect(errorOf(() => [...recover(swapped).groups()]).message).toContain('header says')
  })

  test('no log is KV_NOT_FOUND, unless one is to be begun', () => {
    const disk = new MemoryDisk()
    expect(errorOf(() => recover(disk, { isCreated: false })).code).toBe('KV_NOT_FOUND')
    expect(errorOf(() => replayLog(recoverOptions(disk))).code).toBe('KV_NOT_FOUND')
    expect(recover(disk, { fromTxid: 8 }).report.lastTxid).toBe(8)
  })
})
