/**
 * One warning where nothing was said of how much history to keep, and it outgrows what is alive.
 *
 * Who says `retain: 'all'` means it and hears nothing.
 */

import type { Head } from '../mvcc/mvcc.ts'
import type { StoreLog } from './store-log.ts'

/** History is warned of when there are so many revisions for each key that exists. */
const FACTOR = 10
/** Not below so many revisions, which nobody misses the room of. */
const REVISIONS_MIN = 10_000

export class HistoryWarning {
  readonly #log: StoreLog
  #isTold = false

  constructor(log: StoreLog) {
    this.#log = log
  }

  look({ keyCount, revisionCount }: Head): void {
    if (this.#isTold || revisionCount < REVISIONS_MIN || revisionCount <= FACTOR * keyCount) return
    this.#isTold = true
    this.#log.warn(
      `history has more than ${FACTOR} times as many revisions as there are keys, and nothing ` +
        "drops it: say `retain`, or call compact(); `retain: 'all'` says that it is meant so",
      { keyCount, revisionCount },
    )
  }
}
