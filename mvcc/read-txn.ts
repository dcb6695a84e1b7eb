/**
 * Reads of the store as it was at one revision, through one engine transaction that holds that
 * revision or a later one.
 *
 * The key index may be ahead: what is newer than the revision is not seen. While it is open the
 * index keeps what it may read, also where that is compacted meanwhile. It ends with the engine
 * transaction, which whoever began it keeps open until every scan is through.
 */

import type { Tx } from '../engine/index.ts'
import { CompactedError, KvError } from '../base/errors.ts'
import type { EventReader, SelectedEvent, StepRoom } from './event-reader.ts'
import { HistoryHash } from './history-hash.ts'
import { HistoryRows } from './history-rows.ts'
import { KeyDiff } from './key-diff.ts'
import type { DiffRequest, DiffSide, MakeChange } from './key-diff.ts'
import { KeyState } from './key-records.ts'
import { KeyScan } from './key-scan.ts'
import type { ScanStep } from './key-scan.ts'
import type { Mvcc } from './mvcc.ts'
import { RangeScan, spanCursor } from './range-scan.ts'
import type { MakeResult, RangeSource } from './range-scan.ts'
import type {
  KeySpan,
  LeafRequest,
  OpResult,
  RangeRequest,
  TxnRequest,
  TxnResult,
} from './request.ts'
import { Rows } from './rows.ts'
import { choosePath } from './txn-path.ts'
import type { TxnPath } from './txn-path.ts'

export interface ReadSetup {
  readonly revision: number
  /** The oldest revision that it may read. */
  readonly floor: number
  readonly ended: () => void
}

export class ReadTxn {
  readonly #mvcc: Mvcc
  readonly #tx: Tx
  readonly #rows: Rows
  readonly #floor: number
  readonly #ended: () => void
  /** Only within `get`. */
  readonly #state = new KeyState()
  /** The revision that is current for this reader. */
  readonly revision: number

  constructor(mvcc: Mvcc, tx: Tx, setup: ReadSetup) {
    this.#mvcc = mvcc
    this.#tx = tx
    this.#rows = new Rows(tx, mvcc.file)
    this.#floor = setup.floor
    this.#ended = setup.ended
    this.revision = setup.revision
  }

  /** The engine transaction, for what other rooms have in the file. */
  get tx(): Tx {
    return this.#tx
  }

  /** Ends it: once, and before the engine transaction. */
  end(): void {
    this.#ended()
  }

  /** One key at a revision (0: the current one); undefined where it doesn't exist there. */
  get<T>(key: Uint8Array, revision: number, make: MakeResult<T>): T | undefined {
    const at = this.resolve(revision)
    const state = this.#state
    if (!this.#mvcc.index.get(key, at, state)) return undefined
    return make(this.#rows.glance(key, state))
  }

  /** Begins to read a range; the caller drives its steps. */
  range<T>(request: RangeRequest, make: MakeResult<T>): RangeScan<T> {
    return new RangeScan(this.#source(this.resolve(request.revision)), request, make)
  }

  /**
   * Begins an iteration at a revision (0: the current one); later steps may use later transactions.
   */
  scan(request: RangeRequest): KeyScan {
    return new KeyScan(this.#mvcc.index, request, this.resolve(request.revision))
  }

  /** The iteration's next key. @throws {CompactedError} when its revision is gone meanwhile */
  step<T>(scan: KeyScan, make: MakeResult<T>): ScanStep<T> {
    checkRevision(scan.revision, this.revision, this.#floor)
    return scan.step(this.#rows, make)
  }

  /**
   * Begins to compare two revisions (0: the current one); later steps may use later transactions.
   */
  diff(
    request: DiffRequest,
    { from, to }: { readonly from: number; readonly to: number },
  ): KeyDiff {
    return new KeyDiff(this.side(from), this.side(to), request)
  }

  /** The comparison's next key. @throws {CompactedError} when a revision is gone meanwhile */
  stepDiff<T>(diff: KeyDiff, make: MakeChange<T>): ScanStep<T> {
    for (const { revision } of [diff.before, diff.after]) {
      checkRevision(revision, this.revision, this.#floor)
    }
    return diff.step({ before: this.#rows, after: this.#rows }, make)
  }

  /** A revision (0: the current one) as a side of a comparison, with another store maybe. */
  side(revision: number): DiffSide {
    return { index: this.#mvcc.index, revision: this.resolve(revision) }
  }

  /** The rows, for a comparison with another store. */
  get rows(): Rows {
    return this.#rows
  }

  /** Begins to hash the history up to a revision (0: the current one); the caller drives it. */
  hash(revision: number): HistoryHash {
    const range = { compacted: this.#floor, through: this.resolve(revision) }
    return new HistoryHash(this.#tx, { index: this.#mvcc.index, file: this.#mvcc.file, ...range })
  }

  /** The oldest revision that it may read; 0: nothing was compacted. */
  get compactedRevision(): number {
    return this.#floor
  }

  /** Begins to read the rows of the history, up to this reader's revision. */
  history(): HistoryRows {
    const range = { compacted: this.#floor, through: this.revision }
    return new HistoryRows(this.#tx, { index: this.#mvcc.index, file: this.#mvcc.file, ...range })
  }

  /**
   * Reads on in the events of revisions, up to this reader's.
   * @throws {CompactedError} where the next one is compacted
   */
  events<M>(reader: EventReader<M>, room: StepRoom): readonly SelectedEvent<M>[] {
    const { file } = this.#mvcc
    const compactedRevision = this.#floor
    const next = reader.position + 1
    if (next < compactedRevision) throw new CompactedError(next, compactedRevision)
    return reader.step({ ...this.#source(this.revision), compactedRevision, file }, room)
  }

  /**
   * Runs a transaction that only reads: its compares, then what they chose.
   * @throws {KvError} `KV_READ_ONLY` where that would write something
   */
  txn<T>(request: TxnRequest, make: (op: LeafRequest) => MakeResult<T>): TxnResult<T> {
    const path = choosePath(this.#source(this.revision), request)
    this.#checkPath(path)
    return this.#runPath(path, make)
  }

  #checkPath(path: TxnPath): void {
    for (const step of path.steps) {
      if (step.type === 'path') this.#checkPath(step)
      else if (step.type === 'range') this.resolve(step.revision)
    }
  }

  #runPath<T>(path: TxnPath, make: (op: LeafRequest) => MakeResult<T>): TxnResult<T> {
    const results = path.steps.map((op): OpResult<T> => {
      if (op.type === 'path') return this.#runPath(op, make)
      if (op.type === 'range') return this.range(op, make(op)).finish()
      if (op.type === 'delete' && !this.#holdsKeys(op)) {
        return { type: 'delete', deleted: 0, previous: [] }
      }
      throw new KvError('KV_READ_ONLY', `${this.#mvcc.file}: it was opened read-only`)
    })
    return { type: 'txn', succeeded: path.succeeded, results }
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

  /**
   * A revision to read at (0: the current one).
   * @throws {KvError} `KV_FUTURE_REVISION`, `KV_COMPACTED`
   */
  resolve(requested: number): number {
    checkRevision(requested, this.revision, this.#floor)
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
