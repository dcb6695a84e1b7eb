/** The model's own encodings: values in, keys and values out. */
import { KvError } from '../../base/errors.ts'
import { decodeMsgpack } from '../../store/msgpack-reader.ts'
import { encodeMsgpack } from '../../store/msgpack-writer.ts'
import type { Encoding } from '../../store/types/encoding.ts'
import { readText, wrongType } from './fields.ts'
import type { ByteString } from './row.ts'
import { toByteString, toBytes } from './row.ts'

export const ENCODINGS: readonly Encoding[] = ['utf8', 'bytes', 'json', 'msgpack']

export function encodeValue(encoding: Encoding, name: string, value: unknown): ByteString {
  // Judged by a property of its own, against msgpackr; a second one here would only repeat it.
  if (encoding === 'msgpack') return toByteString(encodeMsgpack(value, name))
  if (encoding !== 'json') return readText(name, value)
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    throw new TypeError(`${name}: can't be written as JSON`, { cause: error })
  }
  if (text === undefined) throw wrongType(name, 'something that JSON can write')
  return readText(name, text)
}

export function decodeKey(encoding: Encoding, key: ByteString): string | Uint8Array {
  return encoding === 'bytes' ? toBytes(key) : decodeUtf8(key, key)
}

export function decodeValue(encoding: Encoding, key: ByteString, value: ByteString): unknown {
  if (encoding === 'bytes') return toBytes(value)
  if (encoding === 'msgpack') return unpack(key, value)
  const text = decodeUtf8(key, value)
  if (encoding === 'utf8') return text
  try {
    return JSON.parse(text)
  } catch (error) {
    throw notReadable(key, error)
  }
}

function unpack(key: ByteString, value: ByteString): unknown {
  try {
    return decodeMsgpack(toBytes(value))
  } catch (error) {
    throw notReadable(key, error)
  }
}

function decodeUtf8(key: ByteString, bytes: ByteString): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(toBytes(bytes))
  } catch (error) {
    throw notReadable(key, error)
  }
}

function notReadable(key: ByteString, cause: unknown): KvError {
  return new KvError('KV_DECODE', `key ${JSON.stringify(key)} can't be read in this encoding`, {
    cause,
  })
}
