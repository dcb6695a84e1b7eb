/**
 * What an archive directory holds (docs/archive.md): segments that the log let go of, and bases, so
 * that there is something to do their groups again on.
 *
 *   <sequence>-<first txid>.wal   a segment, as it was
 *   base-<txid>.db                a bbolt file: the state at a commit, without a log's mark
 *   base-<txid>.json              its manifest; a base without one is none
 *
 * The manifest is two lines, the second one the SHA-256 of the first, in hex. The first is a JSON
 * object: what the base is, of which log, and the SHA-256 of each MiB of the file.
 */

import { createHash } from 'node:crypto'
import { CorruptionError, KvError, isKvError } from '../base/errors.ts'
import type { Disk, DiskFile } from '../disk/disk.ts'
import type { LogIdentity } from '../wal/format.ts'
import { listOrNone } from '../wal/segment-files.ts'

/** The version of the manifest's format. */
export const ARCHIVE_VERSION = 1
/** The file is hashed in pieces of so many bytes. */
export const PIECE_BYTES: number = 1024 * 1024

const FORMAT = 'revbolt-base'
const NAME = /^base-([0-9a-f]{16})\.(db|json)(\.partial)?$/
const STORE_ID = /^[0-9a-f]{32}$/
const HASH = /^[0-9a-f]{64}$/
const U32_MAX = 2 ** 32 - 1

/** What a base is. */
export interface BaseFacts {
  /** The newest commit in it. */
  readonly txid: number
  /** The newest revision in it. */
  readonly revision: number
  /** No commit in it was made later than that, in ms since 1970. */
  readonly timeMs: number
}

/** A base as its manifest describes it. */
export interface ArchivedBase extends BaseFacts {
  /** The log that goes on from it. */
  readonly identity: LogIdentity
  readonly sizeBytes: number
  /** The SHA-256 of each piece of the file, in hex. */
  readonly hashes: readonly string[]
  /** The file's. */
  readonly path: string
  readonly manifestPath: string
}

/** The path of a base's file, without its ending. */
export function baseStem(disk: Disk, directory: string, txid: number): string {
  return disk.join(directory, `base-${txid.toString(16).padStart(16, '0')}`)
}

/** What is in an archive beside segments. */
export interface BaseNames {
  /** The txids of those that have a manifest, oldest first. */
  readonly txids: readonly number[]
  /** Names of what a power cut has left of others. */
  readonly leftOver: readonly string[]
}

export function findBases(disk: Disk, directory: string): BaseNames {
  const names = listOrNone(disk, directory).filter((name) => NAME.test(name))
  const stems = new Set(names.filter((n) => n.endsWith('.json')).map((n) => n.slice(0, -5)))
  const isWhole = (name: string): boolean => stems.has(name.replace(/\.(db|json)$/, ''))
  const txids = [...stems].map((stem) => Number.parseInt(stem.slice(5), 16))
  return { txids: txids.sort((a, b) => a - b), leftOver: names.filter((name) => !isWhole(name)) }
}

/**
 * Reads the manifests, oldest base first.
 * @throws {KvError} `KV_CORRUPT`, `KV_BAD_VERSION`
 */
export function readBases(disk: Disk, directory: string): ArchivedBase[] {
  return findBases(disk, directory).txids.map((txid) => {
    const stem = baseStem(disk, directory, txid)
    const base = decodeManifest(readText(disk, `${stem}.json`), stem)
    if (base.txid === txid) return base
    throw new CorruptionError(`it describes the base of ${base.txid}`, { file: `${stem}.json` })
  })
}

function readText(disk: Disk, path: string): string {
  const file = disk.open(path, { mode: 'read' })
  try {
    const bytes = new Uint8Array(file.size())
    file.read(bytes, 0)
    return Buffer.from(bytes).toString('latin1')
  } finally {
    file.close()
  }
}

export function encodeManifest(base: Omit<ArchivedBase, 'path' | 'manifestPath'>): Uint8Array {
  const { txid, revision, timeMs, identity, sizeBytes, hashes } = base
  const { storeId, logId, timeline } = identity
  const line = JSON.stringify({
    format: FORMAT,
    version: ARCHIVE_VERSION,
    txid,
    revision,
    timeMs,
    storeId: Buffer.from(storeId).toString('hex'),
    logId,
    timeline,
    sizeBytes,
    sha256: hashes,
  })
  return Buffer.from(`${line}\n${sha256(line)}\n`, 'latin1')
}

