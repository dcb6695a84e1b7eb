/** Damaged archives: whatever byte is wrong or file is missing, no store is made of it. */

import { beforeAll, expect, test } from 'vitest'
import { isKvError } from '../../base/errors.ts'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { readBases } from '../../snapshot/archive-files.ts'
import { openOn } from '../../store/open.ts'
import { restoreToOn } from '../../store/restore-to.ts'
import { inspectLog } from '../../wal/inspect.ts'
import { effort, seed } from '../effort.ts'
import { ARCHIVE } from './archived-life.ts'

const TARGET = '/made'

let sound: MemoryDisk

beforeAll(async () => {
  sound = new MemoryDisk()
  const tuning = { segmentBytes: 2048, random: new Random(1) }
  const store = await openOn(sound, '/data', { archive: true, checkpointBytes: 600 }, tuning)
  for (let i = 0; i < 150; i++) await store.put(`k${i % 7}`, `value ${i}`)
  await store.close()
})

async function refusal(disk: MemoryDisk): Promise<unknown> {
  const to = { source: '/data', directory: TARGET, to: 'end' }
  const refused = await restoreToOn({ disk, random: new Random(2) }, to).then(
    () => 'it was restored',
    (error: unknown) => error,
  )
  expect(disk.exists(TARGET)).toBe(false)
  expect(disk.exists(`${TARGET}.restoring`)).toBe(false)
  return refused
}

/** The files that are read, and how many of their first bytes mean something. */
function filesOf(disk: MemoryDisk): { readonly path: string; readonly usedBytes: number }[] {
  const [base] = readBases(disk, ARCHIVE)
  if (base === undefined) throw new Error('there is no base')
  const { path, manifestPath } = base
  const files = [path, manifestPath].map((file) => ({
    path: file,
    usedBytes: disk.readFile(file).length,
  }))
  for (const event of inspectLog(ARCHIVE, { disk }).walk()) {
    if (event.kind === 'segment') files.push(event.segment)
  }
  return files
}

test('any byte of base, manifest and segment that is wrong is refused by file and offset', async () => {
  const files = filesOf(sound)
  expect(files.length).toBeGreaterThan(6)
  const random = new Random(seed >>> 0)
  const perFile = effort({ smoke: 12, ci: 150, soak: 5000 })
  for (const { path, usedBytes } of files) {
    for (let i = 0; i < perFile; i++) {
      const offset = i === 0 ? usedBytes - 1 : random.below(usedBytes)
      const disk = sound.clone()
      disk.flipBit(path, offset, random.below(8))
      const refused = await refusal(disk)
      const where = `${path} at ${offset}: ${String(refused)}`
      expect(isKvError(refused) && refused.code, where).toBe('KV_CORRUPT')
      expect(refused, where).toMatchObject({ file: path })
      // The place named is where the damage is, or the beginning of what it is in.
      const named = (refused as { readonly offset?: number }).offset ?? Infinity
      expect(named, where).toBeLessThanOrEqual(offset)
    }
  }
})

test('a file that is missing is named', async () => {
  for (const { path } of filesOf(sound)) {
    if (path.endsWith('.json')) continue
    const disk = sound.clone()
    disk.remove(path)
    const refused = await refusal(disk)
    expect(isKvError(refused) && refused.code, path).toBe('KV_CORRUPT')
    const name = path.slice(ARCHIVE.length + 1)
    const [sequence = ''] = name.split('-')
    const isFirst = name.startsWith('0000000000000001-')
    // Of what is before the first one left only the txid is known.
    const expected = name.endsWith('.db')
      ? path
      : isFirst
        ? 'the segment with'
        : `${sequence}-*.wal`
    expect(String(refused), path).toContain(expected)
  }
})

test('a file that is cut short is refused', async () => {
  for (const { path, usedBytes } of filesOf(sound)) {
    const disk = sound.clone()
    const file = disk.open(path, { mode: 'write' })
    file.truncate(usedBytes - 1)
    file.close()
    expect(await refusal(disk), path).toMatchObject({ code: 'KV_CORRUPT', file: path })
  }
})

test('the base of another log is refused', async () => {
  const disk = sound.clone()
  const other = new MemoryDisk()
  const store = await openOn(other, '/data', { archive: true }, { random: new Random(9) })
  await store.put('a', 'b')
  await store.close()
  const [ours] = readBases(disk, ARCHIVE)
  const [theirs] = readBases(other, ARCHIVE)
  if (ours === undefined || theirs === undefined) throw new Error('there is no base')
  disk.writeFile(ours.path, other.readFile(theirs.path))
  disk.writeFile(ours.manifestPath, other.readFile(theirs.manifestPath))
  expect(await refusal(disk)).toMatchObject({ code: 'KV_BAD_FILE' })
  await expect(openOn(disk, '/data', { archive: true })).rejects.toMatchObject({
    code: 'KV_LOG_MISMATCH',
  })
})
