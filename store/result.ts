/**
 * What the store's calls return. Data of the caller's own, each with a `toJSON`: the same fields,
 * numbers as decimal strings as etcd's JSON has them, bytes as base64, absent fields left out. A
 * decoded value is the user's and stays as it is.
 */

import type { KeyValue as Row } from '../proto/mvccpb.ts'
import type { MakeResult } from '../mvcc/range-scan.ts'
import type { Codec, OutputKey } from './codec.ts'
import type { KeyValue, ResultJson } from './types/key-value.ts'
import type { OpResult } from './types/txn.ts'

class Result {
  toJSON(): ResultJson {
    const json: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(this)) {
      if (value !== undefined) json[name] = toJson(name, value)
    }
    return json
  }
}

function toJson(name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  }
  if (name === 'keys' && Array.isArray(value)) return value.map((key) => toJson('key', key))
  if (name === 'value') return value
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : value
}

export type Entry = KeyValue<unknown, OutputKey>

class EntryResult extends Result implements Entry {
  readonly key: OutputKey
  readonly value: unknown
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: bigint

  constructor(key: OutputKey, value: unknown, from: Omit<Row, 'key' | 'value'>) {
    super()
    this.key = key
    this.value = value
    this.createRevision = from.createRevision
    this.modRevision = from.modRevision
    this.version = from.version
    this.lease = from.lease
  }
}

/** What a put comes to. */
export class PutOutput extends Result {
  readonly revision: number
  readonly previous: Entry | undefined

  constructor(revision: number, previous: Entry | undefined) {
    super()
    this.revision = revision
    this.previous = previous
  }
}

/** Makes entries of rows: decoded, owned, with or without values. */
export function entryMaker(codec: Codec, keysOnly: boolean): MakeResult<Entry> {
  return (row) => {
    const key = codec.decodeKey(row.key)
    return new EntryResult(key, keysOnly ? undefined : codec.decodeValue(row.key, row.value), row)
  }
}

/** An entry with the same value under another key, or the same: where they can't be changed. */
export function withKey(entry: Entry, key: OutputKey): Entry {
  return new EntryResult(key, entry.value, entry)
}

/** Gives some fields a `toJSON`. */
export function asResult<T extends object>(fields: T): T & { toJSON(): ResultJson } {
  return Object.assign(new Result(), fields)
}

export type OpOutput = OpResult<unknown, OutputKey>
