import { queryObjects } from 'node:v8'
import { describe, expect, test } from 'vitest'
import { nextTurn } from './pause.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { Allocation } from '../engine/allocation.ts'
import { Bucket } from '../engine/bucket.ts'
import { CommitPlan } from '../engine/commit.ts'
import { Journal } from '../engine/journal.ts'
import { Tree } from '../engine/tree.ts'
import { TxPages } from '../engine/tx-pages.ts'
import { Tx } from '../engine/tx.ts'
import { WriteGroup } from '../mvcc/mvcc.ts'
import { Rows } from '../mvcc/rows.ts'
import { WriteTxn } from '../mvcc/write-txn.ts'
import { WireReader } from '../proto/wire.ts'
import { Batch } from '../wal/batch.ts'
import { QueuedBatch } from '../wal/queued-batch.ts'
import { Arguments } from './arguments.ts'
import { openOn } from './open.ts'
import { PutOutput } from './result.ts'

type Kind = new (...args: never[]) => object

/** What a put makes and drops again. */
const KINDS: readonly Kind[] = [
  ...[Allocation, Bucket, CommitPlan, Journal, Tree, Tx, TxPages, WriteGroup, WriteTxn, Rows],
  ...[Batch, QueuedBatch, Arguments, PutOutput, WireReader],
]

/** Collects all garbage, and counts what is left. */
const countOf = (kind: Kind): number => queryObjects(kind, { format: 'count' })

describe('of each kind of object that a put makes, an idle store keeps one', () => {
  test('awaited or not', async () => {
    await using store = await openOn(new MemoryDisk(), '/store', { encoding: 'bytes' })
    store.putSync('a', '1')
    await store.put('b', '2')
    await nextTurn()
    for (const kind of KINDS) expect(countOf(kind), kind.name).toBeGreaterThan(0)
  })

  test('of a large commit nothing is kept, but of the small one before', async () => {
    await using store = await openOn(new MemoryDisk(), '/store', { encoding: 'bytes' })
    await store.put('a', new Uint8Array(10))
    await nextTurn()
    const before = countOf(Journal)
    await store.put('b', new Uint8Array(1_000_000))
    await nextTurn()
    expect(countOf(Journal)).toBe(before)
  })
})
