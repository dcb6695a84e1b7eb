/** Every byte of a backup and of its manifest: damaged, it is refused, and the place is named. */

import { beforeAll, describe, expect, test } from 'vitest'
import { CorruptionError, KvError } from '../../base/errors.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { restoreBackupOn, verifyBackupOn } from '../../store/backup-verify.ts'
import { size } from '../effort.ts'
import { BACKUP, BACKUP_MANIFEST, smallStore } from './small-store.ts'

/** One byte in so many of the database; a smaller part takes too long for every day. */
const STRIDE = size === 'smoke' ? 13 : 1
const MIB = 1024 * 1024

let whole: MemoryDisk

/** A disk that is fast, with the backup alone. */
function copyOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk({ isPlain: true })
  for (const path of [BACKUP, BACKUP_MANIFEST]) copy.writeFile(path, disk.readFile(path))
  return copy
}

beforeAll(async () => {
  const disk = new MemoryDisk()
  const store = await smallStore(disk)
  await store.backup(BACKUP)
  await store.close()
  whole = copyOf(disk)
})

async function refusalOf(disk: MemoryDisk): Promise<KvError> {
  try {
    await verifyBackupOn(disk, BACKUP)
  } catch (error) {
    if (error instanceof KvError) return error
    throw error
  }
  throw new Error('it was taken for whole')
}

/** Which offsets to damage. */
function offsets(length: number, stride: number): number[] {
  return Array.from({ length: Math.ceil(length / stride) }, (_, i) => i * stride)
}

describe('a damaged backup', () => {
  test('is refused whatever byte it is, and the range is named', async () => {
    const { length } = whole.readFile(BACKUP)
    const database = length - 32
    const chosen = [...offsets(database, STRIDE), ...offsets(32, 1).map((at) => database + at)]
    for (const offset of chosen) {
      whole.flipBit(BACKUP, offset, offset % 8)
      const refusal = await refusalOf(whole)
      whole.flipBit(BACKUP, offset, offset % 8)
      const range = offset < database ? `bytes 0 to ${database - 1}` : `bytes ${database} to`
      expect(refusal, `byte ${offset}`).toBeInstanceOf(CorruptionError)
      expect(refusal.message, `byte ${offset}`).toContain(range)
    }
    expect(await verifyBackupOn(whole, BACKUP)).toMatchObject({ hasTrailer: true })
  })

  test('is refused whatever byte of its manifest it is', async () => {
    const { length } = whole.readFile(BACKUP_MANIFEST)
    for (let offset = 0; offset < length; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        whole.flipBit(BACKUP_MANIFEST, offset, bit)
        const refusal = await refusalOf(whole)
        whole.flipBit(BACKUP_MANIFEST, offset, bit)
        const where = `byte ${offset}, bit ${bit}`
        expect(['KV_CORRUPT', 'KV_BAD_FILE'], where).toContain(refusal.code)
        expect(refusal.message, where).toContain(BACKUP_MANIFEST)
      }
    }
  })

  test('is refused whatever its length is', async () => {
    const bytes = whole.readFile(BACKUP)
    const disk = copyOf(whole)
    for (const at of [0, 1, 4096, bytes.length - 33, bytes.length - 1, bytes.length + 1]) {
      const changed = new Uint8Array(at)
      changed.set(bytes.subarray(0, at))
      disk.writeFile(BACKUP, changed)
      const { message } = await refusalOf(disk)
      const [from, to] = at < bytes.length ? [at, bytes.length - 1] : [bytes.length, at - 1]
      expect(message).toContain(`bytes ${from} to ${to}`)
    }
  })

  test('without its manifest is refused by its trailer', async () => {
    const disk = copyOf(whole)
    disk.remove(BACKUP_MANIFEST)
    expect((await verifyBackupOn(disk, BACKUP)).manifest).toBeUndefined()
    for (const offset of offsets(whole.readFile(BACKUP).length, 997)) {
      disk.flipBit(BACKUP, offset, 3)
      const refusal = await refusalOf(disk)
      disk.flipBit(BACKUP, offset, 3)
      expect(refusal, `byte ${offset}`).toBeInstanceOf(CorruptionError)
    }
  })

  test('names each MiB that is damaged, and restores nothing', async () => {
    const disk = new MemoryDisk()
    const store = await smallStore(disk)
    for (let i = 0; i < 5; i++) await store.put(`large ${i}`, 'z'.repeat(MIB))
    const { sizeBytes } = await store.backup(BACKUP)
    await store.close()
    disk.flipBit(BACKUP, MIB + 5, 0)
    disk.flipBit(BACKUP, 3 * MIB, 0)
    const refusal = await refusalOf(disk)
    expect(sizeBytes).toBeGreaterThan(5 * MIB)
    expect(refusal.message).toContain(
      `bytes ${MIB} to ${2 * MIB - 1}, ${3 * MIB} to ${4 * MIB - 1} differ`,
    )
    const restoring = restoreBackupOn(disk, { source: BACKUP, directory: '/restored' })
    await expect(restoring).rejects.toMatchObject({ code: 'KV_CORRUPT', offset: MIB })
    expect(disk.exists('/restored')).toBe(false)
  })

  test('is refused where it is another backup than its manifest’s', async () => {
    const disk = new MemoryDisk()
    const store = await smallStore(disk)
    await store.backup(BACKUP)
    await store.put('a', '1')
    await store.backup('/backups/c.db')
    await store.close()
    disk.writeFile(BACKUP, disk.readFile('/backups/c.db'))
    expect((await refusalOf(disk)).code).toBe('KV_CORRUPT')
  })
})
