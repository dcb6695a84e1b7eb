/**
 * A transaction as JSON: the library's own plain data, `{ "compare", "success", "failure" }`, with
 * bytes as text (or as --hex and --base64 say), `{ "hex" }` or `{ "base64" }`, and numbers also as
 * decimal digits, as this program prints them.
 */
import { UsageError } from '../arguments.ts'
import type { BytesFormat } from './bytes.ts'
import { parseBytes } from './bytes.ts'

const LISTS: ReadonlySet<string> = new Set(['compare', 'success', 'failure'])
const BYTES: ReadonlySet<string> = new Set(['key', 'prefix', 'start', 'end', 'fromKey'])
const NUMBERS: ReadonlySet<string> = new Set([
  'revision',
  'limit',
  'minModRevision',
  'maxModRevision',
  'minCreateRevision',
  'maxCreateRevision',
])

type Fields = Readonly<Record<string, unknown>>

/** What `Store.txn` takes, which checks it. @throws {UsageError} where it is no JSON object */
export function readTxnJson(text: string, format: BytesFormat): Fields {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(`standard input is not JSON: ${what}`, { cause })
  }
  if (!isFields(json)) throw new UsageError('standard input is not a JSON object')
  return revive(json, format)
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function revive(fields: Fields, format: BytesFormat): Fields {
  return Object.fromEntries(
    Object.keys(fields).map((name) => [name, reviveField(fields, name, format)]),
  )
}

function reviveField(fields: Fields, name: string, format: BytesFormat): unknown {
  const value = fields[name]
  if (LISTS.has(name) && Array.isArray(value)) {
    return value.map((each: unknown) => (isFields(each) ? revive(each, format) : each))
  }
  if (BYTES.has(name)) return reviveBytes(value, format)
  if (NUMBERS.has(name)) return reviveNumber(value)
  if (name === 'lease') return reviveId(value)
  if (name !== 'value') return value
  switch (fields['target']) {
    case 'lease':
      return reviveId(value)
    case 'version':
    case 'createRevision':
    case 'modRevision':
      return reviveNumber(value)
    default:
      return reviveBytes(value, format)
  }
}

function reviveBytes(value: unknown, format: BytesFormat): unknown {
  if (typeof value === 'string') return parseBytes(value, format)
  if (!isFields(value)) return value
  if (typeof value['hex'] === 'string') return parseBytes(value['hex'], 'hex')
  if (typeof value['base64'] === 'string') return parseBytes(value['base64'], 'base64')
  return value
}

/** What isn't a number is left to the store to refuse. */
function reviveNumber(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
}

function reviveId(value: unknown): unknown {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  return typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? BigInt(value) : value
}
