/**
 * Opening a file: making it, finding its page size, choosing between its two metas, finding out
 * which pages are free.
 *
 * The page size is found as bbolt finds it: from meta 0 where it validates, else by trying
 * meta 1 at 1 KiB, 2 KiB, … 16 MiB. The meta with the higher txid wins; the other one is used where
 * that one is damaged, and the report says so.
 *
 * Before a writable file is used its newest meta is written again with the same bytes and synced,
 * and so is its directory: a process that was killed between its last write and its last sync
 * leaves a commit that only the page cache knows, and what a reader has seen must not go away.
 */

import { equalBytes } from '../base/bytes.ts'
import { CorruptionError, KvError, isKvError } from '../base/errors.ts'
import type { Disk, DiskFile } from '../disk/disk.ts'
import { Core } from './core.ts'
import { decodeFreelistPage, encodeFreelistPage } from './freelist-page.ts'
import { PAGE_HEADER_SIZE, PAGE_LEAF, isPageSize } from './format.ts'
import type { Meta, MetaFault, MetaReading } from './meta.ts'
import { decodeMeta, encodeMetaPage } from './meta.ts'
import { PageSet } from './page-set.ts'
import { Pager } from './pager.ts'
import { reachablePages } from './reachable.ts'
import { sealRun } from './seal.ts'

const PROBE_SIZE = 4096
const PROBE_STEPS = 15
/** Pages of an empty database. */
const IMAGE_PAGES = 4

/** What opening found and did. */
export interface OpenReport {
  /** The file was made by this call. */
  readonly isNew: boolean
  readonly txid: number
  /** Set when a meta page could not be used, so that the file stands at the other one. */
  readonly fallback: { readonly slot: 0 | 1; readonly reason: string } | undefined
}

export interface OpenSetup {
  readonly disk: Disk
  readonly file: DiskFile
  readonly writable: boolean
  readonly pageSizeBytes: number
  readonly persistFreelist: boolean
  readonly generation: 'newest' | 'previous'
  readonly cacheBytes: number
  readonly isStrict: boolean
  /** Throws where a file that stands at `meta` is not to be opened so. */
  readonly accept: (meta: Meta, isWritable: boolean) => void
}

export function openCore(setup: OpenSetup): { core: Core; report: OpenReport } {
  const { file, writable } = setup
  const isNew = writable && isUnborn(file)
  if (isNew) createImage(setup)
  const { pageSizeBytes, readings } = readMetas(file)
  const { meta, other, passedOver, fallback } = chooseMeta(setup, readings)
  setup.accept(meta, writable)
  const pager = new Pager(file, pageSizeBytes, setup.cacheBytes, setup.isStrict)
  const core = new Core(file, pager, meta, setup.persistFreelist)
  if (writable) {
    core.passedOverSlot = passedOver
    if (!isNew) confirmMeta(setup, meta)
    loadFreelist(core, other)
  } else if (other !== undefined && other.txid < meta.txid) {
    core.previous = other
  }
  return { core, report: { isNew, txid: meta.txid, fallback } }
}

/** The four pages of an empty database, as bbolt lays them out. */
export function emptyImage(pageSizeBytes: number): Uint8Array {
  const image = new Uint8Array(IMAGE_PAGES * pageSizeBytes)
  const base = { pageSizeBytes, flags: 0, rootPgid: 3, rootSequence: 0n, freelistPgid: 2 }
  image.set(encodeMetaPage({ ...base, highWaterMark: 4, txid: 0, slot: 0 }), 0)
  image.set(encodeMetaPage({ ...base, highWaterMark: 4, txid: 1, slot: 1 }), pageSizeBytes)
  encodeFreelistPage(
    image.subarray(2 * pageSizeBytes, 3 * pageSizeBytes),
    2,
    new PageSet(),
    pageSizeBytes,
  )
  const leaf = 3 * pageSizeBytes
  const view = new DataView(image.buffer)
  view.setUint32(leaf, 3, true)
  view.setUint16(leaf + 8, PAGE_LEAF, true)
  sealRun(image, view, leaf, leaf + PAGE_HEADER_SIZE, leaf + pageSizeBytes)
  return image
}

/**
 * Whether the file was never finished: it is empty, or it has the length of an empty database and
 * each of its bytes is either zero or what `createImage` would have written there. (A power cut
 * leaves whole sectors, a write that fails for want of space may end at any byte.) No open of such
 * a file has ever returned, or it held nothing.
 */
function isUnborn(file: DiskFile): boolean {
  const size = file.size()
  if (size === 0) return true
  const pageSizeBytes = size / IMAGE_PAGES
  if (!isPageSize(pageSizeBytes)) return false
  const found = new Uint8Array(size)
  if (file.read(found, 0) !== size) return false
  const image = emptyImage(pageSizeBytes)
  if (equalBytes(found, image)) return false
  return found.every((byte, at) => byte === 0 || byte === image[at])
}

