/**
 * classic-level: LevelDB with bytes for keys and values, no compression, a cache as large as ours.
 * A batch with `sync` is durable when its promise resolves; it has no synchronous writes.
 */

import { ClassicLevel } from 'classic-level'
import {
  type PutWork,
  type Side,
  type SideOptions,
  keyAt,
  missing,
  mustBeOpen,
  valueAt,
} from '../side.ts'

const ENTRIES_A_CALL = 1000

class LevelSide implements Side {
  readonly #options: SideOptions
  #handle: ClassicLevel<Buffer, Buffer> | undefined

  constructor(options: SideOptions) {
    this.#options = options
  }

  get #db(): ClassicLevel<Buffer, Buffer> {
    return mustBeOpen(this.#handle)
  }

  async open(path: string): Promise<void> {
    this.#handle = new ClassicLevel<Buffer, Buffer>(path, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      compression: false,
      cacheSize: this.#options.cacheBytes,
    })
    await this.#handle.open()
  }

  close(): Promise<void> {
    return this.#db.close()
  }

  async load(work: PutWork): Promise<void> {
    const { keys, batch } = work
    if (batch === 1) return this.#loadSingly(work)
    for (let at = 0; at < keys.length; at += batch) {
      const chain = this.#db.batch()
      const end = Math.min(at + batch, keys.length)
      for (let i = at; i < end; i++) chain.put(keyAt(work, i), valueAt(work, i))
      await chain.write({ sync: true })
    }
  }

  async #loadSingly(work: PutWork): Promise<void> {
    for (let i = 0; i < work.keys.length; i++) {
      await this.#db.put(keyAt(work, i), valueAt(work, i), { sync: true })
    }
  }

  readOwned(keys: readonly Buffer[]): number {
    const db = this.#db
    let sum = 0
    for (const key of keys) {
      const value = db.getSync(key)
      if (value === undefined) throw missing(key)
      sum += (value[0] ?? 0) + value.length
    }
    return sum
  }

  async scan(): Promise<number> {
    const iterator = this.#db.iterator()
    let sum = 0
    for (;;) {
      const entries = await iterator.nextv(ENTRIES_A_CALL)
      if (entries.length === 0) break
      for (const [key, value] of entries)
        sum += (key[0] ?? 0) + key.length + (value[0] ?? 0) + value.length
    }
    await iterator.close()
    return sum
  }
}

export function make(options: SideOptions): Side {
  return new LevelSide(options)
}
