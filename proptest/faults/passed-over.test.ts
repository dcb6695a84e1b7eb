/**
 * Writing on from an older generation while a newer meta stands in the file: the power goes before
 * the new commit's meta is written, and the newer one must not come back over pages that were used
 * again.
 */

import { expect, test } from 'vitest'
import { PowerCut } from '../../disk/fault-plan.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/index.ts'
import type { Engine, Tx } from '../../engine/index.ts'
import { DB_PATH } from './session.ts'

function put(tx: Tx, text: string): void {
  const bucket = tx.createBucketIfNotExists('b')
  for (let i = 0; i < 40; i++) bucket.put(`key ${i}`, text.padEnd(100))
}

/** What all keys hold, where they hold the same. */
function content(engine: Engine): string {
  return engine.view((tx) => {
    const values = new Set<string>()
    for (const { value } of tx.bucket('b')?.entries() ?? []) {
      values.add(
        Buffer.from(value ?? [])
          .toString()
          .trim(),
      )
    }
    return [...values].join(', ')
  })
}

async function madeDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const engine = await openEngine(DB_PATH, { disk, pageSizeBytes: 1024 })
  for (const text of ['one', 'two', 'three']) engine.update((tx) => put(tx, text))
  await engine.close()
  return disk
}

/** Contents found after each power cut while `write` runs on a copy of the disk. */
async function contentsAfterCuts(
  disk: MemoryDisk,
  write: (disk: MemoryDisk) => Promise<void>,
): Promise<Set<string>> {
  const found = new Set<string>()
  for (let operation = 1; ; operation++) {
    const copy = disk.clone()
    copy.cutPowerAt(operation)
    const isDone = await write(copy).then(
      () => true,
      (error: unknown) => {
        if (!(error instanceof PowerCut)) throw error
        return false
      },
    )
    if (isDone) return found
    for (let seed = 0; seed < 20; seed++) {
      const engine = await openEngine(DB_PATH, { disk: copy.afterPowerLoss(seed) })
      found.add(content(engine))
      expect(engine.check().findings).toEqual([])
      await engine.close()
    }
  }
}

test('a generation passed over as asked does not come back damaged', async () => {
  const found = await contentsAfterCuts(await madeDisk(), async (disk) => {
    const engine = await openEngine(DB_PATH, { disk, generation: 'previous' })
    expect(content(engine)).toBe('two')
    engine.update((tx) => put(tx, 'four'))
    engine.update((tx) => put(tx, 'five'))
    await engine.close()
  })
  expect([...found].sort()).toEqual(['five', 'four', 'three', 'two'])
})

test('a generation passed over as cut short does not come back when the file has grown again', async () => {
  const disk = await madeDisk()
  const whole = disk.readFile(DB_PATH)
  const engine = await openEngine(DB_PATH, { disk })
  engine.update((tx) => tx.bucket('b')?.put('long', Buffer.alloc(whole.length, 'x')))
  await engine.close()
  disk.writeFile(DB_PATH, disk.readFile(DB_PATH).subarray(0, whole.length))
  const found = await contentsAfterCuts(disk, async (copy) => {
    const again = await openEngine(DB_PATH, { disk: copy })
    expect(again.report.fallback?.reason).toMatch(/the file ends/)
    expect(content(again)).toBe('three')
    again.update((tx) => tx.bucket('b')?.put('long', Buffer.alloc(whole.length * 2)))
    again.update((tx) => tx.bucket('b')?.delete('long'))
    again.update((tx) => put(tx, 'four'))
    await again.close()
  })
  for (const text of found) expect(text).toMatch(/^(three|three, \0+|four)$/)
})
