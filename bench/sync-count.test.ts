import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { countSyncs, tracing } from './sync-count.ts'

const MARKS = { begin: '/begin', end: '/end' }

function within(...lines: readonly string[]): string {
  return [
    '7 statx(AT_FDCWD, "/begin", AT_STATX_SYNC_AS_STAT, STATX_ALL, 0x7f) = -1 ENOENT (none)',
    ...lines,
    '8 newfstatat(AT_FDCWD, "/end", 0xc0, 0) = -1 ENOENT (none)',
  ].join('\n')
}

describe('countSyncs()', () => {
  test('counts what lies between the marks, each call once', () => {
    const trace = [
      '7 fdatasync(17</d/x>) = 0',
      within(
        '7 fdatasync(17</d/x> <unfinished ...>',
        '8 fsync(18</d/y>)                      = 0',
        '7 <... fdatasync resumed>)             = 0',
        '8 sync_file_range(18</d/y>, 0, 0, SYNC_FILE_RANGE_WRITE) = 0',
      ),
      '7 fsync(17</d/x>) = 0',
    ].join('\n')
    expect(countSyncs(trace, MARKS)).toEqual({ fdatasync: 1, fsync: 1, sync_file_range: 1 })
  })

  test('counts msync only where it waits', () => {
    const trace = within(
      '7 msync(0x7f00, 4096, MS_ASYNC) = 0',
      '7 msync(0x7f00, 4096, MS_SYNC) = 0',
    )
    expect(countSyncs(trace, MARKS)).toEqual({ msync: 1 })
  })

  test('counts writes through a descriptor opened with O_DSYNC, and no others', () => {
    const trace = [
      '7 openat(AT_FDCWD, "/d/x", O_RDWR|O_CREAT, 0664) = 17</d/x>',
      '7 openat(AT_FDCWD, "/d/x", O_WRONLY|O_DSYNC|O_CLOEXEC <unfinished ...>',
      '8 openat(AT_FDCWD, "/d/z", O_RDONLY) = 18</d/z>',
      '7 <... openat resumed>)               = 19</d/x>',
      within(
        '7 pwrite64(17</d/x>, "\\0\\0"..., 4096, 0) = 4096',
        '7 pwrite64(19</d/x>, "\\0\\0"..., 104, 0) = 104',
        '7 pwritev2(17</d/x>, [{iov_len=8}], 1, 0, RWF_DSYNC) = 8',
      ),
    ].join('\n')
    expect(countSyncs(trace, MARKS)).toEqual({ 'synced write': 2 })
  })

  test('forgets a descriptor that is opened anew without O_DSYNC', () => {
    const trace = [
      '7 openat(AT_FDCWD, "/d/x", O_WRONLY|O_SYNC) = 19</d/x>',
      '7 openat(AT_FDCWD, "/d/x", O_WRONLY) = 19</d/x>',
      within('7 write(19</d/x>, "a", 1) = 1'),
    ].join('\n')
    expect(countSyncs(trace, MARKS)).toEqual({})
  })
})

const SCRIPT = `
  const fs = require('node:fs')
  const [file] = process.argv.slice(1)
  const { O_WRONLY, O_CREAT, O_DSYNC } = fs.constants
  const synced = fs.openSync(file, O_WRONLY | O_CREAT | O_DSYNC)
  const plain = fs.openSync(file, 'r+')
  fs.fsyncSync(plain)
  fs.existsSync('/begin')
  for (let i = 0; i < 3; i++) fs.writeSync(synced, 'a', 0)
  for (let i = 0; i < 5; i++) fs.writeSync(plain, 'a', 0)
  fs.fdatasyncSync(plain)
  fs.fsync(plain, () => fs.existsSync('/end'))
`

const folder = mkdtempSync(join(tmpdir(), 'revbolt-sync-count-'))
const before = tracing(join(folder, 'trace'))
rmSync(folder, { recursive: true })

test.skipIf(before === undefined)('tracing() sees the syncs of a real process', () => {
  const own = mkdtempSync(join(tmpdir(), 'revbolt-sync-count-'))
  try {
    const [program = '', ...words] = tracing(join(own, 'trace')) ?? []
    const script = [process.execPath, '-e', SCRIPT, join(own, 'file')]
    expect(spawnSync(program, [...words, ...script]).status).toBe(0)
    const counts = countSyncs(readFileSync(join(own, 'trace'), 'utf8'), MARKS)
    expect(counts).toEqual({ 'synced write': 3, fdatasync: 1, fsync: 1 })
  } finally {
    rmSync(own, { recursive: true })
  }
})
