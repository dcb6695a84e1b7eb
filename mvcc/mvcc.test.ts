import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KvError } from '../base/errors.ts'
import { openEngine } from '../engine/index.ts'
import type { Engine } from '../engine/index.ts'
import { decodeKeyValue, encodeKeyValue } from '../proto/mvccpb.ts'
import type { KeyValue } from '../proto/mvccpb.ts'
import { IndexPruner } from './index-pruner.ts'
import type { Mvcc, WriteGroup } from './mvcc.ts'
import { rangeRequest } from './request.ts'
import type { Compare, DeleteRequest, OpRequest, PutRequest } from './request.ts'
import { restore } from './restore.ts'
import { decodeRevisionKey, encodeRevisionKey, encodeTombstoneKey } from './revision.ts'
import { createBuckets, hasBuckets, mustHaveStore } from './schema.ts'
import type { WriteTxn } from './write-txn.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (source: Uint8Array): string => new TextDecoder().decode(source)

let directory: string
let engine: Engine
let mvcc: Mvcc

const file = (): string => join(directory, 'db')

async function reopen(): Promise<void> {
  await engine?.close()
  engine = await openEngine(file())
  engine.update((tx) => createBuckets(tx))
  await load()
}

async function load(): Promise<void> {
  const tx = await engine.begin()
  try {
    mvcc = await restore(tx, { file: file(), pause: async () => {} })
  } finally {
    tx.rollback()
  }
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'revbolt-mvcc-'))
  await reopen()
})

afterEach(async () => {
  await engine.close()
  rmSync(directory, { recursive: true, force: true })
})

/** A row as short text: `key=value created/modified vVersion`. */
function show(kv: KeyValue): string {
  return `${text(kv.key)}=${text(kv.value)} ${kv.createRevision}/${kv.modRevision} v${kv.version}`
}

function putOf(key: string, value: string, more: Partial<PutRequest> = {}): PutRequest {
  return {
    type: 'put',
    key: bytes(key),
    value: bytes(value),
    lease: 0n,
    wantsPrevious: false,
    ignoreValue: false,
    ignoreLease: false,
    ...more,
  }
}

function deleteOf(key: string, end?: string, wantsPrevious = false): DeleteRequest {
  return {
    type: 'delete',
    key: bytes(key),
    end: end === undefined ? undefined : bytes(end),
    wantsPrevious,
  }
}

/** Runs a group of writing transactions on one engine transaction and commits it. */
async function group<T>(work: (group: WriteGroup) => T): Promise<T> {
  const tx = await engine.begin({ writable: true })
  const writing = mvcc.beginGroup(tx, 0)
  const result = work(writing)
  await tx.commitAsync()
  writing.commit()
  return result
}

const write = <T>(work: (txn: WriteTxn) => T): Promise<T> => group((each) => each.run(work))

const txnOf = (
  success: readonly OpRequest[],
  compare: readonly Compare[] = [],
  failure: readonly OpRequest[] = [],
): ((txn: WriteTxn) => unknown) => {
  return (txn) => txn.txn({ type: 'txn', compare, success, failure }, () => show)
}

function rows(): string[] {
  return engine.view((tx) => {
    const found: string[] = []
    const cursor = tx.bucket('key')?.cursor()
    for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
      const revision = decodeRevisionKey(entry.key)
      const kv = decodeKeyValue(entry.value ?? bytes(''))
      const mark = revision?.isTombstone === true ? 't' : ''
      found.push(`{${revision?.main} ${revision?.sub}${mark}} ${show(kv)}`)
    }
    return found
  })
}

async function range(revision = 0, span = { key: bytes(''), end: bytes('\0') }): Promise<string[]> {
  const tx = await engine.begin()
  try {
    const scan = mvcc.read(tx, mvcc.revision).range(rangeRequest(span, { revision }), show)
    while (!scan.step(2));
    return [...scan.result().kvs]
  } finally {
    tx.rollback()
  }
}

