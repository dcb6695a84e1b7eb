import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { FakeClock } from '../base/clock.ts'
import { isKvError } from '../base/errors.ts'
import { PowerCut } from './fault-plan.ts'
import { MemoryDisk } from './memory-disk.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { DiskFile } from './disk.ts'

vi.setConfig({ testTimeout: 60_000 })

const CHUNK = 4096

function codeOf(body: () => unknown): ErrorCode | 'no error' {
  try {
    body()
  } catch (error) {
    if (isKvError(error)) return error.code
    throw error
  }
  return 'no error'
}

const filled = (sizeBytes: number, value: number): Uint8Array =>
  new Uint8Array(sizeBytes).fill(value)

/** A disk with one synced file of `value`s and a handle on it. */
function diskWithFile(
  sizeBytes: number,
  value: number,
  options: ConstructorParameters<typeof MemoryDisk>[0] = {},
): { disk: MemoryDisk; file: DiskFile } {
  const disk = new MemoryDisk(options)
  const file = disk.open('/db', { mode: 'create' })
  file.write(filled(sizeBytes, value), 0)
  file.sync('full')
  disk.syncDirectory('/')
  return { disk, file }
}

const durable = (disk: MemoryDisk): MemoryDisk => disk.afterPowerLoss(0, 'nothing')

describe('faults', () => {
  test('an operation fails once, by kind, and the next one works', () => {
    const { disk, file } = diskWithFile(10, 1)
    disk.injectFault({ kind: 'write', code: 'EIO' })
    expect(codeOf(() => file.write(filled(10, 2), 0))).toBe('KV_IO')
    expect(disk.readFile('/db')).toEqual(filled(10, 1))
    file.write(filled(10, 2), 0)
    expect(disk.readFile('/db')).toEqual(filled(10, 2))
  })

  test('a fault for ever fails until it is lifted', () => {
    const { disk, file } = diskWithFile(10, 1)
    const lift = disk.injectFault({ kind: ['read', 'stat'], code: 'EIO', times: Infinity })
    for (let i = 0; i < 3; i++) expect(codeOf(() => file.read(filled(1, 0), 0))).toBe('KV_IO')
    expect(codeOf(() => disk.exists('/db'))).toBe('KV_IO')
    lift()
    expect(file.read(filled(1, 0), 0)).toBe(1)
  })

  test('a fault matches by path, and a rename by either of its paths', () => {
    const { disk } = diskWithFile(10, 1)
    const other = disk.open('/other', { mode: 'create' })
    disk.injectFault({ path: '/other', code: 'EIO' })
    disk.open('/db', { mode: 'read' })
    expect(codeOf(() => other.truncate(5))).toBe('KV_IO')
    disk.injectFault({ path: 'other', kind: 'rename', code: 'EIO' })
    expect(codeOf(() => disk.rename('/db', '/other'))).toBe('KV_IO')
    expect(disk.list('/')).toEqual(['db', 'other'])
  })

  test('a fault matches operations that touch a byte of its range', () => {
    const { disk, file } = diskWithFile(3 * CHUNK, 1)
    disk.injectFault({ kind: 'read', start: 5000, end: 5001, code: 'EIO', times: Infinity })
    expect(file.read(filled(5000, 0), 0)).toBe(5000)
    expect(file.read(filled(10, 0), 5001)).toBe(10)
    expect(codeOf(() => file.read(filled(5001, 0), 0))).toBe('KV_IO')
    expect(codeOf(() => file.read(filled(1, 0), 5000))).toBe('KV_IO')
  })

  test('the operation with a number fails, or the one after so many matches', () => {
    const { disk, file } = diskWithFile(10, 1)
    disk.injectFault({ operation: disk.operationCount + 2, code: 'EIO' })
    file.write(filled(1, 2), 0)
    expect(codeOf(() => file.sync('data'))).toBe('KV_IO')
    disk.injectFault({ kind: 'write', skip: 1, code: 'ENOSPC' })
    file.write(filled(1, 3), 0)
    file.sync('data')
    expect(codeOf(() => file.write(filled(1, 4), 0))).toBe('KV_NO_SPACE')
  })

  test('a failing write may leave the part before some byte', () => {
    const parts = new Set<number>()
    for (let seed = 0; seed < 20; seed++) {
      const { disk, file } = diskWithFile(100, 1, { seed })
      disk.injectFault({ kind: 'write', code: 'EIO', leaves: 'part' })
      expect(codeOf(() => file.write(filled(100, 2), 0))).toBe('KV_IO')
      const bytes = disk.readFile('/db')
      const part = bytes.filter((byte) => byte === 2).length
      expect(bytes).toEqual(new Uint8Array(100).fill(1).fill(2, 0, part))
      parts.add(part)
    }
    expect(parts.size).toBeGreaterThan(5)
  })

  test('every kind of call can fail, and nothing happens then', () => {
    const { disk, file } = diskWithFile(100, 1)
    disk.makeDirectory('/dir')
    const calls: Readonly<Record<string, () => unknown>> = {
      open: () => disk.open('/db', { mode: 'write' }),
      stat: () => disk.identityOf('/db'),
      list: () => disk.list('/'),
      create: () => disk.open('/new', { mode: 'create' }),
      truncate: () => file.truncate(1),
      allocate: () => file.allocate(0, 100),
      makeDirectory: () => disk.makeDirectory('/dir2'),
      rename: () => disk.rename('/db', '/db2'),
      remove: () => disk.remove('/db'),
      syncDirectory: () => disk.syncDirectory('/'),
    }
    for (const body of Object.values(calls)) {
      disk.injectFault({ code: 'EIO' })
      expect(codeOf(body)).toBe('KV_IO')
      expect(disk.list('/')).toEqual(['db', 'dir'])
      expect(disk.readFile('/db')).toEqual(filled(100, 1))
    }
    disk.injectFault({ kind: 'open', code: 'EROFS' })
    expect(codeOf(() => disk.open('/db', { mode: 'write' }))).toBe('KV_READ_ONLY')
  })
})

