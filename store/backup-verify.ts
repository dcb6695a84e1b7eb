/**
 * Backups looked at without a store: whether one is whole, and a store made of it.
 *
 * What vouches for the bytes is the manifest beside the file, which also tells where damage is, or
 * the SHA-256 behind the database, which all files of `etcdctl snapshot save` have. Bytes that are
 * what was written are then read as a store would read them: pages, history, leases.
 */

import { equalBytes } from '../base/bytes.ts'
import { CorruptionError, KvError } from '../base/errors.ts'
import type { Disk, DiskFile } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { DIGEST_BYTES, STRETCH_BYTES, Summing } from '../snapshot/checksums.ts'
import type { Sums } from '../snapshot/checksums.ts'
import { MANIFEST_BYTES_MAX, MANIFEST_SUFFIX, decodeManifest } from '../snapshot/manifest.ts'
import type { BackupManifest } from '../snapshot/manifest.ts'
import { bring, readImportJob } from './etcd-import.ts'
import type { Places } from './etcd-import.ts'
import { openEtcdFile } from './etcd-file.ts'
import type { EtcdFile, SourceFacts } from './etcd-file.ts'
import { readOptions, readPath } from './fields.ts'
import { nextTurn } from './pause.ts'
import { asResult } from './result.ts'
import type { RestoreBackupOptions, VerifiedBackup, VerifyBackupOptions } from './types/backup.ts'
import type { Progress } from './types/maintenance.ts'

const OPTIONS: ReadonlySet<string> = new Set(['signal', 'onProgress'])
const CHUNK_BYTES = 256 * 1024
/** etcd tells a snapshot from a bare database by this: no page is so small. */
const SECTOR_SIZE = 512
/** No more damaged places are named. */
const RANGES_MAX = 5

/** How a backup's bytes are looked at. */
export interface Look {
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: Progress) => void) | undefined
}

/** Bytes that are what was written. */
interface Sound {
  readonly manifest: BackupManifest | undefined
  readonly hasTrailer: boolean
  readonly sizeBytes: number
}

/**
 * Reads a backup whole and resolves where it is: a file that `backup` wrote, with its manifest or
 * with its trailer, or one of `etcdctl snapshot save`.
 *
 * @throws {KvError} `KV_CORRUPT` where a byte is not what was written, naming the ranges that are
 *   damaged where there is a manifest; `KV_NOT_FOUND`; `KV_BAD_FILE` (there is neither manifest nor
 *   trailer, or it is no store); `KV_BAD_VERSION`; `KV_LOCKED`, `KV_IO`; the signal's reason
 */
export async function verifyBackup(
  path: string,
  options?: VerifyBackupOptions,
): Promise<VerifiedBackup> {
  return await verifyBackupOn(new RealDisk(), path, options)
}

/** As `verifyBackup`, on any disk. */
export async function verifyBackupOn(
  disk: Disk,
  path: unknown,
  options?: unknown,
): Promise<VerifiedBackup> {
  const full = disk.resolve(readPath(path, 'path'))
  const fields = readOptions(options, OPTIONS)
  const look = { signal: fields.signal(), onProgress: fields.onProgress() }
  look.signal?.throwIfAborted()
  const { file, verified } = await openBackup(disk, full, { ...look, lockTimeoutMs: 0 })
  await file.engine.close()
  return verified
}

/**
 * Makes a store in `directory` of a backup that `verifyBackup` would find whole: nothing is made
 * before all of it was checked. The store goes on from the backup's revision, under a name of its
 * own: it shares no log with the one that was backed up.
 *
 * The directory must be empty or missing. Once the promise has resolved the store is durable and
 * can be opened; where it rejects, there is no store, and what was made of it is removed again.
 *
 * @throws {KvError} as `verifyBackup`; `KV_EXISTS` (the target holds something); `KV_LOCKED`,
 *   `KV_READ_ONLY`, `KV_NO_SPACE`, `KV_IO`; the signal's reason
 */
export async function restoreBackup(
  source: string,
  directory: string,
  options?: RestoreBackupOptions,
): Promise<VerifiedBackup> {
  return await restoreBackupOn(new RealDisk(), { source, directory }, options)
}

/** As `restoreBackup`, on any disk. */
export async function restoreBackupOn(
  disk: Disk,
  places: Places,
  options?: unknown,
): Promise<VerifiedBackup> {
  const source = disk.resolve(readPath(places.source, 'source'))
  const job = readImportJob(disk, places.directory, options)
  const { signal, lockTimeoutMs } = job
  const look = { signal, lockTimeoutMs, onProgress: undefined }
  const { file, verified } = await openBackup(disk, source, look)
  try {
    await bring(file, job)
    return verified
  } finally {
    await file.engine.close()
  }
}

interface Opened {
  readonly file: EtcdFile
  readonly verified: VerifiedBackup
}

/** Opens a backup that was found whole; whoever gets it closes its engine. */
export async function openBackup(
  disk: Disk,
  path: string,
  look: Look & { readonly lockTimeoutMs: number },
): Promise<Opened> {
  if (!disk.exists(path)) throw new KvError('KV_NOT_FOUND', `${path}: there is no such file`)
  const sound = await readSound(disk, path, look)
  const file = await openEtcdFile(disk, path, look)
  try {
    if (sound.manifest !== undefined) mustAgree(path, sound.manifest, file.facts)
    return { file, verified: verifiedOf(path, sound, file.facts) }
  } catch (error) {
    await file.engine.close()
    throw error
  }
}

