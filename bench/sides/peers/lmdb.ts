/**
 * lmdb-js: binary keys and values, no compression, no object cache.
 *
 * As durable as the others: `overlappingSync: false`, or a commit would be visible, not durable,
 * when it returns. Transactions are synchronous, as ours are.
 */

import { type RootDatabase, open } from 'lmdb'
import {
  type PutWork,
  type Side,
  type SideOptions,
  keyAt,
  missing,
  mustBeOpen,
  valueAt,
} from '../side.ts'

class LmdbSide implements Side {
  readonly #options: SideOptions
  #handle: RootDatabase<Buffer, Buffer> | undefined

  constructor(options: SideOptions) {
    this.#options = options
  }

  get #db(): RootDatabase<Buffer, Buffer> {
    return mustBeOpen(this.#handle)
  }

  open(path: string, writable: boolean): void {
    this.#handle = open<Buffer, Buffer>({
      path,
      noSubdir: true,
      readOnly: !writable,
      keyEncoding: 'binary',
      encoding: 'binary',
      compression: false,
      cache: false,
      overlappingSync: false,
      noSync: false,
      mapSize: this.#options.mapBytes,
    })
  }

  close(): Promise<void> {
    return this.#db.close()
  }

  load(work: PutWork): void {
    const { keys, batch } = work
    const db = this.#db
    for (let at = 0; at < keys.length; at += batch) {
      const end = Math.min(at + batch, keys.length)
      db.transactionSync(() => {
        for (let i = at; i < end; i++) db.putSync(keyAt(work, i), valueAt(work, i))
      })
    }
  }

  readLent(keys: readonly Buffer[]): number {
    const db = this.#db
    let sum = 0
    for (const key of keys) {
      const value = db.getBinaryFast(key)
      if (value === undefined) throw missing(key)
      sum += (value[0] ?? 0) + value.length
    }
    return sum
  }

  readOwned(keys: readonly Buffer[]): number {
    const db = this.#db
    let sum = 0
    for (const key of keys) {
      const value = db.get(key)
      if (value === undefined) throw missing(key)
      sum += (value[0] ?? 0) + value.length
    }
    return sum
  }

  scan(): number {
    let sum = 0
    for (const { key, value } of this.#db.getRange({}))
      sum += (key[0] ?? 0) + key.length + (value[0] ?? 0) + value.length
    return sum
  }

  seek(keys: readonly Buffer[], steps: number): number {
    const db = this.#db
    const limit = steps + 1
    let sum = 0
    for (const start of keys) {
      for (const { key, value } of db.getRange({ start, limit }))
        sum += (key[0] ?? 0) + key.length + (value[0] ?? 0) + value.length
    }
    return sum
  }
}

export function make(options: SideOptions): Side {
  return new LmdbSide(options)
}
