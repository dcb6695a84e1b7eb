import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { Random } from '../base/random.ts'
import { PowerCut } from './fault-plan.ts'
import { MemoryDisk } from './memory-disk.ts'
import type { DiskFile } from './disk.ts'
import type { PowerLossMode } from './power-loss.ts'

vi.setConfig({ testTimeout: 60_000 })

const CHUNK = 4096
const SECTOR = 512
const MODES: readonly PowerLossMode[] = ['random', 'nothing', 'everything', 'torn']

const filled = (sizeBytes: number, value: number): Uint8Array =>
  new Uint8Array(sizeBytes).fill(value)

function diskWithFile(sizeBytes: number, value: number): { disk: MemoryDisk; file: DiskFile } {
  const disk = new MemoryDisk()
  const file = disk.open('/db', { mode: 'create' })
  file.write(filled(sizeBytes, value), 0)
  file.sync('data')
  disk.syncDirectory('/')
  return { disk, file }
}

/** What is found, over many seeds, told as text. */
function outcomes(disk: MemoryDisk, tell: (found: MemoryDisk) => string, seeds = 300): Set<string> {
  const seen = new Set<string>()
  for (let seed = 0; seed < seeds; seed++) seen.add(tell(disk.afterPowerLoss(seed)))
  return seen
}

/** One letter for the value of each sector's first byte, and where the file ends. */
function sectors(found: MemoryDisk, path = '/db'): string {
  const bytes = found.readFile(path)
  let told = ''
  for (let at = 0; at < bytes.length; at += SECTOR) told += String(bytes[at])
  return told
}

const names = (found: MemoryDisk): string => found.list('/').join(' ')

describe('bytes', () => {
  test('that were synced survive every seed and mode', () => {
    const { disk, file } = diskWithFile(3 * CHUNK, 1)
    file.write(filled(CHUNK, 2), CHUNK)
    file.sync('data')
    for (let seed = 0; seed < 200; seed++) {
      for (const mode of MODES) {
        expect(sectors(disk.afterPowerLoss(seed, mode))).toBe('111111112222222211111111')
      }
    }
  })

  test('that were not can be lost, kept or torn at any sector, and nowhere else', () => {
    const { disk, file } = diskWithFile(CHUNK, 1)
    file.write(filled(CHUNK, 2), 0)
    const found = outcomes(disk, sectors, 2000)
    for (const image of ['11111111', '22222222', '12222222', '21111111', '22221111', '11112222']) {
      expect(found).toContain(image)
    }
    for (let seed = 0; seed < 300; seed++) {
      const bytes = disk.afterPowerLoss(seed).readFile('/db')
      for (let at = 0; at < CHUNK; at += SECTOR) {
        expect(new Set(bytes.subarray(at, at + SECTOR)).size).toBe(1)
      }
    }
  })

  test('of two writes without a sync between, the later can survive alone', () => {
    const { disk, file } = diskWithFile(2 * CHUNK, 1)
    file.write(filled(CHUNK, 2), 0)
    file.write(filled(CHUNK, 3), CHUNK)
    const ends = outcomes(disk, (found) => {
      const bytes = found.readFile('/db')
      return `${bytes[0]} ${bytes[CHUNK]}`
    })
    expect([...ends].sort()).toEqual(['1 1', '1 3', '2 1', '2 3'])
  })

  test('written over twice can be found in any of their states', () => {
    const { disk, file } = diskWithFile(SECTOR, 1)
    for (const value of [2, 3, 4]) file.write(filled(SECTOR, value), 0)
    expect([...outcomes(disk, sectors)].sort()).toEqual(['1', '2', '3', '4'])
  })

  test('in one sector come in the order they were written', () => {
    const { disk, file } = diskWithFile(SECTOR, 1)
    file.write(filled(10, 2), 0)
    file.write(filled(10, 3), 100)
    const found = outcomes(disk, (image) => {
      const bytes = image.readFile('/db')
      return `${bytes[0]} ${bytes[100]}`
    })
    // Never '1 3': the sector in the cache had the first bytes before it had the second.
    expect([...found].sort()).toEqual(['1 1', '2 1', '2 3'])
  })

  test('of the operation during which the power went may be there whole, in part or not', () => {
    const { disk, file } = diskWithFile(CHUNK, 1)
    disk.cutPowerAt(disk.operationCount + 1)
    expect(() => file.write(filled(CHUNK, 2), 0)).toThrow(PowerCut)
    const found = outcomes(disk, sectors)
    expect(found).toContain('11111111')
    expect(found).toContain('22222222')
    expect(found.size).toBeGreaterThan(5)
  })

  test('are not durable by the sync during which the power went', () => {
    const { disk, file } = diskWithFile(CHUNK, 1)
    file.write(filled(CHUNK, 2), 0)
    disk.cutPowerAt(disk.operationCount + 1)
    expect(() => file.sync('data')).toThrow(PowerCut)
    expect(sectors(disk.afterPowerLoss(0, 'nothing'))).toBe('11111111')
    expect(sectors(disk.afterPowerLoss(0, 'everything'))).toBe('22222222')
  })
})

