/**
 * Asynchronous reads: the store's own, and those of a snapshot. They differ in what is read and in
 * what refuses them.
 *
 * Arguments are read before a call returns; a long range lets the event loop run every few
 * milliseconds.
 */

import type { Clock } from '../base/clock.ts'
import { Example } from '../base/example.ts'
import type { KeyDiff } from '../mvcc/key-diff.ts'
import type { KeyScan } from '../mvcc/key-scan.ts'
import type { RangeResult } from '../mvcc/request.ts'
import {
  Arguments,
  DIFF_OPTIONS,
  GET_OPTIONS,
  RANGE_LIMIT_DEFAULT,
  RANGE_OPTIONS,
  SCAN_OPTIONS,
} from './arguments.ts'
import { readCodec } from './codec.ts'
import type { Codec } from './codec.ts'
import { readDiffCall } from './diff-call.ts'
import type { ChangeOutput } from './diff-call.ts'
import { readInteger, readOptions } from './fields.ts'
import { PacedIterator } from './paced-iterator.ts'
import { paced } from './pause.ts'
import { readRangeCall, revisionOf } from './read-call.ts'
import type { ReadRoot } from './read-root.ts'
import { asResult, entryMaker } from './result.ts'
import type { Entry } from './result.ts'
import type { ResultJson } from './types/key-value.ts'

/** Keys read before the time is looked at. */
const STEP_KEYS = 64

export type RangeOutput = Omit<RangeResult<Entry>, 'type'> & {
  readonly revision: number
  toJSON(): ResultJson
}

/** What is read. */
export interface ReadSource {
  /** Throws where the call is refused: closed, aborted, then what its arguments noted. */
  readonly admit: (signal: AbortSignal | undefined, args: Arguments) => void
  /** Pins a root that holds the current revision; called when the read is admitted. */
  readonly pin: () => ReadRoot
  /** The current revision. */
  readonly revision: () => number
}

export class Reads {
  readonly #source: ReadSource
  readonly #codec: Codec
  readonly #clock: Clock
  readonly #argsExample = new Example<Arguments>()

  constructor(source: ReadSource, { codec, clock }: { codec: Codec; clock: Clock }) {
    this.#source = source
    this.#codec = codec
    this.#clock = clock
  }

  async get(key: unknown, options?: unknown): Promise<Entry | undefined> {
    const fields = readOptions(options, GET_OPTIONS)
    const args = new Arguments(readCodec(fields, this.#codec))
    this.#argsExample.keep(args)
    const wanted = args.key(key, 'key')
    const requested = fields.integer('revision', 1) ?? 0
    fields.flag('serializable')
    this.#source.admit(fields.signal(), args)
    const revision = revisionOf(requested, this.#source.revision())
    const root = this.#source.pin()
    try {
      return root.txn.get(wanted, revision, entryMaker(args.codec, false))
    } finally {
      root.unpin()
    }
  }

  async range(options?: unknown): Promise<RangeOutput> {
    const { args, request, make, signal } = readRangeCall(options, {
      known: RANGE_OPTIONS,
      codec: this.#codec,
      limit: RANGE_LIMIT_DEFAULT,
    })
    this.#source.admit(signal, args)
    const current = this.#source.revision()
    const revision = revisionOf(request.revision, current)
    const root = this.#source.pin()
    try {
      const scan = root.txn.range({ ...request, revision }, make)
      const step = (): boolean => scan.step(STEP_KEYS)
      if (!step()) await paced(step, this.#clock, signal)
      const { kvs, count, more } = scan.result()
      return asResult({ kvs, count, more, revision: current })
    } finally {
      root.unpin()
    }
  }

  scan(options?: unknown): AsyncIterableIterator<Entry> {
    const { args, request, make, signal } = readRangeCall(options, {
      known: SCAN_OPTIONS,
      codec: this.#codec,
      limit: Infinity,
    })
    const source = this.#source
    const atCall = source.revision()
    // Pinned by its number alone: no root is held by an iteration that nobody goes on with.
    const { revision: requested } = request
    const resolve = (): number => {
      return requested === 0 ? atCall : revisionOf(requested, source.revision())
    }
    let scan: KeyScan | undefined
    return new PacedIterator({
      clock: this.#clock,
      step: () => {
        source.admit(signal, args)
        const root = source.pin()
        try {
          scan ??= root.txn.scan({ ...request, revision: resolve() })
          return root.txn.step(scan, make)
        } finally {
          root.unpin()
        }
      },
    })
  }

  diff(options?: unknown): AsyncIterableIterator<ChangeOutput> {
    const fields = readOptions(options, DIFF_OPTIONS)
    const args = new Arguments(readCodec(fields, this.#codec))
    const { request, make, signal } = readDiffCall(fields, args)
    const from = readInteger(fields.get('from'), 'from', 1)
    const source = this.#source
    // As a scan: the newest revision is the one of the call.
    const to = fields.integer('to', 1) ?? source.revision()
    let diff: KeyDiff | undefined
    return new PacedIterator({
      clock: this.#clock,
      step: () => {
        source.admit(signal, args)
        const root = source.pin()
        try {
          for (const revision of [from, to]) revisionOf(revision, source.revision())
          diff ??= root.txn.diff(request, { from, to })
          return root.txn.stepDiff(diff, make)
        } finally {
          root.unpin()
        }
      },
    })
  }
}
