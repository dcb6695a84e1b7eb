/**
 * Locks between handles, processes and threads: every pair has one winner, or is refused as
 * documented.
 *
 * A party takes commands: this process by two handles, two child processes, a worker thread.
 * Parties outside load the real disk from source through tsx.
 */

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { hostname, tmpdir } from 'node:os'
import * as paths from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { isKvError } from '../base/errors.ts'
import { findFlock } from './flock.ts'
import { RealDisk } from './real-disk.ts'
import type { ChildProcess } from 'node:child_process'
import type { DiskFile, LockKind, LockMethod } from './disk.ts'
import type { FlockChoice } from './flock.ts'

interface Command {
  readonly action: 'lock' | 'close'
  readonly path: string
  readonly flock: FlockChoice
  readonly method: LockMethod
  readonly kind: LockKind
}

interface Reply {
  /** 'taken', 'closed' or an error's code. */
  readonly result: string
  readonly message: string
}

interface Party {
  readonly pid: number
  send(command: Command): Promise<Reply>
  end(): Promise<void>
}

const require = createRequire(import.meta.url)
const REAL_DISK = pathToFileURL(paths.resolve('disk/real-disk.ts')).href
const TSX = ['--import', pathToFileURL(require.resolve('tsx')).href]

/** The other side of `send`, for processes and threads. `disks` is a promise of real-disk.ts. */
const OBEY = `
  let file
  async function obey(command) {
    const { RealDisk } = await disks
    try {
      if (command.action === 'close') { file?.close(); return { result: 'closed', message: '' } }
      const disk = new RealDisk({ flock: command.flock })
      file = disk.open(command.path, { mode: 'create' })
      await disk.lock(file, { kind: command.kind, method: command.method, timeoutMs: 0 })
      return { result: 'taken', message: '' }
    } catch (error) {
      file?.close()
      return { result: error.code ?? 'no code', message: error.message }
    }
  }
`
const PROCESS_REMOTE = `
  const disks = import(${JSON.stringify(REAL_DISK)})
  ${OBEY}
  const lines = require('node:readline').createInterface({ input: process.stdin })
  lines.on('line', async (line) => {
    process.stdout.write(JSON.stringify(await obey(JSON.parse(line))) + '\\n')
  })
`
// Loader hooks given by execArgv don't reach a thread on Node 20, so it asks tsx itself.
const WORKER_REMOTE = `
  const disks = import('tsx/esm/api').then(({ tsImport }) =>
    tsImport(${JSON.stringify(REAL_DISK)}, ${JSON.stringify(import.meta.url)}))
  ${OBEY}
  const { parentPort } = require('node:worker_threads')
  parentPort.on('message', async (command) => parentPort.postMessage(await obey(command)))
`

class HandleParty implements Party {
  readonly pid: number = process.pid
  #file: DiskFile | undefined

  async send(command: Command): Promise<Reply> {
    if (command.action === 'close') {
      this.#file?.close()
      return { result: 'closed', message: '' }
    }
    const disk = new RealDisk({ flock: command.flock })
    this.#file = disk.open(command.path, { mode: 'create' })
    try {
      await disk.lock(this.#file, { kind: command.kind, method: command.method, timeoutMs: 0 })
      return { result: 'taken', message: '' }
    } catch (error) {
      this.#file.close()
      if (!isKvError(error)) throw error
      return { result: error.code, message: error.message }
    }
  }

  async end(): Promise<void> {
    this.#file?.close()
  }
}

class ProcessParty implements Party {
  readonly pid: number
  readonly child: ChildProcess
  readonly #replies: ((reply: Reply) => void)[] = []

  constructor() {
    const stdio = ['pipe', 'pipe', 'inherit'] as const
    const child = spawn(process.execPath, [...TSX, '-e', PROCESS_REMOTE], { stdio: [...stdio] })
    if (child.stdout === null || child.pid === undefined) throw new Error('no child')
    this.child = child
    this.pid = child.pid
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#replies.shift()?.(parseReply(line))
    })
  }

  send(command: Command): Promise<Reply> {
    return new Promise((resolve) => {
      this.#replies.push(resolve)
      this.child.stdin?.write(`${JSON.stringify(command)}\n`)
    })
  }

  end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return Promise.resolve()
    return new Promise((resolve) => {
      this.child.once('exit', () => resolve())
      this.child.kill(signal)
    })
  }
}

