/**
 * Applies edits to a transaction and to a copy of the model side by side, and compares every
 * answer.
 *
 * Input buffers are scribbled over after each call, and what was lent is compared with a copy when
 * the edits are over: the engine copies on the way in, and what it lends stays until the
 * transaction ends.
 */

import type { ModelBucket } from './model.ts'
import { ModelCursor, bucketPaths } from './model.ts'
import {
  bytesOf,
  compareEntry,
  compareValue,
  mustEqual,
  outcomeOf,
  show,
  textOf,
  Mismatch,
} from './compare.ts'
import type { CallOutcome } from './compare.ts'
import type { Edit, KeyChoice, Move, Order } from './commands.ts'
import type { Bucket, Cursor, Entry, Tx } from '../../engine/index.ts'

const LENT_MAX = 200
/** What one burst may write, so that large pages don't make a program slow. */
const BURST_BYTES_MAX = 1_000_000
const VALUE_SIZE_MAX = 400_000

interface Lent {
  readonly view: Uint8Array
  readonly copy: Uint8Array
  readonly what: string
}

/** A bucket in the engine and in the model. */
interface Twin {
  readonly bucket: Bucket
  readonly model: ModelBucket
}

export class Editor {
  /** Whether something was done that a commit must write. */
  isTouched = false
  readonly #tx: Tx
  readonly #root: ModelBucket
  /** Large pages get larger values. */
  readonly #scale: number
  readonly #lent: Lent[] = []
  #tag: number

  constructor(tx: Tx, root: ModelBucket, tag: number) {
    this.#tx = tx
    this.#root = root
    this.#scale = tx.meta.pageSizeBytes / 1024
    this.#tag = tag
  }

  apply(edits: readonly Edit[]): void {
    for (const edit of edits) this.#apply(edit)
    for (const { view, copy, what } of this.#lent) {
      if (Buffer.compare(view, copy) !== 0) throw new Mismatch(`${what}: lent bytes have changed`)
    }
  }

  /** Walks a cursor in bucket number `at`; in a read transaction its edits must be refused. */
  walk(at: number, moves: readonly Move[]): void {
    const twin = this.#twin(at)
    if (twin === undefined) return
    const walker = { cursor: twin.bucket.cursor(), model: new ModelCursor(twin.model) }
    for (const move of moves) this.#move(twin, walker, move)
  }

