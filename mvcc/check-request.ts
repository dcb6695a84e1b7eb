/**
 * What can be said against a request without looking at the store.
 *
 *   - a key to read, put, delete or compare alone isn't empty;
 *   - none of a transaction's three lists is longer than the limit;
 *   - no list puts a key twice, or puts one that it deletes. Deletes may overlap.
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
  for (const [name, list] of [
    ['compares', request.compare],
    ['operations on success', request.success],
    ['operations on failure', request.failure],
  ] as const) {
    if (list.length > opsMax) {
      throw new KvError(
        'KV_TXN_TOO_MANY_OPS',
        `the transaction has ${list.length} ${name}; at most ${opsMax} are allowed`,
      )
    }
    for (const each of list) checkSpan('end' in each ? each : { key: each.key, end: undefined })
  }
  checkDuplicates(request.success)
  checkDuplicates(request.failure)
}

function checkDuplicates(ops: readonly OpRequest[]): void {
  const puts: Uint8Array[] = []
  const deletes: DeleteRequest[] = []
  for (const op of ops) {
    if (op.type === 'put') puts.push(op.key)
    else if (op.type === 'delete') deletes.push(op)
  }
  if (puts.length === 0) return
  puts.sort(compareBytes)
  for (const [i, key] of puts.entries()) {
    const next = puts[i + 1]
    if (next !== undefined && compareBytes(key, next) === 0) throw duplicate(key, 'put twice')
  }
  for (const span of deletes) {
    const first = puts[lowerBound(puts, span.key)]
    if (first !== undefined && contains(span, first)) throw duplicate(first, 'put and deleted')
  }
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
