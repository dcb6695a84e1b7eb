import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import * as paths from 'node:path'
import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock, systemClock } from '../base/clock.ts'
import { LockFile } from './lock-file.ts'
import { currentProcess, hasEnded } from './process-identity.ts'
import type { Clock } from '../base/clock.ts'

let directory: string
let path: string

beforeEach(() => {
  directory = fs.mkdtempSync(paths.join(tmpdir(), 'revbolt-lock-'))
  path = paths.join(directory, 'db')
})

afterEach(() => {
  fs.rmSync(directory, { recursive: true, force: true })
})

const lockFile = (): LockFile => new LockFile(path, systemClock)

const writeOwner = (change: Readonly<Record<string, unknown>>): void => {
  const owner = { ...currentProcess(), kind: 'exclusive', token: 'old', ...change }
  fs.writeFileSync(`${path}.lock`, JSON.stringify(owner))
}

/** The pid of a process that has ended and been waited for. */
const endedPid = (): number => spawnSync(process.execPath, ['-e', '']).pid

const isLinux = process.platform === 'linux'

describe('LockFile', () => {
  test('is made with mode 0600 and names its owner', () => {
    const one = lockFile()
    expect(one.tryTake('shared')).toBe(true)
    expect(fs.statSync(`${path}.lock`).mode & 0o777).toBe(0o600)
    const owner: unknown = JSON.parse(fs.readFileSync(`${path}.lock`, 'utf8'))
    expect(owner).toMatchObject({ ...currentProcess(), kind: 'shared' })
  })

  test('is held by one, this process’s other owners included, until released', () => {
    const one = lockFile()
    const two = lockFile()
    expect(one.tryTake('exclusive')).toBe(true)
    expect(two.tryTake('shared')).toBe(false)
    expect(two.liveOwner()).toMatchObject({ pid: process.pid })
    one.release()
    one.release()
    expect(fs.existsSync(`${path}.lock`)).toBe(false)
    expect(two.tryTake('exclusive')).toBe(true)
  })

  test('release() leaves alone what is no longer ours', () => {
    const one = lockFile()
    expect(one.tryTake('exclusive')).toBe(true)
    fs.unlinkSync(`${path}.lock`)
    const two = lockFile()
    expect(two.tryTake('exclusive')).toBe(true)
    one.release()
    expect(fs.existsSync(`${path}.lock`)).toBe(true)
  })

  test('an owner that has ended is followed', () => {
    writeOwner({ pid: endedPid(), startTime: '1' })
    expect(lockFile().liveOwner()).toBeUndefined()
    expect(lockFile().tryTake('exclusive')).toBe(true)
    expect(fs.readdirSync(directory)).toEqual(['db.lock'])
  })

  test.runIf(isLinux)('a pid in use again is not its old owner', () => {
    writeOwner({ startTime: '1' })
    expect(lockFile().tryTake('exclusive')).toBe(true)
  })

  test.runIf(isLinux)('an owner from before a reboot is followed', () => {
    writeOwner({ bootId: 'another boot' })
    expect(lockFile().tryTake('exclusive')).toBe(true)
  })

  test('an owner on another host can’t be seen and counts as alive', () => {
    writeOwner({ host: 'elsewhere.invalid', pid: endedPid(), bootId: 'another boot' })
    expect(lockFile().tryTake('exclusive')).toBe(false)
  })

  test.runIf(isLinux)('an owner in another pid namespace counts as alive', () => {
    writeOwner({ pidNamespace: 'pid:[1]', pid: endedPid() })
    expect(lockFile().tryTake('exclusive')).toBe(false)
  })

  test.each(['', '{', '{"pid":', '[]', 'null', '{"pid":-1}', '{"pid":"7"}'])(
    'one that holds %j counts as held for 5 s, then as stale',
    (content) => {
      fs.writeFileSync(`${path}.lock`, content)
      const clock = new FakeClock(fs.statSync(`${path}.lock`).mtimeMs)
      const one = new LockFile(path, clock)
      expect(one.tryTake('exclusive')).toBe(false)
      expect(one.liveOwner()).toBe('unknown')
      clock.advance(4999)
      expect(one.tryTake('exclusive')).toBe(false)
      clock.advance(2)
      expect(one.tryTake('exclusive')).toBe(true)
    },
  )

  test('a stale one is not removed while another taker is at it', () => {
    writeOwner({ pid: endedPid(), startTime: '1' })
    const taker = { ...currentProcess(), kind: 'exclusive', token: 'taker' }
    fs.writeFileSync(`${path}.lock.takeover`, JSON.stringify(taker))
    expect(lockFile().tryTake('exclusive')).toBe(false)
    fs.unlinkSync(`${path}.lock.takeover`)
    expect(lockFile().tryTake('exclusive')).toBe(true)
  })

  test('a fresh lock is safe from a taker that found the old one stale', () => {
    fs.writeFileSync(`${path}.lock`, 'not JSON')
    fs.utimesSync(`${path}.lock`, 1, 1)
    const quick = lockFile()
    let isFirst = true
    // The clock is asked between reading the old lock and acting on it: there comes the other one.
    const clock: Clock = {
      ...systemClock,
      wallMs: () => {
        if (isFirst) {
          isFirst = false
          expect(quick.tryTake('exclusive')).toBe(true)
        }
        return systemClock.wallMs()
      },
    }
    expect(new LockFile(path, clock).tryTake('exclusive')).toBe(false)
    expect(isFirst).toBe(false)
    expect(quick.liveOwner()).toMatchObject({ pid: process.pid })
    expect(fs.readdirSync(directory)).toEqual(['db.lock'])
  })

  test('a taker that died in the middle stops nobody', () => {
    writeOwner({ pid: endedPid(), startTime: '1' })
    const taker = { ...currentProcess(), pid: endedPid(), startTime: '1', token: 'taker' }
    fs.writeFileSync(`${path}.lock.takeover`, JSON.stringify(taker))
    expect(lockFile().tryTake('exclusive')).toBe(true)
    expect(fs.readdirSync(directory)).toEqual(['db.lock'])
  })

  test('a directory that is missing is the system’s error', () => {
    const lost = new LockFile(paths.join(directory, 'none', 'db'), systemClock)
    expect(() => lost.tryTake('exclusive')).toThrow('ENOENT')
  })
})

describe('hasEnded()', () => {
  test('this process has not', () => {
    expect(hasEnded(currentProcess())).toBe(false)
  })

  test('a process that was waited for has', () => {
    expect(hasEnded({ ...currentProcess(), pid: endedPid(), startTime: '' })).toBe(true)
  })
})
