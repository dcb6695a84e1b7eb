/** What only the real disk does; the contract it shares is in disk.test.ts. */

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as paths from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isKvError } from '../base/errors.ts'
import { RealDisk } from './real-disk.ts'

const disk = new RealDisk()
const isUnix = process.platform !== 'win32'
const isLinux = process.platform === 'linux'
const isRoot = process.getuid?.() === 0

let directory: string
let path: string

beforeEach(() => {
  directory = fs.mkdtempSync(paths.join(tmpdir(), 'revbolt-real-'))
  path = paths.join(directory, 'file')
})

afterEach(() => {
  fs.rmSync(directory, { recursive: true, force: true })
})

function codeOf(body: () => unknown): string {
  try {
    body()
  } catch (error) {
    if (isKvError(error)) return error.code
    throw error
  }
  return 'no error'
}

describe('RealDisk', () => {
  test.runIf(isUnix)('makes files 0600 and directories 0700', () => {
    disk.open(path, { mode: 'create' }).close()
    expect(fs.statSync(path).mode & 0o777).toBe(0o600)
    disk.makeDirectory(paths.join(directory, 'a', 'b'))
    expect(fs.statSync(paths.join(directory, 'a')).mode & 0o777).toBe(0o700)
    expect(fs.statSync(paths.join(directory, 'a', 'b')).mode & 0o777).toBe(0o700)
  })

  test('keeps the mode of a file that is there', () => {
    fs.writeFileSync(path, '', { mode: 0o640 })
    disk.open(path, { mode: 'create' }).close()
    expect(fs.statSync(path).mode & 0o777).toBe(0o640)
  })

  test.runIf(isUnix && !isRoot)('a file that may not be written is KV_READ_ONLY', () => {
    fs.writeFileSync(path, 'x', { mode: 0o400 })
    expect(codeOf(() => disk.open(path, { mode: 'write' }))).toBe('KV_READ_ONLY')
    disk.open(path, { mode: 'read' }).close()
  })

  test.runIf(isUnix && !isRoot)('a directory that may not be entered is KV_IO to exists()', () => {
    const closed = paths.join(directory, 'closed')
    fs.mkdirSync(closed, { mode: 0 })
    expect(codeOf(() => disk.exists(paths.join(closed, 'x')))).toBe('KV_IO')
    fs.chmodSync(closed, 0o700)
  })

  test.runIf(isLinux)(
    'a named pipe is refused in every mode, without waiting for its other end',
    () => {
      spawnSync('mkfifo', [path])
      for (const mode of ['read', 'write', 'create'] as const) {
        expect(codeOf(() => disk.open(path, { mode }))).toBe('KV_IO')
      }
    },
  )

  test.runIf(isLinux)('a device is refused', () => {
    expect(codeOf(() => disk.open('/dev/null', { mode: 'read' }))).toBe('KV_IO')
  })

  test.runIf(isLinux)('a refused open leaves no descriptor behind', () => {
    const count = (): number => fs.readdirSync('/proc/self/fd').length
    const before = count()
    for (let i = 0; i < 10; i++) codeOf(() => disk.open(directory, { mode: 'read' }))
    for (let i = 0; i < 10; i++) disk.syncDirectory(directory)
    expect(count()).toBe(before)
  })

  test.runIf(isLinux)('descriptors are not inherited by child processes', () => {
    const file = disk.open(path, { mode: 'create' })
    const list = spawnSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' })
    expect(list.stdout).not.toContain(path)
    file.close()
  })

  test('a path is absolute from the start: chdir changes nothing', () => {
    const file = disk.open(paths.relative(process.cwd(), path), { mode: 'create' })
    expect(file.path).toBe(path)
    file.close()
  })

  test('a missing target directory of a rename is KV_NOT_FOUND', () => {
    fs.writeFileSync(path, 'x')
    const target = paths.join(directory, 'none', 'x')
    expect(codeOf(() => disk.rename(path, target))).toBe('KV_NOT_FOUND')
  })

  test.runIf(isLinux)(
    'a write past the file system’s largest file is KV_IO, naming the file',
    () => {
      const file = disk.open(path, { mode: 'create' })
      expect(() => file.write(new Uint8Array(10), 2 ** 53 - 20)).toThrow(`${path}: write: EFBIG`)
      expect(codeOf(() => file.truncate(2 ** 53 - 1))).toBe('KV_IO')
      expect(file.size()).toBe(0)
      file.close()
    },
  )

  test('syncs of both kinds return, on a handle opened for reading too', async () => {
    disk.open(path, { mode: 'create' }).close()
    const file = disk.open(path, { mode: 'read' })
    expect(codeOf(() => file.sync('data'))).toBe('no error')
    expect(codeOf(() => file.sync('full'))).toBe('no error')
    await expect(file.syncAsync('data')).resolves.toBeUndefined()
    await expect(file.syncAsync('full')).resolves.toBeUndefined()
    file.close()
  })
})

describe('RealFile.beginWriteback()', () => {
  test.runIf(isLinux)('leaves nothing open behind it, however it is closed', async () => {
    const count = (): number => fs.readdirSync('/proc/self/fd').length
    const before = count()
    for (const pause of [false, true]) {
      const file = disk.open(path, { mode: 'create' })
      for (let i = 0; i < 30; i++) {
        file.write(new Uint8Array(100_000).fill(i), i * 100_000)
        file.beginWriteback()
        if (i % 10 === 9) file.sync('data')
        if (pause) await new Promise((resolve) => setImmediate(resolve))
      }
      file.close()
    }
    for (let turn = 0; count() !== before && turn < 1000; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(count()).toBe(before)
    expect(fs.readFileSync(path)[2_950_000]).toBe(29)
  })

  test('is refused on a file that was opened for reading, or is closed', () => {
    disk.open(path, { mode: 'create' }).close()
    const file = disk.open(path, { mode: 'read' })
    expect(codeOf(() => file.beginWriteback())).toBe('KV_READ_ONLY')
    file.close()
    expect(codeOf(() => file.beginWriteback())).toBe('KV_CLOSED')
  })
})
