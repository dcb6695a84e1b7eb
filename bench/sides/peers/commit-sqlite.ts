/** better-sqlite3, each commit synced. */

import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { CommitCommand } from '../../commit-protocol.ts'
import type { Committer, Entry } from '../../committer.ts'

/** As Sqlite's own advice for durable commits: a log, synced at each commit. */
export function make(command: CommitCommand): Promise<Committer> {
  const db = new Database(join(command.path, 'file.db'))
  db.pragma(`cache_size = -${Math.floor(command.cacheBytes / 1024)}`)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec('CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID')
  const put = db.prepare<[Buffer, Buffer]>('INSERT OR REPLACE INTO kv VALUES (?, ?)')
  const commitAll = db.transaction((entries: readonly Entry[]) => {
    for (const { key, value } of entries) put.run(key, value)
  })
  const committer: Committer = {
    fill: (entries) => commitAll(entries),
    // A statement of its own is a transaction.
    commit: ({ key, value }) => {
      put.run(key, value)
      return undefined
    },
    commitAll: (entries) => commitAll(entries),
    close: () => {
      db.close()
    },
  }
  return Promise.resolve(committer)
}
