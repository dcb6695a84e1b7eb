/**
 * The power cut, the disk failing or full at every operation of a backup and of a restore: there is
 * what was there before, or what was to be; never a file that looks whole and isn't.
 */

import { beforeAll, describe, expect, test } from 'vitest'
import { CorruptionError, isKvError } from '../../base/errors.ts'
import { PowerCut } from '../../disk/fault-plan.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { PowerLossMode } from '../../disk/power-loss.ts'
import { restoreBackupOn, verifyBackupOn } from '../../store/backup-verify.ts'
import { openOn } from '../../store/open.ts'
import { effort, seed } from '../effort.ts'
import { BACKUP, BACKUP_MANIFEST, contentIn, contentOf, smallStore } from './small-store.ts'

const MODES: readonly PowerLossMode[] = ['nothing', 'everything', 'torn']
const RANDOM_IMAGES = effort({ smoke: 1, ci: 8, soak: 200 })
const PAGE_SIZE = 4096
const TARGET = '/restored'

/** A store that is closed; and the same with a backup of it. */
let before: MemoryDisk
let backedUp: MemoryDisk
let content: unknown

beforeAll(async () => {
  const disk = new MemoryDisk()
  const store = await smallStore(disk)
  content = await contentOf(store)
  await store.close()
  before = disk.clone()
  const reader = await openOn(disk, '/data', { readOnly: true })
  await reader.backup(BACKUP)
  await reader.close()
  backedUp = disk.clone()
})

type Doing = (disk: MemoryDisk) => Promise<unknown>

/** Opens the store and prepares `fault`, then backs it up; closes it as well as may be. */
async function backUp(disk: MemoryDisk, fault: (disk: MemoryDisk) => void): Promise<unknown> {
  const store = await openOn(disk, '/data')
  try {
    fault(disk)
    return await store.backup(BACKUP)
  } finally {
    await store.close().catch(() => {})
  }
}

/** Runs `work` again and again, with the power cut one operation later each time. */
async function cutEverywhere(
  start: MemoryDisk,
  work: (disk: MemoryDisk, cut: (disk: MemoryDisk) => void) => Promise<unknown>,
  examine: (image: MemoryDisk, isDone: boolean, where: string) => Promise<void>,
): Promise<number> {
  for (let operation = 1; ; operation++) {
    const disk = start.clone()
    let isDone = false
    await work(disk, () => disk.cutPowerAt(disk.operationCount + operation)).then(
      () => (isDone = true),
      (error: unknown) => {
        if (!(error instanceof PowerCut)) throw error
      },
    )
    const modes = [...MODES, ...Array.from({ length: RANDOM_IMAGES }, () => 'random' as const)]
    for (const [i, mode] of modes.entries()) {
      const image = disk.afterPowerLoss((seed >>> 0) + operation * 64 + i, mode)
      await examine(image, isDone, `cut at operation ${operation}, image ${i} (${mode})`)
    }
    if (isDone) return operation
  }
}

