/**
 * Copying a database while it is used: `copyTo` page by page, `compactTo` key by key.
 *
 * Both read one pinned root, so writers go on. A copy to a path is written beside it under another
 * name, synced, and renamed into place: the path never names half a copy.
 */

import type { Writable } from 'node:stream'
import { once } from 'node:events'
import { KvError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import type { Bucket } from './bucket.ts'
import type { Core } from './core.ts'
import type { Cursor } from './cursor.ts'
import type { Engine } from './engine.ts'
import { encodeMetaPair } from './meta.ts'
import { MetBuckets } from './reach.ts'
import { PagesInMemory } from './pages-in-memory.ts'
import { unstamped } from './stamp.ts'
import type { Tx } from './tx.ts'

const CHUNK_BYTES = 1024 * 1024
const TX_BYTES_DEFAULT = 16 * 1024 * 1024

/** How far a copy has come. */
export interface CopyProgress {
  readonly bytes: number
  /**
   * Bytes in all; of a compaction, the bytes of the source's live keys are not known: undefined.
   */
  readonly totalBytes: number | undefined
}

/** What a copy takes. */
export interface CopyOptions {
  /** Called now and then. What it throws ends the copy, and nothing is left behind. */
  readonly onProgress?: (progress: CopyProgress) => void
  /** Gives up; nothing is left behind at the target. */
  readonly signal?: AbortSignal
}

/** What `compactTo` takes. */
export interface CompactOptions extends CopyOptions {
  /** Keys and values written in one transaction of the new file, in bytes. Default 16 MiB. */
  readonly txBytes?: number
}

/** Writes the pinned root's file, `tx.sizeBytes` long, to a stream. Does not end the stream. */
export async function copyToStream(
  core: Core,
  tx: Tx,
  stream: Writable,
  options: CopyOptions,
): Promise<void> {
  for await (const chunk of imageChunks(core, tx, options)) {
    if (!stream.write(chunk)) await once(stream, 'drain')
  }
}

/** Writes the pinned root's file to `path`, durably. */
export async function copyToPath(
  disk: Disk,
  core: Core,
  tx: Tx,
  target: { readonly path: string } & CopyOptions,
): Promise<void> {
  await intoPlace(disk, target.path, async (partial) => {
    const file = disk.open(partial, { mode: 'createNew' })
    try {
      let position = 0
      for await (const chunk of imageChunks(core, tx, target)) {
        await file.writeAsync(chunk, position)
        position += chunk.length
      }
      await file.syncAsync('full')
    } finally {
      file.close()
    }
  })
}

/**
 * The file as it was at the root of `tx`: its meta at T in slot T & 1 and the same state as T−1 in
 * the other, then the pages as they stand. Free pages come along with what is in them. Where
 * commits go into a log the root has no freelist, or one that a checkpoint may still be writing:
 * so the copy has none, and is scanned for it when it is opened.
 */
async function* imageChunks(core: Core, tx: Tx, options: CopyOptions): AsyncGenerator<Uint8Array> {
  const { sizeBytes } = tx
  const isLogged = core.logged !== undefined
  const meta = unstamped(isLogged ? { ...tx.meta, freelistPgid: undefined } : tx.meta)
  const inMemory = new PagesInMemory(core)
  yield encodeMetaPair(meta)
  let position = 2 * meta.pageSizeBytes
  while (position < sizeBytes) {
    options.signal?.throwIfAborted()
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, sizeBytes - position))
    const patches = inMemory.within(position, chunk.length)
    // Beyond the file's end all pages are in memory, until a checkpoint makes it longer.
    const due = isLogged ? Math.min(chunk.length, core.fileSizeBytes - position) : chunk.length
    const got = await core.file.readAsync(chunk, position)
    if (got < due) {
      throw core.pager.corruption(
        Math.floor((position + got) / meta.pageSizeBytes),
        'the file ends before it',
      )
    }
    for (const { bytes, at } of patches) chunk.set(bytes, at)
    yield chunk
    position += chunk.length
    options.onProgress?.({ bytes: position, totalBytes: sizeBytes })
  }
}

/**
 * Lets `write` make a file under another name, then renames it to `path` and syncs the directory.
 */
async function intoPlace(
  disk: Disk,
  path: string,
  write: (partial: string) => Promise<void>,
): Promise<void> {
  const target = disk.resolve(path)
  if (disk.exists(target))
    throw new KvError('KV_EXISTS', `${target}: it exists; a copy replaces nothing`)
  const partial = `${target}.partial`
  if (disk.exists(partial)) disk.remove(partial)
  try {
    await write(partial)
    disk.rename(partial, target)
    disk.syncDirectory(disk.directoryOf(target))
  } catch (error) {
    if (disk.exists(partial)) disk.remove(partial)
    throw error
  }
}

/**
 * Writes every bucket, sequence and key of the pinned root into a new file at `path`, in order, so
 * that its pages are full and it has next to no free ones.
 */
export async function compactToPath(
  disk: Disk,
  tx: Tx,
  target: {
    readonly path: string
    readonly openTarget: (path: string) => Promise<Engine>
  } & CompactOptions,
): Promise<void> {
  await intoPlace(disk, target.path, async (partial) => {
    const engine = await target.openTarget(partial)
    try {
      await copyKeys(tx, engine, target)
    } finally {
      await engine.close()
    }
  })
}

interface Level {
  readonly cursor: Cursor
  readonly name: Uint8Array | undefined
  isStarted: boolean
}

async function copyKeys(source: Tx, engine: Engine, options: CompactOptions): Promise<void> {
  const txBytes = options.txBytes ?? TX_BYTES_DEFAULT
  const levels: Level[] = [{ cursor: source.cursor(), name: undefined, isStarted: false }]
  const met = new MetBuckets()
  met.add(source.root)
  let tx = await engine.begin({ writable: true })
  let into = tx.root
  let pending = 0
  let done = 0
  try {
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const entry = level.isStarted ? level.cursor.next() : level.cursor.first()
      level.isStarted = true
      if (entry === undefined) {
        levels.pop()
        into = bucketAt(tx, levels)
        continue
      }
      const { key, value } = entry
      pending += key.length + (value?.length ?? 0)
      if (value === undefined) {
        const bucket = met.add(level.cursor.bucket.mustFindBucket(key))
        into = into.createBucket(key)
        if (bucket.sequence !== 0n) into.setSequence(bucket.sequence)
        levels.push({ cursor: bucket.cursor(), name: key.slice(), isStarted: false })
      } else {
        into.put(key, value)
      }
      if (pending < txBytes) continue
      done += pending
      pending = 0
      await tx.commitAsync()
      options.signal?.throwIfAborted()
      options.onProgress?.({ bytes: done, totalBytes: undefined })
      tx = await engine.begin({ writable: true })
      into = bucketAt(tx, levels)
    }
    await tx.commitAsync()
  } finally {
    tx.close()
  }
}

function bucketAt(tx: Tx, levels: readonly Level[]): Bucket {
  let bucket = tx.root
  for (const { name } of levels) if (name !== undefined) bucket = bucket.mustFindBucket(name)
  return bucket
}