describe('modes', () => {
  test('nothing, everything and torn are what they say', () => {
    const { disk, file } = diskWithFile(CHUNK, 1)
    file.write(filled(2 * CHUNK, 2), 0)
    disk.rename('/db', '/moved')
    expect(names(disk.afterPowerLoss(1, 'nothing'))).toBe('db')
    expect(sectors(disk.afterPowerLoss(1, 'nothing'))).toBe('11111111')
    expect(sectors(disk.afterPowerLoss(1, 'everything'), '/moved')).toBe('2222222222222222')
    for (let seed = 0; seed < 50; seed++) {
      const torn = sectors(disk.afterPowerLoss(seed, 'torn'), '/moved')
      expect(torn).toMatch(/^(1+2+|2+1+){1,2}(0+2+|2+0+)$/)
    }
  })

  test('random also draws disks that keep all up to some operation and nothing after', () => {
    const { disk, file } = diskWithFile(10 * CHUNK, 0)
    for (let i = 0; i < 10; i++) file.write(filled(CHUNK, 1), i * CHUNK)
    const prefixes = new Set<number>()
    for (let seed = 0; seed < 400; seed++) {
      const image = sectors(disk.afterPowerLoss(seed))
      const match = /^(1*)0*$/.exec(image)
      if (match !== null) prefixes.add(Math.floor((match[1] ?? '').length / 8))
    }
    expect(prefixes.size).toBeGreaterThan(8)
  })

  test('the same seed gives the same image, from the same disk or its copy', () => {
    const { disk, file } = diskWithFile(CHUNK, 1)
    file.write(filled(5 * CHUNK, 2), 100)
    file.truncate(3 * CHUNK)
    for (let seed = 0; seed < 20; seed++) {
      const image = disk.afterPowerLoss(seed).readFile('/db')
      expect(Buffer.compare(disk.afterPowerLoss(new Random(seed)).readFile('/db'), image)).toBe(0)
      expect(Buffer.compare(disk.clone().afterPowerLoss(seed).readFile('/db'), image)).toBe(0)
    }
    expect(outcomes(disk, sectors).size).toBeGreaterThan(50)
  })

  test('what is found is durable: another power loss changes nothing', () => {
    const { disk, file } = diskWithFile(CHUNK, 1)
    file.write(filled(3 * CHUNK, 2), 0)
    disk.rename('/db', '/moved')
    for (let seed = 0; seed < 50; seed++) {
      const found = disk.afterPowerLoss(seed)
      const again = found.afterPowerLoss(seed + 1)
      expect(again.list('/')).toEqual(found.list('/'))
      const path = `/${found.list('/')[0]}`
      expect(Buffer.compare(again.readFile(path), found.readFile(path))).toBe(0)
    }
  })
})

