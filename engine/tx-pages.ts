/**
 * What one transaction sees of the file: clean pages through the pager, and, in a write
 * transaction, its nodes and the page runs it has taken the place of.
 */

import { assert, verifying } from '../base/assert.ts'
import { TREE_DEPTH_MAX } from './format.ts'
import type { Node } from './node.ts'
import type { Page } from './page.ts'
import type { Pager } from './pager.ts'

export type PageRef = Page | Node

const SCRIBBLE = 0xdb

export class TxPages {
  readonly pager: Pager
  readonly pageSizeBytes: number
  readonly highWaterMark: number
  /** Nodes by number; a number is never used twice in a transaction. */
  readonly nodes: Node[] = []
  /** Runs that no root will reach after the commit: [first, count, first, count, …]. */
  readonly freedRuns: number[] = []
  /** Something that a commit must write has happened. */
  isChanged = false
  /** The path of the last descent by key: reused, so that a point read allocates nothing. */
  readonly pathRefs: PageRef[] = []
  readonly pathIndexes: number[] = new Array<number>(TREE_DEPTH_MAX).fill(0)
  #lent: Uint8Array[] = []

  constructor(pager: Pager, highWaterMark: number) {
    this.pager = pager
    this.pageSizeBytes = pager.pageSizeBytes
    this.highWaterMark = highWaterMark
  }

  page(pgid: number): Page {
    return this.pager.page(pgid, this.highWaterMark)
  }

  addNode(node: Node): number {
    this.nodes.push(node)
    return this.nodes.length - 1
  }

  node(nodeNumber: number): Node {
    const node = this.nodes[nodeNumber]
    assert(node !== undefined, 'tx-pages: no such node')
    return node
  }

  freeRun(first: number, count: number): void {
    this.freedRuns.push(first, count)
  }

  /** Frees the run of a page of this file. */
  freePage(page: Page): void {
    this.freeRun(page.pgid, page.sizeBytes / this.pageSizeBytes)
  }

  /**
   * A view of `[start, end)` of a page or node, valid until the transaction ends. Under
   * KV_VERIFY=all it is a copy that is scribbled over then.
   */
  lend(ref: PageRef, start: number, end: number): Uint8Array {
    const { bytes } = ref
    if (verifying) {
      const copy = bytes.slice(start, end)
      this.#lent.push(copy)
      return copy
    }
    if (ref.isNode) ref.isLent = true
    return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
  }

  /** Ends the life of everything that was lent. */
  end(): void {
    for (const bytes of this.#lent) bytes.fill(SCRIBBLE)
    this.#lent = []
    this.pathRefs.length = 0
  }
}
