/**
 * A cursor: an ordered position in one bucket.
 *
 * Moving allocates nothing; `key` and `value` make a view when asked. At the edges it moves as
 * bbolt's cursor does: `next` at the end answers undefined and stays on the last entry, `prev` at
 * the start likewise; a `seek` past the end answers undefined, and `prev` from there is the last
 * entry; a fresh cursor's
 * `next` and `prev` answer undefined.
 *
 * In a write transaction it is exact where bbolt's is not: it remembers its key, and when the
 * bucket was edited since, by whomever, `next` is the smallest key larger than that one, `prev`
 * the largest smaller. So deleting while iterating visits every key once.
 */

import { toBytes } from '../base/text.ts'
import type { Bucket } from './bucket.ts'
import { branchIndex, childAt } from './tree.ts'
import type { Page } from './page.ts'
import type { Glance, TxPages } from './tx-pages.ts'

/**
 * What a cursor stands on. Lent: valid until the cursor moves, its bytes until the transaction
 * ends.
 */
export interface Entry {
  readonly key: Uint8Array
  /** undefined where the entry is a bucket. */
  readonly value: Uint8Array | undefined
}

const FRESH = 0
const ON_ENTRY = 1
/** Between entries: behind a sought key that has no successor, or where a deleted entry was. */
const BETWEEN = 2
/** No tree has this version, and no transaction this epoch. */
const STALE = -1

export class Cursor implements Entry {
  readonly bucket: Bucket
  readonly #pages: TxPages
  #state: typeof FRESH | typeof ON_ENTRY | typeof BETWEEN = FRESH
  readonly #refs: Page[] = []
  readonly #indexes: number[] = []
  #depth = 0
  #version = 0
  /** The leaf and the element it stands on; `#refs` and `#indexes` agree with them after a move. */
  #leaf: Page | undefined = undefined
  #index = 0
  /** What `TxPages.epoch` was when it was known to stand on an entry. */
  #epoch: number = STALE
  /** Whether pages can change or be dropped under it. */
  readonly #keepsKey: boolean
  /** The key of the position, where it may have to be found again. */
  #saved: Uint8Array = new Uint8Array(64)
  #savedSize = 0

  /** Made by `Bucket.cursor()` and `Tx.cursor()`. */
  constructor(bucket: Bucket) {
    this.bucket = bucket
    this.#pages = bucket.tx.pages
    this.#keepsKey = bucket.tx.writable || this.#pages.isSparing
  }

