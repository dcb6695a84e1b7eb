/**
 * A bucket: a named, ordered key space with a sequence number, in which keys lead to values or to
 * further buckets.
 *
 * In its parent's leaf a bucket is a value of 16 bytes, root pgid u64 and sequence u64, followed
 * by the whole page when the root is 0: an inline bucket. A small bucket is inlined when the
 * transaction commits: its root is a leaf of at most a quarter page and holds no bucket.
 *
 * Keys and values go in as strings (UTF-8) or bytes and are copied. What comes out is lent: valid
 * until the transaction ends.
 */

import { formatBytes } from '../base/bytes.ts'
import { copyRange, copyShort } from '../base/copy-range.ts'
import { KvError } from '../base/errors.ts'
import { toBytes } from '../base/text.ts'
import { Cursor } from './cursor.ts'
import type { Entry } from './cursor.ts'
import {
  BUCKET_HEADER_SIZE,
  FILL_PERCENT_MAX,
  FILL_PERCENT_MIN,
  KEY_SIZE_MAX,
  VALUE_SIZE_MAX,
} from './format.ts'
import { inlinePageFault, readBucketHeader } from './inline.ts'
import { Page } from './page.ts'
import { collectPages } from './reach.ts'
import { bucketStats } from './stats.ts'
import type { BucketStats } from './stats.ts'
import { Tree } from './tree.ts'
import type { Tx } from './tx.ts'
import type { Glance } from './tx-pages.ts'

const SEQUENCE_MAX = 2n ** 64n - 1n
/** Shorter names are read byte by byte, which a call out of JavaScript takes longer for. */
const SHORT_NAME_SIZE = 16

/** Where a bucket is. */
interface Place {
  readonly parent: Bucket
  readonly name: Uint8Array
}

/** A bucket of a transaction: keys in the order of their bytes, and other buckets. */
export class Bucket {
  readonly tx: Tx
  /** @internal */
  readonly tree: Tree
  /** Buckets opened in this write transaction, by name as latin1. */
  readonly children: Map<string, Bucket> = new Map<string, Bucket>()
  /** The header in the parent's leaf must be written again. */
  isHeaderChanged = false
  #sequence: bigint
  /** The bucket that this one was opened in. */
  readonly #outer: Bucket | undefined
  /** The bucket that it is in now, and its name there, for the journal; undefined at the root. */
  #place: Place | undefined
  /** Its root page at that moment, 0 where it had none. */
  readonly #openedRoot: number
  #isGone = false
  #path: readonly Uint8Array[] | undefined

  /**
   * Made by the calls that open and create buckets.
   * @internal
   */
  constructor(tx: Tx, tree: Tree, sequence: bigint, place?: Place) {
    this.tx = tx
    this.tree = tree
    this.#sequence = sequence
    this.#outer = place?.parent
    this.#openedRoot = tree.rootPgid
    if (place !== undefined && tx.journal !== undefined) this.#place = ownPlace(place)
  }

  /** Its name where it stands; undefined at the root, and where there is no journal. */
  get name(): Uint8Array | undefined {
    return this.#place?.name
  }

