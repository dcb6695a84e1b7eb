/**
 * The stamp: what a file says of the log that its newest commits are in.
 *
 *   meta.flags           the log's mark, u32; 0: the file belongs to no log
 *   meta.rootSequence    the txid of the checkpoint that wrote this meta
 *
 * bbolt keeps both as it finds them when it commits, and counts the txid on: so a stamp that names
 * another txid than its meta's own shows that someone wrote to the file without its log.
 */

import { KvError } from '../base/errors.ts'
import type { Meta } from './meta.ts'

export interface Stamp {
  /** The mark that file and log share: u32, not 0. */
  readonly logId: number
  /** Whether a checkpoint wrote the meta; else another program has committed since. */
  readonly isOwn: boolean
}

export function stampOf({ flags, rootSequence, txid }: Meta): Stamp | undefined {
  return flags === 0 ? undefined : { logId: flags, isOwn: rootSequence === BigInt(txid) }
}

/** `meta` as a checkpoint of log `logId` writes it. */
export function stamped(meta: Meta, logId: number): Meta {
  return { ...meta, flags: logId, rootSequence: BigInt(meta.txid) }
}

/** `meta` as it is written into a file of its own. */
export function unstamped(meta: Meta): Meta {
  return meta.flags === 0 ? meta : { ...meta, flags: 0, rootSequence: 0n }
}

/** Throws where `meta` has a stamp, and log `logId` does not go on from it. */
export function mustBelong(path: string, meta: Meta, logId: number): void {
  const stamp = stampOf(meta)
  if (stamp === undefined) return
  if (stamp.logId !== logId) {
    throw new KvError(
      'KV_LOG_MISMATCH',
      `${path}: it belongs to log ${name(stamp.logId)}, and this one is ${name(logId)}; put the ` +
        'two that belong together back in one place, or restore a backup',
    )
  }
  if (stamp.isOwn) return
  throw new KvError(
    'KV_LOG_MISMATCH',
    `${path}: another program has written to it since its last checkpoint: it stands at ` +
      `transaction ${meta.txid}, the checkpoint was ${meta.rootSequence}; its log does not fit ` +
      'any more. A copy of the file has what it holds now, without what only the log has',
  )
}

function name(logId: number): string {
  return logId.toString(16).padStart(8, '0')
}

/** Throws where commits to the file would pass by its log. */
export function mustBeOwn(path: string, meta: Meta): void {
  if (stampOf(meta) === undefined) return
  throw new KvError(
    'KV_LOG_MISMATCH',
    `${path}: it belongs to a log, which has its newest commits, so it can't be written alone; ` +
      'open the directory of its store, or copy or compact the file (opened read-only) to get ' +
      'one of its own',
  )
}
