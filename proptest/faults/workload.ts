/**
 * Generated work for a database: steps that a `Session` runs, and the content after each commit.
 *
 * One seed gives one workload. Every committed transaction also counts itself up in bucket
 * COUNTER_BUCKET, so what is found after a crash says which commit it is.
 */

import { Random } from '../../base/random.ts'
import type { Bucket, Tx } from '../../engine/index.ts'
import { bucketAt, bucketPaths, freeze, isValue, newBucket, sizeOf } from './model.ts'
import type { FrozenBucket, LiveBucket } from './model.ts'

export const COUNTER_BUCKET = '~counter'
export const COUNTER_KEY = 'commits'

export type Edit =
  | {
      readonly op: 'put'
      readonly path: readonly string[]
      readonly key: string
      readonly value: Buffer
    }
  | { readonly op: 'delete'; readonly path: readonly string[]; readonly key: string }
  | { readonly op: 'create'; readonly path: readonly string[]; readonly key: string }
  | { readonly op: 'drop'; readonly path: readonly string[]; readonly key: string }
  | {
      readonly op: 'move'
      readonly path: readonly string[]
      readonly key: string
      readonly target: readonly string[]
    }
  | { readonly op: 'sequence'; readonly path: readonly string[]; readonly value: bigint }

export type FreelistForm = 'sync' | 'scan'

export type Step =
  | {
      readonly kind: 'commit'
      readonly edits: readonly Edit[]
      readonly how: 'sync' | 'async' | 'update'
    }
  | {
      readonly kind: 'rollback'
      readonly edits: readonly Edit[]
      readonly how: 'rollback' | 'throw'
    }
  | { readonly kind: 'empty' }
  | { readonly kind: 'reopen'; readonly freelist: FreelistForm }
  /** Opens a reader that stays open until the next `unpin` or `reopen`. */
  | { readonly kind: 'pin' }
  | { readonly kind: 'unpin' }

export interface Workload {
  readonly seed: number
  readonly pageSizeBytes: number
  readonly freelist: FreelistForm
  readonly steps: readonly Step[]
  /** The content after so many commits; `[0]` is that of an empty database. */
  readonly contents: readonly FrozenBucket[]
}

/** What kind of data a workload makes. */
interface Taste {
  readonly keySizeMax: number
  readonly valueSizeMax: number
  readonly editsMax: number
  /** Beyond this much content, deletes win. */
  readonly sizeMax: number
  readonly bucketChance: number
}

const TASTES: readonly Taste[] = [
  { keySizeMax: 4, valueSizeMax: 8, editsMax: 30, sizeMax: 20_000, bucketChance: 0.1 },
  { keySizeMax: 20, valueSizeMax: 120, editsMax: 40, sizeMax: 60_000, bucketChance: 0.05 },
  { keySizeMax: 300, valueSizeMax: 600, editsMax: 12, sizeMax: 60_000, bucketChance: 0.1 },
  { keySizeMax: 12, valueSizeMax: 9000, editsMax: 8, sizeMax: 150_000, bucketChance: 0.1 },
  { keySizeMax: 6, valueSizeMax: 30, editsMax: 15, sizeMax: 20_000, bucketChance: 0.5 },
]

export interface WorkloadOptions {
  readonly stepCount?: number
  readonly pageSizeBytes?: number
}

export function generateWorkload(seed: number, options: WorkloadOptions = {}): Workload {
  const random = new Random(seed)
  const maker = new EditMaker(random, random.pick(TASTES))
  const stepCount = options.stepCount ?? random.between(4, 12)
  const pageSizeBytes = options.pageSizeBytes ?? (random.chance(0.85) ? 1024 : 4096)
  const freelist = random.chance(0.7) ? 'sync' : 'scan'
  const steps: Step[] = []
  const root = newBucket()
  const contents = [freeze(root)]
  for (let i = 0; i < stepCount; i++) {
    const roll = random.float()
    if (roll < 0.72) {
      const how = random.pick(['sync', 'async', 'update'] as const)
      steps.push({ kind: 'commit', edits: maker.transaction(root, contents.length), how })
      contents.push(freeze(root))
    } else if (roll < 0.78) {
      const edits = maker.edits(copyOf(root))
      steps.push({ kind: 'rollback', edits, how: random.pick(['rollback', 'throw'] as const) })
    } else if (roll < 0.82) steps.push({ kind: 'empty' })
    else if (roll < 0.88) steps.push({ kind: 'pin' })
    else if (roll < 0.92) steps.push({ kind: 'unpin' })
    else steps.push({ kind: 'reopen', freelist: random.chance(0.7) ? 'sync' : 'scan' })
  }
  return { seed, pageSizeBytes, freelist, steps, contents }
}

