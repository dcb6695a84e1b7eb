/**
 * The order of writes and syncs, one narrow test for each rule. The generated workloads would find
 * each break of them as well; these say which one it is.
 */

import { expect, test } from 'vitest'
import type { DiskFile, DiskFileOptions } from '../../disk/disk.ts'
import { PowerCut } from '../../disk/fault-plan.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/index.ts'
import type { Engine } from '../../engine/index.ts'
import { DB_PATH } from './session.ts'

const KEYS = 60

/** One commit that rewrites every page: all keys get the value `n`. */
function commit(engine: Engine, n: number): void {
  engine.update((tx) => {
    const bucket = tx.createBucketIfNotExists('b')
    for (let i = 0; i < KEYS; i++) bucket.put(`key ${i}`, String(n).padEnd(40))
  })
}

/** The number that all keys hold; 0 where there are none, NaN where they differ. */
function numberIn(engine: Engine): number {
  return engine.view((tx) => {
    const found = new Set<string>()
    for (const { value } of tx.bucket('b')?.entries() ?? []) {
      found.add(Buffer.from(value ?? []).toString())
    }
    return found.size > 1 ? Number.NaN : Number([...found][0] ?? 0)
  })
}

interface Cut {
  readonly disk: MemoryDisk
  /** Commits acknowledged before the power went. */
  readonly acknowledged: number
}

/** The disk after each operation of a few commits, cut there. */
async function* cuts(commits: number): AsyncGenerator<Cut, void, undefined> {
  const made = new MemoryDisk()
  const first = await openEngine(DB_PATH, { disk: made, pageSizeBytes: 1024 })
  await first.close()
  for (let operation = 1; ; operation++) {
    const disk = made.clone()
    disk.cutPowerAt(operation)
    let acknowledged = 0
    try {
      const engine = await openEngine(DB_PATH, { disk })
      for (let n = 1; n <= commits; n++) {
        commit(engine, n)
        acknowledged = n
      }
      await engine.close()
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
    }
    if (!disk.isPowerOff) return
    yield { disk, acknowledged }
  }
}

test('a meta is never found without the pages that it leads to', async () => {
  for await (const { disk, acknowledged } of cuts(4)) {
    for (let seed = 0; seed < 12; seed++) {
      const engine = await openEngine(DB_PATH, { disk: disk.afterPowerLoss(seed) })
      expect([acknowledged, acknowledged + 1]).toContain(numberIn(engine))
      expect(engine.check().findings).toEqual([])
      await engine.close()
    }
  }
})

test('a commit that was acknowledged is there after a power cut that loses all that may be lost', async () => {
  for await (const { disk, acknowledged } of cuts(3)) {
    const engine = await openEngine(DB_PATH, { disk: disk.afterPowerLoss(1, 'nothing') })
    expect(numberIn(engine)).toBe(acknowledged)
    await engine.close()
  }
})

test('pages of the generation before the newest are never written', async () => {
  for await (const { disk, acknowledged } of cuts(6)) {
    for (const mode of ['nothing', 'random'] as const) {
      const found = disk.afterPowerLoss(acknowledged, mode)
      const options = { disk: found, readOnly: true, generation: 'previous' } as const
      const before = await openEngine(DB_PATH, options).catch(() => undefined)
      // A power cut while a meta was written leaves one generation only.
      if (before === undefined) continue
      expect(before.check().findings).toEqual([])
      expect(before.txid).toBeGreaterThanOrEqual(acknowledged)
      await before.close()
    }
  }
})

test('pages that the generation before needs are held back after reopening', async () => {
  const disk = new MemoryDisk()
  for (let n = 1; n <= 6; n++) {
    const engine = await openEngine(DB_PATH, { disk, pageSizeBytes: 1024 })
    const before = disk.clone()
    // Everything but the meta is on the disk, and the meta of the newest generation is damaged.
    before.injectFault({
      kind: 'write',
      start: 0,
      end: 2048,
      skip: 1,
      times: Infinity,
      code: 'EIO',
    })
    const cut = await openEngine(DB_PATH, { disk: before, lock: 'none' })
    expect(() => commit(cut, n)).toThrow(/EIO/)
    await cut.close()
    before.flipBit(DB_PATH, (engine.txid % 2) * 1024 + 40, 0)
    const found = await openEngine(DB_PATH, { disk: before.afterPowerLoss(n, 'everything') })
    expect(numberIn(found)).toBe(Math.max(0, n - 2))
    expect(found.check().findings).toEqual([])
    await found.close()
    commit(engine, n)
    await engine.close()
  }
})