describe('a sync that fails', () => {
  test('is final: a later sync returns, and what it should have written is not durable', () => {
    const { disk, file } = diskWithFile(2 * CHUNK, 1)
    file.write(filled(CHUNK, 2), 0)
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    expect(codeOf(() => file.sync('data'))).toBe('KV_IO')
    file.sync('data')
    file.sync('full')
    expect(disk.readFile('/db').subarray(0, CHUNK)).toEqual(filled(CHUNK, 2))
    expect(durable(disk).readFile('/db')).toEqual(filled(2 * CHUNK, 1))
  })

  test('leaves it open what reached the disk', () => {
    const { disk, file } = diskWithFile(CHUNK, 1)
    file.write(filled(CHUNK, 2), 0)
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    expect(codeOf(() => file.sync('data'))).toBe('KV_IO')
    file.sync('data')
    const first = new Set<number | undefined>()
    for (let seed = 0; seed < 50; seed++) first.add(disk.afterPowerLoss(seed).readFile('/db')[0])
    expect(first).toEqual(new Set([1, 2]))
  })

  test('is mended only by writing again', () => {
    const { disk, file } = diskWithFile(2 * CHUNK, 1)
    file.write(filled(2 * CHUNK, 2), 0)
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    expect(codeOf(() => file.sync('data'))).toBe('KV_IO')
    // One byte makes the whole cached chunk dirty again, the other chunk stays lost.
    file.write(filled(1, 3), 10)
    file.sync('data')
    const expected = filled(2 * CHUNK, 1)
    expected.fill(2, 0, CHUNK)
    expected[10] = 3
    expect(durable(disk).readFile('/db')).toEqual(expected)
  })

  test('survives the process: the next one reads what is not durable', () => {
    const { disk, file } = diskWithFile(CHUNK, 1)
    file.write(filled(CHUNK, 2), 0)
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    expect(codeOf(() => file.sync('data'))).toBe('KV_IO')
    const next = disk.processKilled()
    const again = next.open('/db', { mode: 'write' })
    expect(next.readFile('/db')).toEqual(filled(CHUNK, 2))
    again.sync('full')
    expect(durable(next).readFile('/db')).toEqual(filled(CHUNK, 1))
  })

  test('of a directory makes no name durable', () => {
    const { disk } = diskWithFile(1, 1)
    disk.rename('/db', '/db2')
    disk.injectFault({ kind: 'syncDirectory', code: 'EIO' })
    expect(codeOf(() => disk.syncDirectory('/'))).toBe('KV_IO')
    expect(durable(disk).list('/')).toEqual(['db'])
  })
})

