import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { isKvError } from '../base/errors.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openEngine } from '../engine/index.ts'
import type { CheckReport } from '../engine/index.ts'
import { metasOf } from '../proptest/metas.ts'
import { restoreBackupOn, verifyBackupOn } from './backup-verify.ts'
import { open, openOn } from './open.ts'
import type { BackupProgress } from './types/backup.ts'
import type { BuiltLocalStore } from './types.ts'

const PATH = '/backups/b.db'
const MANIFEST = `${PATH}.manifest.json`
const KEYS = 40

/** A store with history, a lease, an overflow page, compacted rows; some of it in the log only. */
async function fill(disk: MemoryDisk): Promise<BuiltLocalStore> {
  disk.makeDirectory('/backups')
  disk.syncDirectory('/')
  const store = await openOn(disk, '/data', { checkpointBytes: 16 * 1024 }, {})
  await store.grant({ id: 7n, ttlSeconds: 5000 })
  for (let round = 0; round < 3; round++) {
    const puts = Array.from({ length: KEYS }, async (_, i) => {
      await store.put(`key ${i}`, `${round}`.repeat(i * 7), i % 9 === 0 ? { lease: 7n } : {})
    })
    await Promise.all(puts)
  }
  await store.put('long', 'x'.repeat(20_000))
  await store.delete({ prefix: 'key 3' })
  await store.compact(50, { physical: true })
  await store.put('last', 'of all')
  return store
}

/** As `fill`, with nobody who writes: two backups of it are of the same commit. */
async function still(disk: MemoryDisk): Promise<BuiltLocalStore> {
  const store = await fill(disk)
  await store.close()
  return await openOn(disk, '/data', { readOnly: true })
}

/** What a store holds: every key at every revision that can be read. */
async function contentOf(store: BuiltLocalStore): Promise<unknown> {
  const { revision, compactedRevision = 0 } = await store.status()
  const states: unknown[] = []
  for (let at = Math.max(1, compactedRevision); at <= revision; at++) {
    states.push((await store.range({ revision: at, limit: Infinity })).kvs)
  }
  const { hash } = await store.hashKV()
  return { revision, compactedRevision, hash, states, leases: await store.leases() }
}

async function contentOfBackup(disk: MemoryDisk, source: string): Promise<unknown> {
  const image = disk.clone()
  await restoreBackupOn(image, { source, directory: '/restored' })
  const store = await openOn(image, '/restored')
  const content = await contentOf(store)
  await store.close()
  return content
}

async function checkOf(disk: MemoryDisk, path: string): Promise<CheckReport> {
  const engine = await openEngine(path, { disk, readOnly: true })
  try {
    return engine.check()
  } finally {
    await engine.close()
  }
}

/** A stream that takes nothing until it is let. */
function held(): { stream: Writable; go: () => void; began: Promise<void>; bytes: () => Buffer } {
  const chunks: Buffer[] = []
  let isHeld = true
  let next: (() => void) | undefined
  let begin: () => void
  const began = new Promise<void>((resolve) => (begin = resolve))
  const stream = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk))
      begin()
      if (isHeld) next = done
      else done()
    },
  })
  const go = (): void => {
    isHeld = false
    next?.()
  }
  return { stream, go, began, bytes: () => Buffer.concat(chunks) }
}

