/** What a file that is no bbolt file seems to be, from its first bytes. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'

interface Magic {
  readonly offset: number
  readonly hex: string
  readonly what: string
}

const MAGICS: readonly Magic[] = [
  { offset: 0, hex: '53514c69746520666f726d6174203300', what: 'an SQLite 3 database' },
  { offset: 16, hex: 'dec0efbe', what: 'an LMDB database (data.mdb)' },
  { offset: 16, hex: 'beefc0de', what: 'an LMDB database of a big-endian machine' },
  { offset: 16, hex: 'ed0cdaed', what: 'a bbolt database of a big-endian machine' },
  { offset: 0, hex: '726564621a0aa90d0a', what: 'a redb database' },
  { offset: 12, hex: '62310500', what: 'a Berkeley DB database' },
  { offset: 12, hex: '61150600', what: 'a Berkeley DB database' },
  { offset: 8, hex: '4455434b', what: 'a DuckDB database' },
  { offset: 0, hex: '1f8b', what: 'gzip-compressed' },
  { offset: 0, hex: '28b52ffd', what: 'zstd-compressed' },
  { offset: 0, hex: 'fd377a585a00', what: 'xz-compressed' },
  { offset: 0, hex: '425a68', what: 'bzip2-compressed' },
  { offset: 0, hex: '504b0304', what: 'a zip archive' },
  { offset: 257, hex: '7573746172', what: 'a tar archive' },
  { offset: 0, hex: '7f454c46', what: 'a program (ELF)' },
  { offset: 0, hex: '50415231', what: 'a Parquet file' },
]

const COMPRESSED = /compressed|archive/

const PROBE_SIZE = 4096

/** What it seems to be, and what to do about it. */
export interface FileKind {
  readonly what: string
  readonly hint: string | undefined
}

/** undefined where nothing is known of it. */
export function fileKind(path: string): FileKind | undefined {
  const bytes = Buffer.alloc(PROBE_SIZE)
  const descriptor = openSync(path, 'r')
  let size = 0
  try {
    size = readSync(descriptor, bytes, 0, PROBE_SIZE, 0)
  } finally {
    closeSync(descriptor)
  }
  if (size === 0) return { what: 'empty', hint: 'bbolt would make a new database of it' }
  const found = bytes.subarray(0, size)
  for (const { offset, hex, what } of MAGICS) {
    const magic = Buffer.from(hex, 'hex')
    if (!found.subarray(offset, offset + magic.length).equals(magic)) continue
    const hint = COMPRESSED.test(what) ? 'unpack it first' : undefined
    return { what, hint }
  }
  if (found.every((byte) => byte === 0)) {
    return { what: 'all zeros, as far as it was looked at', hint: RESTORE }
  }
  return isText(found) ? { what: 'text', hint: undefined } : undefined
}

const RESTORE = 'restore a backup: there is nothing in it to read'

function isText(bytes: Buffer): boolean {
  return bytes.every((byte) => (byte >= 0x20 && byte !== 0x7f) || (byte >= 9 && byte <= 13))
}

/** What to look at instead, where the path is a directory that holds a database. */
export function databaseIn(directory: string): string | undefined {
  for (const name of [join('member', 'snap', 'db'), join('snap', 'db'), 'db']) {
    const path = join(directory, name)
    if (existsSync(path)) return path
  }
  return undefined
}

export type PathKind = 'nothing' | 'directory' | 'file' | 'other'

/** What a path leads to. */
export function pathKind(path: string): PathKind {
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return 'nothing'
    if (stat.isDirectory()) return 'directory'
    return stat.isFile() ? 'file' : 'other'
  } catch {
    // Below a file, or behind a directory that may not be looked into.
    return 'other'
  }
}
