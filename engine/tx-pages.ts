/**
 * What one transaction sees of the file: clean pages through the pager, and, in a write
 * transaction, its nodes and the page runs it has taken the place of.
 */

import { verifying } from '../base/assert.ts'
import { EMPTY_BYTES } from '../base/bytes.ts'
import { copyRange } from '../base/copy-range.ts'
import type { Allocation } from './allocation.ts'
import { BRANCH_CHILDREN_MIN } from './format.ts'
import type { NodeEditor } from './node.ts'
import type { Page } from './page.ts'
import { lentAt } from './frames.ts'
import type { Pager } from './pager.ts'

const SCRIBBLE = 0xdb

/** Bytes to be looked at before anything else is asked of the file: `[position, end)`. */
export interface Glance {
  bytes: Uint8Array
  position: number
  end: number
}

export class TxPages {
  readonly pager: Pager
  readonly editor: NodeEditor
  readonly pageSizeBytes: number
  /** Pages below may be read: those of the root, and those that were written early. */
  highWaterMark: number
  /** The pages that a writer takes, once it takes any. */
  allocation: Allocation | undefined = undefined
  /** All nodes made in this transaction, those that are part of no tree any more included. */
  #nodes: Page[] = []
  /** Runs that no root will reach after the commit: [first, count, first, count, …]. */
  readonly freedRuns: number[] = []
  /** Moves on with each edit and with the end: while it stands still, so does what was found. */
  epoch = 0
  /** Something that a commit must write has happened. */
  isChanged = false
  /** The path of the last descent by key: reused, so that a point read allocates nothing. */
  readonly pathRefs: Page[] = []
  readonly pathIndexes: number[] = []
  /**
   * What it sees is larger than the memory meant for pages: so pages are dropped while it reads,
   * and whoever stands on one must look whether it is still there.
   */
  readonly isSparing: boolean
  readonly #use: number
  /** So many pages may still be kept for what is lent of them; beyond that copies are lent. */
  #viewsLeft: number
  /** Bytes of values too large for a frame, put since nodes were last written. */
  #grown = 0
  #growthMax: number
  #lent: Uint8Array[] = []
  /** What `glance` gave last, under KV_VERIFY=all. */
  #glanced: Uint8Array = EMPTY_BYTES

  /** `usedPages`: how many pages what it sees may take. */
  constructor(pager: Pager, highWaterMark: number, usedPages: number) {
    this.pager = pager
    this.editor = pager.editor
    this.pageSizeBytes = pager.pageSizeBytes
    this.highWaterMark = highWaterMark
    this.#growthMax = pager.budgetBytes
    this.isSparing = usedPages * pager.pageSizeBytes > pager.budgetBytes
    this.#viewsLeft = this.isSparing ? pager.budgetBytes / pager.pageSizeBytes / 64 : Infinity
    this.#use = pager.beginUse(this.isSparing)
  }

  page(pgid: number): Page {
    return this.pager.page(pgid, this.highWaterMark)
  }

  /** How many nodes there are, some of them perhaps part of no tree any more. */
  get nodeCount(): number {
    return this.#nodes.length
  }

  /** Whether making pages of the nodes may merge some with their siblings, which it then reads. */
  get mayMerge(): boolean {
    for (const node of this.#nodes) {
      if (node.isShrunk || node.count === 0) return true
      if (!node.isLeaf && node.count < BRANCH_CHILDREN_MIN) return true
    }
    return false
  }

  makeNode(isLeaf: boolean): Page {
    const node = this.editor.make(isLeaf)
    this.#nodes.push(node)
    return node
  }

