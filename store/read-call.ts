/** The arguments of a range or a scan, as the store, its views and snapshots take them. */

import type { MakeResult } from '../mvcc/range-scan.ts'
import { checkRevision } from '../mvcc/read-txn.ts'
import type { RangeRequest } from '../mvcc/request.ts'
import { Arguments } from './arguments.ts'
import { readCodec } from './codec.ts'
import type { Codec } from './codec.ts'
import { readOptions } from './fields.ts'
import { entryMaker } from './result.ts'
import type { Entry } from './result.ts'

/** What differs between those who take them. */
export interface RangeTaker {
  /** The options that there are. */
  readonly known: ReadonlySet<string>
  /** The encoding where the options name none. */
  readonly codec: Codec
  /** The limit where the options name none. */
  readonly limit: number
}

export interface RangeCall {
  readonly args: Arguments
  readonly request: RangeRequest
  readonly make: MakeResult<Entry>
  readonly signal: AbortSignal | undefined
}

/** Reads the options of a range or a scan. */
export function readRangeCall(options: unknown, { known, codec, limit }: RangeTaker): RangeCall {
  const fields = readOptions(options, known)
  const args = new Arguments(readCodec(fields, codec))
  const request = args.range(fields, limit)
  const make = entryMaker(args.codec, fields.flag('keysOnly'))
  return { args, request, make, signal: fields.signal() }
}

/**
 * The revision that a read asks for (0: the current one), which is no newer than the current one.
 * @throws {KvError} `KV_FUTURE_REVISION`
 */
export function revisionOf(requested: number, current: number): number {
  if (requested === 0) return current
  checkRevision(requested, current, 0)
  return requested
}
