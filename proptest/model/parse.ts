/** From the arguments of a `Store` call to the model's requests. */
import { KvError } from '../../base/errors.ts'
import type { Encoding } from '../../store/types/encoding.ts'
import { encodeValue } from './encoding.ts'
import { Fields, isBytesInput, readArray, readLease, readText, wrongType } from './fields.ts'
import type { Condition, PutStep, RangeQuery, Step, TxnQuery } from './request.ts'
import type { ByteString, KeySet, Row } from './row.ts'
import { compareText } from './row.ts'

const RANGE_FIELDS = ['key', 'prefix', 'start', 'end', 'fromKey'] as const
const FILTER_FIELDS = [
  'minModRevision',
  'maxModRevision',
  'minCreateRevision',
  'maxCreateRevision',
] as const
const SELECTION_FIELDS = [
  ...RANGE_FIELDS,
  ...FILTER_FIELDS,
  'revision',
  'limit',
  'order',
  'sortBy',
  'keysOnly',
  'countOnly',
] as const
const READ_FIELDS = ['revision', 'encoding', 'serializable', 'signal'] as const
const PUT_FIELDS = ['lease', 'previous', 'ignoreValue', 'ignoreLease'] as const
const TXN_FIELDS = ['compare', 'success', 'failure'] as const

function emptyKey(name: string): KvError {
  return new KvError('KV_KEY_EMPTY', `${name}: a key can't be empty`)
}

/** What is noted while the arguments of one call are read. */
export class Reading {
  readonly encoding: Encoding
  /** The bytes of the keys and values. */
  bytes = 0
  readonly #errors: KvError[] = []

  constructor(encoding: Encoding) {
    this.encoding = encoding
  }

  /** Notes an operating error, to be thrown when all slips are ruled out. */
  found(error: KvError): void {
    this.#errors.push(error)
  }

  throwFirst(): void {
    const first = this.#errors[0]
    if (first !== undefined) throw first
  }
}

export function readKey(name: string, input: unknown, reading: Reading): ByteString {
  const key = readText(name, input)
  reading.bytes += key.length
  if (key === '') reading.found(emptyKey(name))
  return key
}

/** The keys that the fields name; undefined where they name none. */
export function readKeySet(fields: Fields, reading: Reading): KeySet | undefined {
  const named = RANGE_FIELDS.filter((field) => fields.has(field))
  const first = named[0]
  if (first === undefined) return undefined
  if (named.join() === 'start,end') {
    const start = fields.text('start')
    const end = fields.text('end')
    reading.bytes += start.length + end.length
    if (start >= end) throw new RangeError(`${fields.nameOf('start')}: not below end`)
    return (key) => start <= key && key < end
  }
  if (named.length > 1) {
    throw new TypeError(`${fields.nameOf(first)}: can't stand beside ${named.slice(1).join(', ')}`)
  }
  const text = fields.text(first)
  reading.bytes += text.length
  switch (first) {
    case 'key':
      if (text === '') reading.found(emptyKey(fields.nameOf('key')))
      return (key) => key === text
    case 'prefix':
      return (key) => key.startsWith(text)
    case 'fromKey':
      return (key) => key >= text
    case 'start':
      throw new TypeError(`${fields.nameOf('start')}: needs end`)
    case 'end':
      throw new TypeError(`${fields.nameOf('end')}: needs start`)
  }
}

/** A key, or an object that names keys; one of them must be there. */
export function readKeys(name: string, input: unknown, reading: Reading): KeySet {
  if (isBytesInput(input)) {
    const wanted = readKey(name, input, reading)
    return (key) => key === wanted
  }
  const fields = new Fields(name, '', input)
  fields.allow(...RANGE_FIELDS)
  const keys = readKeySet(fields, reading)
  if (keys === undefined) throw new TypeError(`${name}: names no keys; for all say prefix: ''`)
  return keys
}

export function readGetOptions(input: unknown): Fields {
  const fields = Fields.of(input)
  fields.allow(...READ_FIELDS)
  fields.flag('serializable')
  return fields
}

