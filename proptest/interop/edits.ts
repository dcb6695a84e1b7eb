/**
 * Changes to a file, as plain data that the model, the engine and bbolt all carry out: an edit is
 * one line of a script of the Go program (`interop/bbolt/script.go`), a transaction is its edits
 * and how it ended.
 *
 * Paths, keys and values are lower-case hex. `moveBucket` is for the engine and the model only:
 * bbolt 1.3.6 has none.
 */

import type { Line } from './go-program.ts'
import { textOf } from './go-program.ts'
import { BucketModel } from './model.ts'

type Path = readonly string[]

export type Edit =
  | { readonly op: 'createBucket'; readonly path: Path }
  | { readonly op: 'deleteBucket'; readonly path: Path }
  | { readonly op: 'moveBucket'; readonly path: Path; readonly target: Path }
  | { readonly op: 'put'; readonly path: Path; readonly key: string; readonly value: string }
  | { readonly op: 'delete'; readonly path: Path; readonly key: string }
  | { readonly op: 'setSequence'; readonly path: Path; readonly sequence: string }
  | { readonly op: 'nextSequence'; readonly path: Path }
  | { readonly op: 'fillPercent'; readonly path: Path; readonly fill: number }

export interface Transaction {
  readonly edits: readonly Edit[]
  readonly end: 'commit' | 'rollback'
}

/** What edits need of a bucket of the engine. */
export interface EditableBucket {
  bucket(name: Uint8Array): EditableBucket | undefined
  createBucket(name: Uint8Array): unknown
  deleteBucket(name: Uint8Array): void
  put(key: Uint8Array, value: Uint8Array): void
  delete(key: Uint8Array): boolean
  setSequence(value: bigint): void
  nextSequence(): bigint
  fillPercent: number
}

/** What edits need of a transaction of the engine. */
export interface EditableTx<B extends EditableBucket> {
  bucket(name: Uint8Array): B | undefined
  createBucket(name: Uint8Array): unknown
  deleteBucket(name: Uint8Array): void
  moveBucket(name: Uint8Array, source: B | undefined, target: B | undefined): void
  commit(): void
  commitAsync(): Promise<void>
  rollback(): void
}

/** What edits need of the engine. */
export interface EditableEngine<B extends EditableBucket> {
  begin(options: { readonly writable: true }): Promise<EditableTx<B>>
}

const U64 = 64

function lastOf(path: Path): string {
  const name = path.at(-1)
  if (name === undefined) throw new Error('an edit names no bucket')
  return name
}

/** Carries an edit out on the model. */
export function editModel(root: BucketModel, edit: Edit): void {
  switch (edit.op) {
    case 'createBucket':
      root.at(edit.path.slice(0, -1)).entries.set(lastOf(edit.path), new BucketModel())
      return
    case 'deleteBucket':
      root.at(edit.path.slice(0, -1)).entries.delete(lastOf(edit.path))
      return
    case 'moveBucket': {
      const source = root.at(edit.path.slice(0, -1)).entries
      const moved = root.at(edit.path)
      root.at(edit.target).entries.set(lastOf(edit.path), moved)
      source.delete(lastOf(edit.path))
      return
    }
    case 'put':
      root.at(edit.path).entries.set(edit.key, edit.value)
      return
    case 'delete':
      root.at(edit.path).entries.delete(edit.key)
      return
    case 'setSequence':
      root.at(edit.path).sequence = BigInt(edit.sequence)
      return
    case 'nextSequence': {
      const bucket = root.at(edit.path)
      bucket.sequence = BigInt.asUintN(U64, bucket.sequence + 1n)
      return
    }
    case 'fillPercent':
      return
  }
}

/** Carries transactions out on the model. */
export function applyToModel(root: BucketModel, transactions: readonly Transaction[]): void {
  for (const transaction of transactions) {
    if (transaction.end === 'rollback') continue
    for (const edit of transaction.edits) editModel(root, edit)
  }
}

function bytes(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex')
}

