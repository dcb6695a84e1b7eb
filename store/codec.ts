/**
 * Encodings: values in as bytes, keys and values out as what the encoding says. See
 * types/encoding.ts.
 *
 * What goes in is copied; what comes out is made anew, so nothing is shared with either side.
 */

import { formatBytes } from '../base/bytes.ts'
import { copyShort } from '../base/copy-range.ts'
import { KvError } from '../base/errors.ts'
import { decodeText, describeType, toBytes } from '../base/text.ts'
import type { Fields } from './fields.ts'
import { MsgpackError, decodeMsgpack } from './msgpack-reader.ts'
import { encodeMsgpack } from './msgpack-writer.ts'
import type { Encoding } from './types/encoding.ts'

export type OutputKey = string | Uint8Array

export interface Codec {
  readonly encoding: Encoding
  /** A value's bytes, owned. Throws a TypeError that begins with `name`. */
  readonly encodeValue: (value: unknown, name: string) => Uint8Array
  /** @throws {KvError} `KV_DECODE` */
  readonly decodeKey: (key: Uint8Array) => OutputKey
  /** @throws {KvError} `KV_DECODE`, naming the key */
  readonly decodeValue: (key: Uint8Array, value: Uint8Array) => unknown
}

/** Text or bytes as bytes of their own. */
export function ownBytes(value: unknown, name: string): Uint8Array {
  const bytes = toBytes(value, name)
  return bytes === value ? copyShort(bytes) : bytes
}

const utf8: Codec = {
  encoding: 'utf8',
  encodeValue: ownBytes,
  decodeKey: (key) => text(key, key, 'UTF-8'),
  decodeValue: (key, value) => text(key, value, 'UTF-8'),
}

const bytes: Codec = {
  encoding: 'bytes',
  encodeValue: ownBytes,
  decodeKey: copyShort,
  decodeValue: (_key, value) => copyShort(value),
}

const json: Codec = {
  encoding: 'json',
  encodeValue: encodeJson,
  decodeKey: utf8.decodeKey,
  decodeValue: decodeJson,
}

const msgpack: Codec = {
  encoding: 'msgpack',
  encodeValue: encodeMsgpack,
  decodeKey: utf8.decodeKey,
  decodeValue: decodePacked,
}

const CODECS: Readonly<Record<Encoding, Codec>> = { utf8, bytes, json, msgpack }
const ENCODINGS = ['utf8', 'bytes', 'json', 'msgpack'] as const

export function codecOf(encoding: Encoding): Codec {
  return CODECS[encoding]
}

/** The codec that a call names, else the store's. */
export function readCodec(fields: Fields, fallback: Codec): Codec {
  if (!fields.has('encoding')) return fallback
  return CODECS[fields.mustWord('encoding', ENCODINGS)]
}

function encodeJson(value: unknown, name: string): Uint8Array {
  let source: string | undefined
  try {
    source = JSON.stringify(value)
  } catch (error) {
    throw new TypeError(`${name}: it can't be written as JSON`, { cause: error })
  }
  if (source === undefined) {
    throw new TypeError(`${name}: ${describeType(value)} can't be written as JSON`)
  }
  return toBytes(source, name)
}

function decodeJson(key: Uint8Array, value: Uint8Array): unknown {
  const source = text(key, value, 'JSON')
  try {
    const decoded: unknown = JSON.parse(source)
    return decoded
  } catch (error) {
    throw undecodable(key, 'JSON', error)
  }
}

function decodePacked(key: Uint8Array, value: Uint8Array): unknown {
  try {
    return decodeMsgpack(value)
  } catch (error) {
    if (error instanceof MsgpackError) throw undecodable(key, 'MessagePack', error)
    throw error
  }
}

function text(key: Uint8Array, source: Uint8Array, expected: string): string {
  const decoded = decodeText(source)
  if (decoded === undefined) throw undecodable(key, expected)
  return decoded
}

function undecodable(key: Uint8Array, expected: string, cause?: unknown): KvError {
  return new KvError(
    'KV_DECODE',
    `key ${formatBytes(key)}: what is stored is no ${expected}; encoding 'bytes' can read it`,
    { cause },
  )
}