describe('lengths', () => {
  test('a grown length can be lost with the bytes, and be there without them', () => {
    const { disk, file } = diskWithFile(SECTOR, 1)
    file.write(filled(SECTOR, 2), SECTOR)
    expect([...outcomes(disk, sectors)].sort()).toEqual(['1', '10', '12'])
    file.sync('data')
    expect([...outcomes(disk, sectors)]).toEqual(['12'])
  })

  test('a truncation can be lost, and then its bytes are back', () => {
    const { disk, file } = diskWithFile(4 * SECTOR, 1)
    file.truncate(2 * SECTOR)
    expect([...outcomes(disk, sectors)].sort()).toEqual(['11', '1111'])
  })

  test('bytes cut off do not come back when the file has grown again', () => {
    const { disk, file } = diskWithFile(2 * CHUNK, 1)
    file.truncate(SECTOR)
    file.truncate(CHUNK + SECTOR)
    expect([...outcomes(disk, sectors)].sort()).toEqual(['1', '100000000', '1111111111111111'])
  })

  test('bytes cut off do not come back once the length is durable, a failed sync or not', () => {
    const { disk, file } = diskWithFile(CHUNK, 1)
    file.truncate(SECTOR)
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    expect(() => file.sync('data')).toThrow('EIO')
    file.sync('data')
    file.truncate(2 * SECTOR)
    file.sync('data')
    expect([...outcomes(disk, sectors)]).toEqual(['10'])
  })

  test('what is found ends at its length: growing it shows zeros', () => {
    const { disk, file } = diskWithFile(10, 1)
    file.write(filled(CHUNK, 2), 0)
    for (let seed = 0; seed < 100; seed++) {
      const found = disk.afterPowerLoss(seed)
      const again = found.open('/db', { mode: 'write' })
      const size = again.size()
      again.truncate(2 * CHUNK)
      expect(found.readFile('/db').subarray(size)).toEqual(filled(2 * CHUNK - size, 0))
    }
  })
})

describe('names', () => {
  test('a new file can be lost until its directory is synced, synced bytes or not', () => {
    const disk = new MemoryDisk()
    const file = disk.open('/db', { mode: 'create' })
    file.write(filled(SECTOR, 1), 0)
    file.sync('full')
    expect([...outcomes(disk, names)].sort()).toEqual(['', 'db'])
    disk.syncDirectory('/')
    expect([...outcomes(disk, sectors)]).toEqual(['1'])
  })

  test('a durable name says nothing of the bytes', () => {
    const disk = new MemoryDisk()
    disk.open('/db', { mode: 'create' }).write(filled(SECTOR, 1), 0)
    disk.syncDirectory('/')
    expect([...outcomes(disk, sectors)].sort()).toEqual(['', '0', '1'])
  })

  test('a rename can be lost, and leaves the old file or the new one, never neither', () => {
    const { disk } = diskWithFile(SECTOR, 1)
    disk.open('/new', { mode: 'create' }).write(filled(SECTOR, 2), 0)
    disk.open('/new', { mode: 'write' }).sync('data')
    disk.syncDirectory('/')
    disk.rename('/new', '/db')
    const tell = (found: MemoryDisk): string => `${names(found)}: ${sectors(found)}`
    expect([...outcomes(disk, tell)].sort()).toEqual(['db new: 1', 'db: 2'])
    disk.syncDirectory('/')
    expect([...outcomes(disk, tell)]).toEqual(['db: 2'])
  })

  test('a removal can be lost until its directory is synced', () => {
    const { disk } = diskWithFile(SECTOR, 1)
    disk.remove('/db')
    expect([...outcomes(disk, names)].sort()).toEqual(['', 'db'])
    disk.syncDirectory('/')
    expect([...outcomes(disk, names)]).toEqual([''])
  })

  test('a change is kept only with the earlier ones on its names', () => {
    const { disk } = diskWithFile(SECTOR, 1)
    disk.rename('/db', '/old')
    disk.open('/db', { mode: 'create' })
    const tell = (found: MemoryDisk): string =>
      found
        .list('/')
        .map((name) => `${name}:${found.readFile(`/${name}`).length}`)
        .join(' ')
    // Never 'db:0' alone: the new file can't stand there unless the old one has moved.
    expect([...outcomes(disk, tell)].sort()).toEqual(['db:0 old:512', 'db:512', 'old:512'])
    disk.remove('/old')
    expect([...outcomes(disk, tell)].sort()).toEqual([
      '',
      'db:0',
      'db:0 old:512',
      'db:512',
      'old:512',
    ])
  })

  test('a rename between directories is one change, durable when both are synced', () => {
    const { disk } = diskWithFile(SECTOR, 1)
    disk.makeDirectory('/dir')
    disk.syncDirectory('/')
    disk.rename('/db', '/dir/db')
    const tell = (found: MemoryDisk): string => `${names(found)} ${found.list('/dir').join(' ')}`
    const both = ['db dir ', 'dir db']
    expect([...outcomes(disk, tell)].sort()).toEqual(both)
    disk.syncDirectory('/dir')
    expect([...outcomes(disk, tell)].sort()).toEqual(both)
    disk.syncDirectory('/')
    expect([...outcomes(disk, tell)]).toEqual(['dir db'])
  })

  test('a durable change takes the earlier ones on its names along', () => {
    const { disk } = diskWithFile(SECTOR, 1)
    disk.makeDirectory('/dir')
    disk.syncDirectory('/')
    disk.rename('/db', '/dir/db')
    disk.open('/db', { mode: 'create' })
    disk.syncDirectory('/')
    // The new file stands in the old one's place, so the old one must have moved.
    const tell = (found: MemoryDisk): string => `${names(found)} ${found.list('/dir').join(' ')}`
    expect([...outcomes(disk, tell)]).toEqual(['db dir db'])
  })

  test('a directory can be lost with all that is in it', () => {
    const disk = new MemoryDisk()
    disk.makeDirectory('/a/b')
    disk.open('/a/b/file', { mode: 'create' }).sync('full')
    disk.syncDirectory('/a/b')
    disk.syncDirectory('/a')
    expect([...outcomes(disk, names)].sort()).toEqual(['', 'a'])
    disk.syncDirectory('/')
    expect([...outcomes(disk, (found) => found.list('/a/b').join(' '))]).toEqual(['file'])
  })
})

