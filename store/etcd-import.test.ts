import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { KvError } from '../base/errors.ts'
import { PowerCut } from '../disk/fault-plan.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openEngine } from '../engine/index.ts'
import type { Tx } from '../engine/index.ts'
import { ALARM_NOSPACE, encodeAlarmMember } from '../proto/alarm-member.ts'
import { importEtcdOn } from './etcd-import.ts'
import { openOn } from './open.ts'
import { put } from './op.ts'
import type { ImportEtcdOptions, ImportEtcdResult } from './types/import.ts'

const MEMBER = '/etcd'
const DATABASE = '/etcd/member/snap/db'
const TARGET = '/data'

const text = (words: string): Uint8Array => new Uint8Array(Buffer.from(words))

/** What a member of a cluster has beside the data. */
function makeMember(tx: Tx): void {
  tx.bucket('members')?.put('8e9e05c52164694d', text('{"id":10276657743932975437}'))
  tx.bucket('cluster')?.put('clusterVersion', text('3.4.0'))
  tx.bucket('meta')?.put('consistent_index', Buffer.from('000000000000002a', 'hex'))
  tx.bucket('meta')?.put('storageVersion', text('3.6.0'))
  tx.bucket('alarm')?.put(encodeAlarmMember({ memberId: 7n, alarm: ALARM_NOSPACE }), text(''))
  tx.bucket('auth')?.put('authEnabled', Uint8Array.of(1))
}

/** A disk with a file as etcd leaves it: five revisions, of which the second is compacted. */
async function etcdDisk(change: (tx: Tx) => void = () => {}): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const store = await openOn(disk, '/made', {}, {})
  await store.grant({ id: 7n, ttlSeconds: 500 })
  await store.put('a', '1')
  await store.put('a', '2', { lease: 7n })
  await store.txn({ success: [put('b', 'x'.repeat(9000)), put('c', '1')] })
  await store.delete('c')
  await store.compact(3, { physical: true })
  await store.close()
  const engine = await openEngine('/made/db', { disk, readOnly: true })
  disk.makeDirectory('/etcd/member/snap')
  await engine.copyTo(DATABASE)
  await engine.close()
  const file = await openEngine(DATABASE, { disk })
  const tx = await file.begin({ writable: true })
  makeMember(tx)
  change(tx)
  await tx.commitAsync()
  await file.close()
  for (const directory of ['/', '/etcd', '/etcd/member']) disk.syncDirectory(directory)
  return disk.clone()
}

/** As `snapshot save` writes it. */
function addChecksum(disk: MemoryDisk): void {
  const bytes = disk.readFile(DATABASE)
  const sum = createHash('sha256').update(bytes).digest()
  disk.writeFile(DATABASE, new Uint8Array(Buffer.concat([bytes, sum])))
}

async function importFrom(
  disk: MemoryDisk,
  source: string = DATABASE,
  options?: ImportEtcdOptions,
): Promise<ImportEtcdResult> {
  return await importEtcdOn(disk, { source, directory: TARGET }, options)
}

async function mustHaveAll(disk: MemoryDisk): Promise<void> {
  const store = await openOn(disk, TARGET, {}, {})
  expect(await store.status()).toMatchObject({ revision: 5, compactedRevision: 3 })
  const shown = (await store.range({ keysOnly: true })).kvs.map(({ key, lease }) => [key, lease])
  expect(shown).toEqual([
    ['a', 7n],
    ['b', 0n],
  ])
  expect((await store.get('c', { revision: 4 }))?.version).toBe(1)
  expect((await store.lease(7n, { keys: true }))?.keys).toEqual(['a'])
  expect(await store.alarms()).toEqual([])
  expect((await store.put('d', '1')).revision).toBe(6)
  await store.revoke(7n)
  expect(await store.get('a')).toBeUndefined()
  await store.close()
}

async function codeOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call()
  } catch (error) {
    if (error instanceof KvError) return error.code
    throw error
  }
  return 'done'
}

