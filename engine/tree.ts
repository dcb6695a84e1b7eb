/**
 * The B+tree of one bucket: searching it, and editing it inside a write transaction.
 *
 * A root is a page of the file, a page inside the parent bucket's value (inline), or a node.
 * Editing makes nodes of the pages on the path from the root, once a transaction, and records their
 * runs as freed; nodes that grow past a page are split at once, thin ones are merged at commit
 * (balance.ts).
 *
 * Before a child page is believed it must fit its parent: its first key is byte-equal to the
 * separator, and its last key lies below the next separator of the path. So a damaged file can't
 * lead a walk to the same page twice, and every walk ends.
 */

import { assert } from '../base/assert.ts'
import { compareRange } from '../base/bytes.ts'
import {
  BRANCH_CHILDREN_MIN,
  FILL_PERCENT_DEFAULT,
  FILL_PERCENT_MAX,
  FILL_PERCENT_MIN,
  TREE_DEPTH_MAX,
} from './format.ts'
import { placeOfKey } from './key-place.ts'
import { splitIndex } from './node.ts'
import type { Page } from './page.ts'
import { link, startsWithKey } from './pager.ts'
import { UNKNOWN, childBySignpost, frameAt, makeSignpost } from './signpost.ts'
import type { TxPages } from './tx-pages.ts'

export class Tree {
  readonly pages: TxPages
  /** 0 while the tree is inline or has no page yet. */
  rootPgid: number
  inlinePage: Page | undefined
  /** The root where it is a node: the tree is changed. */
  rootNode: Page | undefined = undefined
  /** The root is another clean page than when the tree was opened: its header must say so. */
  isRootMoved = false
  /** Counts edits, so that cursors know when to find their place again. */
  version = 0
  fillPercent: number = FILL_PERCENT_DEFAULT
  /** Where the last `find` ended. */
  leaf: Page | undefined = undefined
  #depth = 0

  constructor(pages: TxPages, rootPgid: number, inlinePage: Page | undefined) {
    this.pages = pages
    this.rootPgid = rootPgid
    this.inlinePage = inlinePage
  }

  /** How many branches the path of the last `find` has. */
  get depth(): number {
    return this.#depth
  }

  root(): Page {
    return this.rootNode ?? this.inlinePage ?? this.pages.page(this.rootPgid)
  }

  /**
   * Descends to the leaf for `key`: the index of the key in `leaf`, or ~index where it would be.
   */
  find(key: Uint8Array): number {
    return this.#searchLeaf(this.#descend(key), key)
  }

  /**
   * As `find`, of a key that is only to be read: `leaf` is valid until the next call, and there is
   * no path to edit along.
   */
  look(key: Uint8Array): number {
    const { pages } = this
    if (this.rootNode !== undefined) return this.find(key)
    pages.pager.beginDescent()
    const { pathRefs, pathIndexes } = pages
    let ref = this.root()
    let depth = 0
    while (!ref.isLeaf) {
      const { signpost } = ref
      let index = signpost === undefined ? UNKNOWN : childBySignpost(signpost, key)
      if (index === UNKNOWN) index = branchIndex(ref, key)
      if (signpost !== undefined) {
        const link = signpost[frameAt(signpost, index)] as number
        if (link !== 0) {
          const { lens, frames } = pages.pager
          frames.look(lens, link)
          this.leaf = lens
          return placeOfKey(lens, key)
        }
      } else if (ref.headShift >= 0) ref.signpost = makeSignpost(ref)
      pathRefs[depth] = ref
      pathIndexes[depth] = index
      ref = childAt(pages, pathRefs, pathIndexes, depth)
      depth++
    }
    this.leaf = ref
    const index = placeOfKey(ref, key)
    if (depth > 0 && ref.headShift >= 0) {
      const parent = pathRefs[depth - 1] as Page
      pages.pager.frames.linkFrame(parent, pathIndexes[depth - 1] as number, ref)
    }
    return index
  }

  /**
   * As `find`, of a key that is about to be put: the leaf is copied before it is searched, so that
   * a page that nobody has looked at for long comes from memory once.
   */
  findOwned(key: Uint8Array): number {
    this.#descend(key)
    const leaf = this.#ownPath()
    this.pages.pager.frames.warm(leaf)
    return this.#searchLeaf(leaf, key)
  }