function decodeManifest(text: string, stem: string): ArchivedBase {
  const manifestPath = `${stem}.json`
  const damaged = (reason: string): CorruptionError =>
    new CorruptionError(`the manifest ${reason}`, { file: manifestPath, offset: 0 })
  const [line = '', sum, end, ...more] = text.split('\n')
  if (sum !== sha256(line) || end !== '' || more.length > 0) {
    throw damaged('is damaged: its checksum is wrong')
  }
  const fields = parse(line)
  if (fields?.['format'] !== FORMAT) throw damaged('describes no base')
  if (fields['version'] !== ARCHIVE_VERSION) {
    throw new KvError(
      'KV_BAD_VERSION',
      `${manifestPath}: of another format version; this release reads ${ARCHIVE_VERSION}`,
    )
  }
  const { storeId, sha256: hashes } = fields
  const integer = (name: string, max = Number.MAX_SAFE_INTEGER): number => {
    const value = fields[name]
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) {
      return value
    }
    throw damaged(`has no ${name} that can be`)
  }
  if (typeof storeId !== 'string' || !STORE_ID.test(storeId)) throw damaged('has no store id')
  const sizeBytes = integer('sizeBytes')
  const count = Math.ceil(sizeBytes / PIECE_BYTES)
  if (!isHashes(hashes) || hashes.length !== count) throw damaged('lacks hashes')
  const id = Uint8Array.from(Buffer.from(storeId, 'hex'))
  return {
    txid: integer('txid'),
    revision: integer('revision'),
    timeMs: integer('timeMs'),
    identity: {
      storeId: id,
      logId: integer('logId', U32_MAX),
      timeline: integer('timeline', U32_MAX),
    },
    sizeBytes,
    hashes,
    path: `${stem}.db`,
    manifestPath,
  }
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function isHashes(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string' && HASH.test(each))
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** Hashes a file's bytes piece by piece, as they come. */
export class PieceHashes {
  readonly #done: string[] = []
  #hash = createHash('sha256')
  #room = PIECE_BYTES

  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + this.#room)
      this.#hash.update(part)
      at += part.length
      this.#room -= part.length
      if (this.#room === 0) this.#end()
    }
  }

  finish(): readonly string[] {
    if (this.#room < PIECE_BYTES) this.#end()
    return this.#done
  }

  #end(): void {
    this.#done.push(this.#hash.digest('hex'))
    this.#hash = createHash('sha256')
    this.#room = PIECE_BYTES
  }
}

/** What is to be done with a base's bytes once they are known to be right, in order. */
export type TakePiece = (bytes: Uint8Array, position: number) => Promise<void>

/**
 * Reads a base's file and checks it against its manifest.
 * @throws {CorruptionError} where they differ, naming the piece by its offset; `signal.reason`
 */
export async function readBase(
  disk: Disk,
  base: ArchivedBase,
  { take, signal }: { readonly take?: TakePiece; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { path, sizeBytes, hashes } = base
  const file = openBase(disk, path)
  try {
    const found = file.size()
    if (found !== sizeBytes) {
      const reason = `${found} bytes are there, not the ${sizeBytes} that its manifest names`
      throw new CorruptionError(reason, { file: path, offset: Math.min(found, sizeBytes) })
    }
    for (const [i, hash] of hashes.entries()) {
      signal?.throwIfAborted()
      const position = i * PIECE_BYTES
      const bytes = new Uint8Array(Math.min(PIECE_BYTES, sizeBytes - position))
      await file.readAsync(bytes, position)
      if (sha256(bytes) !== hash) {
        const end = position + bytes.length
        const reason = `damaged: bytes ${position} to ${end} are not those that were written`
        throw new CorruptionError(reason, { file: path, offset: position })
      }
      await take?.(bytes, position)
    }
  } finally {
    file.close()
  }
}

function openBase(disk: Disk, path: string): DiskFile {
  try {
    return disk.open(path, { mode: 'read' })
  } catch (error) {
    if (!isKvError(error, 'KV_NOT_FOUND')) throw error
    throw new CorruptionError('it is missing, its manifest is there', { file: path })
  }
}
