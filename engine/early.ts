/**
 * Transactions larger than memory: leaves written before the commit.
 *
 * When the nodes of a write transaction take more memory than is meant for them, its trees are
 * balanced and all their leaves written to the places where the commit would put them. No root
 * that anyone else knows leads there, so a power cut or a rollback leaves nothing of them. Each
 * becomes a page of the cache like any other, which can be dropped and read again; if it is edited
 * once more, its place goes back to the transaction.
 */

import { isKvError } from '../base/errors.ts'
import { balance } from './balance.ts'
import type { Core } from './core.ts'
import { BUCKET_HEADER_SIZE, pagesFor } from './format.ts'
import { readBucketHeader } from './inline.ts'
import { childNode } from './node.ts'
import type { Page } from './page.ts'
import { openBuckets } from './spill.ts'
import type { Tree } from './tree.ts'
import type { Tx } from './tx.ts'
import { writeImages, writeOverPassed } from './write-images.ts'

/** A leaf that is a node, and the element that leads to it. */
interface Leaf {
  readonly node: Page
  readonly parent: Page
  readonly index: number
}

/**
 * Writes the changed leaves of all open buckets of `tx`. A failure leaves the transaction as it
 * was; one that is no want of space poisons the handle, as in a commit.
 * @throws {KvError} KV_NO_SPACE, KV_IO
 */
export function writeEarly(core: Core, tx: Tx): void {
  const { pages } = tx
  dropPassedOver(core)
  const leaves: Leaf[] = []
  for (const { bucket } of openBuckets(tx.root)) leaves.push(...leavesOf(bucket.tree))
  const allocation = tx.allocate()
  allocation.plan(leaves.length)
  for (const { node } of leaves) {
    const pageCount = pagesFor(node.packedSize(), pages.pageSizeBytes)
    pages.editor.place(node, allocation.takeEarly(pageCount), pageCount)
  }
  pages.highWaterMark = allocation.highWaterMark
  try {
    writeImages(
      core,
      leaves.map(({ node }) => node),
    )
  } catch (error) {
    for (const { node } of leaves) {
      allocation.giveBack(node.pgid, node.sizeBytes / pages.pageSizeBytes)
    }
    if (!isKvError(error, 'KV_NO_SPACE')) core.poisonWith(error)
    throw error
  }
  for (const { node, parent, index } of leaves) {
    pages.editor.setChildPgid(parent, index, node.pgid)
    pages.editor.settle(node)
    core.pager.install(node)
  }
  pages.dropSettled()
  core.pager.trim()
}

/**
 * As `writeEarly`, of what is done again on opening: on a disk that is full, or with a file that
 * may not be written, it stays in memory, however much it is.
 */
export function writeEarlyInReplay(core: Core, tx: Tx): void {
  if (!core.file.writable) return
  try {
    writeEarly(core, tx)
  } catch (error) {
    if (core.isPoisoned || !isKvError(error, 'KV_NO_SPACE')) throw error
  }
}

/** As the first step of a commit: a newer meta that opening passed over must not come back. */
function dropPassedOver(core: Core): void {
  if (core.passedOverSlot === undefined) return
  try {
    writeOverPassed(core, core.passedOverSlot)
    core.file.sync('data')
  } catch (error) {
    core.poisonWith(error)
    throw error
  }
  core.passedOverSlot = undefined
}

/** The leaves of a tree that are nodes below a branch, after it has been balanced. */
function leavesOf(tree: Tree): Leaf[] {
  const leaves: Leaf[] = []
  if (tree.rootNode === undefined) return leaves
  const levels = balance(tree)
  // Cursors find their place again.
  tree.version++
  tree.pages.epoch++
  for (const level of levels) {
    for (const parent of level) {
      if (parent.isLeaf) continue
      for (let index = 0; index < parent.count; index++) {
        const node = childNode(parent, index)
        if (node?.isLeaf === true && !holdsPlaceholder(node)) leaves.push({ node, parent, index })
      }
    }
  }
  return leaves
}

/** Whether a bucket in the leaf has no page yet: its entry is none that could be read again. */
function holdsPlaceholder(leaf: Page): boolean {
  for (let i = 0; i < leaf.count; i++) {
    if (!leaf.isBucket(i) || leaf.valueSize(i) !== BUCKET_HEADER_SIZE) continue
    if (readBucketHeader(leaf, i).rootPgid === 0) return true
  }
  return false
}
