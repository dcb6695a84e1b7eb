/**
 * Giving space back, a few pages at a time: a writer touches pages that lie far back in the file,
 * so that its commit writes them anew, further in front; and puts the rows of thin neighbours
 * together.
 *
 *   before   | a . . b c . . . d e |      a to e in use, dots free
 *   touched                    d e
 *   commit   | a d e b c . . . - - |      where they were is free when no kept root needs it
 *   trimmed  | a d e b c |                by the checkpoints that follow
 *
 * It changes no key, so its commit is one of an empty record: after a crash the log is done again
 * without it, and pages lie where they lay, or elsewhere. What a reader, a kept generation or a
 * checkpoint can reach stays whole by the rule of reuse, as with any commit.
 *
 * Steps go through the trees in the order of keys and go on by key, so that others may write in
 * between. The allocator takes the lowest page that is free. A page is touched only where one is
 * free in front of it: else it would go to the end.
 *
 * Buckets inside buckets are not gone into: what lies in them stays where it is.
 */

import { EMPTY_BYTES } from '../base/bytes.ts'
import type { Allocation } from './allocation.ts'
import { ownChild } from './balance.ts'
import { grownSize, shrinkFile } from './commit.ts'
import type { Engine } from './engine.ts'
import { ELEMENT_SIZE, PAGE_HEADER_SIZE } from './format.ts'
import type { Page } from './page.ts'
import { childAt } from './tree.ts'
import type { Tree } from './tree.ts'
import type { Tx } from './tx.ts'

/** Pages touched in one transaction, at most: they are copied when it commits. */
const STEP_PAGES = 128
/** A leaf filled less than by so many quarters takes rows from its neighbour. */
const THIN_QUARTERS = 3

/** Where the next step begins. */
export interface MovePlace {
  /** The top-level bucket's name; empty: the top level itself. */
  readonly bucket: Uint8Array
  /** The leaf that has this key, or would have it. */
  readonly key: Uint8Array
}

/** Where the first step begins. */
export const FIRST_PLACE: MovePlace = { bucket: EMPTY_BYTES, key: EMPTY_BYTES }

export interface MoveStep {
  readonly from: MovePlace
  /** Pages from here on are to move, where there is room in front of it. */
  readonly target: number
  /** Whether rows of thin leaves are put together, too: then every leaf is read. */
  readonly fills: boolean
  /** Whether the step has taken long enough. */
  readonly isDue: () => boolean
}

export interface MoveProgress {
  /** Where to go on; undefined: all has been gone through. */
  readonly next: MovePlace | undefined
  /** Leaves gone by, those that were not looked at included. */
  readonly passedLeaves: number
  readonly movedLeaves: number
  /** Whether the transaction has anything to commit. */
  readonly isChanged: boolean
}

/**
 * Touches what is to move, in a writing transaction of a file that has a log, until the step is due
 * or there is nothing left to move to. Others may use the transaction, too.
 */
export function movePages(tx: Tx, step: MoveStep): MoveProgress {
  const mover = new Mover(tx, step)
  let place: MovePlace | undefined = step.from
  while (place !== undefined) {
    place = mover.visit(place)
    if (mover.isFull || step.isDue()) break
  }
  const { passedLeaves, movedLeaves, isChanged } = mover
  return { next: place, passedLeaves, movedLeaves, isChanged }
}

class Mover {
  readonly #tx: Tx
  readonly #step: MoveStep
  readonly #allocation: Allocation
  /** Free pages in front of the target, less those that what was touched will take. */
  #room: number
  readonly #roomBefore: number
  passedLeaves = 0
  movedLeaves = 0
  isChanged = false
  /** The step takes no more. */
  isFull = false

  constructor(tx: Tx, step: MoveStep) {
    this.#tx = tx
    this.#step = step
    this.#allocation = tx.allocate()
    this.#roomBefore = this.#allocation.freeBelow(step.target)
    this.#room = this.#roomBefore
  }

  /** Looks at one leaf; returns where to go on. */
  visit(place: MovePlace): MovePlace | undefined {
    const { bucket: name } = place
    const bucket = name.length === 0 ? this.#tx.root : this.#tx.bucket(name)
    const isTree = bucket !== undefined && bucket.tree.inlinePage === undefined
    const next = isTree
      ? this.#tx.pages.pager.holding(() => this.#visitLeaf(bucket.tree, place.key))
      : undefined
    if (next !== undefined) {
      this.#tx.grew(0)
      return next === place.key ? place : { bucket: name, key: next }
    }
    if (isTree) this.#tx.grew(0)
    return this.#bucketAfter(name)
  }

