import { expect, describe, test } from 'vitest'
import { Random } from '../base/random.ts'
import { isKvError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openEngine } from '../engine/index.ts'
import { decodeMeta, encodeMetaPage } from '../engine/meta.ts'
import type { SyncMode } from '../wal/log-options.ts'
import { openDatabase } from './database.ts'
import type { Database } from './database.ts'

const PAGE_SIZE = 4096

function openOn(
  disk: MemoryDisk,
  readOnly = false,
  syncMode: SyncMode = 'full',
): Promise<Database> {
  return openDatabase({
    disk,
    path: '/db',
    logDirectory: '/wal',
    engine: { readOnly },
    log: { syncMode, random: new Random(disk.operationCount), segmentBytes: 4096 },
    limits: { logBytes: 1e6, dirtyBytes: 1e6 },
    prepare: async (engine) => {
      const tx = await engine.begin({ writable: true })
      tx.createBucketIfNotExists('b')
      await tx.commitAsync()
    },
    pause: () => Promise.resolve(),
  })
}

function put(database: Database, key: string): void {
  database.engine.update((tx) => tx.bucket('b')?.put(key, 'v'))
}

function keys(database: Database): string[] {
  return database.engine.view((tx) => {
    const found: string[] = []
    const cursor = tx.bucket('b')?.cursor()
    for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
      found.push(Buffer.from(entry.key).toString())
    }
    return found
  })
}

const codeOf = async (call: Promise<unknown>): Promise<unknown> => {
  try {
    await call
    return 'fulfilled'
  } catch (error) {
    return isKvError(error) ? error.code : error
  }
}

/** Damages the newest meta of the file. */
function damageNewest(disk: MemoryDisk): void {
  const bytes = disk.readFile('/db')
  const txids = ([0, 1] as const).map((slot) => {
    const reading = decodeMeta(bytes.subarray(slot * PAGE_SIZE), 16, slot)
    return 'meta' in reading ? reading.meta.txid : -1
  })
  disk.flipBit('/db', ((txids[0] ?? 0) > (txids[1] ?? 0) ? 0 : PAGE_SIZE) + 40, 0)
}

function removeSegments(disk: MemoryDisk): void {
  for (const name of disk.list('/wal')) disk.remove(`/wal/${name}`)
}

describe('a data file and its log', () => {
  test('keep what was committed, closed or not', async () => {
    const disk = new MemoryDisk()
    const first = await openOn(disk)
    put(first, 'a')
    const killed = await openOn(disk.processKilled())
    expect(keys(killed)).toEqual(['a'])
    expect(killed.report.replayedCommits).toBe(1)
    await killed.close()
    await first.close()
    const second = await openOn(disk)
    expect(second.report).toMatchObject({ replayedCommits: 0, torn: undefined })
    expect(keys(second)).toEqual(['a'])
    await second.close()
  })

  test('are a clean bbolt file alone after a clean close', async () => {
    const disk = new MemoryDisk()
    const database = await openOn(disk)
    put(database, 'a')
    await database.close()
    const engine = await openEngine('/db', { disk, readOnly: true })
    expect(engine.check().findings).toEqual([])
    expect(engine.view((tx) => tx.bucket('b')?.get('a')?.length)).toBe(1)
    await engine.close()
  })

  test('write nothing when opened and closed with nothing done', async () => {
    const disk = new MemoryDisk()
    await (await openOn(disk)).close()
    const kinds: string[] = []
    const traced = disk.clone({ trace: ({ kind, path }) => kinds.push(`${kind} ${path}`) })
    await (await openOn(traced)).close()
    const written = kinds.filter((each) => /^(write|allocate|truncate|create)/.test(each))
    // The newest meta, which may have been in the page cache only.
    expect(written).toEqual(['write /db'])
  })
})

