/**
 * `revbolt/wal`: looks into the log of a data directory, whether a store is open or not. See
 * docs/wal-format.md for what is there, and docs/command-line.md for the same as a command.
 *
 * @module revbolt/wal
 */

export { inspectLog } from './inspect.ts'
export type {
  InspectOptions,
  LogEvent,
  LogInspection,
  LogVerdict,
  SegmentEnd,
  SegmentReport,
} from './inspect.ts'
export type { SegmentHeader } from './format.ts'
export type { TornTail } from './replay.ts'
export type { LogEntry, LogGroup, LogOp } from '../base/log-group.ts'
export { CorruptionError, KvError, isKvError } from '../base/errors.ts'
export type { ErrorCode } from '../base/errors.ts'
