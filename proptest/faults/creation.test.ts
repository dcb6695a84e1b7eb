/** The making of a file: cut, failed and tried again. */

import { expect, test } from 'vitest'
import { PowerCut } from '../../disk/fault-plan.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/index.ts'
import { DB_PATH } from './session.ts'

const PAGE_SIZES = [1024, 2048, 4096, 16384]

/** Creates the file with the power going at some operation; undefined when it did not go. */
async function cutCreation(
  disk: MemoryDisk,
  pageSizeBytes: number,
  operation: number,
  seed: number,
): Promise<MemoryDisk | undefined> {
  disk.cutPowerAt(operation)
  try {
    const engine = await openEngine(DB_PATH, { disk, pageSizeBytes })
    await engine.close()
    return undefined
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error
    return disk.afterPowerLoss(seed)
  }
}

test('a file whose making was cut is made anew, with another page size too', async () => {
  let cases = 0
  for (let seed = 0; seed < 400; seed++) {
    let disk = new MemoryDisk({ seed })
    for (let round = 0; round < 3; round++) {
      const pageSizeBytes = PAGE_SIZES[(seed + round * 3) % PAGE_SIZES.length] ?? 1024
      const found = await cutCreation(disk, pageSizeBytes, 1 + ((seed >> round) % 7), seed)
      if (found === undefined) break
      disk = found
      cases++
    }
    const engine = await openEngine(DB_PATH, { disk: disk.clone(), pageSizeBytes: 8192 })
    engine.update((tx) => tx.createBucket('b').put('k', 'v'))
    expect(engine.check().findings).toEqual([])
    await engine.close()
  }
  expect(cases).toBeGreaterThan(500)
})

test('a file whose making failed at a sync is whole once opening it has returned', async () => {
  for (const skip of [0, 1]) {
    for (let seed = 0; seed < 40; seed++) {
      const pageSizeBytes = PAGE_SIZES[seed % PAGE_SIZES.length] ?? 1024
      const disk = new MemoryDisk({ seed })
      disk.injectFault({ kind: ['sync', 'syncDirectory'], skip, code: 'EIO' })
      await expect(openEngine(DB_PATH, { disk, pageSizeBytes })).rejects.toMatchObject({
        code: 'KV_IO',
      })
      const engine = await openEngine(DB_PATH, { disk, pageSizeBytes })
      await engine.close()
      const found = disk.afterPowerLoss(seed, seed % 3 === 0 ? 'nothing' : 'random')
      const again = await openEngine(DB_PATH, { disk: found, pageSizeBytes })
      expect(again.report.isNew).toBe(false)
      expect(again.check().findings).toEqual([])
      await again.close()
    }
  }
})