interface Step {
  readonly kind: 'write' | 'truncate' | 'allocate' | 'sync'
  readonly at: number
  readonly size: number
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      at: fc.nat(14_000),
      size: fc.nat(9000),
    }),
  },
  fc.record({
    kind: fc.constantFrom('truncate' as const, 'allocate' as const, 'sync' as const),
    at: fc.nat(14_000),
    size: fc.nat(5000),
  }),
)

/** Does the step and returns the file as it is then. */
function run(file: DiskFile, { kind, at, size }: Step, value: number): Uint8Array {
  if (kind === 'write') file.write(filled(size, value), at)
  if (kind === 'truncate') file.truncate(at)
  if (kind === 'allocate') file.allocate(at, size)
  if (kind === 'sync') file.sync('data')
  const bytes = new Uint8Array(file.size())
  file.read(bytes, 0)
  return bytes
}

/** A sector of a file, zeros beyond its end, as text to compare. */
function sectorAt(bytes: Uint8Array, at: number, end: number): string {
  const sector = new Uint8Array(SECTOR)
  sector.set(bytes.subarray(at, at + SECTOR))
  return Buffer.from(sector.fill(0, Math.max(0, Math.min(SECTOR, end - at)))).toString('latin1')
}

describe('any workload', () => {
  test('each sector found is the synced one or one it was since, and so is the length', () => {
    const cases = fc.record({ steps: fc.array(step, { maxLength: 20 }), seed: fc.nat() })
    fc.assert(
      fc.property(cases, ({ steps, seed }) => {
        const { disk, file } = diskWithFile(6000, 200)
        let states = [disk.readFile('/db')]
        steps.forEach((each, i) => {
          const after = run(file, each, (i % 199) + 1)
          states = each.kind === 'sync' ? [after] : [...states, after]
        })
        for (let draw = 0; draw < 5; draw++) {
          const mode = MODES[draw] ?? 'random'
          const found = disk.afterPowerLoss((seed + draw) % 2 ** 31, mode).readFile('/db')
          expect(states.map((state) => state.length)).toContain(found.length)
          expect(firstForeignSector(found, states)).toBe(-1)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('bytes synced and not touched since survive a cut at every operation', () => {
    const cases = fc.record({ steps: fc.array(step, { maxLength: 12 }), seed: fc.nat() })
    fc.assert(
      fc.property(cases, ({ steps, seed }) => {
        const whole = diskWithFile(6000, 200)
        const first = whole.disk.operationCount
        steps.forEach((each, i) => run(whole.file, each, i + 1))
        const last = whole.disk.operationCount
        for (let cut = first + 1; cut <= last; cut++) {
          const { disk, file } = diskWithFile(6000, 200)
          disk.cutPowerAt(cut)
          const synced = runUntilCut(file, steps)
          const found = disk.afterPowerLoss(seed).readFile('/db')
          const wrong = synced.findIndex((byte, at) => byte !== undefined && byte !== found[at])
          expect(wrong).toBe(-1)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('no file is found under two names, or under a name it never had', () => {
    const move = fc.record({
      kind: fc.constantFrom('create', 'rename', 'remove', 'sync'),
      name: fc.constantFrom('a', 'b', 'c'),
      other: fc.constantFrom('a', 'b', 'c', 'd/a'),
    })
    fc.assert(
      fc.property(fc.array(move, { maxLength: 15 }), fc.nat(), (moves, seed) => {
        const disk = new MemoryDisk()
        disk.makeDirectory('/d')
        disk.syncDirectory('/')
        const paths = ['/a', '/b', '/c', '/d/a']
        const look = (found: MemoryDisk): string[] =>
          paths.map((path) => `${path}=${found.identityOf(path)?.inode ?? 'none'}`)
        let possible = new Set(look(disk))
        for (const { kind, name, other } of moves) {
          const isThere = disk.exists(`/${name}`)
          if (kind === 'create') disk.open(`/${name}`, { mode: 'create' }).close()
          if (kind === 'rename' && isThere) disk.rename(`/${name}`, `/${other}`)
          if (kind === 'remove' && isThere) disk.remove(`/${name}`)
          if (kind === 'sync') {
            disk.syncDirectory('/d')
            disk.syncDirectory('/')
            possible = new Set()
          }
          for (const entry of look(disk)) possible.add(entry)
        }
        for (let draw = 0; draw < 5; draw++) {
          const found = look(disk.afterPowerLoss((seed + draw) % 2 ** 31))
          for (const entry of found) expect(possible).toContain(entry)
          const inodes = found.map((entry) => entry.split('=')[1]).filter((id) => id !== 'none')
          expect(new Set(inodes).size).toBe(inodes.length)
        }
        expect(look(disk.afterPowerLoss(0, 'everything'))).toEqual(look(disk))
      }),
      { numRuns: 200 },
    )
  })
})

/** Where a sector begins that is as it is in none of the states; -1 where there is none. */
function firstForeignSector(found: Uint8Array, states: readonly Uint8Array[]): number {
  for (let at = 0; at < found.length; at += SECTOR) {
    const sector = sectorAt(found, at, found.length)
    if (!states.some((state) => sectorAt(state, at, found.length) === sector)) return at
  }
  return -1
}

/**
 * Runs the steps up to the power cut; returns the bytes that must survive, undefined where they may
 * not.
 */
function runUntilCut(file: DiskFile, steps: readonly Step[]): (number | undefined)[] {
  let synced: (number | undefined)[] = new Array<number>(6000).fill(200)
  try {
    steps.forEach((each, i) => {
      // A sector is written whole from the cache, but its untouched bytes stay as they were synced.
      if (each.kind === 'write' || each.kind === 'allocate') {
        for (let at = each.at; at < each.at + each.size && at < synced.length; at++) {
          synced[at] = undefined
        }
      }
      if (each.kind === 'truncate') synced = synced.slice(0, each.at)
      const bytes = run(file, each, i + 1)
      if (each.kind === 'sync') synced = [...bytes]
    })
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error
  }
  return synced
}
