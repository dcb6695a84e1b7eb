/**
 * One page of a file taken apart: header, elements, keys, values, with a note on each thing that is
 * wrong in it. Nothing is believed and nothing is thrown for damage: what can't be read is left
 * undefined.
 */

import { compareBytes, readU64 } from '../base/bytes.ts'
import {
  BUCKET_HEADER_SIZE,
  ELEMENT_SIZE,
  FREELIST_COUNT_WIDE,
  LEAF_FLAG_BUCKET,
  META_SIZE,
  PAGE_BRANCH,
  PAGE_FREELIST,
  PAGE_HEADER_SIZE,
  PAGE_LEAF,
  PAGE_META,
} from './format.ts'
import { inlinePageFault } from './inline.ts'
import { pageFault } from './page.ts'
import type { RawFile } from './raw-file.ts'
import { SEAL_MAGIC, checkSeal } from './seal.ts'
import type { SealState } from './seal.ts'

/** What a page's flags say it is. */
export type RawPageType = 'branch' | 'leaf' | 'meta' | 'freelist' | 'unknown'

/** What a bucket's entry says of it. */
export interface RawBucket {
  readonly rootPgid: bigint
  readonly sequence: bigint
  /** Entries of an inline bucket, where its page can be read. */
  readonly inlineItems: number | undefined
}

/** An entry of a page, as it stands there; what can't be read is undefined. */
export interface RawElement {
  readonly index: number
  /** Of the element itself, in bytes from the start of the page. */
  readonly offset: number
  /** Of a leaf's element only. */
  readonly flags: number | undefined
  readonly keyOffset: number
  readonly keySizeBytes: number
  /** Of a leaf's element only. */
  readonly valueSizeBytes: number | undefined
  /** undefined where it reaches beyond the page. */
  readonly key: Uint8Array | undefined
  readonly value: Uint8Array | undefined
  /** Of a branch's element only. */
  readonly childPgid: bigint | undefined
  readonly bucket: RawBucket | undefined
}

/** A page taken apart, with a note on each thing that is wrong in it. */
export interface RawPage {
  readonly pgid: number
  /** Of the page, in bytes from the start of the file. */
  readonly offset: number
  /** The page's bytes, overflow pages included as far as they are there. */
  readonly bytes: Uint8Array
  /** What its header says. */
  readonly id: bigint
  readonly flags: number
  readonly type: RawPageType
  readonly count: number
  readonly overflow: number
  readonly elements: readonly RawElement[]
  /** The ids that a freelist lists. */
  readonly freeIds: readonly number[]
  /** Where the content ends, where that can be told. */
  readonly contentEnd: number | undefined
  readonly seal: SealState | undefined
  /** What is wrong with it, for people. */
  readonly notes: readonly string[]
}

const NOTES_MAX = 50

/** Takes page `pgid` of a file apart. @throws {RangeError} where it lies beyond the file's end */
export function readRawPage(file: RawFile, pgid: number): RawPage {
  const { pageSizeBytes } = file
  if (pageSizeBytes === undefined) throw new RangeError('file: its page size is not known')
  if (!Number.isSafeInteger(pgid) || pgid < 0 || pgid >= file.pageCount) {
    throw new RangeError(`pgid: the file has pages 0 to ${file.pageCount - 1}, got ${pgid}`)
  }
  const notes: string[] = []
  const first = file.readPages(pgid, 1)
  const isShort = first.length < pageSizeBytes
  if (isShort) {
    notes.push(`the file ends inside this page: ${pageSizeBytes - first.length} bytes are missing`)
  }
  const header = readHeader(first)
  const { id, overflow, type } = header
  const hasRun = id === BigInt(pgid) && type !== 'unknown' && type !== 'meta' && !isShort
  if (id !== BigInt(pgid)) notes.push(`its header says page ${id}, and it stands at ${pgid}`)
  if (type === 'unknown') {
    notes.push(`flags 0x${header.flags.toString(16)} are no type of page`)
  }
  const bytes = hasRun && overflow > 0 ? file.readPages(pgid, overflow + 1) : first
  if (hasRun && bytes.length < (overflow + 1) * pageSizeBytes) {
    notes.push(`the file ends inside its ${overflow} overflow pages`)
  }
  const page = { pgid, offset: pgid * pageSizeBytes, bytes, ...header }
  // Of so short a rest nothing can be told.
  if (bytes.length < PAGE_HEADER_SIZE + 8) {
    return { ...page, elements: [], freeIds: [], contentEnd: undefined, seal: undefined, notes }
  }
  if (type === 'freelist') return { ...page, ...readFreeIds(bytes, header.count, notes) }
  if (type === 'leaf' || type === 'branch') {
    return { ...page, freeIds: [], ...readElements(bytes, header.count, notes) }
  }
  const contentEnd = type === 'meta' ? PAGE_HEADER_SIZE + META_SIZE : undefined
  return { ...page, elements: [], freeIds: [], contentEnd, seal: undefined, notes }
}

