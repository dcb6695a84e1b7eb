/** A log of some segments, to be damaged. */
import type { Random } from '../../base/random.ts'
import type { LogGroup } from '../../base/log-group.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { DIRECTORY, groupOf, openTestLog } from './fixture.ts'

export interface Sample {
  readonly disk: MemoryDisk
  readonly groups: readonly LogGroup[]
  /** The newest group of which a frame says that it was synced. */
  readonly said: number
}

export async function sampleOf(random: Random): Promise<Sample> {
  const disk = new MemoryDisk({ seed: random.u32() })
  const log = openTestLog(disk, { segmentBytes: random.pick([1024, 4096]) })
  const groups: LogGroup[] = []
  let said = 0
  for (let rounds = random.between(3, 10); rounds > 0; rounds--) {
    const waits: Promise<void>[] = []
    for (let count = random.between(1, 3); count > 0; count--) {
      said = Math.max(said, log.syncedThrough)
      const group = groupOf(groups.length + 1, random.below(64), 100)
      groups.push(group)
      waits.push(log.append(group))
    }
    await Promise.all(waits)
  }
  await log.close()
  return { disk, groups, said }
}

/** Changes one thing of the log. */
export function damageLog(disk: MemoryDisk, random: Random): void {
  const names = disk.list(DIRECTORY)
  const path = `${DIRECTORY}/${random.pick(names)}`
  const bytes = disk.readFile(path)
  if (bytes.length === 0) return
  const start = random.below(Math.min(bytes.length, random.pick([bytes.length, 80, 600])))
  switch (random.below(5)) {
    case 0:
      disk.flipBit(path, start, random.below(8))
      return
    case 1:
      disk.writeFile(path, bytes.subarray(0, start))
      return
    case 2:
      random.fill(bytes.subarray(start, start + random.between(1, 600)))
      disk.writeFile(path, bytes)
      return
    case 3: {
      const other = `${DIRECTORY}/${random.pick(names)}`
      disk.writeFile(path, disk.readFile(other))
      disk.writeFile(other, bytes)
      return
    }
    default:
      disk.remove(path)
  }
}
