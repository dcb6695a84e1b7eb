/**
 * Reads of the store as it was at one revision, through one engine transaction that holds that
 * revision or a later one.
 *
 * The key index may be ahead: what is newer than the revision is not seen. It ends with the engine
 * transaction, which whoever began it keeps open until every scan is through.
 */

import type { Tx } from '../engine/index.ts'
import { CompactedError, KvError } from '../base/errors.ts'
import { KeyState } from './key-records.ts'
import type { Mvcc } from './mvcc.ts'
import { RangeScan } from './range-scan.ts'
import type { MakeResult, RangeSource } from './range-scan.ts'
import type { RangeRequest } from './request.ts'
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
    const source: RangeSource = {
      index: this.#mvcc.index,
      rows: this.#rows,
      revision: this.#resolve(request.revision),
    }
    return new RangeScan(source, request, make)
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