/** The page whose overflow pages cover `pgid`, looked for up to `pagesMax` pages before it. */
export function findRunOf(file: RawFile, pgid: number, pagesMax: number): number | undefined {
  for (let at = pgid - 1; at >= 2 && at >= pgid - pagesMax; at--) {
    const { id, type, overflow } = readHeader(file.readPages(at, 1))
    if (id !== BigInt(at) || type === 'unknown' || type === 'meta') continue
    return at + overflow >= pgid ? at : undefined
  }
  return undefined
}

interface RawHeader {
  readonly id: bigint
  readonly flags: number
  readonly type: RawPageType
  readonly count: number
  readonly overflow: number
}

function readHeader(page: Uint8Array): RawHeader {
  // Where the file ends inside it, the rest reads as zeros.
  const header = new Uint8Array(PAGE_HEADER_SIZE)
  header.set(page.subarray(0, PAGE_HEADER_SIZE))
  const view = new DataView(header.buffer)
  const flags = view.getUint16(8, true)
  return {
    id: view.getBigUint64(0, true),
    flags,
    type: typeOf(flags),
    count: view.getUint16(10, true),
    overflow: view.getUint32(12, true),
  }
}

function typeOf(flags: number): RawPageType {
  switch (flags) {
    case PAGE_BRANCH:
      return 'branch'
    case PAGE_LEAF:
      return 'leaf'
    case PAGE_META:
      return 'meta'
    case PAGE_FREELIST:
      return 'freelist'
    default:
      return 'unknown'
  }
}

type Content = Pick<RawPage, 'elements' | 'contentEnd' | 'seal' | 'notes'>

function readElements(bytes: Uint8Array, count: number, notes: string[]): Content {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isLeaf = view.getUint16(8, true) === PAGE_LEAF
  const room = Math.floor((bytes.length - PAGE_HEADER_SIZE) / ELEMENT_SIZE)
  if (count > room) notes.push(`${count} elements do not fit in ${bytes.length} bytes`)
  if (!isLeaf && count < 2) notes.push(`a branch with ${count} children; it has two or more`)
  const elements: RawElement[] = []
  const note = (text: string): void => {
    if (notes.length < NOTES_MAX) notes.push(text)
  }
  let expected = PAGE_HEADER_SIZE + count * ELEMENT_SIZE
  for (let i = 0; i < Math.min(count, room); i++) {
    const element = readElement(bytes, view, i, isLeaf)
    elements.push(element)
    for (const fault of elementFaults(element, elements[i - 1], expected, bytes)) {
      note(`element ${i} at offset ${element.offset}: ${fault}`)
    }
    expected = endOf(element)
  }
  const isRight = count <= room && expected <= bytes.length
  const contentEnd = isRight ? expected : undefined
  const seal = isRight ? checkSeal(bytes, view, 0, expected, bytes.length) : undefined
  if (seal === 'broken') note(`${describeTail(view, expected)}`)
  // Whatever is not seen above, the engine would stumble over.
  const rules = { isInline: false, isStrict: true }
  const fault = pageFault(bytes, view, { base: 0, sizeBytes: bytes.length }, rules)
  if (fault !== undefined && notes.length === 0) note(fault.message)
  return { elements, contentEnd, seal, notes }
}

function describeTail(view: DataView, contentEnd: number): string {
  const end = view.byteLength
  const hasSeal = end - contentEnd >= 8 && view.getUint32(end - 8, true) === SEAL_MAGIC
  return hasSeal
    ? 'its checksum, in the last 4 bytes, is wrong: some byte of the page has changed'
    : `stray bytes between its content, which ends at offset ${contentEnd}, and its end`
}

function endOf(element: RawElement): number {
  return element.keyOffset + element.keySizeBytes + (element.valueSizeBytes ?? 0)
}

