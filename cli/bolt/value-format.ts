/** Keys and values on the command line: how bytes are shown, and how they are read. */
import { UsageError } from '../arguments.ts'
import { isPrintable, printable } from '../format.ts'
import { readChoice } from './call.ts'
import type { Call, Option } from './command.ts'

const FORMATS = ['auto', 'text', 'hex', 'base64', 'json'] as const
export type Format = (typeof FORMATS)[number]

const KEY_FORMATS = ['auto', 'text', 'hex', 'base64', 'revision'] as const

export const FORMAT_OPTION: Option = {
  type: 'string',
  value: 'FORMAT',
  help: `how bytes are shown: ${FORMATS.join(', ')}. auto: "text" where it is printable, else 0x…`,
}

export const KEY_FORMAT_OPTION: Option = {
  type: 'string',
  value: 'FORMAT',
  help:
    `how names and keys are written here: ${KEY_FORMATS.join(', ')}. ` +
    'auto: 0x… is hex, the rest text; revision: 12/0, etcd’s, with t behind it for a tombstone',
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text that bytes are; undefined where they are no UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** @throws {UsageError} */
export function readFormat(call: Call): Format {
  const format = readChoice(call, 'format', FORMATS)
  if (call.isJson && call.text('format') !== undefined) {
    throw new UsageError('--format is for people; with --json bytes are always { "hex": … }')
  }
  return format
}

/** Bytes as a person wants to see them, on one line. */
export function showBytes(bytes: Uint8Array, format: Format = 'auto'): string {
  const text = format === 'hex' || format === 'base64' ? undefined : textOf(bytes)
  switch (format) {
    case 'auto':
      return text === undefined || !isPrintable(text) ? `0x${hexOf(bytes)}` : JSON.stringify(text)
    case 'text':
      return printable(text ?? Buffer.from(bytes).toString('latin1'))
    case 'hex':
      return `0x${hexOf(bytes)}`
    case 'base64':
      return Buffer.from(bytes).toString('base64')
    case 'json':
      return JSON.stringify(text ?? { hex: hexOf(bytes) })
  }
}

/** As `showBytes` in auto, cut after some bytes, which are then counted. */
export function showShort(bytes: Uint8Array, sizeMax: number): string {
  if (bytes.length <= sizeMax) return showBytes(bytes)
  // A character may be cut in two: drop what is left of it.
  let end = sizeMax
  while (end > sizeMax - 4 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  const whole = textOf(bytes.subarray(0, end))
  const shown = whole === undefined ? bytes.subarray(0, sizeMax) : bytes.subarray(0, end)
  return `${showBytes(shown)}… (${bytes.length} bytes)`
}

/** Bytes in JSON: hex always, and text where they are printable. */
export interface JsonBytes {
  readonly hex: string
  readonly text?: string
}

export function jsonBytes(bytes: Uint8Array): JsonBytes {
  const text = textOf(bytes)
  const hex = hexOf(bytes)
  return text === undefined || !isPrintable(text) ? { hex } : { hex, text }
}

/** A number that may not fit: a number where it is exact, else decimal digits. */
export function jsonNumber(value: bigint | number): number | string {
  if (typeof value === 'number') return value
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString()
}

/** Reads names and keys as `--key-format` says. @throws {UsageError} */
export function readKeys(call: Call, words: readonly string[]): readonly Uint8Array[] {
  const format = readChoice(call, 'key-format', KEY_FORMATS)
  return words.map((word, index) => {
    // The last one is the key; names of buckets are not revisions.
    const isName = format === 'revision' && index < words.length - 1
    return parseKey(word, isName ? 'auto' : format)
  })
}

export function parseKey(word: string, format: (typeof KEY_FORMATS)[number]): Uint8Array {
  switch (format) {
    case 'text':
      return Buffer.from(word, 'utf8')
    case 'hex':
      return parseHex(word.replace(/^0x/i, ''), word)
    case 'base64': {
      if (/^[A-Za-z0-9+/]+={0,2}$/.test(word)) return Buffer.from(word, 'base64')
      throw new UsageError(`${word} is not base64`)
    }
    case 'revision':
      return parseRevision(word)
    case 'auto':
      return /^0x/i.test(word) ? parseHex(word.slice(2), word) : Buffer.from(word, 'utf8')
  }
}

function parseHex(digits: string, word: string): Uint8Array {
  if (digits !== '' && digits.length % 2 === 0 && /^[0-9a-f]+$/i.test(digits)) {
    return Buffer.from(digits, 'hex')
  }
  throw new UsageError(`${word} is not hex: --key-format text takes it as it is`)
}

/** `12/0` and `12/0t`: the 17 or 18 bytes of etcd's key bucket. */
function parseRevision(word: string): Uint8Array {
  const match = /^(\d{1,19})\/(\d{1,19})(t?)$/.exec(word)
  const [, main, sub, mark] = match ?? []
  if (main === undefined || sub === undefined) {
    throw new UsageError(`${word} is not a revision: write 12/0, or 12/0t for a tombstone`)
  }
  const key = Buffer.alloc(mark === 't' ? 18 : 17)
  key.writeBigUInt64BE(BigInt(main), 0)
  key[8] = 0x5f
  key.writeBigUInt64BE(BigInt(sub), 9)
  if (mark === 't') key[17] = 0x74
  return key
}
