/**
 * The whole history of a store as it stands at one moment: every row that a compaction leaves, and
 * the leases. Held open as a view is, and lent as the engine lends.
 */

import type { Clock } from '../base/clock.ts'
import { readLeaseRows } from '../lease/lease-rows.ts'
import type { Lessor } from '../lease/lessor.ts'
import type { HistoryRow } from '../mvcc/history-rows.ts'
import type { LeaseRow } from '../proto/leasepb.ts'
import { Pacer, nextTurn } from './pause.ts'
import type { ViewHold } from './view-hold.ts'

/** Rows looked at before the time is. */
const STEP_ROWS = 64

interface HistorySetup {
  /** The data file's path, for messages. */
  readonly file: string
  readonly lessor: Lessor
  readonly clock: Clock
}

export class StoreHistory {
  readonly revision: number
  readonly compactedRevision: number
  readonly #hold: ViewHold
  readonly #file: string
  readonly #lessor: Lessor
  readonly #clock: Clock

  constructor(hold: ViewHold, { file, lessor, clock }: HistorySetup) {
    this.#hold = hold
    this.#file = file
    this.#lessor = lessor
    this.#clock = clock
    this.revision = hold.revision
    this.compactedRevision = hold.txn.compactedRevision
  }

  /**
   * The leases that the file has at this moment, each with what is left of it now, from 1 s to all
   * of it; in the order of their ids.
   * @throws {KvError} `KV_TX_CLOSED`, `KV_CORRUPT`
   */
  async leases(): Promise<readonly LeaseRow[]> {
    const found: LeaseRow[] = []
    await readLeaseRows(this.#hold.txn.tx, {
      file: this.#file,
      pause: async () => {
        await nextTurn()
        this.#hold.mustBeHeld()
      },
      visit: (row) => found.push(this.#lessor.rowOf(row.id) ?? whole(row)),
    })
    return found.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /**
   * Iterates over the rows in the order of revisions. A row is lent until the next one is asked
   * for.
   * @throws {KvError} `KV_TX_CLOSED`, `KV_CORRUPT`; the signal's reason
   */
  async *rows(signal: AbortSignal | undefined): AsyncGenerator<HistoryRow, void, void> {
    const rows = this.#hold.txn.history()
    const pacer = new Pacer(this.#clock)
    let asked = 0
    while (!rows.isDone) {
      signal?.throwIfAborted()
      this.#hold.mustBeHeld()
      const row = rows.step(STEP_ROWS)
      asked++
      if (row !== undefined) yield row
      if ((row === undefined || asked % STEP_ROWS === 0) && pacer.isDue) await pacer.pause()
    }
  }

  close(): void {
    this.#hold.release()
  }
}

/** A lease that was ended meanwhile, as the file has it. */
function whole(row: LeaseRow): LeaseRow {
  const { ttlSeconds, remainingSeconds } = row
  return { ...row, remainingSeconds: remainingSeconds === 0 ? ttlSeconds : remainingSeconds }
}
