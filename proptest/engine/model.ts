/**
 * What the engine should be: buckets as plain maps, sorted when someone looks at the order.
 *
 * A committed state is never edited: a write transaction edits a copy of the newest one, and a
 * reader keeps the state it began at. Nothing here is shared with the engine.
 *
 * A key is a string with one character a byte (latin1), so that the order of strings is the order
 * of bytes.
 */

/** What an operation is refused with: a `KvError` code, or the name of a built-in error class. */
export class ModelError extends Error {
  override readonly name: string = 'ModelError'
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

export type ModelItem = Uint8Array | ModelBucket

const SEQUENCE_MAX = 2n ** 64n - 1n

export class ModelBucket {
  sequence = 0n
  readonly #items = new Map<string, ModelItem>()
  #sorted: readonly string[] | undefined

  get size(): number {
    return this.#items.size
  }

  /** Keys in order. */
  keys(): readonly string[] {
    this.#sorted ??= [...this.#items.keys()].sort()
    return this.#sorted
  }

  item(key: string): ModelItem | undefined {
    return this.#items.get(key)
  }

  /** The value of a key; undefined where there is none or it is a bucket. */
  get(key: string): Uint8Array | undefined {
    const item = this.#items.get(key)
    return item instanceof ModelBucket ? undefined : item
  }

  bucket(name: string): ModelBucket | undefined {
    const item = this.#items.get(name)
    return item instanceof ModelBucket ? item : undefined
  }

  put(key: string, value: Uint8Array): void {
    if (key.length === 0) throw new ModelError('KV_KEY_EMPTY')
    if (key.length > 32768) throw new ModelError('KV_KEY_TOO_LARGE')
    if (this.bucket(key) !== undefined) throw new ModelError('KV_WRONG_KIND')
    this.#set(key, value)
  }

  delete(key: string): boolean {
    if (this.bucket(key) !== undefined) throw new ModelError('KV_WRONG_KIND')
    return this.#remove(key)
  }

  createBucket(name: string): ModelBucket {
    if (name.length === 0) throw new ModelError('KV_KEY_EMPTY')
    if (this.get(name) !== undefined) throw new ModelError('KV_WRONG_KIND')
    if (this.bucket(name) !== undefined) throw new ModelError('KV_BUCKET_EXISTS')
    const child = new ModelBucket()
    this.#set(name, child)
    return child
  }

  createBucketIfNotExists(name: string): ModelBucket {
    return this.bucket(name) ?? this.createBucket(name)
  }

  deleteBucket(name: string): void {
    this.#mustFindBucket(name)
    this.#remove(name)
  }

  moveBucket(name: string, target: ModelBucket): void {
    if (target === this) throw new ModelError('TypeError')
    const child = this.#mustFindBucket(name)
    if (child.#holds(target)) throw new ModelError('TypeError')
    if (target.get(name) !== undefined) throw new ModelError('KV_WRONG_KIND')
    if (target.bucket(name) !== undefined) throw new ModelError('KV_BUCKET_EXISTS')
    this.#remove(name)
    target.#set(name, child)
  }

  nextSequence(): bigint {
    if (this.sequence === SEQUENCE_MAX) throw new ModelError('RangeError')
    this.sequence += 1n
    return this.sequence
  }

  /** A copy that can be edited. Values are shared: nobody edits those. */
  copy(): ModelBucket {
    const other = new ModelBucket()
    other.sequence = this.sequence
    for (const [key, item] of this.#items) {
      other.#items.set(key, item instanceof ModelBucket ? item.copy() : item)
    }
    return other
  }

  #mustFindBucket(name: string): ModelBucket {
    const child = this.bucket(name)
    if (child !== undefined) return child
    throw new ModelError(this.get(name) === undefined ? 'KV_BUCKET_NOT_FOUND' : 'KV_WRONG_KIND')
  }

  #holds(other: ModelBucket): boolean {
    if (other === this) return true
    for (const item of this.#items.values()) {
      if (item instanceof ModelBucket && item.#holds(other)) return true
    }
    return false
  }

  #set(key: string, item: ModelItem): void {
    if (!this.#items.has(key)) this.#sorted = undefined
    this.#items.set(key, item)
  }

  #remove(key: string): boolean {
    this.#sorted = this.#sorted?.filter((other) => other !== key)
    return this.#items.delete(key)
  }
}

/** The keys of a bucket and of all buckets in it, outermost first: [] is the top level. */
export function bucketPaths(root: ModelBucket): readonly (readonly string[])[] {
  const paths: string[][] = [[]]
  const add = (bucket: ModelBucket, path: readonly string[]): void => {
    for (const key of bucket.keys()) {
      const child = bucket.bucket(key)
      if (child === undefined) continue
      paths.push([...path, key])
      add(child, [...path, key])
    }
  }
  add(root, [])
  return paths
}

/**
 * The documented cursor: a key and whether it stands on it. `next` is the smallest key larger than
 * its own and `prev` the largest smaller, as the bucket is at that moment; where there is none it
 * stays.
 */
export class ModelCursor {
  readonly #bucket: ModelBucket
  /** undefined: fresh. */
  #key: string | undefined
  #isOn = false

  constructor(bucket: ModelBucket) {
    this.#bucket = bucket
  }

  /** The key it stands on; undefined where it stands on none. */
  get current(): string | undefined {
    if (this.#key === undefined || !this.#isOn) return undefined
    return this.#bucket.item(this.#key) === undefined ? undefined : this.#key
  }

  first(): string | undefined {
    return this.#jump(this.#bucket.keys()[0])
  }

  last(): string | undefined {
    return this.#jump(this.#bucket.keys().at(-1))
  }

  seek(key: string): string | undefined {
    const found = this.#bucket.keys().find((other) => other >= key)
    this.#key = found ?? key
    this.#isOn = found !== undefined
    return found
  }

  next(): string | undefined {
    const at = this.#key
    if (at === undefined) return undefined
    return this.#step(this.#bucket.keys().find((other) => other > at))
  }

  prev(): string | undefined {
    const at = this.#key
    if (at === undefined) return undefined
    return this.#step(this.#bucket.keys().findLast((other) => other < at))
  }

  delete(): void {
    const key = this.current
    if (key === undefined) throw new ModelError('TypeError')
    this.#bucket.delete(key)
    this.#isOn = false
  }

  #jump(key: string | undefined): string | undefined {
    this.#key = key
    this.#isOn = key !== undefined
    return key
  }

  #step(key: string | undefined): string | undefined {
    if (key === undefined) {
      // At the edge it stays; where its entry has gone meanwhile, it stays between its neighbours.
      if (this.current === undefined) this.#isOn = false
      return undefined
    }
    return this.#jump(key)
  }
}
