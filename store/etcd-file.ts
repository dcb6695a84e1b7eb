/**
 * A file of etcd's, looked at before anything is taken from it: a database (`member/snap/db`), or
 * what `snapshot save` writes, which is one with the SHA-256 of its bytes behind it.
 *
 * All of it is read: the checksum, the pages, the history and the leases. So what is wrong with it
 * is told before there is a target.
 */

import { createHash } from 'node:crypto'
import { systemClock } from '../base/clock.ts'
import { equalBytes } from '../base/bytes.ts'
import { CorruptionError, KvError } from '../base/errors.ts'
import type { Disk } from '../disk/disk.ts'
import { openForLog } from '../engine/open-logged.ts'
import type { Engine, Tx } from '../engine/index.ts'
import { readLeaseRows } from '../lease/lease-rows.ts'
import { Lessor } from '../lease/lessor.ts'
import type { Head } from '../mvcc/mvcc.ts'
import { restore } from '../mvcc/restore.ts'
import { ALARM_CORRUPT, ALARM_NOSPACE, decodeAlarmMember } from '../proto/alarm-member.ts'
import { DecodeError } from '../proto/wire.ts'
import { nextTurn } from './pause.ts'
import type { AlarmType } from './types/maintenance.ts'

const HASH_SIZE = 32
/** etcd tells a snapshot from a bare database by this: no page is so small. */
const SECTOR_SIZE = 512
const CHUNK_BYTES = 1024 * 1024
/** Every file of etcd's has them. */
const BUCKETS_MIN = ['key', 'meta', 'lease'] as const
/** The versions of its schema that are known: those of etcd 3. */
const KNOWN_VERSION = /^3\.\d+\.\d+/

export interface SourceOptions {
  readonly lockTimeoutMs: number
  readonly signal: AbortSignal | undefined
}

/** What a file holds. */
export interface SourceFacts {
  readonly head: Head
  readonly compactedRevision: number
  readonly leaseCount: number
  readonly hadChecksum: boolean
  readonly consistentIndex: bigint | undefined
  readonly isAuthEnabled: boolean
  readonly alarms: readonly AlarmType[]
}

/** A file that was found sound, open for reading and locked against whoever writes. */
export interface EtcdFile {
  readonly engine: Engine
  readonly facts: SourceFacts
}

/**
 * The file that a path means: itself, or the database of a member's data directory.
 * @throws {KvError} KV_NOT_FOUND; KV_BAD_FILE where it is the directory of a store of ours
 */
export function findEtcdFile(disk: Disk, source: string): string {
  const path = disk.resolve(source)
  if (!disk.exists(path)) throw new KvError('KV_NOT_FOUND', `${path}: there is no such file`)
  const inside = disk.join(path, 'member', 'snap', 'db')
  if (disk.exists(inside)) return inside
  if (!disk.exists(disk.join(path, 'db'))) return path
  const message = 'it is the directory of a store already: open it, or copy it'
  throw new KvError('KV_BAD_FILE', `${path}: ${message}`)
}

/**
 * Opens a file and reads all of it.
 * @throws {KvError} KV_LOCKED where etcd runs on it; KV_BAD_FILE, KV_BAD_VERSION, KV_CORRUPT,
 *   KV_IO; the signal's reason
 */