  /** The names that lead here from the top level, as the log has them: where there is a journal. */
  path(): readonly Uint8Array[] {
    if (this.#path !== undefined) return this.#path
    const names: Uint8Array[] = []
    let place = this.#place
    for (; place !== undefined; place = place.parent.#place) names.push(place.name)
    return (this.#path = names.reverse())
  }

  #stand(place: Place): void {
    if (this.tx.journal === undefined) return
    this.#place = ownPlace(place)
    const stack: Bucket[] = [this]
    for (let b = stack.pop(); b !== undefined; b = stack.pop()) {
      b.#path = undefined
      stack.push(...b.children.values())
    }
  }

  /** Whether its transaction is writable. */
  get writable(): boolean {
    return this.tx.writable
  }

  /** The bucket's own counter, a u64. */
  get sequence(): bigint {
    return this.#sequence
  }

  /** How full a page is left when it is split in the middle, 0.1 to 1. Not stored. */
  get fillPercent(): number {
    return this.tree.fillPercent
  }

  /** @throws {RangeError} outside 0.1 to 1 */
  set fillPercent(value: number) {
    if (typeof value !== 'number' || !(value >= FILL_PERCENT_MIN && value <= FILL_PERCENT_MAX)) {
      throw new RangeError(`fillPercent: ${String(value)} is outside [0.1, 1]`)
    }
    this.tree.fillPercent = value
  }

  /** The value of a key, lent; undefined where there is none or the key leads to a bucket. */
  get(key: string | Uint8Array): Uint8Array | undefined {
    const bytes = typeof key === 'string' ? toBytes(key, 'key') : key
    if (!(bytes instanceof Uint8Array)) toBytes(bytes, 'key')
    this.mustBeOpen()
    const index = this.tree.look(bytes)
    if (index < 0) return undefined
    const leaf = this.tree.leaf as Page
    if (leaf.isBucket(index)) return undefined
    const start = leaf.valueStart(index)
    return this.tx.pages.lend(leaf, start, start + leaf.valueSize(index))
  }

  /**
   * As `get`, for a caller who is through with the bytes before it asks the file for anything else:
   * `place` says where they are, and nothing is lent. False where there is no value.
   * @internal
   */
  glance(key: Uint8Array, place: Glance): boolean {
    this.mustBeOpen()
    const index = this.tree.look(key)
    if (index < 0) return false
    const leaf = this.tree.leaf as Page
    if (leaf.isBucket(index)) return false
    const start = leaf.valueStart(index)
    this.tx.pages.glance(leaf, start, start + leaf.valueSize(index), place)
    return true
  }

  /** As `get`, but a copy that the caller owns. A short one shares a small pool with others. */
  getCopy(key: string | Uint8Array): Uint8Array | undefined {
    const bytes = typeof key === 'string' ? toBytes(key, 'key') : key
    if (!(bytes instanceof Uint8Array)) toBytes(bytes, 'key')
    this.mustBeOpen()
    const index = this.tree.look(bytes)
    if (index < 0) return undefined
    const leaf = this.tree.leaf as Page
    if (leaf.isBucket(index)) return undefined
    const start = leaf.valueStart(index)
    return copyRange(leaf.buffer, start, leaf.valueSize(index))
  }

  /**
   * Sets a key. A transaction that outgrows the engine's memory for pages writes some of them
   * before it commits, so a put may fail as a write does.
   * @throws {KvError} KV_TX_NOT_WRITABLE, KV_KEY_EMPTY, KV_KEY_TOO_LARGE (above 32768 bytes),
   *   KV_VALUE_TOO_LARGE (above 2147483646), KV_WRONG_KIND where the key leads to a bucket;
   *   KV_NO_SPACE, KV_IO
   */
  put(key: string | Uint8Array, value: string | Uint8Array): void {
    const keyBytes = toBytes(key, 'key')
    const valueBytes = toBytes(value, 'value')
    this.mustBeWritable()
    mustNotBeEmpty(keyBytes, 'key')
    if (keyBytes.length > KEY_SIZE_MAX) {
      throw new KvError(
        'KV_KEY_TOO_LARGE',
        `key: ${keyBytes.length} bytes, the limit is ${KEY_SIZE_MAX}`,
      )
    }
    if (valueBytes.length > VALUE_SIZE_MAX) {
      throw new KvError(
        'KV_VALUE_TOO_LARGE',
        `value: ${valueBytes.length} bytes, the limit is ${VALUE_SIZE_MAX}`,
      )
    }
    const index = this.tree.findOwned(keyBytes)
    if (index >= 0 && (this.tree.leaf as Page).isBucket(index))
      throw wrongKind(keyBytes, 'a bucket')
    this.tree.putFound(index, keyBytes, valueBytes, false)
    this.tx.journal?.put(this, keyBytes, valueBytes)
    this.tx.grew(valueBytes.length)
  }

  /**
   * Removes a key; returns whether it was there.
   * @throws {KvError} KV_TX_NOT_WRITABLE; KV_WRONG_KIND where the key leads to a bucket
   */
  delete(key: string | Uint8Array): boolean {
    const bytes = toBytes(key, 'key')
    this.mustBeWritable()
    const index = this.tree.find(bytes)
    if (index < 0) return false
    if ((this.tree.leaf as Page).isBucket(index)) throw wrongKind(bytes, 'a bucket')
    this.tree.removeFound(index)
    this.tx.journal?.delete(this, bytes)
    this.tx.grew(0)
    return true
  }

  /** Opens a bucket inside this one; undefined where there is none or the key leads to a value. */
  bucket(name: string | Uint8Array): Bucket | undefined {
    const bytes = toBytes(name, 'name')
    this.mustBeOpen()
    const known = this.children.size > 0 ? this.children.get(mapKey(bytes)) : undefined
    if (known !== undefined) return known
    const index = this.tree.find(bytes)
    if (index < 0 || !(this.tree.leaf as Page).isBucket(index)) return undefined
    const child = this.#openAt(this.tree.leaf as Page, index, bytes)
    if (this.tx.writable) this.children.set(mapKey(bytes), child)
    return child
  }

  /**
   * Makes a bucket. Its name may be longer than a key may be, as in bbolt.
   * @throws {KvError} KV_BUCKET_EXISTS, KV_WRONG_KIND where the key leads to a value, KV_KEY_EMPTY,
   *   KV_TX_NOT_WRITABLE
   */
  createBucket(name: string | Uint8Array): Bucket {
    const bytes = toBytes(name, 'name')
    this.mustBeWritable()
    mustNotBeEmpty(bytes, 'name')
    const index = this.tree.find(bytes)
    if (index >= 0) {
      if (!(this.tree.leaf as Page).isBucket(index)) throw wrongKind(bytes, 'a value')
      throw new KvError('KV_BUCKET_EXISTS', `name: bucket ${formatBytes(bytes)} exists`)
    }
    const tree = new Tree(this.tx.pages, 0, undefined)
    tree.rootNode = this.tx.pages.makeNode(true)
    const child = new Bucket(this.tx, tree, 0n, { parent: this, name: bytes })
    child.isHeaderChanged = true
    this.tree.putFound(index, bytes, new Uint8Array(BUCKET_HEADER_SIZE), true)
    this.children.set(mapKey(bytes), child)
    this.tx.journal?.createBucket(this, bytes)
    return child
  }

  /** Opens a bucket, or makes it. Errors as `createBucket`, save KV_BUCKET_EXISTS. */
  createBucketIfNotExists(name: string | Uint8Array): Bucket {
    this.mustBeWritable()
    return this.bucket(name) ?? this.createBucket(name)
  }

  /**
   * Deletes a bucket and all that is in it.
   * @throws {KvError} KV_BUCKET_NOT_FOUND, KV_WRONG_KIND where the key leads to a value,
   *   KV_TX_NOT_WRITABLE
   */
  deleteBucket(name: string | Uint8Array): void {
    const bytes = toBytes(name, 'name')
    this.mustBeWritable()
    const child = this.mustFindBucket(bytes)
    // Every page is found, and every damage met, before anything is changed.
    const runs = collectPages(child)
    const index = this.tree.find(bytes)
    this.tree.removeFound(index)
    for (let i = 0; i < runs.length; i += 2) {
      this.tx.pages.freeRun(runs[i] as number, runs[i + 1] as number)
    }
    this.children.delete(mapKey(bytes))
    child.retire()
    this.tx.journal?.deleteBucket(this, bytes)
  }

  /**
   * Moves a bucket, with all that is in it and all that this transaction has changed in it, from
   * this bucket into `target`, under the same name.
   * @throws {KvError} KV_BUCKET_NOT_FOUND, KV_BUCKET_EXISTS, KV_WRONG_KIND, KV_TX_NOT_WRITABLE
   */
  moveBucket(name: string | Uint8Array, target: Bucket): void {
    const bytes = toBytes(name, 'name')
    this.mustBeWritable()
    if (!(target instanceof Bucket)) throw new TypeError('target: expected a bucket')
    if (target.tx !== this.tx) throw new TypeError('target: a bucket of another transaction')
    target.mustBeWritable()
    if (target === this) throw new TypeError('target: the bucket that it is in already')
    const child = this.mustFindBucket(bytes)
    if (child === target || child.#isAncestorOf(target)) {
      throw new TypeError('target: a bucket can not be moved into itself')
    }
    const index = target.tree.find(bytes)
    if (index >= 0) {
      if (!(target.tree.leaf as Page).isBucket(index)) throw wrongKind(bytes, 'a value')
      throw new KvError('KV_BUCKET_EXISTS', `target: bucket ${formatBytes(bytes)} exists`)
    }
    // Its header is written again at commit, from the open bucket, so nothing of it is lost.
    child.isHeaderChanged = true
    target.tree.putFound(index, bytes, new Uint8Array(BUCKET_HEADER_SIZE), true)
    this.tree.removeFound(this.tree.find(bytes))
    this.children.delete(mapKey(bytes))
    target.children.set(mapKey(bytes), child)
    this.tx.journal?.moveBucket(this, target, bytes)
    child.#stand({ parent: target, name: bytes })
  }

  /** @throws {RangeError} outside u64; {KvError} KV_TX_NOT_WRITABLE */
  setSequence(value: bigint | number): void {
    this.mustBeWritable()
    const sequence =
      typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value
    if (typeof sequence !== 'bigint')
      throw new TypeError('value: expected a bigint or a safe integer')
    if (sequence < 0n || sequence > SEQUENCE_MAX)
      throw new RangeError(`value: ${sequence} is outside u64`)
    this.#sequence = sequence
    this.isHeaderChanged = true
    this.tx.pages.isChanged = true
    this.tx.journal?.setSequence(this, sequence)
  }

  /** Adds one to the sequence and returns it. Throws a RangeError at 2^64 − 1. */
  nextSequence(): bigint {
    this.mustBeWritable()
    if (this.#sequence === SEQUENCE_MAX) throw new RangeError('sequence: 2^64 − 1 is the last one')
    this.setSequence(this.#sequence + 1n)
    return this.#sequence
  }

  /** An ordered position in this bucket. */
  cursor(): Cursor {
    this.mustBeOpen()
    return new Cursor(this)
  }

  /** Keys and values in order, lent; buckets have the value undefined. */
  *entries(): Generator<Entry, void, undefined> {
    const cursor = this.cursor()
    for (let e = cursor.first(); e !== undefined; e = cursor.next()) {
      yield { key: e.key, value: e.value }
    }
  }

  /** Names of the buckets in this one, in order, as owned bytes. */
  *bucketNames(): Generator<Uint8Array, void, undefined> {
    const cursor = this.cursor()
    for (let e = cursor.first(); e !== undefined; e = cursor.next()) {
      if (e.value === undefined) yield e.key.slice()
    }
  }

  /** What the bucket is made of, buckets inside included. Reads every page of it. */
  stats(): BucketStats {
    this.mustBeOpen()
    return bucketStats(this)
  }

  /** @throws {KvError} `KV_TX_CLOSED`, also where the bucket was deleted */
  mustBeOpen(): void {
    this.tx.mustBeOpen()
    if (this.#isGone) throw new KvError('KV_BUCKET_NOT_FOUND', 'bucket: it was deleted')
  }

  /** @throws {KvError} as `mustBeOpen`; `KV_TX_NOT_WRITABLE` */
  mustBeWritable(): void {
    this.mustBeOpen()
    this.tx.mustBeWritable()
  }

  /** @throws {KvError} `KV_NOT_FOUND`, `KV_WRONG_KIND` */
  mustFindBucket(name: Uint8Array): Bucket {
    const child = this.bucket(name)
    if (child !== undefined) return child
    if (this.tree.find(name) >= 0) throw wrongKind(name, 'a value')
    throw new KvError('KV_BUCKET_NOT_FOUND', `name: there is no bucket ${formatBytes(name)}`)
  }

  /** Makes this bucket and all opened in it unusable: it was deleted. */
  retire(): void {
    const stack: Bucket[] = [this]
    for (let b = stack.pop(); b !== undefined; b = stack.pop()) {
      b.#isGone = true
      stack.push(...b.children.values())
    }
  }

  #isAncestorOf(other: Bucket): boolean {
    const stack: Bucket[] = [this]
    for (let b = stack.pop(); b !== undefined; b = stack.pop()) {
      if (b === other) return true
      stack.push(...b.children.values())
    }
    return false
  }

  #openAt(leaf: Page, index: number, name: Uint8Array): Bucket {
    const { pages } = this.tx
    const header = readBucketHeader(leaf, index)
    if (header.rootPgid !== 0) {
      Bucket.#mustNotLeadBack(this, header.rootPgid)
      const tree = new Tree(pages, header.rootPgid, undefined)
      return new Bucket(this.tx, tree, header.sequence, { parent: this, name })
    }
    const start = leaf.valueStart(index)
    const size = leaf.valueSize(index)
    // A node's heap moves under its bucket; a page's bytes stay while it is not dropped.
    const isMoving = leaf.isNode || this.tx.writable || pages.isSparing
    const bytes = isMoving ? leaf.bytes.slice(start, start + size) : leaf.bytes
    const base = (isMoving ? 0 : start) + BUCKET_HEADER_SIZE
    const fault = inlinePageFault(bytes, base, size - BUCKET_HEADER_SIZE, pages.pager.isStrict)
    if (fault !== undefined) {
      throw pages.pager.corruption(leaf.isNode ? 0 : leaf.pgid, `inline bucket: ${fault}`)
    }
    const page = new Page(0, bytes, base, size - BUCKET_HEADER_SIZE)
    return new Bucket(this.tx, new Tree(pages, 0, page), header.sequence, { parent: this, name })
  }

  /** A bucket inside itself, which only damage makes, would be a walk without end. */
  static #mustNotLeadBack(inner: Bucket, rootPgid: number): void {
    for (let outer: Bucket | undefined = inner; outer !== undefined; outer = outer.#outer) {
      if (outer.#openedRoot !== rootPgid) continue
      throw inner.tx.pages.pager.corruption(rootPgid, 'a bucket inside leads back to it')
    }
  }
}

/** With bytes of its own: the caller may use its again. */
function ownPlace({ parent, name }: Place): Place {
  return { parent, name: copyShort(name) }
}

export function mapKey(name: Uint8Array): string {
  if (name.length <= SHORT_NAME_SIZE) {
    let key = ''
    for (let i = 0; i < name.length; i++) key += String.fromCharCode(name[i] as number)
    return key
  }
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1')
}

function mustNotBeEmpty(bytes: Uint8Array, name: string): void {
  if (bytes.length === 0) throw new KvError('KV_KEY_EMPTY', `${name}: it is empty`)
}

function wrongKind(name: Uint8Array, what: string): KvError {
  return new KvError('KV_WRONG_KIND', `${formatBytes(name)} leads to ${what}`)
}
