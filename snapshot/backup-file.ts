/**
 * Writes a backup to a file: its path names nothing, or all of it.
 *
 *   1. FILE.partial            the image, and its SHA-256 where a trailer is wanted; full sync;
 *                              read back and compared
 *   2. FILE.manifest.json.partial   the manifest; full sync
 *   3. the manifest gets its name; directory sync
 *   4. the file gets its name; directory sync
 *
 * So whoever finds the file finds the manifest too, and both are on the disk. A power cut between 3
 * and 4 leaves a manifest alone, which the next backup to the same path writes over.
 */

import { assert } from '../base/assert.ts'
import { equalBytes } from '../base/bytes.ts'
import { CorruptionError, KvError } from '../base/errors.ts'
import type { Disk, DiskFile, FileIdentity } from '../disk/disk.ts'
import type { BackupImage, Pace } from './backup-image.ts'
import { DIGEST_BYTES, STRETCH_BYTES, Stretches, Summing } from './checksums.ts'
import type { Sums } from './checksums.ts'
import { MANIFEST_SUFFIX, decodeManifest } from './manifest.ts'

const CHUNK_BYTES = 256 * 1024
const PARTIAL_SUFFIX = '.partial'

export interface BackupWriting {
  readonly image: BackupImage
  readonly pace: Pace
  /** Whether the SHA-256 of the image follows it. */
  readonly hasTrailer: boolean
  /** Told of bytes as they are written, */
  readonly onWritten: (count: number) => void
  /** and as they are read back. */
  readonly onReadBack: (count: number) => void
}

/** What goes to a path. */
export interface BackupTarget {
  readonly disk: Disk
  /** Absolute. */
  readonly path: string
  /** The text of the manifest of what was written. */
  readonly manifest: (sums: Sums) => string
}

/**
 * The bytes of a backup, with its trailer; `sums` is complete when they are through. A chunk is
 * valid until the next one is asked for.
 */
export async function* backupChunks(
  { image, pace, hasTrailer, onWritten }: BackupWriting,
  whenSummed: (sums: Sums) => void,
): AsyncGenerator<Uint8Array, void, void> {
  const summing = new Summing()
  for await (const chunk of image.chunks(pace)) {
    summing.add(chunk)
    yield chunk
    onWritten(chunk.length)
  }
  const sums = summing.end()
  whenSummed(sums)
  if (!hasTrailer) return
  yield sums.sha256
  onWritten(DIGEST_BYTES)
}

/**
 * Throws where a backup can't go to `path`.
 * @throws {KvError} KV_EXISTS
 */
export function mustBeVacant(disk: Disk, path: string): void {
  if (disk.exists(path)) {
    throw new KvError('KV_EXISTS', `${path}: it exists; a backup replaces nothing`)
  }
  const manifest = `${path}${MANIFEST_SUFFIX}`
  if (!disk.exists(manifest) || isManifest(disk, manifest)) return
  throw new KvError('KV_EXISTS', `${manifest}: it exists; a backup replaces nothing`)
}

/** Whether it is what a backup that was cut short has left. */
function isManifest(disk: Disk, path: string): boolean {
  const file = disk.open(path, { mode: 'read' })
  try {
    const bytes = new Uint8Array(file.size())
    file.read(bytes, 0)
    decodeManifest(bytes, path)
    return true
  } catch (error) {
    if (error instanceof KvError && error.code !== 'KV_IO') return false
    throw error
  } finally {
    file.close()
  }
}

/** A file that this backup has made, by whatever name. */
interface Made {
  readonly path: string
  readonly identity: FileIdentity
}

/** Writes a backup and its manifest. Where it rejects, neither is there. */
export async function writeBackup(target: BackupTarget, writing: BackupWriting): Promise<void> {
  const { disk, path } = target
  const manifestPath = `${path}${MANIFEST_SUFFIX}`
  const partial = `${path}${PARTIAL_SUFFIX}`
  const manifestPartial = `${manifestPath}${PARTIAL_SUFFIX}`
  mustBeVacant(disk, path)
  const made: Made[] = []
  const create = (name: string): DiskFile => {
    if (disk.exists(name)) disk.remove(name)
    const file = disk.open(name, { mode: 'createNew' })
    made.push({ path: name, identity: file.identity() })
    return file
  }
  try {
    const sums = await writeImage(create(partial), writing)
    await writeText(create(manifestPartial), target.manifest(sums))
    const directory = disk.directoryOf(path)
    const [image, manifest] = made as [Made, Made]
    mustBeVacant(disk, path)
    giveName(disk, manifest, manifestPath, made)
    await disk.syncDirectoryAsync(directory)
    // Others may have come meanwhile, and renaming would replace what they made.
    if (disk.exists(path)) mustBeVacant(disk, path)
    giveName(disk, image, path, made)
    await disk.syncDirectoryAsync(directory)
  } catch (error) {
    for (const one of made.toReversed()) removeMade(disk, one)
    throw error
  }
}

