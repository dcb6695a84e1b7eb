/**
 * Keys and values of a store on the command line, and how they are shown.
 *
 *   text     in: as typed. Out: as it is where it is plain, printable text; text that isn't is
 *            quoted as JSON has it, what is no text at all is 0x and hex digits. So what is shown
 *            says what it is, on one line, and disturbs no terminal.
 *   hex, base64   in and out
 */
import { UsageError } from '../arguments.ts'
import type { Call, Options } from '../bolt/command.ts'
import type { JsonBytes } from '../bolt/value-format.ts'
import { hexOf, jsonBytes, textOf } from '../bolt/value-format.ts'
import { isPrintable } from '../format.ts'

export type BytesFormat = 'text' | 'hex' | 'base64'

export const BYTES_OPTIONS: Options = {
  hex: { type: 'boolean', help: 'keys and values are hex, as arguments and as output' },
  base64: { type: 'boolean', help: 'keys and values are base64, as arguments and as output' },
}

/** @throws {UsageError} */
export function readBytesFormat(call: Call): BytesFormat {
  const isHex = call.flag('hex')
  const isBase64 = call.flag('base64')
  if (isHex && isBase64) throw new UsageError('--hex and --base64: choose one')
  if (isHex) return 'hex'
  return isBase64 ? 'base64' : 'text'
}

/** @throws {UsageError} */
export function parseBytes(word: string, format: BytesFormat): Uint8Array {
  switch (format) {
    case 'text':
      if (word.isWellFormed()) return Buffer.from(word, 'utf8')
      throw new UsageError(`${JSON.stringify(word)} is no text: it has a lone surrogate`)
    case 'hex': {
      const digits = word.replace(/^0x/i, '')
      if (/^([0-9a-f]{2})*$/i.test(digits)) return Buffer.from(digits, 'hex')
      throw new UsageError(`${word} is not hex: two digits a byte, as in 00ff10`)
    }
    case 'base64': {
      const bytes = Buffer.from(word, 'base64')
      const isSame = bytes.toString('base64').replace(/=+$/, '') === word.replace(/=+$/, '')
      if (isSame && /^[A-Za-z0-9+/]*={0,2}$/.test(word)) return bytes
      throw new UsageError(`${word} is not base64`)
    }
  }
}

/** Bytes as a person wants to see them, on one line. */
export function showBytes(bytes: Uint8Array, format: BytesFormat): string {
  switch (format) {
    case 'text': {
      const text = textOf(bytes)
      if (text === undefined) return `0x${hexOf(bytes)}`
      return isPlain(text) ? text : quote(text)
    }
    case 'hex':
      return hexOf(bytes)
    case 'base64':
      return Buffer.from(bytes).toString('base64')
  }
}

/** Whether text shows what it is without quotes. */
function isPlain(text: string): boolean {
  return text !== '' && !/^\s|\s$|[\n\r\t]|^"|^0x/i.test(text) && isPrintable(text)
}

/** As JSON, with everything escaped that a terminal should not see. */
function quote(text: string): string {
  let quoted = ''
  for (const character of JSON.stringify(text)) {
    if (isPrintable(character)) quoted += character
    else for (let i = 0; i < character.length; i++) quoted += escapeUnit(character.charCodeAt(i))
  }
  return quoted
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}

/** Text of several lines that a terminal may see as it is; undefined where it may not. */
export function printableText(bytes: Uint8Array): string | undefined {
  const text = textOf(bytes)
  return text !== undefined && !text.includes('\r') && isPrintable(text) ? text : undefined
}

/**
 * A result as JSON: its fields as its own `toJSON` has them, so with numbers as decimal digits, but
 * bytes as all of this program shows them.
 */
export function jsonOf(value: unknown, format: BytesFormat): unknown {
  if (value instanceof Uint8Array) return jsonOfBytes(value, format)
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return value.map((each) => jsonOf(each, format))
  return typeof value === 'object' && value !== null ? jsonOfFields(value, format) : value
}

export function jsonOfFields(value: object, format: BytesFormat): Record<string, unknown> {
  const json: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(value)) {
    if (field !== undefined) json[name] = jsonOf(field, format)
  }
  return json
}

type Base64 = Omit<JsonBytes, 'hex'> & { readonly base64: string }

function jsonOfBytes(bytes: Uint8Array, format: BytesFormat): JsonBytes | Base64 {
  const json = jsonBytes(bytes)
  if (format !== 'base64') return json
  const { text } = json
  const base64 = Buffer.from(bytes).toString('base64')
  return text === undefined ? { base64 } : { base64, text }
}