  #searchLeaf(leaf: Page, key: Uint8Array): number {
    const index = leaf.search(key)
    this.pages.pathIndexes[this.#depth] = index < 0 ? ~index : index
    this.leaf = leaf
    return index
  }

  #descend(key: Uint8Array): Page {
    this.pages.pager.beginDescent()
    const { pathRefs, pathIndexes } = this.pages
    let ref = this.root()
    let depth = 0
    while (!ref.isLeaf) {
      pathRefs[depth] = ref
      pathIndexes[depth] = branchIndex(ref, key)
      ref = childAt(this.pages, pathRefs, pathIndexes, depth)
      depth++
    }
    pathRefs[depth] = ref
    this.#depth = depth
    return ref
  }

  /** Sets a key. The whole path is in memory and checked before the first edit. */
  put(key: Uint8Array, value: Uint8Array, isBucket: boolean): void {
    this.putFound(this.findOwned(key), key, value, isBucket)
  }

  /** Sets a key that `find` has just looked for, with `index` its answer. */
  putFound(index: number, key: Uint8Array, value: Uint8Array, isBucket: boolean): void {
    const leaf = this.#ownPath()
    const { editor } = this.pages
    if (index >= 0) editor.replaceValue(leaf, index, value)
    else editor.insertLeaf(leaf, ~index, key, value)
    editor.mark(leaf, index >= 0 ? index : ~index, isBucket)
    this.#edited()
    this.#splitUp(index < 0 && this.#isRightEdge())
  }

  /** Removes the key that `find` has just found at `index`. */
  removeFound(index: number): void {
    this.pages.editor.remove(this.#ownPath(), index)
    this.#edited()
  }

  /** Nodes were made, or changed by others, that a commit is to write. */
  touched(): void {
    this.#edited()
  }

  #edited(): void {
    this.version++
    this.pages.epoch++
    this.pages.isChanged = true
  }

  /** Makes nodes of the pages on the path of the last `find`; returns the leaf. */
  #ownPath(): Page {
    const { pages } = this
    const { pathRefs, pathIndexes } = pages
    for (let depth = 0; depth <= this.#depth; depth++) {
      const ref = pathRefs[depth] as Page
      if (ref.isNode) continue
      const node = pages.own(ref)
      if (depth === 0) this.#setRoot(node)
      else
        pages.editor.setChild(pathRefs[depth - 1] as Page, pathIndexes[depth - 1] as number, node)
      pathRefs[depth] = node
    }
    this.inlinePage = undefined
    const leaf = pathRefs[this.#depth] as Page
    assert(leaf.isNode && leaf.isLeaf, 'tree: the path does not end in a leaf node')
    return leaf
  }

  #setRoot(node: Page): void {
    this.rootNode = node
    this.rootPgid = 0
  }

  /** Whether the last `find` ended behind the last key of the tree. */
  #isRightEdge(): boolean {
    const { pathRefs, pathIndexes } = this.pages
    for (let depth = 0; depth <= this.#depth; depth++) {
      if ((pathIndexes[depth] as number) !== (pathRefs[depth] as Page).count - 1) return false
    }
    return true
  }

  /** Splits the nodes of the path that have outgrown a page, from the leaf up. */
  #splitUp(isAppend: boolean): void {
    const { pathRefs, pathIndexes, pageSizeBytes } = this.pages
    for (let depth = this.#depth; depth >= 0; depth--) {
      const node = pathRefs[depth] as Page
      if (node.packedSize() <= pageSizeBytes) return
      if (depth > 0) {
        const parent = pathRefs[depth - 1] as Page
        const index = pathIndexes[depth - 1] as number
        splitNode(this.pages, node, { parent, index }, this.cut(isAppend))
      } else {
        this.splitRoot(this.cut(isAppend))
      }
    }
  }

  /** The policy by which an oversize node is cut. */
  cut(isAppend: boolean): CutPolicy {
    const fill = Math.min(FILL_PERCENT_MAX, Math.max(FILL_PERCENT_MIN, this.fillPercent))
    return { isAppend, target: Math.floor(this.pages.pageSizeBytes * fill) }
  }

  /** Splits an oversize root under a new one, until the root fits a page or can't be split. */
  splitRoot(policy: CutPolicy): void {
    const { pages } = this
    for (let depth = 0; depth < TREE_DEPTH_MAX; depth++) {
      const root = this.rootNode
      if (root === undefined || root.packedSize() <= pages.pageSizeBytes) return
      if (cutIndex(root, policy) === undefined) return
      const top = pages.makeNode(false)
      pages.editor.insertChild(top, 0, root.key(0), root)
      splitNode(pages, root, { parent: top, index: 0 }, policy)
      this.#setRoot(top)
    }
  }
}

