/**
 * A node: the writable copy of one page inside one write transaction.
 *
 * It is not a tree of objects: one heap of bytes, and one table of slots of four u32 each, in key
 * order. Editing moves slots, never bytes; new bytes go to the heap's end. When the transaction
 * commits, the node is packed into a page image in element order.
 *
 *   leaf slot    flags, offset of the key, key size, value size   (the value follows the key)
 *   branch slot  child low, offset of the key, key size, child high
 *
 * A branch slot whose child high is CHILD_IS_NODE leads to node number `child low` of the same
 * transaction; else the two halves are the pgid of a clean page.
 *
 * Between commits a separator may be smaller than its child's first key; searching needs no more.
 * At commit every separator above a changed child becomes byte-equal to the child's first key:
 * bbolt looks its own entry up by that key, and would duplicate it otherwise.
 */

import { assert } from '../base/assert.ts'
import { TWO_32, compareRange } from '../base/bytes.ts'
import {
  BRANCH_CHILDREN_MIN,
  ELEMENT_SIZE,
  LEAF_FLAG_BUCKET,
  PAGE_BRANCH,
  PAGE_HEADER_SIZE,
  PAGE_LEAF,
} from './format.ts'
import type { Page } from './page.ts'
import { sealRun } from './seal.ts'

const SLOT = 4
/** No pgid has this high half: it would be page 2^63. */
export const CHILD_IS_NODE = 0x80000000

const HEAP_MIN = 256
const SLOTS_MIN = 16
/** Garbage below this is not worth a copy of the heap. */
const GARBAGE_MIN = 4096
const HEAP_MAX = 0xffffffff

export class Node {
  readonly isNode = true
  readonly isLeaf: boolean
  count = 0
  bytes: Uint8Array
  #slots: Uint32Array
  #used = 0
  /** Bytes of the heap that no slot names any more. */
  #garbage = 0
  /** Sum of all key and value sizes. */
  #contentSize = 0
  /** Something was taken away since the node was made: it may have become too thin. */
  isShrunk = false
  /**
   * A view of the heap was handed out: what it shows must not change until the transaction ends.
   */
  isLent = false
  /** Where it will stand in the file; set while committing. */
  pgid = 0

  constructor(isLeaf: boolean, heapSize: number = HEAP_MIN, slotCount: number = SLOTS_MIN) {
    this.isLeaf = isLeaf
    this.bytes = new Uint8Array(heapSize)
    this.#slots = new Uint32Array(slotCount * SLOT)
  }

  /** A writable copy of a page's content. */
  static fromPage(page: Page): Node {
    const contentStart = page.element(page.count)
    const size = page.contentEnd() - contentStart
    const node = new Node(page.isLeaf, size + (size >>> 2) + HEAP_MIN, page.count + SLOTS_MIN)
    node.bytes.set(page.bytes.subarray(contentStart, contentStart + size))
    const slots = node.#slots
    for (let i = 0, s = 0; i < page.count; i++, s += SLOT) {
      const e = page.element(i)
      slots[s + 1] = page.keyStart(i) - contentStart
      slots[s + 2] = page.keySize(i)
      if (page.isLeaf) {
        slots[s] = page.view.getUint32(e, true)
        slots[s + 3] = page.valueSize(i)
      } else {
        slots[s] = page.view.getUint32(e + 8, true)
        slots[s + 3] = page.view.getUint32(e + 12, true)
      }
    }
    node.count = page.count
    node.#used = size
    node.#contentSize = size
    return node
  }

  /** What the node takes as a page, header included. */
  packedSize(): number {
    return PAGE_HEADER_SIZE + this.count * ELEMENT_SIZE + this.#contentSize
  }

  keyStart(index: number): number {
    return this.#slots[index * SLOT + 1] as number
  }

  keySize(index: number): number {
    return this.#slots[index * SLOT + 2] as number
  }

