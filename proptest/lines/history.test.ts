/**
 * What a store holds, as lines and back: a random history, with compactions, leases and deletes, is
 * answered by the store made of its lines as by the one they came from, at every revision, and both
 * go on alike.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { exportLines } from '../../store/lines/export.ts'
import { importHistoryOn } from '../../store/lines/import-history.ts'
import { importLines } from '../../store/lines/import.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { open } from '../../index.ts'
import { openOn } from '../../store/open.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import { brief, collect } from '../behaviour/backend.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { answersOf, goesOn } from '../etcd/alike.ts'
import { histories, live } from '../etcd/histories.ts'
import type { PlannedHistory } from '../etcd/histories.ts'

type BytesStore = BuiltLocalStore<Uint8Array, Uint8Array>

const RUNS = effort({ smoke: 30, ci: 300, soak: 10_000 })

/** Rare by chance: a history whose compacted revision deleted all keys there were. */
const endings = fc.constantFrom('as it is', 'emptied', 'emptied and filled')
const cuts = fc.constantFrom(1, 7, 100, 65_536)

type Ending = typeof endings extends fc.Arbitrary<infer E> ? E : never

async function endWith(store: BytesStore, ending: Ending): Promise<void> {
  if (ending === 'as it is') return
  const { deleted, revision } = await store.delete({ prefix: '' })
  if (deleted > 0) await store.compact(revision)
  if (ending === 'emptied and filled') await store.put('a', 'again')
}

/** The lines as one piece, cut anew at every so many bytes. */
async function linesOf(store: BytesStore, cut: number): Promise<Uint8Array[]> {
  const text = (await collect(exportLines(store, { history: true }))).join('')
  const bytes = Buffer.from(text)
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += cut) pieces.push(bytes.subarray(at, at + cut))
  return pieces
}

async function hashesOf(store: BytesStore, from: number): Promise<readonly unknown[]> {
  const { revision: last } = await store.status()
  const hashes: unknown[] = []
  for (let revision = from; revision <= last; revision++) {
    const { hash, compactedRevision } = await store.hashKV({ revision })
    hashes.push([revision, hash, compactedRevision])
  }
  return hashes
}

/** How many rows there are when a compaction is through; those that it drops are not exported. */
async function settledCount(store: BytesStore, wanted: number): Promise<number> {
  for (let turn = 0; turn < 10_000 && store.stats().revisionCount > wanted; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  return store.stats().revisionCount
}

async function leftOf(store: BytesStore): Promise<readonly unknown[]> {
  const infos = (await store.leases()).map(async (id) => await store.lease(id))
  return (await Promise.all(infos)).map((info) => [info?.id, info?.ttlSeconds])
}

test(`a history made of its lines is the same, in ${RUNS} random ones, seed ${seed}`, async () => {
  const met = { compacted: 0, leased: 0, deleted: 0, tombstone: 0, several: 0 }
  const check = async (planned: PlannedHistory, end: Ending, cut: number): Promise<void> => {
    const store = await open(':memory:', { encoding: 'bytes' })
    await live(store, planned)
    await endWith(store, end)
    const lines = await linesOf(store, cut)
    const disk = new MemoryDisk()
    const result = await importHistoryOn(disk, { lines, directory: '/made' })
    const made = await openOn(disk, '/made', { encoding: 'bytes' })
    const { revision, compactedRevision = 0 } = await store.status()
    const { keyCount, leaseCount } = store.stats()
    const revisionCount = await settledCount(store, result.revisionCount)
    expect(result).toMatchObject({ revision, compactedRevision, keyCount, leaseCount })
    const counts = { keyCount, revisionCount, leaseCount }
    expect(made.stats()).toMatchObject({ revision, compactedRevision, ...counts })
    const from = Math.max(1, compactedRevision)
    expect(await answersOf(made, from)).toEqual(await answersOf(store, from))
    expect(await hashesOf(made, from)).toEqual(await hashesOf(store, from))
    expect(await leftOf(made)).toEqual(await leftOf(store))
    // Once more, as a line from what was made: nothing is lost on the way.
    expect(withoutTime(await linesOf(made, cut))).toBe(withoutTime(lines))
    const text = Buffer.concat(lines).toString()
    if (compactedRevision > 0) met.compacted++
    if (leaseCount > 0 && text.includes('"lease":"')) met.leased++
    if (text.includes('"type":"delete"')) met.deleted++
    if (text.includes(`"type":"delete","revision":${compactedRevision},`)) met.tombstone++
    if (revisionCount > 2 && text.includes('"sub":1')) met.several++
    expect(await goesOn(made)).toEqual(await goesOn(store))
    await made.close()
    await store.close()
  }
  for (let done = 0; !isEnough(done, RUNS, met); done += RUNS) {
    const property = fc.asyncProperty(histories, endings, cuts, check)
    await fc.assert(property, { numRuns: RUNS, seed: seed + done })
  }
  if (RUNS >= 30) expect(unmet(met)).toEqual([])
})

/** Without what runs down while the test runs, and so without the checksum. */
function withoutTime(lines: readonly Uint8Array[]): string {
  return Buffer.concat(lines)
    .toString()
    .replaceAll(/"remainingSeconds":\d+/g, '')
    .replaceAll(/"sha256":"\w+"/g, '')
}

test(`keys put into another store are the same keys, in ${RUNS} random ones`, async () => {
  const check = async (planned: PlannedHistory, at: number, ops: number): Promise<void> => {
    const store = await open(':memory:', { encoding: 'bytes' })
    await live(store, planned)
    const { revision: last, compactedRevision = 0 } = await store.status()
    const first = Math.max(1, compactedRevision)
    const revision = first + Math.floor(at * (last - first))
    const lines = exportLines(store, { revision })
    const other = await open(':memory:', { encoding: 'bytes', maxTxnOps: ops })
    const { putCount } = await importLines(lines, other, { maxTxnOps: ops })
    const wanted = await store.range({ revision, limit: Infinity })
    const got = await other.range({ limit: Infinity })
    expect(putCount).toBe(wanted.count)
    const bare = (kvs: typeof got.kvs): string[] => {
      const none = { createRevision: 0, modRevision: 0, version: 0, lease: 0n }
      return kvs.map((kv) => brief({ ...kv, ...none }))
    }
    expect(bare(got.kvs)).toEqual(bare(wanted.kvs))
    await other.close()
    await store.close()
  }
  const place = fc.double({ min: 0, max: 1, noNaN: true })
  const property = fc.asyncProperty(histories, place, fc.constantFrom(1, 2, 128), check)
  await fc.assert(property, { numRuns: RUNS, seed })
})