function createImage({ disk, file, pageSizeBytes }: OpenSetup): void {
  const image = emptyImage(pageSizeBytes)
  if (file.size() > 0) {
    // What another call left half made may have another page size: the two must never stand mixed.
    file.truncate(0)
    file.sync('full')
  }
  file.truncate(image.length)
  file.write(image, 0)
  file.sync('full')
  disk.syncDirectory(disk.directoryOf(file.path))
}

/**
 * Makes sure that the meta which is about to be believed is on the disk, not only in memory. What
 * it leads to was synced before it was written, save in a file that was just made: there it is all
 * one write.
 */
function confirmMeta({ disk, file }: OpenSetup, meta: Meta): void {
  const { pageSizeBytes, slot } = meta
  const isFirst = meta.txid <= 1
  const bytes = new Uint8Array(isFirst ? IMAGE_PAGES * pageSizeBytes : pageSizeBytes)
  const position = isFirst ? 0 : slot * pageSizeBytes
  file.write(bytes.subarray(0, file.read(bytes, position)), position)
  file.sync('full')
  disk.syncDirectory(disk.directoryOf(file.path))
}

interface Metas {
  readonly pageSizeBytes: number
  readonly readings: readonly [MetaReading, MetaReading]
}

function readMetas(file: DiskFile): Metas {
  const probe = new Uint8Array(PROBE_SIZE)
  const got = file.read(probe, 0)
  const first = decodeMeta(probe.subarray(0, got), PAGE_HEADER_SIZE, 0)
  const pageSizeBytes = 'meta' in first ? first.meta.pageSizeBytes : probeSecond(file)
  if (pageSizeBytes === undefined) throw noMeta(file, 'fault' in first ? first.fault : undefined)
  const page = new Uint8Array(PROBE_SIZE)
  const size = file.read(page, pageSizeBytes)
  const second = decodeMeta(page.subarray(0, size), PAGE_HEADER_SIZE, 1)
  return { pageSizeBytes, readings: [first, samePageSize(second, pageSizeBytes)] }
}

/**
 * A meta that stands where one page size puts it and names another would be written back over
 * pages.
 */
function samePageSize(reading: MetaReading, pageSizeBytes: number): MetaReading {
  if ('fault' in reading || reading.meta.pageSizeBytes === pageSizeBytes) return reading
  const reason = `page size ${reading.meta.pageSizeBytes}`
  return { fault: { kind: 'fields', reason } }
}

/** The page size that meta 1 names at the place where it then must be. */
function probeSecond(file: DiskFile): number | undefined {
  const size = file.size()
  const probe = new Uint8Array(PROBE_SIZE)
  for (let step = 0; step < PROBE_STEPS; step++) {
    const position = 1024 * 2 ** step
    if (position >= size - 1024) return undefined
    const got = file.read(probe, position)
    const reading = decodeMeta(probe.subarray(0, got), PAGE_HEADER_SIZE, 1)
    if ('meta' in reading && reading.meta.pageSizeBytes === position) return position
  }
  return undefined
}

function noMeta(file: DiskFile, fault: MetaFault | undefined): KvError {
  const { path } = file
  switch (fault?.kind) {
    case 'version':
      return new KvError('KV_BAD_VERSION', `${path}: format version ${fault.version}, expected 2`)
    case 'big-endian':
      return new KvError(
        'KV_BAD_FILE',
        `${path}: written on a big-endian machine, which is not supported`,
      )
    case 'checksum':
      return new CorruptionError('neither meta page has a right checksum', {
        file: path,
        offset: 16,
      })
    case 'fields':
      return new CorruptionError(
        `meta 0 names an impossible ${fault.reason}, and meta 1 is no better`,
        {
          file: path,
          offset: 16,
        },
      )
    default:
      return new KvError(
        'KV_BAD_FILE',
        `${path}: not a bbolt database (no meta page has its magic number)`,
      )
  }
}

interface Choice {
  readonly meta: Meta
  /** The generation before, where its meta can be used. */
  readonly other: Meta | undefined
  /** The slot of a newer meta with a right checksum: another opener might believe it. */
  readonly passedOver: 0 | 1 | undefined
  readonly fallback: OpenReport['fallback']
}

