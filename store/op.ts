/**
 * Tiny constructors for the parts of a transaction. Each returns plain frozen data (types/txn.ts);
 * bytes given are copied. Nothing is checked here: `txn` checks all of it, however it was made.
 *
 *   txn({
 *     compare: [compare('config/theme').value('=', 'dark')],
 *     success: [put('config/theme', 'light')],
 *     failure: [get('config/theme')],
 *   })
 */
import type { BytesInput } from './types/encoding.ts'
import type { KeyRange } from './types/key-value.ts'
import type { LeaseReference } from './types/lease.ts'
import type { RangeSelection } from './types/read.ts'
import type {
  CompareOperator,
  DeleteOp,
  GetOp,
  LeaseCompare,
  NumberCompare,
  PutOp,
  RangeOp,
  TxnOp,
  TxnRequest,
  ValueCompare,
} from './types/txn.ts'
import type { PutSelection } from './types/write.ts'

/** What can be compared of a key, or of every key in a range. */
export interface Comparing {
  /** The stored value's bytes. False for a missing key or an empty range, whatever the operator. */
  value<I>(operator: CompareOperator, value: I): ValueCompare<I>
  /** How often the key was put since its creation; 0: it doesn't exist. */
  version(operator: CompareOperator, value: number): NumberCompare
  /** The revision that created the key; 0: it doesn't exist. */
  createRevision(operator: CompareOperator, value: number): NumberCompare
  /** The revision that wrote the key last; 0: it doesn't exist. */
  modRevision(operator: CompareOperator, value: number): NumberCompare
  /** The lease that the key is attached to; 0n: none. */
  lease(operator: CompareOperator, value: LeaseReference): LeaseCompare
}

/**
 * Copies what a buffer would otherwise share with its owner; anything else is returned as it is.
 */
function owned<T>(value: T): T
function owned(value: unknown): unknown {
  return value instanceof Uint8Array ? new Uint8Array(value) : value
}

function ownedFields<T extends object>(fields: T): T
function ownedFields(fields: object): object {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, owned(value)]))
}

function isKey(keys: BytesInput | KeyRange): keys is BytesInput {
  return typeof keys === 'string' || keys instanceof Uint8Array
}

function keyFields(keys: BytesInput | KeyRange): KeyRange {
  return isKey(keys) ? { key: owned(keys) } : ownedFields(keys)
}

/** Begins a compare of one key, or of every key in a range: `compare('a').version('=', 0)`. */
export function compare(keys: BytesInput | KeyRange): Comparing {
  const fields = keyFields(keys)
  return Object.freeze({
    value: <I>(operator: CompareOperator, value: I): ValueCompare<I> =>
      Object.freeze({ ...fields, target: 'value', operator, value: owned(value) }),
    version: (operator: CompareOperator, value: number): NumberCompare =>
      Object.freeze({ ...fields, target: 'version', operator, value }),
    createRevision: (operator: CompareOperator, value: number): NumberCompare =>
      Object.freeze({ ...fields, target: 'createRevision', operator, value }),
    modRevision: (operator: CompareOperator, value: number): NumberCompare =>
      Object.freeze({ ...fields, target: 'modRevision', operator, value }),
    lease: (operator: CompareOperator, value: LeaseReference): LeaseCompare =>
      Object.freeze({ ...fields, target: 'lease', operator, value }),
  })
}

/** Puts a value under a key. */
export function put<I>(key: BytesInput, value: I, options: PutSelection = {}): PutOp<I> {
  return Object.freeze({ ...options, type: 'put', key: owned(key), value: owned(value) })
}

/** Reads one key. */
export function get(key: BytesInput, options: { readonly revision?: number } = {}): GetOp {
  return Object.freeze({ ...options, type: 'get', key: owned(key) })
}

/** Reads a range. */
export function range(options: RangeSelection & { readonly revision?: number } = {}): RangeOp {
  return Object.freeze({ ...ownedFields(options), type: 'range' })
}

/** Deletes a key, or every key of a range. */
export function del(
  keys: BytesInput | KeyRange,
  options: { readonly previous?: boolean } = {},
): DeleteOp {
  return Object.freeze({ ...options, ...keyFields(keys), type: 'delete' })
}

/** A transaction within a transaction. */
export function txnOp<I = never>(request: TxnRequest<I>): TxnOp<I> {
  return Object.freeze({ ...request, type: 'txn' })
}