  #apply(edit: Edit): void {
    switch (edit.op) {
      case 'create':
      case 'createIfNotExists':
      case 'deleteBucket':
        this.#editBuckets(edit)
        return
      case 'move':
        this.#moveBucket(edit)
        return
      case 'walk':
        this.walk(edit.at, edit.moves)
        return
      default: {
        const twin = this.#twin(edit.at)
        if (twin !== undefined) this.#editValues(edit, twin)
      }
    }
  }

  #editValues(edit: Extract<Edit, { readonly at: number }>, twin: Twin): void {
    const { model } = twin
    switch (edit.op) {
      case 'put':
        this.#put(twin, keyOf(edit.key, model), edit.size)
        return
      case 'delete':
        this.#delete(twin, keyOf(edit.key, model))
        return
      case 'fill': {
        const sizeMax = this.#sizeOf(edit.size) + Math.abs(edit.pad) + 1
        const count = Math.min(edit.count, Math.ceil(BURST_BYTES_MAX / sizeMax))
        for (const i of inOrder(count, edit.order)) {
          this.#put(twin, poolKey(edit.from + i, edit.pad), edit.size)
        }
        return
      }
      case 'drain': {
        const keys = model.keys()
        const from = keys.length === 0 ? 0 : edit.from % keys.length
        const doomed = keys.slice(from, from + edit.count)
        for (const i of inOrder(doomed.length, edit.order)) this.#delete(twin, doomed[i] ?? '')
        return
      }
      case 'resize': {
        const countMax = Math.ceil(BURST_BYTES_MAX / (this.#sizeOf(edit.size) + 1))
        const chosen = model.keys().filter((_, i) => i % edit.stride === 0)
        for (const key of chosen.slice(0, countMax)) this.#put(twin, key, edit.size)
        return
      }
      case 'nextSequence':
        same(
          outcomeOf(() => twin.bucket.nextSequence()),
          outcomeOf(() => model.nextSequence()),
          'nextSequence()',
        )
        this.isTouched = true
        return
      case 'setSequence':
        twin.bucket.setSequence(edit.value)
        model.sequence = edit.value
        this.isTouched = true
        return
      case 'fillPercent':
        twin.bucket.fillPercent = edit.percent
        return
      default:
        throw new Error(`not an edit of values: ${edit.op}`)
    }
  }

  #put(twin: Twin, key: string, size: number): void {
    const value = valueOf(++this.#tag, this.#sizeOf(size))
    const keyBytes = bytesOf(key)
    const input = value.slice()
    const actual = outcomeOf(() => twin.bucket.put(keyBytes, input))
    keyBytes.fill(0xee)
    input.fill(0xee)
    same(
      actual,
      outcomeOf(() => twin.model.put(key, value)),
      `put ${show(key)}`,
    )
    if ('value' in actual) this.isTouched = true
    this.#get(twin, key)
  }

  #get(twin: Twin, key: string): void {
    const value = twin.bucket.get(bytesOf(key))
    compareValue(value, twin.model.item(key), `get ${show(key)}`)
    if (value !== undefined) this.#keepLent(value, `value of ${show(key)}`)
  }

  #delete(twin: Twin, key: string): void {
    const actual = outcomeOf(() => twin.bucket.delete(bytesOf(key)))
    same(
      actual,
      outcomeOf(() => twin.model.delete(key)),
      `delete ${show(key)}`,
    )
    if ('value' in actual && actual.value) this.isTouched = true
    this.#get(twin, key)
  }

  #editBuckets(edit: Extract<Edit, { readonly name: KeyChoice }>): void {
    const paths = bucketPaths(this.#root)
    const place =
      edit.op === 'deleteBucket'
        ? this.#childOf(paths, edit.at, edit.name)
        : { source: pick(paths, edit.at) ?? [], name: undefined }
    const model = modelAt(this.#root, place.source)
    const door = this.#doorAt(place.source)
    const name = place.name ?? nameOf(edit.name, model)
    const nameBytes = bytesOf(name)
    const isThere = model.bucket(name) !== undefined
    const call = (target: Tx | Bucket | ModelBucket, key: Uint8Array & string): unknown => {
      switch (edit.op) {
        case 'create':
          return target.createBucket(key)
        case 'createIfNotExists':
          return target.createBucketIfNotExists(key)
        default:
          return target.deleteBucket(key)
      }
    }
    const actual = refusal(outcomeOf(() => call(door, nameBytes as Uint8Array & string)))
    const expected = refusal(outcomeOf(() => call(model, name as Uint8Array & string)))
    mustEqual(actual, expected, `${edit.op} ${show(name)}`)
    if (actual === undefined && !(edit.op === 'createIfNotExists' && isThere)) this.isTouched = true
  }

  #moveBucket(edit: Extract<Edit, { readonly op: 'move' }>): void {
    const paths = bucketPaths(this.#root)
    const { source, name } = this.#childOf(paths, edit.at, edit.name)
    // Mostly somewhere else than where it is.
    const at = pick(paths, edit.to) ?? []
    const target = isSamePath(at, source) ? (pick(paths, edit.to + 1) ?? []) : at
    const model = modelAt(this.#root, source)
    const child = model.bucket(name)
    const bucket = this.#doorAt(source).bucket(bytesOf(name))
    if (child !== undefined && bucket !== undefined) {
      for (let i = 0; i < edit.before; i++) {
        this.#put({ bucket, model: child }, poolKey(i * 3, 0), 20)
      }
    }
    const from = source.length === 0 ? undefined : this.#bucketAt(source)
    const to = target.length === 0 ? undefined : this.#bucketAt(target)
    const actual = outcomeOf(() => this.#tx.moveBucket(bytesOf(name), from, to))
    const expected = outcomeOf(() => model.moveBucket(name, modelAt(this.#root, target)))
    same(actual, expected, `move ${show(name)}`)
    if ('value' in actual) this.isTouched = true
  }

  /** A bucket that is there, and where, or with an unknown name any place. */
  #childOf(
    paths: readonly (readonly string[])[],
    at: number,
    choice: KeyChoice,
  ): { source: readonly string[]; name: string } {
    const known = choice.isKnown ? pick(paths.slice(1), at) : undefined
    if (known !== undefined) return { source: known.slice(0, -1), name: known.at(-1) ?? '' }
    const source = pick(paths, at) ?? []
    return { source, name: nameOf(choice, modelAt(this.#root, source)) }
  }

  #move(twin: Twin, walker: Walker, move: Move): void {
    const { cursor, model } = walker
    const bucket = twin.model
    switch (move.do) {
      case 'first':
      case 'last':
      case 'next':
      case 'prev':
        this.#compareMove(cursor[move.do](), model[move.do](), bucket, move.do)
        break
      case 'seek': {
        const key = keyOf(move.key, bucket)
        const entry = cursor.seek(bytesOf(key))
        this.#compareMove(entry, model.seek(key), bucket, `seek ${show(key)}`)
        break
      }
      case 'sweep': {
        const way = move.isBackward ? 'prev' : 'next'
        for (let i = 0; i < move.count; i++) {
          this.#compareMove(cursor[way](), model[way](), bucket, `sweep ${way}`)
        }
        break
      }
      default:
        this.#moveAndEdit(twin, walker, move)
    }
    const actual = outcomeOf(() => textOf(cursor.key))
    const key = model.current
    same(actual, key === undefined ? { refused: 'TypeError' } : { value: key }, 'cursor.key')
  }

  #moveAndEdit(twin: Twin, { cursor, model }: Walker, move: Move): void {
    if (!this.#tx.writable) {
      const actual = refusal(outcomeOf(() => cursor.delete()))
      mustEqual(actual, 'KV_TX_NOT_WRITABLE', 'delete in a read transaction')
      return
    }
    switch (move.do) {
      case 'delete': {
        const actual = outcomeOf(() => cursor.delete())
        same(
          actual,
          outcomeOf(() => model.delete()),
          'cursor.delete()',
        )
        if ('value' in actual) this.isTouched = true
        break
      }
      case 'put':
        this.#put(twin, keyOf(move.key, twin.model), move.size)
        break
      case 'remove':
        this.#delete(twin, keyOf(move.key, twin.model))
        break
      case 'put-elsewhere': {
        const other = this.#twinBeside(twin)
        if (other !== undefined) this.#put(other, keyOf(move.key, other.model), move.size)
        break
      }
      case 'remove-here':
        if (model.current !== undefined) this.#delete(twin, model.current)
        break
      default:
        throw new Error(`not an edit: ${move.do}`)
    }
  }

  #compareMove(
    entry: Entry | undefined,
    key: string | undefined,
    bucket: ModelBucket,
    what: string,
  ): void {
    compareEntry(entry, key, bucket, what)
    if (entry?.value === undefined) return
    this.#keepLent(entry.key, `key after ${what}`)
    this.#keepLent(entry.value, `value after ${what}`)
  }

  #keepLent(view: Uint8Array, what: string): void {
    if (this.#lent.length < LENT_MAX) this.#lent.push({ view, copy: view.slice(), what })
  }

  #sizeOf(size: number): number {
    const scale = this.#tag % 2 === 0 || size < 40 ? 1 : this.#scale
    return Math.min(VALUE_SIZE_MAX, size * scale)
  }

  /** Bucket number `at` below the top level; in a writer one is made where there is none. */
  #twin(at: number): Twin | undefined {
    const paths = bucketPaths(this.#root).slice(1)
    const path = pick(paths, at)
    if (path !== undefined) {
      return { bucket: this.#bucketAt(path), model: modelAt(this.#root, path) }
    }
    if (!this.#tx.writable) return undefined
    this.isTouched = true
    const name = poolKey(0, 0)
    return { bucket: this.#tx.createBucket(bytesOf(name)), model: this.#root.createBucket(name) }
  }

  #twinBeside(twin: Twin): Twin | undefined {
    const paths = bucketPaths(this.#root).slice(1)
    const path = paths.find((candidate) => modelAt(this.#root, candidate) !== twin.model)
    if (path === undefined) return undefined
    return { bucket: this.#bucketAt(path), model: modelAt(this.#root, path) }
  }

  #doorAt(path: readonly string[]): Tx | Bucket {
    return path.length === 0 ? this.#tx : this.#bucketAt(path)
  }

  #bucketAt(path: readonly string[]): Bucket {
    let door: Tx | Bucket | undefined = this.#tx
    for (const name of path) door = door?.bucket(bytesOf(name))
    if (door === undefined || door === this.#tx || !('get' in door)) {
      throw new Mismatch(`bucket ${path.map(show).join(' / ')}: the engine has none`)
    }
    return door
  }
}

interface Walker {
  readonly cursor: Cursor
  readonly model: ModelCursor
}

function modelAt(root: ModelBucket, path: readonly string[]): ModelBucket {
  let bucket = root
  for (const name of path) bucket = bucket.bucket(name) ?? bucket
  return bucket
}

function refusal(outcome: CallOutcome<unknown>): string | undefined {
  return 'refused' in outcome ? outcome.refused : undefined
}

function same(actual: CallOutcome<unknown>, expected: CallOutcome<unknown>, what: string): void {
  mustEqual(refusal(actual), refusal(expected), `${what}, refused`)
  if ('value' in actual && 'value' in expected) mustEqual(actual.value, expected.value, what)
}

function isSamePath(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i])
}

function pick<T>(items: readonly T[], n: number): T | undefined {
  return items.length === 0 ? undefined : items[n % items.length]
}

/** Key number `n` of the pool; larger numbers are larger keys. */
function poolKey(n: number, pad: number): string {
  const base = n.toString(36).padStart(3, '0')
  return pad < 0 ? '\0'.repeat(-pad) + base : base + '\xff'.repeat(pad)
}

function keyOf(choice: KeyChoice, bucket: ModelBucket): string {
  const known = choice.isKnown ? pick(bucket.keys(), choice.n) : undefined
  return known ?? poolKey(choice.n, choice.pad)
}

function nameOf(choice: KeyChoice, bucket: ModelBucket): string {
  const known = bucket.keys().filter((key) => bucket.bucket(key) !== undefined)
  return (choice.isKnown ? pick(known, choice.n) : undefined) ?? poolKey(choice.n, choice.pad)
}

/** The numbers below `count`, each once. */
function inOrder(count: number, order: Order): number[] {
  return Array.from({ length: count }, (_, i) => {
    if (order === 'mixed') return (i * 7919) % count
    return order === 'up' ? i : count - 1 - i
  })
}

/** Bytes that no other value of the run has, where there is room for that. */
function valueOf(tag: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) bytes[i] = i < 4 ? tag >>> (8 * i) : tag * 31 + i * 7
  return bytes
}
