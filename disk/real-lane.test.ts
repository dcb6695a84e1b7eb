/**
 * The lane as a thread: nothing in libuv's pool delays it, it keeps a process alive only while
 * writes are pending, and its end, or its absence, is handled.
 *
 * The pool is blocked for as long as a test likes by opening named pipes that nobody writes to.
 */

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import * as paths from 'node:path'
import { pathToFileURL } from 'node:url'
import threadsModule from 'node:worker_threads'
import { buildSync } from 'esbuild'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { isKvError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import { RealDisk } from './real-disk.ts'
import { DurableWriter } from './real-durable.ts'
import { SLOT_COUNT, SLOT_SIZE } from './real-lane-worker.ts'
import type { Worker, WorkerOptions } from 'node:worker_threads'
import type { DiskFile } from './disk.ts'

vi.setConfig({ testTimeout: 60_000 })

const require = createRequire(import.meta.url)
const REAL_DISK = pathToFileURL(paths.resolve('disk/real-disk.ts')).href
const TSX = pathToFileURL(require.resolve('tsx')).href
const isLinux = process.platform === 'linux'
const disk = new RealDisk()

let directory: string
let path: string
const files: DiskFile[] = []
let threads: Worker[] = []
const noteThread = (thread: Worker): number => threads.push(thread)

beforeEach(() => {
  directory = fs.mkdtempSync(paths.join(tmpdir(), 'revbolt-lane-'))
  path = paths.join(directory, 'file')
  threads = []
  process.on('worker', noteThread)
})

afterEach(() => {
  process.off('worker', noteThread)
  for (const file of files.splice(0)) file.close()
  fs.rmSync(directory, { recursive: true, force: true })
})

function open(at: string = path): DiskFile {
  const file = disk.open(at, { mode: 'create' })
  files.push(file)
  return file
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (isKvError(error)) return error.code
    throw error
  }
  return 'no error'
}

const text = (string: string): Uint8Array => new TextEncoder().encode(string)
const exitOf = (thread: Worker | undefined): Promise<unknown> =>
  new Promise((resolve) => thread?.once('exit', resolve))

/** Fills libuv's pool with calls that don't end before the returned function is called. */
function blockPool(): () => Promise<void> {
  const pipe = paths.join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  const size = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)
  const opened = Array.from({ length: size }, () => fs.promises.open(pipe, 'r'))
  return async () => {
    const end = fs.openSync(pipe, fs.constants.O_RDWR | fs.constants.O_NONBLOCK)
    for (const handle of await Promise.all(opened)) await handle.close()
    fs.closeSync(end)
  }
}

const isKnownFlag = (flag: string): boolean =>
  process.allowedNodeEnvironmentFlags.has(flag.replace(/=.*/, ''))

interface Ended {
  readonly status: number | null
  readonly output: string
}

/** Runs a program in a process of its own; one that hangs is killed, and has no status. */
function run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, args, {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 15_000,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  }
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, output })))
}

/** A program on the sources, as a file: `disk` and `path` are there. */
function program(body: string): string {
  const file = paths.join(directory, 'program.mjs')
  const head = `
    import { RealDisk } from ${JSON.stringify(REAL_DISK)}
    const disk = new RealDisk()
    const path = ${JSON.stringify(path)}
  `
  fs.writeFileSync(file, `${head}${body}`)
  return file
}

const OPEN_AND_WRITE = `
  const file = disk.open(path, { mode: 'create' })
  await file.writeDurablyAsync(Buffer.from('written'), 0)
`
const written = (): string => fs.readFileSync(path, 'utf8')