describe('a full disk', () => {
  test('refuses a write with KV_NO_SPACE and has written nothing of it', () => {
    const { disk, file } = diskWithFile(2 * CHUNK, 1, { capacityBytes: 3 * CHUNK })
    expect(disk.usedBytes).toBe(2 * CHUNK)
    expect(codeOf(() => file.write(filled(2 * CHUNK, 2), CHUNK + 1))).toBe('KV_NO_SPACE')
    expect(disk.readFile('/db')).toEqual(filled(2 * CHUNK, 1))
    file.write(filled(2 * CHUNK - 1, 2), CHUNK + 1)
    expect(file.size()).toBe(3 * CHUNK)
  })

  test('writes what fits when it is set so, and then refuses', () => {
    const options = { capacityBytes: 3 * CHUNK, whenFull: 'part' as const }
    const { disk, file } = diskWithFile(2 * CHUNK, 1, options)
    expect(codeOf(() => file.write(filled(2 * CHUNK, 2), CHUNK + 1))).toBe('KV_NO_SPACE')
    const expected = filled(3 * CHUNK, 2)
    expected.fill(1, 0, CHUNK + 1)
    expect(disk.readFile('/db')).toEqual(expected)
    expect(codeOf(() => file.allocate(0, 4 * CHUNK))).toBe('KV_NO_SPACE')
  })

  test('lets overwrites, syncs and renames through', () => {
    const { disk, file } = diskWithFile(2 * CHUNK, 1, { capacityBytes: 2 * CHUNK })
    file.write(filled(2 * CHUNK, 2), 0)
    file.sync('data')
    disk.rename('/db', '/db2')
    expect(codeOf(() => file.write(filled(1, 2), 2 * CHUNK))).toBe('KV_NO_SPACE')
  })

  test('a hole takes no space until it is written to', () => {
    const { disk, file } = diskWithFile(0, 0, { capacityBytes: CHUNK })
    file.truncate(100 * CHUNK)
    expect(disk.usedBytes).toBe(0)
    file.write(filled(1, 1), 50 * CHUNK)
    expect(codeOf(() => file.write(filled(1, 1), 51 * CHUNK))).toBe('KV_NO_SPACE')
  })

  test('gets its space back by truncating, and by removing once the last handle is closed', () => {
    const { disk, file } = diskWithFile(3 * CHUNK, 1, { capacityBytes: 3 * CHUNK })
    file.truncate(CHUNK)
    expect(disk.usedBytes).toBe(CHUNK)
    disk.remove('/db')
    expect(disk.usedBytes).toBe(CHUNK)
    file.close()
    expect(disk.usedBytes).toBe(0)
    disk.open('/other', { mode: 'create' }).write(filled(3 * CHUNK, 1), 0)
    const next = disk.clone()
    expect(next.usedBytes).toBe(3 * CHUNK)
  })

  test('setCapacity() fills it up and gives it room; what is there can be written to', () => {
    const { disk, file } = diskWithFile(2 * CHUNK, 1)
    disk.setCapacity(disk.usedBytes)
    file.write(filled(CHUNK, 2), CHUNK)
    expect(codeOf(() => file.write(filled(1, 1), 2 * CHUNK))).toBe('KV_NO_SPACE')
    disk.setCapacity(3 * CHUNK)
    file.write(filled(1, 1), 2 * CHUNK)
    expect(codeOf(() => file.write(filled(1, 1), 3 * CHUNK))).toBe('KV_NO_SPACE')
  })
})

