/** A transaction's arguments: its three lists, member by member, each complaint with its path. */

import { rangeRequest } from '../mvcc/request.ts'
import type { Compare, OpRequest, TxnRequest } from '../mvcc/request.ts'
import { COMPARE, DELETE_OP, GET_OP, PUT_OP, RANGE_LIMIT_DEFAULT, RANGE_OP } from './arguments.ts'
import type { Arguments } from './arguments.ts'
import { Fields } from './fields.ts'

/** An operation beside how its result is shown. */
export interface ReadOp {
  readonly request: OpRequest
  readonly shape: 'put' | 'get' | 'range' | 'keys' | 'delete'
}

export interface ReadTxnRequest {
  readonly compare: readonly Compare[]
  readonly success: readonly ReadOp[]
  readonly failure: readonly ReadOp[]
}

const TXN_FIELDS: ReadonlySet<string> = new Set(['compare', 'success', 'failure'])
const OP_TYPES = ['put', 'get', 'range', 'delete', 'txn'] as const
const ANY_OP: ReadonlySet<string> = new Set([...PUT_OP, ...GET_OP, ...RANGE_OP, ...DELETE_OP])
const TARGETS = ['value', 'version', 'createRevision', 'modRevision', 'lease'] as const

export function readTxn(input: unknown, args: Arguments): ReadTxnRequest {
  const fields = new Fields(input, TXN_FIELDS, { name: 'request', path: '' })
  return {
    compare: fields.list('compare').map((each, i) => readCompare(each, `compare[${i}]`, args)),
    success: fields.list('success').map((each, i) => readOp(each, `success[${i}]`, args)),
    failure: fields.list('failure').map((each, i) => readOp(each, `failure[${i}]`, args)),
  }
}

/** The core's request. */
export function coreRequest(read: ReadTxnRequest): TxnRequest {
  return {
    type: 'txn',
    compare: read.compare,
    success: read.success.map((op) => op.request),
    failure: read.failure.map((op) => op.request),
  }
}

function readOp(input: unknown, name: string, args: Arguments): ReadOp {
  const place = { name, path: `${name}.` }
  const type = typeOf(input, name)
  switch (type) {
    case 'put': {
      const fields = new Fields(input, PUT_OP, place)
      const given = { key: fields.get('key'), value: fields.get('value') }
      return { request: args.put(fields, given), shape: 'put' }
    }
    case 'get': {
      const fields = new Fields(input, GET_OP, place)
      const key = args.key(fields.get('key'), fields.nameOf('key'))
      const revision = fields.integer('revision', 1) ?? 0
      return { request: rangeRequest({ key, end: undefined }, { revision }), shape: 'get' }
    }
    case 'range': {
      const fields = new Fields(input, RANGE_OP, place)
      const request = args.range(fields, RANGE_LIMIT_DEFAULT)
      return { request, shape: fields.flag('keysOnly') ? 'keys' : 'range' }
    }
    case 'delete': {
      const fields = new Fields(input, DELETE_OP, place)
      const span = args.span(fields)
      if (span === undefined) throw new TypeError(`${name}.key: it names no keys`)
      return { request: args.delete(span, fields), shape: 'delete' }
    }
    case 'txn':
      throw new TypeError(`${name}: nested transactions are not available in this version`)
  }
}

/** The operation's type, which says what other fields it may have. */
function typeOf(input: unknown, name: string): (typeof OP_TYPES)[number] {
  const isObject = typeof input === 'object' && input !== null
  const type: unknown = isObject && 'type' in input ? input.type : undefined
  const only = isObject && !Array.isArray(input) ? { type } : input
  return new Fields(only, ANY_OP, { name, path: `${name}.` }).mustWord('type', OP_TYPES)
}

function readCompare(input: unknown, name: string, args: Arguments): Compare {
  const fields = new Fields(input, COMPARE, { name, path: `${name}.` })
  const span = args.span(fields)
  if (span === undefined) throw new TypeError(`${name}.key: it names no keys`)
  const target = fields.mustWord('target', TARGETS)
  const operator = fields.mustWord('operator', ['=', '!=', '<', '>'])
  if (target === 'value') {
    const value = args.value(fields.get('value'), fields.nameOf('value'))
    return { ...span, target, operator, value }
  }
  if (!fields.has('value')) {
    const expected = target === 'lease' ? 'a lease' : 'a number'
    throw new TypeError(`${fields.nameOf('value')}: expected ${expected}, got undefined`)
  }
  if (target === 'lease') return { ...span, target, operator, value: fields.lease('value') }
  return { ...span, target, operator, value: fields.integer('value', 0) ?? 0 }
}
