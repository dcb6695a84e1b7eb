/**
 * From the arguments of a call to the core's requests: checked, encoded, copied, ranges resolved.
 *
 * Slips are thrown at once. Operating errors (an empty key, a request too large) are only noted,
 * since a closed store or an aborted signal comes before them; `throwRefusal` throws the first.
 */

import { EMPTY_BYTES, compareBytes, copyBytes } from '../base/bytes.ts'
import { KvError } from '../base/errors.ts'
import { describeType } from '../base/text.ts'
import { TO_LAST_KEY } from '../mvcc/request.ts'
import type { DeleteRequest, KeySpan, PutRequest, RangeRequest } from '../mvcc/request.ts'
import { ownBytes } from './codec.ts'
import type { Codec } from './codec.ts'
import { Fields } from './fields.ts'

/** How many keys a range returns unless it says otherwise. */
export const RANGE_LIMIT_DEFAULT = 10_000

export const SPAN_FIELDS = ['key', 'prefix', 'start', 'end', 'fromKey'] as const
const FILTER_FIELDS = [
  'minModRevision',
  'maxModRevision',
  'minCreateRevision',
  'maxCreateRevision',
] as const
const READ_FIELDS = ['revision', 'encoding', 'serializable', 'signal'] as const
const SCAN_FIELDS = [...SPAN_FIELDS, ...FILTER_FIELDS, 'limit', 'order', 'keysOnly'] as const
const PUT_FIELDS = ['lease', 'previous', 'ignoreValue', 'ignoreLease'] as const

export const SPAN: ReadonlySet<string> = new Set(SPAN_FIELDS)
export const GET_OPTIONS: ReadonlySet<string> = new Set(READ_FIELDS)
export const SCAN_OPTIONS: ReadonlySet<string> = new Set([...SCAN_FIELDS, ...READ_FIELDS])
export const RANGE_OPTIONS: ReadonlySet<string> = new Set([
  ...SCAN_FIELDS,
  ...READ_FIELDS,
  'sortBy',
  'countOnly',
])
const DIFF_FIELDS = [...SPAN_FIELDS, 'by', 'keysOnly', 'encoding', 'signal'] as const
export const DIFF_OPTIONS: ReadonlySet<string> = new Set([...DIFF_FIELDS, 'from', 'to'])
export const DIFF_BACKUPS_OPTIONS: ReadonlySet<string> = new Set([
  ...DIFF_FIELDS,
  'beforeRevision',
  'afterRevision',
])
export const VIEW_OPTIONS: ReadonlySet<string> = new Set(['revision'])
export const VIEW_GET_OPTIONS: ReadonlySet<string> = new Set(['revision', 'encoding'])
export const VIEW_SCAN_OPTIONS: ReadonlySet<string> = new Set([...SCAN_FIELDS, ...VIEW_GET_OPTIONS])
export const VIEW_RANGE_OPTIONS: ReadonlySet<string> = new Set([
  ...VIEW_SCAN_OPTIONS,
  'sortBy',
  'countOnly',
])
export const PUT_OPTIONS: ReadonlySet<string> = new Set([...PUT_FIELDS, 'encoding', 'signal'])
export const PUT_SYNC_OPTIONS: ReadonlySet<string> = new Set([...PUT_FIELDS, 'encoding'])
export const DELETE_OPTIONS: ReadonlySet<string> = new Set(['previous', 'encoding', 'signal'])
export const TXN_OPTIONS: ReadonlySet<string> = new Set(['encoding', 'signal'])
export const COMPACT_OPTIONS: ReadonlySet<string> = new Set(['physical', 'signal'])
export const HASH_OPTIONS: ReadonlySet<string> = new Set(['revision', 'signal'])
export const TRANSACT_OPTIONS: ReadonlySet<string> = new Set(['attemptsMax', 'isolation', 'signal'])
export const JOB_OPTIONS: ReadonlySet<string> = new Set(['onProgress', 'signal'])
export const BACKUP_OPTIONS: ReadonlySet<string> = new Set(['trailer', 'onProgress', 'signal'])
export const STATUS_OPTIONS: ReadonlySet<string> = new Set(['signal'])

export const PUT_OP: ReadonlySet<string> = new Set(['type', 'key', 'value', ...PUT_FIELDS])
export const GET_OP: ReadonlySet<string> = new Set(['type', 'key', 'revision'])
export const RANGE_OP: ReadonlySet<string> = new Set([
  'type',
  ...SCAN_FIELDS,
  'revision',
  'sortBy',
  'countOnly',
])
export const DELETE_OP: ReadonlySet<string> = new Set(['type', 'previous', ...SPAN_FIELDS])
export const COMPARE: ReadonlySet<string> = new Set(['target', 'operator', 'value', ...SPAN_FIELDS])

/** What is noted while the arguments of one call are read. */
export class Arguments {
  readonly codec: Codec
  /** Bytes of keys and values so far. */
  byteCount = 0
  #refusal: KvError | undefined

  constructor(codec: Codec) {
    this.codec = codec
  }

