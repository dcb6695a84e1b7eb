/**
 * The contract of disk.ts, claim by claim, on both disks.
 */

import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as paths from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { isKvError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import { MemoryDisk } from './memory-disk.ts'
import { RealDisk } from './real-disk.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { Disk, DiskFile, LockOptions } from './disk.ts'

vi.setConfig({ testTimeout: 60_000 })

interface Ground {
  readonly disk: Disk
  readonly directory: string
  readonly clean: () => void
}

const temporary = (): { readonly directory: string; readonly clean: () => void } => {
  const directory = fs.mkdtempSync(paths.join(tmpdir(), 'revbolt-disk-'))
  return { directory, clean: () => fs.rmSync(directory, { recursive: true, force: true }) }
}

const memory = (disk: MemoryDisk): Ground => {
  disk.makeDirectory('/data')
  return { disk, directory: '/data', clean: () => undefined }
}

const GROUNDS: readonly [string, () => Ground][] = [
  ['RealDisk', () => ({ disk: new RealDisk(), ...temporary() })],
  ['RealDisk with flock(1)', () => ({ disk: new RealDisk({ flock: 'flock(1)' }), ...temporary() })],
  ['MemoryDisk', () => memory(new MemoryDisk())],
  ['MemoryDisk with short transfers', () => memory(new MemoryDisk({ shortTransfers: 0.7 }))],
  ['MemoryDisk that is plain', () => memory(new MemoryDisk({ isPlain: true }))],
  ['MemoryDisk by the rules of Windows', () => memory(new MemoryDisk({ platform: 'windows' }))],
]

const EXCLUSIVE: LockOptions = { kind: 'exclusive', method: 'auto', timeoutMs: 0 }
const SHARED: LockOptions = { kind: 'shared', method: 'auto', timeoutMs: 0 }

function codeOf(body: () => unknown): ErrorCode | 'no error' {
  try {
    body()
  } catch (error) {
    if (isKvError(error)) return error.code
    throw error
  }
  return 'no error'
}

async function codeOfAsync(promise: Promise<unknown>): Promise<ErrorCode | 'no error'> {
  try {
    await promise
  } catch (error) {
    if (isKvError(error)) return error.code
    throw error
  }
  return 'no error'
}

function contents(file: DiskFile): Uint8Array {
  const bytes = new Uint8Array(file.size())
  expect(file.read(bytes, 0)).toBe(bytes.length)
  return bytes
}

/** `toEqual` on large arrays takes seconds. */
function expectSame(bytes: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.compare(bytes, expected)).toBe(0)
}

const text = (string: string): Uint8Array => new TextEncoder().encode(string)

