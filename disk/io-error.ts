/**
 * System errors as `KvError`: the one table from errno to code.
 */

import { KvError } from '../base/errors.ts'
import type { ErrorCode } from '../base/errors.ts'

/** What was being done: it stands in the message and decides what EACCES means. */
export type IoOperation =
  | 'open'
  | 'open for writing'
  | 'read'
  | 'write'
  | 'stat'
  | 'truncate'
  | 'allocate'
  | 'sync'
  | 'close'
  | 'list'
  | 'make directory'
  | 'rename'
  | 'remove'
  | 'sync directory'
  | 'lock'

/** The errno name (`ENOSPC`) of a system error, or undefined where the error has none. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Wraps `cause`, naming operation and path. A `KvError` is passed through as it is. */
export function toKvError(cause: unknown, operation: IoOperation, path: string): KvError {
  if (cause instanceof KvError) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new KvError(codeFor(errnoOf(cause), operation), `${path}: ${operation}: ${reason}`, {
    cause,
  })
}

function codeFor(errno: string | undefined, operation: IoOperation): ErrorCode {
  switch (errno) {
    case 'ENOENT':
      return 'KV_NOT_FOUND'
    case 'ENOSPC':
    case 'EDQUOT':
      return 'KV_NO_SPACE'
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return operation === 'open for writing' ? 'KV_READ_ONLY' : 'KV_IO'
    default:
      return 'KV_IO'
  }
}

/** The error of a call on a handle that was closed. */
export function closedError(path: string): KvError {
  return new KvError('KV_CLOSED', `${path}: the file handle is closed`)
}

/** The error of a durable write after one that failed: what it would mean is not known. */
export function durableRefusal(path: string, cause: KvError | undefined): KvError {
  const message = `${path}: write: an earlier durable write of this handle failed`
  return new KvError('KV_IO', message, { cause })
}

/** The error of a write through a handle that was opened for reading. */
export function readOnlyError(operation: IoOperation, path: string): KvError {
  return new KvError('KV_READ_ONLY', `${path}: ${operation}: the file was opened for reading only`)
}

/** Throws `RangeError` unless `value` is an integer from 0 to 2^53 - 1. */
export function checkOffset(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${name}: expected an integer from 0 to 2^53 - 1, got ${value}`)
  }
}
