/**
 * revbolt: a multi-version key-value store in a directory of yours.
 *
 * @module revbolt
 */

export { open } from './store/open.ts'
export { namespace } from './store/namespace.ts'
export { restoreBackup, verifyBackup } from './store/backup-verify.ts'
export { diffBackups } from './store/diff-backups.ts'
export { importEtcd } from './store/etcd-import.ts'
export { exportLines } from './store/lines/export.ts'
export { importHistory } from './store/lines/import-history.ts'
export { importLines } from './store/lines/import.ts'
export { readArchive } from './store/archive-info.ts'
export { restoreTo } from './store/restore-to.ts'
export { rollback } from './store/rollback.ts'
export { compare, del, get, put, range, txnOp } from './store/op.ts'
export type { Comparing } from './store/op.ts'
export { decodeRevisionKey } from './mvcc/revision.ts'
export type { RevisionKey } from './mvcc/revision.ts'
export { decodeKeyValue } from './proto/mvccpb.ts'
export type { KeyValue as StoredKeyValue } from './proto/mvccpb.ts'
export { VERSION } from './store/version.ts'
export { CompactedError, CorruptionError, ERROR_CODES, KvError, isKvError } from './base/errors.ts'
export type { DamagePlace, ErrorCode, KvErrorOptions, Outcome } from './base/errors.ts'
export type {
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
export type { ArchiveBase, ArchiveInfo, ArchiveSegment } from './store/types/archive.ts'
export type {
  BytesInput,
  Encoding,
  Encodings,
  KeyFor,
  ValueFor,
  ValueInput,
} from './store/types/encoding.ts'
export type { KeyRange, KeyValue, ResultJson } from './store/types/key-value.ts'
export type {
  BackupOptions,
  BackupProgress,
  BackupResult,
  RestoreBackupOptions,
  VerifiedBackup,
  VerifyBackupOptions,
} from './store/types/backup.ts'
export type { BackupManifest } from './snapshot/manifest.ts'
export type {
  AddedKey,
  ChangedKey,
  DiffBackupsOptions,
  DiffBy,
  DiffOptions,
  DiffSelection,
  KeyChange,
  RemovedKey,
} from './store/types/diff.ts'
export type { ImportEtcdOptions, ImportEtcdResult } from './store/types/import.ts'
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
  ExportHistoryOptions,
  ExportKeysOptions,
  ImportHistoryOptions,
  ImportHistoryResult,
  ImportLinesOptions,
  ImportLinesResult,
  Lines,
  LinesOptions,
  LinesSource,
} from './store/types/lines.ts'
export type {
  Alarm,
  AlarmReference,
  AlarmType,
  CallOptions,
  CheckProblem,
  CheckResult,
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
export type { ArchiveOptions, Logger, OpenOptions, Retain } from './store/types/open.ts'
export type { RecoveryReport } from './store/types/recovery.ts'
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
  DeleteOpResult,
  GetOp,
  GetOpResult,
  Isolation,
  LeaseCompare,
  NumberCompare,
  Op,
  OpResult,
  PutOp,
  PutOpResult,
  RangeOp,
  RangeOpResult,
  TransactOptions,
  TransactResult,
  Transaction,
  TxnOp,
  TxnOpResult,
  TxnOptions,
  TxnRequest,
  TxnResult,
  ValueCompare,
} from './store/types/txn.ts'
export type {
  MomentInput,
  RestoreOptions,
  RestoreResult,
  RollbackOptions,
  RollbackResult,
} from './store/types/restore.ts'
export type { Snapshot, View } from './store/types/view.ts'
export type {
  DeleteEvent,
  PutEvent,
  Watch,
  WatchBatch,
  WatchEvent,
  WatchOptions,
} from './store/types/watch.ts'
export type {
  DeleteOptions,
  DeleteResult,
  PutOptions,
  PutResult,
  PutSelection,
} from './store/types/write.ts'
