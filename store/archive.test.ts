import { describe, expect, test } from 'vitest'
import { FakeClock } from '../base/clock.ts'
import { Random } from '../base/random.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { baseStem, readBases } from '../snapshot/archive-files.ts'
import { findSegments } from '../wal/segment-files.ts'
import { readArchiveOn } from './archive-info.ts'
import { openOn } from './open.ts'
import { nextTurn } from './pause.ts'
import { restoreToOn } from './restore-to.ts'
import { rollbackOn } from './rollback.ts'
import type { BuiltLocalStore, BuiltOpenOptions } from './types.ts'

const SMALL = { checkpointBytes: 600 } as const

interface Ground {
  readonly disk: MemoryDisk
  readonly clock: FakeClock
  open(options?: BuiltOpenOptions, directory?: string): Promise<BuiltLocalStore>
  restore(to: unknown, directory?: string, source?: string): Promise<BuiltLocalStore>
}

function ground(disk = new MemoryDisk()): Ground {
  const clock = new FakeClock()
  const tuning = { clock, segmentBytes: 2048, random: new Random(1) }
  const open: Ground['open'] = (options = { archive: true }, directory = '/data') =>
    openOn(disk, directory, { ...SMALL, ...options }, tuning)
  return {
    disk,
    clock,
    open,
    restore: async (to, directory = '/made', source = '/data') => {
      await restoreToOn({ disk }, { source, directory, to })
      return await open({}, directory)
    },
  }
}

async function fill(store: BuiltLocalStore, count: number, from = 0): Promise<void> {
  for (let i = from; i < from + count; i++) await store.put(`k${i % 5}`, `${i}`)
}

const bases = (disk: MemoryDisk): number[] => readBases(disk, '/data/archive').map((b) => b.txid)

