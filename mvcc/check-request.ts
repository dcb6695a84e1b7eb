/**
 * What can be said against a request without looking at the store.
 *
 *   - a key to read, put, delete or compare alone isn't empty;
 *   - none of a transaction's three lists is longer than the limit; a transaction inside it has
 *     what its longest list left over, so the limit bounds the depth, too;
 *   - no list puts a key twice, or puts one that it deletes, with what the transactions inside it
 *     write. Deletes may overlap.
 */

import { compareBytes, formatBytes } from '../base/bytes.ts'
import { KvError } from '../base/errors.ts'
import { TO_LAST_KEY } from './request.ts'
import type { DeleteRequest, KeySpan, OpRequest, TxnRequest } from './request.ts'

/** @throws {KvError} `KV_KEY_EMPTY` */
export function checkSpan(span: KeySpan): void {
  if (span.end === undefined && span.key.length === 0) {
    throw new KvError('KV_KEY_EMPTY', 'the key is empty')
  }
}

/** @throws {KvError} `KV_KEY_EMPTY`, `KV_TXN_TOO_MANY_OPS`, `KV_TXN_DUPLICATE_KEY` */
export function checkTxn(request: TxnRequest, opsMax: number): void {
  checkLists(request, opsMax)
  writtenBy(request.success)
  writtenBy(request.failure)
}

function checkLists(request: TxnRequest, opsMax: number): void {
  const { compare, success, failure } = request
  for (const [name, list] of [
    ['compares', compare],
    ['operations on success', success],
    ['operations on failure', failure],
  ] as const) {
    if (list.length > opsMax) {
      throw new KvError(
        'KV_TXN_TOO_MANY_OPS',
        `the transaction has ${list.length} ${name}; at most ${opsMax} are allowed`,
      )
    }
    for (const each of list) {
      if ('type' in each && each.type === 'txn') continue
      checkSpan('end' in each ? each : { key: each.key, end: undefined })
    }
  }
  const left = opsMax - Math.max(compare.length, success.length, failure.length)
  for (const list of [success, failure]) {
    for (const op of list) if (op.type === 'txn') checkLists(op, left)
  }
}

interface Written {
  /** Sorted, each key once. */
  readonly puts: readonly Uint8Array[]
  readonly deletes: readonly DeleteRequest[]
}

/**
 * What a list may write, the transactions in it with both their lists. As in etcd, those are held
 * against the deletes here and against the ones before them, so what an earlier one puts and a
 * later one deletes is let through.
 * @throws {KvError} `KV_TXN_DUPLICATE_KEY`
 */
function writtenBy(ops: readonly OpRequest[]): Written {
  const own: Uint8Array[] = []
  let puts: readonly Uint8Array[] = []
  let deletes: readonly DeleteRequest[] = ops.filter((op) => op.type === 'delete')
  for (const op of ops) {
    if (op.type === 'put') own.push(op.key)
    else if (op.type === 'txn') {
      const success = writtenBy(op.success)
      const failure = writtenBy(op.failure)
      // Only one of the two lists runs: what both put is put once.
      const either = [...success.puts, ...failure.puts].sort(compareBytes)
      const nested = either.filter((key, i) => !isSame(key, either[i - 1]))
      mustBeKept(nested, deletes)
      puts = merged(puts, nested)
      deletes = [...deletes, ...success.deletes, ...failure.deletes]
    }
  }
  own.sort(compareBytes)
  mustBeKept(own, deletes)
  return { puts: merged(puts, own), deletes }
}

/** Both lists' keys sorted, of which none may be there twice. */
function merged(a: readonly Uint8Array[], b: readonly Uint8Array[]): readonly Uint8Array[] {
  const all = [...a, ...b].sort(compareBytes)
  for (const [i, key] of all.entries()) {
    if (isSame(key, all[i + 1])) throw duplicate(key, 'put twice')
  }
  return all
}

function mustBeKept(puts: readonly Uint8Array[], deletes: readonly DeleteRequest[]): void {
  if (puts.length === 0) return
  for (const span of deletes) {
    const first = puts[lowerBound(puts, span.key)]
    if (first !== undefined && contains(span, first)) throw duplicate(first, 'put and deleted')
  }
}

function isSame(key: Uint8Array, other: Uint8Array | undefined): boolean {
  return other !== undefined && compareBytes(key, other) === 0
}

/** The position of the first of the sorted keys that is not below `key`. */
function lowerBound(keys: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const each = keys[middle]
    if (each !== undefined && compareBytes(each, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether a key that is not below the span's first lies in the span. */
function contains(span: KeySpan, key: Uint8Array): boolean {
  if (span.end === undefined) return compareBytes(key, span.key) === 0
  return compareBytes(span.end, TO_LAST_KEY) === 0 || compareBytes(key, span.end) < 0
}

function duplicate(key: Uint8Array, what: string): KvError {
  return new KvError(
    'KV_TXN_DUPLICATE_KEY',
    `key ${formatBytes(key)} is ${what} in one list of the transaction`,
  )
}