test.each(['full', 'os', 'none'] as const)(
  'the file never leads its log: not where it is synced %s',
  async (syncMode) => {
    const disk = new MemoryDisk()
    const database = await openOn(disk, false, syncMode)
    put(database, 'a')
    await database.checkpointer?.run()
    const found = await openOn(disk.afterPowerLoss(1, 'nothing'), false, syncMode)
    expect(found.report.replayedCommits).toBe(0)
    expect(keys(found)).toEqual(['a'])
    await found.close()
    await database.close()
  },
)

describe('what does not belong together is KV_LOG_MISMATCH, and left alone', () => {
  async function refused(disk: MemoryDisk, message: RegExp): Promise<void> {
    const before = disk.readFile('/db')
    for (const readOnly of [false, true]) {
      const call = openOn(disk.clone(), readOnly)
      expect(await codeOf(call)).toBe('KV_LOG_MISMATCH')
      await expect(openOn(disk.clone(), readOnly)).rejects.toThrow(message)
    }
    expect(Buffer.from(disk.readFile('/db')).equals(before)).toBe(true)
  }

  test('a file that another program has committed to', async () => {
    const disk = new MemoryDisk()
    const database = await openOn(disk)
    put(database, 'a')
    await database.close()
    // As bbolt does it, which keeps both halves of the mark and counts on.
    const { newest } = database.engine.generations
    const bytes = disk.readFile('/db')
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    const at = (newest % 2) * PAGE_SIZE + 16
    expect(view.getBigUint64(at + 48, true)).toBe(BigInt(newest))
    const reading = decodeMeta(
      bytes.subarray((newest % 2) * PAGE_SIZE),
      16,
      newest % 2 === 0 ? 0 : 1,
    )
    if (!('meta' in reading)) throw new Error('no meta')
    const slot = newest % 2 === 0 ? 1 : 0
    const foreign = encodeMetaPage({ ...reading.meta, txid: newest + 1, slot })
    bytes.set(foreign, slot * PAGE_SIZE)
    disk.writeFile('/db', bytes)
    await refused(disk, /another program committed to it/)
  })

  test('a file whose log is missing', async () => {
    const disk = new MemoryDisk()
    const database = await openOn(disk)
    put(database, 'a')
    await database.close()
    removeSegments(disk)
    await refused(disk, /its log is missing/)
  })

  test('a log beside another file', async () => {
    const disk = new MemoryDisk()
    const database = await openOn(disk)
    put(database, 'a')
    await database.close()
    disk.remove('/db')
    const engine = await openEngine('/db', { disk })
    engine.update((tx) => tx.createBucket('b'))
    await engine.close()
    await refused(disk, /does not belong to the log/)
  })

  test('a log of another mark is KV_BAD_FILE', async () => {
    const disk = new MemoryDisk()
    const other = new MemoryDisk()
    // The random numbers follow from the operations done.
    other.makeDirectory('/elsewhere')
    for (const each of [disk, other]) {
      const database = await openOn(each)
      put(database, 'a')
      await database.close()
    }
    removeSegments(disk)
    for (const name of other.list('/wal')) {
      disk.writeFile(`/wal/${name}`, other.readFile(`/wal/${name}`))
    }
    expect(await codeOf(openOn(disk))).toBe('KV_BAD_FILE')
  })
})

describe('a beginning cut short', () => {
  test('is begun again, or gone on with, and either generation will do from then on', async () => {
    const whole = new MemoryDisk()
    await openOn(whole)
    for (let operation = 1; operation <= whole.operationCount; operation++) {
      const disk = new MemoryDisk()
      disk.cutPowerAt(operation)
      await openOn(disk).catch(() => {})
      for (const mode of ['nothing', 'everything', 'random'] as const) {
        const found = disk.afterPowerLoss(operation, mode)
        const database = await openOn(found)
        put(database, 'a')
        await database.engine.core.logged?.idle()
        const image = found.afterPowerLoss(1, 'nothing')
        damageNewest(image)
        const fallen = await openOn(image)
        expect(fallen.report.fallback, `operation ${operation}, ${mode}`).toBeDefined()
        expect(keys(fallen), `operation ${operation}, ${mode}`).toEqual(['a'])
        await fallen.close()
        await database.close()
      }
    }
  })
})