describe("open() with 'archive'", () => {
  test('begins with a base, and moves segments there', async () => {
    const { disk, open } = ground()
    const store = await open()
    expect(bases(disk)).toHaveLength(1)
    await fill(store, 120)
    await store.close()
    const archived = findSegments(disk, '/data/archive').map(({ sequence }) => sequence)
    expect(archived.length).toBeGreaterThan(3)
    expect(archived).toEqual(archived.map((_, i) => i + 1))
    const next = await open()
    await next.close()
    expect(bases(disk)).toHaveLength(1)
  })

  test('begins anew where the store was written to without it', async () => {
    const { disk, open, restore } = ground()
    const first = await open()
    await fill(first, 100)
    await first.close()
    const without = await open({ archive: false })
    await fill(without, 100)
    await without.close()
    const again = await open()
    expect(bases(disk)).toHaveLength(2)
    await fill(again, 30)
    const { revision } = await again.status()
    await again.close()
    const end = await restore({ revision: revision - 1 }, '/end')
    expect(await end.status()).toMatchObject({ revision: revision - 1 })
    await end.close()
    const early = await restore({ revision: 9 }, '/early')
    expect(await early.status()).toMatchObject({ revision: 9 })
    await early.close()
    await expect(restore({ revision: 150 }, '/hole')).rejects.toMatchObject({ code: 'KV_CORRUPT' })
  })

  test.each([
    ['maxSegments', { maxSegments: 4 }],
    ['maxBytes', { maxBytes: 120_000 }],
  ] as const)('keeps %s, and what the oldest base needs', async (name, archive) => {
    const { disk, open, restore } = ground()
    const store = await open({ archive })
    await fill(store, 400)
    await store.close()
    const names = disk.list('/data/archive')
    const segments = names.filter((each) => each.endsWith('.wal'))
    const bytes = names.reduce(
      (sum, each) => sum + disk.readFile(`/data/archive/${each}`).length,
      0,
    )
    if (name === 'maxSegments') expect(segments.length).toBeLessThanOrEqual(4)
    else expect(bytes).toBeLessThanOrEqual(120_000 + 4096)
    const [oldest] = readBases(disk, '/data/archive')
    const revision = oldest?.revision ?? 0
    expect(revision).toBeGreaterThan(1)
    for (let at = revision; at <= 401; at += 7) {
      const made = await restore({ revision: at }, `/made-${at}`)
      expect(await made.status()).toMatchObject({ revision: at })
      await made.close()
    }
  })

  test('maxAgeMs: what is that old can be gone back to, what is twice as old is gone', async () => {
    const { disk, clock, open, restore } = ground()
    const store = await open({ archive: { maxAgeMs: 1000 } })
    const times: number[] = []
    for (let i = 0; i < 300; i++) {
      times.push(clock.wallMs())
      await store.put('k', `${i}`)
      clock.advance(20)
    }
    await store.close()
    const now = clock.wallMs()
    const oldest = readBases(disk, '/data/archive')[0]?.timeMs ?? 0
    expect(oldest).toBeGreaterThan(now - 2000)
    const time = now - 1000
    const made = await restore({ time })
    const newest = times.findLastIndex((each) => each <= time)
    expect(await made.get('k')).toMatchObject({ value: `${newest}` })
    await made.close()
  })

  test('an archive that knows more than the log is refused: the files were put back', async () => {
    const { disk, open } = ground()
    const store = await open()
    await fill(store, 5)
    await store.close()
    const before = new Map(
      ['db', ...disk.list('/data/wal').map((name) => `wal/${name}`)].map((name) => [
        name,
        disk.readFile(`/data/${name}`),
      ]),
    )
    const later = await open()
    await fill(later, 100)
    await later.close()
    for (const name of disk.list('/data/wal')) disk.remove(`/data/wal/${name}`)
    for (const [name, bytes] of before) disk.writeFile(`/data/${name}`, bytes)
    await expect(open()).rejects.toMatchObject({ code: 'KV_LOG_MISMATCH' })
    const without = await open({ archive: false })
    await without.close()
  })

  test('goes on where nothing is said of it, and keeps all', async () => {
    const { disk, open, restore } = ground()
    const store = await open({ archive: { maxSegments: 1 } })
    await store.close()
    const next = await open({})
    await fill(next, 150)
    await next.close()
    expect(bases(disk)).toHaveLength(1)
    const made = await restore({ revision: 3 })
    expect(await made.status()).toMatchObject({ revision: 3 })
    await made.close()
    expect(disk.exists('/made/archive')).toBe(false)
  })

  test('without room for the first base opening is refused, and nothing is left of it', async () => {
    const { disk, open } = ground()
    const store = await open({ archive: false })
    await fill(store, 50)
    await store.close()
    disk.setCapacity(disk.usedBytes + 8192)
    await expect(open()).rejects.toMatchObject({ code: 'KV_NO_SPACE' })
    expect(disk.list('/data/archive')).toEqual([])
    const without = await open({})
    expect(await without.status()).toMatchObject({ revision: 51 })
    await without.close()
    disk.setCapacity(Infinity)
    const kept = await open()
    expect(bases(disk)).toHaveLength(1)
    await kept.close()
  })

  test('a base that has no room in the background is told of, and made later', async () => {
    const { disk, open, restore } = ground()
    const warnings: string[] = []
    const logger = { warn: (message: string) => void warnings.push(message) }
    const store = await open({ archive: { maxSegments: 2 }, logger })
    const lifts = Array.from({ length: 1000 }, (_, txid) => {
      const path = `${baseStem(disk, '/data/archive', txid)}.db.partial`
      return disk.injectFault({ kind: 'write', path, code: 'ENOSPC', times: Infinity })
    })
    await fill(store, 150)
    expect(warnings).toContain('the archive could not be tended')
    expect(bases(disk)).toHaveLength(1)
    const partial = (): readonly string[] =>
      disk.list('/data/archive').filter((name) => name.endsWith('.partial'))
    // The last try may be under way.
    for (let turn = 0; turn < 10_000 && partial().length > 0; turn++) await nextTurn()
    expect(partial()).toEqual([])
    for (const lift of lifts) lift()
    await fill(store, 70, 150)
    await store.close()
    expect(readBases(disk, '/data/archive')[0]?.revision).toBeGreaterThan(1)
    const made = await restore('end')
    expect(await made.status()).toMatchObject({ revision: 221 })
    await made.close()
  })

  test('limits that are none are slips', async () => {
    const { open } = ground()
    for (const [archive, error] of [
      [1, TypeError],
      [{ maxFiles: 1 }, TypeError],
      [{ maxBytes: '1' }, TypeError],
      [{ maxBytes: 0 }, RangeError],
      [{ maxAgeMs: 0.5 }, RangeError],
    ] as const) {
      await expect(open({ archive: archive as never })).rejects.toThrow(error)
    }
  })
})

