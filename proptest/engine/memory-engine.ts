/** A fresh engine on a disk in memory, and short forms for what tests say about it. */

import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/engine.ts'
import type { Bucket, Engine, Entry, Tx } from '../../engine/index.ts'
import type { EngineOptions } from '../../engine/options.ts'

export const DB_PATH = '/db'

export interface MemoryEngine {
  readonly disk: MemoryDisk
  readonly engine: Engine
}

/**
 * Opens an engine on `disk`, or on an empty one of its own, with pages of 1 KiB where it is new.
 */
export async function openInMemory(
  options: EngineOptions = {},
  disk: MemoryDisk = new MemoryDisk(),
): Promise<MemoryEngine> {
  const engine = await openEngine(DB_PATH, { disk, pageSizeBytes: 1024, lock: 'none', ...options })
  return { disk, engine }
}

/** Runs `fn` on a fresh engine, then demands a clean check of what it left, and closes it. */
export async function withEngine(
  fn: (engine: Engine, disk: MemoryDisk) => Promise<void> | void,
  options: EngineOptions = {},
): Promise<void> {
  const { engine, disk } = await openInMemory(options)
  try {
    await fn(engine, disk)
    if (engine.isOpen) mustBeClean(engine)
  } finally {
    await engine.close()
  }
}

export function mustBeClean(engine: Engine): void {
  const { findings } = engine.check()
  if (findings.length > 0) throw new Error(`check: ${JSON.stringify(findings.slice(0, 5))}`)
}

/** The bucket `name`, which must be there. */
export function bucketOf(door: Tx | Bucket, name: string): Bucket {
  const bucket = door.bucket(name)
  if (bucket === undefined) throw new Error(`there is no bucket ${name}`)
  return bucket
}

/** A key as text; undefined for no entry. */
export function keyText(entry: Entry | undefined): string | undefined {
  return entry === undefined ? undefined : Buffer.from(entry.key).toString('latin1')
}

/** All keys of a bucket as text, in order. */
export function keysOf(door: Tx | Bucket): string[] {
  const keys: string[] = []
  const cursor = door.cursor()
  for (let e = cursor.first(); e !== undefined; e = cursor.next()) keys.push(keyText(e) ?? '')
  return keys
}