describe('rows', () => {
  test('two transactions of two puts leave {2 0} {2 1} {3 0} {3 1}', async () => {
    await write(txnOf([putOf('key1', 'v1'), putOf('key2', 'v2')]))
    await write(txnOf([putOf('key1', 'v12'), putOf('key2', 'v22')]))
    expect(rows()).toEqual([
      '{2 0} key1=v1 2/2 v1',
      '{2 1} key2=v2 2/2 v1',
      '{3 0} key1=v12 2/3 v2',
      '{3 1} key2=v22 2/3 v2',
    ])
    engine.view((tx) => {
      expect(tx.bucket('key')?.get(encodeRevisionKey(3, 1))).toEqual(
        new Uint8Array(Buffer.from('0a046b6579321002180320022a03763232', 'hex')),
      )
    })
  })

  test("etcd's ten buckets are made, and an empty store is at revision 1", async () => {
    expect(mvcc.revision).toBe(1)
    engine.view((tx) => {
      expect(hasBuckets(tx)).toBe(true)
      expect([...tx.bucketNames()].map(text)).toEqual(
        'alarm auth authRoles authUsers cluster key lease members members_removed meta'.split(' '),
      )
    })
  })

  test('a delete writes tombstones that hold the key only, in key order', async () => {
    await write(txnOf([putOf('b', '1'), putOf('a', '2'), putOf('c', '3')]))
    expect(await write((txn) => txn.delete(deleteOf('a', 'c', true), show))).toEqual({
      type: 'delete',
      deleted: 2,
      previous: ['a=2 2/2 v1', 'b=1 2/2 v1'],
    })
    expect(rows().slice(3)).toEqual(['{3 0t} a= 0/0 v0', '{3 1t} b= 0/0 v0'])
    expect(await range()).toEqual(['c=3 2/2 v1'])
    expect(await range(2)).toHaveLength(3)
  })

  test('what changes nothing makes no revision and writes nothing', async () => {
    const txid = engine.txid
    await write((txn) => txn.delete(deleteOf('a', 'z'), show))
    await write(txnOf([deleteOf('a'), rangeRequest({ key: bytes('a'), end: undefined })]))
    expect(mvcc.revision).toBe(1)
    expect(engine.txid).toBe(txid)
  })

  test('a group gives each transaction its own revision in one commit', async () => {
    const txid = engine.txid
    await group((each) => {
      each.run((txn) => txn.put(putOf('a', '1'), show))
      each.run((txn) => txn.put(putOf('a', '2'), show))
      each.run((txn) => txn.delete(deleteOf('nothing'), show))
      each.run((txn) => txn.put(putOf('a', '3'), show))
    })
    expect(mvcc.revision).toBe(4)
    expect(engine.txid).toBe(txid + 1)
    expect(rows()).toEqual(['{2 0} a=1 2/2 v1', '{3 0} a=2 2/3 v2', '{4 0} a=3 2/4 v3'])
  })
})

describe('transactions', () => {
  test('ranges inside see the writes before them, compares the state before', async () => {
    await write((txn) => txn.put(putOf('a', '1'), show))
    const all = rangeRequest({ key: bytes(''), end: bytes('\0') })
    const compare: Compare = {
      key: bytes('a'),
      end: undefined,
      target: 'modRevision',
      operator: '=',
      value: 2,
    }
    const request = {
      type: 'txn',
      compare: [compare],
      success: [
        all,
        putOf('b', '2'),
        all,
        deleteOf('a'),
        deleteOf('a'),
        all,
        { ...all, revision: 2 },
      ],
      failure: [],
    } as const
    expect(await write((txn) => txn.txn(request, () => show))).toEqual({
      type: 'txn',
      succeeded: true,
      results: [
        { type: 'range', kvs: ['a=1 2/2 v1'], count: 1, more: false },
        { type: 'put', previous: undefined },
        { type: 'range', kvs: ['a=1 2/2 v1', 'b=2 3/3 v1'], count: 2, more: false },
        { type: 'delete', deleted: 1, previous: [] },
        { type: 'delete', deleted: 0, previous: [] },
        { type: 'range', kvs: ['b=2 3/3 v1'], count: 1, more: false },
        { type: 'range', kvs: ['a=1 2/2 v1'], count: 1, more: false },
      ],
    })
    expect(rows().slice(1)).toEqual(['{3 0} b=2 3/3 v1', '{3 1t} a= 0/0 v0'])
  })

  test('a check that fails leaves nothing of the transaction, and the group goes on', async () => {
    const future = { ...rangeRequest({ key: bytes('a'), end: undefined }), revision: 9 }
    await group((each) => {
      expect(() => each.run(txnOf([putOf('a', '1'), future]))).toThrow(
        expect.objectContaining({ code: 'KV_FUTURE_REVISION' }),
      )
      expect(() => each.run(txnOf([putOf('a', '1'), putOf('b', '', { lease: 5n })]))).toThrow(
        expect.objectContaining({ code: 'KV_LEASE_NOT_FOUND' }),
      )
      expect(() =>
        each.run(txnOf([putOf('a', '1'), putOf('b', '', { ignoreValue: true })])),
      ).toThrow(expect.objectContaining({ code: 'KV_KEY_NOT_FOUND' }))
      expect(each.isBroken).toBe(false)
      each.run((txn) => txn.put(putOf('c', '1'), show))
    })
    expect(rows()).toEqual(['{2 0} c=1 2/2 v1'])
  })

  test('a failure after the first write breaks the group, and rollback undoes it', async () => {
    await write((txn) => txn.put(putOf('a', '1'), show))
    const tx = await engine.begin({ writable: true })
    const writing = mvcc.beginGroup(tx, 0)
    writing.run((txn) => txn.put(putOf('a', '2'), show))
    writing.run((txn) => txn.delete(deleteOf('a'), show))
    writing.run((txn) => txn.put(putOf('b', '1'), show))
    expect(() =>
      writing.run((txn) => {
        txn.put(putOf('c', '1'), show)
        throw new KvError('KV_IO', 'the disk broke')
      }),
    ).toThrow('the disk broke')
    expect(writing.isBroken).toBe(true)
    expect(mvcc.revision).toBe(5)
    tx.rollback()
    writing.rollback()
    expect(mvcc.revision).toBe(2)
    expect(mvcc.index.keyCount).toBe(1)
    expect(mvcc.index.revisionCount).toBe(1)
    expect(await range()).toEqual(['a=1 2/2 v1'])
    await write((txn) => txn.put(putOf('a', '9'), show))
    expect(await range()).toEqual(['a=9 2/3 v2'])
  })

  test('a reader at an older revision does not see what a group in progress changed', async () => {
    await write(txnOf([putOf('a', '1'), putOf('b', '1')]))
    const reading = await engine.begin()
    const read = mvcc.read(reading, mvcc.revision)
    const scan = read.range(rangeRequest({ key: bytes(''), end: bytes('\0') }), show)
    expect(scan.step(1)).toBe(false)
    const tx = await engine.begin({ writable: true })
    const writing = mvcc.beginGroup(tx, 0)
    writing.run(txnOf([putOf('0', '2'), putOf('aa', '2'), deleteOf('b')]))
    while (!scan.step(1));
    expect(scan.result()).toMatchObject({ kvs: ['a=1 2/2 v1', 'b=1 2/2 v1'], count: 2 })
    expect(read.get(bytes('aa'), 0, show)).toBeUndefined()
    tx.rollback()
    writing.rollback()
    reading.rollback()
  })
})