describe('LocalStore.backup()', () => {
  test('writes a file that holds all of the store, and a manifest that says so', async () => {
    const disk = new MemoryDisk()
    const store = await fill(disk)
    const result = await store.backup(PATH)
    const { manifest } = result
    const bytes = disk.readFile(PATH)
    const database = bytes.subarray(0, manifest.databaseBytes)
    const sha256 = createHash('sha256').update(database).digest('hex')
    expect(result).toMatchObject({ path: PATH, revision: 124, sizeBytes: bytes.length, sha256 })
    expect(manifest).toMatchObject({
      format: 'revbolt backup',
      formatVersion: 1,
      revision: 124,
      compactedRevision: 50,
      leaseCount: 1,
      keyCount: store.stats().keyCount,
      revisionCount: store.stats().revisionCount,
      hashKV: (await store.hashKV()).hash,
      databaseBytes: bytes.length - 32,
      sha256,
      timeline: 0,
    })
    expect(Buffer.from(disk.readFile(MANIFEST)).toString()).toBe(result.manifestText)
    expect(disk.list('/backups')).toEqual(['b.db', 'b.db.manifest.json'])
    expect((await checkOf(disk, PATH)).findings).toEqual([])
    expect(await contentOfBackup(disk, PATH)).toEqual(await contentOf(store))
    await store.close()
  })

  test('is whole whatever order its reads and writes take', async () => {
    for (const seed of [1, 2, 3]) {
      const disk = new MemoryDisk({ seed, idleTurns: 0.8 })
      disk.makeDirectory('/backups')
      const store = await openOn(disk, '/data', { checkpointBytes: 100_000 })
      for (let i = 0; i < 90; i++) await store.put(`key ${i}`, `${i} `.repeat(6000))
      const { sizeBytes } = await store.backup(PATH)
      expect(sizeBytes).toBeGreaterThan(1024 * 1024)
      await verifyBackupOn(disk, PATH)
      expect(await contentOfBackup(disk, PATH)).toEqual(await contentOf(store))
      await store.close()
    }
  })

  test('ends the database with its SHA-256, as etcd asks, or not', async () => {
    const disk = new MemoryDisk()
    const store = await still(disk)
    await store.backup(PATH)
    await store.backup('/backups/bare.db', { trailer: false })
    const whole = Buffer.from(disk.readFile(PATH))
    const bare = Buffer.from(disk.readFile('/backups/bare.db'))
    expect(bare.length % 4096).toBe(0)
    expect(whole.subarray(0, -32).equals(bare)).toBe(true)
    expect(whole.subarray(-32).equals(createHash('sha256').update(bare).digest())).toBe(true)
    expect((await verifyBackupOn(disk, '/backups/bare.db')).hasTrailer).toBe(false)
    await store.close()
  })

  test('has the same state in both metas, and no mark of the log', async () => {
    const disk = new MemoryDisk()
    const store = await fill(disk)
    const { manifest } = await store.backup(PATH)
    const { txid } = manifest
    const [newest, older] = metasOf(disk.readFile(PATH), [4096])
    expect(newest).toMatchObject({ txid, slot: txid % 2, flags: 0, rootSequence: 0n })
    expect(older).toEqual({ ...newest, txid: txid - 1, slot: 1 - (txid % 2) })
    await store.close()
  })

  test('has nothing in it that the store has let go of', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data', { checkpointBytes: 4096 })
    disk.makeDirectory('/backups')
    await store.put('a', 'a secret'.repeat(3000))
    await store.put('a', 'public')
    await store.compact(3, { physical: true })
    for (let i = 0; i < 20; i++) await store.put('b', 'x'.repeat(1000))
    expect(Buffer.from(disk.readFile('/data/db')).includes('a secret')).toBe(true)
    await store.backup(PATH)
    expect(Buffer.from(disk.readFile(PATH)).includes('a secret')).toBe(false)
    await store.close()
  })

  test('writes the same bytes to a stream, which it ends', async () => {
    const disk = new MemoryDisk()
    const store = await still(disk)
    await store.backup(PATH)
    const stream = new PassThrough({ highWaterMark: 64 })
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    const ended = once(stream, 'end')
    const result = await store.backup(stream)
    await ended
    expect(result.path).toBeUndefined()
    expect(Buffer.concat(chunks).equals(disk.readFile(PATH))).toBe(true)
    const { timeMs } = result.manifest
    const text = Buffer.from(disk.readFile(MANIFEST)).toString()
    const beside = JSON.parse(text) as { readonly timeMs: number }
    expect(beside).toMatchObject({ ...result.manifest, timeMs: beside.timeMs })
    expect(timeMs).toBeGreaterThanOrEqual(beside.timeMs)
    await store.close()
  })

  test('rejects with what a stream fails with, and when it is closed too soon', async () => {
    const disk = new MemoryDisk()
    const store = await fill(disk)
    const reason = new Error('no more')
    const failing = new Writable({ write: (_chunk, _encoding, done) => done(reason) })
    await expect(store.backup(failing)).rejects.toBe(reason)
    const { stream, began } = held()
    const refused = expect(store.backup(stream)).rejects.toThrow(/[Pp]remature/)
    await began
    stream.destroy()
    await refused
    await store.close()
  })

  test('holds the moment of the call while every page of it changes', async () => {
    const disk = new MemoryDisk()
    const store = await fill(disk)
    const before = await contentOf(store)
    const { stream, go, began, bytes } = held()
    const backup = store.backup(stream)
    await began
    // Twice, with checkpoints between: what was set free the first time is taken the second.
    for (let round = 0; round < 2; round++) {
      await store.delete({ prefix: '' })
      const { revision } = await store.status()
      await store.compact(revision, { physical: true })
      const puts = Array.from({ length: 200 }, (_, i) => store.put(`new ${i}`, 'y'.repeat(500)))
      await Promise.all(puts)
      await store.grant({ ttlSeconds: 4000 })
      await store.defragment()
    }
    go()
    const { manifestText, copiedPages } = await backup
    disk.writeFile(PATH, bytes())
    disk.writeFile(MANIFEST, Buffer.from(manifestText))
    const { findings, pages } = await checkOf(disk, PATH)
    expect(findings).toEqual([])
    expect(copiedPages).toBe(pages.branch + pages.leaf + pages.overflow)
    expect(await contentOfBackup(disk, PATH)).toEqual(before)
    await store.close()
  })

  test('lets go of its pages when it has ended', async () => {
    const disk = new MemoryDisk()
    const store = await fill(disk)
    await store.backup(PATH)
    await store.backup(PATH).catch(() => {})
    await store.delete({ prefix: '' })
    const { revision } = await store.status()
    await store.compact(revision, { physical: true })
    const { sizeBytesAfter } = await store.defragment()
    expect(sizeBytesAfter).toBeLessThanOrEqual(128 * 1024)
    await store.close()
  })

  test('tells how far it has come', async () => {
    const disk = new MemoryDisk()
    const store = await fill(disk)
    const told: BackupProgress[] = []
    const { sizeBytes } = await store.backup(PATH, { onProgress: (p) => told.push(p) })
    const last = told.at(-1)
    expect(last).toMatchObject({ phase: 'verify', remainingMs: 0, copiedPages: 0 })
    expect(last?.doneBytes).toBe(last?.totalBytes)
    expect(last?.totalBytes).toBeGreaterThanOrEqual(2 * sizeBytes)
    const reason = new Error('enough')
    const onProgress = (): void => {
      throw reason
    }
    await expect(store.backup('/backups/c.db', { onProgress })).rejects.toBe(reason)
    expect(disk.list('/backups')).toEqual(['b.db', 'b.db.manifest.json'])
    await store.close()
  })

  test('replaces nothing but a manifest without its backup', async () => {
    const disk = new MemoryDisk()
    const store = await fill(disk)
    const { manifestText } = await store.backup(PATH)
    await expect(store.backup(PATH)).rejects.toMatchObject({ code: 'KV_EXISTS' })
    disk.writeFile('/backups/c.db.manifest.json', Buffer.from('{"mine": true}'))
    await expect(store.backup('/backups/c.db')).rejects.toMatchObject({ code: 'KV_EXISTS' })
    expect(Buffer.from(disk.readFile('/backups/c.db.manifest.json')).toString()).toBe(
      '{"mine": true}',
    )
    disk.writeFile('/backups/d.db.manifest.json', Buffer.from(manifestText))
    await store.put('one', 'more')
    await store.backup('/backups/d.db')
    expect(await contentOfBackup(disk, '/backups/d.db')).toEqual(await contentOf(store))
    await store.close()
  })

  test('of two to the same path leaves one that is whole', async () => {
    const disk = new MemoryDisk()
    const store = await fill(disk)
    const results = await Promise.allSettled([store.backup(PATH), store.backup(PATH)])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    for (const result of results) {
      if (result.status === 'rejected') expect(isKvError(result.reason, 'KV_EXISTS')).toBe(true)
    }
    expect(await contentOfBackup(disk, PATH)).toEqual(await contentOf(store))
    expect(disk.list('/backups')).toEqual(['b.db', 'b.db.manifest.json'])
    await store.close()
  })

  test('refuses what is neither a path nor a stream', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    // @ts-expect-error neither
    await expect(store.backup(7)).rejects.toThrow('target: expected a path or a writable stream')
    // @ts-expect-error neither
    await expect(store.backup({ write: 7 })).rejects.toThrow(TypeError)
    await expect(store.backup('')).rejects.toThrow(RangeError)
    await expect(store.backup('a\0b')).rejects.toThrow(RangeError)
    // @ts-expect-error no boolean
    await expect(store.backup('/b', { trailer: 'yes' })).rejects.toThrow(TypeError)
    // @ts-expect-error no option
    await expect(store.backup('/b', { compress: true })).rejects.toThrow('there is no such option')
  })

  test('of a store opened read-only holds what its log holds', async () => {
    const disk = new MemoryDisk()
    const store = await fill(disk)
    const before = await contentOf(store)
    const killed = disk.processKilled()
    await store.close()
    const reader = await openOn(killed, '/data', { readOnly: true })
    await reader.backup(PATH)
    await reader.close()
    expect(await contentOfBackup(killed, PATH)).toEqual(before)
  })

  test('of a store without files goes to the machine’s disk', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'revbolt-backup-'))
    try {
      const store = await open(':memory:')
      await store.put('a', '1')
      const { path, manifest } = await store.backup(join(directory, 'b.db'))
      expect(path).toBe(join(directory, 'b.db'))
      expect(manifest.revision).toBe(2)
      expect(readdirSync(directory)).toEqual(['b.db', 'b.db.manifest.json'])
      await store.close()
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test('stops when it is aborted, at any turn of the event loop', async () => {
    const disk = new MemoryDisk()
    const store = await fill(disk)
    const reason = new Error('enough')
    let isDone = false
    for (let turns = 0; !isDone; turns++) {
      const controller = new AbortController()
      const { signal } = controller
      const backup = store.backup(PATH, { signal }).then(
        () => 'done',
        (error: unknown) => error,
      )
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
      controller.abort(reason)
      const outcome = await backup
      isDone = outcome === 'done'
      if (isDone) break
      expect(outcome).toBe(reason)
      expect(disk.list('/backups')).toEqual([])
    }
    const { stream, began } = held()
    const controller = new AbortController()
    const refused = expect(store.backup(stream, { signal: controller.signal })).rejects.toBe(reason)
    await began
    controller.abort(reason)
    await refused
    expect(stream.destroyed).toBe(true)
    await store.close()
  })

  test('stops when the store is closed', async () => {
    const disk = new MemoryDisk()
    const store = await fill(disk)
    const { stream, began } = held()
    const toStream = expect(store.backup(stream)).rejects.toMatchObject({ code: 'KV_CLOSED' })
    const toPath = expect(store.backup(PATH)).rejects.toMatchObject({ code: 'KV_CLOSED' })
    await began
    await Promise.all([store.close(), toStream, toPath])
    expect(stream.destroyed).toBe(true)
    expect(disk.list('/backups')).toEqual([])
    await expect(store.backup(PATH)).rejects.toMatchObject({ code: 'KV_CLOSED' })
  })
})
