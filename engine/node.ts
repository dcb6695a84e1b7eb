/**
 * Nodes: the writable copies that one write transaction has of pages, and how they are edited.
 *
 * A node is a page image that is kept packed in element order at every moment: an edit moves the
 * bytes behind it, which on a page of a few KiB costs less than keeping a table of slots and
 * packing it again at commit. Of the header only the fields of `Page` are kept; `seal` writes it.
 *
 *   header 16 | elements of 16 bytes each | key value key value …      used bytes in all
 *
 * A child of a branch node that is a node itself stands in `kids`, and its element holds no pgid
 * until the commit has placed it; any other child is named by its pgid.
 *
 * Between commits a separator may be smaller than its child's first key; searching needs no more.
 * At commit every separator above a changed child becomes byte-equal to the child's first key:
 * bbolt looks its own entry up by that key, and would duplicate it otherwise.
 *
 * A node that outgrows its frame moves to a buffer of its own, and back when it fits again. Bytes
 * of a node are never lent, so they may move at any edit. What is put into a node must not be a
 * view of that node.
 */

import { assert } from '../base/assert.ts'
import { compareRange, writeU64 } from '../base/bytes.ts'
import {
  BRANCH_CHILDREN_MIN,
  ELEMENT_SIZE,
  LEAF_FLAG_BUCKET,
  PAGE_BRANCH,
  PAGE_HEADER_SIZE,
  PAGE_LEAF,
} from './format.ts'
import { strike } from './frames.ts'
import type { Frames } from './frames.ts'
import { Page } from './page.ts'
import { sealRun } from './seal.ts'

const NODE_SIZE_MAX = 0xffffffff
/** Longer keys and values are copied by the system's routine. */
const LOOP_SIZE_MAX = 32

interface Room {
  readonly bytes: Uint8Array
  readonly view: DataView
}

export class NodeEditor {
  readonly frames: Frames
  readonly #isStrict: boolean
  /** A buffer that the last oversize node left behind. */
  #spare: Room | undefined

  /** `isStrict`: no page it is given has gaps between its keys. */
  constructor(frames: Frames, isStrict: boolean) {
    this.frames = frames
    this.#isStrict = isStrict
  }

  /** An empty node. */
  make(isLeaf: boolean): Page {
    const node = new Page(0)
    this.frames.take(node)
    node.isNode = true
    node.isLeaf = isLeaf
    node.used = PAGE_HEADER_SIZE
    if (isLeaf) node.refuseHeads()
    else node.kids = []
    return node
  }

  /** A writable copy of a page's content. The links to its children move to the copy. */
  fromPage(page: Page): Page {
    const node = this.make(page.isLeaf)
    const end = page.contentEnd()
    const size = end - page.base
    if (this.#isStrict) {
      this.#reserve(node, size)
      node.bytes.set(page.bytes.subarray(page.base, end), node.base)
      node.used = size
      node.count = page.count
    } else {
      this.#appendPacked(node, page)
      // Nor need the separator above be what it is in our files.
      node.isFirstChanged = true
    }
    if (!node.isLeaf) {
      node.kids = page.kids ?? new Array<Page | undefined>(page.count).fill(undefined)
      page.kids = undefined
    }
    return node
  }

  /** Makes a node of a page that nobody else can see any more, where it stands. */
  adopt(page: Page): void {
    page.used = page.contentEnd() - page.base
    page.isNode = true
    page.isShrunk = false
    page.isFirstChanged = false
    page.pgid = 0
    strike(page)
    page.signpost = undefined
    if (page.isLeaf) page.refuseHeads()
    else page.kids ??= new Array<Page | undefined>(page.count).fill(undefined)
  }

  /** Gives back the memory of a node that is no longer part of any tree. */
  free(node: Page): void {
    if (node.slab === undefined) this.#keepSpare(node)
    else this.frames.give(node)
  }

  insertLeaf(node: Page, index: number, key: Uint8Array, value: Uint8Array): void {
    assert(node.isLeaf, 'insertLeaf: a branch')
    if (index === 0) node.isFirstChanged = true
    const at = this.#open(node, index, key.length + value.length)
    const e = node.element(index)
    const { view, bytes } = node
    view.setUint32(e, 0, true)
    view.setUint32(e + 4, at - e, true)
    view.setUint32(e + 8, key.length, true)
    view.setUint32(e + 12, value.length, true)
    copyInto(bytes, at, key)
    copyInto(bytes, at + key.length, value)
  }

  /** Says whether the value of element `index` is a bucket. */
  mark(node: Page, index: number, isBucket: boolean): void {
    const flags = isBucket ? LEAF_FLAG_BUCKET : 0
    node.view.setUint32(node.element(index), flags, true)
  }