test('a meta goes into the slot that does not hold the newest one', async () => {
  const disk = new MemoryDisk()
  const engine = await openEngine(DB_PATH, { disk, pageSizeBytes: 1024 })
  for (let n = 1; n <= 5; n++) {
    commit(engine, n)
    const { txid } = engine
    const options = { disk: disk.clone(), readOnly: true, generation: 'previous' } as const
    const before = await openEngine(DB_PATH, options)
    expect([before.txid, numberIn(before)]).toEqual([txid - 1, n - 1])
    await before.close()
  }
  await engine.close()
})

test('what was seen after a process was killed stays when the power goes then', async () => {
  let kept = 0
  for await (const { disk, acknowledged } of cuts(3)) {
    const killed = disk.processKilled()
    const engine = await openEngine(DB_PATH, { disk: killed })
    const seen = numberIn(engine)
    const after = await openEngine(DB_PATH, { disk: killed.afterPowerLoss(1, 'nothing') })
    expect(numberIn(after)).toBe(seen)
    await after.close()
    await engine.close()
    if (seen > acknowledged) kept++
  }
  expect(kept).toBeGreaterThan(0)
})

test('a new file is still in its directory after a power cut', async () => {
  const disk = new MemoryDisk()
  const engine = await openEngine(DB_PATH, { disk })
  const found = disk.afterPowerLoss(1, 'nothing')
  expect(found.exists(DB_PATH)).toBe(true)
  await engine.close()
})

test('a new file that a killed process left is still in its directory after a power cut', async () => {
  const disk = new MemoryDisk()
  // Made and synced, and killed before its directory was.
  disk.injectFault({ kind: 'syncDirectory', code: 'EIO' })
  await expect(openEngine(DB_PATH, { disk })).rejects.toMatchObject({ code: 'KV_IO' })
  const engine = await openEngine(DB_PATH, { disk })
  expect(engine.report.isNew).toBe(false)
  expect(disk.afterPowerLoss(1, 'nothing').exists(DB_PATH)).toBe(true)
  await engine.close()
})

/** Notes what is done to its files, syncs with their kind. */
class NotingDisk extends MemoryDisk {
  readonly notes: string[] = []

  override open(path: string, options: DiskFileOptions): DiskFile {
    const file = super.open(path, options)
    const sync = file.sync.bind(file)
    file.sync = (kind) => {
      this.notes.push(`sync ${kind}`)
      sync(kind)
    }
    const truncate = file.truncate.bind(file)
    file.truncate = (sizeBytes) => {
      this.notes.push('truncate')
      truncate(sizeBytes)
    }
    const write = file.write.bind(file)
    file.write = (source, position) => {
      this.notes.push('write')
      write(source, position)
    }
    return file
  }
}

test('a file that grows is synced in full before a page is written into it', async () => {
  // A data sync need not make a length durable everywhere that it is only made longer.
  const disk = new NotingDisk()
  const engine = await openEngine(DB_PATH, { disk, pageSizeBytes: 1024 })
  commit(engine, 1)
  disk.notes.length = 0
  engine.update((tx) => tx.bucket('b')?.put('long', Buffer.alloc(100_000)))
  expect(disk.notes.slice(0, 3)).toEqual(['truncate', 'sync full', 'write'])
  await engine.close()
})

test('each separator is the first key of the page that it leads to', async () => {
  const engine = await openEngine(DB_PATH, { disk: new MemoryDisk(), pageSizeBytes: 1024 })
  commit(engine, 1)
  for (let i = 0; i < KEYS; i += 3) {
    engine.update((tx) => tx.bucket('b')?.delete(`key ${i}`))
    engine.update((tx) => tx.bucket('b')?.put(`key ${i}!`, 'x'))
    expect(engine.check().findings).toEqual([])
  }
  await engine.close()
})
