/**
 * What a bbolt file holds, as plain maps: the reference that engine and bbolt are both compared
 * with.
 *
 * Keys and names are lower-case hex: its order is the bytes' order, and it is what scripts are
 * written in.
 */

/** A bucket's content. A value is hex; an entry that is a bucket is a `BucketModel`. */
export class BucketModel {
  sequence = 0n
  readonly entries: Map<string, string | BucketModel> = new Map()

  /** Keys in order. */
  keys(): string[] {
    return [...this.entries.keys()].toSorted()
  }

  /** Keys that lead to values, in order. */
  valueKeys(): string[] {
    return this.keys().filter((key) => typeof this.entries.get(key) === 'string')
  }

  /** The bucket of a name, or undefined. */
  bucket(name: string): BucketModel | undefined {
    const entry = this.entries.get(name)
    return entry instanceof BucketModel ? entry : undefined
  }

  /** The bucket of a path. Throws where there is none. */
  at(path: readonly string[]): BucketModel {
    const [name, ...inner] = path
    if (name === undefined) return this
    const child = this.bucket(name)
    if (child === undefined) throw new Error(`the model has no bucket ${path.join('/')}`)
    return child.at(inner)
  }

  /** Paths of all buckets below this one, a bucket before what is in it. */
  paths(): string[][] {
    const found: string[][] = []
    const stack: { readonly bucket: BucketModel; readonly path: string[] }[] = [
      { bucket: this, path: [] },
    ]
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      for (const key of top.bucket.keys()) {
        const child = top.bucket.bucket(key)
        if (child === undefined) continue
        const path = [...top.path, key]
        found.push(path)
        stack.push({ bucket: child, path })
      }
    }
    return found
  }

  /** A copy that shares nothing. */
  clone(): BucketModel {
    const copy = new BucketModel()
    copy.sequence = this.sequence
    for (const [key, entry] of this.entries) {
      copy.entries.set(key, typeof entry === 'string' ? entry : entry.clone())
    }
    return copy
  }
}
