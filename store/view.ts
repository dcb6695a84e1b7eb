/**
 * Views: synchronous reads of one revision, through a root that is pinned until the view is closed.
 *
 * Reads that need a page which is not in memory read the file in line. A view costs nothing but
 * what it keeps from being reused: pages of the file, and history in the key index. The store's
 * `close()` closes those that were forgotten.
 */

import { KvError } from '../base/errors.ts'
import { toBytes } from '../base/text.ts'
import type { MakeResult } from '../mvcc/range-scan.ts'
import type { RangeRequest } from '../mvcc/request.ts'
import {
  RANGE_LIMIT_DEFAULT,
  VIEW_GET_OPTIONS,
  VIEW_RANGE_OPTIONS,
  VIEW_SCAN_OPTIONS,
} from './arguments.ts'
import { readCodec } from './codec.ts'
import type { Codec } from './codec.ts'
import { readOptions } from './fields.ts'
import { readRangeCall, revisionOf } from './read-call.ts'
import type { RangeTaker } from './read-call.ts'
import type { RangeOutput } from './reads.ts'
import { asResult, entryMaker } from './result.ts'
import type { Entry } from './result.ts'
import type { ViewHold } from './view-hold.ts'

interface Scan {
  readonly request: RangeRequest
  readonly make: MakeResult<Entry>
}

/** `View`, but for the types of what comes out: see directory-store.ts. */
export class StoreView {
  readonly revision: number
  readonly #codec: Codec
  readonly #make: MakeResult<Entry>
  readonly #hold: ViewHold

  constructor(hold: ViewHold, codec: Codec) {
    this.#hold = hold
    this.revision = hold.revision
    this.#codec = codec
    this.#make = entryMaker(codec, false)
  }

  get(key: unknown, options?: unknown): Entry | undefined {
    const wanted = toBytes(key, 'key')
    let make = this.#make
    let revision = 0
    if (options !== undefined) {
      const fields = readOptions(options, VIEW_GET_OPTIONS)
      make = entryMaker(readCodec(fields, this.#codec), false)
      revision = fields.integer('revision', 1) ?? 0
    }
    const { txn } = this.#hold
    if (wanted.length === 0) throw new KvError('KV_KEY_EMPTY', "key: a key can't be empty")
    return txn.get(wanted, revisionOf(revision, this.revision), make)
  }

  range(options?: unknown): RangeOutput {
    const { request, make } = this.#read(options, {
      known: VIEW_RANGE_OPTIONS,
      codec: this.#codec,
      limit: RANGE_LIMIT_DEFAULT,
    })
    const { kvs, count, more } = this.#hold.txn.range(request, make).finish()
    return asResult({ kvs, count, more, revision: this.revision })
  }

  scan(options?: unknown): IterableIterator<Entry> {
    const taker = { known: VIEW_SCAN_OPTIONS, codec: this.#codec, limit: Infinity }
    return this.#iterate(this.#read(options, taker))
  }

  close(): void {
    this.#hold.release()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  *#iterate({ request, make }: Scan): Generator<Entry, void, undefined> {
    const scan = this.#hold.txn.scan(request)
    for (;;) {
      const step = this.#hold.txn.step(scan, make)
      if (step === 'end') return
      if (step !== 'more') yield step.found
    }
  }

  #read(options: unknown, taker: RangeTaker): Scan {
    const { args, request, make } = readRangeCall(options, taker)
    this.#hold.mustBeHeld()
    args.throwRefusal()
    return { request: { ...request, revision: revisionOf(request.revision, this.revision) }, make }
  }
}
