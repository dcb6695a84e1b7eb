/**
 * Reads of the store as it was at one revision, through one engine transaction that holds that
 * revision or a later one.
 *
 * The key index may be ahead: what is newer than the revision is not seen. It ends with the engine
 * transaction, which whoever began it keeps open until every scan is through.
 */

import type { Tx } from '../engine/index.ts'
import { CompactedError, KvError } from '../base/errors.ts'
import { judgeCompares } from './compare.ts'
import { KeyState } from './key-records.ts'
import { KeyScan } from './key-scan.ts'
import type { ScanStep } from './key-scan.ts'
import type { Mvcc } from './mvcc.ts'
import { RangeScan, spanCursor } from './range-scan.ts'
import type { MakeResult, RangeSource } from './range-scan.ts'
import type {
  KeySpan,
  OpRequest,
  OpResult,
  RangeRequest,
  TxnRequest,
  TxnResult,
} from './request.ts'
import { Rows } from './rows.ts'

export class ReadTxn {
  readonly #mvcc: Mvcc
  readonly #rows: Rows
  /** The revision that is current for this reader. */
  readonly revision: number

  constructor(mvcc: Mvcc, tx: Tx, revision: number) {
    this.#mvcc = mvcc
    this.#rows = new Rows(tx, mvcc.file)
    this.revision = revision
  }

  /** One key at a revision (0: the current one); undefined where it doesn't exist there. */
  get<T>(key: Uint8Array, revision: number, make: MakeResult<T>): T | undefined {
    const at = this.#resolve(revision)
    const state = new KeyState()
    if (!this.#mvcc.index.get(key, at, state)) return undefined
    return make(this.#rows.get(key, state))
  }

  /** Begins to read a range; the caller drives its steps. */
  range<T>(request: RangeRequest, make: MakeResult<T>): RangeScan<T> {
    return new RangeScan(this.#source(this.#resolve(request.revision)), request, make)
  }

  /**
   * Begins an iteration at a revision (0: the current one); later steps may use later transactions.
   */
  scan(request: RangeRequest): KeyScan {
    return new KeyScan(this.#mvcc.index, request, this.#resolve(request.revision))
  }

  /** The iteration's next key. @throws {CompactedError} when its revision is gone meanwhile */
  step<T>(scan: KeyScan, make: MakeResult<T>): ScanStep<T> {
    checkRevision(scan.revision, this.revision, this.#mvcc.compactedRevision)
    return scan.step(this.#rows, make)
  }

  /**
   * Runs a transaction that only reads: its compares, then the chosen list.
   * @throws {KvError} `KV_READ_ONLY` where that list would write something
   */
  txn<T>(request: TxnRequest, make: (op: OpRequest) => MakeResult<T>): TxnResult<T> {
    const source = this.#source(this.revision)
    const succeeded = judgeCompares(source, request.compare)
    const ops = succeeded ? request.success : request.failure
    for (const op of ops) {
      if (op.type === 'range') this.#resolve(op.revision)
    }
    const results = ops.map((op): OpResult<T> => {
      if (op.type === 'range') return this.range(op, make(op)).finish()
      if (op.type === 'delete' && !this.#holdsKeys(op)) {
        return { type: 'delete', deleted: 0, previous: [] }
      }
      throw new KvError('KV_READ_ONLY', `${this.#mvcc.file}: it was opened read-only`)
    })
    return { type: 'txn', succeeded, results }
  }

  #holdsKeys(span: KeySpan): boolean {
    const cursor = spanCursor(this.#mvcc.index, span)
    const state = new KeyState()
    while (cursor.next()) {
      if (this.#mvcc.index.load(cursor.record, this.revision, state)) return true
    }
    return false
  }

  #source(revision: number): RangeSource {
    return { index: this.#mvcc.index, rows: this.#rows, revision }
  }

  #resolve(requested: number): number {
    checkRevision(requested, this.revision, this.#mvcc.compactedRevision)
    return requested === 0 ? this.revision : requested
  }
}

/**
 * Checks that a revision (0: the current one) can be read.
 * @throws {KvError} `KV_FUTURE_REVISION`, `KV_COMPACTED`
 */
export function checkRevision(requested: number, current: number, compacted: number): void {
  if (requested > current) {
    throw new KvError(
      'KV_FUTURE_REVISION',
      `revision ${requested} is in the future; the store is at revision ${current}`,
    )
  }
  if (requested !== 0 && requested < compacted) throw new CompactedError(requested, compacted)
}