  /** Gives element `index` another value. */
  replaceValue(node: Page, index: number, value: Uint8Array): void {
    const size = node.valueSize(index)
    if (value.length < size) node.isShrunk = true
    if (value.length !== size) {
      this.#resize(node, index, node.valueStart(index) + size, value.length - size)
      node.view.setUint32(node.element(index) + 12, value.length, true)
    }
    copyInto(node.bytes, node.valueStart(index), value)
  }

  /** Inserts a child that is a node. */
  insertChild(node: Page, index: number, key: Uint8Array, child: Page): void {
    assert(!node.isLeaf, 'insertChild: a leaf')
    if (index === 0) node.isFirstChanged = true
    const at = this.#open(node, index, key.length)
    const e = node.element(index)
    node.view.setUint32(e, at - e, true)
    node.view.setUint32(e + 4, key.length, true)
    copyInto(node.bytes, at, key)
    const kids = kidsOf(node)
    kids.push(undefined)
    for (let i = kids.length - 1; i > index; i--) kids[i] = kids[i - 1]
    this.setChild(node, index, child)
  }

  /** Makes a node the child of element `index`. */
  setChild(node: Page, index: number, child: Page): void {
    const kids = kidsOf(node)
    writeU64(node.view, node.element(index) + 8, 0)
    kids[index] = child
    child.linkKids = kids
    child.linkIndex = index
  }

  /** Names the page of a child that is a node no more. */
  setChildPgid(node: Page, index: number, pgid: number): void {
    writeU64(node.view, node.element(index) + 8, pgid)
  }

  /** Makes separator `index` byte-equal to the first key of `child`. */
  setSeparator(node: Page, index: number, child: Page): void {
    if (!child.isFirstChanged) return
    child.isFirstChanged = false
    const start = child.keyStart(0)
    const size = child.keySize(0)
    const at = node.keyStart(index)
    const oldSize = node.keySize(index)
    if (compareRange(node.bytes, at, at + oldSize, child.bytes, start, start + size) === 0) return
    if (size !== oldSize) {
      this.#resize(node, index, at + oldSize, size - oldSize)
      node.view.setUint32(node.element(index) + 4, size, true)
    }
    if (index === 0) node.isFirstChanged = true
    const target = node.keyStart(index)
    for (let i = 0; i < size; i++) node.bytes[target + i] = child.bytes[start + i] as number
    node.forgetHeads()
  }

  /** Takes element `index` out. */
  remove(node: Page, index: number): void {
    const { bytes, view, base } = node
    const start = node.keyStart(index)
    const size = entrySize(node, index)
    const end = base + node.used
    const e = node.element(index)
    bytes.copyWithin(e, e + ELEMENT_SIZE, start)
    bytes.copyWithin(start - ELEMENT_SIZE, start + size, end)
    node.count--
    node.used -= ELEMENT_SIZE + size
    const field = node.isLeaf ? 4 : 0
    shift(view, node.element(0) + field, index, -ELEMENT_SIZE)
    shift(view, node.element(index) + field, node.count - index, -size)
    node.isShrunk = true
    if (index === 0) node.isFirstChanged = true
    if (node.isLeaf) return
    kidsOf(node).splice(index, 1)
    node.forgetHeads()
  }

  /** Moves the elements from `index` on to a new node, which it returns. */
  split(node: Page, index: number): Page {
    assert(index > 0 && index < node.count, 'split: an empty side')
    const right = this.make(node.isLeaf)
    this.#appendRange(right, node, index)
    right.isShrunk = node.isShrunk
    const moved = node.count - index
    const { bytes, view, base } = node
    const keys = node.keyStart(index)
    const dataStart = node.element(node.count)
    const newDataStart = node.element(index)
    bytes.copyWithin(newDataStart, dataStart, keys)
    node.count = index
    node.used = newDataStart - base + (keys - dataStart)
    shift(view, node.element(0) + (node.isLeaf ? 4 : 0), index, -moved * ELEMENT_SIZE)
    if (!node.isLeaf) {
      const kids = kidsOf(node)
      relink(right, kids.splice(index))
      node.forgetHeads()
    }
    this.#tighten(node)
    this.#tighten(right)
    return right
  }

  /** Copies all elements of `source` behind those of `target`; children that are nodes move. */
  append(target: Page, source: Page): void {
    const before = target.count
    if (before === 0) target.isFirstChanged = true
    this.#appendRange(target, source, 0)
    if (target.isLeaf) return
    const kids = kidsOf(target)
    kids.length = before
    relink(target, [...kids, ...kidsOf(source)])
    source.kids = undefined
  }