function parseReply(line: string): Reply {
  const value: unknown = JSON.parse(line)
  const fields = new Map<string, unknown>(Object.entries(value ?? {}))
  return { result: String(fields.get('result')), message: String(fields.get('message')) }
}

class WorkerParty implements Party {
  readonly pid: number = process.pid
  readonly #worker: Worker = new Worker(WORKER_REMOTE, { eval: true, execArgv: [] })
  readonly #replies: ((reply: Reply) => void)[] = []

  constructor() {
    this.#worker.on('message', (reply: Reply) => this.#replies.shift()?.(reply))
  }

  send(command: Command): Promise<Reply> {
    return new Promise((resolve) => {
      this.#replies.push(resolve)
      this.#worker.postMessage(command)
    })
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }
}

interface Way {
  readonly name: string
  readonly flock: FlockChoice
  readonly method: LockMethod
}

const FS_EXT: Way = { name: 'fs-ext', flock: 'fs-ext', method: 'auto' }
const COMMAND: Way = { name: 'flock(1)', flock: 'flock(1)', method: 'auto' }
const LOCK_FILE: Way = { name: 'lock file', flock: 'auto', method: 'file' }
const BARE_LOCK_FILE: Way = { name: 'lock file without flock', flock: 'none', method: 'file' }
/** Where fs-ext could not be built the others are left; `.ci/run` demands both installations. */
const hasFsExt = findFlock('fs-ext') !== undefined
const WAYS: readonly Way[] = [...(hasFsExt ? [FS_EXT] : []), COMMAND, LOCK_FILE, BARE_LOCK_FILE]

// Child processes and threads compile the disk from source first.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const isLinux = process.platform === 'linux'

let directory: string
let path: string
const parties = new Map<string, Party>()

const partyOf = (name: string): Party => {
  const party = parties.get(name)
  if (party === undefined) throw new Error(`no party ${name}`)
  return party
}

beforeAll(() => {
  parties.set('this process', new HandleParty())
  parties.set('a second handle', new HandleParty())
  parties.set('another process', new ProcessParty())
  parties.set('a third process', new ProcessParty())
  parties.set('a worker thread', new WorkerParty())
})

afterAll(async () => {
  for (const party of parties.values()) await party.end()
})

beforeEach(() => {
  directory = fs.mkdtempSync(paths.join(tmpdir(), 'revbolt-locks-'))
  path = paths.join(directory, 'db')
})

afterEach(() => {
  fs.rmSync(directory, { recursive: true, force: true })
})

const command = (action: 'lock' | 'close', way: Way, kind: LockKind = 'exclusive'): Command => ({
  action,
  path,
  flock: way.flock,
  method: way.method,
  kind,
})

const PAIRS: readonly (readonly [string, string])[] = [
  ['this process', 'a second handle'],
  ['this process', 'another process'],
  ['another process', 'this process'],
  ['another process', 'a third process'],
  ['this process', 'a worker thread'],
  ['a worker thread', 'this process'],
  ['a worker thread', 'another process'],
]

describe.runIf(isLinux).each(PAIRS)('%s against %s', (holderName, takerName) => {
  for (const holderWay of WAYS) {
    for (const takerWay of WAYS) {
      test(`${holderWay.name} against ${takerWay.name}: one winner`, async () => {
        const holder = partyOf(holderName)
        const taker = partyOf(takerName)
        const taken = await holder.send(command('lock', holderWay))
        if (holderName === 'a worker thread' && holderWay.name === 'fs-ext') {
          // fs-ext is made for one thread, so it is refused in the others.
          expect(taken.result).toBe('KV_LOCK_UNSUPPORTED')
          return
        }
        expect(taken).toEqual({ result: 'taken', message: '' })
        const refused = await taker.send(command('lock', takerWay))
        const isUnsupported = takerName === 'a worker thread' && takerWay.name === 'fs-ext'
        expect(refused.result).toBe(isUnsupported ? 'KV_LOCK_UNSUPPORTED' : 'KV_LOCKED')
        if (!isUnsupported) expect(refused.message).toMatch(new RegExp(`\\b${holder.pid}\\b`))
        await holder.send(command('close', holderWay))
        if (isUnsupported) return
        expect(await taker.send(command('lock', takerWay))).toEqual({
          result: 'taken',
          message: '',
        })
        await taker.send(command('close', takerWay))
        expect(fs.readdirSync(directory)).toEqual(['db'])
      })
    }
  }
})

