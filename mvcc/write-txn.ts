/**
 * One writing transaction: whatever it changes gets one new revision, and nothing changed makes
 * none.
 *
 *   main  the revision after the newest one, shared by all its changes
 *   sub   counts its changes from 0, in the order they are made
 *
 * Everything that can be said against a request is said before its first write: once `isDirty`,
 * only the engine can fail, and the engine transaction must be rolled back with all that shares it.
 *
 * Reads inside see the writes before them: they read at `main` as soon as there is one.
 */

import { assert } from '../base/assert.ts'
import { EMPTY_BYTES, formatBytes } from '../base/bytes.ts'
import { CompactedError, KvError } from '../base/errors.ts'
import type { Tx } from '../engine/index.ts'
import { movePages } from '../engine/defragment.ts'
import type { MoveProgress, MoveStep } from '../engine/defragment.ts'
import type { KeyValue } from '../proto/mvccpb.ts'
import { compactRows } from './compaction.ts'
import type { CompactionPlace } from './compaction.ts'
import { KeyState } from './key-records.ts'
import type { Mvcc } from './mvcc.ts'
import { RangeScan, spanCursor } from './range-scan.ts'
import type { MakeResult, RangeSource } from './range-scan.ts'
import { checkRevision } from './read-txn.ts'
import type {
  DeleteRequest,
  DeleteResult,
  LeafRequest,
  OpResult,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
  TxnRequest,
  TxnResult,
} from './request.ts'
import type { Rows } from './rows.ts'
import { writeScheduledCompaction } from './schema.ts'
import { choosePath } from './txn-path.ts'
import type { TxnPath } from './txn-path.ts'

export class WriteTxn {
  readonly #mvcc: Mvcc
  readonly #tx: Tx
  readonly #rows: Rows
  #scheduled: number | undefined
  /** The revision before this transaction. */
  readonly #before: number
  #changeCount = 0
  /** Rows that a compaction deleted. */
  #droppedCount = 0
  #isDirty = false
  readonly #state = new KeyState()

  constructor(mvcc: Mvcc, tx: Tx, rows: Rows) {
    this.#mvcc = mvcc
    this.#tx = tx
    this.#rows = rows
    this.#before = mvcc.revision
  }

  /** Whether a write was begun, so that a failure leaves the engine transaction half changed. */
  get isDirty(): boolean {
    return this.#isDirty
  }

  /**
   * The store's revision as this transaction sees it: a new one as soon as it changed something.
   */
  get revision(): number {
    return this.#changeCount > 0 ? this.#before + 1 : this.#before
  }

  /** How many rows it added; negative where it dropped some. */
  get addedCount(): number {
    return this.#changeCount - this.#droppedCount
  }

