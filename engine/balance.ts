/**
 * What a commit does to the nodes of one tree before they get pages: merge the thin, split the
 * oversize, make separators equal to first keys, lower the root.
 *
 * Works from the lowest branches up, so every child is final when its parent is looked at. Only
 * nodes that shrank are merged, as in bbolt; a node merges with its left sibling, the first one
 * with its right.
 *
 *   before   branch [a c e] → leaves a,b | c | e,f        c was all that deletes left of a leaf
 *   after    branch [a e]   → leaves a,b,c | e,f
 */

import { assert } from '../base/assert.ts'
import { BRANCH_CHILDREN_MIN } from './format.ts'
import { childNode, nextChildNode } from './node.ts'
import type { Page } from './page.ts'
import type { Tree } from './tree.ts'
import { childAt, splitNode } from './tree.ts'

/**
 * Brings the changed part of a tree into the shape in which it can be written. Returns its nodes by
 * depth, each level in key order.
 */
export function balance(tree: Tree): Page[][] {
  const { rootNode } = tree
  if (rootNode === undefined) return []
  const levels = nodeLevels(tree)
  let isReshaped = false
  for (let depth = levels.length - 1; depth >= 0; depth--) {
    for (const node of levels[depth] as Page[]) {
      if (!node.isLeaf && settleChildren(tree, node)) isReshaped = true
    }
  }
  lowerRoot(tree)
  tree.splitRoot(tree.cut(false))
  return isReshaped || tree.rootNode !== rootNode ? nodeLevels(tree) : levels
}

function nodeLevels(tree: Tree): Page[][] {
  const levels: Page[][] = []
  if (tree.rootNode === undefined) return levels
  let level: Page[] = [tree.rootNode]
  while (level.length > 0) {
    levels.push(level)
    const below: Page[] = []
    for (const node of level) {
      if (node.isLeaf) continue
      for (let i = nextChildNode(node, 0); i < node.count; i = nextChildNode(node, i + 1)) {
        below.push(childNode(node, i) as Page)
      }
    }
    level = below
  }
  return levels
}

/**
 * Merges, splits and names the children of a branch whose grandchildren are settled. Returns
 * whether nodes have come or gone.
 */
function settleChildren(tree: Tree, parent: Page): boolean {
  const { editor } = tree.pages
  let isReshaped = false
  for (let i = nextChildNode(parent, 0); i < parent.count; i = nextChildNode(parent, i)) {
    const child = childNode(parent, i) as Page
    if (child.count === 0) {
      editor.remove(parent, i)
      isReshaped = true
    } else if (parent.count > 1 && isThin(tree, child)) {
      // The merged node stands one to the left, and may still be thin.
      i = mergeAt(tree, parent, i === 0 ? 0 : i - 1)
      isReshaped = true
    } else {
      i++
    }
  }
  for (let i = nextChildNode(parent, 0); i < parent.count; i = nextChildNode(parent, i + 1)) {
    const child = childNode(parent, i) as Page
    // Makes the separator what it must be, too.
    const last = splitNode(tree.pages, child, { parent, index: i }, tree.cut(false))
    if (last !== i) isReshaped = true
    i = last
  }
  return isReshaped
}

function isThin(tree: Tree, node: Page): boolean {
  if (!node.isLeaf && node.count < BRANCH_CHILDREN_MIN) return true
  return node.isShrunk && node.packedSize() < tree.pages.pageSizeBytes / 4
}

/** Appends child `left + 1` to child `left`; returns the index of the merged node. */
function mergeAt(tree: Tree, parent: Page, left: number): number {
  const target = ownChild(tree, parent, left)
  const source = ownChild(tree, parent, left + 1)
  assert(target.isLeaf === source.isLeaf, 'balance: siblings of different kinds')
  tree.pages.editor.append(target, source)
  target.isShrunk = target.isShrunk || source.isShrunk
  tree.pages.editor.remove(parent, left + 1)
  // A branch that had one child left could not settle it alone.
  if (!target.isLeaf) settleChildren(tree, target)
  return left
}

/** The node of child `index`, made from its page where it is still clean. */
export function ownChild(tree: Tree, parent: Page, index: number): Page {
  const present = childNode(parent, index)
  if (present !== undefined) return present
  const { pages } = tree
  const page = childAt(pages, [parent], [index], 0)
  assert(!page.isNode, 'balance: a clean child is a page')
  const node = pages.own(page)
  pages.editor.setChild(parent, index, node)
  return node
}

/** Takes away roots with one child or none. */
function lowerRoot(tree: Tree): void {
  for (;;) {
    const root = tree.rootNode
    if (root === undefined || root.isLeaf || root.count > 1) return
    if (root.count === 0) {
      tree.rootNode = tree.pages.makeNode(true)
      return
    }
    const child = childNode(root, 0)
    if (child === undefined) {
      tree.rootPgid = root.childPgid(0)
      tree.isRootMoved = true
    }
    tree.rootNode = child
  }
}
