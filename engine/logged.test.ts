import { expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { HeldLog } from '../proptest/engine/held-log.ts'
import { openLogged } from '../proptest/engine/logged-engine.ts'

test('commitQueued() tells of records that are durable together in their order', async () => {
  const log = new HeldLog()
  await using engine = await openLogged('/db', {
    disk: new MemoryDisk(),
    log,
    logId: 1,
    groups: [],
  })
  const told: number[] = []
  const commits: Promise<unknown>[] = []
  const commit = (size: number): void => {
    const tx = engine.beginNow({ writable: true })
    const { id } = tx
    tx.createBucketIfNotExists('b').put('k', 'x'.repeat(size))
    commits.push(tx.commitQueued().then(() => told.push(id)))
  }
  // Its bucket stands in the top level: pages first, then the record.
  commit(10)
  // The record first.
  commit(5000)
  commit(5000)
  const ids = log.heldGroups.map(({ txid }) => txid)
  log.sync(Infinity)
  await Promise.all(commits)
  expect(told).toEqual(ids)
})
