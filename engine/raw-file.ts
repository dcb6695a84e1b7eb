/**
 * A bbolt file as bytes: its metas field by field, and its pages, whether they are right or not.
 *
 * `openEngine` refuses a file that it can't vouch for; this opens whatever is there, so that a
 * person can look at it. Nothing here is believed: a number is what the file says.
 */

import { isKvError } from '../base/errors.ts'
import { readU64 } from '../base/bytes.ts'
import type { Disk, DiskFile, LockMethod } from '../disk/disk.ts'
import { RealDisk } from '../disk/real-disk.ts'
import {
  META_MAGIC,
  META_SIZE,
  PAGE_BRANCH,
  PAGE_FREELIST,
  PAGE_HEADER_SIZE,
  PAGE_LEAF,
  PAGE_META,
  PAGE_SIZE_MAX,
  PAGE_SIZE_MIN,
  isPageSize,
} from './format.ts'
import type { Meta, MetaFault } from './meta.ts'
import { decodeMeta, fnv1a64 } from './meta.ts'

/** Pages that are looked at to guess a page size. */
const GUESS_PAGES = 64
/** Fewer pages in their place prove nothing. */
const GUESS_HITS_MIN = 2
const OPEN_ATTEMPTS_MAX = 5

/** What `openRawFile` takes. */
export interface RawFileOptions {
  /** Where the file is. Default: the machine's disk. */
  readonly disk?: Disk
  /** As in `EngineOptions`; the lock is a shared one. */
  readonly lock?: LockMethod | 'none'
  /** How long to wait for a writer, in ms. Default 0. */
  readonly lockTimeoutMs?: number
  /** The page size where the metas don't say it, or say it wrong. */
  readonly pageSizeBytes?: number
  /** Gives up waiting for the lock. */
  readonly signal?: AbortSignal
}

/** Where a page size comes from: `guess` is from pages that stand where it would put them. */
export type PageSizeSource = 'asked' | 'meta 0' | 'meta 1' | 'guess'

/** One of the two metas, as it stands in the file. 64-bit fields are bigints: they may be any. */
export interface RawMeta {
  readonly slot: 0 | 1
  /** Of the page, in bytes from the start of the file. */
  readonly offset: number
  readonly pageId: bigint
  readonly pageFlags: number
  readonly magic: number
  readonly version: number
  readonly pageSizeBytes: number
  readonly flags: number
  readonly rootPgid: bigint
  readonly rootSequence: bigint
  readonly freelistPgid: bigint
  readonly highWaterMark: bigint
  readonly txid: bigint
  readonly checksum: bigint
  /** What the checksum of the fields is. */
  readonly checksumOfFields: bigint
  /** Why it can't be used, for people; undefined where it can. */
  readonly fault: string | undefined
  /** The same meta, where it can be used. */
  readonly meta: Meta | undefined
}

/** A file that is looked at without being believed. `openRawFile` makes one; `close` lets it go. */
export class RawFile {
  readonly path: string
  readonly sizeBytes: number
  /** undefined: nothing in the file says it, and it can't be guessed. */
  readonly pageSizeBytes: number | undefined
  readonly pageSizeSource: PageSizeSource | undefined
  /** undefined where the file ends before it, or its place is not known. */
  readonly metas: readonly [RawMeta | undefined, RawMeta | undefined]
  readonly #file: DiskFile

  /** Takes over `file`. */
  constructor(file: DiskFile, pageSizeBytes: number | undefined) {
    this.#file = file
    this.path = file.path
    this.sizeBytes = file.size()
    const found = findPageSize(this, pageSizeBytes)
    this.pageSizeBytes = found?.sizeBytes
    this.pageSizeSource = found?.source
    this.metas = [
      readRawMeta(this, 0, 0, found?.sizeBytes),
      found === undefined ? undefined : readRawMeta(this, 1, found.sizeBytes, found.sizeBytes),
    ]
  }