  /** Gives a node its place: it is to be the page run `pgid` of `pageCount` pages. */
  place(node: Page, pgid: number, pageCount: number): void {
    node.pgid = pgid
    node.sizeBytes = pageCount * this.frames.pageSizeBytes
  }

  /**
   * Writes header, children's pgids and seal of a node that has its place: from then on its bytes
   * are the image of its page run. It stays a node until `settle`.
   */
  seal(node: Page): void {
    this.finish(node)
    sealPage(node)
  }

  /** As `seal`, without the tail: for a page that only memory has for now. */
  finish(node: Page): void {
    const { sizeBytes } = node
    this.#reserve(node, sizeBytes)
    if (!node.isLeaf) namePlacedChildren(node)
    writeHeader(node, node.pgid, sizeBytes / this.frames.pageSizeBytes - 1)
  }

  /** Makes a sealed node a page like any other. */
  settle(node: Page): void {
    node.isNode = false
    if (node.isLeaf) node.forgetHeads()
  }

  /** Opens a place for element `index` and `size` bytes; returns where the bytes begin. */
  #open(node: Page, index: number, size: number): number {
    this.#reserve(node, node.used + ELEMENT_SIZE + size)
    const { bytes, view, base, count } = node
    const end = base + node.used
    const at = index < count ? node.keyStart(index) : end
    const e = node.element(index)
    if (at < end) bytes.copyWithin(at + ELEMENT_SIZE + size, at, end)
    bytes.copyWithin(e + ELEMENT_SIZE, e, at)
    node.count = count + 1
    node.used += ELEMENT_SIZE + size
    const field = node.isLeaf ? 4 : 0
    shift(view, node.element(0) + field, index, ELEMENT_SIZE)
    shift(view, e + ELEMENT_SIZE + field, count - index, size)
    if (!node.isLeaf) node.forgetHeads()
    return at + ELEMENT_SIZE
  }

  /** Makes element `index` longer or shorter by `delta` bytes; `end` is where it ended. */
  #resize(node: Page, index: number, end: number, delta: number): void {
    const offset = end - node.base
    this.#reserve(node, node.used + delta)
    const { bytes, view, base } = node
    bytes.copyWithin(base + offset + delta, base + offset, base + node.used)
    node.used += delta
    const next = node.element(index + 1) + (node.isLeaf ? 4 : 0)
    shift(view, next, node.count - index - 1, delta)
  }

  /** Copies elements [from, source.count) behind those of `target`, children not minded. */
  #appendRange(target: Page, source: Page, from: number): void {
    const moved = source.count - from
    if (moved === 0) return
    const keys = source.keyStart(from)
    const size = source.contentEnd() - keys
    this.#reserve(target, target.used + moved * ELEMENT_SIZE + size)
    const { bytes, view, base, count } = target
    const data = target.element(count)
    const end = base + target.used
    const field = target.isLeaf ? 4 : 0
    bytes.copyWithin(data + moved * ELEMENT_SIZE, data, end)
    shift(view, target.element(0) + field, count, moved * ELEMENT_SIZE)
    const elements = source.element(from)
    const elementsEnd = elements + moved * ELEMENT_SIZE
    bytes.set(source.bytes.subarray(elements, elementsEnd), data)
    const newKeys = end + moved * ELEMENT_SIZE
    bytes.set(source.bytes.subarray(keys, keys + size), newKeys)
    shift(view, data + field, moved, newKeys - data - (keys - elements))
    target.count = count + moved
    target.used += moved * ELEMENT_SIZE + size
    if (!target.isLeaf) target.forgetHeads()
  }

  /** Copies elements one by one: other writers may have left gaps between them. */
  #appendPacked(node: Page, page: Page): void {
    for (let i = 0; i < page.count; i++) {
      const start = page.keyStart(i)
      const size = entrySize(page, i)
      const at = this.#open(node, i, size)
      const e = node.element(i)
      const from = page.element(i)
      node.bytes.set(page.bytes.subarray(from, from + ELEMENT_SIZE), e)
      const field = node.isLeaf ? e + 4 : e
      node.view.setUint32(field, at - e, true)
      node.bytes.set(page.bytes.subarray(start, start + size), at)
    }
  }

  /** Makes sure that the node may grow to `size` bytes. */
  #reserve(node: Page, size: number): void {
    const capacity = node.slab === undefined ? node.bytes.length : this.frames.pageSizeBytes
    if (size <= capacity) return
    assert(size <= NODE_SIZE_MAX, 'node: beyond 4 GiB')
    const { bytes, view } = this.#takeBuffer(size)
    bytes.set(node.bytes.subarray(node.base, node.base + node.used))
    this.free(node)
    node.enterBuffer(bytes, view)
  }

  /** Brings a node that fits a frame back into one. */
  #tighten(node: Page): void {
    if (node.slab !== undefined || node.used > this.frames.pageSizeBytes) return
    const { bytes, view } = node
    this.frames.take(node)
    node.bytes.set(bytes.subarray(0, node.used), node.base)
    if (node.isLeaf) node.refuseHeads()
    this.#spare ??= { bytes, view }
  }

  #takeBuffer(size: number): Room {
    const spare = this.#spare
    if (spare !== undefined && spare.bytes.length >= size) {
      this.#spare = undefined
      return spare
    }
    const { pageSizeBytes } = this.frames
    // Room to grow, so that a value that grows and grows is not copied each time.
    const bytes = new Uint8Array(Math.min(NODE_SIZE_MAX, size + (size >>> 2) + pageSizeBytes))
    return { bytes, view: new DataView(bytes.buffer) }
  }

  #keepSpare(node: Page): void {
    const { bytes, view } = node
    const isSmall = bytes.length <= 16 * this.frames.pageSizeBytes
    if (isSmall && bytes.length > 0) this.#spare ??= { bytes, view }
  }
}