function findBucket<B extends EditableBucket>(tx: EditableTx<B>, path: Path): B {
  let at: B | EditableBucket | undefined
  for (const name of path) {
    at = at === undefined ? tx.bucket(bytes(name)) : at.bucket(bytes(name))
    if (at === undefined) throw new Error(`the engine has no bucket ${path.join('/')}`)
  }
  if (at === undefined) throw new Error('an edit names no bucket')
  return at as B
}

/** Carries an edit out in a transaction of the engine. */
export function editEngine<B extends EditableBucket>(tx: EditableTx<B>, edit: Edit): void {
  const outer = edit.path.slice(0, -1)
  switch (edit.op) {
    case 'createBucket':
      ;(outer.length === 0 ? tx : findBucket(tx, outer)).createBucket(bytes(lastOf(edit.path)))
      return
    case 'deleteBucket':
      ;(outer.length === 0 ? tx : findBucket(tx, outer)).deleteBucket(bytes(lastOf(edit.path)))
      return
    case 'moveBucket': {
      const source = outer.length === 0 ? undefined : findBucket(tx, outer)
      const target = edit.target.length === 0 ? undefined : findBucket(tx, edit.target)
      tx.moveBucket(bytes(lastOf(edit.path)), source, target)
      return
    }
    case 'put':
      findBucket(tx, edit.path).put(bytes(edit.key), bytes(edit.value))
      return
    case 'delete':
      findBucket(tx, edit.path).delete(bytes(edit.key))
      return
    case 'setSequence':
      findBucket(tx, edit.path).setSequence(BigInt(edit.sequence))
      return
    case 'nextSequence':
      findBucket(tx, edit.path).nextSequence()
      return
    case 'fillPercent':
      findBucket(tx, edit.path).fillPercent = edit.fill
      return
  }
}

/** Carries transactions out in the engine; every other commit is the asynchronous one. */
export async function applyToEngine<B extends EditableBucket>(
  engine: EditableEngine<B>,
  transactions: readonly Transaction[],
): Promise<void> {
  for (const [i, transaction] of transactions.entries()) {
    const tx = await engine.begin({ writable: true })
    try {
      for (const edit of transaction.edits) editEngine(tx, edit)
    } catch (error) {
      tx.rollback()
      throw error
    }
    if (transaction.end === 'rollback') tx.rollback()
    else if (i % 2 === 0) tx.commit()
    else await tx.commitAsync()
  }
}

/** Transactions as a script for the Go program. */
export function scriptOf(transactions: readonly Transaction[]): string {
  const lines: string[] = []
  for (const transaction of transactions) {
    lines.push('{"op":"begin"}')
    for (const edit of transaction.edits) lines.push(JSON.stringify(edit))
    lines.push(JSON.stringify({ op: transaction.end }))
  }
  return `${lines.join('\n')}\n`
}

function pathOf(line: Line): string[] {
  const path = line['path']
  if (!Array.isArray(path)) throw new TypeError(`path: not a list in ${JSON.stringify(line)}`)
  return path.map(String)
}

function parseEdit(line: Line): Edit {
  const path = pathOf(line)
  const op = textOf(line, 'op')
  switch (op) {
    case 'createBucket':
    case 'deleteBucket':
    case 'nextSequence':
      return { op, path }
    case 'put':
      return { op, path, key: textOf(line, 'key'), value: textOf(line, 'value') }
    case 'delete':
      return { op, path, key: textOf(line, 'key') }
    case 'setSequence':
      return { op, path, sequence: textOf(line, 'sequence') }
    default:
      throw new TypeError(`op: ${op} is none that bbolt reports`)
  }
}

/** The transactions that the Go program's churn reports to have made. */
export function parseTransactions(lines: readonly Line[]): Transaction[] {
  const transactions: Transaction[] = []
  let edits: Edit[] = []
  for (const line of lines) {
    const op = line['op']
    if (op === undefined || op === 'begin') continue
    if (op === 'commit' || op === 'rollback') {
      transactions.push({ edits, end: op })
      edits = []
    } else {
      edits.push(parseEdit(line))
    }
  }
  return transactions
}
