export { KvError, CorruptionError, CompactedError, ERROR_CODES, isKvError } from './base/errors.ts'
export type { ErrorCode, Outcome } from './base/errors.ts'