describe('the lane', () => {
  test.runIf(isLinux)('writes while every thread of libuv’s pool is blocked', async () => {
    const unblock = blockPool()
    let hasPoolMoved = false
    const inPool = fs.promises.stat(directory).then(() => {
      hasPoolMoved = true
    })
    const file = open()
    const bytes = new Random(1).fill(new Uint8Array(2_000_000))
    await file.writeDurablyAsync(bytes, 0)
    for (let i = 0; i < 50; i++) await file.writeDurablyAsync(bytes.subarray(0, 512), i * 512)
    expect(hasPoolMoved).toBe(false)
    await unblock()
    await inPool
    const found = new Uint8Array(bytes.length)
    expect(file.read(found, 0)).toBe(bytes.length)
    expect(found[49 * 512 + 511]).toBe(bytes[511])
    expect(Buffer.compare(found.subarray(50 * 512), bytes.subarray(50 * 512))).toBe(0)
  })

  test('is one thread for all files, begun by the first write, ended by the last close', async () => {
    const one = open()
    const other = open(`${path}2`)
    expect(threads.length).toBe(0)
    await Promise.all([one.writeDurablyAsync(text('1'), 0), other.writeDurablyAsync(text('2'), 0)])
    expect(threads.length).toBe(1)
    const exit = exitOf(threads[0])
    one.close()
    await other.writeDurablyAsync(text('3'), 0)
    other.close()
    expect(await exit).toBe(0)
    const third = open()
    await third.writeDurablyAsync(text('4'), 0)
    expect(threads.length).toBe(2)
    third.close()
  })

  test('is begun ahead by who expects to write, and ended if nothing was written', async () => {
    const file = open()
    file.expectDurableWrites?.()
    file.expectDurableWrites?.()
    await file.writeDurablyAsync(text('1'), 0)
    expect(threads.length).toBe(1)
    const exit = exitOf(threads[0])
    file.close()
    expect(await exit).toBe(0)
    const idle = open()
    idle.expectDurableWrites?.()
    // The process tells of a new thread in its own time.
    await new Promise((resolve) => setImmediate(resolve))
    expect(threads.length).toBe(2)
    const end = exitOf(threads[1])
    idle.close()
    expect(await end).toBe(0)
  })

  test('carries out pieces of every size around that of a slot', async () => {
    const file = open()
    const random = new Random(2)
    for (const size of [1, SLOT_SIZE - 1, SLOT_SIZE, SLOT_SIZE + 1, SLOT_COUNT * SLOT_SIZE + 1]) {
      const bytes = random.fill(new Uint8Array(size + 10))
      const position = random.below(100_000)
      await file.writeDurablyAsync(bytes.subarray(3, 3 + size), position)
      const found = new Uint8Array(size)
      file.read(found, position)
      expect(Buffer.compare(found, bytes.subarray(3, 3 + size))).toBe(0)
    }
  })

  test('a large write leaves the event loop its turns', async () => {
    const file = open()
    let turns = 0
    let isDone = false
    const turn = (): void => {
      turns += 1
      if (!isDone) setImmediate(turn)
    }
    setImmediate(turn)
    await file.writeDurablyAsync(new Uint8Array(20 * SLOT_COUNT * SLOT_SIZE), 0)
    isDone = true
    // At most two ringfuls in a turn.
    expect(turns).toBeGreaterThanOrEqual(10)
  })

  test('a large write and others made with it are kept apart, one file failing or not', async () => {
    const good = open()
    const bad = open(`${path}2`)
    const bytes = new Random(3).fill(new Uint8Array(3_000_000))
    // The file system's largest file ends within the second of these.
    const results = await Promise.all([
      codeOf(bad.writeDurablyAsync(text('fine'), 0)),
      codeOf(good.writeDurablyAsync(bytes, 0)),
      codeOf(bad.writeDurablyAsync(bytes, 2 ** 53 - 4_000_000)),
      codeOf(good.writeDurablyAsync(text('also'), 3_000_000)),
      codeOf(bad.writeDurablyAsync(text('not written'), 0)),
      codeOf(bad.writeDurablyAsync(bytes, 4)),
      codeOf(good.writeDurablyAsync(text('last'), 3_000_004)),
    ])
    const expected = ['no error', 'no error', 'KV_IO', 'no error', 'KV_IO', 'KV_IO', 'no error']
    expect(results).toEqual(expected)
    expect(await codeOf(bad.writeDurablyAsync(text('later'), 0))).toBe('KV_IO')
    expect(fs.readFileSync(`${path}2`, 'utf8')).toBe('fine')
    expect(fs.readFileSync(path).subarray(3_000_000).toString()).toBe('alsolast')
    expect(threads.length).toBe(1)
  })

  test.runIf(isLinux).each([
    ['/dev/full', 'KV_NO_SPACE', /^path: write: ENOSPC: /],
    // Takes every write and knows no sync.
    ['/dev/null', 'KV_IO', /^path: sync: EINVAL: /],
  ])('a descriptor of %s fails with %s, then with KV_IO', async (device, code, message) => {
    const descriptor = fs.openSync(device, 'r+')
    const writer = new DurableWriter(descriptor, 'path')
    const calls = [0, 1].map((i) => writer.write(text('x'), i))
    await expect(calls[0]).rejects.toThrow(message)
    expect(await codeOf(calls[0]!)).toBe(code)
    expect(await codeOf(calls[1]!)).toBe('KV_IO')
    expect(await codeOf(writer.write(text('x'), 0))).toBe('KV_IO')
    writer.close()
    fs.closeSync(descriptor)
  })
})