  /** @throws {KvError} `KV_LEASE_NOT_FOUND`, `KV_KEY_NOT_FOUND`, `KV_NO_SPACE` */
  put<T>(request: PutRequest, make: MakeResult<T>): PutResult<T> {
    this.#checkPut(request)
    if (this.#mvcc.space.isLimited) this.#mvcc.space.admit(this.#costOfPut(request))
    return this.#put(request, make)
  }

  delete<T>(request: DeleteRequest, make: MakeResult<T>): DeleteResult<T> {
    const { index } = this.#mvcc
    const at = this.revision
    const state = this.#state
    const previous: T[] = []
    if (request.end === undefined) {
      if (!index.get(request.key, at, state)) return { type: 'delete', deleted: 0, previous }
      if (request.wantsPrevious) previous.push(make(this.#rows.get(request.key, state)))
      this.#deleteKey(request.key)
      return { type: 'delete', deleted: 1, previous }
    }
    if (request.wantsPrevious) {
      // Made before the first write: what can't be decoded must not be half deleted.
      const reading = spanCursor(index, request)
      while (reading.next()) {
        if (index.load(reading.record, at, state)) {
          previous.push(make(this.#rows.get(reading.key, state)))
        }
      }
    }
    // Tombstones neither add nor remove keys of the index, so the cursor stays good.
    const cursor = spanCursor(index, request)
    let deleted = 0
    while (cursor.next()) {
      if (!index.load(cursor.record, at, state)) continue
      this.#deleteKey(cursor.key)
      deleted++
    }
    return { type: 'delete', deleted, previous }
  }

  /** Deletes keys that exist, in the order given. */
  deleteKeys(keys: readonly Uint8Array[]): void {
    for (const key of keys) this.#deleteKey(key)
  }

  /** The engine transaction, for reading rows that are not keys'. */
  get tx(): Tx {
    return this.#tx
  }

  /**
   * The engine transaction, for rows that are not keys' and belong to this transaction all the
   * same. To be written to at once: it counts as written to.
   */
  changeTx(): Tx {
    this.#isDirty = true
    return this.#tx
  }

  range<T>(request: RangeRequest, make: MakeResult<T>): RangeResult<T> {
    checkRevision(request.revision, this.revision, this.#mvcc.scheduledRevision)
    const revision = request.revision === 0 ? this.revision : request.revision
    return new RangeScan(this.#source(revision), request, make).finish()
  }

  /**
   * Judges all compares, nested ones too, against the state before the transaction, checks what was
   * chosen, then runs it.
   * @throws {KvError} as its operations
   */
  txn<T>(request: TxnRequest, make: (op: LeafRequest) => MakeResult<T>): TxnResult<T> {
    assert(!this.#isDirty, 'a transaction begins with its compares')
    const path = choosePath(this.#source(this.#before), request)
    this.#checkPath(path)
    const { space } = this.#mvcc
    if (space.isLimited) space.admit(this.#costOfPath(path))
    return this.#runPath(path, make)
  }

  /** The compaction that it scheduled. */
  get scheduled(): number | undefined {
    return this.#scheduled
  }

  /**
   * Says that what was overwritten or deleted before `revision` is not kept. Makes no revision.
   * @throws {KvError} `KV_COMPACTED` at or below the compacted revision, `KV_FUTURE_REVISION`
   */
  scheduleCompaction(revision: number): void {
    const compacted = this.#mvcc.scheduledRevision
    if (revision <= compacted) throw new CompactedError(revision, compacted)
    checkRevision(revision, this.revision, compacted)
    this.#isDirty = true
    writeScheduledCompaction(this.#tx, revision)
    this.#scheduled = revision
  }

  /**
   * Deletes rows that a compaction to `through` drops, until `isDue`. Returns where to go on,
   * undefined when all are gone. Makes no revision.
   */
  compactRows(
    from: CompactionPlace,
    through: number,
    isDue: () => boolean,
  ): CompactionPlace | undefined {
    assert(through <= this.#mvcc.compactedRevision, 'rows go when nobody may read them any more')
    const wasDirty = this.#isDirty
    this.#isDirty = true
    const { index, file } = this.#mvcc
    const progress = compactRows(this.#tx, { index, file, from, through, isDue })
    const { next, isChanged, droppedCount } = progress
    this.#isDirty = wasDirty || isChanged
    this.#droppedCount += droppedCount
    return next
  }

  /**
   * Moves pages about, which changes no key: for a part of the transaction that may come to
   * nothing.
   */
  movePages(step: MoveStep): MoveProgress {
    const wasDirty = this.#isDirty
    this.#isDirty = true
    const progress = movePages(this.#tx, step)
    this.#isDirty = wasDirty || progress.isChanged
    return progress
  }

  /**
   * Asks for room for a row that is no key's and takes `byteCount`.
   * @throws {KvError} `KV_NO_SPACE`
   */
  admit(byteCount: number): void {
    const { space } = this.#mvcc
    if (space.isLimited) space.admit(space.costOf(byteCount))
  }

  #costOfPut({ key, value, ignoreValue }: PutRequest): number {
    const kept = ignoreValue ? (this.#read(key)?.value.length ?? 0) : 0
    return this.#mvcc.space.costOf(key.length + value.length + kept)
  }

  #costOfPath({ steps }: TxnPath): number {
    let cost = 0
    for (const step of steps) {
      if (step.type === 'path') cost += this.#costOfPath(step)
      else if (step.type === 'put') cost += this.#costOfPut(step)
    }
    return cost
  }

  #checkPath(path: TxnPath): void {
    for (const step of path.steps) {
      if (step.type === 'path') this.#checkPath(step)
      else if (step.type === 'put') this.#checkPut(step)
      else if (step.type === 'range') {
        checkRevision(step.revision, this.#before, this.#mvcc.scheduledRevision)
      }
    }
  }

  #runPath<T>(path: TxnPath, make: (op: LeafRequest) => MakeResult<T>): TxnResult<T> {
    const results = path.steps.map((step) =>
      step.type === 'path' ? this.#runPath(step, make) : this.#run(step, make(step)),
    )
    return { type: 'txn', succeeded: path.succeeded, results }
  }

  #run<T>(op: LeafRequest, make: MakeResult<T>): OpResult<T> {
    switch (op.type) {
      case 'put':
        return this.#put(op, make)
      case 'delete':
        return this.delete(op, make)
      case 'range':
        return this.range(op, make)
    }
  }

  #checkPut(request: PutRequest): void {
    if (request.lease !== 0n && !this.#mvcc.leases.has(request.lease)) {
      throw new KvError('KV_LEASE_NOT_FOUND', `there is no lease ${request.lease}`)
    }
    if (!request.ignoreValue && !request.ignoreLease) return
    if (this.#mvcc.index.get(request.key, this.#before, this.#state)) return
    const kept = request.ignoreValue ? 'value' : 'lease'
    throw new KvError(
      'KV_KEY_NOT_FOUND',
      `key ${formatBytes(request.key)} does not exist, so it has no ${kept} to keep`,
    )
  }

  #put<T>(request: PutRequest, make: MakeResult<T>): PutResult<T> {
    const needsPrevious = request.wantsPrevious || request.ignoreValue || request.ignoreLease
    const before = needsPrevious ? this.#read(request.key) : undefined
    const previous = before !== undefined && request.wantsPrevious ? make(before) : undefined
    // The bytes of `before` are lent until the next write, which copies them.
    const value = request.ignoreValue ? (before?.value ?? EMPTY_BYTES) : request.value
    const lease = request.ignoreLease ? (before?.lease ?? 0n) : request.lease
    const main = this.#before + 1
    const sub = this.#changeCount
    const state = this.#state
    this.#isDirty = true
    this.#changeCount++
    this.#mvcc.index.put(request.key, main, sub, state)
    this.#mvcc.leases.attach(request.key, lease)
    const { createMain: createRevision, version } = state
    const kv = { key: request.key, createRevision, modRevision: main, version, value, lease }
    this.#rows.put(kv, sub)
    return { type: 'put', previous }
  }

  #deleteKey(key: Uint8Array): void {
    const main = this.#before + 1
    const sub = this.#changeCount
    this.#isDirty = true
    this.#changeCount++
    this.#mvcc.index.tombstone(key, main, sub)
    this.#mvcc.leases.attach(key, 0n)
    this.#rows.putTombstone(key, main, sub)
    const { space } = this.#mvcc
    if (space.isLimited) space.add(space.costOf(key.length))
  }

  #read(key: Uint8Array): KeyValue | undefined {
    const exists = this.#mvcc.index.get(key, this.revision, this.#state)
    return exists ? this.#rows.get(key, this.#state) : undefined
  }

  #source(revision: number): RangeSource {
    return { index: this.#mvcc.index, rows: this.#rows, revision }
  }
}
