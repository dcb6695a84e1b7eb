import { expect, test } from 'vitest'
import { FakeClock } from '../base/clock.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { Preparation } from './preparation.ts'

const MIB = 1024 * 1024

function begin(): { disk: MemoryDisk; clock: FakeClock; preparation: Preparation } {
  const disk = new MemoryDisk()
  const clock = new FakeClock()
  disk.makeDirectory('/wal')
  const preparation = new Preparation(disk, '/wal', clock)
  preparation.start(MIB)
  return { disk, clock, preparation }
}

/** What is there of the file, once nothing happens any more. */
async function filled(disk: MemoryDisk): Promise<number> {
  for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve))
  return disk.list('/wal').length === 0 ? 0 : disk.readFile('/wal/0.tmp').length
}

test('a file is filled in steps, each after a pause', async () => {
  const { disk, clock, preparation } = begin()
  for (let step = 1; step <= 3; step++) {
    expect(await filled(disk)).toBe((step * MIB) / 4)
    expect(preparation.readySizeBytes).toBe(0)
    clock.advance(2)
  }
  expect(await filled(disk)).toBe(MIB)
  expect(preparation.readySizeBytes).toBe(MIB)
  await preparation.close()
  expect(disk.list('/wal')).toEqual([])
})

test('pauses end when the file is needed soon, and for who waits for it', async () => {
  for (const how of ['hurry', 'settled', 'take'] as const) {
    const { disk, preparation } = begin()
    expect(await filled(disk)).toBe(MIB / 4)
    if (how === 'hurry') preparation.hurry()
    else if (how === 'settled') await preparation.settled()
    else preparation.giveBack(await preparation.take(MIB))
    expect(await filled(disk)).toBe(MIB)
    expect(preparation.readySizeBytes).toBe(MIB)
    await preparation.close()
  }
})

test('close() ends a pause, and leaves no file', async () => {
  const { disk, preparation } = begin()
  expect(await filled(disk)).toBe(MIB / 4)
  await preparation.close()
  expect(disk.list('/wal')).toEqual([])
})
