/** The project's own side: the built engine, its file alone, two syncs a commit. */

import type { Bucket, Engine, Tx } from '../../engine/index.ts'
import { type Library, loadBuilt } from '../library.ts'
import {
  BUCKET,
  type PutWork,
  type Side,
  type SideOptions,
  keyAt,
  missing,
  mustBeOpen,
  valueAt,
} from './side.ts'

const library = await loadBuilt<Library>('engine/index.js')

function bucketOf(tx: Tx): Bucket {
  return mustBeOpen(tx.bucket(BUCKET))
}

function readCopies(bucket: Bucket, keys: readonly Buffer[]): number {
  let sum = 0
  for (const key of keys) {
    const value = bucket.getCopy(key)
    if (value === undefined) throw missing(key)
    sum += (value[0] ?? 0) + value.length
  }
  return sum
}

class RevboltSide implements Side {
  readonly #options: SideOptions
  #handle: Engine | undefined

  constructor(options: SideOptions) {
    this.#options = options
  }

  get #engine(): Engine {
    return mustBeOpen(this.#handle)
  }

  async open(path: string, writable: boolean): Promise<void> {
    const { cacheBytes } = this.#options
    this.#handle = await library.openEngine(path, { readOnly: !writable, cacheBytes })
  }

  close(): Promise<void> {
    return this.#engine.close()
  }

  load(work: PutWork): void {
    const { keys, batch } = work
    for (let at = 0; at < keys.length; at += batch) {
      const end = Math.min(at + batch, keys.length)
      this.#engine.update((tx) => {
        const bucket = tx.createBucketIfNotExists(BUCKET)
        for (let i = at; i < end; i++) bucket.put(keyAt(work, i), valueAt(work, i))
      })
    }
  }

  readLent(keys: readonly Buffer[]): number {
    return this.#engine.view((tx) => {
      const bucket = bucketOf(tx)
      let sum = 0
      for (const key of keys) {
        const value = bucket.get(key)
        if (value === undefined) throw missing(key)
        sum += (value[0] ?? 0) + value.length
      }
      return sum
    })
  }

  readOwned(keys: readonly Buffer[]): number {
    return this.#engine.view((tx) => readCopies(bucketOf(tx), keys))
  }

  scan(): number {
    return this.#engine.view((tx) => {
      const cursor = bucketOf(tx).cursor()
      let sum = 0
      for (let entry = cursor.first(); entry !== undefined; entry = cursor.next()) {
        const { key, value } = entry
        if (value !== undefined) sum += (key[0] ?? 0) + key.length + (value[0] ?? 0) + value.length
      }
      return sum
    })
  }

  scanBare(): number {
    return this.#engine.view((tx) => {
      const cursor = bucketOf(tx).cursor()
      let count = 0
      for (let entry = cursor.first(); entry !== undefined; entry = cursor.next()) count++
      return count
    })
  }

  seek(keys: readonly Buffer[], steps: number): number {
    return this.#engine.view((tx) => {
      const cursor = bucketOf(tx).cursor()
      let sum = 0
      for (const target of keys) {
        let left = steps
        for (let entry = cursor.seek(target); entry !== undefined; entry = cursor.next()) {
          const { key, value } = entry
          if (value !== undefined)
            sum += (key[0] ?? 0) + key.length + (value[0] ?? 0) + value.length
          if (left-- === 0) break
        }
      }
      return sum
    })
  }
}

export function make(options: SideOptions): Side {
  return new RevboltSide(options)
}
