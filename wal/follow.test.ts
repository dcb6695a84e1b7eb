import { expect, test } from 'vitest'
import { isKvError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { groupOf, openTestLog } from '../proptest/wal/fixture.ts'
import { followLog } from './follow.ts'
import type { LogGroup } from '../base/log-group.ts'

test('followLog() yields every group once it is durable, across segments, and ends at close', async () => {
  const disk = new MemoryDisk()
  const log = openTestLog(disk)
  const seen: LogGroup[] = []
  const follow = async (): Promise<void> => {
    for await (const group of followLog(log, { disk, fromTxid: 3 })) {
      expect(group.txid).toBeLessThanOrEqual(log.syncedThrough)
      seen.push(group)
    }
  }
  const following = follow()
  for (let txid = 1; txid <= 60; txid++) {
    const done = log.append(groupOf(txid))
    if (txid % 3 === 0) await done
    if (txid % 20 === 0) log.flushSync()
  }
  await log.close()
  await following
  expect(seen).toEqual(Array.from({ length: 57 }, (_, i) => groupOf(i + 4)))
})

test('followLog() sees nothing that is only written', async () => {
  const disk = new MemoryDisk()
  const log = openTestLog(disk, { syncMode: 'os', segmentBytes: 65_536 })
  const groups = followLog(log, { disk, fromTxid: 0 })
  const first = groups.next()
  await log.append(groupOf(1))
  const early = await Promise.race([
    first,
    new Promise((resolve) => setTimeout(resolve, 20, 'none')),
  ])
  expect(early).toBe('none')
  await log.flush()
  expect((await first).value).toEqual(groupOf(1))
  await log.close()
  expect((await groups.next()).done).toBe(true)
})

test('followLog() stops at an abort, and where its segment was dropped', async () => {
  const disk = new MemoryDisk()
  const log = openTestLog(disk)
  const controller = new AbortController()
  const waiting = followLog(log, { disk, fromTxid: 0, signal: controller.signal }).next()
  controller.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  for (let txid = 1; txid <= 40; txid++) await log.append(groupOf(txid))
  await log.dropBefore(30)
  const late = followLog(log, { disk, fromTxid: 0 }).next()
  await expect(late).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
  await log.close()
})

/** Follows from the log's second segment on, which is dropped with all before `until` meanwhile. */
async function followWhileDropped(isNextDropped: boolean): Promise<{ end: string; last: number }> {
  const disk = new MemoryDisk()
  const log = openTestLog(disk)
  for (let txid = 1; txid <= 60; txid++) await log.append(groupOf(txid))
  const [, second, third] = log.segments
  const [behind, next] = [(second?.firstTxid ?? 0) - 1, third?.firstTxid ?? 0]
  let last = behind
  try {
    for await (const group of followLog(log, { disk, fromTxid: behind })) {
      expect(group).toEqual(groupOf(last + 1))
      if (last === behind) await log.dropBefore(isNextDropped ? 50 : next)
      last = group.txid
      if (last === 60) return { end: 'all', last }
    }
    return { end: 'closed', last }
  } catch (error) {
    return { end: isKvError(error) ? error.code : String(error), last: last + 1 - next }
  } finally {
    await log.close()
  }
}

test('followLog() reads the segment that it is in though it is dropped, and goes on behind it', async () => {
  expect(await followWhileDropped(false)).toEqual({ end: 'all', last: 60 })
  // The first group of the third segment is the one missing.
  expect(await followWhileDropped(true)).toEqual({ end: 'KV_NOT_FOUND', last: 0 })
})
