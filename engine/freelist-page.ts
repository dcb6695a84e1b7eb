/**
 * The freelist page: flags 0x10, ids ascending as u64 behind the header.
 *
 * `count` holds up to 65,534 ids. From 65,535 on it is 0xffff, and the first u64 is the real
 * count, the ids follow. (bbolt once dropped the last id of this form: PR 12.) bbolt gives it
 * one page more than it needs when the ids end exactly at a page's end; so do we.
 */

import { readU64, writeU64 } from '../base/bytes.ts'
import { FREELIST_COUNT_WIDE, PAGE_FREELIST, PAGE_HEADER_SIZE } from './format.ts'
import type { PageSet } from './page-set.ts'
import { checkSeal, sealRun } from './seal.ts'

/** Pages that a freelist of `count` ids takes. */
export function freelistPages(count: number, pageSizeBytes: number): number {
  return Math.floor(freelistSize(count) / pageSizeBytes) + 1
}

function freelistSize(count: number): number {
  return PAGE_HEADER_SIZE + 8 * (count >= FREELIST_COUNT_WIDE ? count + 1 : count)
}

/**
 * Fills `bytes` with the sealed image of the page run `pgid`, and returns them. They are at least
 * `freelistPages(ids.size)` pages.
 */
export function encodeFreelistPage(
  bytes: Uint8Array,
  pgid: number,
  ids: PageSet,
  pageSizeBytes: number,
): Uint8Array {
  const pageCount = bytes.length / pageSizeBytes
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isWide = ids.size >= FREELIST_COUNT_WIDE
  writeU64(view, 0, pgid)
  view.setUint16(8, PAGE_FREELIST, true)
  view.setUint16(10, isWide ? FREELIST_COUNT_WIDE : ids.size, true)
  view.setUint32(12, pageCount - 1, true)
  let at = PAGE_HEADER_SIZE
  if (isWide) {
    writeU64(view, at, ids.size)
    at += 8
  }
  ids.forEach((id) => {
    writeU64(view, at, id)
    at += 8
  })
  bytes.fill(0, at)
  sealRun(bytes, view, 0, at, bytes.length)
  return bytes
}

/** Reads a freelist run. Throws nothing: damage comes back as a string. */
export function decodeFreelistPage(bytes: Uint8Array, highWaterMark: number): number[] | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const flags = view.getUint16(8, true)
  if (flags !== PAGE_FREELIST) return `flags 0x${flags.toString(16)}, expected a freelist page`
  let count = view.getUint16(10, true)
  let at = PAGE_HEADER_SIZE
  if (count === FREELIST_COUNT_WIDE) {
    count = readU64(view, at)
    at += 8
  }
  if (count > (bytes.length - at) / 8) return `${count} free ids do not fit in its pages`
  const ids: number[] = []
  let previous = 1
  let isAscending = true
  for (let i = 0; i < count; i++, at += 8) {
    const id = readU64(view, at)
    if (id < 2 || id >= highWaterMark) return `free id ${id} is outside [2, ${highWaterMark})`
    if (id <= previous) isAscending = false
    previous = id
    ids.push(id)
  }
  if (checkSeal(bytes, view, 0, at, bytes.length) === 'broken') {
    return 'the seal in its tail does not match'
  }
  return isAscending ? ids : sortedUnique(ids)
}

/** Old writers did not sort; bbolt sorts when it reads. A repeated id is damage. */
function sortedUnique(ids: number[]): number[] | string {
  ids.sort((a, b) => a - b)
  for (let i = 1; i < ids.length; i++) {
    if (ids[i] === ids[i - 1]) return `page ${ids[i]} is listed twice`
  }
  return ids
}
