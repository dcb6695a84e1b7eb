/**
 * Everything the outside world can do to us, as one error class with a stable code.
 *
 * Three kinds of error never mix in this project:
 *   - a caller's slip (wrong type, wrong range) is a plain `TypeError` or `RangeError`: fix the
 *     program;
 *   - an operating error (disk, lock, damage, limits, state) is a `KvError`: handle it by `code`;
 *   - a bug of ours is an `AssertionError` from `assert.ts`: the handle is poisoned first.
 *
 * `code` is stable between major versions. `message` is for people and may change.
 */

/** The closed list of codes. docs/errors.md has a row for each. */
export const ERROR_CODES = [
  'KV_CLOSED',
  'KV_TX_CLOSED',
  'KV_TX_BUSY',
  'KV_TX_NOT_WRITABLE',
  'KV_LOCKED',
  'KV_LOCK_UNSUPPORTED',
  'KV_READ_ONLY',
  'KV_NOT_FOUND',
  'KV_EXISTS',
  'KV_BAD_FILE',
  'KV_BAD_VERSION',
  'KV_CORRUPT',
  'KV_LOG_MISMATCH',
  'KV_IO',
  'KV_POISONED',
  'KV_NO_SPACE',
  'KV_BUSY',
  'KV_KEY_EMPTY',
  'KV_KEY_TOO_LARGE',
  'KV_VALUE_TOO_LARGE',
  'KV_BUCKET_EXISTS',
  'KV_BUCKET_NOT_FOUND',
  'KV_WRONG_KIND',
  'KV_DECODE',
  'KV_COMPACTED',
  'KV_FUTURE_REVISION',
  'KV_LEASE_NOT_FOUND',
  'KV_LEASE_EXISTS',
  'KV_KEY_NOT_FOUND',
  'KV_TXN_TOO_MANY_OPS',
  'KV_TXN_DUPLICATE_KEY',
  'KV_REQUEST_TOO_LARGE',
  'KV_CONFLICT',
  'KV_ABORTED',
] as const

/** A `KvError`'s `code`: docs/errors.md says what each means and what to do. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/**
 * What is known of a write that was rejected.
 *   - `none`: it did not happen and will not be seen after a reopen;
 *   - `unknown`: it may or may not be there after a reopen.
 */
export type Outcome = 'none' | 'unknown'

/** What a `KvError` is made with, beside its code and its message. */
export interface KvErrorOptions {
  readonly cause?: unknown
  readonly outcome?: Outcome
}

/** An operating error. Handle it by `code`. */
export class KvError extends Error {
  override readonly name: string = 'KvError'
  readonly code: ErrorCode
  /** Whether a rejected write may have happened all the same. */
  readonly outcome: Outcome

  constructor(code: ErrorCode, message: string, options: KvErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.outcome = options.outcome ?? 'none'
  }
}

/**
 * Where in which file damage was found. `offset` is in bytes from the start of the file; a row
 * above the pages has none.
 */
export interface DamagePlace {
  readonly file: string
  readonly offset?: number
}

/** Bytes on disk that can't be what was written. */
export class CorruptionError extends KvError {
  override readonly name: string = 'CorruptionError'
  readonly file: string
  readonly offset: number | undefined

  constructor(message: string, place: DamagePlace, options: KvErrorOptions = {}) {
    const where = place.offset === undefined ? '' : ` (byte offset ${place.offset})`
    super('KV_CORRUPT', `${place.file}: ${message}${where}`, options)
    this.file = place.file
    this.offset = place.offset
  }
}

/** A read below the compacted revision. */
export class CompactedError extends KvError {
  override readonly name: string = 'CompactedError'
  readonly requested: number
  readonly compacted: number

  constructor(requested: number, compacted: number) {
    super(
      'KV_COMPACTED',
      `revision ${requested} has been compacted; the oldest readable revision is ${compacted}`,
    )
    this.requested = requested
    this.compacted = compacted
  }
}

/** The same failure, with what is known of the write that it rejects. Others come out unchanged. */
export function withOutcome(cause: unknown, outcome: Outcome): unknown {
  if (!(cause instanceof KvError) || cause.outcome === outcome) return cause
  return new KvError(cause.code, cause.message, { cause, outcome })
}

/** Whether `error` is a `KvError`, of the given code where one is named. */
export function isKvError(error: unknown, code?: ErrorCode): error is KvError {
  return error instanceof KvError && (code === undefined || error.code === code)
}
