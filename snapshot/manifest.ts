/**
 * The manifest of a backup: what the file beside it holds, and the checksums that tell whether it
 * still does.
 *
 * JSON, one field a line. The last field is the SHA-256 of all that stands before it, so no byte of
 * the manifest itself can change unnoticed: what is read must also be, byte for byte, what would be
 * written for what it says.
 */

import { createHash } from 'node:crypto'
import { CorruptionError, KvError } from '../base/errors.ts'
import { STRETCH_BYTES } from './checksums.ts'

/** The version of the manifest's format. */
export const MANIFEST_VERSION = 1
/** What the name of a backup's manifest ends with. */
export const MANIFEST_SUFFIX = '.manifest.json'

const FORMAT = 'revbolt backup'
/** No manifest of a file that could exist is longer. */
export const MANIFEST_BYTES_MAX: number = 256 * 1024 * 1024

/** What a backup is of and how to tell that it is whole. */
export interface BackupManifest {
  readonly format: 'revbolt backup'
  /** 1. */
  readonly formatVersion: number
  /** Which revbolt wrote it. */
  readonly softwareVersion: string
  /** The wall clock when the moment was pinned, in ms since 1970. */
  readonly timeMs: number
  /** The newest revision that the backup holds. */
  readonly revision: number
  /** The oldest one that can be read from it; 0: all that were ever made. */
  readonly compactedRevision: number
  /** `hashKV` at that revision. */
  readonly hashKV: number
  /** The engine's commit that was copied. */
  readonly txid: number
  /** Whose log goes on from there: 32 hexadecimal digits; null for a store that has none. */
  readonly storeId: string | null
  readonly logId: number | null
  readonly timeline: number | null
  /** Keys that exist at `revision`. */
  readonly keyCount: number
  /** Rows of history, tombstones included. */
  readonly revisionCount: number
  readonly leaseCount: number
  /** The whole file's length. */
  readonly sizeBytes: number
  /** How much of it is the database; the rest, 32 bytes or none, is the trailer. */
  readonly databaseBytes: number
  /** SHA-256 of the database, hexadecimal. */
  readonly sha256: string
  /** CRC-32 of each MiB of the database, eight hexadecimal digits each. */
  readonly crc32: readonly string[]
}

/** The manifest's text. */
export function encodeManifest(manifest: BackupManifest): string {
  const { crc32, ...facts } = manifest
  const lines = Object.entries(facts).map(([name, value]) => line(name, value))
  lines.push(line('crc32', crc32))
  const head = `{\n${lines.join(',\n')},\n`
  return `${head}${line('checksum', checksumOf(head))}\n}\n`
}

function line(name: string, value: unknown): string {
  return `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`
}

function checksumOf(head: string): string {
  return createHash('sha256').update(head, 'utf8').digest('hex')
}

/**
 * Reads a manifest's bytes.
 * @throws {KvError} KV_BAD_VERSION where a newer revbolt wrote it; KV_CORRUPT where it is damaged,
 *   KV_BAD_FILE where it is no manifest
 */
export function decodeManifest(bytes: Uint8Array, file: string): BackupManifest {
  const text = Buffer.from(bytes).toString('latin1')
  const { checksum, ...fields } = parse(text, file)
  const tail = `${line('checksum', checksum)}\n}\n`
  const head = text.slice(0, text.length - tail.length)
  if (!text.endsWith(tail) || checksum !== checksumOf(head)) {
    throw new CorruptionError(
      `the manifest is damaged: bytes 0 to ${bytes.length - 1} don't fit its checksum`,
      { file, offset: 0 },
    )
  }
  if (fields['format'] !== FORMAT) throw notOne(file)
  if (fields['formatVersion'] !== MANIFEST_VERSION) {
    const shown = JSON.stringify(fields['formatVersion']) ?? 'none'
    throw new KvError(
      'KV_BAD_VERSION',
      `${file}: a manifest of version ${shown}; this revbolt knows ${MANIFEST_VERSION}`,
    )
  }
  if (isManifest(fields)) return fields
  throw new KvError('KV_BAD_FILE', `${file}: it has not the fields of a backup's manifest`)
}

function parse(text: string, file: string): Record<string, unknown> {
  if (!text.startsWith('{')) throw notOne(file)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new CorruptionError(`the manifest is damaged: its ${text.length} bytes are no JSON`, {
      file,
      offset: 0,
    })
  }
  if (typeof value === 'object' && value !== null) return { ...value }
  throw notOne(file)
}

function notOne(file: string): KvError {
  return new KvError('KV_BAD_FILE', `${file}: it is no manifest of a backup`)
}

const COUNTS = [
  'timeMs',
  'revision',
  'compactedRevision',
  'hashKV',
  'txid',
  'keyCount',
  'revisionCount',
  'leaseCount',
  'sizeBytes',
  'databaseBytes',
] as const

/** The checksum was right: what is asked here is whether a revbolt could have written it. */
function isManifest(
  fields: Record<string, unknown>,
): fields is Record<string, unknown> & BackupManifest {
  const { databaseBytes, sizeBytes, crc32, storeId, sha256, softwareVersion } = fields
  if (!COUNTS.every((name) => isCount(fields[name]))) return false
  if (!isCount(databaseBytes) || !isCount(sizeBytes)) return false
  const hasPlace = ['logId', 'timeline'].every((name) => isCountOrNull(fields[name]))
  return (
    hasPlace &&
    typeof softwareVersion === 'string' &&
    (storeId === null || isHex(storeId, 32)) &&
    isHex(sha256, 64) &&
    Array.isArray(crc32) &&
    crc32.length === Math.ceil(databaseBytes / STRETCH_BYTES) &&
    crc32.every((sum) => isHex(sum, 8)) &&
    (sizeBytes === databaseBytes || sizeBytes === databaseBytes + 32)
  )
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isCountOrNull(value: unknown): boolean {
  return value === null || isCount(value)
}

function isHex(value: unknown, digits: number): boolean {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]*$/.test(value)
}
