/** Two stores compared that nobody has open: backups, snapshots, data files, directories. */

import { systemClock } from '../base/clock.ts'
import type { Disk } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { KeyDiff } from '../mvcc/key-diff.ts'
import { Arguments, DIFF_BACKUPS_OPTIONS } from './arguments.ts'
import { codecOf, readCodec } from './codec.ts'
import { readDiffCall } from './diff-call.ts'
import type { ChangeOutput, DiffCall } from './diff-call.ts'
import { openDiffSource } from './diff-side.ts'
import type { DiffSource } from './diff-side.ts'
import { readOptions, readPath } from './fields.ts'
import { Pacer } from './pause.ts'
import type { DiffBackupsOptions, KeyChange } from './types/diff.ts'
import type { Encoding, Encodings } from './types/encoding.ts'

interface Side {
  readonly path: string
  /** 0: the newest. */
  readonly revision: number
}

/**
 * Compares two stores: iterates over the keys that were added, changed or removed from the one to
 * the other, in key order. Each is a file that `backup` or `etcdctl snapshot save` wrote, a data
 * file or a member's directory of etcd's, or the directory of a store; nobody may have them open to
 * write. Both are looked through whole before the first key comes. Their histories need not have
 * anything to do with each other. Wrong arguments are thrown at once.
 *
 * @throws {KvError} from the iteration: `KV_NOT_FOUND`, `KV_LOCKED`, `KV_BAD_FILE`,
 *   `KV_BAD_VERSION`, `KV_CORRUPT`, `KV_IO`; `KV_FUTURE_REVISION`, `KV_COMPACTED`, `KV_DECODE`; the
 *   signal's reason
 */
export function diffBackups<E extends Encoding = 'utf8', N extends boolean = false>(
  before: string,
  after: string,
  options?: DiffBackupsOptions<E, N>,
): AsyncIterableIterator<
  KeyChange<N extends true ? undefined : Encodings[E]['value'], Encodings[E]['key']>
>
export function diffBackups(
  before: unknown,
  after: unknown,
  options?: unknown,
): AsyncIterableIterator<ChangeOutput> {
  return diffBackupsOn(new RealDisk(), { before, after }, options)
}

/** As `diffBackups`, on any disk. */
export function diffBackupsOn(
  disk: Disk,
  places: { readonly before: unknown; readonly after: unknown },
  options?: unknown,
): AsyncIterableIterator<ChangeOutput> {
  const beforePath = disk.resolve(readPath(places.before, 'before'))
  const afterPath = disk.resolve(readPath(places.after, 'after'))
  const fields = readOptions(options, DIFF_BACKUPS_OPTIONS)
  const args = new Arguments(readCodec(fields, codecOf('utf8')))
  const call = readDiffCall(fields, args)
  const before = { path: beforePath, revision: fields.integer('beforeRevision', 1) ?? 0 }
  const after = { path: afterPath, revision: fields.integer('afterRevision', 1) ?? 0 }
  return changes(disk, { before, after, args, call })
}

interface Job {
  readonly before: Side
  readonly after: Side
  readonly args: Arguments
  readonly call: DiffCall
}

async function* changes(
  disk: Disk,
  { before, after, args, call }: Job,
): AsyncGenerator<ChangeOutput, void, void> {
  const { signal } = call
  signal?.throwIfAborted()
  args.throwRefusal()
  const was = await openDiffSource(disk, before.path, signal)
  try {
    const is = await openDiffSource(disk, after.path, signal)
    try {
      const diff = new KeyDiff(
        was.txn.side(before.revision),
        is.txn.side(after.revision),
        call.request,
      )
      yield* compared(diff, { was, is }, call)
    } finally {
      await is.close()
    }
  } finally {
    await was.close()
  }
}

async function* compared(
  diff: KeyDiff,
  { was, is }: { readonly was: DiffSource; readonly is: DiffSource },
  { make, signal }: DiffCall,
): AsyncGenerator<ChangeOutput, void, void> {
  const rows = { before: was.txn.rows, after: is.txn.rows }
  const pacer = new Pacer(systemClock)
  for (;;) {
    const step = diff.step(rows, make)
    if (step === 'end') return
    if (step !== 'more') yield step.found
    if (!pacer.isDue) continue
    await pacer.pause()
    signal?.throwIfAborted()
  }
}