function readElement(
  bytes: Uint8Array,
  view: DataView,
  index: number,
  isLeaf: boolean,
): RawElement {
  const offset = PAGE_HEADER_SIZE + index * ELEMENT_SIZE
  const flags = isLeaf ? view.getUint32(offset, true) : undefined
  const keyOffset = offset + view.getUint32(isLeaf ? offset + 4 : offset, true)
  const keySizeBytes = view.getUint32(isLeaf ? offset + 8 : offset + 4, true)
  const valueSizeBytes = isLeaf ? view.getUint32(offset + 12, true) : undefined
  const valueAt = keyOffset + keySizeBytes
  const value =
    valueSizeBytes === undefined ? undefined : within(bytes, valueAt, valueAt + valueSizeBytes)
  const isBucket = flags === LEAF_FLAG_BUCKET && value !== undefined
  return {
    index,
    offset,
    flags,
    keyOffset,
    keySizeBytes,
    valueSizeBytes,
    key: within(bytes, keyOffset, valueAt),
    value,
    childPgid: isLeaf ? undefined : view.getBigUint64(offset + 8, true),
    bucket: isBucket ? readBucket(value) : undefined,
  }
}

function within(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
  return end <= bytes.length ? bytes.subarray(start, end) : undefined
}

function readBucket(value: Uint8Array): RawBucket | undefined {
  if (value.length < BUCKET_HEADER_SIZE) return undefined
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  const rootPgid = view.getBigUint64(0, true)
  const size = value.length - BUCKET_HEADER_SIZE
  const isWhole = rootPgid === 0n && size >= PAGE_HEADER_SIZE
  const inlineItems = isWhole ? view.getUint16(BUCKET_HEADER_SIZE + 10, true) : undefined
  return { rootPgid, sequence: view.getBigUint64(8, true), inlineItems }
}

function* elementFaults(
  element: RawElement,
  before: RawElement | undefined,
  expected: number,
  bytes: Uint8Array,
): Generator<string, void, void> {
  const { key, keyOffset, keySizeBytes, flags, value, bucket, childPgid } = element
  if (keyOffset !== expected) {
    yield `its key begins at ${keyOffset}, and what is before it ends at ${expected}`
  }
  if (keySizeBytes === 0) yield 'its key is empty'
  const beyond = endOf(element) - bytes.length
  if (beyond > 0) yield `it reaches ${beyond} bytes beyond the page`
  if (flags !== undefined && flags > LEAF_FLAG_BUCKET) {
    yield `its flags are 0x${flags.toString(16)}; 0 is a value, 1 a bucket`
  }
  if (childPgid !== undefined && childPgid < 2n) yield `it leads to page ${childPgid}, a meta`
  if (flags === LEAF_FLAG_BUCKET && value !== undefined) {
    const fault = bucketFault(value, bucket)
    if (fault !== undefined) yield fault
  }
  const previous = before?.key
  if (previous !== undefined && key !== undefined && compareBytes(previous, key) >= 0) {
    yield 'its key is not larger than the one before it'
  }
}

function bucketFault(value: Uint8Array, bucket: RawBucket | undefined): string | undefined {
  if (bucket === undefined) return `a bucket of ${value.length} bytes; its header takes 16`
  if (bucket.rootPgid !== 0n) {
    return value.length === BUCKET_HEADER_SIZE
      ? undefined
      : `a bucket with a page of its own has 16 bytes here, not ${value.length}`
  }
  const fault = inlinePageFault(value, BUCKET_HEADER_SIZE, value.length - BUCKET_HEADER_SIZE, true)
  return fault === undefined ? undefined : `the page of the inline bucket: ${fault}`
}

type FreeContent = Content & Pick<RawPage, 'freeIds'>

function readFreeIds(bytes: Uint8Array, headerCount: number, notes: string[]): FreeContent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isWide = headerCount === FREELIST_COUNT_WIDE
  const start = PAGE_HEADER_SIZE + (isWide ? 8 : 0)
  const count = isWide ? readU64(view, PAGE_HEADER_SIZE) : headerCount
  const room = Math.floor((bytes.length - start) / 8)
  if (count > room) notes.push(`${count} ids do not fit in ${bytes.length} bytes`)
  const freeIds: number[] = []
  for (let i = 0; i < Math.min(count, room); i++) {
    const id = readU64(view, start + 8 * i)
    const before = freeIds.at(-1) ?? 1
    if (id <= before && notes.length < NOTES_MAX) {
      notes.push(`id ${i} is ${id}, after ${before}: ids ascend, from 2 on`)
    }
    freeIds.push(id)
  }
  const contentEnd = count <= room ? start + 8 * count : undefined
  const seal =
    contentEnd === undefined ? undefined : checkSeal(bytes, view, 0, contentEnd, bytes.length)
  if (seal === 'broken') notes.push(describeTail(view, contentEnd ?? 0))
  return { elements: [], freeIds, contentEnd, seal, notes }
}
