/** A log on a disk in memory, small enough that cuts and torn tails happen in every run. */
import { Random } from '../../base/random.ts'
import type { MemoryDisk } from '../../disk/memory-disk.ts'
import { encodeEntries } from '../../wal/group-writer.ts'
import type { LogEntry, LogGroup } from '../../base/log-group.ts'
import type { Log } from '../../wal/log.ts'
import type { SyncMode } from '../../wal/log-options.ts'
import { recoverLog } from '../../wal/recovery.ts'
import type { RecoverOptions, Recovery } from '../../wal/recovery.ts'

export const DIRECTORY = '/data/wal'
export const STORE_ID: Uint8Array = new Uint8Array(16).fill(7)
export const LOG_ID = 42

export interface TestLogOptions {
  readonly fromTxid?: number
  readonly syncMode?: SyncMode
  readonly segmentBytes?: number
  readonly seed?: number
  readonly isCreated?: boolean
  readonly syncedThrough?: number
  readonly maxPendingBytes?: number
  readonly emergencyBytes?: number
}

export function recoverOptions(disk: MemoryDisk, options: TestLogOptions = {}): RecoverOptions {
  const { fromTxid = 0, syncMode = 'full', segmentBytes = 2048, seed = 1 } = options
  const { isCreated = true, syncedThrough, maxPendingBytes, emergencyBytes = 0 } = options
  const random = new Random(seed)
  return {
    disk,
    directory: DIRECTORY,
    storeId: STORE_ID,
    logId: LOG_ID,
    fromTxid,
    syncedThrough,
    isCreated,
    log: { syncMode, segmentBytes, random, maxPendingBytes, emergencyBytes },
  }
}

export function recover(disk: MemoryDisk, options: TestLogOptions = {}): Recovery {
  if (!disk.exists('/data')) {
    disk.makeDirectory('/data')
    disk.syncDirectory('/')
  }
  return recoverLog(recoverOptions(disk, options))
}

export function openTestLog(disk: MemoryDisk, options: TestLogOptions = {}): Log {
  return recover(disk, options).start()
}

/** Whether the groups are the same, byte for byte. */
export function sameGroups(some: readonly LogGroup[], others: readonly LogGroup[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ txid, entries }, i) => {
      const other = others[i]
      if (other === undefined || other.txid !== txid) return false
      const bytes = encodeEntries(entries)
      return Buffer.compare(bytes, encodeEntries(other.entries)) === 0
    })
  )
}

const PATH = [new Uint8Array([107, 101, 121])]

/** Group `txid` of the history that `history` names: the same bytes each time. */
export function groupOf(txid: number, history = 0, sizeMax = 300): LogGroup {
  const random = new Random(txid * 64 + history)
  const entries: LogEntry[] = []
  for (let i = random.below(3); i >= 0; i--) {
    const key = random.fill(new Uint8Array(17))
    const value = random.fill(new Uint8Array(random.below(sizeMax)))
    const op = { op: 'put', path: PATH, key, value } as const
    entries.push({ revision: txid, timeMs: 1_700_000_000_000 + txid, ops: [op] })
  }
  return { txid, entries }
}