/**
 * Where to cut a node that is larger than a page: the first index at which the left part holds
 * `target` bytes of page. Leaves each side what its kind needs; undefined where it can't be cut.
 */
export function splitIndex(node: Page, target: number): number | undefined {
  const sideMin = node.isLeaf ? 1 : BRANCH_CHILDREN_MIN
  if (node.count < 2 * sideMin) return undefined
  let size = PAGE_HEADER_SIZE
  for (let i = 0; i < node.count - sideMin; i++) {
    size += ELEMENT_SIZE + entrySize(node, i)
    if (i >= sideMin && size > target) return i
  }
  return node.count - sideMin
}

/** Clears the tail of what `NodeEditor.finish` has finished, and seals it. */
export function sealPage({ bytes, view, base, used, sizeBytes }: Page): void {
  bytes.fill(0, base + used, base + sizeBytes)
  sealRun(bytes, view, base, base + used, base + sizeBytes)
}

/** Writes the page header of a node, as page `pgid` with `overflow` pages behind it. */
export function writeHeader(node: Page, pgid: number, overflow: number): void {
  const { view, base } = node
  writeU64(view, base, pgid)
  const flags = node.isLeaf ? PAGE_LEAF : PAGE_BRANCH
  view.setUint16(base + 8, flags, true)
  view.setUint16(base + 10, node.count, true)
  view.setUint32(base + 12, overflow, true)
}

/** The child of element `index` where that is a node: then the element names no page yet. */
export function childNode(node: Page, index: number): Page | undefined {
  // Looking at the element spares a look at every child, most of which are clean.
  return node.childPgid(index) === 0 ? node.kids?.[index] : undefined
}

/**
 * The first child from element `from` on that is a node: its element, or the number of elements.
 */
export function nextChildNode(node: Page, from: number): number {
  const { count, view } = node
  if (from >= count) return count
  let at = node.element(from) + 8
  for (let i = from; i < count; i++, at += ELEMENT_SIZE) {
    if (view.getUint32(at, true) === 0 && childNode(node, i) !== undefined) return i
  }
  return count
}

function namePlacedChildren(node: Page): void {
  for (let i = nextChildNode(node, 0); i < node.count; i = nextChildNode(node, i + 1)) {
    const child = childNode(node, i) as Page
    assert(child.pgid !== 0, 'node: a child without a page')
    writeU64(node.view, node.element(i) + 8, child.pgid)
  }
}

function kidsOf(node: Page): (Page | undefined)[] {
  assert(node.kids !== undefined, 'node: a branch without a list of children')
  return node.kids
}

/** Gives a node the list `kids`, and each of these its place in it. */
function relink(node: Page, kids: (Page | undefined)[]): void {
  node.kids = kids
  kids.forEach((kid, i) => {
    if (kid === undefined) return
    kid.linkKids = kids
    kid.linkIndex = i
  })
}

function entrySize(page: Page, index: number): number {
  const size = page.keySize(index)
  return page.isLeaf ? size + page.valueSize(index) : size
}

/** Adds `delta` to `count` position fields, 16 bytes apart from `at` on. */
function shift(view: DataView, at: number, count: number, delta: number): void {
  for (let e = at, end = at + count * ELEMENT_SIZE; e < end; e += ELEMENT_SIZE) {
    view.setUint32(e, view.getUint32(e, true) + delta, true)
  }
}

function copyInto(target: Uint8Array, at: number, source: Uint8Array): void {
  if (source.length > LOOP_SIZE_MAX) target.set(source, at)
  else for (let i = 0; i < source.length; i++) target[at + i] = source[i] as number
}
