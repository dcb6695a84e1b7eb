import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isKvError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openEngine } from '../engine/index.ts'
import { encodeRevisionKey } from '../mvcc/revision.ts'
import { createBuckets } from '../mvcc/schema.ts'
import { encodeKeyValue } from '../proto/mvccpb.ts'
import { open, openOn } from './open.ts'

let place: string

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'revbolt-open-'))
})

afterEach(() => {
  rmSync(place, { recursive: true, force: true })
})

/** Every file under the directory, with its bytes. */
const filesOf = (directory: string): unknown[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .filter((name) => statSync(join(directory, name)).isFile())
    .map((name) => {
      const bytes = readFileSync(join(directory, name))
      return [name, createHash('sha256').update(bytes).digest('hex')]
    })

const codeOf = async (call: Promise<unknown>): Promise<unknown> => {
  try {
    await call
    return 'fulfilled'
  } catch (error) {
    return isKvError(error) ? error.code : error
  }
}

describe('the directory', () => {
  test('is made with its parents, for its owner alone', async () => {
    const path = join(place, 'deep', 'data')
    await using store = await open(path)
    expect(store.path).toBe(path)
    await store.put('a', '1')
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(readdirSync(path).toSorted()).toEqual(['db', 'lock', 'wal'])
    expect(statSync(join(path, 'wal')).mode & 0o777).toBe(0o700)
    for (const name of ['db', 'lock']) {
      expect(statSync(join(path, name)).mode & 0o777).toBe(0o600)
    }
  })

  test('says in its lock file who has it open', async () => {
    await using _ = await open(place)
    expect(JSON.parse(readFileSync(join(place, 'lock'), 'utf8'))).toMatchObject({
      pid: process.pid,
    })
  })

  test('has one owner: a second gets KV_LOCKED, and waits if it says so', async () => {
    const first = await open(place)
    expect(await codeOf(open(place))).toBe('KV_LOCKED')
    expect(await codeOf(open(place, { readOnly: true }))).toBe('KV_LOCKED')
    expect(await codeOf(open(place, { lockTimeoutMs: 30 }))).toBe('KV_LOCKED')
    const waiting = open(place, { lockTimeoutMs: 60_000 })
    await first.put('a', '1')
    await first.close()
    await using second = await waiting
    expect((await second.get('a'))?.value).toBe('1')
  })

  test('can be read by many when nobody owns it', async () => {
    const owner = await open(place)
    await owner.put('a', '1')
    await owner.close()
    const before = filesOf(place)
    await using one = await open(place, { readOnly: true })
    await using two = await open(place, { readOnly: true })
    expect((await one.get('a'))?.value).toBe('1')
    expect((await two.range()).count).toBe(1)
    expect(await codeOf(one.put('a', '2'))).toBe('KV_READ_ONLY')
    expect(await codeOf(open(place))).toBe('KV_LOCKED')
    expect(filesOf(place)).toEqual(before)
  })

  test('that is missing is KV_NOT_FOUND when it is opened read-only, and is not made', async () => {
    const path = join(place, 'missing')
    expect(await codeOf(open(path, { readOnly: true }))).toBe('KV_NOT_FOUND')
    expect(readdirSync(place)).toEqual([])
  })

  test('whose opening failed is free again', async () => {
    writeFileSync(join(place, 'db'), 'this is no database at all'.repeat(400))
    expect(await codeOf(open(place))).toBe('KV_BAD_FILE')
    rmSync(join(place, 'db'))
    await using store = await open(place)
    expect((await store.status()).revision).toBe(1)
  })

  test('with a file of something else is KV_BAD_FILE, and the file is left alone', async () => {
    const engine = await openEngine(join(place, 'db'))
    engine.update((tx) => tx.createBucket('mine').put('a', 'b'))
    await engine.close()
    const before = readFileSync(join(place, 'db'))
    expect(await codeOf(open(place))).toBe('KV_BAD_FILE')
    expect(readFileSync(join(place, 'db'))).toEqual(before)
  })

  test('with a damaged row is KV_CORRUPT, naming the key', async () => {
    // A file that never had a log, as earlier releases left it.
    const engine = await openEngine(join(place, 'db'))
    engine.update((tx) => {
      createBuckets(tx)
      const kv = { createRevision: 2, modRevision: 2, version: 1, lease: 0n }
      const text = (bytes: string): Uint8Array => Buffer.from(bytes)
      const row = encodeKeyValue({ ...kv, key: text('precious'), value: text('1') })
      tx.bucket('key')?.put(encodeRevisionKey(2, 0), row)
      tx.bucket('key')?.put(encodeRevisionKey(3, 0), row)
    })
    await engine.close()
    expect(await codeOf(open(place))).toBe('KV_CORRUPT')
    await expect(open(place)).rejects.toThrow(/precious/)
  })
})

describe('options', () => {
  test.each([
    [[undefined], TypeError, /^directory: /],
    [[7], TypeError, /^directory: /],
    [[''], RangeError, /^directory: /],
    [['a\0b'], RangeError, /^directory: /],
    [['x', null], TypeError, /^options: /],
    [['x', 'utf8'], TypeError, /^options: /],
    [['x', { readonly: true }], TypeError, /^readonly: /],
    [['x', { share: true }], TypeError, /^share: /],
    [['x', { encoding: 'latin1' }], RangeError, /^encoding: /],
    [['x', { readOnly: 1 }], TypeError, /^readOnly: /],
    [['x', { lockTimeoutMs: -1 }], RangeError, /^lockTimeoutMs: /],
    [['x', { lockTimeoutMs: Number.NaN }], RangeError, /^lockTimeoutMs: /],
    [['x', { lockTimeoutMs: '5' }], TypeError, /^lockTimeoutMs: /],
    [['x', { lock: 'none' }], RangeError, /^lock: /],
    [['x', { maxRequestBytes: 0 }], RangeError, /^maxRequestBytes: /],
    [['x', { maxTxnOps: 1.5 }], RangeError, /^maxTxnOps: /],
    [['x', { sync: 'never' }], RangeError, /^sync: /],
    [['x', { maxPendingBytes: 0 }], RangeError, /^maxPendingBytes: /],
    [['x', { checkpointBytes: '1' }], TypeError, /^checkpointBytes: /],
    [['x', { cacheBytes: 16_383 }], RangeError, /^cacheBytes: /],
    [['x', { signal: {} }], TypeError, /^signal: /],
  ])('%j are refused by name', async (args, type, message) => {
    const untyped: (...given: readonly unknown[]) => Promise<unknown> = open as never
    await expect(untyped(...args)).rejects.toBeInstanceOf(type)
    await expect(untyped(...args)).rejects.toThrow(message)
  })

  test('maxRequestBytes and maxTxnOps raise and lower the limits', async () => {
    await using small = await open(join(place, 'a'), { maxRequestBytes: 10, maxTxnOps: 1 })
    await small.put('12345', '67890')
    expect(await codeOf(small.put('12345', '678901'))).toBe('KV_REQUEST_TOO_LARGE')
    const put = (key: string): { type: 'put'; key: string; value: string } => {
      return { type: 'put', key, value: '' }
    }
    expect(await codeOf(small.txn({ failure: [put('a'), put('b')] }))).toBe('KV_TXN_TOO_MANY_OPS')
    await using large = await open(join(place, 'b'), { maxRequestBytes: 1e8, maxTxnOps: 1e6 })
    const success = Array.from({ length: 20_000 }, (_, i) => put(`key ${i}`))
    expect((await large.txn({ success })).results).toHaveLength(20_000)
    const value = 'v'.repeat(5_000_000)
    await large.put('big', value)
    expect((await large.get('big'))?.value).toBe(value)
  })

  test('an aborted signal stops the opening, also a wait for the lock', async () => {
    const aborted = open(place, { signal: AbortSignal.abort('no') })
    await expect(aborted).rejects.toBe('no')
    await using _ = await open(place)
    const controller = new AbortController()
    const waiting = open(place, { lockTimeoutMs: Infinity, signal: controller.signal })
    setImmediate(() => controller.abort('enough'))
    await expect(waiting).rejects.toBe('enough')
  })
})

describe('long reads', () => {
  test('let the event loop run, and see one revision', async () => {
    const disk = new MemoryDisk()
    await using store = await openOn(disk, '/data', { maxTxnOps: 1e6, maxRequestBytes: 1e8 })
    const keys = Array.from({ length: 30_000 }, (_, i) => `key ${100_000 + i}`)
    await store.txn({ success: keys.map((key) => ({ type: 'put', key, value: 'v' })) })
    let turns = 0
    let isDone = false
    const count = (): void => {
      turns++
      if (!isDone) setImmediate(count)
    }
    setImmediate(count)
    const reading = store.range({ limit: Infinity })
    const writing = [store.delete('key 129999'), store.put('key 0', 'v')]
    const { kvs, revision } = await reading
    expect(kvs.map((kv) => kv.key)).toEqual(keys)
    expect(revision).toBe(2)
    expect(turns).toBeGreaterThan(2)
    await Promise.all(writing)
    turns = 0
    const scanned: string[] = []
    for await (const kv of store.scan({ revision: 2 })) {
      if (scanned.length % 10_000 === 0) await store.put(`key 1000000${scanned.length}`, 'new')
      scanned.push(kv.key)
    }
    expect(scanned).toEqual(keys)
    expect(turns).toBeGreaterThan(2)
    isDone = true
  })

  test('are waited for by close()', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data', { maxTxnOps: 1e6 })
    const keys = Array.from({ length: 20_000 }, (_, i) => `key ${i}`)
    await store.txn({ success: keys.map((key) => ({ type: 'put', key, value: 'v' })) })
    const reading = store.range({ limit: Infinity })
    const writing = store.put('last', '1')
    const scan = store.scan()
    await scan.next()
    await store.close()
    expect((await reading).count).toBe(20_000)
    expect((await writing).revision).toBe(3)
    expect(await codeOf(scan.next())).toBe('KV_CLOSED')
    expect(await scan.next()).toEqual({ done: true, value: undefined })
  })

  test('stop when their signal aborts', async () => {
    await using store = await openOn(new MemoryDisk(), '/data', { maxTxnOps: 1e6 })
    const keys = Array.from({ length: 50_000 }, (_, i) => `key ${i}`)
    await store.txn({ success: keys.map((key) => ({ type: 'put', key, value: 'v' })) })
    const controller = new AbortController()
    const { signal } = controller
    const reading = store.range({ limit: Infinity, signal })
    const scan = store.scan({ signal })
    await scan.next()
    controller.abort('enough')
    await expect(reading).rejects.toBe('enough')
    await expect(scan.next()).rejects.toBe('enough')
  })
})

