/** A transaction's arguments: its three lists, member by member, each complaint with its path. */

import { KvError } from '../base/errors.ts'
import { rangeRequest } from '../mvcc/request.ts'
import type { Compare, LeafRequest, TxnRequest } from '../mvcc/request.ts'
import { COMPARE, DELETE_OP, GET_OP, PUT_OP, RANGE_LIMIT_DEFAULT, RANGE_OP } from './arguments.ts'
import type { Arguments } from './arguments.ts'
import { Fields } from './fields.ts'

/** An operation beside how its result is shown. */
export type ReadOp = ReadLeaf | ReadTxnRequest

export interface ReadLeaf {
  readonly request: LeafRequest
  readonly shape: 'put' | 'get' | 'range' | 'keys' | 'delete'
}

export interface ReadTxnRequest {
  readonly shape: 'txn'
  readonly compare: readonly Compare[]
  readonly success: readonly ReadOp[]
  readonly failure: readonly ReadOp[]
}

const TXN_FIELDS: ReadonlySet<string> = new Set(['compare', 'success', 'failure'])
const TXN_OP: ReadonlySet<string> = new Set(['type', ...TXN_FIELDS])
/** Bounds recursion, here and in what walks the request later, whatever `maxTxnOps` allows. */
export const TXN_DEPTH_MAX = 256
const OP_TYPES = ['put', 'get', 'range', 'delete', 'txn'] as const
const ANY_OP: ReadonlySet<string> = new Set([
  ...PUT_OP,
  ...GET_OP,
  ...RANGE_OP,
  ...DELETE_OP,
  ...TXN_OP,
])
const TARGETS = ['value', 'version', 'createRevision', 'modRevision', 'lease'] as const

export function readTxn(input: unknown, args: Arguments): ReadTxnRequest {
  return readLists(new Fields(input, TXN_FIELDS, { name: 'request', path: '' }), args, 0)
}

function readLists(fields: Fields, args: Arguments, depth: number): ReadTxnRequest {
  const ops = (list: 'success' | 'failure'): ReadOp[] =>
    fields.list(list).map((each, i) => readOp(each, `${fields.nameOf(list)}[${i}]`, args, depth))
  const compare = fields
    .list('compare')
    .map((each, i) => readCompare(each, `${fields.nameOf('compare')}[${i}]`, args))
  return { shape: 'txn', compare, success: ops('success'), failure: ops('failure') }
}

/** The core's request. */
export function coreRequest(read: ReadTxnRequest): TxnRequest {
  return {
    type: 'txn',
    compare: read.compare,
    success: read.success.map((op) => (op.shape === 'txn' ? coreRequest(op) : op.request)),
    failure: read.failure.map((op) => (op.shape === 'txn' ? coreRequest(op) : op.request)),
  }
}

/** All operations but the transactions, nested ones and both lists included. */
export function leavesOf(read: ReadTxnRequest): ReadLeaf[] {
  return [...read.success, ...read.failure].flatMap((op) =>
    op.shape === 'txn' ? leavesOf(op) : [op],
  )
}

function readOp(input: unknown, name: string, args: Arguments, depth: number): ReadOp {
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
      if (depth === TXN_DEPTH_MAX) {
        const what = `transactions are nested deeper than ${TXN_DEPTH_MAX} levels`
        throw new KvError('KV_TXN_TOO_MANY_OPS', what)
      }
      return readLists(new Fields(input, TXN_OP, place), args, depth + 1)
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