  /** The metas that can be used, the newest first; the same order as when the file is opened. */
  get usableMetas(): readonly Meta[] {
    const metas = this.metas.flatMap((raw) => (raw?.meta === undefined ? [] : [raw.meta]))
    const fits = (meta: Meta): number =>
      meta.highWaterMark * meta.pageSizeBytes <= this.sizeBytes ? 0 : 1
    return metas.sort((a, b) => fits(a) - fits(b) || b.txid - a.txid || a.slot - b.slot)
  }

  /** Whether there is a meta's magic number in the file, right or wrong besides. */
  get hasMagic(): boolean {
    return this.metas.some((raw) => raw?.magic === META_MAGIC)
  }

  /** Up to `sizeBytes` bytes from `position` on: fewer where the file ends. */
  read(position: number, sizeBytes: number): Uint8Array {
    const room = Math.max(0, Math.min(sizeBytes, this.sizeBytes - position))
    const bytes = new Uint8Array(room)
    return bytes.subarray(0, this.#file.read(bytes, position))
  }

  /** Pages that begin within the file. */
  get pageCount(): number {
    return this.pageSizeBytes === undefined ? 0 : Math.ceil(this.sizeBytes / this.pageSizeBytes)
  }

  /** `count` pages from `pgid` on: fewer bytes where the file ends. */
  readPages(pgid: number, count: number): Uint8Array {
    const { pageSizeBytes = 0 } = this
    return this.read(pgid * pageSizeBytes, count * pageSizeBytes)
  }

  /** Closes the file and gives back its lock. */
  close(): void {
    this.#file.close()
  }
}

/**
 * Opens any file to look at it as bbolt pages. It is locked as a reader locks it.
 * @throws {KvError} KV_NOT_FOUND, KV_LOCKED, KV_LOCK_UNSUPPORTED, KV_IO
 */
export async function openRawFile(path: string, options: RawFileOptions = {}): Promise<RawFile> {
  const { pageSizeBytes } = options
  if (pageSizeBytes !== undefined && !isPageSize(pageSizeBytes)) {
    throw new RangeError(
      `pageSizeBytes: expected a power of two from ${PAGE_SIZE_MIN} to ${PAGE_SIZE_MAX}, ` +
        `got ${pageSizeBytes}`,
    )
  }
  const disk = options.disk ?? new RealDisk()
  const file = await openShared(disk, disk.resolve(path), options)
  try {
    return new RawFile(file, pageSizeBytes)
  } catch (error) {
    file.close()
    throw error
  }
}

/** A file renamed over it between opening and locking is opened in its place. */
async function openShared(disk: Disk, path: string, options: RawFileOptions): Promise<DiskFile> {
  const method = options.lock ?? 'auto'
  for (let attempt = 1; ; attempt++) {
    const file = disk.open(path, { mode: 'read' })
    if (method === 'none') return file
    try {
      const { signal, lockTimeoutMs: timeoutMs = 0 } = options
      await disk.lock(file, { kind: 'shared', method, timeoutMs, signal })
      return file
    } catch (error) {
      const named = disk.identityOf(path)
      const own = file.identity()
      const isSame = named?.device === own.device && named.inode === own.inode
      file.close()
      if (isSame || !isKvError(error, 'KV_IO') || attempt === OPEN_ATTEMPTS_MAX) throw error
    }
  }
}

interface FoundPageSize {
  readonly sizeBytes: number
  readonly source: PageSizeSource
}

function findPageSize(file: RawFile, asked: number | undefined): FoundPageSize | undefined {
  if (asked !== undefined) return { sizeBytes: asked, source: 'asked' }
  const first = readRawMeta(file, 0, 0, undefined)
  if (first?.meta !== undefined) {
    return { sizeBytes: first.meta.pageSizeBytes, source: 'meta 0' }
  }
  for (const isStrict of [true, false]) {
    for (let size = PAGE_SIZE_MIN; size <= PAGE_SIZE_MAX; size *= 2) {
      const second = readRawMeta(file, 1, size, size)
      const isRight = isStrict ? second?.meta !== undefined : second?.magic === META_MAGIC
      if (isRight && second?.pageSizeBytes === size) return { sizeBytes: size, source: 'meta 1' }
    }
    // Its checksum is wrong, but its page size makes sense.
    if (!isStrict && first?.magic === META_MAGIC && isPageSize(first.pageSizeBytes)) {
      return { sizeBytes: first.pageSizeBytes, source: 'meta 0' }
    }
  }
  return guessPageSize(file)
}

/** The page size under which most pages name their own place and a type. */
function guessPageSize(file: RawFile): FoundPageSize | undefined {
  let best: FoundPageSize | undefined
  let bestShare = 0
  for (let size = PAGE_SIZE_MIN; size <= PAGE_SIZE_MAX; size *= 2) {
    const last = Math.min(GUESS_PAGES, Math.floor(file.sizeBytes / size))
    let hits = 0
    for (let pgid = 2; pgid < last; pgid++) {
      const header = file.read(pgid * size, PAGE_HEADER_SIZE)
      if (header.length === PAGE_HEADER_SIZE && namesItself(header, pgid)) hits++
    }
    const share = last <= 2 ? 0 : hits / (last - 2)
    if (hits < GUESS_HITS_MIN || share <= bestShare) continue
    bestShare = share
    best = { sizeBytes: size, source: 'guess' }
  }
  return best
}

function namesItself(header: Uint8Array, pgid: number): boolean {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength)
  const flags = view.getUint16(8, true)
  if (readU64(view, 0) !== pgid) return false
  return flags === PAGE_BRANCH || flags === PAGE_LEAF || flags === PAGE_FREELIST
}