describe('restore()', () => {
  test('a reopened store has its history, versions and revision', async () => {
    await write(txnOf([putOf('a', '1'), putOf('b', '1')]))
    await write((txn) => txn.put(putOf('a', '2'), show))
    await write((txn) => txn.delete(deleteOf('b'), show))
    await write((txn) => txn.put(putOf('b', '2'), show))
    await write((txn) => txn.delete(deleteOf('a'), show))
    const before = await Promise.all([2, 3, 4, 5, 6].map((at) => range(at)))
    await reopen()
    expect(mvcc.revision).toBe(6)
    expect(await Promise.all([2, 3, 4, 5, 6].map((at) => range(at)))).toEqual(before)
    await write(txnOf([putOf('a', '3'), putOf('b', '3')]))
    expect(await range()).toEqual(['a=3 7/7 v1', 'b=3 5/7 v2'])
  })

  test('the current revision is the highest of the last row and the compaction notes', async () => {
    await write((txn) => txn.put(putOf('a', '1'), show))
    engine.update((tx) => {
      tx.bucket('meta')?.put('finishedCompactRev', encodeRevisionKey(4, 0))
      tx.bucket('meta')?.put('scheduledCompactRev', encodeRevisionKey(7, 0))
    })
    await reopen()
    expect(mvcc.revision).toBe(7)
    expect(mvcc.compactedRevision).toBe(7)
    await expect(range(6)).rejects.toMatchObject({
      code: 'KV_COMPACTED',
      requested: 6,
      compacted: 7,
    })
    expect(await range(7)).toEqual(['a=1 2/2 v1'])
  })

  test('a compaction that was cut short is known by what it finished', async () => {
    await group((each) => {
      for (let i = 0; i < 200; i++) each.run((txn) => txn.put(putOf('a', String(i)), show))
    })
    await write((txn) => txn.scheduleCompaction(150))
    mvcc.noteCompacted(150)
    const next = await write((txn) => txn.compactRows({ main: 0, sub: 0 }, 150, () => true))
    expect(next?.main).toBeGreaterThan(2)
    await reopen()
    expect([mvcc.compactedRevision, mvcc.finishedRevision]).toEqual([150, 0])
    expect(await range(150)).toEqual(['a=148 2/150 v149'])
    mvcc.noteCompacted(150)
    await write((txn) => txn.compactRows({ main: 0, sub: 0 }, 150, () => false))
    await reopen()
    expect([mvcc.compactedRevision, mvcc.finishedRevision]).toEqual([150, 150])
    expect(rows()).toHaveLength(201 - 149)
  })

  test('the index keeps what an open reader may read, whatever is compacted meanwhile', async () => {
    for (let i = 2; i <= 9; i++) await write((txn) => txn.put(putOf('a', String(i)), show))
    const compactTo = async (revision: number): Promise<void> => {
      await write((txn) => txn.scheduleCompaction(revision))
      mvcc.noteCompacted(revision)
      const from = { main: mvcc.finishedRevision, sub: 0 }
      expect(await write((txn) => txn.compactRows(from, revision, () => false))).toBeUndefined()
      mvcc.noteFinished(revision)
      const pruner = new IndexPruner(mvcc.index, mvcc.prunableRevision)
      while (!pruner.step(1));
    }
    const tx = await engine.begin()
    const early = mvcc.read(tx, mvcc.revision)
    await compactTo(5)
    const later = await engine.begin()
    const late = mvcc.read(later, mvcc.revision)
    await compactTo(7)
    const readAt = (revision: number, read = early): string | undefined =>
      read.get(bytes('a'), revision, show)
    for (let main = 2; main <= 9; main++) expect(readAt(main)).toMatch(`a=${main} 2/${main}`)
    expect(() => readAt(4, late)).toThrow(expect.objectContaining({ code: 'KV_COMPACTED' }))
    expect(readAt(5, late)).toMatch('a=5 2/5')
    let risen = 0
    mvcc.onReadersEnded(() => risen++)
    expect(mvcc.prunableRevision).toBe(0)
    early.end()
    expect([risen, mvcc.prunableRevision]).toEqual([1, 5])
    late.end()
    expect([risen, mvcc.prunableRevision]).toEqual([2, 7])
    tx.rollback()
    later.rollback()
  })

  test('a row with an empty value raises the revision and belongs to no key', async () => {
    engine.update((tx) => tx.bucket('key')?.put(encodeRevisionKey(1000, 0), ''))
    await reopen()
    expect(mvcc.revision).toBe(1000)
    expect(await range()).toEqual([])
  })

  const row = (kv: Partial<KeyValue>): Uint8Array =>
    encodeKeyValue({
      key: bytes('k'),
      createRevision: 3,
      modRevision: 3,
      version: 1,
      value: bytes('v'),
      lease: 0n,
      ...kv,
    })

  test.each([
    ['no revision key', bytes('hello'), row({}), /"hello" of bucket "key" is no revision/],
    ['a cut row', encodeRevisionKey(3, 0), row({}).subarray(0, 2), /row of revision 3.0 can't be/],
    ['no key', encodeRevisionKey(3, 0), row({ key: bytes('') }), /3.0 names no key/],
    ['another revision', encodeRevisionKey(4, 0), row({}), /4.0.*key "k".*modified at revision 3/],
    ['version 0', encodeRevisionKey(3, 0), row({ version: 0 }), /key "k": version 0/],
    ['created later', encodeRevisionKey(3, 0), row({ createRevision: 4, version: 2 }), /key "k"/],
    ['a gap in versions', encodeRevisionKey(3, 0), row({ key: bytes('a'), version: 7 }), /"a"/],
    ['a sub of 32 bits', encodeRevisionKey(3, 2 ** 31), row({}), /beyond 31 bits/],
    ['a tombstone of no key', encodeTombstoneKey(3, 0), row({ key: bytes('') }), /names no key/],
  ])('refuses %s, naming the row', async (_, key, value, message) => {
    await write((txn) => txn.put(putOf('a', '1'), show))
    engine.update((tx) => tx.bucket('key')?.put(key, value))
    const error: unknown = await load().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'KV_CORRUPT', name: 'CorruptionError', file: file() })
    expect(error).toHaveProperty('message', expect.stringMatching(message))
  })

  test('refuses a compaction note that is no revision', async () => {
    engine.update((tx) => tx.bucket('meta')?.put('finishedCompactRev', 'oops'))
    await expect(load()).rejects.toMatchObject({ code: 'KV_CORRUPT' })
  })

  test('a row that went missing or changed its key is damage when it is read', async () => {
    await write((txn) => txn.put(putOf('a', '1'), show))
    await write((txn) => txn.put(putOf('b', '1'), show))
    engine.update((tx) => {
      tx.bucket('key')?.delete(encodeRevisionKey(2, 0))
      tx.bucket('key')?.put(encodeRevisionKey(3, 0), row({}))
    })
    await expect(range()).rejects.toThrow(/key "a": row of revision 2.0 is missing/)
    await expect(range(0, { key: bytes('b'), end: bytes('c') })).rejects.toThrow(/is of key "k"/)
  })

  test('mustHaveStore() refuses a file without the bucket "key"', () => {
    engine.update((tx) => tx.deleteBucket('key'))
    engine.view((tx) => {
      expect(() => mustHaveStore(tx, 'x')).toThrow(expect.objectContaining({ code: 'KV_BAD_FILE' }))
    })
  })
})