describe('the power cut', () => {
  test('throws PowerCut from the k-th operation on, whatever it is', () => {
    const { disk, file } = diskWithFile(10, 1)
    const done = disk.operationCount
    disk.cutPowerAt(done + 2)
    file.write(filled(1, 2), 0)
    expect(disk.isPowerOff).toBe(false)
    expect(() => file.sync('data')).toThrow(PowerCut)
    expect(disk.isPowerOff).toBe(true)
    const calls = [
      () => file.read(filled(1, 0), 0),
      () => file.write(filled(1, 0), 0),
      () => file.size(),
      () => file.sync('data'),
      () => file.truncate(0),
      () => disk.open('/db', { mode: 'read' }),
      () => disk.open('/none', { mode: 'read' }),
      () => disk.exists('/db'),
      () => disk.list('/'),
      () => disk.rename('/db', '/x'),
      () => disk.remove('/db'),
      () => disk.makeDirectory('/'),
      () => disk.syncDirectory('/none'),
    ]
    for (const body of calls) expect(body).toThrow(PowerCut)
    expect(disk.operationCount).toBe(done + 2)
    file.close()
  })

  test('rejects asynchronous calls and waits for locks', async () => {
    const { disk, file } = diskWithFile(10, 1, { clock: new FakeClock() })
    disk.cutPowerAt(disk.operationCount + 1)
    const results = await Promise.allSettled([
      file.writeAsync(filled(1, 2), 0),
      file.syncAsync('data'),
      file.readAsync(filled(1, 0), 0),
    ])
    expect(results.filter((result) => result.status === 'rejected').length).toBeGreaterThan(1)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(PowerCut)
    }
    const lock = disk.lock(file, { kind: 'shared', method: 'auto', timeoutMs: Infinity })
    await expect(lock).rejects.toThrow(PowerCut)
  })

  test('k must be to come', () => {
    const { disk } = diskWithFile(10, 1)
    expect(() => disk.cutPowerAt(disk.operationCount)).toThrow(RangeError)
    expect(() => disk.cutPowerAt(Number.NaN)).toThrow(RangeError)
  })

  test('operations are numbered alike on every run', () => {
    const kinds: string[] = []
    const disk = new MemoryDisk({ trace: ({ kind }) => kinds.push(kind) })
    disk.makeDirectory('/a/b')
    const file = disk.open('/a/b/c', { mode: 'createNew' })
    file.write(filled(1, 1), 0)
    file.allocate(0, 10)
    file.truncate(5)
    file.sync('data')
    disk.rename('/a/b/c', '/a/d')
    disk.syncDirectory('/a')
    disk.remove('/a/d')
    expect(disk.operationCount).toBe(10)
    expect(kinds).toEqual([
      ...['makeDirectory', 'makeDirectory', 'create', 'write', 'allocate', 'truncate', 'sync'],
      ...['rename', 'syncDirectory', 'remove'],
    ])
  })
})

describe('processKilled()', () => {
  test('keeps every write, makes none durable, frees the locks', async () => {
    const { disk, file } = diskWithFile(CHUNK, 1)
    await disk.lock(file, { kind: 'exclusive', method: 'auto', timeoutMs: 0 })
    file.write(filled(CHUNK, 2), 0)
    const next = disk.processKilled()
    expect(next.readFile('/db')).toEqual(filled(CHUNK, 2))
    expect(durable(next).readFile('/db')).toEqual(filled(CHUNK, 1))
    const other = next.open('/db', { mode: 'write' })
    await next.lock(other, { kind: 'exclusive', method: 'auto', timeoutMs: 0 })
    const rival = disk.open('/db', { mode: 'write' })
    const refused = disk.lock(rival, { kind: 'exclusive', method: 'auto', timeoutMs: 0 })
    await expect(refused).rejects.toThrow('locked by another handle')
  })

  test('the copy and the original go separate ways', () => {
    const { disk, file } = diskWithFile(CHUNK, 1)
    const next = disk.clone()
    file.write(filled(CHUNK, 2), 0)
    file.sync('full')
    disk.rename('/db', '/db2')
    next.open('/db', { mode: 'write' }).truncate(1)
    expect(next.readFile('/db')).toEqual(filled(1, 1))
    expect(durable(next).readFile('/db')).toEqual(filled(CHUNK, 1))
    expect(disk.readFile('/db2')).toEqual(filled(CHUNK, 2))
  })
})

describe('damage by hand', () => {
  test('flipBit() flips one bit, live and durable', () => {
    const { disk, file } = diskWithFile(CHUNK + 10, 0)
    file.write(filled(1, 4), CHUNK)
    disk.flipBit('/db', CHUNK, 2)
    disk.flipBit('/db', 3, 7)
    const expected = filled(CHUNK + 10, 0)
    expected[3] = 128
    expect(disk.readFile('/db')).toEqual(expected)
    const found = durable(disk).readFile('/db')
    expected[CHUNK] = 4
    expect(found).toEqual(expected)
    expect(() => disk.flipBit('/db', CHUNK + 10, 0)).toThrow(RangeError)
    expect(codeOf(() => disk.flipBit('/none', 0, 0))).toBe('KV_NOT_FOUND')
  })

  test('writeFile() puts a durable file with its directories, readFile() copies it', () => {
    const disk = new MemoryDisk()
    disk.writeFile('/a/b/file', filled(5000, 7))
    expect(disk.operationCount).toBe(0)
    const found = durable(disk)
    expect(found.readFile('/a/b/file')).toEqual(filled(5000, 7))
    const bytes = found.readFile('/a/b/file')
    bytes.fill(0)
    expect(found.readFile('/a/b/file')).toEqual(filled(5000, 7))
    found.writeFile('/a/b/file', filled(3, 8))
    expect(found.readFile('/a/b/file')).toEqual(filled(3, 8))
    expect(found.usedBytes).toBe(CHUNK)
  })
})

