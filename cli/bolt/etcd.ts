/**
 * What can be read in a file that etcd wrote, or that is in its schema: revisions, rows of the
 * bucket `key`, and what the bucket `meta` says.
 */
import type { Engine, Tx } from '../../engine/index.ts'
import type { RevisionKey, StoredKeyValue } from '../../index.ts'
import { decodeKeyValue, decodeRevisionKey } from '../../index.ts'
import type { Format, JsonBytes } from './value-format.ts'
import { jsonBytes, showBytes, textOf } from './value-format.ts'

/** The buckets that every file of etcd's has, from 3.0 on. */
const BUCKETS_MIN = ['key', 'meta', 'lease']

const KEY_BUCKET = 'key'

/** Whether the file is in etcd's schema. */
export function isEtcd(tx: Tx): boolean {
  return BUCKETS_MIN.every((name) => tx.bucket(name) !== undefined)
}

/** Whether these buckets lead to etcd's rows. */
export function isRowBucket(path: readonly Uint8Array[]): boolean {
  return path.length === 1 && path[0] !== undefined && textOf(path[0]) === KEY_BUCKET
}

/** A row of the bucket `key`. */
export interface Row {
  readonly revision: RevisionKey
  /** undefined where the value is no KeyValue. */
  readonly kv: StoredKeyValue | undefined
}

/** undefined where the key is no revision. */
export function readRow(key: Uint8Array, value: Uint8Array | undefined): Row | undefined {
  const revision = decodeRevisionKey(key)
  if (revision === undefined) return undefined
  try {
    return { revision, kv: value === undefined ? undefined : decodeKeyValue(value) }
  } catch {
    return { revision, kv: undefined }
  }
}

/** `{12, 0}`, and `{13, 0} deleted` for a tombstone. */
export function showRevision({ main, sub, isTombstone }: RevisionKey): string {
  return `{${main}, ${sub}}${isTombstone ? ' deleted' : ''}`
}

/** `"key" = "value"  create 2  mod 5  version 3  lease 0x…`. */
export function showKeyValue(kv: StoredKeyValue, isTombstone: boolean, format: Format): string {
  const key = showBytes(kv.key, format)
  if (isTombstone) return key
  const lease = kv.lease === 0n ? '' : `  lease ${showLease(kv.lease)}`
  const facts = `create ${kv.createRevision}  mod ${kv.modRevision}  version ${kv.version}${lease}`
  return `${key} = ${showBytes(kv.value, format)}  ${facts}`
}

/** As etcdctl shows it. */
function showLease(lease: bigint): string {
  return BigInt.asUintN(64, lease).toString(16).padStart(16, '0')
}

export interface JsonRow {
  readonly revision: RevisionKey
  readonly kv?: {
    readonly key: JsonBytes
    readonly createRevision: number
    readonly modRevision: number
    readonly version: number
    readonly value: JsonBytes
    /** Decimal digits. */
    readonly lease: string
  }
}

export function jsonRow({ revision, kv }: Row): JsonRow {
  if (kv === undefined) return { revision }
  const { createRevision, modRevision, version } = kv
  const [key, value] = [jsonBytes(kv.key), jsonBytes(kv.value)]
  const lease = kv.lease.toString()
  return { revision, kv: { key, createRevision, modRevision, version, value, lease } }
}

/** What a file in etcd's schema says of itself. */
export interface EtcdFacts {
  /** Rows of the bucket `key`: every change that is still kept. */
  readonly rows: number
  readonly tombstones: number
  /** The newest revision; undefined where there is no row. */
  readonly revision: number | undefined
  /** The oldest row's. */
  readonly firstRevision: number | undefined
  readonly compactedRevision: number | undefined
  /** Decimal digits. */
  readonly consistentIndex: string | undefined
  readonly term: string | undefined
  readonly storageVersion: string | undefined
  readonly clusterVersion: string | undefined
  readonly leases: number
  readonly members: number
  readonly isAuthEnabled: boolean
}

/** Reads the whole bucket `key`. undefined where the file is not in etcd's schema. */
export function readEtcdFacts(engine: Engine): EtcdFacts | undefined {
  return engine.view((tx) => (isEtcd(tx) ? factsOf(tx) : undefined))
}

function factsOf(tx: Tx): EtcdFacts {
  const meta = tx.bucket('meta')
  const finished = decodeOptional(meta?.get('finishedCompactRev'))
  const cluster = tx.bucket('cluster')?.get('clusterVersion')
  const version = meta?.get('storageVersion')
  return {
    ...countRows(tx),
    compactedRevision: finished?.main,
    consistentIndex: bigEndian(meta?.get('consistent_index')),
    term: bigEndian(meta?.get('term')),
    storageVersion: version === undefined ? undefined : textOf(version),
    clusterVersion: cluster === undefined ? undefined : textOf(cluster),
    leases: countKeys(tx, 'lease'),
    members: countKeys(tx, 'members'),
    isAuthEnabled: tx.bucket('auth')?.get('authEnabled')?.[0] === 1,
  }
}

function countRows(tx: Tx): Pick<EtcdFacts, 'rows' | 'tombstones' | 'revision' | 'firstRevision'> {
  let rows = 0
  let tombstones = 0
  let first: number | undefined
  let last: number | undefined
  const cursor = tx.bucket(KEY_BUCKET)?.cursor()
  for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
    rows++
    const revision = decodeRevisionKey(entry.key)
    if (revision === undefined) continue
    if (revision.isTombstone) tombstones++
    first ??= revision.main
    last = revision.main
  }
  return { rows, tombstones, revision: last, firstRevision: first }
}

function countKeys(tx: Tx, name: string): number {
  let count = 0
  const cursor = tx.bucket(name)?.cursor()
  for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) count++
  return count
}

function decodeOptional(key: Uint8Array | undefined): RevisionKey | undefined {
  return key === undefined ? undefined : decodeRevisionKey(key)
}

function bigEndian(bytes: Uint8Array | undefined): string | undefined {
  if (bytes?.length !== 8) return undefined
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0).toString()
}