describe('importEtcd()', () => {
  test('makes a store that has all of it, and says what it found', async () => {
    const disk = await etcdDisk()
    const before = disk.readFile(DATABASE)
    expect(await importFrom(disk)).toMatchObject({
      source: DATABASE,
      revision: 5,
      compactedRevision: 3,
      keyCount: 2,
      revisionCount: 4,
      leaseCount: 1,
      hadChecksum: false,
      consistentIndex: 42n,
      isAuthEnabled: true,
      alarms: ['NOSPACE'],
    })
    expect(disk.readFile(DATABASE)).toEqual(before)
    await mustHaveAll(disk)
  })

  test('takes a member out of its cluster', async () => {
    const disk = await etcdDisk()
    await importFrom(disk)
    const engine = await openEngine(`${TARGET}/db`, { disk, readOnly: true })
    engine.view((tx) => {
      for (const bucket of ['members', 'cluster', 'alarm']) {
        expect(tx.bucket(bucket)?.cursor().first()).toBeUndefined()
      }
      for (const name of ['consistent_index', 'storageVersion']) {
        expect(tx.bucket('meta')?.get(name)).toBeUndefined()
      }
    })
    await engine.close()
  })

  test('takes a snapshot with its checksum, or a data directory', async () => {
    const snapshot = await etcdDisk()
    addChecksum(snapshot)
    expect((await importFrom(snapshot)).hadChecksum).toBe(true)
    await mustHaveAll(snapshot)
    const member = await etcdDisk()
    expect((await importFrom(member, MEMBER)).source).toBe(DATABASE)
    await mustHaveAll(member)
  })

  test('tells how far it has come, up to the end', async () => {
    const told: number[] = []
    await importFrom(await etcdDisk(), DATABASE, {
      onProgress: ({ doneBytes, totalBytes }) => told.push(doneBytes / totalBytes),
    })
    expect(told).toEqual(told.toSorted((a, b) => a - b))
    expect(told.at(-1)).toBe(1)
  })
})

interface Refused {
  readonly name: string
  readonly code: string
  readonly source?: string
  prepare(disk: MemoryDisk): void | Promise<void>
}

const flipped = (offset: number): Refused['prepare'] => {
  return (disk) => {
    addChecksum(disk)
    disk.flipBit(DATABASE, offset, 3)
  }
}

const REFUSED: readonly Refused[] = [
  { name: 'no file', code: 'KV_NOT_FOUND', source: '/none', prepare: () => {} },
  {
    name: 'a text',
    code: 'KV_BAD_FILE',
    prepare: (disk) => disk.writeFile(DATABASE, text('{"kvs":[]}\n'.repeat(2000))),
  },
  {
    name: 'nothing',
    code: 'KV_BAD_FILE',
    prepare: (disk) => disk.writeFile(DATABASE, new Uint8Array(0)),
  },
  {
    name: 'a database of something else',
    code: 'KV_BAD_FILE',
    source: '/other',
    prepare: async (disk) => {
      const engine = await openEngine('/other', { disk })
      engine.update((tx) => void tx.createBucket('key'))
      await engine.close()
    },
  },
  { name: 'a store of ours', code: 'KV_BAD_FILE', source: '/made', prepare: () => {} },
  { name: 'its file', code: 'KV_BAD_FILE', source: '/made/db', prepare: () => {} },
  { name: 'a snapshot with a bit flipped', code: 'KV_CORRUPT', prepare: flipped(20_000) },
  {
    name: 'a snapshot with a wrong checksum',
    code: 'KV_CORRUPT',
    prepare: (disk) => {
      addChecksum(disk)
      disk.flipBit(DATABASE, disk.readFile(DATABASE).length - 1, 0)
    },
  },
  {
    name: 'the first half of a snapshot',
    code: 'KV_CORRUPT',
    prepare: (disk) => {
      const bytes = disk.readFile(DATABASE)
      disk.writeFile(DATABASE, bytes.subarray(0, bytes.length / 2))
    },
  },
]

const DOCTORED: readonly {
  readonly name: string
  readonly code: string
  change(tx: Tx): void
}[] = [
  {
    name: 'a schema of a version to come',
    code: 'KV_BAD_VERSION',
    change: (tx) => tx.bucket('meta')?.put('storageVersion', text('4.0.0')),
  },
  {
    name: 'a row that is no revision',
    code: 'KV_CORRUPT',
    change: (tx) => tx.bucket('key')?.put('zzz', text('')),
  },
  {
    name: 'a row that names another revision',
    code: 'KV_CORRUPT',
    change: (tx) => {
      const rows = tx.bucket('key')
      const last = rows?.cursor().first()
      const key = Buffer.from('0000000000000009_0000000000000000'.replace('_', '5f'), 'hex')
      rows?.put(key, last?.value ?? text(''))
    },
  },
  {
    name: 'a lease that is none',
    code: 'KV_CORRUPT',
    change: (tx) => tx.bucket('lease')?.put('lease', text('7')),
  },
  {
    name: 'no leases at all',
    code: 'KV_BAD_FILE',
    change: (tx) => tx.deleteBucket('lease'),
  },
]

