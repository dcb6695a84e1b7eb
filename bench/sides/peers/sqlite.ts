/**
 * better-sqlite3: one table without rowid, WAL with synchronous FULL (a commit is durable when it
 * returns), prepared statements, the page cache as large as ours.
 */

import Database from 'better-sqlite3'
import {
  type PutWork,
  type Side,
  type SideOptions,
  keyAt,
  missing,
  mustBeOpen,
  valueAt,
} from '../side.ts'

type Row = [key: Buffer, value: Buffer]

class SqliteSide implements Side {
  readonly #options: SideOptions
  #handle: Database.Database | undefined

  constructor(options: SideOptions) {
    this.#options = options
  }

  get #db(): Database.Database {
    return mustBeOpen(this.#handle)
  }

  open(path: string, writable: boolean): void {
    const db = new Database(path, { readonly: !writable })
    this.#handle = db
    db.pragma(`cache_size = -${Math.floor(this.#options.cacheBytes / 1024)}`)
    if (!writable) return
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.exec('CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID')
  }

  close(): void {
    this.#db.close()
  }

  load(work: PutWork): void {
    const { keys, batch } = work
    const put = this.#db.prepare<Row>('INSERT OR REPLACE INTO kv VALUES (?, ?)')
    const putRange = this.#db.transaction((at: number, end: number) => {
      for (let i = at; i < end; i++) put.run(keyAt(work, i), valueAt(work, i))
    })
    for (let at = 0; at < keys.length; at += batch) putRange(at, Math.min(at + batch, keys.length))
  }

  readOwned(keys: readonly Buffer[]): number {
    const get = this.#db.prepare<[Buffer], Buffer>('SELECT v FROM kv WHERE k = ?').pluck()
    let sum = 0
    for (const key of keys) {
      const value = get.get(key)
      if (value === undefined) throw missing(key)
      sum += (value[0] ?? 0) + value.length
    }
    return sum
  }

  scan(): number {
    const all = this.#db.prepare<[], Row>('SELECT k, v FROM kv ORDER BY k').raw()
    let sum = 0
    for (const [key, value] of all.iterate())
      sum += (key[0] ?? 0) + key.length + (value[0] ?? 0) + value.length
    return sum
  }

  seek(keys: readonly Buffer[], steps: number): number {
    const from = this.#db
      .prepare<[Buffer, number], Row>('SELECT k, v FROM kv WHERE k >= ? ORDER BY k LIMIT ?')
      .raw()
    let sum = 0
    for (const start of keys) {
      for (const [key, value] of from.all(start, steps + 1))
        sum += (key[0] ?? 0) + key.length + (value[0] ?? 0) + value.length
    }
    return sum
  }
}

export function make(options: SideOptions): Side {
  return new SqliteSide(options)
}
