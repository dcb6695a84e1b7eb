/** lmdb-js, each commit synced. */

import { join } from 'node:path'
import { open } from 'lmdb'
import type { CommitCommand } from '../../commit-protocol.ts'
import { fillAtOnce } from '../../committer.ts'
import type { Committer, Entry } from '../../committer.ts'

/** What lmdb-js gives with `separateFlushed`; its types don't say so. */
type LmdbPut = Promise<boolean> & { readonly flushed?: Promise<unknown> | null }

/**
 * lmdb-js. By default, but for Windows, a put's promise says that it can be seen; that it is on the
 * disk, only the promise `flushed` that goes with it. (The database has a promise of that name,
 * too. While others put it may resolve when the newest put can be seen, so it says nothing here.)
 * Without `overlappingSync` the put's own promise says both.
 */
export function make(command: CommitCommand): Promise<Committer> {
  const overlappingSync = command.side === 'lmdb'
  const db = open<Buffer, Buffer>({
    path: join(command.path, 'file.mdb'),
    noSubdir: true,
    keyEncoding: 'binary',
    encoding: 'binary',
    compression: false,
    cache: false,
    overlappingSync,
    separateFlushed: overlappingSync,
    noSync: false,
    mapSize: command.mapBytes,
  })
  const commit = async ({ key, value }: Entry): Promise<void> => {
    const visible: LmdbPut = db.put(key, value)
    await visible
    if (!overlappingSync) return
    const { flushed } = visible
    if (flushed === undefined || flushed === null) throw new Error('lmdb: a put has no `flushed`')
    await flushed
  }
  const committer: Committer = {
    fill: (entries) => fillAtOnce(entries, commit),
    commit,
    close: () => db.close(),
  }
  return Promise.resolve(committer)
}