  valueStart(index: number): number {
    const s = index * SLOT
    return (this.#slots[s + 1] as number) + (this.#slots[s + 2] as number)
  }

  valueSize(index: number): number {
    return this.#slots[index * SLOT + 3] as number
  }

  isBucket(index: number): boolean {
    return ((this.#slots[index * SLOT] as number) & LEAF_FLAG_BUCKET) !== 0
  }

  /** Number of the child node in the transaction's table, or -1 where the child is a clean page. */
  childNode(index: number): number {
    const s = index * SLOT
    return this.#slots[s + 3] === CHILD_IS_NODE ? (this.#slots[s] as number) : -1
  }

  childPgid(index: number): number {
    const s = index * SLOT
    return (this.#slots[s] as number) + (this.#slots[s + 3] as number) * TWO_32
  }

  setChildNode(index: number, nodeNumber: number): void {
    this.#slots[index * SLOT] = nodeNumber
    this.#slots[index * SLOT + 3] = CHILD_IS_NODE
  }

  /** A copy of a key. */
  key(index: number): Uint8Array {
    const start = this.keyStart(index)
    return this.bytes.slice(start, start + this.keySize(index))
  }

  /** Index of the first slot whose key is not smaller than `key`, or ~index where it is larger. */
  search(key: Uint8Array): number {
    const slots = this.#slots
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      const start = slots[middle * SLOT + 1] as number
      const end = start + (slots[middle * SLOT + 2] as number)
      const order = compareRange(this.bytes, start, end, key, 0, key.length)
      if (order === 0) return middle
      if (order < 0) low = middle + 1
      else high = middle
    }
    return ~low
  }

  insertLeaf(index: number, key: Uint8Array, value: Uint8Array, isBucket: boolean): void {
    assert(this.isLeaf, 'insertLeaf: a branch')
    const offset = this.#append(key, value)
    this.#openSlot(index)
    this.#setSlot(index, isBucket ? LEAF_FLAG_BUCKET : 0, offset, key.length, value.length)
  }

  /** Gives slot `index` another value. */
  replaceValue(index: number, value: Uint8Array, isBucket: boolean): void {
    const s = index * SLOT
    const oldSize = this.valueSize(index)
    if (value.length < oldSize) this.isShrunk = true
    this.#slots[s] = isBucket ? LEAF_FLAG_BUCKET : 0
    if (value.length <= oldSize && !this.isLent) {
      this.bytes.set(value, this.valueStart(index))
      this.#slots[s + 3] = value.length
      this.#garbage += oldSize - value.length
      this.#contentSize += value.length - oldSize
      return
    }
    const key = this.bytes.subarray(this.keyStart(index), this.valueStart(index))
    const offset = this.#append(key, value)
    // The old key and value lie in the heap still, or a compaction just left them out.
    this.#contentSize -= key.length + oldSize
    this.#garbage += key.length + oldSize
    this.#slots[s + 1] = offset
    this.#slots[s + 3] = value.length
  }

  insertChild(index: number, key: Uint8Array, nodeNumber: number): void {
    assert(!this.isLeaf, 'insertChild: a leaf')
    const offset = this.#append(key, undefined)
    this.#openSlot(index)
    this.#setSlot(index, nodeNumber, offset, key.length, CHILD_IS_NODE)
  }

  /** Makes the separator of slot `index` byte-equal to `bytes[start, start + size)`. */
  setSeparator(index: number, bytes: Uint8Array, start: number, size: number): void {
    const at = this.keyStart(index)
    const oldSize = this.keySize(index)
    if (compareRange(this.bytes, at, at + oldSize, bytes, start, start + size) === 0) return
    const offset = this.#append(bytes.subarray(start, start + size), undefined)
    this.#contentSize -= oldSize
    this.#garbage += oldSize
    this.#slots[index * SLOT + 1] = offset
    this.#slots[index * SLOT + 2] = size
  }

  remove(index: number): void {
    const size = this.#entrySize(index)
    this.#garbage += size
    this.#contentSize -= size
    this.#slots.copyWithin(index * SLOT, (index + 1) * SLOT, this.count * SLOT)
    this.count--
    this.isShrunk = true
  }

  /** Moves the slots from `index` on to a new node, which it returns. */
  splitAt(index: number): Node {
    assert(index > 0 && index < this.count, 'splitAt: an empty side')
    let size = 0
    for (let i = index; i < this.count; i++) size += this.#entrySize(i)
    const right = new Node(this.isLeaf, size + HEAP_MIN, this.count - index + SLOTS_MIN)
    right.appendFrom(this, index, this.count)
    right.isShrunk = this.isShrunk
    this.#contentSize -= size
    this.#garbage += size
    this.count = index
    this.#dropGarbage(0)
    return right
  }

  /** Copies slots [from, to) of another node of the same kind behind the last slot. */
  appendFrom(other: Node, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const start = other.keyStart(i)
      const size = other.#entrySize(i)
      this.#dropGarbage(size)
      const offset = this.#used
      this.bytes.set(other.bytes.subarray(start, start + size), offset)
      this.#used += size
      this.#contentSize += size
      this.#openSlot(this.count)
      const s = (this.count - 1) * SLOT
      this.#slots.set(other.#slots.subarray(i * SLOT, i * SLOT + SLOT), s)
      this.#slots[s + 1] = offset
    }
  }

  /**
   * Where to cut a node that is larger than a page: the first index at which the left part holds
   * `target` bytes of page. Leaves each side what its kind needs; undefined where it can't be cut.
   */
  splitIndex(target: number): number | undefined {
    const sideMin = this.isLeaf ? 1 : BRANCH_CHILDREN_MIN
    if (this.count < 2 * sideMin) return undefined
    let size = PAGE_HEADER_SIZE
    for (let i = 0; i < this.count - sideMin; i++) {
      size += ELEMENT_SIZE + this.#entrySize(i)
      if (i >= sideMin && size > target) return i
    }
    return this.count - sideMin
  }

  /** Packs the node into `bytes[base…]`, zeroed and large enough, as page `pgid` of `run` bytes. */
  pack(target: Uint8Array, view: DataView, base: number, nodes: readonly Node[]): number {
    view.setUint32(base, this.pgid >>> 0, true)
    view.setUint32(base + 4, Math.floor(this.pgid / TWO_32), true)
    view.setUint16(base + 8, this.isLeaf ? PAGE_LEAF : PAGE_BRANCH, true)
    view.setUint16(base + 10, this.count, true)
    let at = base + PAGE_HEADER_SIZE + this.count * ELEMENT_SIZE
    let e = base + PAGE_HEADER_SIZE
    for (let i = 0, s = 0; i < this.count; i++, s += SLOT, e += ELEMENT_SIZE) {
      const keySize = this.#slots[s + 2] as number
      if (this.isLeaf) {
        view.setUint32(e, this.#slots[s] as number, true)
        view.setUint32(e + 4, at - e, true)
        view.setUint32(e + 8, keySize, true)
        view.setUint32(e + 12, this.#slots[s + 3] as number, true)
      } else {
        const child = this.#packedChild(i, nodes)
        view.setUint32(e, at - e, true)
        view.setUint32(e + 4, keySize, true)
        view.setUint32(e + 8, child >>> 0, true)
        view.setUint32(e + 12, Math.floor(child / TWO_32), true)
      }
      const start = this.#slots[s + 1] as number
      const size = this.#entrySize(i)
      target.set(this.bytes.subarray(start, start + size), at)
      at += size
    }
    return at
  }

  /** The page run image of the node, sealed. */
  toRun(pageCount: number, pageSizeBytes: number, nodes: readonly Node[]): Uint8Array {
    const bytes = new Uint8Array(pageCount * pageSizeBytes)
    const view = new DataView(bytes.buffer)
    const end = this.pack(bytes, view, 0, nodes)
    assert(end === this.packedSize(), 'node: packed to another size than computed')
    view.setUint32(12, pageCount - 1, true)
    sealRun(bytes, view, 0, end, bytes.length)
    return bytes
  }

  #packedChild(index: number, nodes: readonly Node[]): number {
    const nodeNumber = this.childNode(index)
    if (nodeNumber < 0) return this.childPgid(index)
    const child = nodes[nodeNumber]
    assert(child !== undefined && child.pgid !== 0, 'node: a child without a page')
    return child.pgid
  }

  #entrySize(index: number): number {
    const s = index * SLOT
    const keySize = this.#slots[s + 2] as number
    return this.isLeaf ? keySize + (this.#slots[s + 3] as number) : keySize
  }

  #openSlot(index: number): void {
    if ((this.count + 1) * SLOT > this.#slots.length) {
      const larger = new Uint32Array(this.#slots.length * 2)
      larger.set(this.#slots)
      this.#slots = larger
    }
    this.#slots.copyWithin((index + 1) * SLOT, index * SLOT, this.count * SLOT)
    this.count++
  }

  #setSlot(index: number, a: number, offset: number, keySize: number, b: number): void {
    const s = index * SLOT
    this.#slots[s] = a
    this.#slots[s + 1] = offset
    this.#slots[s + 2] = keySize
    this.#slots[s + 3] = b
  }

  /** Appends key and value to the heap; returns the offset. The arguments may lie in this heap. */
  #append(key: Uint8Array, value: Uint8Array | undefined): number {
    const size = key.length + (value === undefined ? 0 : value.length)
    this.#dropGarbage(size)
    const offset = this.#used
    this.bytes.set(key, offset)
    if (value !== undefined) this.bytes.set(value, offset + key.length)
    this.#used += size
    this.#contentSize += size
    return offset
  }

  /** Makes room for `size` more bytes, in a new heap without the garbage where that is due. */
  #dropGarbage(size: number): void {
    const isDue = this.#garbage > GARBAGE_MIN && this.#garbage * 2 > this.#used
    if (this.#used + size <= this.bytes.length && !isDue) return
    const live = this.#used - this.#garbage
    const needed = live + size
    assert(needed + needed / 4 <= HEAP_MAX, 'node: heap beyond 4 GiB')
    // The old heap is left as it is: views of it may have been lent, and `#append` may read from
    // it.
    const heap = new Uint8Array(needed + (needed >>> 2) + HEAP_MIN)
    let at = 0
    for (let i = 0; i < this.count; i++) {
      const start = this.keyStart(i)
      const entrySize = this.#entrySize(i)
      heap.set(this.bytes.subarray(start, start + entrySize), at)
      this.#slots[i * SLOT + 1] = at
      at += entrySize
    }
    this.bytes = heap
    this.#used = at
    this.#garbage = 0
    this.isLent = false
  }
}
