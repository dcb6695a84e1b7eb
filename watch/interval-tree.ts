/**
 * Which values want a key: single keys and ranges of keys, each with any number of values.
 *
 * A single key stands in a hash. Ranges [start, end) stand in an AVL tree ordered by start, then
 * end; each node knows the furthest end below it, so a whole subtree that ends before a key is
 * passed over. Looking up a key costs one hash lookup and O((1 + matching ranges) · log ranges);
 * adding and removing cost O(log ranges).
 *
 * Invariants
 *   1. the heights of a node's subtrees differ by at most 1.
 *   2. `furthest` is the greatest end in a node's subtree; undefined is beyond every key.
 *   3. no node and no key is without values.
 */

import { compareBytes } from '../base/bytes.ts'
import { TO_LAST_KEY } from '../mvcc/request.ts'
import type { KeySpan } from '../mvcc/request.ts'

interface Node<T> {
  start: Uint8Array
  /** Exclusive; undefined: to the last key. */
  end: Uint8Array | undefined
  values: Set<T>
  furthest: Uint8Array | undefined
  height: number
  left: Node<T> | undefined
  right: Node<T> | undefined
}

export class IntervalTree<T> {
  readonly #keys = new Map<string, Set<T>>()
  #root: Node<T> | undefined
  #size = 0

  /** How many pairs of a span and a value it holds. */
  get size(): number {
    return this.#size
  }

  /** Adds a value under a span, whose bytes it keeps. A span that holds no keys never matches. */
  add(span: KeySpan, value: T): void {
    const values = span.end === undefined ? this.#addKey(span.key) : this.#addRange(span)
    const before = values.size
    values.add(value)
    this.#size += values.size - before
  }

  /** Removes a value from a span; false where it was not there. */
  remove(span: KeySpan, value: T): boolean {
    const values = span.end === undefined ? this.#keys.get(nameOf(span.key)) : this.#find(span)
    if (values?.delete(value) !== true) return false
    this.#size--
    if (values.size > 0) return true
    if (span.end === undefined) this.#keys.delete(nameOf(span.key))
    else this.#root = removeNode(this.#root, span.key, endOf(span))
    return true
  }

  /** Calls `visit` with each value whose span holds `key`; twice where two spans of it do. */
  stab(key: Uint8Array, visit: (value: T) => void): void {
    if (this.#keys.size > 0) {
      const values = this.#keys.get(nameOf(key))
      if (values !== undefined) for (const value of values) visit(value)
    }
    if (this.#root !== undefined) stabNode(this.#root, key, visit)
  }

  /** The height of the tree of ranges, for tests. */
  get height(): number {
    return heightOf(this.#root)
  }

  #addKey(key: Uint8Array): Set<T> {
    const name = nameOf(key)
    const known = this.#keys.get(name)
    if (known !== undefined) return known
    const values = new Set<T>()
    this.#keys.set(name, values)
    return values
  }

  #addRange(span: KeySpan): Set<T> {
    const known = this.#find(span)
    if (known !== undefined) return known
    const values = new Set<T>()
    const end = endOf(span)
    const node = { start: span.key, end, values, furthest: end, height: 1 }
    this.#root = addNode(this.#root, { ...node, left: undefined, right: undefined })
    return values
  }

  #find(span: KeySpan): Set<T> | undefined {
    const end = endOf(span)
    let node = this.#root
    while (node !== undefined) {
      const order = compareSpans(span.key, end, node)
      if (order === 0) return node.values
      node = order < 0 ? node.left : node.right
    }
    return undefined
  }
}

/** Bytes as a string of one character each, to be hashed. */
function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}

function endOf(span: KeySpan): Uint8Array | undefined {
  const { end } = span
  return end?.length === 1 && end[0] === TO_LAST_KEY[0] ? undefined : end
}

/** Compares ends; undefined is beyond every key. */
function compareEnds(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  if (a === undefined) return b === undefined ? 0 : 1
  return b === undefined ? -1 : compareBytes(a, b)
}

function compareSpans<T>(start: Uint8Array, end: Uint8Array | undefined, node: Node<T>): number {
  const order = compareBytes(start, node.start)
  return order === 0 ? compareEnds(end, node.end) : order
}

function isBelow(key: Uint8Array, end: Uint8Array | undefined): boolean {
  return end === undefined || compareBytes(key, end) < 0
}

function stabNode<T>(node: Node<T>, key: Uint8Array, visit: (value: T) => void): void {
  if (!isBelow(key, node.furthest)) return
  if (node.left !== undefined) stabNode(node.left, key, visit)
  if (compareBytes(node.start, key) > 0) return
  if (isBelow(key, node.end)) for (const value of node.values) visit(value)
  if (node.right !== undefined) stabNode(node.right, key, visit)
}

function heightOf<T>(node: Node<T> | undefined): number {
  return node === undefined ? 0 : node.height
}

/** Works out again what a node says of its subtree. */
function refresh<T>(node: Node<T>): void {
  node.height = 1 + Math.max(heightOf(node.left), heightOf(node.right))
  let { end } = node
  for (const child of [node.left, node.right]) {
    if (child !== undefined && compareEnds(child.furthest, end) > 0) end = child.furthest
  }
  node.furthest = end
}

function rotateRight<T>(node: Node<T>, left: Node<T>): Node<T> {
  node.left = left.right
  left.right = node
  refresh(node)
  refresh(left)
  return left
}

function rotateLeft<T>(node: Node<T>, right: Node<T>): Node<T> {
  node.right = right.left
  right.left = node
  refresh(node)
  refresh(right)
  return right
}

/** Restores the invariants at a node one of whose subtrees changed; returns what stands there. */
function balance<T>(node: Node<T>): Node<T> {
  const { left, right } = node
  const lean = heightOf(left) - heightOf(right)
  if (lean > 1 && left !== undefined) {
    if (left.right !== undefined && heightOf(left.right) > heightOf(left.left)) {
      node.left = rotateLeft(left, left.right)
    }
    return rotateRight(node, node.left ?? left)
  }
  if (lean < -1 && right !== undefined) {
    if (right.left !== undefined && heightOf(right.left) > heightOf(right.right)) {
      node.right = rotateRight(right, right.left)
    }
    return rotateLeft(node, node.right ?? right)
  }
  refresh(node)
  return node
}

function addNode<T>(node: Node<T> | undefined, added: Node<T>): Node<T> {
  if (node === undefined) return added
  if (compareSpans(added.start, added.end, node) < 0) node.left = addNode(node.left, added)
  else node.right = addNode(node.right, added)
  return balance(node)
}

function removeNode<T>(
  node: Node<T> | undefined,
  start: Uint8Array,
  end: Uint8Array | undefined,
): Node<T> | undefined {
  if (node === undefined) return undefined
  const order = compareSpans(start, end, node)
  if (order < 0) node.left = removeNode(node.left, start, end)
  else if (order > 0) node.right = removeNode(node.right, start, end)
  else {
    const { left, right } = node
    if (left === undefined) return right
    if (right === undefined) return left
    let heir = right
    while (heir.left !== undefined) heir = heir.left
    node.start = heir.start
    node.end = heir.end
    node.values = heir.values
    node.right = removeNode(right, heir.start, heir.end)
  }
  return balance(node)
}