/** The steps of one more transaction or two, to go on with after a recovery. */
export function generateMore(seed: number, root: LiveBucket, commits: number): Workload {
  const random = new Random(seed)
  const maker = new EditMaker(random, random.pick(TASTES))
  const contents: FrozenBucket[] = []
  contents[commits] = freeze(root)
  const steps: Step[] = []
  const count = random.between(1, 3)
  for (let i = 1; i <= count; i++) {
    const how = random.pick(['sync', 'async', 'update'] as const)
    steps.push({ kind: 'commit', edits: maker.transaction(root, commits + i), how })
    contents[commits + i] = freeze(root)
  }
  return {
    seed,
    pageSizeBytes: 1024,
    freelist: random.pick(['sync', 'scan'] as const),
    steps,
    contents,
  }
}

function copyOf(bucket: LiveBucket): LiveBucket {
  const copy = newBucket()
  copy.sequence = bucket.sequence
  for (const [key, entry] of bucket.entries) {
    copy.entries.set(key, isValue(entry) ? entry : copyOf(entry))
  }
  return copy
}

class EditMaker {
  readonly #random: Random
  readonly #taste: Taste

  constructor(random: Random, taste: Taste) {
    this.#random = random
    this.#taste = taste
  }

  /** Edits of one transaction, applied to `root`, and the count of commits among them. */
  transaction(root: LiveBucket, commits: number): Edit[] {
    const edits = this.edits(root)
    const add = (edit: Edit): void => {
      edits.push(edit)
      applyToModel(root, edit)
    }
    if (!root.entries.has(COUNTER_BUCKET)) add({ op: 'create', path: [], key: COUNTER_BUCKET })
    const value = Buffer.from(String(commits))
    add({ op: 'put', path: [COUNTER_BUCKET], key: COUNTER_KEY, value })
    return edits
  }

  edits(root: LiveBucket): Edit[] {
    const random = this.#random
    const edits: Edit[] = []
    // Some transactions only take away, so that files shrink and pages merge.
    const isPurge = random.chance(0.15) || sizeOf(root) > this.#taste.sizeMax
    const count = random.between(1, this.#taste.editsMax * (isPurge ? 3 : 1))
    for (let i = 0; i < count; i++) {
      const edit = isPurge ? this.#takeAway(root) : this.#edit(root)
      if (edit === undefined) continue
      edits.push(edit)
      applyToModel(root, edit)
    }
    return edits
  }

  #edit(root: LiveBucket): Edit | undefined {
    const random = this.#random
    const path = this.#path(root)
    const bucket = bucketAt(root, path)
    if (bucket === undefined) return undefined
    const roll = random.float()
    if (path.length === 0 || roll < this.#taste.bucketChance) {
      if (path.length > 3) return undefined
      const key = random.pick(['a', 'b', 'c', 'd', `bucket ${random.below(30)}`])
      return bucket.entries.has(key) ? undefined : { op: 'create', path, key }
    }
    if (roll > 0.97) return this.#move(root, path)
    if (roll > 0.95) return { op: 'sequence', path, value: this.#sequence() }
    if (roll > 0.8) return this.#takeAway(root)
    const key = this.#key(bucket)
    const entry = bucket.entries.get(key)
    if (entry !== undefined && !isValue(entry)) return undefined
    return { op: 'put', path, key, value: this.#value() }
  }

  #takeAway(root: LiveBucket): Edit | undefined {
    const path = this.#path(root)
    const keys = [...(bucketAt(root, path)?.entries.keys() ?? [])]
    if (keys.length === 0) return undefined
    const key = this.#random.pick(keys)
    if (key === COUNTER_BUCKET || path[0] === COUNTER_BUCKET) return undefined
    const isBucket = !isValue(bucketAt(root, path)?.entries.get(key))
    if (!isBucket) return { op: 'delete', path, key }
    return this.#random.chance(0.3) ? { op: 'drop', path, key } : undefined
  }

  #move(root: LiveBucket, path: readonly string[]): Edit | undefined {
    const key = path.at(-1)
    if (key === undefined || key === COUNTER_BUCKET) return undefined
    const source = path.slice(0, -1)
    const target = this.#path(root)
    const isInside = path.every((name, i) => target[i] === name)
    const isSame = target.length === source.length && source.every((name, i) => target[i] === name)
    if (isInside || isSame || bucketAt(root, target)?.entries.has(key) !== false) return undefined
    return { op: 'move', path: source, key, target }
  }

