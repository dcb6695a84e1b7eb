/**
 * A small file with everything in it that the format knows, and what it holds: ground for damage.
 *
 * 1 KiB pages: branches, inline buckets and nested ones, an overflow run, a
 * sequence, empty values, page tails of every length from 0 to 12, a freelist that lists something,
 * two generations.
 */

import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/index.ts'
import type { Tx } from '../../engine/index.ts'
import { freeze, newBucket } from './model.ts'
import type { FrozenBucket, LiveBucket } from './model.ts'
import { COUNTER_BUCKET, COUNTER_KEY } from './workload.ts'
import type { FreelistForm } from './workload.ts'

export const SAMPLE_PAGE_SIZE = 1024
export const SAMPLE_PATH = '/db'

export interface Sample {
  readonly bytes: Uint8Array
  /** What the newest generation holds, and the one before it. */
  readonly newest: FrozenBucket
  readonly previous: FrozenBucket
  /** The file after each commit before the last. */
  readonly history: readonly Uint8Array[]
}

/** Edits a transaction and the model of it alike. */
class Both {
  readonly #tx: Tx
  readonly #root: LiveBucket

  constructor(tx: Tx, root: LiveBucket) {
    this.#tx = tx
    this.#root = root
  }

  put(path: readonly string[], key: string, value: Buffer): void {
    let bucket = this.#tx.root
    let model = this.#root
    for (const name of path) {
      bucket = bucket.createBucketIfNotExists(name)
      let next = model.entries.get(name)
      if (next === undefined || next instanceof Uint8Array) {
        next = newBucket()
        model.entries.set(name, next)
      }
      model = next
    }
    bucket.put(key, value)
    model.entries.set(key, value)
  }

  setSequence(name: string, value: bigint): void {
    this.#tx.bucket(name)?.setSequence(value)
    const bucket = this.#root.entries.get(name)
    if (bucket !== undefined && !(bucket instanceof Uint8Array)) bucket.sequence = value
  }

  delete(name: string, key: string): void {
    this.#tx.bucket(name)?.delete(key)
    const bucket = this.#root.entries.get(name)
    if (bucket !== undefined && !(bucket instanceof Uint8Array)) bucket.entries.delete(key)
  }

  count(commits: number): void {
    this.put([COUNTER_BUCKET], COUNTER_KEY, Buffer.from(String(commits)))
  }
}

/** A leaf of two entries whose content ends `tail` bytes before the page does. */
function packed(both: Both, tail: number): void {
  // header 16, two elements 32, two keys of 2 bytes, one value of 400
  const size = SAMPLE_PAGE_SIZE - 16 - 32 - 4 - 400 - tail
  both.put(['packed', `tail ${tail}`], 'k1', Buffer.alloc(400, 'v'))
  both.put(['packed', `tail ${tail}`], 'k2', Buffer.alloc(size, 'w'))
}

export async function makeSample(freelist: FreelistForm): Promise<Sample> {
  const disk = new MemoryDisk()
  const pageSizeBytes = SAMPLE_PAGE_SIZE
  const engine = await openEngine(SAMPLE_PATH, { disk, pageSizeBytes, freelist })
  const root = newBucket()
  const contents: FrozenBucket[] = []
  const history: Uint8Array[] = []
  const commit = (edit: (both: Both) => void): void => {
    engine.update((tx) => {
      const both = new Both(tx, root)
      edit(both)
      both.count(contents.length + 1)
    })
    contents.push(freeze(root))
    history.push(disk.readFile(SAMPLE_PATH))
  }
  commit((both) => {
    // Long keys make branches deep.
    for (let i = 0; i < 16; i++) {
      both.put(['deep'], `${'k'.repeat(180)} ${String(i).padStart(3, '0')}`, Buffer.from(`v ${i}`))
    }
    both.put(['overflow'], 'long', Buffer.alloc(2500, 'abc'))
    both.put(['overflow'], 'none', Buffer.alloc(0))
    both.put(['nested', 'inline', 'deeper'], 'key', Buffer.from('value'))
    both.put(['nested'], 'beside', Buffer.from('a value beside a bucket'))
    for (let i = 0; i < 30; i++) both.put(['doomed'], `key ${i}`, Buffer.alloc(60, i))
  })
  commit((both) => {
    for (const tail of [0, 1, 3, 7, 8, 12]) packed(both, tail)
    both.setSequence('nested', 77n)
    for (let i = 0; i < 28; i++) both.delete('doomed', `key ${i}`)
  })
  commit((both) => both.put(['nested', 'inline'], 'last', Buffer.from('word')))
  await engine.close()
  const [previous, newest] = contents.slice(-2)
  if (previous === undefined || newest === undefined) throw new Error('sample: no generations')
  return { bytes: disk.readFile(SAMPLE_PATH), newest, previous, history: history.slice(0, -1) }
}