describe('importEtcd() refuses', () => {
  test.each(REFUSED)('$name', async ({ code, source, prepare }) => {
    const disk = await etcdDisk()
    await prepare(disk)
    expect(await codeOf(async () => await importFrom(disk, source))).toBe(code)
    expect(disk.exists(TARGET)).toBe(false)
  })

  test.each(DOCTORED)('$name', async ({ code, change }) => {
    const disk = await etcdDisk(change)
    expect(await codeOf(async () => await importFrom(disk))).toBe(code)
    expect(disk.exists(TARGET)).toBe(false)
  })

  test('a file that etcd holds, unless it lets go in time', async () => {
    const disk = await etcdDisk()
    const held = disk.open(DATABASE, { mode: 'write' })
    await disk.lock(held, { kind: 'exclusive', method: 'auto', timeoutMs: 0 })
    expect(await codeOf(async () => await importFrom(disk))).toBe('KV_LOCKED')
    expect(disk.exists(TARGET)).toBe(false)
    const waiting = importFrom(disk, DATABASE, { lockTimeoutMs: Infinity })
    held.close()
    expect((await waiting).revision).toBe(5)
  })

  test('a directory that holds something, and leaves it as it is', async () => {
    const disk = await etcdDisk()
    await importFrom(disk)
    const db = disk.readFile(`${TARGET}/db`)
    expect(await codeOf(async () => await importFrom(disk))).toBe('KV_EXISTS')
    expect(disk.readFile(`${TARGET}/db`)).toEqual(db)
    const other = await etcdDisk()
    other.makeDirectory(TARGET)
    other.writeFile(`${TARGET}/diary`, text('mine'))
    expect(await codeOf(async () => await importFrom(other))).toBe('KV_EXISTS')
    expect(other.list(TARGET)).toEqual(['diary'])
  })

  test('what is no path and no option', async () => {
    const disk = await etcdDisk()
    const call = async (places: unknown, options?: unknown): Promise<unknown> =>
      await importEtcdOn(disk, places as { source: unknown; directory: unknown }, options)
    const places = { source: DATABASE, directory: TARGET }
    await expect(call({ ...places, source: 7 })).rejects.toThrow(/^source: expected a string/)
    await expect(call({ ...places, directory: '' })).rejects.toThrow(/^directory: it is empty/)
    await expect(call(places, { lockTimeoutMs: -1 })).rejects.toThrow(/^lockTimeoutMs/)
    await expect(call(places, { encoding: 'utf8' })).rejects.toThrow(/^encoding: there is no such/)
    expect(disk.exists(TARGET)).toBe(false)
  })
})

describe('importEtcd() cut short', () => {
  test('by its signal or its listener leaves no store and can be done again', async () => {
    const disk = await etcdDisk()
    const reason = new Error('enough')
    await expect(importFrom(disk, DATABASE, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    )
    expect(disk.exists(TARGET)).toBe(false)
    const onProgress = (): void => {
      throw reason
    }
    await expect(importFrom(disk, DATABASE, { onProgress })).rejects.toBe(reason)
    expect(disk.list(TARGET)).toEqual(['lock'])
    await importFrom(disk)
    await mustHaveAll(disk)
  })

  test('by a failing disk, wherever it fails, leaves no store and can be done again', async () => {
    const pristine = await etcdDisk()
    const whole = pristine.clone()
    await importFrom(whole)
    const count = whole.operationCount
    expect(count).toBeGreaterThan(10)
    for (let operation = 1; operation <= count; operation++) {
      const disk = pristine.clone()
      disk.injectFault({ operation, code: 'EIO' })
      const code = await codeOf(async () => await importFrom(disk))
      expect([operation, code]).toEqual([operation, 'KV_IO'])
      const left = disk.exists(TARGET) ? disk.list(TARGET) : []
      // The last ones give the store its name: it is whole then.
      if (left.includes('db')) expect(operation).toBe(count)
      else expect(left.filter((name) => name !== 'lock')).toEqual([])
      if (!left.includes('db')) await importFrom(disk)
      await mustHaveAll(disk)
    }
  })

  test('by the power, wherever it is cut, leaves no store or all of it', async () => {
    const pristine = await etcdDisk()
    const whole = pristine.clone()
    await importFrom(whole)
    let found = 0
    for (let operation = 1; operation <= whole.operationCount; operation++) {
      const disk = pristine.clone()
      disk.cutPowerAt(operation)
      await expect(importFrom(disk)).rejects.toBeInstanceOf(PowerCut)
      for (let seed = 0; seed < 8; seed++) {
        const after = disk.afterPowerLoss(seed)
        if (after.exists(`${TARGET}/db`)) found++
        else await importFrom(after)
        await mustHaveAll(after)
      }
    }
    expect(found).toBeGreaterThan(0)
  })

  test('by nothing, it is durable', async () => {
    const disk = await etcdDisk()
    await importFrom(disk)
    for (let seed = 0; seed < 20; seed++) await mustHaveAll(disk.afterPowerLoss(seed))
  })
})