  #bucketAfter(name: Uint8Array): MovePlace | undefined {
    const cursor = this.#tx.cursor()
    let entry = cursor.seek(name)
    if (entry !== undefined && Buffer.compare(entry.key, name) === 0) entry = cursor.next()
    return entry === undefined ? undefined : { bucket: entry.key.slice(), key: EMPTY_BYTES }
  }

  /** Returns the key to go on with, `key` itself where the step ends before its leaf. */
  #visitLeaf(tree: Tree, key: Uint8Array): Uint8Array | undefined {
    tree.find(key)
    const { pathRefs } = tree.pages
    const leaf = pathRefs[tree.depth] as Page
    if (this.#isBehind(tree) && this.#hasRoomFor(tree, leaf)) {
      // What this step has taken already is not to be told apart from what is free: the next one
      // sees. Nor may anybody take parts of the place that a run needs.
      const isRun = pagesOf(leaf, tree) > 1
      if (this.movedLeaves > 0 && (isRun || this.#room < 1 + tree.depth)) {
        this.isFull = true
        return key
      }
      this.#touch(tree, key)
      if (isRun) this.isFull = true
    }
    if (this.#step.fills) while (this.#fill(tree, key));
    this.passedLeaves++
    return this.#keyAfter(tree)
  }

  /** Whether something on the path lies behind the target. */
  #isBehind(tree: Tree): boolean {
    const { pathRefs, pageSizeBytes } = tree.pages
    const { target } = this.#step
    for (let depth = 0; depth <= tree.depth; depth++) {
      const page = pathRefs[depth] as Page
      if (!page.isNode && page.pgid + page.sizeBytes / pageSizeBytes > target) return true
    }
    return false
  }

  /** Whether there was a place in front of the target when the step began. */
  #hasRoomFor(tree: Tree, leaf: Page): boolean {
    const count = pagesOf(leaf, tree)
    if (this.#roomBefore < count + tree.depth) return false
    if (count === 1) return true
    const first = this.#allocation.lowestRun(count)
    return first !== undefined && first < leaf.pgid
  }

  /** Makes nodes of the path of `key`, which the commit will place. */
  #touch(tree: Tree, key: Uint8Array): void {
    const leaf = tree.pages.pathRefs[tree.depth] as Page
    if (leaf.isNode) return
    this.#room -= pagesOf(leaf, tree)
    tree.findOwned(key)
    tree.touched()
    this.#count()
  }

  #count(): void {
    this.isChanged = true
    if (++this.movedLeaves >= STEP_PAGES) this.isFull = true
  }

  /**
   * Puts rows of the next leaf into this one where it has room for them; returns whether it may
   * have room for more.
   */
  #fill(tree: Tree, key: Uint8Array): boolean {
    const { pages, depth } = tree
    const { pathRefs, pathIndexes, pageSizeBytes } = pages
    if (depth === 0) return false
    const parent = pathRefs[depth - 1] as Page
    const at = (pathIndexes[depth - 1] as number) + 1
    if (at >= parent.count) return false
    const size = (pathRefs[depth] as Page).packedSize()
    if (size > pageSizeBytes) return false
    const right = childAt(pages, [parent], [at], 0)
    const rightSize = right.packedSize()
    if (rightSize > pageSizeBytes) return false
    const isWhole = size + rightSize - PAGE_HEADER_SIZE <= pageSizeBytes
    const isThin = size * 4 < pageSizeBytes * THIN_QUARTERS
    const count = isWhole ? right.count : isThin ? fitting(right, pageSizeBytes - size) : 0
    if (count === 0) return false
    this.#touch(tree, key)
    const leaf = pathRefs[depth] as Page
    this.#take(tree, { leaf, parent: pathRefs[depth - 1] as Page, at, count })
    return isWhole
  }

  /** Moves the first `count` rows of child `at` to the end of `leaf`, the child before it. */
  #take(tree: Tree, { leaf, parent, at, count }: Taking): void {
    const { pages } = tree
    const { editor } = pages
    const right = ownChild(tree, parent, at)
    if (count === right.count) {
      editor.append(leaf, right)
      editor.remove(parent, at)
    } else {
      const rest = pages.splitNode(right, count)
      editor.append(leaf, right)
      rest.isFirstChanged = true
      editor.setChild(parent, at, rest)
      editor.setSeparator(parent, at, rest)
    }
    tree.touched()
    this.#count()
  }

  /** The first key behind the leaf of the path that is worth a look; undefined: there is none. */
  #keyAfter(tree: Tree): Uint8Array | undefined {
    const { pathRefs, pathIndexes } = tree.pages
    for (let depth = tree.depth - 1; depth >= 0; depth--) {
      const branch = pathRefs[depth] as Page
      let next = (pathIndexes[depth] as number) + 1
      if (depth === tree.depth - 1 && !this.#step.fills) next = this.#passInPlace(branch, next)
      if (next < branch.count) return branch.key(next)
    }
    return undefined
  }

  /** Passes by leaves that lie in front of the target: the branch alone says so. */
  #passInPlace(branch: Page, from: number): number {
    let next = from
    while (next < branch.count && branch.childPgid(next) < this.#step.target) next++
    this.passedLeaves += next - from
    return next
  }
}

interface Taking {
  readonly leaf: Page
  readonly parent: Page
  readonly at: number
  readonly count: number
}

/** How many pages a leaf takes. */
function pagesOf(leaf: Page, { pages: { pageSizeBytes } }: Tree): number {
  return leaf.isNode ? Math.ceil(leaf.packedSize() / pageSizeBytes) : leaf.sizeBytes / pageSizeBytes
}

/** How many of the first rows of a leaf fit into `size` bytes; never all. */
function fitting(leaf: Page, size: number): number {
  let left = size
  for (let i = 0; i < leaf.count - 1; i++) {
    left -= ELEMENT_SIZE + leaf.keySize(i) + leaf.valueSize(i)
    if (left < 0) return i
  }
  return leaf.count - 1
}

/** The first page behind all that the head may use. */
export function highWaterMark({ core }: Engine): number {
  return core.head.highWaterMark
}

/** How long the file is, in bytes, or how long the next checkpoint would make it. */
export function fileSizeToBe({ core }: Engine): number {
  const needed = core.head.highWaterMark * core.pageSizeBytes
  return Math.max(core.fileSizeBytes, grownSize(needed))
}

/** Makes pages free that no root needs any more, some of them; returns whether there are more. */
export function releaseSome({ core }: Engine): boolean {
  core.releasePages()
  return core.freelist.isUnweighed
}

/** Makes the file as short as both its generations, the head and all readers let it be. */
export function shrinkTail({ core }: Engine): void {
  shrinkFile(core, true)
}
