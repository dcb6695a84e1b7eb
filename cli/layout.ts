/**
 * How a git history lies in the store.
 *
 *   file/<path>          the file's content, as it is
 *   commit/<number>      one JSON object: hash, author date, subject; the first commit is 00000001
 *
 * A commit is one transaction, so one revision holds its files and its record. A commit that had
 * to be cut has its record in the last of its transactions: where the record is, the commit is
 * whole.
 */
import type { CommitInfo } from './history.ts'

export const FILE_PREFIX = 'file/'
export const COMMIT_PREFIX = 'commit/'
/** So that keys sort as numbers do. */
const COMMIT_DIGITS = 8

const FILE_PREFIX_BYTES: Uint8Array = Buffer.from(FILE_PREFIX)

export function fileKey(path: Uint8Array): Uint8Array {
  return Buffer.concat([FILE_PREFIX_BYTES, path])
}

/** The path in a file's key. */
export function pathOf(key: Uint8Array): Uint8Array {
  return key.subarray(FILE_PREFIX_BYTES.length)
}

/** `number` counts from 1. */
export function commitKey(number: number): string {
  return `${COMMIT_PREFIX}${String(number).padStart(COMMIT_DIGITS, '0')}`
}

export function commitNumber(key: Uint8Array): number {
  return Number(Buffer.from(key).toString().slice(COMMIT_PREFIX.length))
}

export function encodeCommit(commit: CommitInfo): string {
  const { hash, authorDate, subject } = commit
  return JSON.stringify({ hash, authorDate, subject })
}

/** @throws {Error} where the value is no commit record */
export function decodeCommit(value: Uint8Array): CommitInfo {
  const fields: unknown = JSON.parse(Buffer.from(value).toString())
  if (!isCommitInfo(fields)) throw new Error('a commit record does not read as one')
  const { hash, authorDate, subject } = fields
  return { hash, authorDate, subject }
}

export function isCommitInfo(fields: unknown): fields is CommitInfo {
  if (typeof fields !== 'object' || fields === null) return false
  if (!('hash' in fields && 'authorDate' in fields && 'subject' in fields)) return false
  const { hash, authorDate, subject } = fields
  return typeof hash === 'string' && typeof authorDate === 'number' && typeof subject === 'string'
}
