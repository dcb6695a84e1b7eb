/**
 * etcd's bugs of a log that was refused after a power cut, provoked here: see docs/etcd-bugs.md.
 * etcd's reader knows a torn record by a sector of it that is all zeros, so zeros that begin
 * anywhere else were damage to it. proptest/wal has power cuts and damage of every kind.
 */

import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { FRAME_HEADER_SIZE, SEGMENT_HEADER_SIZE, frameSize } from '../../wal/format.ts'
import { encodeEntries } from '../../wal/group-writer.ts'
import { effort, seed } from '../effort.ts'
import { DIRECTORY, groupOf, openTestLog, recover, sameGroups } from '../wal/fixture.ts'
import { DATA, chronicle, openStore, writeTurns } from './bug-store.ts'

const CASES = effort({ smoke: 1, ci: 3, soak: 500 })

/** Where each group's frame ends. */
function endsOf(groups: readonly ReturnType<typeof groupOf>[]): number[] {
  let end = SEGMENT_HEADER_SIZE
  return groups.map(({ entries }) => (end += frameSize(encodeEntries(entries).length)))
}

/** The bytes, with zeros from one place to another. */
function zeroed(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes).fill(0, start, end)
}

test(`WAL #6191 #11220 #11488 a tail zeroed from any byte on is cut, not refused, seed ${seed}`, async () => {
  const random = new Random(seed >>> 0)
  for (let i = 0; i < CASES; i++) {
    const disk = new MemoryDisk({ seed: random.u32() })
    const log = openTestLog(disk, { segmentBytes: 16_384 })
    const groups = Array.from({ length: 4 }, (_, n) => groupOf(n + 1, random.below(64), 500))
    await Promise.all([log.append(groups[0]!), log.append(groups[1]!)])
    // These two go on their way together: neither frame says that the other was synced.
    await Promise.all([log.append(groups[2]!), log.append(groups[3]!)])
    await log.close()
    const [name = ''] = disk.list(DIRECTORY)
    const bytes = disk.readFile(`${DIRECTORY}/${name}`)
    const [, second = 0, third = 0, last = 0] = endsOf(groups)
    expect(last).toBeGreaterThan(third + FRAME_HEADER_SIZE)
    for (let start = second; start < last; start++) {
      // To the end of the file, as a disk leaves what it never wrote; or a stretch of any length.
      const end = random.chance(0.5) ? bytes.length : random.between(start + 1, last)
      const found = zeroed(bytes, start, end)
      // A frame is the group's as long as all of its bytes are.
      const isSame = (from: number, to: number): boolean =>
        Buffer.compare(found.subarray(from, to), bytes.subarray(from, to)) === 0
      const whole = isSame(second, third) ? (isSame(third, last) ? 4 : 3) : 2
      const image = new MemoryDisk()
      image.writeFile(`${DIRECTORY}/${name}`, found)
      const recovery = recover(image)
      expect(sameGroups([...recovery.groups()], groups.slice(0, whole)), `${start}-${end}`).toBe(
        true,
      )
      const again = recovery.start()
      await again.append(groupOf(whole + 1, 99))
      await again.close()
      expect(recover(image).report.lastTxid).toBe(whole + 1)
    }
  }
})

test(`WAL #6191 #11220 #11488 nor is the store that it belongs to, seed ${seed}`, async () => {
  const random = new Random((seed >>> 0) + 1)
  for (let i = 0; i < CASES; i++) {
    const disk = new MemoryDisk({ seed: random.u32() })
    const store = await openStore(disk)
    await writeTurns(store, { random, turns: 2 }, () => {})
    const { revision: told } = await store.status()
    await store.put('last', 'x'.repeat(random.below(1500)))
    const wanted = await chronicle(store)
    const images: MemoryDisk[] = []
    const name = disk.list(`${DATA}/wal`).findLast((each) => each.endsWith('.wal'))
    const path = `${DATA}/wal/${name}`
    const bytes = disk.readFile(path)
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1
    for (let start = end - 1; start > end - 60; start -= random.between(1, 7)) {
      const image = disk.clone()
      image.writeFile(path, zeroed(bytes, start, bytes.length))
      images.push(image)
    }
    await store.close()
    for (const image of images) {
      const found = await openStore(image)
      expect(await chronicle(found)).toEqual(wanted.slice(0, told + 1))
      expect((await found.put('next', '1')).revision).toBe(told + 1)
      await found.close()
    }
  }
})