  /** The key it stands on, lent. Throws a TypeError when it stands on none. */
  get key(): Uint8Array {
    if (this.#epoch !== this.#pages.epoch) this.#mustBeOnEntry()
    const leaf = this.#leaf as Page
    const start = leaf.keyStart(this.#index)
    return this.#pages.lend(leaf, start, start + leaf.keySize(this.#index))
  }

  /** The value it stands on, lent; undefined where that is a bucket. */
  get value(): Uint8Array | undefined {
    if (this.#epoch !== this.#pages.epoch) this.#mustBeOnEntry()
    const leaf = this.#leaf as Page
    if (leaf.isBucket(this.#index)) return undefined
    const start = leaf.valueStart(this.#index)
    return this.#pages.lend(leaf, start, start + leaf.valueSize(this.#index))
  }

  /**
   * As `key`, for a caller who is through with it before anything else is asked of the file:
   * `place` says where it is, and nothing is lent.
   * @internal
   */
  glanceKey(place: Glance): void {
    if (this.#epoch !== this.#pages.epoch) this.#mustBeOnEntry()
    const leaf = this.#leaf as Page
    const start = leaf.keyStart(this.#index)
    this.#pages.glance(leaf, start, start + leaf.keySize(this.#index), place)
  }

  /**
   * As `value`, and otherwise as `glanceKey`; false where the entry is a bucket.
   * @internal
   */
  glanceValue(place: Glance): boolean {
    if (this.#epoch !== this.#pages.epoch) this.#mustBeOnEntry()
    const leaf = this.#leaf as Page
    if (leaf.isBucket(this.#index)) return false
    const start = leaf.valueStart(this.#index)
    this.#pages.glance(leaf, start, start + leaf.valueSize(this.#index), place)
    return true
  }

  /** Moves to the first entry. */
  first(): Entry | undefined {
    this.#begin()
    this.#descendFirst(0)
    return this.#settle(this.#leafCount() > 0 || this.#stepForward())
  }

  /** Moves to the last entry. */
  last(): Entry | undefined {
    this.#begin()
    this.#descendLast(0)
    return this.#settle(this.#leafCount() > 0 || this.#stepBack())
  }

  /** Moves to the first entry whose key is not smaller than `key`. */
  seek(key: string | Uint8Array): Entry | undefined {
    const target = toBytes(key, 'key')
    this.#begin()
    this.#save(target, 0, target.length)
    this.#locate(target)
    if (this.#isOnLeafEntry() || this.#stepForward()) return this.#settle(true)
    return this.#leave(BETWEEN)
  }

  /** Moves to the next entry. At the last one it answers undefined and stays. */
  next(): Entry | undefined {
    if (this.#epoch === this.#pages.epoch && this.#index + 1 < (this.#leaf as Page).count) {
      this.#index++
      if (this.#keepsKey) this.#saveKey()
      return this
    }
    return this.#nextFarther()
  }

  #nextFarther(): Entry | undefined {
    if (this.#isFresh()) return undefined
    if (this.#isDisturbed() && !this.#relocate()) {
      const isFound = this.#isOnLeafEntry() || this.#stepForward()
      return isFound ? this.#settle(true) : this.#leave(BETWEEN)
    }
    if (this.#stepForward()) return this.#settle(true)
    // Empty leaves behind the last entry, which only `bounds` lets stand in a file, were passed.
    if (this.#state === ON_ENTRY && this.#leafCount() === 0) this.#stepBack()
    return this.#stay()
  }

  /** Moves to the entry before. At the first one it answers undefined and stays. */
  prev(): Entry | undefined {
    if (this.#isFresh()) return undefined
    if (this.#isDisturbed()) this.#relocate()
    if (this.#stepBack()) return this.#settle(true)
    if (this.#state === ON_ENTRY && this.#leafCount() === 0) this.#stepForward()
    return this.#stay()
  }

  /**
   * Deletes the entry it stands on; the cursor is then between its neighbours.
   * @throws {KvError} KV_TX_NOT_WRITABLE; KV_WRONG_KIND where the entry is a bucket
   */
  delete(): void {
    this.bucket.mustBeWritable()
    this.#mustBeOnEntry()
    this.bucket.delete(this.#savedKey().slice())
    this.#leave(BETWEEN)
  }

  /** Before a move the long way: whether there is no position to move from. */
  #isFresh(): boolean {
    this.bucket.mustBeOpen()
    if (this.#state === ON_ENTRY) this.#notePlace()
    return this.#state === FRESH
  }

  /** The short way of `next` moves `#index` alone: the path must know before it is looked at. */
  #notePlace(): void {
    this.#indexes[this.#depth] = this.#index
  }

  #mustBeOnEntry(): void {
    this.bucket.mustBeOpen()
    if (this.#state !== ON_ENTRY) throw new TypeError('cursor: it does not stand on an entry')
    this.#notePlace()
    if (this.bucket.tree.version !== this.#version || !this.#isLeafThere()) {
      if (!this.#relocate()) {
        // Its path leads to a neighbour now: it must be found again by the next move too.
        this.#version = STALE
        throw new TypeError('cursor: its entry has been deleted')
      }
    }
    this.#trust()
  }

  /** Notes where it stands, so that as long as nothing happens it need not be checked again. */
  #trust(): void {
    this.#leaf = this.#refs[this.#depth] as Page
    this.#index = this.#indexes[this.#depth] as number
    // What stands on a page that may be dropped at any moment is checked each time.
    if (!this.#pages.isSparing) this.#epoch = this.#pages.epoch
  }

  /** Whether the leaf it stands on is still in memory. */
  #isLeafThere(): boolean {
    return !this.#pages.isSparing || (this.#refs[this.#depth] as Page).isResident
  }

  #begin(): void {
    this.bucket.mustBeOpen()
    this.#pages.pager.beginDescent()
    this.#version = this.bucket.tree.version
    this.#stand(0, this.bucket.tree.root())
  }

  /** Has `page` on its path from now on, in place of what it had there. */
  #stand(level: number, page: Page): void {
    if (this.#pages.isSparing) {
      page.holders++
      const old = this.#refs[level]
      if (old !== undefined) old.holders--
    }
    this.#refs[level] = page
  }

  /** Whether its path can't be trusted any more: it was edited, or pages of it were dropped. */
  #isDisturbed(): boolean {
    const { tx } = this.bucket
    if (this.#pages.isSparing) {
      this.#pages.pager.beginDescent()
      if (!this.#isPathResident()) return true
    }
    if (!tx.writable) return false
    return this.#state === BETWEEN || this.bucket.tree.version !== this.#version
  }

  #isPathResident(): boolean {
    for (let i = 0; i <= this.#depth; i++) if (!(this.#refs[i] as Page).isResident) return false
    return true
  }

  #isOnLeafEntry(): boolean {
    return (this.#indexes[this.#depth] as number) < this.#leafCount()
  }

  #leafCount(): number {
    return (this.#refs[this.#depth] as Page).count
  }

  /** Finds the saved key again; returns whether it is there. */
  #relocate(): boolean {
    this.#begin()
    return this.#locate(this.#savedKey())
  }

  /** Descends to where `key` is or would be; the index may be one behind the leaf's last. */
  #locate(key: Uint8Array): boolean {
    let depth = 0
    let ref = this.#refs[0] as Page
    while (!ref.isLeaf) {
      this.#indexes[depth] = branchIndex(ref, key)
      ref = childAt(this.#pages, this.#refs, this.#indexes, depth)
      this.#stand(++depth, ref)
    }
    const index = ref.search(key)
    this.#depth = depth
    this.#indexes[depth] = index < 0 ? ~index : index
    return index >= 0
  }

  #descendFirst(from: number): void {
    let depth = from
    let ref = this.#refs[depth] as Page
    while (!ref.isLeaf) {
      this.#indexes[depth] = 0
      ref = childAt(this.#pages, this.#refs, this.#indexes, depth)
      this.#stand(++depth, ref)
    }
    this.#indexes[depth] = 0
    this.#depth = depth
  }

  #descendLast(from: number): void {
    let depth = from
    let ref = this.#refs[depth] as Page
    while (!ref.isLeaf) {
      this.#indexes[depth] = ref.count - 1
      ref = childAt(this.#pages, this.#refs, this.#indexes, depth)
      this.#stand(++depth, ref)
    }
    this.#indexes[depth] = Math.max(0, ref.count - 1)
    this.#depth = depth
  }

  /** Moves one entry on; false, and the position as it was, at the end. */
  #stepForward(): boolean {
    for (;;) {
      let level = this.#depth
      while (level >= 0 && (this.#indexes[level] as number) + 1 >= this.#countAt(level)) level--
      if (level < 0) return false
      this.#indexes[level] = (this.#indexes[level] as number) + 1
      if (level === this.#depth) return true
      this.#stand(level + 1, childAt(this.#pages, this.#refs, this.#indexes, level))
      this.#descendFirst(level + 1)
      // Leaves that this transaction has emptied stand in the tree until it commits.
      if (this.#leafCount() > 0) return true
    }
  }

  #stepBack(): boolean {
    for (;;) {
      let level = this.#depth
      while (level >= 0 && (this.#indexes[level] as number) === 0) level--
      if (level < 0) return false
      this.#indexes[level] = (this.#indexes[level] as number) - 1
      if (level === this.#depth) return true
      this.#stand(level + 1, childAt(this.#pages, this.#refs, this.#indexes, level))
      this.#descendLast(level + 1)
      if (this.#leafCount() > 0) return true
    }
  }

  #countAt(level: number): number {
    return (this.#refs[level] as Page).count
  }

  #settle(isOnEntry: boolean): Entry | undefined {
    if (!isOnEntry) return this.#leave(FRESH)
    this.#state = ON_ENTRY
    this.#version = this.bucket.tree.version
    this.#trust()
    if (this.#keepsKey) this.#saveKey()
    return this
  }

  #leave(state: typeof FRESH | typeof BETWEEN): undefined {
    this.#state = state
    this.#epoch = STALE
  }

  #saveKey(): void {
    const leaf = this.#leaf as Page
    this.#save(leaf.bytes, leaf.keyStart(this.#index), leaf.keySize(this.#index))
  }

  /** At an edge: the position is what it was, found again where empty leaves were passed. */
  #stay(): undefined {
    if (this.#state === BETWEEN || !this.bucket.tx.writable) return undefined
    if (this.#relocate()) this.#trust()
    else this.#leave(BETWEEN)
    return undefined
  }

  #save(bytes: Uint8Array, start: number, size: number): void {
    if (!this.#keepsKey) return
    if (size > this.#saved.length) this.#saved = new Uint8Array(size * 2)
    for (let i = 0; i < size; i++) this.#saved[i] = bytes[start + i] as number
    this.#savedSize = size
  }

  #savedKey(): Uint8Array {
    return this.#saved.subarray(0, this.#savedSize)
  }
}