function verifiedOf(path: string, sound: Sound, facts: SourceFacts): VerifiedBackup {
  const { head, compactedRevision, leaseCount } = facts
  const { revision, keyCount, revisionCount } = head
  return asResult({
    path,
    ...sound,
    revision,
    compactedRevision,
    keyCount,
    revisionCount,
    leaseCount,
  })
}

/** Reads all bytes, and throws where they are not what was written. */
async function readSound(disk: Disk, path: string, look: Look): Promise<Sound> {
  const manifest = readManifest(disk, `${path}${MANIFEST_SUFFIX}`)
  const file = disk.open(path, { mode: 'read' })
  try {
    const sizeBytes = file.size()
    if (manifest !== undefined) {
      if (sizeBytes !== manifest.sizeBytes) throw wrongSize(path, sizeBytes, manifest.sizeBytes)
      const { databaseBytes } = manifest
      const sums = await sumsOf(file, databaseBytes, look)
      mustMatch(path, sums, manifest)
      const hasTrailer = databaseBytes < sizeBytes
      if (hasTrailer) await mustHaveTrailer(file, databaseBytes, sums)
      return { manifest, hasTrailer, sizeBytes }
    }
    if (sizeBytes % SECTOR_SIZE !== DIGEST_BYTES) {
      const message = 'nothing vouches for it: it has no manifest beside it, and no checksum at its'
      throw new KvError('KV_BAD_FILE', `${path}: ${message} end`)
    }
    const databaseBytes = sizeBytes - DIGEST_BYTES
    await mustHaveTrailer(file, databaseBytes, await sumsOf(file, databaseBytes, look))
    return { manifest, hasTrailer: true, sizeBytes }
  } finally {
    file.close()
  }
}

function readManifest(disk: Disk, path: string): BackupManifest | undefined {
  if (!disk.exists(path)) return undefined
  const file = disk.open(path, { mode: 'read' })
  try {
    const size = file.size()
    if (size > MANIFEST_BYTES_MAX) {
      throw new KvError('KV_BAD_FILE', `${path}: it is no manifest of a backup: it is too long`)
    }
    const bytes = new Uint8Array(size)
    file.read(bytes, 0)
    return decodeManifest(bytes, path)
  } finally {
    file.close()
  }
}

function wrongSize(path: string, size: number, expected: number): CorruptionError {
  const shorter = size < expected
  const what = shorter
    ? `bytes ${size} to ${expected - 1} are missing`
    : `bytes ${expected} to ${size - 1} are not part of it`
  return new CorruptionError(`the backup is damaged: ${what}`, {
    file: path,
    offset: Math.min(size, expected),
  })
}

async function sumsOf(file: DiskFile, databaseBytes: number, look: Look): Promise<Sums> {
  const { signal, onProgress } = look
  const summing = new Summing()
  const room = new Uint8Array(Math.min(CHUNK_BYTES, databaseBytes))
  for (let position = 0; position < databaseBytes; position += room.length) {
    const chunk = room.subarray(0, Math.min(room.length, databaseBytes - position))
    const got = await file.readAsync(chunk, position)
    if (got < chunk.length) throw wrongSize(file.path, position + got, databaseBytes)
    summing.add(chunk)
    await nextTurn()
    signal?.throwIfAborted()
    onProgress?.({ doneBytes: position + chunk.length, totalBytes: databaseBytes })
  }
  return summing.end()
}

function mustMatch(path: string, sums: Sums, manifest: BackupManifest): void {
  const damaged: number[] = []
  manifest.crc32.forEach((crc, at) => {
    if (sums.crcs[at] !== Number.parseInt(crc, 16)) damaged.push(at)
  })
  const [first] = damaged
  const { databaseBytes } = manifest
  if (first !== undefined) {
    const ranges = damaged.slice(0, RANGES_MAX).map((at) => {
      const end = Math.min(databaseBytes, (at + 1) * STRETCH_BYTES)
      return `${at * STRETCH_BYTES} to ${end - 1}`
    })
    const more = damaged.length > RANGES_MAX ? ` and ${damaged.length - RANGES_MAX} more` : ''
    throw new CorruptionError(
      `the backup is damaged: bytes ${ranges.join(', ')}${more} differ from its manifest`,
      { file: path, offset: first * STRETCH_BYTES },
    )
  }
  if (Buffer.from(sums.sha256).toString('hex') === manifest.sha256) return
  throw new CorruptionError(
    `the backup is damaged: bytes 0 to ${databaseBytes - 1} have not the manifest's SHA-256`,
    { file: path, offset: 0 },
  )
}

async function mustHaveTrailer(file: DiskFile, databaseBytes: number, sums: Sums): Promise<void> {
  const told = new Uint8Array(DIGEST_BYTES)
  await file.readAsync(told, databaseBytes)
  if (equalBytes(told, sums.sha256)) return
  throw new CorruptionError(
    `the backup is damaged: the SHA-256 at its end, bytes ${databaseBytes} to ` +
      `${databaseBytes + DIGEST_BYTES - 1}, is not that of bytes 0 to ${databaseBytes - 1}`,
    { file: file.path, offset: databaseBytes },
  )
}

/** What the file holds must be what its manifest says. */
function mustAgree(path: string, manifest: BackupManifest, facts: SourceFacts): void {
  const { head, compactedRevision, leaseCount } = facts
  const { revision, keyCount, revisionCount } = head
  const found = { revision, compactedRevision, keyCount, revisionCount, leaseCount }
  for (const [name, value] of Object.entries(found)) {
    const told = manifest[name as keyof typeof found]
    if (told === value) continue
    const message = `its manifest says ${name} ${told}, and it holds ${value}`
    throw new CorruptionError(`the backup is not the manifest's: ${message}`, { file: path })
  }
}