  /**
   * Throws the first operating error noted; call it when slips, closing and aborting are ruled out.
   */
  throwRefusal(): void {
    if (this.#refusal !== undefined) throw this.#refusal
  }

  /** A key that stands alone. */
  key(input: unknown, name: string): Uint8Array {
    const key = ownBytes(input, name)
    this.byteCount += key.length
    if (key.length === 0) {
      this.#refusal ??= new KvError('KV_KEY_EMPTY', `${name}: a key can't be empty`)
    }
    return key
  }

  value(input: unknown, name: string): Uint8Array {
    const value = this.codec.encodeValue(input, name)
    this.byteCount += value.length
    return value
  }

  /** The keys that the fields name; undefined where they name none. */
  span(fields: Fields): KeySpan | undefined {
    const named = SPAN_FIELDS.filter((field) => fields.has(field))
    const [first, second] = named
    if (first === undefined) return undefined
    if (first === 'start' && second === 'end' && named.length === 2) return this.#between(fields)
    if (second !== undefined) {
      throw new TypeError(
        `${fields.nameOf(first)}: keys are named in one way, so not together with ${second}`,
      )
    }
    switch (first) {
      case 'key':
        return { key: this.key(fields.get('key'), fields.nameOf('key')), end: undefined }
      case 'prefix': {
        const prefix = this.#bound(fields, 'prefix')
        return { key: prefix, end: prefixEnd(prefix) }
      }
      case 'fromKey':
        return { key: this.#bound(fields, 'fromKey'), end: TO_LAST_KEY }
      case 'start':
        throw new TypeError(`${fields.nameOf('start')}: it needs an end; else say fromKey`)
      case 'end':
        throw new TypeError(`${fields.nameOf('end')}: it needs a start`)
    }
  }

  /** A key, or an object that names keys. */
  keys(input: unknown, name: string): KeySpan {
    if (typeof input === 'string' || input instanceof Uint8Array) {
      return { key: this.key(input, name), end: undefined }
    }
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      throw new TypeError(
        `${name}: expected a string, a Uint8Array or a range, got ${describeType(input)}`,
      )
    }
    const span = this.span(new Fields(input, SPAN, { name, path: '' }))
    if (span === undefined) {
      throw new TypeError(`${name}: it names no keys; for every key say { prefix: '' }`)
    }
    return span
  }

  /** What a range or scan selects. No keys named: every key. */
  range(fields: Fields, limitDefault: number): RangeRequest {
    fields.flag('keysOnly')
    fields.flag('serializable')
    return {
      type: 'range',
      ...(this.span(fields) ?? { key: EMPTY_BYTES, end: TO_LAST_KEY }),
      revision: fields.integer('revision', 1) ?? 0,
      limit: fields.integer('limit', 1, true) ?? limitDefault,
      sortBy:
        fields.word('sortBy', ['key', 'version', 'createRevision', 'modRevision', 'value']) ??
        'key',
      isDescending: fields.word('order', ['ascend', 'descend']) === 'descend',
      isCountOnly: fields.flag('countOnly'),
      minModRevision: fields.integer('minModRevision', 1) ?? 0,
      maxModRevision: fields.integer('maxModRevision', 1) ?? Infinity,
      minCreateRevision: fields.integer('minCreateRevision', 1) ?? 0,
      maxCreateRevision: fields.integer('maxCreateRevision', 1) ?? Infinity,
    }
  }

  /** A put, whose key and value may stand apart from its options. */
  put(fields: Fields, given: { readonly key: unknown; readonly value: unknown }): PutRequest {
    const key = this.key(given.key, fields.nameOf('key'))
    const ignoreValue = fields.flag('ignoreValue')
    if (ignoreValue && given.value !== undefined) {
      throw new TypeError(`${fields.nameOf('value')}: it must be undefined with ignoreValue`)
    }
    const value = ignoreValue ? EMPTY_BYTES : this.value(given.value, fields.nameOf('value'))
    const ignoreLease = fields.flag('ignoreLease')
    const lease = fields.lease('lease')
    if (ignoreLease && lease !== 0n) {
      throw new TypeError(`${fields.nameOf('lease')}: not together with ignoreLease`)
    }
    const wantsPrevious = fields.flag('previous')
    return { type: 'put', key, value, lease, wantsPrevious, ignoreValue, ignoreLease }
  }

  delete(span: KeySpan, fields: Fields): DeleteRequest {
    return { type: 'delete', ...span, wantsPrevious: fields.flag('previous') }
  }

  #between(fields: Fields): KeySpan {
    const key = this.#bound(fields, 'start')
    const end = this.#bound(fields, 'end')
    if (compareBytes(key, end) >= 0) {
      throw new RangeError(`${fields.nameOf('start')}: it must lie below end`)
    }
    // The one end that would be read as "to the last key" lies below every key.
    return { key, end: compareBytes(end, TO_LAST_KEY) === 0 ? EMPTY_BYTES : end }
  }

  #bound(fields: Fields, field: string): Uint8Array {
    const bytes = ownBytes(fields.get(field), fields.nameOf(field))
    this.byteCount += bytes.length
    return bytes
  }
}

/** The first key behind all that begin with `prefix`. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const byte = prefix[last] ?? 0
    if (byte === 0xff) continue
    // A copy; `slice` of a Buffer would share its memory.
    const end = copyBytes(prefix.subarray(0, last + 1))
    end[last] = byte + 1
    return end
  }
  return TO_LAST_KEY
}