export function singleKey(key: ByteString, revision: number | undefined): RangeQuery {
  return {
    keys: (other) => other === key,
    revision,
    limit: 1,
    descending: false,
    sortBy: 'key',
    countOnly: false,
    keep: () => true,
  }
}

export function readRangeOptions(input: unknown): Fields {
  const fields = Fields.of(input)
  fields.allow(...SELECTION_FIELDS, ...READ_FIELDS)
  fields.flag('serializable')
  return fields
}

export function readScanOptions(input: unknown): Fields {
  const fields = Fields.of(input)
  const absent = ['sortBy', 'countOnly']
  fields.allow(...SELECTION_FIELDS.filter((field) => !absent.includes(field)), ...READ_FIELDS)
  fields.flag('serializable')
  return fields
}

export function readSelection(fields: Fields, limit: number, reading: Reading): RangeQuery {
  fields.flag('keysOnly')
  return {
    keys: readKeySet(fields, reading) ?? (() => true),
    revision: fields.integer('revision', 1),
    limit: fields.integer('limit', 1, { infinity: true }) ?? limit,
    descending: fields.word('order', ['ascend', 'descend'], 'ascend') === 'descend',
    sortBy: fields.word(
      'sortBy',
      ['key', 'version', 'createRevision', 'modRevision', 'value'],
      'key',
    ),
    countOnly: fields.flag('countOnly'),
    keep: readFilter(fields),
  }
}

function readFilter(fields: Fields): (row: Row) => boolean {
  const minMod = fields.integer('minModRevision', 1) ?? 0
  const maxMod = fields.integer('maxModRevision', 1) ?? Infinity
  const minCreate = fields.integer('minCreateRevision', 1) ?? 0
  const maxCreate = fields.integer('maxCreateRevision', 1) ?? Infinity
  return (row) =>
    minMod <= row.modRevision &&
    row.modRevision <= maxMod &&
    minCreate <= row.createRevision &&
    row.createRevision <= maxCreate
}

export function readPutOptions(input: unknown): Fields {
  const fields = Fields.of(input)
  fields.allow(...PUT_FIELDS, 'encoding', 'signal')
  return fields
}

export function readDeleteOptions(input: unknown): Fields {
  const fields = Fields.of(input)
  fields.allow('previous', 'encoding', 'signal')
  return fields
}

/** A put's key, value and options, wherever they stand. */
export function readPut(
  fields: Fields,
  input: { readonly key: unknown; readonly value: unknown },
  reading: Reading,
): PutStep {
  const key = readKey(fields.nameOf('key'), input.key, reading)
  const valueName = fields.nameOf('value')
  const keepsValue = fields.flag('ignoreValue')
  if (keepsValue && input.value !== undefined) {
    throw new TypeError(`${valueName}: must be undefined with ignoreValue`)
  }
  const value = keepsValue ? undefined : encodeValue(reading.encoding, valueName, input.value)
  reading.bytes += value?.length ?? 0
  const keepsLease = fields.flag('ignoreLease')
  const lease = fields.has('lease') ? readLease(fields.nameOf('lease'), fields.get('lease')) : 0n
  if (keepsLease && lease !== 0n) {
    throw new TypeError(`${fields.nameOf('lease')}: can't stand beside ignoreLease`)
  }
  fields.flag('previous')
  return { type: 'put', key, value, lease: keepsLease ? undefined : lease }
}

/** An operation as it was asked for, beside what the model makes of it. */
export interface ParsedStep {
  readonly step: Step
  readonly fields: Fields
  readonly type: 'put' | 'get' | 'range' | 'delete' | 'txn'
  /** The lists of a nested transaction. */
  readonly nested: ParsedTxn | undefined
}

export interface ParsedTxn {
  readonly query: TxnQuery
  readonly success: readonly ParsedStep[]
  readonly failure: readonly ParsedStep[]
}

export function readTxn(input: unknown, reading: Reading): ParsedTxn {
  const fields = new Fields('request', '', input)
  fields.allow(...TXN_FIELDS)
  return readTxnFields(fields, reading)
}

