/**
 * A store as one side of a comparison: a directory of ours that nobody has open, or a file: a
 * backup, a snapshot or a data file of etcd's. It is looked through whole before anything is told
 * of it, and nothing is written.
 */

import { assert } from '../base/assert.ts'
import type { Disk } from '../disk/disk.ts'
import { restore } from '../mvcc/restore.ts'
import type { ReadTxn } from '../mvcc/read-txn.ts'
import { MANIFEST_SUFFIX } from '../snapshot/manifest.ts'
import { openBackup } from './backup-verify.ts'
import { DirectoryStore } from './directory-store.ts'
import { findEtcdFile, openEtcdFile } from './etcd-file.ts'
import { openOn } from './open.ts'
import { nextTurn } from './pause.ts'

export interface DiffSource {
  readonly txn: ReadTxn
  close(): Promise<void>
}

/**
 * @throws {KvError} `KV_NOT_FOUND`, `KV_LOCKED`, `KV_BAD_FILE`, `KV_BAD_VERSION`, `KV_CORRUPT`,
 *   `KV_IO`; the signal's reason
 */
export async function openDiffSource(
  disk: Disk,
  path: string,
  signal: AbortSignal | undefined,
): Promise<DiffSource> {
  const isOurs = disk.exists(disk.join(path, 'db')) || disk.exists(disk.join(path, 'rollback'))
  return await (isOurs ? openDirectory(disk, path, signal) : openFile(disk, path, signal))
}

async function openDirectory(
  disk: Disk,
  path: string,
  signal: AbortSignal | undefined,
): Promise<DiffSource> {
  const store: unknown = await openOn(disk, path, { readOnly: true, signal })
  assert(store instanceof DirectoryStore, 'open() gives a store of a directory')
  const reading = store.reading()
  return {
    txn: reading.txn,
    close: async () => {
      reading.end()
      await store.close()
    },
  }
}

async function openFile(
  disk: Disk,
  path: string,
  signal: AbortSignal | undefined,
): Promise<DiffSource> {
  const look = { signal, onProgress: undefined, lockTimeoutMs: 0 }
  const { engine } = disk.exists(`${path}${MANIFEST_SUFFIX}`)
    ? (await openBackup(disk, path, look)).file
    : await openEtcdFile(disk, findEtcdFile(disk, path), look)
  const tx = engine.beginNow({ writable: false })
  const close = async (): Promise<void> => {
    tx.rollback()
    await engine.close()
  }
  try {
    const pause = async (): Promise<void> => {
      await nextTurn()
      signal?.throwIfAborted()
    }
    const mvcc = await restore(tx, { file: engine.path, pause })
    return { txn: mvcc.read(tx, mvcc.revision), close }
  } catch (error) {
    await close()
    throw error
  }
}
