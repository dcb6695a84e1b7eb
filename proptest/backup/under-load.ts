/**
 * Backups made while everything is written to: the store's whole load, with compactions and
 * checkpoints, and backups to files and streams that begin at any moment of it.
 *
 * What is claimed of each backup: it is whole; what is restored from it stands at the revision that
 * its manifest names and shows at every revision what was written; its hash is the manifest's.
 */

import { PassThrough } from 'node:stream'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/index.ts'
import type { BackupManifest } from '../../snapshot/manifest.ts'
import { restoreBackupOn } from '../../store/backup-verify.ts'
import { openOn } from '../../store/open.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import { History, nextWrite, stateFault } from '../durability/history.ts'

const WRITES_MAX = 400
const WRITES_AT_ONCE = 8

/** What the runs have met; without each of them they prove little. */
export interface Tally {
  streams: number
  files: number
  compacted: number
  copied: number
  /** Writes that came after the moment of a backup and before its end. */
  overtaken: number
}

export function newTally(): Tally {
  return { streams: 0, files: 0, compacted: 0, copied: 0, overtaken: 0 }
}

interface Made {
  readonly path: string
  readonly manifest: BackupManifest
}

export async function backUpUnderLoad(seed: number, tally: Tally): Promise<void> {
  const random = new Random(seed)
  const disk = new MemoryDisk({ seed })
  const options = { checkpointBytes: 32 * 1024, cacheBytes: 128 * 1024 }
  const store = await openOn(disk, '/data', options, { segmentBytes: 64 * 1024 })
  const history = new History()
  await write(store, history, { random, count: random.below(200) })
  let isOver = false
  const making: Promise<Made>[] = []
  const load = async (): Promise<void> => {
    for (let left = random.between(100, WRITES_MAX); left > 0; left -= WRITES_AT_ONCE) {
      await write(store, history, { random, count: WRITES_AT_ONCE })
      if (making.length < 3 && random.chance(0.2)) {
        making.push(backUp(store, disk, { number: making.length, random, history, tally }))
        making.at(-1)?.catch(() => {})
      }
      if (!random.chance(0.1)) continue
      const revision = random.between(1, history.revision)
      const { compactedRevision = 0 } = await store.status()
      if (revision > compactedRevision) await store.compact(revision, { physical: true })
    }
    isOver = true
  }
  await load()
  making.push(backUp(store, disk, { number: making.length, random, history, tally }))
  const made = await Promise.all(making)
  await store.close()
  if (!isOver) throw new Error('the load has not ended')
  for (const one of made) await mustHold(disk, one, { history, tally })
}

interface Load {
  readonly random: Random
  readonly count: number
}

async function write(store: BuiltLocalStore, history: History, { random, count }: Load) {
  const done: Promise<unknown>[] = []
  for (let i = 0; i < count; i++) {
    const { apply, call } = nextWrite(random)
    history.add(apply)
    done.push(call(store))
  }
  await Promise.all(done)
}

interface Asked {
  readonly number: number
  readonly random: Random
  readonly history: History
  readonly tally: Tally
}

async function backUp(store: BuiltLocalStore, disk: MemoryDisk, asked: Asked): Promise<Made> {
  const { number, random, history, tally } = asked
  const path = `/backup-${number}.db`
  if (random.chance(0.5)) {
    tally.files++
    const { manifest, copiedPages } = await store.backup(path)
    note(manifest, { copiedPages, history, tally })
    return { path, manifest }
  }
  tally.streams++
  const stream = new PassThrough({ highWaterMark: 64 })
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  const { manifest, manifestText, copiedPages } = await store.backup(stream)
  disk.writeFile(path, Buffer.concat(chunks))
  disk.writeFile(`${path}.manifest.json`, Buffer.from(manifestText))
  note(manifest, { copiedPages, history, tally })
  return { path, manifest }
}

interface Noted {
  readonly copiedPages: number
  readonly history: History
  readonly tally: Tally
}

function note({ revision }: BackupManifest, { copiedPages, history, tally }: Noted): void {
  if (copiedPages > 0) tally.copied++
  if (revision < history.revision) tally.overtaken++
}

async function mustHold(
  disk: MemoryDisk,
  { path, manifest }: Made,
  { history, tally }: { readonly history: History; readonly tally: Tally },
): Promise<void> {
  const engine = await openEngine(path, { disk })
  const { findings } = engine.check()
  await engine.close()
  if (findings.length > 0) throw new Error(`${path}: ${findings[0]?.message}`)
  const directory = `${path}-restored`
  await restoreBackupOn(disk, { source: path, directory })
  const store = await openOn(disk, directory)
  const { revision, compactedRevision = 0 } = await store.status()
  const { hash } = await store.hashKV()
  if (compactedRevision > 0) tally.compacted++
  const found = JSON.stringify({ revision, compactedRevision, hash })
  const told = JSON.stringify({
    revision: manifest.revision,
    compactedRevision: manifest.compactedRevision,
    hash: manifest.hashKV,
  })
  if (found !== told) throw new Error(`${path}: it holds ${found}, its manifest says ${told}`)
  for (let at = Math.max(1, compactedRevision); at <= revision; at++) {
    const fault = await stateFault(store, history, at)
    if (fault !== undefined) throw new Error(`${path}: ${fault}`)
  }
  await store.close()
}