export async function openEtcdFile(
  disk: Disk,
  path: string,
  options: SourceOptions,
): Promise<EtcdFile> {
  const { lockTimeoutMs, signal } = options
  const abort = signal === undefined ? {} : { signal }
  const engine = await openForLog(path, { disk, readOnly: true, lockTimeoutMs, ...abort })
  try {
    mustBeForeign(engine)
    const hadChecksum = await hasChecksum(disk, path, signal)
    await mustBeSound(engine, signal)
    return { engine, facts: { ...(await readFacts(engine, signal)), hadChecksum } }
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** What a store of ours has checkpointed is half of it: the log has the rest. */
function mustBeForeign(engine: Engine): void {
  if (engine.stamp?.isOwn !== true) return
  const message = 'it is the data file of a store already, and its log lies beside it: open the'
  throw new KvError('KV_BAD_FILE', `${engine.path}: ${message} directory, or copy it`)
}

/** Whether a checksum stands behind the database. @throws {CorruptionError} where it is wrong */
async function hasChecksum(
  disk: Disk,
  path: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const file = disk.open(path, { mode: 'read' })
  try {
    const end = file.size() - HASH_SIZE
    if (file.size() % SECTOR_SIZE !== HASH_SIZE) return false
    const hash = createHash('sha256')
    const chunk = new Uint8Array(CHUNK_BYTES)
    for (let position = 0; position < end; position += CHUNK_BYTES) {
      signal?.throwIfAborted()
      const part = chunk.subarray(0, Math.min(CHUNK_BYTES, end - position))
      await file.readAsync(part, position)
      hash.update(part)
    }
    const told = new Uint8Array(HASH_SIZE)
    await file.readAsync(told, end)
    if (equalBytes(told, hash.digest())) return true
    const message = 'the checksum at its end is not that of what is before it'
    throw new CorruptionError(`the snapshot is damaged: ${message}`, { file: path })
  } finally {
    file.close()
  }
}

async function mustBeSound(engine: Engine, signal: AbortSignal | undefined): Promise<void> {
  const { findings } = await engine.checkAsync(signal === undefined ? {} : { signal })
  const [first] = findings
  if (first === undefined) return
  const more = findings.length === 1 ? '' : ` (and ${findings.length - 1} more)`
  throw new CorruptionError(`${first.message}${more}`, { file: engine.path })
}

async function readFacts(
  engine: Engine,
  signal: AbortSignal | undefined,
): Promise<Omit<SourceFacts, 'hadChecksum'>> {
  const pause = async (): Promise<void> => {
    await nextTurn()
    signal?.throwIfAborted()
  }
  const tx = engine.beginNow({ writable: false })
  try {
    mustHaveSchema(tx, engine.path)
    const file = engine.path
    const lessor = new Lessor(systemClock)
    await readLeaseRows(tx, { file, pause, visit: (row) => lessor.load(row) })
    const mvcc = await restore(tx, { file, pause, leases: lessor })
    return {
      head: mvcc.head,
      compactedRevision: mvcc.compactedRevision,
      leaseCount: lessor.leaseCount,
      consistentIndex: readIndex(tx),
      isAuthEnabled: tx.bucket('auth')?.get('authEnabled')?.[0] === 1,
      alarms: readAlarms(tx, file),
    }
  } finally {
    tx.rollback()
  }
}

function mustHaveSchema(tx: Tx, file: string): void {
  const missing = BUCKETS_MIN.find((name) => tx.bucket(name) === undefined)
  if (missing !== undefined) {
    const message = `it is no data of etcd's: it has no bucket "${missing}"`
    throw new KvError('KV_BAD_FILE', `${file}: ${message}`)
  }
  const told = tx.bucket('meta')?.get('storageVersion')
  const version = told === undefined ? '3.5.0' : Buffer.from(told).toString('latin1')
  if (KNOWN_VERSION.test(version)) return
  const shown = JSON.stringify(version.slice(0, 40))
  throw new KvError('KV_BAD_VERSION', `${file}: it is of etcd's schema ${shown}, not of etcd 3`)
}

function readIndex(tx: Tx): bigint | undefined {
  const bytes = tx.bucket('meta')?.get('consistent_index')
  return bytes?.length === 8 ? Buffer.from(bytes).readBigUInt64BE() : undefined
}

function readAlarms(tx: Tx, file: string): readonly AlarmType[] {
  const types = new Set<AlarmType>()
  const cursor = tx.bucket('alarm')?.cursor()
  for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
    const alarm = decodeAlarm(entry.key, file)
    if (alarm === ALARM_NOSPACE) types.add('NOSPACE')
    if (alarm === ALARM_CORRUPT) types.add('CORRUPT')
  }
  return [...types]
}

function decodeAlarm(key: Uint8Array, file: string): number {
  try {
    return decodeAlarmMember(key).alarm
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new CorruptionError(`an alarm can't be read: ${error.message}`, { file })
  }
}