describe('readArchive()', () => {
  test('lists bases and segments, of a store that is open, too', async () => {
    const { disk, open } = ground()
    expect(await readArchiveOn(disk, '/data')).toMatchObject({ bases: [], segments: [] })
    const store = await open()
    await fill(store, 120)
    const { bases: found, segments, sizeBytes } = await readArchiveOn(disk, '/data')
    expect(found).toMatchObject([{ revision: 1 }])
    expect(segments[0]?.name).toMatch(/^0000000000000001-.*\.wal$/)
    const sum = [...found, ...segments].reduce((bytes, each) => bytes + each.sizeBytes, 0)
    expect(sizeBytes).toBe(sum)
    await store.close()
    expect(await readArchiveOn(disk, '/data/archive')).toMatchObject({ bases: found })
  })
})

describe('restoreTo()', () => {
  test('to a time: after the last write at or before it', async () => {
    const { clock, open, restore } = ground()
    const store = await open()
    const began = clock.wallMs()
    for (let i = 0; i < 10; i++) {
      clock.advance(1000)
      await store.put('k', `${i}`)
    }
    await store.close()
    for (const [afterMs, value] of [
      [999, undefined],
      [1000, '0'],
      [4999, '3'],
      [5000, '4'],
      [90_000, '9'],
    ] as const) {
      const made = await restore({ time: new Date(began + afterMs) }, `/at-${afterMs}`)
      expect((await made.get('k'))?.value).toBe(value)
      await made.close()
    }
    await expect(restore({ time: began - 1 }, '/early')).rejects.toMatchObject({
      code: 'KV_NOT_FOUND',
    })
  })

  test('leases are as they were then', async () => {
    const { open, restore } = ground()
    const store = await open()
    await store.put('a', '1')
    const lease = await store.grant({ ttlSeconds: 100 })
    await store.put('b', '2', { lease })
    await store.revoke(lease)
    await store.close()
    const during = await restore({ revision: 3 }, '/during')
    expect(await during.leases()).toEqual([lease.id])
    expect(await during.lease(lease, { keys: true })).toMatchObject({ keys: ['b'] })
    await during.close()
    const before = await restore({ revision: 2 }, '/before')
    expect(await before.leases()).toEqual([])
    await before.close()
    const after = await restore({ revision: 4 }, '/after')
    expect(await after.leases()).toEqual([])
    expect(await after.get('b')).toBeUndefined()
    await after.close()
  })

  test('between the writes of one turn, which share a commit', async () => {
    const { open, restore } = ground()
    const store = await open()
    await Promise.all(['a', 'b', 'c', 'd'].map((key) => store.put(key, key)))
    await store.close()
    const made = await restore({ revision: 3 })
    const { kvs } = await made.range()
    expect(kvs.map(({ key }) => key)).toEqual(['a', 'b'])
    await made.close()
  })

  test('from a copy of the archive alone, as far as it goes', async () => {
    const { disk, open, restore } = ground()
    const store = await open()
    await fill(store, 100)
    await store.close()
    const other = ground()
    for (const name of disk.list('/data/archive')) {
      other.disk.writeFile(`/copy/${name}`, disk.readFile(`/data/archive/${name}`))
    }
    const made = await other.restore('end', '/made', '/copy')
    const { revision } = await made.status()
    expect(revision).toBeGreaterThan(50)
    expect(await made.get(`k${(revision - 2) % 5}`)).toMatchObject({ value: `${revision - 2}` })
    await made.close()
    const whole = await restore('end')
    expect(await whole.status()).toMatchObject({ revision: 101 })
    await whole.close()
  })

  test('a base newer than all that was archived is an end of its own', async () => {
    const { disk, open } = ground()
    const store = await open()
    await store.close()
    const other = ground()
    for (const name of disk.list('/data/archive')) {
      if (name.startsWith('base-')) {
        other.disk.writeFile(`/copy/${name}`, disk.readFile(`/data/archive/${name}`))
      }
    }
    const made = await other.restore('end', '/made', '/copy')
    expect(await made.status()).toMatchObject({ revision: 1 })
    await made.close()
  })

  test('replaces nothing, and reads no store that is open', async () => {
    const { disk, open, restore } = ground()
    const store = await open()
    await fill(store, 3)
    await expect(restore('end')).rejects.toMatchObject({ code: 'KV_LOCKED' })
    await store.close()
    disk.makeDirectory('/made')
    await expect(restore('end')).rejects.toMatchObject({ code: 'KV_EXISTS' })
    await expect(restore('end', '/no/where')).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
    await expect(restore('end', '/other', '/nothing')).rejects.toMatchObject({
      code: 'KV_NOT_FOUND',
    })
    expect(disk.list('/')).toEqual(['data', 'made'])
  })

  test('a moment that is still to come is refused', async () => {
    const { disk, open, restore } = ground()
    const store = await open()
    await fill(store, 3)
    await store.close()
    await expect(restore({ revision: 5 })).rejects.toMatchObject({ code: 'KV_FUTURE_REVISION' })
    await expect(restore({ txid: 500 })).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
    expect(disk.exists('/made')).toBe(false)
  })

  test('moments that are none are slips', async () => {
    const { restore } = ground()
    for (const [to, error] of [
      ['start', TypeError],
      [{}, TypeError],
      [{ revision: 1, txid: 1 }, TypeError],
      [{ revision: '1' }, TypeError],
      [{ revision: 0 }, RangeError],
      [{ time: 'now' }, TypeError],
      [{ time: new Date(NaN) }, RangeError],
      [{ when: 1 }, TypeError],
    ] as const) {
      await expect(restore(to)).rejects.toThrow(error)
    }
  })

  test('gives up when the signal says so, and leaves nothing', async () => {
    const { disk, open } = ground()
    const store = await open()
    await fill(store, 3)
    await store.close()
    const controller = new AbortController()
    const onProgress = (): void => controller.abort(new Error('enough'))
    const to = { source: '/data', directory: '/made', to: 'end' }
    const options = { signal: controller.signal, onProgress }
    await expect(restoreToOn({ disk }, to, options)).rejects.toThrow('enough')
    expect(disk.list('/')).toEqual(['data'])
  })
})