describe('a lane whose thread ends unasked', () => {
  test(
    'rejects what is pending with KV_IO, and those files have failed',
    { timeout: 20_000 },
    async () => {
      const file = open()
      const idle = open(`${path}2`)
      await file.writeDurablyAsync(text('kept'), 0)
      await idle.writeDurablyAsync(text('kept'), 0)
      const large = new Uint8Array(32 * 1024 * 1024)
      const calls = [file.writeDurablyAsync(large, 4), file.writeDurablyAsync(text('x'), 0)]
      void threads[0]?.terminate()
      expect(await Promise.all(calls.map(codeOf))).toEqual(['KV_IO', 'KV_IO'])
      expect(await codeOf(file.writeDurablyAsync(text('x'), 0))).toBe('KV_IO')
      expect(fs.readFileSync(path).subarray(0, 4).toString()).toBe('kept')
      // One that had nothing pending lost nothing, and goes on in a new thread.
      await idle.writeDurablyAsync(text('more'), 4)
      expect(fs.readFileSync(`${path}2`, 'utf8')).toBe('keptmore')
      expect(threads.length).toBe(2)
    },
  )
})

describe('without a lane', () => {
  const { Worker: StartedWorker } = threadsModule

  const replaceWorker = (replacement: unknown): void => {
    Object.assign(threadsModule, { Worker: replacement })
    syncBuiltinESMExports()
  }

  afterEach(() => replaceWorker(StartedWorker))

  /** As on a system that has no more threads to give. */
  class RefusedWorker {
    constructor() {
      throw new Error('no threads here')
    }
  }

  /** Ends before it has looked at the ring. */
  class BrokenWorker extends StartedWorker {
    constructor(_code: string, options: WorkerOptions) {
      super('throw new Error("broken")', options)
    }
  }

  describe.each([
    ['can’t be started', RefusedWorker],
    ['ends before it ran', BrokenWorker],
  ])('because its thread %s', (_name, replacement) => {
    beforeEach(() => replaceWorker(replacement))

    test('writes go through the pool, in order', async () => {
      const file = open()
      const other = open(`${path}2`)
      const calls = Array.from({ length: 100 }, (_, i) =>
        (i % 2 === 0 ? file : other).writeDurablyAsync(new Uint8Array(1000).fill(i), i),
      )
      await Promise.all(calls)
      replaceWorker(StartedWorker)
      await file.writeDurablyAsync(new Uint8Array(1000).fill(100), 100)
      const found = fs.readFileSync(path)
      for (let i = 0; i < 100; i++) expect(found[i]).toBe(i - (i % 2))
      expect(found[1099]).toBe(100)
      expect(fs.readFileSync(`${path}2`)[1098]).toBe(99)
      // Another file may have better luck.
      const started = threads.length
      await open(`${path}3`).writeDurablyAsync(text('x'), 0)
      expect(threads.length).toBe(started + 1)
    })

    test('writes that were expected go through the pool, too', async () => {
      const file = open()
      file.expectDurableWrites?.()
      await file.writeDurablyAsync(text('written'), 0)
      expect(fs.readFileSync(path, 'utf8')).toBe('written')
    })

    test.runIf(isLinux)('a failure is final as well', async () => {
      const descriptor = fs.openSync('/dev/full', 'r+')
      const writer = new DurableWriter(descriptor, 'path')
      const calls = [0, 1].map((i) => codeOf(writer.write(text('x'), i)))
      expect(await Promise.all(calls)).toEqual(['KV_NO_SPACE', 'KV_IO'])
      expect(await codeOf(writer.write(text('x'), 0))).toBe('KV_IO')
      writer.close()
      fs.closeSync(descriptor)
    })
  })
})

/** real-disk.ts and all it imports in one file, as a bundler makes it. */
function bundled(): string {
  const outfile = paths.join(directory, 'bundle.mjs')
  buildSync({
    entryPoints: [paths.resolve('disk/real-disk.ts')],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    external: ['fs-ext'],
  })
  return outfile
}

function onBundle(bundle: string, body: string): string {
  const file = program(body)
  fs.writeFileSync(
    file,
    fs.readFileSync(file, 'utf8').replace(REAL_DISK, `./${paths.basename(bundle)}`),
  )
  return file
}