describe('a backup that is cut short', () => {
  test('by the power is there whole or not at all, wherever it is cut', async () => {
    const met = { whole: 0, absent: 0, orphans: 0 }
    const operations = await cutEverywhere(before, backUp, async (image, isDone, where) => {
      if (!image.exists(BACKUP)) {
        expect(isDone, where).toBe(false)
        met.absent++
        if (image.exists(BACKUP_MANIFEST)) met.orphans++
        await backUp(image, () => {})
      } else {
        met.whole++
      }
      const { manifest } = await verifyBackupOn(image, BACKUP)
      expect(manifest, where).toBeDefined()
      await restoreBackupOn(image, { source: BACKUP, directory: TARGET })
      expect(await contentIn(image, TARGET), where).toEqual(content)
      expect(await contentIn(image, '/data'), where).toEqual(content)
    })
    expect(operations).toBeGreaterThan(10)
    expect(met.whole).toBeGreaterThan(0)
    expect(met.absent).toBeGreaterThan(0)
    expect(met.orphans).toBeGreaterThan(0)
  })

  test('by a failing disk leaves nothing behind, wherever it fails', async () => {
    for (const code of ['EIO', 'ENOSPC']) {
      for (let operation = 1; ; operation++) {
        const disk = before.clone()
        const store = await openOn(disk, '/data')
        disk.injectFault({ operation: disk.operationCount + operation, code })
        const failed = await store.backup(BACKUP).then(
          () => undefined,
          (error: unknown) => error,
        )
        if (failed === undefined) break
        const where = `${code} at operation ${operation}`
        expect(isKvError(failed, code === 'EIO' ? 'KV_IO' : 'KV_NO_SPACE'), where).toBe(true)
        expect(disk.list('/backups'), where).toEqual([])
        await store.backup(BACKUP)
        await store.put('goes', 'on')
        await store.close()
        expect(await verifyBackupOn(disk, BACKUP), where).toMatchObject({ hasTrailer: true })
      }
    }
  })

  test('by a disk that can’t be read leaves nothing behind', async () => {
    for (const path of ['/data/db', `${BACKUP}.partial`, `${BACKUP_MANIFEST}.partial`]) {
      for (let skip = 0; ; skip++) {
        const disk = before.clone()
        const store = await openOn(disk, '/data')
        const lift = disk.injectFault({ kind: 'read', path, skip, code: 'EIO' })
        const failed = await store.backup(BACKUP).then(
          () => undefined,
          (error: unknown) => error,
        )
        lift()
        if (failed === undefined) {
          await store.close()
          expect(skip, path).toBeGreaterThan(0)
          break
        }
        expect(isKvError(failed), `${path}, read ${skip}`).toBe(true)
        expect(disk.list('/backups')).toEqual([])
        await store.close()
      }
    }
  })

  test('by a full disk leaves the room it took, and the store goes on', async () => {
    let isDone = false
    for (let pages = 0; !isDone; pages++) {
      const disk = before.clone()
      const store = await openOn(disk, '/data')
      const used = disk.usedBytes
      disk.setCapacity(used + pages * PAGE_SIZE)
      const code = await store.backup(BACKUP).then(
        () => 'done',
        (error: unknown) => (isKvError(error) ? error.code : String(error)),
      )
      isDone = code === 'done'
      disk.setCapacity(Infinity)
      if (!isDone) {
        expect(code).toBe('KV_NO_SPACE')
        expect(disk.usedBytes).toBe(used)
      }
      await store.put('goes', 'on')
      await store.close()
    }
  })

  test('by a disk that wrote something else is refused', async () => {
    const disk = before.clone()
    const store = await openOn(disk, '/data')
    const openFile = disk.open.bind(disk)
    disk.open = (path, options) => {
      const file = openFile(path, options)
      const sync = file.syncAsync.bind(file)
      file.syncAsync = async (kind) => {
        await sync(kind)
        if (path === `${BACKUP}.partial`) disk.flipBit(path, 5, 1)
      }
      return file
    }
    const backup = store.backup(BACKUP)
    await expect(backup).rejects.toMatchObject({ code: 'KV_CORRUPT' })
    expect(disk.list('/backups')).toEqual([])
    await store.close()
  })

  test('by a damaged page of the store names it, and nothing is written', async () => {
    const length = before.readFile('/data/db').length
    const refused: string[] = []
    for (let offset = 2 * PAGE_SIZE + 8; offset < length; offset += PAGE_SIZE) {
      const damaged = before.clone()
      const store = await openOn(damaged, '/data')
      damaged.flipBit('/data/db', offset, 7)
      const failed: unknown = await store.backup(BACKUP).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (failed !== undefined) {
        if (!(failed instanceof CorruptionError)) throw failed
        // A run of pages is named by its first one.
        expect(failed.offset).toBeLessThanOrEqual(offset)
        refused.push(`${offset}`)
        expect(damaged.list('/backups')).toEqual([])
      }
      await store.close().catch(() => {})
    }
    expect(refused.length).toBeGreaterThan(2)
  })
})

describe('a restore that is cut short', () => {
  const restore = async (disk: MemoryDisk, cut: (disk: MemoryDisk) => void): Promise<unknown> => {
    cut(disk)
    return await restoreBackupOn(disk, { source: BACKUP, directory: TARGET })
  }

  test('by the power is a store or none, wherever it is cut', async () => {
    const met = { whole: 0, absent: 0 }
    await cutEverywhere(backedUp, restore, async (image, isDone, where) => {
      if (image.exists(`${TARGET}/db`)) {
        met.whole++
      } else {
        expect(isDone, where).toBe(false)
        met.absent++
        await restore(image, () => {})
      }
      expect(await contentIn(image, TARGET), where).toEqual(content)
      await verifyBackupOn(image, BACKUP)
    })
    expect(met.whole).toBeGreaterThan(0)
    expect(met.absent).toBeGreaterThan(0)
  })

  test('by a failing disk leaves no store, wherever it fails', async () => {
    const doing: Doing = (disk) => restore(disk, () => {})
    for (let operation = 1; ; operation++) {
      const disk = backedUp.clone()
      disk.injectFault({ operation, code: 'EIO' })
      const failed = await doing(disk).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (failed === undefined) break
      expect(isKvError(failed, 'KV_IO'), `operation ${operation}`).toBe(true)
      await doing(disk)
      expect(await contentIn(disk, TARGET)).toEqual(content)
    }
  })

  test('replaces nothing', async () => {
    const disk = backedUp.clone()
    const into = async (directory: string): Promise<unknown> =>
      await restoreBackupOn(disk, { source: BACKUP, directory })
    await expect(into('/data')).rejects.toMatchObject({ code: 'KV_EXISTS' })
    await expect(into('/backups')).rejects.toMatchObject({ code: 'KV_EXISTS' })
    await into(TARGET)
    await expect(into(TARGET)).rejects.toMatchObject({ code: 'KV_EXISTS' })
    expect(await contentIn(disk, '/data')).toEqual(content)
  })
})