describe('asynchronous calls', () => {
  const order = async (options: ConstructorParameters<typeof MemoryDisk>[0]): Promise<string> => {
    const { file } = diskWithFile(10, 0, options)
    const ended: number[] = []
    const write = async (i: number): Promise<void> => {
      await file.writeAsync(filled(1, i), 0)
      ended.push(i)
    }
    await Promise.all([1, 2, 3, 4, 5].map(write))
    const last = filled(1, 0)
    file.read(last, 0)
    expect(last[0]).toBe(ended.at(-1))
    return ended.join('')
  }

  test('happen in an order drawn from the seed, the same each time', async () => {
    const orders = new Set<string>()
    for (let seed = 0; seed < 10; seed++) {
      const once = await order({ seed })
      expect(await order({ seed })).toBe(once)
      orders.add(once)
    }
    expect(orders.size).toBeGreaterThan(5)
  })

  test('happen as called when set so', async () => {
    expect(await order({ asyncOrder: 'asCalled' })).toBe('12345')
  })

  test('do nothing before the caller’s turn ends', async () => {
    const { disk, file } = diskWithFile(1, 1)
    const write = file.writeAsync(filled(1, 2), 0)
    expect(disk.readFile('/db')).toEqual(filled(1, 1))
    await write
    expect(disk.readFile('/db')).toEqual(filled(1, 2))
  })
})

describe('the rules of platforms', () => {
  test('a weak data sync makes nothing durable, a full one does', () => {
    const { disk, file } = diskWithFile(CHUNK, 1, { platform: 'macos', dataSyncIsWeak: true })
    file.write(filled(CHUNK, 2), 0)
    file.sync('data')
    expect(durable(disk).readFile('/db')).toEqual(filled(CHUNK, 1))
    file.sync('full')
    expect(durable(disk).readFile('/db')).toEqual(filled(CHUNK, 2))
  })

  test('Windows: a directory sync does nothing, a file sync makes the file’s name durable', () => {
    const disk = new MemoryDisk({ platform: 'windows' })
    const file = disk.open('/db.new', { mode: 'create' })
    disk.open('/other', { mode: 'create' })
    disk.rename('/db.new', '/db')
    disk.syncDirectory('/')
    expect(durable(disk).list('/')).toEqual([])
    file.sync('data')
    expect(durable(disk).list('/')).toEqual(['db'])
  })

  test('Windows: renaming over an open file fails, over a closed one works', () => {
    const { disk, file } = diskWithFile(1, 1, { platform: 'windows' })
    disk.open('/new', { mode: 'create' }).write(filled(1, 2), 0)
    expect(codeOf(() => disk.rename('/new', '/db'))).toBe('KV_IO')
    expect(disk.readFile('/db')).toEqual(filled(1, 1))
    file.close()
    disk.rename('/new', '/db')
    expect(disk.readFile('/db')).toEqual(filled(1, 2))
  })
})

describe('against a plain array', () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('write'), at: fc.nat(20_000), size: fc.nat(10_000) }),
    fc.record({ kind: fc.constant('truncate'), at: fc.nat(25_000), size: fc.constant(0) }),
    fc.record({ kind: fc.constant('allocate'), at: fc.nat(20_000), size: fc.nat(10_000) }),
    fc.record({ kind: fc.constant('sync'), at: fc.constant(0), size: fc.constant(0) }),
  )

  test('a file reads as an array would, and as of the last sync when all else is lost', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 25 }), fc.nat(), (operations, seed) => {
        const disk = new MemoryDisk({ seed, shortTransfers: 0.3 })
        const file = disk.open('/f', { mode: 'create' })
        disk.syncDirectory('/')
        let model: Uint8Array = new Uint8Array(0)
        let synced: Uint8Array = new Uint8Array(0)
        const resize = (sizeBytes: number): void => {
          const next = new Uint8Array(sizeBytes)
          next.set(model.subarray(0, sizeBytes))
          model = next
        }
        operations.forEach(({ kind, at, size }, i) => {
          const value = kind === 'write' ? (i % 255) + 1 : 0
          if (kind === 'truncate') resize(at)
          else if (size > 0) {
            if (at + size > model.length) resize(at + size)
            else model = new Uint8Array(model)
            model.fill(value, at, at + size)
          }
          if (kind === 'write') file.write(filled(size, value), at)
          if (kind === 'truncate') file.truncate(at)
          if (kind === 'allocate') file.allocate(at, size)
          if (kind === 'sync') {
            file.sync('data')
            synced = model
          }
        })
        expect(Buffer.compare(disk.readFile('/f'), model)).toBe(0)
        expect(Buffer.compare(disk.clone().readFile('/f'), model)).toBe(0)
        const all = disk.afterPowerLoss(seed, 'everything').readFile('/f')
        expect(Buffer.compare(all, model)).toBe(0)
        expect(Buffer.compare(durable(disk).readFile('/f'), synced)).toBe(0)
      }),
      { numRuns: 200 },
    )
  })
})

