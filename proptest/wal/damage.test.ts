/**
 * Damage of any byte of a log: told, or the cut of a tail of which nothing says that it was synced,
 * or without effect. Never other groups than were appended.
 */
import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { isKvError } from '../../base/errors.ts'
import type { MemoryDisk } from '../../disk/memory-disk.ts'
import type { LogGroup } from '../../base/log-group.ts'
import { replayLog } from '../../wal/replay.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { DIRECTORY, recoverOptions, sameGroups } from './fixture.ts'
import { sampleOf } from './sample.ts'
import type { Sample } from './sample.ts'

type Verdict = 'told' | 'harmless' | 'tail cut'

/** Claims that at least `known` groups are found, or the damage is told. */
function judge(sample: Sample, disk: MemoryDisk, known: number): Verdict {
  let found: LogGroup[]
  let isTorn: boolean
  try {
    const replay = replayLog(recoverOptions(disk))
    isTorn = replay.torn !== undefined
    found = [...replay.groups()]
  } catch (error) {
    if (!isKvError(error)) throw error
    expect(['KV_CORRUPT', 'KV_BAD_FILE', 'KV_BAD_VERSION']).toContain(error.code)
    return 'told'
  }
  const expected = sample.groups.slice(0, found.length)
  expect(sameGroups(found, expected)).toBe(true)
  expect(found.length).toBeGreaterThanOrEqual(known)
  if (found.length === sample.groups.length) return 'harmless'
  expect(isTorn).toBe(true)
  return 'tail cut'
}

test('a flipped bit is told, cuts an unconfirmed tail, or changes nothing', async () => {
  const counts = { told: 0, harmless: 0, 'tail cut': 0 }
  const random = new Random(seed >>> 0)
  const cases = effort({ smoke: 700, ci: 20_000, soak: 500_000 })
  for (let done = 0; !isEnough(done, cases, counts);) {
    const sample = await sampleOf(random)
    const names = sample.disk.list(DIRECTORY)
    for (let i = 0; i < 100; i++, done++) {
      const disk = sample.disk.clone()
      const path = `${DIRECTORY}/${random.pick(names)}`
      const size = disk.readFile(path).length
      const offset = random.below(random.pick([size, 72, Math.min(size, 600)]))
      disk.flipBit(path, offset, random.below(8))
      counts[judge(sample, disk, sample.said)]++
    }
  }
  expect(unmet(counts)).toEqual([])
})

test('a segment cut short, or with rubbish in it, is no other log', async () => {
  const random = new Random((seed >>> 0) + 1)
  const cases = effort({ smoke: 500, ci: 5000, soak: 100_000 })
  for (let done = 0; done < cases;) {
    const sample = await sampleOf(random)
    const names = sample.disk.list(DIRECTORY)
    for (let i = 0; i < 50; i++, done++) {
      const disk = sample.disk.clone()
      const path = `${DIRECTORY}/${random.pick(names)}`
      const bytes = disk.readFile(path)
      const start = random.below(bytes.length)
      if (random.chance(0.5)) disk.writeFile(path, bytes.subarray(0, start))
      else {
        random.fill(bytes.subarray(start, start + random.between(1, 600)))
        disk.writeFile(path, bytes)
      }
      // The frames that say what was synced may be gone too.
      judge(sample, disk, 0)
    }
  }
})