  /**
   * Makes a node of a page, whose run is freed where it has one. Where nobody but this transaction
   * could look at the page in memory it becomes the node itself; else the node is a copy.
   */
  own(page: Page): Page {
    if (page.pgid !== 0) this.freePage(page)
    const isOurs = lentAt(page) < this.#use && this.pager.isOnlyUse(this.#use)
    const node = isOurs && this.pager.takeOut(page) ? page : undefined
    if (node === undefined) {
      const copy = this.editor.fromPage(page)
      this.#nodes.push(copy)
      return copy
    }
    this.editor.adopt(node)
    this.#nodes.push(node)
    return node
  }

  splitNode(node: Page, index: number): Page {
    const right = this.editor.split(node, index)
    this.#nodes.push(right)
    return right
  }

  /** Frees a run. One that this transaction wrote itself goes back to it at once. */
  freeRun(first: number, count: number): void {
    if (this.allocation?.giveBack(first, count) === true) return
    this.freedRuns.push(first, count)
  }

  /**
   * Notes a value of `sizeBytes` put into a node. Returns whether the nodes may now take more
   * memory than is meant for them.
   */
  grow(sizeBytes: number): boolean {
    if (sizeBytes > this.pageSizeBytes >>> 2) this.#grown += sizeBytes
    return this.#grown + this.#nodes.length * this.pageSizeBytes > this.#growthMax
  }

  /** Some nodes have become pages: forgets these. */
  dropSettled(): void {
    this.#nodes = this.#nodes.filter((node) => node.isNode)
    this.#grown = 0
    for (const node of this.#nodes) if (node.slab === undefined) this.#grown += node.bytes.length
    // What could not be written is not looked at again before as much has come to it.
    const rest = this.#grown + this.#nodes.length * this.pageSizeBytes
    this.#growthMax = Math.max(this.pager.budgetBytes, 2 * rest)
  }

  /** Frees the run of a page of this file. */
  freePage(page: Page): void {
    this.freeRun(page.pgid, page.sizeBytes / this.pageSizeBytes)
  }

  /**
   * The bytes `[start, end)` of a page, valid until the transaction ends. Those of a node, which
   * move when it is edited, are a copy; so is what a transaction lends beyond what may stay in
   * memory for it. Under KV_VERIFY=all all are, and scribbled over then.
   */
  lend(ref: Page, start: number, end: number): Uint8Array {
    if (verifying) {
      const copy = ref.bytes.slice(start, end)
      this.#lent.push(copy)
      return copy
    }
    if (ref.isNode) return copyRange(ref.buffer, start, end - start)
    if (this.isSparing && ref.slab !== undefined && --this.#viewsLeft < 0) {
      return copyRange(ref.buffer, start, end - start)
    }
    return this.view(ref, start, end)
  }

  /**
   * The bytes `[start, end)` of a page for the moment: nothing is made and nothing kept for them.
   * Under KV_VERIFY=all they are a copy, scribbled over by the next glance.
   */
  glance(ref: Page, start: number, end: number, place: Glance): void {
    if (verifying) {
      this.#glanced.fill(SCRIBBLE)
      this.#glanced = ref.bytes.slice(start, end)
      place.bytes = this.#glanced
      place.position = 0
      place.end = end - start
      return
    }
    place.bytes = ref.bytes
    place.position = start
    place.end = end
  }

  /** As `lend`, always a view: the page keeps its bytes until the transaction ends. */
  view(page: Page, start: number, end: number): Uint8Array {
    if (page === this.pager.lens) this.pager.frames.noteLent(page, this.#use)
    else page.lentAt = this.#use
    return new Uint8Array(page.buffer, start, end - start)
  }

  /** Ends the life of everything that was lent, and of the nodes that no commit made pages of. */
  end(): void {
    this.epoch++
    for (const bytes of this.#lent) bytes.fill(SCRIBBLE)
    this.#lent = []
    this.#glanced.fill(SCRIBBLE)
    this.pathRefs.length = 0
    for (const node of this.#nodes) if (node.isNode) this.editor.free(node)
    this.#nodes = []
    this.allocation?.undo()
    this.allocation = undefined
    this.pager.endUse(this.#use)
  }
}