function giveName(disk: Disk, { path, identity }: Made, name: string, made: Made[]): void {
  if (!isSame(disk, { path, identity })) {
    const message = 'another backup is being written to the same place'
    throw new KvError('KV_EXISTS', `${path}: ${message}`)
  }
  disk.rename(path, name)
  made.push({ path: name, identity })
}

function isSame(disk: Disk, { path, identity }: Made): boolean {
  const found = disk.identityOf(path)
  return found?.inode === identity.inode && found.device === identity.device
}

/** As far as the disk lets: what made the backup fail may be in the way here, too. */
function removeMade(disk: Disk, made: Made): void {
  try {
    if (isSame(disk, made)) disk.remove(made.path)
  } catch (error) {
    if (!(error instanceof KvError)) throw error
  }
}

async function writeImage(file: DiskFile, writing: BackupWriting): Promise<Sums> {
  try {
    let sums: Sums | undefined
    let position = 0
    // A chunk is written while the next one is read and summed.
    let written = Promise.resolve()
    try {
      for await (const chunk of backupChunks(writing, (found) => (sums = found))) {
        await written
        written = file.writeAsync(chunk, position)
        // Whoever waits for it hears of it.
        written.catch(() => {})
        position += chunk.length
      }
    } finally {
      await written
    }
    await file.syncAsync('full')
    assert(sums !== undefined, 'a backup has a last chunk')
    await mustReadBack(file, position, { sums, writing })
    return sums
  } finally {
    file.close()
  }
}

/** What the disk gives back must be what it was given. */
async function mustReadBack(
  file: DiskFile,
  sizeBytes: number,
  written: { readonly sums: Sums; readonly writing: BackupWriting },
): Promise<void> {
  const { sums, writing } = written
  const { pace, image, onReadBack } = writing
  const summing = new Stretches()
  for await (const { chunk, position } of chunksOf(file, sizeBytes)) {
    const inImage = Math.max(0, Math.min(chunk.length, image.sizeBytes - position))
    summing.add(chunk.subarray(0, inImage))
    const trailer = sums.sha256.subarray(Math.max(0, position + inImage - image.sizeBytes))
    if (!equalBytes(chunk.subarray(inImage), trailer.subarray(0, chunk.length - inImage))) {
      throw unlike(file.path, position + inImage)
    }
    onReadBack(chunk.length)
    if (pace.isDue) await pace.pause()
  }
  const at = summing.end().findIndex((crc, i) => crc !== sums.crcs[i])
  if (at >= 0) throw unlike(file.path, at * STRETCH_BYTES)
}

/** A file's bytes. A chunk is valid until the next one is asked for; that is read meanwhile. */
async function* chunksOf(
  file: DiskFile,
  sizeBytes: number,
): AsyncGenerator<{ readonly chunk: Uint8Array; readonly position: number }, void, void> {
  const size = Math.min(CHUNK_BYTES, sizeBytes)
  const rooms: Uint8Array[] = [0, 1].map(() => new Uint8Array(size))
  const read = async (position: number): Promise<Uint8Array> => {
    const [room] = rooms.splice(0, 1) as [Uint8Array]
    rooms.push(room)
    const chunk = room.subarray(0, Math.min(room.length, sizeBytes - position))
    const got = await file.readAsync(chunk, position)
    if (got < chunk.length) throw unlike(file.path, position + got)
    return chunk
  }
  let next = read(0)
  try {
    for (let position = 0; position < sizeBytes; position += CHUNK_BYTES) {
      const chunk = await next
      if (position + CHUNK_BYTES < sizeBytes) next = read(position + CHUNK_BYTES)
      // Whoever waits for it hears of it.
      next.catch(() => {})
      yield { chunk, position }
    }
  } finally {
    // Nothing is read any more when the file is closed.
    await next.catch(() => {})
  }
}

function unlike(path: string, offset: number): CorruptionError {
  return new CorruptionError('the disk gave back something else than was written', {
    file: path,
    offset,
  })
}

async function writeText(file: DiskFile, text: string): Promise<void> {
  const bytes = Buffer.from(text, 'latin1')
  try {
    await file.writeAsync(bytes, 0)
    await file.syncAsync('full')
    const back = new Uint8Array(bytes.length)
    const got = await file.readAsync(back, 0)
    if (got < bytes.length || !equalBytes(back, bytes)) throw unlike(file.path, 0)
  } finally {
    file.close()
  }
}
