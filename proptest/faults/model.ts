/**
 * What a database should hold: plain maps, and a frozen copy of them for each commit.
 *
 * Keys are latin1 strings, one character a byte, so that their order as strings is bbolt's order of
 * bytes. Values are buffers that nobody changes.
 */

import { compareBytes, formatBytes } from '../../base/bytes.ts'
import type { Bucket } from '../../engine/index.ts'

/** A bucket that can be edited. */
export interface LiveBucket {
  sequence: bigint
  readonly entries: Map<string, Buffer | LiveBucket>
}

/** A bucket as one commit left it, in key order. */
export interface FrozenBucket {
  readonly sequence: bigint
  readonly keys: readonly Buffer[]
  readonly values: readonly (Buffer | FrozenBucket)[]
}

export function newBucket(): LiveBucket {
  return { sequence: 0n, entries: new Map() }
}

export function isValue(entry: Buffer | LiveBucket | FrozenBucket | undefined): entry is Buffer {
  return entry instanceof Uint8Array
}

export function freeze(bucket: LiveBucket): FrozenBucket {
  const names = [...bucket.entries.keys()].sort()
  const values: (Buffer | FrozenBucket)[] = []
  for (const name of names) {
    const entry = bucket.entries.get(name)
    if (entry !== undefined) values.push(isValue(entry) ? entry : freeze(entry))
  }
  return {
    sequence: bucket.sequence,
    keys: names.map((name) => Buffer.from(name, 'latin1')),
    values,
  }
}

export function thaw(bucket: FrozenBucket): LiveBucket {
  const live = newBucket()
  live.sequence = bucket.sequence
  bucket.keys.forEach((key, i) => {
    const entry = bucket.values[i]
    if (entry === undefined) return
    live.entries.set(key.toString('latin1'), isValue(entry) ? entry : thaw(entry))
  })
  return live
}

/** The bucket at the end of a path of names; undefined where there is none. */
export function bucketAt(root: LiveBucket, path: readonly string[]): LiveBucket | undefined {
  let bucket: LiveBucket | undefined = root
  for (const name of path) {
    const entry: Buffer | LiveBucket | undefined = bucket.entries.get(name)
    if (entry === undefined || isValue(entry)) return undefined
    bucket = entry
  }
  return bucket
}

/** Paths of all buckets, the root's `[]` first. */
export function bucketPaths(root: LiveBucket): string[][] {
  const paths: string[][] = [[]]
  for (const path of paths) {
    const bucket = bucketAt(root, path)
    for (const [name, entry] of bucket?.entries ?? []) {
      if (!isValue(entry)) paths.push([...path, name])
    }
  }
  return paths
}

/** Bytes of keys and values, roughly. */
export function sizeOf(bucket: LiveBucket): number {
  let size = 0
  for (const [key, entry] of bucket.entries) {
    size += key.length + 16 + (isValue(entry) ? entry.length : 32 + sizeOf(entry))
  }
  return size
}

/**
 * How what `bucket` holds differs from `expected`, or undefined. Reads every key and value of the
 * bucket and of all buckets in it.
 */
export function contentFault(
  bucket: Bucket,
  expected: FrozenBucket,
  path = '/',
): string | undefined {
  if (bucket.sequence !== expected.sequence) {
    return `${path}: sequence ${bucket.sequence}, expected ${expected.sequence}`
  }
  const cursor = bucket.cursor()
  let i = 0
  for (let e = cursor.first(); e !== undefined; e = cursor.next(), i++) {
    const { key, value } = e
    const wanted = expected.keys[i]
    const entry = expected.values[i]
    if (wanted === undefined || entry === undefined) return `${path}: extra key ${formatBytes(key)}`
    if (compareBytes(key, wanted) !== 0) {
      return `${path}: key ${formatBytes(key)}, expected ${formatBytes(wanted)}`
    }
    if (isValue(entry)) {
      if (value === undefined) return `${path}${formatBytes(key)}: a bucket, expected a value`
      if (compareBytes(value, entry) !== 0) return `${path}${formatBytes(key)}: another value`
      continue
    }
    if (value !== undefined) return `${path}${formatBytes(key)}: a value, expected a bucket`
    const child = bucket.bucket(key)
    if (child === undefined) return `${path}${formatBytes(key)}: the bucket can not be opened`
    const fault = contentFault(child, entry, `${path}${formatBytes(key)}/`)
    if (fault !== undefined) return fault
  }
  return i === expected.keys.length
    ? undefined
    : `${path}: ${i} keys, expected ${expected.keys.length}`
}
