/**
 * Transactions as plain data: compare, then one list of operations or the other, all or nothing.
 * `store/op.ts` has the constructors; writing the objects by hand does as well.
 *
 *   1. All compares are judged against the state before the transaction; an empty list holds.
 *   2. The chosen list is checked (revisions, leases, `ignoreValue` and `ignoreLease`) before
 *      anything is written.
 *   3. Its operations run in order; a read sees the writes before it. All writes share one
 *      revision.
 *   4. A transaction that wrote nothing makes no revision.
 *   5. No key is put twice in a list, nor put and deleted: `KV_TXN_DUPLICATE_KEY`. Both lists are
 *      checked. Deletes may overlap.
 *   6. Each of the three lists has at most `maxTxnOps` members: `KV_TXN_TOO_MANY_OPS`. A nested
 *      transaction has what its parent's longest list left over.
 */
import type { BytesInput, Encoding, ValueInput } from './encoding.ts'
import type { KeyRange, KeyValue, ResultJson } from './key-value.ts'
import type { LeaseReference } from './lease.ts'
import type { RangeSelection } from './read.ts'
import type { PutSelection } from './write.ts'

/** How what the store has is compared with what the compare says: `has operator value`. */
export type CompareOperator = '=' | '!=' | '<' | '>'

/** The `key` of a compare, or a range of which every key must satisfy it. */
export interface CompareBase extends KeyRange {
  readonly operator: CompareOperator
}

/**
 * Compares stored bytes with the encoded `value`. False for a missing key or an empty range,
 * whatever the operator.
 */
export interface ValueCompare<I = BytesInput> extends CompareBase {
  readonly target: 'value'
  readonly value: I
}

/** Compares a number: an integer ≥ 0. A missing key or an empty range counts as 0. */
export interface NumberCompare extends CompareBase {
  readonly target: 'version' | 'createRevision' | 'modRevision'
  readonly value: number
}

/** Compares the attached lease; 0n: none. A missing key or an empty range counts as 0n. */
export interface LeaseCompare extends CompareBase {
  readonly target: 'lease'
  readonly value: LeaseReference
}

/** A condition of a transaction. `compare()` makes one. */
export type Compare<I = BytesInput> = ValueCompare<I> | NumberCompare | LeaseCompare

/** Puts a key. `put()` makes one. */
export interface PutOp<I = BytesInput> extends PutSelection {
  readonly type: 'put'
  readonly key: BytesInput
  /** Left out together with `ignoreValue`, and only then. */
  readonly value?: I | undefined
}

/** Reads a key. `get()` makes one. */
export interface GetOp {
  readonly type: 'get'
  readonly key: BytesInput
  /** As in `ReadOptions`, and not above the revision before the transaction. */
  readonly revision?: number | undefined
}

/** Reads a range. `range()` makes one. */
export interface RangeOp extends RangeSelection {
  readonly type: 'range'
  readonly revision?: number | undefined
}

/** Deletes `key` or a range; one of the ways to name keys must be there. */
export interface DeleteOp extends KeyRange {
  readonly type: 'delete'
  readonly previous?: boolean | undefined
}

/**
 * A transaction inside another; its compares are judged with the outer one's. `txnOp()` makes one.
 */
export interface TxnOp<I = BytesInput> extends TxnRequest<I> {
  readonly type: 'txn'
}

/** One operation of a transaction. */
export type Op<I = BytesInput> = PutOp<I> | GetOp | RangeOp | DeleteOp | TxnOp<I>

/** `I` is what the store takes as a value. Missing lists are empty ones. */
export interface TxnRequest<I = BytesInput> {
  readonly compare?: readonly Compare<I>[] | undefined
  /** Runs when every compare holds. */
  readonly success?: readonly Op<I>[] | undefined
  /** Runs otherwise. */
  readonly failure?: readonly Op<I>[] | undefined
}

/** What `txn` takes beside the request. */
export interface TxnOptions<E extends Encoding = never> {
  /**
   * Overrides the store's encoding for this call: of every value given and every key and value
   * returned.
   */
  readonly encoding?: E | undefined
  /** As for a put; a transaction that only reads stops at any time. */
  readonly signal?: AbortSignal | undefined
}

/** What a put came to. */
export interface PutOpResult<V = string, K = string> {
  readonly type: 'put'
  readonly previous: KeyValue<V, K> | undefined
}

/** What a read of a key found; undefined where it does not exist. */
export interface GetOpResult<V = string, K = string> {
  readonly type: 'get'
  readonly kv: KeyValue<V, K> | undefined
}