describe('a process', () => {
  test('ends while its store is open and idle', async () => {
    const ended = await run(['--import', TSX, program(`${OPEN_AND_WRITE} console.log('idle')`)])
    expect(ended).toEqual({ status: 0, output: 'idle\n' })
    expect(written()).toBe('written')
  })

  test('ends though durable writes are expected', async () => {
    const body = `disk.open(path, { mode: 'create' }).expectDurableWrites()`
    const ended = await run(['--import', TSX, program(body)])
    expect(ended).toEqual({ status: 0, output: '' })
  })

  test('waits for writes that are pending, from the first on', async () => {
    const body = `
      const file = disk.open(path, { mode: 'create' })
      for (let i = 0; i < 200; i++) void file.writeDurablyAsync(Buffer.from([65 + i % 26]), i)
      if (process.argv[2] === 'close') file.close()
    `
    for (const how of ['open', 'close']) {
      fs.rmSync(path, { force: true })
      const ended = await run(['--import', TSX, program(body), how])
      expect(ended).toEqual({ status: 0, output: '' })
      expect(written()).toBe('ABCDEFGHIJKLMNOPQRSTUVWXYZ'.repeat(8).slice(0, 200))
    }
  })

  test('goes by process.exit() with writes pending, and dies of its own errors', async () => {
    const pending = `${OPEN_AND_WRITE} void file.writeDurablyAsync(Buffer.alloc(9e6), 0)`
    const exit = await run(['--import', TSX, program(`${pending}; process.exit(3)`)])
    expect(exit).toEqual({ status: 3, output: '' })
    const error = await run(['--import', TSX, program(`${pending}; throw new Error('enough')`)])
    expect(error.status).toBe(1)
    expect(error.output).toContain('enough')
  })

  test('preloads nothing into the thread', async () => {
    const preload = paths.join(directory, 'preload.cjs')
    fs.writeFileSync(preload, `require('node:fs').appendFileSync('${directory}/log', 'loaded ')`)
    const flags = ['--require', preload, '--import', TSX]
    const ended = await run([...flags, program(OPEN_AND_WRITE)], {
      NODE_OPTIONS: `--require ${preload}`,
    })
    expect(ended).toEqual({ status: 0, output: '' })
    expect(written()).toBe('written')
    const log = fs.readFileSync(paths.join(directory, 'log'), 'utf8')
    const without = await run([...flags, program('')], { NODE_OPTIONS: `--require ${preload}` })
    expect(without.status).toBe(0)
    expect(fs.readFileSync(paths.join(directory, 'log'), 'utf8')).toBe(log + log)
  })

  test.runIf(isLinux)(
    'finds it in a bundle, in a thread of its own and under node --test',
    async () => {
      const pipe = paths.join(directory, 'pipe')
      execFileSync('mkfifo', [pipe])
      const write = `
      const fs = process.getBuiltinModule('node:fs')
      // All of the pool, which has one thread here.
      const opened = fs.promises.open(${JSON.stringify(pipe)}, 'r')
      ${OPEN_AND_WRITE}
      file.close()
      fs.openSync(${JSON.stringify(pipe)}, fs.constants.O_RDWR | fs.constants.O_NONBLOCK)
      await (await opened).close()
    `
      const thread = `
      import { Worker, isMainThread } from 'node:worker_threads'
      if (isMainThread) new Worker(new URL(import.meta.url))
      else { ${write} }
    `
      const suite = `
      import { test } from 'node:test'
      test('writes', async () => { ${write} })
    `
      const bundle = bundled()
      const ways: readonly (readonly [flags: string[], body: string])[] = [
        [[], write],
        [[], thread],
        [['--test'], suite],
        [['--disallow-code-generation-from-strings', '--frozen-intrinsics'], write],
        [['--experimental-default-type=module'], write],
      ]
      for (const [flags, body] of ways) {
        // Not every version of Node has every flag.
        if (!flags.every((flag) => flag === '--test' || isKnownFlag(flag))) continue
        const file = onBundle(bundle, body)
        const ended = await run(['--no-warnings', ...flags, file], { UV_THREADPOOL_SIZE: '1' })
        expect(ended.status, `${flags.join(' ')}: ${ended.output}`).toBe(0)
        expect(written()).toBe('written')
        fs.rmSync(path)
      }
    },
  )
})