function readRawMeta(
  file: RawFile,
  slot: 0 | 1,
  offset: number,
  pageSizeBytes: number | undefined,
): RawMeta | undefined {
  const bytes = file.read(offset, PAGE_HEADER_SIZE + META_SIZE)
  if (bytes.length < PAGE_HEADER_SIZE + META_SIZE) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const at = PAGE_HEADER_SIZE
  const [low, high] = fnv1a64(bytes, at, at + META_SIZE - 8)
  const reading = decodeMeta(bytes, at, slot)
  const fields = {
    slot,
    offset,
    pageId: view.getBigUint64(0, true),
    pageFlags: view.getUint16(8, true),
    magic: view.getUint32(at, true),
    version: view.getUint32(at + 4, true),
    pageSizeBytes: view.getUint32(at + 8, true),
    flags: view.getUint32(at + 12, true),
    rootPgid: view.getBigUint64(at + 16, true),
    rootSequence: view.getBigUint64(at + 24, true),
    freelistPgid: view.getBigUint64(at + 32, true),
    highWaterMark: view.getBigUint64(at + 40, true),
    txid: view.getBigUint64(at + 48, true),
    checksum: view.getBigUint64(at + 56, true),
    checksumOfFields: (BigInt(high) << 32n) | BigInt(low),
  }
  if ('fault' in reading) {
    return { ...fields, fault: describeFault(reading.fault, fields), meta: undefined }
  }
  if (pageSizeBytes !== undefined && reading.meta.pageSizeBytes !== pageSizeBytes) {
    const fault = `it names a page size of ${fields.pageSizeBytes} and stands at ${offset}`
    return { ...fields, fault, meta: undefined }
  }
  return { ...fields, fault: undefined, meta: reading.meta }
}

function describeFault(
  fault: MetaFault,
  fields: { readonly magic: number; readonly pageFlags: number },
): string {
  switch (fault.kind) {
    case 'absent':
      return 'the file ends before it'
    case 'magic': {
      const magic = fields.magic.toString(16).padStart(8, '0')
      const isMeta = fields.pageFlags === PAGE_META ? ', though its page says it is a meta' : ''
      return `its magic number is 0x${magic}, not 0x${META_MAGIC.toString(16)}${isMeta}`
    }
    case 'big-endian':
      return 'it was written on a big-endian machine, which is not supported'
    case 'version':
      return `it has format version ${fault.version}, and only 2 is known`
    case 'checksum':
      return 'its checksum does not match its fields: a byte of it has changed, or a write was torn'
    case 'fields':
      return `its checksum is right, but it names an impossible ${fault.reason}`
  }
}