describe.runIf(isLinux && hasFsExt)('shared locks', () => {
  test.each([
    { a: FS_EXT, b: COMMAND },
    { a: COMMAND, b: FS_EXT },
  ])('by $a.name and $b.name go together, and keep an exclusive one out', async ({ a, b }) => {
    const one = partyOf('this process')
    const two = partyOf('another process')
    const three = partyOf('a third process')
    expect((await one.send(command('lock', a, 'shared'))).result).toBe('taken')
    expect((await two.send(command('lock', b, 'shared'))).result).toBe('taken')
    expect((await three.send(command('lock', a))).result).toBe('KV_LOCKED')
    await one.send(command('close', a))
    expect((await three.send(command('lock', b))).result).toBe('KV_LOCKED')
    await two.send(command('close', b))
    expect((await three.send(command('lock', a))).result).toBe('taken')
    await three.send(command('close', a))
  })
})

describe.runIf(isLinux)('a holder killed with SIGKILL', () => {
  test.each(WAYS)('frees its lock by $name', async (way) => {
    const victim = new ProcessParty()
    try {
      expect((await victim.send(command('lock', way))).result).toBe('taken')
      const taker = partyOf('this process')
      expect((await taker.send(command('lock', way))).result).toBe('KV_LOCKED')
      await victim.end('SIGKILL')
      expect(await taker.send(command('lock', way))).toEqual({ result: 'taken', message: '' })
      await taker.send(command('close', way))
    } finally {
      await victim.end('SIGKILL')
    }
  })
})

describe('a race for a stale lock file', () => {
  test('has one winner among processes that all see it stale', async () => {
    const way = BARE_LOCK_FILE
    const names = ['this process', 'a second handle', 'another process', 'a third process']
    for (let round = 0; round < 10; round++) {
      const dead = { pid: 2 ** 22 + 1, startTime: '1', host: hostname() }
      const pidNamespace = isLinux ? fs.readlinkSync('/proc/self/ns/pid') : ''
      fs.writeFileSync(`${path}.lock`, JSON.stringify({ ...dead, pidNamespace }))
      const replies = await Promise.all(
        names.map((name) => partyOf(name).send(command('lock', way))),
      )
      expect(replies.map((reply) => reply.result).sort()).toEqual([
        'KV_LOCKED',
        'KV_LOCKED',
        'KV_LOCKED',
        'taken',
      ])
      for (const name of names) await partyOf(name).send(command('close', way))
    }
  })
})

describe('method auto', () => {
  test('without any flock is KV_LOCK_UNSUPPORTED and says what to do', async () => {
    const reply = await new HandleParty().send({ ...command('lock', FS_EXT), flock: 'none' })
    expect(reply.result).toBe('KV_LOCK_UNSUPPORTED')
    expect(reply.message).toContain("lock: 'file'")
  })

  test.runIf(isLinux)('without fs-ext takes flock(1), and without both refuses', async () => {
    const flock = findFlock('flock(1)')
    const descriptor = fs.openSync(path, 'w+')
    const oldPath = process.env['PATH']
    try {
      process.env['PATH'] = directory
      expect(await flock?.tryLock(descriptor, 'exclusive')).toBe('unsupported')
    } finally {
      process.env['PATH'] = oldPath
      fs.closeSync(descriptor)
    }
  })

  test('a stale lock file does not stand in its way', async () => {
    fs.writeFileSync(`${path}.lock`, '')
    fs.utimesSync(`${path}.lock`, 1, 1)
    const party = new HandleParty()
    expect((await party.send(command('lock', { ...FS_EXT, flock: 'auto' }))).result).toBe('taken')
    await party.end()
  })
})

describe('method file', () => {
  test('agrees on one lock file through symbolic links', async () => {
    fs.writeFileSync(path, '')
    const link = paths.join(directory, 'link')
    fs.symlinkSync(path, link)
    const one = new HandleParty()
    const two = new HandleParty()
    const way = BARE_LOCK_FILE
    expect((await one.send(command('lock', way))).result).toBe('taken')
    expect((await two.send({ ...command('lock', way), path: link })).result).toBe('KV_LOCKED')
    await one.end()
  })
})