describe('rollback()', () => {
  test('undo: brings a store back, and keeps what it was', async () => {
    const { disk, clock, open } = ground()
    const store = await open()
    await fill(store, 30)
    await store.delete({ prefix: '' })
    await store.close()
    const to = { revision: 31 }
    const done = await rollbackOn({ disk, clock }, { directory: '/data', to })
    expect(done).toMatchObject({ revision: 31, revisionBefore: 32, directory: '/data' })
    expect(done.kept).toMatch(/^\/data\/before-rollback-2023-11-14T22-13-20Z$/)
    const back = await open()
    expect(await back.status()).toMatchObject({ revision: 31 })
    expect((await back.range()).kvs).toHaveLength(5)
    await back.put('k0', 'new')
    await back.close()
    const kept = await open({}, done.kept)
    expect(await kept.status()).toMatchObject({ revision: 32 })
    expect((await kept.range()).kvs).toHaveLength(0)
    await kept.close()
    // The store has an archive of its own now, and a second one is kept beside the first.
    const again = await rollbackOn({ disk, clock }, { directory: '/data', to })
    expect(again.kept).toBe(`${done.kept}-2`)
  })

  test('a dry run tells, and changes nothing', async () => {
    const { disk, open } = ground()
    const store = await open()
    await fill(store, 30)
    await store.close()
    const before = disk.list('/data')
    const to = { directory: '/data', to: { revision: 10 } }
    const told = await rollbackOn({ disk }, to, { dryRun: true })
    expect(told).toMatchObject({ revision: 10, revisionBefore: 31, kept: undefined })
    expect(disk.list('/data')).toEqual(before)
    const same = await open({})
    expect(await same.status()).toMatchObject({ revision: 31 })
    await same.close()
  })

  test('refuses a store that is open, one without an archive, and none', async () => {
    const { disk, open } = ground()
    const to = { revision: 2 }
    const roll = (directory: string): Promise<unknown> => rollbackOn({ disk }, { directory, to })
    const store = await open()
    await expect(roll('/data')).rejects.toMatchObject({ code: 'KV_LOCKED' })
    await store.close()
    const without = await open({}, '/plain')
    await without.close()
    await expect(roll('/plain')).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
    await expect(roll('/nothing')).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
    await expect(roll('/data/archive')).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
    expect(disk.exists('/nothing')).toBe(false)
  })

  test('goes back behind damage at the end of the log', async () => {
    const { disk, open } = ground()
    const store = await open()
    await fill(store, 60)
    await store.close()
    const [last] = disk.list('/data/wal').slice(-1)
    disk.flipBit(`/data/wal/${last}`, 20, 1)
    await expect(open({})).rejects.toMatchObject({ code: 'KV_CORRUPT' })
    const to = (revision: number): Promise<unknown> =>
      rollbackOn({ disk }, { directory: '/data', to: { revision } })
    await expect(to(500)).rejects.toMatchObject({ code: 'KV_CORRUPT' })
    expect(await to(10)).toMatchObject({ revision: 10, revisionBefore: undefined })
    const back = await open({})
    expect(await back.status()).toMatchObject({ revision: 10 })
    await back.close()
  })
})