function chooseMeta(setup: OpenSetup, readings: readonly [MetaReading, MetaReading]): Choice {
  const { file } = setup
  const size = file.size()
  const usable: Meta[] = []
  let cutShort: Meta | undefined
  let fallback: OpenReport['fallback']
  for (const slot of [0, 1] as const) {
    const reading = readings[slot]
    const reason = 'fault' in reading ? describeFault(reading.fault) : sizeFault(reading.meta, size)
    if (reason !== undefined) {
      fallback = { slot, reason }
      if ('meta' in reading) cutShort = reading.meta
    } else if ('meta' in reading) usable.push(reading.meta)
  }
  usable.sort((a, b) => b.txid - a.txid || a.slot - b.slot)
  const [newest, older] = usable
  if (newest === undefined) {
    const reason = fallback?.reason ?? 'unusable'
    throw new CorruptionError(`neither meta page can be used: ${reason}`, {
      file: file.path,
      offset: 16,
    })
  }
  if (setup.generation === 'newest') {
    const isNewer = cutShort !== undefined && cutShort.txid > newest.txid
    const passedOver = isNewer ? cutShort?.slot : undefined
    return { meta: newest, other: older, passedOver, fallback }
  }
  if (older === undefined) {
    throw new KvError(
      'KV_NOT_FOUND',
      `${file.path}: there is no generation before transaction ${newest.txid}`,
    )
  }
  const asked = { slot: newest.slot, reason: `transaction ${newest.txid} was passed over as asked` }
  return { meta: older, other: undefined, passedOver: newest.slot, fallback: asked }
}

function sizeFault(meta: Meta, fileSizeBytes: number): string | undefined {
  const end = meta.highWaterMark * meta.pageSizeBytes
  if (end <= fileSizeBytes) return undefined
  return `the file ends at ${fileSizeBytes}, before its high-water mark at ${end}`
}

function describeFault(fault: MetaFault): string {
  switch (fault.kind) {
    case 'absent':
      return 'the file ends before it'
    case 'magic':
      return 'it has no magic number'
    case 'big-endian':
      return 'it is big-endian'
    case 'version':
      return `it has format version ${fault.version}`
    case 'checksum':
      return 'its checksum is wrong'
    case 'fields':
      return `it names an impossible ${fault.reason}`
  }
}

/**
 * Fills the freelist of a file about to be written, and holds back what `other`, the generation
 * before, still needs: the pages that are free in the newest generation and not in that one.
 */
function loadFreelist(core: Core, other: Meta | undefined): void {
  const free = readFree(core, core.meta)
  const isOlder = other !== undefined && other.txid < core.meta.txid
  const heldBy = isOlder ? freeOfOther(core, other) : undefined
  const runs: number[] = []
  if (heldBy !== undefined) {
    const held = free.copy()
    held.deleteFrom(heldBy.highWaterMark)
    held.deleteAll(heldBy.free)
    free.deleteAll(held)
    held.forEach((pgid) => runs.push(pgid, 1))
    core.previous = other
  }
  core.freelist.adopt(free)
  core.freelist.addPending(core.meta.txid, runs)
  core.isFreelistLoaded = true
}

interface OtherFree {
  readonly free: PageSet
  readonly highWaterMark: number
}

/** The free pages of the older generation; undefined where it is not whole, as bbolt leaves it. */
function freeOfOther(core: Core, other: Meta): OtherFree | undefined {
  try {
    const free =
      other.freelistPgid === undefined ? unreachablePages(core, other) : readListed(core, other).ids
    return { free, highWaterMark: other.highWaterMark }
  } catch (error) {
    if (isKvError(error, 'KV_CORRUPT')) return undefined
    throw error
  }
}

/** The free pages of a generation. */
function readFree(core: Core, meta: Meta): PageSet {
  if (meta.freelistPgid === undefined) return unreachablePages(core, meta)
  const { ids, pageCount } = readListed(core, meta)
  core.freelistRun = { first: meta.freelistPgid, count: pageCount }
  return ids
}

function unreachablePages(core: Core, meta: Meta): PageSet {
  const reachable = reachablePages(core, meta)
  const free = new PageSet()
  for (let pgid = 2; pgid < meta.highWaterMark; pgid++) if (!reachable.has(pgid)) free.add(pgid)
  return free
}

/** The ids that a generation's freelist page lists. */
export function readListed(core: Core, meta: Meta): { ids: PageSet; pageCount: number } {
  const pgid = meta.freelistPgid ?? 0
  const { bytes, fault } = core.pager.readRun(pgid, meta.highWaterMark)
  if (fault !== undefined) throw core.pager.corruption(pgid, fault)
  const listed = decodeFreelistPage(bytes, meta.highWaterMark)
  if (typeof listed === 'string') throw core.pager.corruption(pgid, listed)
  const ids = new PageSet()
  for (const id of listed) ids.add(id)
  return { ids, pageCount: bytes.length / core.pageSizeBytes }
}
