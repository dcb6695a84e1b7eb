/**
 * Makes a base: a copy of the newest durable state, while commits go on.
 *
 *   1. base-<txid>.db.partial    the copy, hashed as it is written; full sync
 *   2. rename to base-<txid>.db; directory sync
 *   3. the file is read again and must be what was written
 *   4. the log is flushed up to the base, where it was not said to be on the disk
 *   5. base-<txid>.json.partial  the manifest; full sync; rename; directory sync: now it counts
 *
 * What is cut short before the end of 5 is no base, and removed when the store is opened next.
 */

import { Writable } from 'node:stream'
import type { Disk, DiskFile } from '../disk/disk.ts'
import type { Engine } from '../engine/engine.ts'
import type { Tx } from '../engine/tx.ts'
import type { Log } from '../wal/log.ts'
import { PieceHashes, baseStem, encodeManifest, readBase } from './archive-files.ts'
import type { ArchivedBase, BaseFacts } from './archive-files.ts'

export interface BaseSource {
  readonly disk: Disk
  /** The archive's directory; it is there, durably. */
  readonly directory: string
  readonly engine: Engine
  readonly log: Log
  /** What the state that `tx` reads is, beside its txid. */
  readonly describe: (tx: Tx) => Omit<BaseFacts, 'txid'>
}

export async function writeBase(
  { disk, directory, engine, log, describe }: BaseSource,
  signal?: AbortSignal,
): Promise<ArchivedBase> {
  const tx = engine.beginNow({ writable: false })
  try {
    const facts = { ...describe(tx), txid: tx.id }
    const stem = baseStem(disk, directory, tx.id)
    const path = `${stem}.db`
    const options = signal === undefined ? {} : { signal }
    const { sizeBytes, hashes } = await writeWhole(disk, path, async (file) => {
      const sink = new FileSink(file)
      // No commit became visible since `tx` began: it is of the same root.
      await engine.copyTo(sink, options)
      return { sizeBytes: sink.sizeBytes, hashes: sink.hashes.finish() }
    })
    const named = { ...facts, identity: log.identity, sizeBytes, hashes }
    const base: ArchivedBase = { ...named, path, manifestPath: `${stem}.json` }
    await readBase(disk, base, { signal })
    await log.flush(base.txid)
    await writeWhole(disk, base.manifestPath, async (file) => {
      await file.writeAsync(encodeManifest(named), 0)
    })
    return base
  } finally {
    tx.close()
  }
}

/** Lets `write` make a file beside `path` and gives it its name, durably. */
async function writeWhole<T>(
  disk: Disk,
  path: string,
  write: (file: DiskFile) => Promise<T>,
): Promise<T> {
  const partial = `${path}.partial`
  const file = disk.open(partial, { mode: 'create' })
  let written: T
  try {
    file.truncate(0)
    written = await write(file)
    await file.syncAsync('full')
  } catch (error) {
    file.close()
    removeQuietly(disk, partial)
    throw error
  }
  file.close()
  disk.rename(partial, path)
  await disk.syncDirectoryAsync(disk.directoryOf(path))
  return written
}

/** For room that a full disk lacks; what can't be removed now is when the store is opened next. */
function removeQuietly(disk: Disk, path: string): void {
  try {
    disk.remove(path)
  } catch {
    // What brought us here is told.
  }
}

/** Writes into a file what comes, and hashes it. */
class FileSink extends Writable {
  readonly hashes: PieceHashes = new PieceHashes()
  sizeBytes = 0
  readonly #file: DiskFile

  constructor(file: DiskFile) {
    // Full with any write, so that each is waited for.
    super({ highWaterMark: 1 })
    this.#file = file
  }

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    void this.#write(bytes, done)
  }

  async #write(bytes: Uint8Array, done: (error?: Error) => void): Promise<void> {
    const position = this.sizeBytes
    this.sizeBytes += bytes.length
    this.hashes.add(bytes)
    try {
      await this.#file.writeAsync(bytes, position)
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)))
      return
    }
    done()
  }
}
