/** From the core's requests to the gateway's, and from its answers to the core's results. */

import { isEmptySpan } from '../../store/key-span.ts'
import type {
  Compare,
  DeleteRequest,
  KeySpan,
  LeafRequest,
  OpRequest,
  OpResult,
  PutRequest,
  RangeRequest,
  RangeResult,
  TxnRequest,
  TxnResult,
} from '../../mvcc/request.ts'
import type { MakeResult } from '../../mvcc/range-scan.ts'
import type { KeyValue as Row } from '../../proto/mvccpb.ts'
import type { Json } from './gateway.ts'
import { base64, bigintOf, bytesOf, listOf, numberOf, objectOf } from './gateway.ts'

/** There is no empty key, so this is where every key begins. */
const FIRST = base64(Uint8Array.of(0))
const SOME = base64(Uint8Array.of(1))

const TARGETS = {
  key: 'KEY',
  version: 'VERSION',
  createRevision: 'CREATE',
  modRevision: 'MOD',
  value: 'VALUE',
} as const
const COMPARED = {
  value: ['VALUE', 'value'],
  version: ['VERSION', 'version'],
  createRevision: ['CREATE', 'create_revision'],
  modRevision: ['MOD', 'mod_revision'],
  lease: ['LEASE', 'lease'],
} as const
const OPERATORS = { '=': 'EQUAL', '!=': 'NOT_EQUAL', '<': 'LESS', '>': 'GREATER' } as const

/** etcd takes no empty key in a request; a span that begins there begins at the first key. */
export function spanJson(span: KeySpan): Json {
  if (span.end === undefined) return { key: base64(span.key) }
  // An empty end would mean the key alone.
  if (isEmptySpan(span)) return { key: SOME, range_end: SOME }
  return { key: span.key.length === 0 ? FIRST : base64(span.key), range_end: base64(span.end) }
}

function bound(value: number): number {
  return value === Infinity ? 0 : value
}

export function rangeJson(request: RangeRequest): Json {
  return {
    ...spanJson(request),
    revision: request.revision,
    limit: bound(request.limit),
    sort_order: request.isDescending ? 'DESCEND' : 'ASCEND',
    sort_target: TARGETS[request.sortBy],
    count_only: request.isCountOnly,
    min_mod_revision: request.minModRevision,
    max_mod_revision: bound(request.maxModRevision),
    min_create_revision: request.minCreateRevision,
    max_create_revision: bound(request.maxCreateRevision),
  }
}

export function putJson(request: PutRequest): Json {
  return {
    key: base64(request.key),
    value: base64(request.value),
    lease: String(request.lease),
    prev_kv: request.wantsPrevious,
    ignore_value: request.ignoreValue,
    ignore_lease: request.ignoreLease,
  }
}

export function deleteJson(request: DeleteRequest): Json {
  return { ...spanJson(request), prev_kv: request.wantsPrevious }
}

function compareJson(compare: Compare): Json {
  const [target, field] = COMPARED[compare.target]
  const value = compare.target === 'value' ? base64(compare.value) : String(compare.value)
  return { ...spanJson(compare), target, result: OPERATORS[compare.operator], [field]: value }
}

export function txnJson(request: TxnRequest): Json {
  return {
    compare: request.compare.map((each) => compareJson(each)),
    success: request.success.map((each) => opJson(each)),
    failure: request.failure.map((each) => opJson(each)),
  }
}

function opJson(request: OpRequest): Json {
  switch (request.type) {
    case 'put':
      return { request_put: putJson(request) }
    case 'range':
      return { request_range: rangeJson(request) }
    case 'delete':
      return { request_delete_range: deleteJson(request) }
    case 'txn':
      return { request_txn: txnJson(request) }
  }
}

export function rowOf(json: Json): Row {
  return {
    key: bytesOf(json, 'key'),
    value: bytesOf(json, 'value'),
    createRevision: numberOf(json, 'create_revision'),
    modRevision: numberOf(json, 'mod_revision'),
    version: numberOf(json, 'version'),
    lease: bigintOf(json, 'lease'),
  }
}

/** What `json` holds under `field`, if anything. */
export function entryOf<T>(json: Json, field: string, make: MakeResult<T>): T | undefined {
  return json[field] === undefined ? undefined : make(rowOf(objectOf(json[field])))
}

export function rangeResult<T>(json: Json, make: MakeResult<T>): RangeResult<T> {
  const kvs = listOf(json, 'kvs').map((kv) => make(rowOf(kv)))
  return { type: 'range', kvs, count: numberOf(json, 'count'), more: json['more'] === true }
}

type MakerOf<T> = (op: LeafRequest) => MakeResult<T>

export function txnResult<T>(json: Json, asked: TxnRequest, makerOf: MakerOf<T>): TxnResult<T> {
  const succeeded = json['succeeded'] === true
  const ops = succeeded ? asked.success : asked.failure
  const answers = listOf(json, 'responses')
  const results = ops.map((op, i) => opResult(objectOf(answers[i]), op, makerOf))
  return { type: 'txn', succeeded, results }
}

function opResult<T>(answer: Json, asked: OpRequest, makerOf: MakerOf<T>): OpResult<T> {
  switch (asked.type) {
    case 'put': {
      const json = objectOf(answer['response_put'])
      return { type: 'put', previous: entryOf(json, 'prev_kv', makerOf(asked)) }
    }
    case 'range':
      return rangeResult(objectOf(answer['response_range']), makerOf(asked))
    case 'delete': {
      const json = objectOf(answer['response_delete_range'])
      const previous = listOf(json, 'prev_kvs').map((kv) => makerOf(asked)(rowOf(kv)))
      return { type: 'delete', deleted: numberOf(json, 'deleted'), previous }
    }
    case 'txn':
      return txnResult(objectOf(answer['response_txn']), asked, makerOf)
  }
}
