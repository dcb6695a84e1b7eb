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
import { KvError } from '../base/errors.ts'
import type { KeyValue } from '../proto/mvccpb.ts'
import { judgeCompares } from './compare.ts'
import { KeyState } from './key-records.ts'
import type { Mvcc } from './mvcc.ts'
import { RangeScan, spanCursor } from './range-scan.ts'
import type { MakeResult, RangeSource } from './range-scan.ts'
import { checkRevision } from './read-txn.ts'
import type {
  DeleteRequest,
  DeleteResult,
  OpRequest,
  OpResult,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
  TxnRequest,
  TxnResult,
} from './request.ts'
import type { Rows } from './rows.ts'

export class WriteTxn {
  readonly #mvcc: Mvcc
  readonly #rows: Rows
  /** The revision before this transaction. */
  readonly #before: number
  #changeCount = 0
  #isDirty = false
  readonly #state = new KeyState()

  constructor(mvcc: Mvcc, rows: Rows) {
    this.#mvcc = mvcc
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

  /** @throws {KvError} `KV_LEASE_NOT_FOUND`, `KV_KEY_NOT_FOUND` */
  put<T>(request: PutRequest, make: MakeResult<T>): PutResult<T> {
    this.#checkPut(request)
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

  range<T>(request: RangeRequest, make: MakeResult<T>): RangeResult<T> {
    checkRevision(request.revision, this.revision, this.#mvcc.compactedRevision)
    const revision = request.revision === 0 ? this.revision : request.revision
    return new RangeScan(this.#source(revision), request, make).finish()
  }

  /**
   * Judges the compares against the state before the transaction, checks the chosen list, then runs
   * it.
   * @throws {KvError} as its operations
   */
  txn<T>(request: TxnRequest, make: (op: OpRequest) => MakeResult<T>): TxnResult<T> {
    assert(!this.#isDirty, 'a transaction begins with its compares')
    const succeeded = judgeCompares(this.#source(this.#before), request.compare)
    const ops = succeeded ? request.success : request.failure
    for (const op of ops) {
      if (op.type === 'put') this.#checkPut(op)
      else if (op.type === 'range') {
        checkRevision(op.revision, this.#before, this.#mvcc.compactedRevision)
      }
    }
    return { type: 'txn', succeeded, results: ops.map((op) => this.#run(op, make(op))) }
  }

  #run<T>(op: OpRequest, make: MakeResult<T>): OpResult<T> {
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
    if (request.lease !== 0n) {
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
    this.#rows.putTombstone(key, main, sub)
  }

  #read(key: Uint8Array): KeyValue | undefined {
    const exists = this.#mvcc.index.get(key, this.revision, this.#state)
    return exists ? this.#rows.get(key, this.#state) : undefined
  }

  #source(revision: number): RangeSource {
    return { index: this.#mvcc.index, rows: this.#rows, revision }
  }
}