function readTxnFields(fields: Fields, reading: Reading): ParsedTxn {
  const conditions = readArray(fields.nameOf('compare'), fields.get('compare')).map((item, i) =>
    readCompare(item, fields.nameOf(`compare[${i}]`), reading),
  )
  const list = (name: 'success' | 'failure'): readonly ParsedStep[] =>
    readArray(fields.nameOf(name), fields.get(name)).map((item, i) =>
      readOp(item, fields.nameOf(`${name}[${i}]`), reading),
    )
  const success = list('success')
  const failure = list('failure')
  const steps = (parsed: readonly ParsedStep[]): readonly Step[] => parsed.map(({ step }) => step)
  const query: TxnQuery = { conditions, success: steps(success), failure: steps(failure) }
  return { query, success, failure }
}

function readOp(input: unknown, name: string, reading: Reading): ParsedStep {
  const fields = new Fields(name, `${name}.`, input)
  if (!fields.has('type')) throw wrongType(fields.nameOf('type'), 'a word')
  const type = fields.word('type', ['put', 'get', 'range', 'delete', 'txn'], 'put')
  const parsed = (step: Step, nested?: ParsedTxn): ParsedStep => ({ step, fields, type, nested })
  switch (type) {
    case 'put': {
      fields.allow('type', 'key', 'value', ...PUT_FIELDS)
      const given = { key: fields.get('key'), value: fields.get('value') }
      return parsed(readPut(fields, given, reading))
    }
    case 'get': {
      fields.allow('type', 'key', 'revision')
      const key = readKey(fields.nameOf('key'), fields.get('key'), reading)
      const revision = fields.integer('revision', 1)
      return parsed({ type: 'range', query: singleKey(key, revision) })
    }
    case 'range':
      fields.allow('type', ...SELECTION_FIELDS)
      return parsed({ type: 'range', query: readSelection(fields, 10_000, reading) })
    case 'delete': {
      fields.allow('type', 'previous', ...RANGE_FIELDS)
      fields.flag('previous')
      const keys = readKeySet(fields, reading)
      if (keys === undefined) throw new TypeError(`${fields.nameOf('key')}: missing`)
      return parsed({ type: 'delete', keys })
    }
    case 'txn': {
      fields.allow('type', ...TXN_FIELDS)
      const nested = readTxnFields(fields, reading)
      return parsed({ type: 'txn', ...nested.query }, nested)
    }
  }
}

function readCompare(input: unknown, name: string, reading: Reading): Condition {
  const fields = new Fields(name, `${name}.`, input)
  fields.allow('target', 'operator', 'value', ...RANGE_FIELDS)
  const keys = readKeySet(fields, reading)
  if (keys === undefined) throw new TypeError(`${fields.nameOf('key')}: missing`)
  for (const word of ['target', 'operator']) {
    if (!fields.has(word)) throw wrongType(fields.nameOf(word), 'a word')
  }
  const targets = ['value', 'version', 'createRevision', 'modRevision', 'lease'] as const
  const target = fields.word('target', targets, 'value')
  const operator = fields.word('operator', ['=', '!=', '<', '>'], '=')
  const valueName = fields.nameOf('value')
  if (target === 'value') {
    const wanted = encodeValue(reading.encoding, valueName, fields.get('value'))
    reading.bytes += wanted.length
    const judge = (row: Row): boolean => satisfies(operator, compareText(row.value, wanted))
    return { keys, holds: judge, holdsForNone: false }
  }
  if (target === 'lease') {
    const wanted = readLease(valueName, fields.get('value'))
    const judge = (lease: bigint): boolean =>
      satisfies(operator, lease < wanted ? -1 : lease > wanted ? 1 : 0)
    return { keys, holds: (row) => judge(row.lease), holdsForNone: judge(0n) }
  }
  const wanted = fields.integer('value', 0)
  if (wanted === undefined) throw wrongType(valueName, 'a number')
  const judge = (value: number): boolean => satisfies(operator, value - wanted)
  return { keys, holds: (row) => judge(row[target]), holdsForNone: judge(0) }
}

function satisfies(operator: '=' | '!=' | '<' | '>', order: number): boolean {
  switch (operator) {
    case '=':
      return order === 0
    case '!=':
      return order !== 0
    case '<':
      return order < 0
    case '>':
      return order > 0
  }
}