describe('the process', () => {
  const run = promisify(execFile)
  const openPath = fileURLToPath(new URL('./open.ts', import.meta.url))

  /** Runs a module's text in a process of its own; what it printed. */
  async function runScript(body: string): Promise<string> {
    const script = join(place, 'script.mts')
    writeFileSync(script, `import { open } from ${JSON.stringify(openPath)}\n${body}\n`)
    const { stdout } = await run(process.execPath, ['--import', 'tsx', script], { timeout: 60_000 })
    return stdout
  }

  test('ends while an idle store is open, and not before a pending put is durable', async () => {
    const data = JSON.stringify(join(place, 'data'))
    const printed = await runScript(`
      const store = await open(${data})
      await store.put('a', '1')
      void store.put('b', '2').then(() => console.log('durable'))
      process.on('exit', () => console.log('exit'))
    `)
    expect(printed).toBe('durable\nexit\n')
    await using store = await open(join(place, 'data'))
    expect((await store.get('b'))?.value).toBe('2')
  })

  test('ends while a lease waits for its end and is kept alive', async () => {
    const printed = await runScript(`
      const store = await open(${JSON.stringify(join(place, 'data'))})
      const lease = await store.grant({ ttlSeconds: 1000 })
      store.keepAlive(lease)
      process.on('exit', () => console.log('exit'))
    `)
    expect(printed).toBe('exit\n')
  })
})
