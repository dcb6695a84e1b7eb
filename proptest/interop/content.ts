/**
 * The whole content of a file, told in key order, and two forms of it that agree with the Go
 * program's (`interop/bbolt/content.go`): a digest for comparing, a list of lines for seeing where
 * two differ.
 *
 * The digest is the SHA-256 of
 *
 *   put    01 | u32 key size | key | u32 value size | value
 *   enter  02 | u32 name size | name | u64 sequence
 *   leave  03
 *
 * in the order of the walk, integers little-endian.
 */

import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { BucketModel } from './model.ts'

/** Is told a content. Bytes are lent. */
export interface Visitor {
  put(key: Uint8Array, value: Uint8Array): void
  enter(name: Uint8Array, sequence: bigint): void
  leave(): void
}

interface ContentEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

interface ContentCursor {
  first(): ContentEntry | undefined
  next(): ContentEntry | undefined
}

/** What a walk needs of a transaction or a bucket of the engine. */
export interface Container {
  cursor(): ContentCursor
  bucket(name: Uint8Array): (Container & { readonly sequence: bigint }) | undefined
}

/** Something whose content can be told. */
export type Source = Container | BucketModel

function visitContainer(at: Container, visitor: Visitor): void {
  const cursor = at.cursor()
  for (let entry = cursor.first(); entry !== undefined; entry = cursor.next()) {
    const { key, value } = entry
    if (value !== undefined) {
      visitor.put(key, value)
      continue
    }
    const child = at.bucket(key)
    if (child === undefined) throw new Error(`bucket ${Buffer.from(key).toString('hex')} is gone`)
    visitor.enter(key, child.sequence)
    visitContainer(child, visitor)
    visitor.leave()
  }
}

function visitModel(at: BucketModel, visitor: Visitor): void {
  for (const key of at.keys()) {
    const entry = at.entries.get(key)
    if (typeof entry === 'string') {
      visitor.put(Buffer.from(key, 'hex'), Buffer.from(entry, 'hex'))
    } else if (entry !== undefined) {
      visitor.enter(Buffer.from(key, 'hex'), entry.sequence)
      visitModel(entry, visitor)
      visitor.leave()
    }
  }
}

/** Tells `visitor` everything in `source`, in key order, depth first. */
export function visit(source: Source, visitor: Visitor): void {
  if (source instanceof BucketModel) visitModel(source, visitor)
  else visitContainer(source, visitor)
}

class Digester implements Visitor {
  readonly #hash: Hash = createHash('sha256')
  readonly #field = Buffer.alloc(9)

  put(key: Uint8Array, value: Uint8Array): void {
    this.#bytes(1, key)
    this.#size(value.length, 0)
    this.#hash.update(value)
  }

  enter(name: Uint8Array, sequence: bigint): void {
    this.#bytes(2, name)
    this.#field.writeBigUInt64LE(sequence)
    this.#hash.update(this.#field.subarray(0, 8))
  }

  leave(): void {
    this.#hash.update(Buffer.of(3))
  }

  hash(): string {
    return this.#hash.digest('hex')
  }

  #bytes(tag: number, data: Uint8Array): void {
    this.#field[0] = tag
    this.#size(data.length, 1)
    this.#hash.update(data)
  }

  #size(size: number, tagSize: number): void {
    this.#field.writeUInt32LE(size, tagSize)
    this.#hash.update(this.#field.subarray(0, tagSize + 4))
  }
}

/** The digest of a whole content. */
export function digestOf(source: Source): string {
  const digester = new Digester()
  visit(source, digester)
  return digester.hash()
}

/** Bytes in a line: hex, or size and SHA-256 where they are longer than the limit. */
export type Shown = string | { readonly size: number; readonly sha256: string }

/** A key with its value, or a bucket with its sequence; as the Go program prints it. */
export type DumpLine =
  | { readonly path: readonly string[]; readonly key: Shown; readonly value: Shown }
  | { readonly path: readonly string[]; readonly bucket: Shown; readonly sequence: string }

class Dumper implements Visitor {
  readonly lines: DumpLine[] = []
  readonly #limit: number
  readonly #path: string[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.lines.push({ path: [...this.#path], key: this.#shown(key), value: this.#shown(value) })
  }

  enter(name: Uint8Array, sequence: bigint): void {
    const bucket = this.#shown(name)
    this.lines.push({ path: [...this.#path], bucket, sequence: sequence.toString() })
    this.#path.push(typeof bucket === 'string' ? bucket : `${bucket.size}:${bucket.sha256}`)
  }

  leave(): void {
    this.#path.pop()
  }

  #shown(data: Uint8Array): Shown {
    if (data.length <= this.#limit) return Buffer.from(data).toString('hex')
    return { size: data.length, sha256: createHash('sha256').update(data).digest('hex') }
  }
}

/** A whole content as lines; bytes longer than `limit` as size and SHA-256. */
export function dumpOf(source: Source, limit: number): DumpLine[] {
  const dumper = new Dumper(limit)
  visit(source, dumper)
  return dumper.lines
}

class Collector implements Visitor {
  readonly root = new BucketModel()
  readonly #open: BucketModel[] = [this.root]

  put(key: Uint8Array, value: Uint8Array): void {
    this.#top().entries.set(Buffer.from(key).toString('hex'), Buffer.from(value).toString('hex'))
  }

  enter(name: Uint8Array, sequence: bigint): void {
    const child = new BucketModel()
    child.sequence = sequence
    this.#top().entries.set(Buffer.from(name).toString('hex'), child)
    this.#open.push(child)
  }

  leave(): void {
    this.#open.pop()
  }

  #top(): BucketModel {
    return this.#open.at(-1) ?? this.root
  }
}

/** A whole content as a model. */
export function modelOf(source: Source): BucketModel {
  const collector = new Collector()
  visit(source, collector)
  return collector.root
}

/** Where two dumps first differ, for a message; undefined where they don't. */
export function firstDifference(
  expected: readonly unknown[],
  actual: readonly unknown[],
): string | undefined {
  const size = Math.max(expected.length, actual.length)
  for (let i = 0; i < size; i++) {
    const a = sorted(expected[i])
    const b = sorted(actual[i])
    if (a !== b)
      return `line ${i} of ${expected.length}: expected ${a}, got ${b} (of ${actual.length})`
  }
  return undefined
}

/** One spelling for objects that differ only in the order of their fields. */
function sorted(value: unknown): string {
  return (
    JSON.stringify(value, (_, inner: unknown) => {
      if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
      return Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    }) ?? 'nothing'
  )
}
