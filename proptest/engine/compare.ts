/**
 * Whether what an engine holds is what the model holds: every key and value, both ways, and by
 * seeking.
 */

import type { Bucket, Cursor, Entry, Tx } from '../../engine/index.ts'
import { ModelBucket, ModelError } from './model.ts'
import type { ModelItem } from './model.ts'

/** Keys looked for one by one in each bucket, at most. */
const PROBES_MAX = 24

export class Mismatch extends Error {
  override readonly name: string = 'Mismatch'
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'))
}

export function show(key: string | undefined): string {
  if (key === undefined) return 'nothing'
  return key.length > 24
    ? `${JSON.stringify(key.slice(0, 24))}… (${key.length})`
    : JSON.stringify(key)
}

export function mustEqual(actual: unknown, expected: unknown, what: string): void {
  if (Object.is(actual, expected)) return
  throw new Mismatch(`${what}: got ${String(actual)}, the model says ${String(expected)}`)
}

export type CallOutcome<T> = { readonly value: T } | { readonly refused: string }

/** Calls `fn`; an expected kind of error comes back as its code. */
export function outcomeOf<T>(fn: () => T): CallOutcome<T> {
  try {
    return { value: fn() }
  } catch (error) {
    if (error instanceof ModelError) return { refused: error.code }
    if (error instanceof TypeError || error instanceof RangeError) {
      // A slip inside the engine looks alike; its own messages begin with an argument's name.
      if (/^[\w.()]+: /.test(error.message)) return { refused: error.name }
      throw error
    }
    if (error instanceof Error && 'code' in error && error.name !== 'CorruptionError') {
      return { refused: String(error.code) }
    }
    throw error
  }
}

/** Compares an entry, or the lack of one, with what the model's bucket has under `key`. */
export function compareEntry(
  entry: Entry | undefined,
  key: string | undefined,
  bucket: ModelBucket,
  what: string,
): void {
  const found = entry === undefined ? undefined : textOf(entry.key)
  if (found !== key) throw new Mismatch(`${what}: got ${show(found)}, expected ${show(key)}`)
  if (entry === undefined || key === undefined) return
  compareValue(entry.value, bucket.item(key), `${what} at ${show(key)}`)
}

export function compareValue(
  value: Uint8Array | undefined,
  item: ModelItem | undefined,
  what: string,
): void {
  const expected = item instanceof ModelBucket ? undefined : item
  if (value === undefined || expected === undefined) {
    mustEqual(value?.length, expected?.length, `${what}, size of the value`)
    return
  }
  if (Buffer.compare(value, expected) === 0) return
  throw new Mismatch(`${what}: ${value.length} bytes differ from the ${expected.length} expected`)
}

/** Compares all that a transaction sees with a state of the model. */
export function compareAll(tx: Tx, model: ModelBucket): void {
  compareBucket({ door: tx, model, what: 'top level' })
}

interface Pair {
  readonly door: Tx | Bucket
  readonly model: ModelBucket
  readonly what: string
}

function compareBucket(top: Pair): void {
  const queue = [top]
  for (let pair = queue.pop(); pair !== undefined; pair = queue.pop()) {
    const { door, model, what } = pair
    compareWalks(door.cursor(), model, what)
    compareProbes(door, model, what)
    for (const key of model.keys()) {
      const child = model.bucket(key)
      if (child === undefined) continue
      const bucket = door.bucket(bytesOf(key))
      const path = `${what} / ${show(key)}`
      if (bucket === undefined) throw new Mismatch(`${path}: there is no such bucket`)
      mustEqual(bucket.sequence, child.sequence, `${path}, sequence`)
      queue.push({ door: bucket, model: child, what: path })
    }
  }
}

function compareWalks(cursor: Cursor, model: ModelBucket, what: string): void {
  const keys = model.keys()
  let entry = cursor.first()
  for (const key of keys) {
    compareEntry(entry, key, model, `${what}, forward`)
    entry = cursor.next()
  }
  compareEntry(entry, undefined, model, `${what}, forward past the end`)
  entry = cursor.last()
  for (let i = keys.length - 1; i >= 0; i--) {
    compareEntry(entry, keys[i], model, `${what}, backward`)
    entry = cursor.prev()
  }
  compareEntry(entry, undefined, model, `${what}, backward past the start`)
}

function compareProbes(door: Tx | Bucket, model: ModelBucket, what: string): void {
  const keys = model.keys()
  const cursor = door.cursor()
  const stride = Math.max(1, Math.floor(keys.length / PROBES_MAX))
  const probes = ['', '\xff\xff\xff\xff']
  for (let i = (keys.length * 7) % stride; i < keys.length; i += stride) {
    const key = keys[i] ?? ''
    probes.push(key, `${key}\0`, key.slice(0, -1))
  }
  for (const probe of probes) {
    const expected = keys.find((key) => key >= probe)
    compareEntry(cursor.seek(bytesOf(probe)), expected, model, `${what}, seek ${show(probe)}`)
    if (!('get' in door)) continue
    const value = door.get(bytesOf(probe))
    compareValue(value, model.item(probe), `${what}, get ${show(probe)}`)
  }
}
