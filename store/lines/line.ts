/**
 * One line of an export: a JSON object whose `type` says what it is. docs/export.md has the format
 * for those who read or write it elsewhere.
 *
 *   head     what follows: the keys of one revision, or a history
 *   key      a key at that revision, in key order
 *   lease    a lease of the store, before its history, in the order of the ids
 *   put, delete, raise   what a revision did, in the order of (revision, sub)
 *   end      how many lines there were between, the last revision, and the SHA-256 of all before it
 *
 * Bytes are a string where they are UTF-8 without controls other than tab, line feed and carriage
 * return (and without U+2028, U+2029, U+FEFF, which editors change), else `{"base64": …}`.
 * Revisions and versions are below 2^53, so plain numbers; ids of leases are decimal strings.
 */

import { decodeText } from '../../base/text.ts'
import { TTL_SECONDS_MAX, TTL_SECONDS_MIN } from '../../lease/lease-rows.ts'
import { VERSION_MAX } from '../../mvcc/key-records.ts'
import { SUB_MAX } from '../../mvcc/revision.ts'
import { LineFields } from './line-fields.ts'

export const FORMAT = 'revbolt-lines'
export const FORMAT_VERSION = 1

/** `keys`: of one revision. `history`: every revision from the compacted one on. */
export type Content = 'keys' | 'history'

export interface KeysHead {
  readonly type: 'head'
  readonly content: 'keys'
  /** The revision whose keys follow. */
  readonly revision: number
  /** What the keys begin with. */
  readonly prefix: Uint8Array
}

export interface HistoryHead {
  readonly type: 'head'
  readonly content: 'history'
  /** The newest revision. */
  readonly revision: number
  /** 0: nothing was compacted. */
  readonly compactedRevision: number
}

export type HeadLine = KeysHead | HistoryHead

export interface KeyLine {
  readonly type: 'key'
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: bigint
}

export interface LeaseLine {
  readonly type: 'lease'
  readonly id: bigint
  readonly ttlSeconds: number
  /** What is left, rounded up: from 1 to all of it. */
  readonly remainingSeconds: number
}

interface Change {
  readonly revision: number
  /** Its place among the changes of its revision. */
  readonly sub: number
}

export interface PutLine extends Change {
  readonly type: 'put'
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly createRevision: number
  readonly version: number
  readonly lease: bigint
}

export interface DeleteLine extends Change {
  readonly type: 'delete'
  readonly key: Uint8Array
}

/** etcd's mark of a revision that was raised by hand: it belongs to no key. */
export interface RaiseLine extends Change {
  readonly type: 'raise'
}

export interface EndLine {
  readonly type: 'end'
  /** Lines between the head and this one. */
  readonly count: number
  /** The head's revision once more. */
  readonly revision: number
  /** Of the bytes of all lines before this one, line feeds included; lower-case hex. */
  readonly sha256: string
}

export type ChangeLine = PutLine | DeleteLine | RaiseLine
export type Line = HeadLine | KeyLine | LeaseLine | ChangeLine | EndLine

/** Whether text is written as it is. */
const NOT_PLAIN = /(?![\t\n\r])[\p{Cc}\u2028\u2029\ufeff]/u

function ofBytes(bytes: Uint8Array): string | { readonly base64: string } {
  const text = decodeText(bytes)
  if (text !== undefined && !NOT_PLAIN.test(text)) return text
  return { base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64') }
}

/** A line as it is written, without its line feed. What is empty or zero by default is left out. */
export function encodeLine(line: Line): string {
  return JSON.stringify(fieldsOf(line))
}

function fieldsOf(line: Line): object {
  switch (line.type) {
    case 'head':
      return fieldsOfHead(line)
    case 'key': {
      const { type, createRevision, modRevision, version } = line
      const numbers = { createRevision, modRevision, version }
      return { type, ...pairOf(line), ...numbers, ...leaseOf(line) }
    }
    case 'put': {
      const { type, revision, sub, createRevision, version } = line
      return { type, revision, sub, ...pairOf(line), createRevision, version, ...leaseOf(line) }
    }
    case 'delete': {
      const { type, revision, sub } = line
      return { type, revision, sub, key: ofBytes(line.key) }
    }
    case 'lease': {
      const { type, ttlSeconds, remainingSeconds } = line
      return { type, id: String(line.id), ttlSeconds, remainingSeconds }
    }
    case 'raise': {
      const { type, revision, sub } = line
      return { type, revision, sub }
    }
    case 'end': {
      const { type, count, revision, sha256 } = line
      return { type, count, revision, sha256 }
    }
  }
}

function fieldsOfHead(head: HeadLine): object {
  const { type, content, revision } = head
  const start = { type, format: FORMAT, formatVersion: FORMAT_VERSION, content, revision }
  if (head.content === 'history') return { ...start, compactedRevision: head.compactedRevision }
  return head.prefix.length === 0 ? start : { ...start, prefix: ofBytes(head.prefix) }
}

function pairOf({ key, value }: KeyLine | PutLine): object {
  return { key: ofBytes(key), value: ofBytes(value) }
}

function leaseOf({ lease }: KeyLine | PutLine): object {
  return lease === 0n ? {} : { lease: String(lease) }
}

/**
 * Reads a line.
 * @throws {LineFault} where it is none
 */
export function decodeLine(text: string): Line {
  const fields = new LineFields(text)
  const line = readLine(fields)
  fields.mustBeAll()
  return line
}

function readLine(fields: LineFields): Line {
  const type = fields.word('type', ['head', 'key', 'lease', 'put', 'delete', 'raise', 'end'])
  switch (type) {
    case 'head':
      return readHead(fields)
    case 'key': {
      const entry = readEntry(fields)
      return { type, ...entry, modRevision: fields.integer('modRevision', 1) }
    }
    case 'lease': {
      const ttlSeconds = fields.integer('ttlSeconds', TTL_SECONDS_MIN, TTL_SECONDS_MAX)
      const remainingSeconds = fields.integer('remainingSeconds', 1, ttlSeconds)
      return { type, id: fields.mustId('id'), ttlSeconds, remainingSeconds }
    }
    case 'put':
      return { type, ...readChange(fields), ...readEntry(fields) }
    case 'delete':
      return { type, ...readChange(fields), key: fields.key('key') }
    case 'raise':
      return { type, ...readChange(fields) }
    case 'end': {
      const [count, revision] = [fields.integer('count', 0), fields.integer('revision', 1)]
      return { type, count, revision, sha256: fields.text('sha256') }
    }
  }
}

function readHead(fields: LineFields): HeadLine {
  fields.text('format')
  fields.integer('formatVersion', 1)
  const content = fields.word('content', ['keys', 'history'])
  const head = { type: 'head', revision: fields.integer('revision', 1) } as const
  if (content === 'keys') return { ...head, content, prefix: fields.bytesOrNone('prefix') }
  return { ...head, content, compactedRevision: fields.integer('compactedRevision', 0) }
}

function readChange(fields: LineFields): Change {
  return { revision: fields.integer('revision', 1), sub: fields.integer('sub', 0, SUB_MAX) }
}

function readEntry(fields: LineFields): Omit<KeyLine, 'type' | 'modRevision'> {
  return {
    key: fields.key('key'),
    value: fields.bytes('value'),
    createRevision: fields.integer('createRevision', 1),
    version: fields.integer('version', 1, VERSION_MAX),
    lease: fields.id('lease'),
  }
}