describe.each(GROUNDS)('%s', (_name, makeGround) => {
  let ground: Ground
  let disk: Disk
  let path: string
  const files: DiskFile[] = []

  beforeEach(() => {
    ground = makeGround()
    disk = ground.disk
    path = disk.join(ground.directory, 'file')
  })

  afterEach(() => {
    for (const file of files.splice(0)) file.close()
    ground.clean()
  })

  const open = (mode: 'read' | 'write' | 'create' | 'createNew', at: string = path): DiskFile => {
    const file = disk.open(at, { mode })
    files.push(file)
    return file
  }

  describe('open()', () => {
    test('read and write throw KV_NOT_FOUND where there is no file', () => {
      expect(codeOf(() => open('read'))).toBe('KV_NOT_FOUND')
      expect(codeOf(() => open('write'))).toBe('KV_NOT_FOUND')
      expect(disk.exists(path)).toBe(false)
    })

    test('create makes an empty file, and keeps the bytes of one that is there', () => {
      const file = open('create')
      expect(file.size()).toBe(0)
      expect(file.writable).toBe(true)
      file.write(text('kept'), 0)
      expect(contents(open('create'))).toEqual(text('kept'))
    })

    test('createNew makes a file and refuses one that is there', () => {
      open('createNew').write(text('first'), 0)
      expect(codeOf(() => open('createNew'))).toBe('KV_IO')
      expect(contents(open('read'))).toEqual(text('first'))
    })

    test('create throws KV_NOT_FOUND where the directory is missing', () => {
      expect(codeOf(() => open('create', disk.join(path, 'no', 'such')))).toBe('KV_NOT_FOUND')
    })

    test('a directory is not a file: KV_IO in every mode', () => {
      for (const mode of ['read', 'write', 'create', 'createNew'] as const) {
        expect(codeOf(() => open(mode, ground.directory))).toBe('KV_IO')
      }
    })

    test('the path of a handle is absolute, and errors name it', () => {
      const file = open('create')
      expect(file.path).toBe(disk.resolve(path))
      expect(() => disk.open(`${path}.missing`, { mode: 'read' })).toThrow(`${path}.missing: open`)
    })
  })

  describe('read() and write()', () => {
    test('are positional and complete, and grow the file', () => {
      const file = open('create')
      const bytes = new Random(1).fill(new Uint8Array(100_000))
      file.write(bytes.subarray(50_000), 50_000)
      file.write(bytes.subarray(0, 50_000), 0)
      expect(file.size()).toBe(100_000)
      expectSame(contents(file), bytes)
      const part = new Uint8Array(10_000)
      expect(file.read(part, 12_345)).toBe(10_000)
      expectSame(part, bytes.slice(12_345, 22_345))
    })

    test('a read is short only at the end of the file, and leaves the rest alone', () => {
      const file = open('create')
      file.write(text('hello'), 0)
      const target = new Uint8Array(10).fill(7)
      expect(file.read(target, 2)).toBe(3)
      expect(target).toEqual(new Uint8Array([...text('llo'), 7, 7, 7, 7, 7, 7, 7]))
      expect(file.read(target, 5)).toBe(0)
      expect(file.read(target, 5_000_000)).toBe(0)
      expect(file.read(new Uint8Array(0), 0)).toBe(0)
    })

    test('a write beyond the end leaves zeros between', () => {
      const file = open('create')
      file.write(text('x'), 10_000)
      const expected = new Uint8Array(10_001).fill(text('x')[0] ?? 0, 10_000)
      expect(Buffer.compare(contents(file), expected)).toBe(0)
    })

    test('an empty write changes nothing', () => {
      const file = open('create')
      file.write(new Uint8Array(0), 100)
      expect(file.size()).toBe(0)
    })

    test('the async twins do the same', async () => {
      const file = open('create')
      const bytes = new Random(2).fill(new Uint8Array(70_000))
      await file.writeAsync(bytes, 3)
      const target = new Uint8Array(80_000)
      expect(await file.readAsync(target, 3)).toBe(70_000)
      expectSame(target.subarray(0, 70_000), bytes)
      await file.syncAsync('data')
      await file.syncAsync('full')
    })

    test('async writes apart from each other all arrive', async () => {
      const file = open('create')
      const writes = Array.from({ length: 50 }, (_, i) =>
        file.writeAsync(new Uint8Array(1000).fill(i + 1), i * 1000),
      )
      await Promise.all(writes)
      const bytes = contents(file)
      expect(bytes.length).toBe(50_000)
      expect(bytes.every((byte, i) => byte === Math.floor(i / 1000) + 1)).toBe(true)
    })

    test('two handles on one file see each other’s bytes', () => {
      const one = open('create')
      const other = open('write')
      one.write(text('seen'), 0)
      expect(contents(other)).toEqual(text('seen'))
    })

    test('what was written may be changed by the caller afterwards', () => {
      const file = open('create')
      const bytes = text('mine')
      file.write(bytes, 0)
      bytes.fill(0)
      expect(contents(file)).toEqual(text('mine'))
    })

    test('positions out of range are a RangeError', async () => {
      const file = open('create')
      for (const position of [-1, 0.5, Number.NaN, 2 ** 53]) {
        expect(() => file.read(new Uint8Array(1), position)).toThrow(RangeError)
        expect(() => file.write(new Uint8Array(1), position)).toThrow(RangeError)
        expect(() => file.truncate(position)).toThrow(RangeError)
        expect(() => file.allocate(position, 1)).toThrow(RangeError)
        expect(() => file.allocate(0, position)).toThrow(RangeError)
        await expect(file.readAsync(new Uint8Array(1), position)).rejects.toThrow(RangeError)
        await expect(file.writeAsync(new Uint8Array(1), position)).rejects.toThrow(RangeError)
      }
    })

    test('a handle opened for reading refuses every change with KV_READ_ONLY', async () => {
      open('create').write(text('kept'), 0)
      const file = open('read')
      expect(file.writable).toBe(false)
      expect(codeOf(() => file.write(text('x'), 0))).toBe('KV_READ_ONLY')
      expect(codeOf(() => file.truncate(0))).toBe('KV_READ_ONLY')
      expect(codeOf(() => file.allocate(0, 1))).toBe('KV_READ_ONLY')
      expect(await codeOfAsync(file.writeAsync(text('x'), 0))).toBe('KV_READ_ONLY')
      expect(contents(file)).toEqual(text('kept'))
    })
  })

  describe('writeDurablyAsync()', () => {
    test('writes the whole of the bytes, at any place and of any size', async () => {
      const file = open('create')
      const bytes = new Random(4).fill(new Uint8Array(5_000_003))
      await file.writeDurablyAsync(bytes.subarray(700, 701), 700)
      expect(file.size()).toBe(701)
      await file.writeDurablyAsync(bytes.subarray(0, 700), 0)
      await file.writeDurablyAsync(bytes.subarray(701), 701)
      await file.writeDurablyAsync(new Uint8Array(0), 6_000_000)
      expectSame(contents(file), bytes)
      await file.writeDurablyAsync(text('over'), 65_534)
      bytes.set(text('over'), 65_534)
      expectSame(contents(file), bytes)
    })

    test('thousands of calls on two files settle in their order, and the last byte stays', async () => {
      const files = [open('create'), open('create', `${path}2`)] as const
      const settled: [number[], number[]] = [[], []]
      const random = new Random(5)
      const expected = [new Uint8Array(5000), new Uint8Array(5000)] as const
      const calls = Array.from({ length: 2000 }, (_, i) => {
        const which = random.chance(0.5) ? 1 : 0
        const size = random.between(1, 600)
        const position = i < 2 ? 4400 : random.below(4400)
        const source = new Uint8Array(i < 2 ? 600 : size).fill(random.below(256))
        const target = i < 2 ? i : which
        expected[target as 0 | 1].set(source, position)
        return files[target as 0 | 1].writeDurablyAsync(source, position).then(() => {
          settled[target as 0 | 1].push(i)
        })
      })
      await Promise.all(calls)
      for (const which of [0, 1] as const) {
        expect(settled[which]).toEqual(settled[which].toSorted((a, b) => a - b))
        expectSame(contents(files[which]), expected[which])
      }
      expect(settled[0].length + settled[1].length).toBe(2000)
    })

    test('bytes may be changed once the call has settled, and are read by then', async () => {
      const file = open('create')
      const bytes = text('mine')
      await file.writeDurablyAsync(bytes, 0)
      bytes.fill(0)
      expect(contents(file)).toEqual(text('mine'))
    })

    test('stands beside the other calls of the handle', async () => {
      const file = open('create')
      file.allocate(0, 400_000)
      const bytes = new Random(6).fill(new Uint8Array(400_000))
      await Promise.all([
        file.writeDurablyAsync(bytes.subarray(0, 100_000), 0),
        file.writeAsync(bytes.subarray(100_000, 200_000), 100_000),
        file.writeDurablyAsync(bytes.subarray(200_000, 300_000), 200_000),
        file.syncAsync('data'),
      ])
      file.write(bytes.subarray(300_000), 300_000)
      file.sync('data')
      expectSame(contents(file), bytes)
    })

    test('is refused where a write is: place, handle for reading, closed handle', async () => {
      const file = open('create')
      for (const position of [-1, 0.5, Number.NaN, 2 ** 53]) {
        await expect(file.writeDurablyAsync(text('x'), position)).rejects.toThrow(RangeError)
      }
      const reader = open('read')
      expect(await codeOfAsync(reader.writeDurablyAsync(text('x'), 0))).toBe('KV_READ_ONLY')
      // Nothing of this was a failure of the file.
      await file.writeDurablyAsync(text('kept'), 0)
      file.close()
      expect(await codeOfAsync(file.writeDurablyAsync(text('x'), 0))).toBe('KV_CLOSED')
      expect(contents(reader)).toEqual(text('kept'))
    })

    test('close() lets all calls made before it end, and holds the lock until then', async () => {
      const file = open('create')
      await disk.lock(file, EXCLUSIVE)
      const bytes = new Random(7).fill(new Uint8Array(3_000_000))
      let endedCount = 0
      const calls = Array.from({ length: 30 }, (_, i) =>
        file
          .writeDurablyAsync(bytes.subarray(i * 100_000, (i + 1) * 100_000), i * 100_000)
          .then(() => (endedCount += 1)),
      )
      file.close()
      const other = open('write')
      const outcome = await codeOfAsync(disk.lock(other, EXCLUSIVE))
      expect(outcome === 'KV_LOCKED' || endedCount === 30).toBe(true)
      await Promise.all(calls)
      expectSame(contents(other), bytes)
      if (outcome === 'KV_LOCKED') await disk.lock(other, EXCLUSIVE)
    })
  })

  describe('truncate() and allocate()', () => {
    test('truncate() cuts, and what grows again reads as zeros', () => {
      const file = open('create')
      file.write(new Uint8Array(20_000).fill(9), 0)
      file.truncate(5000)
      expect(file.size()).toBe(5000)
      file.truncate(9000)
      const expected = new Uint8Array(9000)
      expected.fill(9, 0, 5000)
      expectSame(contents(file), expected)
      file.truncate(0)
      expect(contents(file)).toEqual(new Uint8Array(0))
    })

    test('allocate() writes zeros over what was there and grows the file', () => {
      const file = open('create')
      file.write(new Uint8Array(10_000).fill(9), 0)
      file.allocate(5000, 2_500_000)
      const expected = new Uint8Array(2_505_000)
      expected.fill(9, 0, 5000)
      expectSame(contents(file), expected)
      file.allocate(100, 0)
      expect(file.size()).toBe(2_505_000)
    })
  })

  describe('close()', () => {
    test('is idempotent, and every later call is KV_CLOSED', async () => {
      const file = open('create')
      file.close()
      file.close()
      const byte = new Uint8Array(1)
      const calls = [
        () => file.read(byte, 0),
        () => file.write(byte, 0),
        () => file.size(),
        () => file.truncate(0),
        () => file.allocate(0, 1),
        () => file.sync('data'),
        () => file.identity(),
      ]
      for (const body of calls) expect(codeOf(body)).toBe('KV_CLOSED')
      expect(await codeOfAsync(file.readAsync(byte, 0))).toBe('KV_CLOSED')
      expect(await codeOfAsync(file.writeAsync(byte, 0))).toBe('KV_CLOSED')
      expect(await codeOfAsync(file.syncAsync('data'))).toBe('KV_CLOSED')
      expect(await codeOfAsync(disk.lock(file, EXCLUSIVE))).toBe('KV_CLOSED')
    })

    test('lets asynchronous calls under way end, and holds the lock until then', async () => {
      const file = open('create')
      await disk.lock(file, EXCLUSIVE)
      const bytes = new Random(3).fill(new Uint8Array(3_000_000))
      let hasEnded = false
      const write = file.writeAsync(bytes, 0).then(() => {
        hasEnded = true
      })
      file.close()
      const other = open('write')
      const outcome = await codeOfAsync(disk.lock(other, EXCLUSIVE))
      // The write may end while the lock is being tried, but never after the lock was had.
      expect(outcome === 'KV_LOCKED' || hasEnded).toBe(true)
      await write
      expectSame(contents(other), bytes)
      if (outcome === 'KV_LOCKED') await disk.lock(other, EXCLUSIVE)
    })
  })

  describe('names', () => {
    test('list() is sorted and has directories too', () => {
      for (const name of ['b', 'a', 'é', 'Z']) open('create', disk.join(ground.directory, name))
      disk.makeDirectory(disk.join(ground.directory, 'c', 'deep'))
      expect(disk.list(ground.directory)).toEqual(['Z', 'a', 'b', 'c', 'é'])
      expect(disk.list(disk.join(ground.directory, 'c'))).toEqual(['deep'])
      expect(codeOf(() => disk.list(disk.join(ground.directory, 'none')))).toBe('KV_NOT_FOUND')
    })

    test('makeDirectory() makes parents, is content with one that is there, refuses a file', () => {
      const deep = disk.join(ground.directory, 'x', 'y', 'z')
      disk.makeDirectory(deep)
      disk.makeDirectory(deep)
      disk.syncDirectory(deep)
      open('create', disk.join(deep, 'file'))
      expect(disk.list(deep)).toEqual(['file'])
      expect(codeOf(() => disk.makeDirectory(disk.join(deep, 'file')))).toBe('KV_IO')
      expect(codeOf(() => disk.makeDirectory(disk.join(deep, 'file', 'more')))).toBe('KV_IO')
    })

    test('rename() moves a file, over a closed one too, and keeps its identity', () => {
      const target = disk.join(ground.directory, 'target')
      open('create', target).close()
      const file = open('create')
      file.write(text('moved'), 0)
      const identity = file.identity()
      disk.rename(path, target)
      expect(disk.exists(path)).toBe(false)
      expect(disk.identityOf(target)).toEqual(identity)
      expect(contents(open('read', target))).toEqual(text('moved'))
      expect(disk.list(ground.directory)).toEqual(['target'])
    })

    test('rename() moves a directory with what is in it', () => {
      const from = disk.join(ground.directory, 'from')
      const to = disk.join(ground.directory, 'to')
      disk.makeDirectory(from)
      open('create', disk.join(from, 'inside'))
      disk.rename(from, to)
      expect(disk.list(to)).toEqual(['inside'])
      expect(disk.exists(from)).toBe(false)
      expect(codeOf(() => disk.rename(to, disk.join(to, 'self')))).toBe('KV_IO')
    })

    test('removeDirectory() takes an empty directory only', () => {
      const inner = disk.join(ground.directory, 'inner')
      disk.makeDirectory(inner)
      const file = disk.join(inner, 'file')
      disk.open(file, { mode: 'create' }).close()
      expect(codeOf(() => disk.removeDirectory(inner))).toBe('KV_IO')
      expect(codeOf(() => disk.removeDirectory(file))).toBe('KV_IO')
      disk.remove(file)
      disk.removeDirectory(inner)
      expect(disk.exists(inner)).toBe(false)
      expect(codeOf(() => disk.removeDirectory(inner))).toBe('KV_NOT_FOUND')
    })

    test('rename() of a missing file is KV_NOT_FOUND, onto itself nothing', () => {
      expect(codeOf(() => disk.rename(path, `${path}2`))).toBe('KV_NOT_FOUND')
      open('create').write(text('same'), 0)
      disk.rename(path, path)
      expect(contents(open('read'))).toEqual(text('same'))
    })

    test('remove() takes the name; an open handle goes on; a missing file is KV_NOT_FOUND', () => {
      const file = open('create')
      file.write(text('still here'), 0)
      disk.remove(path)
      expect(disk.exists(path)).toBe(false)
      expect(contents(file)).toEqual(text('still here'))
      expect(codeOf(() => disk.remove(path))).toBe('KV_NOT_FOUND')
      expect(codeOf(() => disk.remove(ground.directory))).toBe('KV_IO')
    })

    test('identity() is one per file', () => {
      const file = open('create')
      const other = open('create', `${path}2`)
      expect(disk.identityOf(path)).toEqual(file.identity())
      expect(open('read').identity()).toEqual(file.identity())
      expect(other.identity()).not.toEqual(file.identity())
      expect(disk.identityOf(`${path}3`)).toBeUndefined()
      expect(disk.identityOf(disk.join(path, 'below a file'))).toBeUndefined()
    })

    test('syncDirectoryAsync() behaves as syncDirectory()', async () => {
      await disk.syncDirectoryAsync(ground.directory)
      const missing = disk.join(ground.directory, 'missing')
      await expect(disk.syncDirectoryAsync(missing)).rejects.toMatchObject({ code: 'KV_NOT_FOUND' })
    })

    test('syncDirectory() of a missing directory is KV_NOT_FOUND', () => {
      disk.syncDirectory(ground.directory)
      const missing = disk.join(ground.directory, 'none')
      expect(codeOf(() => disk.syncDirectory(missing))).toBe('KV_NOT_FOUND')
    })

    test('path arithmetic is that of the platform', () => {
      expect(disk.directoryOf(path)).toBe(ground.directory)
      expect(disk.join('a', '..', 'b', 'c')).toBe(disk.join('b', 'c'))
      expect(disk.resolve(path)).toBe(path)
    })
  })

  describe('lock()', () => {
    test('exclusive excludes every other handle, shared only exclusive ones', async () => {
      const one = open('create')
      const two = open('write')
      const three = open('read')
      await disk.lock(one, SHARED)
      await disk.lock(three, SHARED)
      expect(await codeOfAsync(disk.lock(two, EXCLUSIVE))).toBe('KV_LOCKED')
      one.close()
      expect(await codeOfAsync(disk.lock(two, EXCLUSIVE))).toBe('KV_LOCKED')
      three.close()
      await disk.lock(two, EXCLUSIVE)
      const four = open('write')
      expect(await codeOfAsync(disk.lock(four, SHARED))).toBe('KV_LOCKED')
      expect(await codeOfAsync(disk.lock(four, EXCLUSIVE))).toBe('KV_LOCKED')
    })

    test('auto and file exclude each other; file counts as exclusive', async () => {
      const one = open('create')
      const two = open('write')
      await disk.lock(one, { ...SHARED, method: 'file' })
      expect(await codeOfAsync(disk.lock(two, EXCLUSIVE))).toBe('KV_LOCKED')
      expect(await codeOfAsync(disk.lock(two, SHARED))).toBe('KV_LOCKED')
      expect(await codeOfAsync(disk.lock(two, { ...SHARED, method: 'file' }))).toBe('KV_LOCKED')
      one.close()
      await disk.lock(two, EXCLUSIVE)
      const three = open('write')
      expect(await codeOfAsync(disk.lock(three, { ...EXCLUSIVE, method: 'file' }))).toBe(
        'KV_LOCKED',
      )
    })

    test('locks of different files have nothing to do with each other', async () => {
      await disk.lock(open('create'), EXCLUSIVE)
      const other = disk.lock(open('create', `${path}2`), EXCLUSIVE)
      expect(await codeOfAsync(other)).toBe('no error')
    })

    test('waits until the holder closes', async () => {
      const one = open('create')
      const two = open('write')
      await disk.lock(one, EXCLUSIVE)
      let isTaken = false
      const wait = disk.lock(two, { ...EXCLUSIVE, timeoutMs: Infinity }).then(() => {
        isTaken = true
      })
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(isTaken).toBe(false)
      one.close()
      await wait
      expect(await codeOfAsync(disk.lock(open('write'), EXCLUSIVE))).toBe('KV_LOCKED')
    })

    test('gives up after timeoutMs with KV_LOCKED, and the holder keeps its lock', async () => {
      await disk.lock(open('create'), EXCLUSIVE)
      const two = open('write')
      expect(await codeOfAsync(disk.lock(two, { ...EXCLUSIVE, timeoutMs: 15 }))).toBe('KV_LOCKED')
      expect(await codeOfAsync(disk.lock(two, EXCLUSIVE))).toBe('KV_LOCKED')
    })

    test('abort rejects with the signal’s reason, before and while waiting', async () => {
      const one = open('create')
      const two = open('write')
      const reason = new Error('enough')
      const options = { ...EXCLUSIVE, timeoutMs: Infinity }
      const aborted = disk.lock(two, { ...options, signal: AbortSignal.abort(reason) })
      await expect(aborted).rejects.toBe(reason)
      await disk.lock(one, EXCLUSIVE)
      const controller = new AbortController()
      const wait = disk.lock(two, { ...options, signal: controller.signal })
      setTimeout(() => controller.abort(reason), 5)
      await expect(wait).rejects.toBe(reason)
      one.close()
      await disk.lock(open('write'), EXCLUSIVE)
    })

    test('a handle is locked once: another call is a TypeError', async () => {
      const file = open('create')
      const first = disk.lock(file, EXCLUSIVE)
      await expect(disk.lock(file, EXCLUSIVE)).rejects.toThrow(TypeError)
      await first
      await expect(disk.lock(file, SHARED)).rejects.toThrow(TypeError)
    })

    test('a handle closed while it waits is KV_CLOSED and holds nothing', async () => {
      const one = open('create')
      const two = open('write')
      await disk.lock(one, EXCLUSIVE)
      const wait = disk.lock(two, { ...EXCLUSIVE, timeoutMs: Infinity })
      two.close()
      expect(await codeOfAsync(wait)).toBe('KV_CLOSED')
      one.close()
      await disk.lock(open('write'), EXCLUSIVE)
    })

    test.each(['auto', 'file'] as const)(
      'a file replaced before it was locked is KV_IO, by method %s, and stays free',
      async (method) => {
        const file = open('create')
        const fresh = open('create', `${path}.new`)
        fresh.close()
        // What a restore does between another opener's open() and lock().
        if (!isWindowsRules(disk, file)) disk.rename(`${path}.new`, path)
        else return
        expect(await codeOfAsync(disk.lock(file, { ...EXCLUSIVE, method }))).toBe('KV_IO')
        expect(disk.identityOf(path)).not.toEqual(file.identity())
        await disk.lock(open('write'), { ...EXCLUSIVE, method })
        expect(disk.list(ground.directory).filter((name) => name.includes('takeover'))).toEqual([])
      },
    )

    test('a removed file is KV_IO', async () => {
      const file = open('create')
      disk.remove(path)
      expect(await codeOfAsync(disk.lock(file, EXCLUSIVE))).toBe('KV_IO')
    })

    test('a wrong timeout is a RangeError, a foreign file a TypeError', async () => {
      const file = open('create')
      for (const timeoutMs of [-1, Number.NaN]) {
        await expect(disk.lock(file, { ...EXCLUSIVE, timeoutMs })).rejects.toThrow(RangeError)
      }
      const foreign = disk instanceof MemoryDisk ? temporary() : undefined
      const other =
        foreign === undefined
          ? new MemoryDisk().open('/x', { mode: 'create' })
          : new RealDisk().open(paths.join(foreign.directory, 'x'), { mode: 'create' })
      await expect(disk.lock(other, EXCLUSIVE)).rejects.toThrow(TypeError)
      other.close()
      foreign?.clean()
    })
  })
})

/** Whether the disk refuses to rename over an open file, as Windows does. */
function isWindowsRules(disk: Disk, open: DiskFile): boolean {
  const probe = `${open.path}.probe`
  disk.open(probe, { mode: 'create' }).close()
  const keeper = `${open.path}.kept`
  const kept = disk.open(keeper, { mode: 'create' })
  try {
    disk.rename(probe, keeper)
    return false
  } catch {
    disk.remove(probe)
    return true
  } finally {
    kept.close()
    disk.remove(keeper)
  }
}
