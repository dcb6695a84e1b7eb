/**
 * `revbolt/engine`: bbolt files for their own sake.
 *
 * @module revbolt/engine
 */

export { openEngine, Engine } from './engine.ts'
export type { EngineOptions } from './options.ts'
export type { CheckOptions, CheckAsyncOptions, CheckReport } from './check.ts'
export type { Finding, FindingCode, PageCounts } from './check.ts'
export type { CopyOptions, CopyProgress, CompactOptions } from './copy.ts'
export { RawFile, openRawFile } from './raw-file.ts'
export type { PageSizeSource, RawFileOptions, RawMeta } from './raw-file.ts'
export { findRunOf, readRawPage } from './raw-page.ts'
export type { RawBucket, RawElement, RawPage, RawPageType } from './raw-page.ts'
export type { PageFaultCode } from './page.ts'
export type { SealState } from './seal.ts'
export { Surveyor } from './survey.ts'
export type { Survey, SurveyKind, SurveyProblem, SurveyTop, SurveyedBucket } from './survey.ts'
export type { Meta } from './meta.ts'
export type { BucketTree, PageInfo, PageType } from './inspect.ts'
export type { BucketStats, EngineStats } from './stats.ts'
export type { PagerStats } from './pager.ts'
export type { OpenReport } from './open.ts'
export { Tx } from './tx.ts'
export type { Synchronous } from './tx.ts'
export { Bucket } from './bucket.ts'
export { Cursor } from './cursor.ts'
export type { Entry } from './cursor.ts'
export { KvError, CorruptionError, isKvError } from '../base/errors.ts'
export type { ErrorCode, Outcome } from '../base/errors.ts'
export type {
  Disk,
  DiskFile,
  DiskFileOptions,
  FileIdentity,
  LockKind,
  LockMethod,
  LockOptions,
  SyncKind,
} from '../disk/disk.ts'