  #path(root: LiveBucket): string[] {
    const paths = bucketPaths(root).filter((path) => path[0] !== COUNTER_BUCKET)
    return this.#random.pick(paths)
  }

  #key(bucket: LiveBucket): string {
    const random = this.#random
    if (bucket.entries.size > 0 && random.chance(0.3))
      return random.pick([...bucket.entries.keys()])
    // Appending at the right edge is how logs and revisions arrive.
    if (random.chance(0.3)) return `z${String(bucket.entries.size).padStart(6, '0')}`
    return this.#bytes(random.between(1, this.#taste.keySizeMax)).toString('latin1')
  }

  #value(): Buffer {
    const random = this.#random
    const { valueSizeMax } = this.#taste
    if (random.chance(0.03)) return this.#bytes(random.between(2000, 20_000))
    if (random.chance(0.1)) return this.#bytes(random.pick([0, 1, 975, 976, 1000, 1024, 1008]))
    return this.#bytes(random.between(0, valueSizeMax))
  }

  #bytes(size: number): Buffer {
    const random = this.#random
    // Small differences hide best: long values are one byte many times.
    if (size > 64) return Buffer.alloc(size, random.below(256))
    const bytes = Buffer.alloc(size)
    random.fill(bytes)
    return bytes
  }

  #sequence(): bigint {
    return this.#random.chance(0.2) ? 2n ** 64n - 1n : BigInt(this.#random.below(1000))
  }
}

function applyToModel(root: LiveBucket, edit: Edit): void {
  const bucket = bucketAt(root, edit.path)
  if (bucket === undefined) throw new Error(`workload: no bucket at ${edit.path.join('/')}`)
  switch (edit.op) {
    case 'put':
      bucket.entries.set(edit.key, edit.value)
      return
    case 'create':
      bucket.entries.set(edit.key, newBucket())
      return
    case 'delete':
    case 'drop':
      bucket.entries.delete(edit.key)
      return
    case 'sequence':
      bucket.sequence = edit.value
      return
    case 'move': {
      const child = bucket.entries.get(edit.key)
      const target = bucketAt(root, edit.target)
      if (child === undefined || target === undefined) throw new Error('workload: move of nothing')
      bucket.entries.delete(edit.key)
      target.entries.set(edit.key, child)
    }
  }
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function openPath(tx: Tx, path: readonly string[]): Bucket {
  let bucket: Bucket = tx.root
  for (const name of path) {
    const child = bucket.bucket(bytesOf(name))
    if (child === undefined) throw new Error(`workload: the database has no bucket ${name}`)
    bucket = child
  }
  return bucket
}

/** Makes the same edits in a transaction. */
export function applyToTx(tx: Tx, edits: readonly Edit[]): void {
  for (const edit of edits) {
    const bucket = openPath(tx, edit.path)
    switch (edit.op) {
      case 'put':
        bucket.put(bytesOf(edit.key), edit.value)
        break
      case 'create':
        bucket.createBucket(bytesOf(edit.key))
        break
      case 'delete':
        bucket.delete(bytesOf(edit.key))
        break
      case 'drop':
        bucket.deleteBucket(bytesOf(edit.key))
        break
      case 'sequence':
        bucket.setSequence(edit.value)
        break
      case 'move':
        bucket.moveBucket(bytesOf(edit.key), openPath(tx, edit.target))
    }
  }
}