export interface CutPolicy {
  /** The keys arrive in order at the right edge: leave the left side full. */
  readonly isAppend: boolean
  /** Bytes of page to leave on the left side otherwise. */
  readonly target: number
}

function cutIndex(node: Page, policy: CutPolicy): number | undefined {
  if (!policy.isAppend) return splitIndex(node, policy.target)
  const rightCount = node.isLeaf ? 1 : BRANCH_CHILDREN_MIN
  return node.count >= 2 * rightCount ? node.count - rightCount : undefined
}

/**
 * Makes the separator of `node`, which stands at `place`, equal to its first key, and cuts it until
 * every piece fits a page or can't be cut. Returns the index of the last piece.
 */
export function splitNode(
  pages: TxPages,
  node: Page,
  place: { readonly parent: Page; readonly index: number },
  policy: CutPolicy,
): number {
  let piece = node
  let at = place.index
  // Keys smaller than the first separator went into the first child: it must not stand behind the
  // one that this child is about to get.
  pages.editor.setSeparator(place.parent, at, node)
  while (piece.packedSize() > pages.pageSizeBytes) {
    const cut = cutIndex(piece, policy)
    if (cut === undefined) break
    const right = pages.splitNode(piece, cut)
    at++
    pages.editor.insertChild(place.parent, at, right.key(0), right)
    piece = right
  }
  return at
}

/** The child of a branch in which `key` is, if it is anywhere. */
export function branchIndex(branch: Page, key: Uint8Array): number {
  const index = branch.search(key)
  if (index >= 0) return index
  return ~index === 0 ? 0 : ~index - 1
}

/** The child at the end of a path: element `indexes[depth]` of branch `refs[depth]`. */
export function childAt(
  pages: TxPages,
  refs: readonly Page[],
  indexes: readonly number[],
  depth: number,
): Page {
  const parent = refs[depth] as Page
  const index = indexes[depth] as number
  const kid = parent.kids?.[index]
  if (kid !== undefined) {
    // Most are marked: not writing leaves the line as it is.
    if (!kid.isTouched) kid.isTouched = true
    return kid
  }
  const child = pages.page(parent.childPgid(index))
  const fault = misfit(pages, refs, indexes, depth, child)
  if (fault !== undefined) throw pages.pager.corruption(child.pgid, fault)
  link(parent, index, child)
  return child
}

/** Why `child` can't be what the path leads to, or undefined. */
function misfit(
  pages: TxPages,
  refs: readonly Page[],
  indexes: readonly number[],
  depth: number,
  child: Page,
): string | undefined {
  if (depth + 1 >= TREE_DEPTH_MAX) return `it lies deeper than ${TREE_DEPTH_MAX} levels`
  const parent = refs[depth] as Page
  const index = indexes[depth] as number
  if (child.count === 0) return pages.pager.isStrict ? 'an empty leaf below a branch' : undefined
  const start = parent.keyStart(index)
  const end = start + parent.keySize(index)
  if (pages.pager.isStrict) {
    if (!startsWithKey(child, parent.bytes, start, end)) {
      return 'its first key is not the key that leads to it'
    }
  } else {
    const first = child.keyStart(0)
    const firstEnd = first + child.keySize(0)
    if (compareRange(child.bytes, first, firstEnd, parent.bytes, start, end) < 0) {
      return 'its first key is smaller than the key that leads to it'
    }
  }
  return passesBound(refs, indexes, depth, child)
    ? 'its last key reaches into the page that follows it'
    : undefined
}

function passesBound(
  refs: readonly Page[],
  indexes: readonly number[],
  depth: number,
  child: Page,
): boolean {
  for (let level = depth; level >= 0; level--) {
    const ref = refs[level] as Page
    const next = (indexes[level] as number) + 1
    if (next >= ref.count) continue
    const bound = ref.keyStart(next)
    const last = child.keyStart(child.count - 1)
    const lastEnd = last + child.keySize(child.count - 1)
    const boundEnd = bound + ref.keySize(next)
    return compareRange(child.bytes, last, lastEnd, ref.bytes, bound, boundEnd) >= 0
  }
  return false
}
