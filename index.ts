/**
 * revbolt: a multi-version key-value store in a directory of yours.
 *
 * @module
 */

export { open } from './store/open.ts'
export { compare, del, get, put, range, txnOp } from './store/op.ts'
export type { Comparing } from './store/op.ts'
export { decodeRevisionKey } from './mvcc/revision.ts'
export type { RevisionKey } from './mvcc/revision.ts'
export { decodeKeyValue } from './proto/mvccpb.ts'
export type { KeyValue as StoredKeyValue } from './proto/mvccpb.ts'
export { VERSION } from './store/version.ts'
export { CompactedError, CorruptionError, ERROR_CODES, KvError, isKvError } from './base/errors.ts'
export type { DamagePlace, ErrorCode, Outcome } from './base/errors.ts'
export type {
  BuiltEncoding,
  BuiltLocalStore,
  BuiltOpenOptions,
  BuiltStore,
  LocalStore,
  Store,
} from './store/types.ts'
export type {
  CheckpointMessage,
  CommitMessage,
  RecoverMessage,
  SlowMessage,
} from './store/types/channels.ts'
export type { BytesInput, Encoding, Encodings, ValueInput } from './store/types/encoding.ts'
export type { KeyRange, KeyValue, ResultJson } from './store/types/key-value.ts'
export type {
  GrantOptions,
  KeepAlive,
  Lease,
  LeaseInfo,
  LeaseInfoOptions,
  LeaseReference,
  RevokeResult,
} from './store/types/lease.ts'
export type {
  Alarm,
  AlarmReference,
  AlarmType,
  CallOptions,
  CompactOptions,
  CompactResult,
  DefragmentResult,
  HashKVOptions,
  HashKVResult,
  JobOptions,
  Progress,
  Status,
  StoreStats,
} from './store/types/maintenance.ts'
export type { Logger, Retain } from './store/types/open.ts'
export type {
  GetOptions,
  Order,
  RangeOptions,
  RangeResult,
  RangeSelection,
  RevisionFilter,
  ScanOptions,
  SortBy,
} from './store/types/read.ts'
export type {
  Compare,
  CompareOperator,
  DeleteOp,
  GetOp,
  Isolation,
  Op,
  OpResult,
  PutOp,
  RangeOp,
  TransactOptions,
  TransactResult,
  Transaction,
  TxnOp,
  TxnOptions,
  TxnRequest,
  TxnResult,
} from './store/types/txn.ts'
export type { Snapshot, View } from './store/types/view.ts'
export type {
  DeleteEvent,
  PutEvent,
  Watch,
  WatchBatch,
  WatchEvent,
  WatchOptions,
} from './store/types/watch.ts'
export type { DeleteOptions, DeleteResult, PutOptions, PutResult } from './store/types/write.ts'