describe('writeDurablyAsync()', () => {
  const codeOfAsync = async (promise: Promise<unknown>): Promise<ErrorCode | 'no error'> => {
    const [result] = await Promise.allSettled([promise])
    return codeOf(() => {
      if (result.status === 'rejected') throw result.reason
    })
  }

  test('is a write and then a sync, and the next call begins after that', async () => {
    const kinds: string[] = []
    const trace = ({ kind, start }: { kind: string; start?: number }): number =>
      kinds.push(`${kind} ${start ?? ''}`.trim())
    const { disk, file } = diskWithFile(10_000, 1, { trace })
    const before = disk.operationCount
    kinds.length = 0
    await Promise.all([
      file.writeDurablyAsync(filled(10, 2), 10),
      file.writeDurablyAsync(filled(10, 3), 20),
    ])
    expect(kinds).toEqual(['write 10', 'sync', 'write 20', 'sync'])
    expect(disk.operationCount).toBe(before + 4)
  })

  test('what has settled outlives every power cut, and nothing passes one that has not', () => {
    const run = async (cutAt: number, seed: number): Promise<void> => {
      const { disk, file } = diskWithFile(4096, 0, { seed })
      const cutOperation = disk.operationCount + cutAt
      disk.cutPowerAt(cutOperation)
      let settledCount = 0
      const calls = Array.from({ length: 5 }, (_, i) =>
        file.writeDurablyAsync(filled(512, i + 1), i * 512).then(() => (settledCount += 1)),
      )
      for (const result of await Promise.allSettled(calls)) {
        if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(PowerCut)
      }
      expect(settledCount).toBe(Math.floor((cutAt - 1) / 2))
      const found = disk.afterPowerLoss(seed).readFile('/db')
      for (let i = 0; i < 5; i++) {
        const value = found[i * 512]
        if (i < settledCount) expect(value).toBe(i + 1)
        else if (i > settledCount) expect(value).toBe(0)
        else expect([0, i + 1]).toContain(value)
      }
    }
    return fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 10 }), fc.nat(), run), {
      numRuns: 100,
    })
  })

  test.each([
    ['write', 'ENOSPC', 'KV_NO_SPACE'],
    ['write', 'EIO', 'KV_IO'],
    ['sync', 'EIO', 'KV_IO'],
    ['sync', 'ENOSPC', 'KV_NO_SPACE'],
  ] as const)(
    'a %s that fails with %s is %s, and final for the handle',
    async (kind, code, expected) => {
      const { disk, file } = diskWithFile(4096, 0)
      disk.injectFault({ kind, code, skip: 1 })
      const calls = [1, 2, 3].map((i) =>
        codeOfAsync(file.writeDurablyAsync(filled(512, i), i * 512)),
      )
      expect(await Promise.all(calls)).toEqual(['no error', expected, 'KV_IO'])
      const before = disk.operationCount
      expect(await codeOfAsync(file.writeDurablyAsync(filled(512, 4), 2048))).toBe('KV_IO')
      expect(disk.operationCount).toBe(before)
      expect(disk.readFile('/db').subarray(1536)).toEqual(filled(2560, 0))
      const other = disk.open('/db', { mode: 'write' })
      expect(await codeOfAsync(other.writeDurablyAsync(filled(512, 4), 2048))).toBe('no error')
    },
  )

  test('the first failure is the cause of the refusals after it', async () => {
    const { disk, file } = diskWithFile(4096, 0)
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    const first = await file.writeDurablyAsync(filled(1, 1), 0).catch((error: unknown) => error)
    const second = await file.writeDurablyAsync(filled(1, 1), 0).catch((error: unknown) => error)
    expect(isKvError(second, 'KV_IO') && second.cause).toBe(first)
  })
})