/** What a range found: see `RangeResult`. */
export interface RangeOpResult<V = string, K = string> {
  readonly type: 'range'
  /** A `value` is undefined only with `keysOnly`. */
  readonly kvs: readonly KeyValue<V | undefined, K>[]
  readonly count: number
  readonly more: boolean
}

/** How many keys were deleted, and what they held where that was asked for. */
export interface DeleteOpResult<V = string, K = string> {
  readonly type: 'delete'
  readonly deleted: number
  readonly previous: readonly KeyValue<V, K>[]
}

/** Which list of an inner transaction ran, and what its operations came to. */
export interface TxnOpResult<V = string, K = string> {
  readonly type: 'txn'
  readonly succeeded: boolean
  readonly results: readonly OpResult<V, K>[]
}

/** What an operation came to; `type` says which it was. */
export type OpResult<V = string, K = string> =
  | PutOpResult<V, K>
  | GetOpResult<V, K>
  | RangeOpResult<V, K>
  | DeleteOpResult<V, K>
  | TxnOpResult<V, K>

/** What a transaction came to. */
export interface TxnResult<V = string, K = string> {
  /** Whether every compare held. */
  readonly succeeded: boolean
  /** The store's revision after the transaction: a new one if it wrote anything. */
  readonly revision: number
  /** One result for each operation of the list that ran, in its order. */
  readonly results: readonly OpResult<V, K>[]
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/**
 * The handle that `transact` passes to its function. Reads come from one revision (unless
 * `isolation` says otherwise), with the function's own writes on top; writes are kept until it
 * returns. After that every call is `KV_TX_CLOSED`.
 *
 * What the function has written itself it reads with revisions and version 0: they are known only
 * when it is committed.
 */
export interface Transaction<V = string, K = string> {
  /**
   * The revision that is read; undefined before the first read is there, since only its answer
   * tells. With a weaker isolation that of the first read.
   */
  readonly revision: number | undefined
  /**
   * Reads one key. Where the store refuses, the transaction ends with that error, even if the
   * function catches it; a slip or `KV_DECODE` it may catch.
   */
  get(key: BytesInput): Promise<KeyValue<V, K> | undefined>
  /**
   * All keys of the range, in key order; no keys named: every key. A key that appears in it later
   * is a conflict too. It takes one compare, and one more for each key found: see `maxTxnOps`.
   */
  range(keys: KeyRange): Promise<readonly KeyValue<V, K>[]>
  /** Puts a key when the function has returned and nothing it read has changed. */
  put(
    key: BytesInput,
    value: ValueInput<V>,
    options?: { readonly lease?: LeaseReference | undefined },
  ): void
  /** Deletes a key, or all keys of a range, unseen ones included. */
  delete(keys: BytesInput | KeyRange): void
}

/**
 * What a transaction may meet of the others, strongest first.
 *   - `serializableSnapshot`: as `serializable`, and nobody else wrote what it writes since its
 *     first read;
 *   - `serializable`: all that committed took effect one after the other. Reads come from one
 *     revision, and hold still at the commit. What it writes without reading it is written over
 *     others' writes;
 *   - `repeatableReads`: a key once read stays the same, but two keys may be read at different
 *     revisions; what it commits is serializable;
 *   - `readCommitted`: each read is of its own revision and nothing is compared, so others' writes
 *     may be lost. Never a conflict.
 */
export type Isolation =
  | 'serializableSnapshot'
  | 'serializable'
  | 'repeatableReads'
  | 'readCommitted'

/** What `transact` takes beside the function. */
export interface TransactOptions {
  /**
   * How many times the function may run: an integer ≥ 1, or Infinity. Then it is `KV_CONFLICT`.
   * Default 10.
   */
  readonly attemptsMax?: number | undefined
  /** Default `serializable`. */
  readonly isolation?: Isolation | undefined
  /**
   * Abort rejects with `signal.reason`, at once also while the function runs, and writes nothing;
   * during the commit as for a put.
   */
  readonly signal?: AbortSignal | undefined
}

/** What `transact` resolves with: it is committed, and durable. */
export interface TransactResult<T> {
  /** What the run that was committed returned. */
  readonly value: T
  /**
   * The store's revision after it: a new one if it wrote anything. Where it only read, the revision
   * that it read.
   */
  readonly revision: number
  /** How many times the function ran. */
  readonly attempts: number
}
