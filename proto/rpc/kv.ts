/**
 * The service KV and its messages: reads, writes and transactions.
 *
 * Source: etcd api/etcdserverpb/rpc.proto (names and numbers).
 */

import { bool, bytes, enumeration, id, int64, message, oneof, repeated } from '../field.ts'
import { type Message, defineMessage } from '../message.ts'
import { type RpcMethod, rpcMethod } from '../rpc-method.ts'
import type { KeyValue } from '../mvccpb.ts'
import { ResponseHeader } from './header.ts'
import { KeyValueMessage } from './mvcc.ts'

export const SortOrder = { NONE: 0, ASCEND: 1, DESCEND: 2 } as const

export const SortTarget = { KEY: 0, VERSION: 1, CREATE: 2, MOD: 3, VALUE: 4 } as const

export const CompareResult = { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 } as const

export const CompareTarget = { VERSION: 0, CREATE: 1, MOD: 2, VALUE: 3, LEASE: 4 } as const

export interface RangeRequest {
  readonly key: Uint8Array
  /** Empty: the key alone. One zero byte: all keys from `key` on. */
  readonly rangeEnd: Uint8Array
  /** 0: no limit. */
  readonly limit: number
  /** 0 or less: the latest. */
  readonly revision: number
  readonly sortOrder: number
  readonly sortTarget: number
  readonly serializable: boolean
  readonly keysOnly: boolean
  readonly countOnly: boolean
  /** This and the three that follow: 0 is no bound. */
  readonly minModRevision: number
  readonly maxModRevision: number
  readonly minCreateRevision: number
  readonly maxCreateRevision: number
}
export const RangeRequest: Message<RangeRequest> = defineMessage<RangeRequest>(
  'etcdserverpb.RangeRequest',
  {
    key: bytes(1),
    rangeEnd: bytes(2),
    limit: int64(3),
    revision: int64(4),
    sortOrder: enumeration(5, SortOrder),
    sortTarget: enumeration(6, SortTarget),
    serializable: bool(7),
    keysOnly: bool(8),
    countOnly: bool(9),
    minModRevision: int64(10),
    maxModRevision: int64(11),
    minCreateRevision: int64(12),
    maxCreateRevision: int64(13),
  },
)

export interface RangeResponse {
  readonly header: ResponseHeader | undefined
  readonly kvs: readonly KeyValue[]
  /** Whether there are keys beyond the limit. */
  readonly more: boolean
  /** Keys in the range, whatever the limit. */
  readonly count: number
}
export const RangeResponse: Message<RangeResponse> = defineMessage<RangeResponse>(
  'etcdserverpb.RangeResponse',
  {
    header: message(1, ResponseHeader),
    kvs: repeated(message(2, KeyValueMessage)),
    more: bool(3),
    count: int64(4),
  },
)

/** A part of a range (3.7). */
export interface RangeStreamResponse {
  readonly rangeResponse: RangeResponse | undefined
}
export const RangeStreamResponse: Message<RangeStreamResponse> = defineMessage<RangeStreamResponse>(
  'etcdserverpb.RangeStreamResponse',
  {
    rangeResponse: message(1, RangeResponse),
  },
)

export interface PutRequest {
  readonly key: Uint8Array
  readonly value: Uint8Array
  /** 0n: none. */
  readonly lease: bigint
  /** Whether the response shall have what was there before. */
  readonly prevKv: boolean
  /** Whether the key keeps its value. */
  readonly ignoreValue: boolean
  /** Whether the key keeps its lease. */
  readonly ignoreLease: boolean
}
export const PutRequest: Message<PutRequest> = defineMessage<PutRequest>(
  'etcdserverpb.PutRequest',
  {
    key: bytes(1),
    value: bytes(2),
    lease: id(3),
    prevKv: bool(4),
    ignoreValue: bool(5),
    ignoreLease: bool(6),
  },
)

export interface PutResponse {
  readonly header: ResponseHeader | undefined
  readonly prevKv: KeyValue | undefined
}
export const PutResponse: Message<PutResponse> = defineMessage<PutResponse>(
  'etcdserverpb.PutResponse',
  {
    header: message(1, ResponseHeader),
    prevKv: message(2, KeyValueMessage),
  },
)

export interface DeleteRangeRequest {
  readonly key: Uint8Array
  /** As in `RangeRequest`. */
  readonly rangeEnd: Uint8Array
  readonly prevKv: boolean
}
export const DeleteRangeRequest: Message<DeleteRangeRequest> = defineMessage<DeleteRangeRequest>(
  'etcdserverpb.DeleteRangeRequest',
  {
    key: bytes(1),
    rangeEnd: bytes(2),
    prevKv: bool(3),
  },
)

export interface DeleteRangeResponse {
  readonly header: ResponseHeader | undefined
  /** How many keys. */
  readonly deleted: number
  readonly prevKvs: readonly KeyValue[]
}
export const DeleteRangeResponse: Message<DeleteRangeResponse> = defineMessage<DeleteRangeResponse>(
  'etcdserverpb.DeleteRangeResponse',
  {
    header: message(1, ResponseHeader),
    deleted: int64(2),
    prevKvs: repeated(message(3, KeyValueMessage)),
  },
)

/** An operation of a transaction: one of these. */
export interface RequestOp {
  readonly requestRange: RangeRequest | undefined
  readonly requestPut: PutRequest | undefined
  readonly requestDeleteRange: DeleteRangeRequest | undefined
  readonly requestTxn: TxnRequest | undefined
}
export const RequestOp: Message<RequestOp> = defineMessage<RequestOp>('etcdserverpb.RequestOp', {
  requestRange: oneof('request', message(1, RangeRequest)),
  requestPut: oneof('request', message(2, PutRequest)),
  requestDeleteRange: oneof('request', message(3, DeleteRangeRequest)),
  requestTxn: oneof(
    'request',
    message(4, () => TxnRequest),
  ),
})

export interface ResponseOp {
  readonly responseRange: RangeResponse | undefined
  readonly responsePut: PutResponse | undefined
  readonly responseDeleteRange: DeleteRangeResponse | undefined
  readonly responseTxn: TxnResponse | undefined
}
export const ResponseOp: Message<ResponseOp> = defineMessage<ResponseOp>(
  'etcdserverpb.ResponseOp',
  {
    responseRange: oneof('response', message(1, RangeResponse)),
    responsePut: oneof('response', message(2, PutResponse)),
    responseDeleteRange: oneof('response', message(3, DeleteRangeResponse)),
    responseTxn: oneof(
      'response',
      message(4, () => TxnResponse),
    ),
  },
)

/** A condition of a transaction. Of the five that the target may be compared with, one is there. */
export interface Compare {
  readonly result: number
  readonly target: number
  readonly key: Uint8Array
  readonly version: number | undefined
  readonly createRevision: number | undefined
  readonly modRevision: number | undefined
  readonly value: Uint8Array | undefined
  readonly lease: bigint | undefined
  /** As in `RangeRequest`: all keys of the range must hold. */
  readonly rangeEnd: Uint8Array
}
export const Compare: Message<Compare> = defineMessage<Compare>('etcdserverpb.Compare', {
  result: enumeration(1, CompareResult),
  target: enumeration(2, CompareTarget),
  key: bytes(3),
  version: oneof('target_union', int64(4)),
  createRevision: oneof('target_union', int64(5)),
  modRevision: oneof('target_union', int64(6)),
  value: oneof('target_union', bytes(7)),
  lease: oneof('target_union', id(8)),
  rangeEnd: bytes(64),
})

export interface TxnRequest {
  readonly compare: readonly Compare[]
  readonly success: readonly RequestOp[]
  readonly failure: readonly RequestOp[]
}
export const TxnRequest: Message<TxnRequest> = defineMessage<TxnRequest>(
  'etcdserverpb.TxnRequest',
  {
    compare: repeated(message(1, Compare)),
    success: repeated(message(2, RequestOp)),
    failure: repeated(message(3, RequestOp)),
  },
)

export interface TxnResponse {
  readonly header: ResponseHeader | undefined
  readonly succeeded: boolean
  readonly responses: readonly ResponseOp[]
}
export const TxnResponse: Message<TxnResponse> = defineMessage<TxnResponse>(
  'etcdserverpb.TxnResponse',
  {
    header: message(1, ResponseHeader),
    succeeded: bool(2),
    responses: repeated(message(3, () => ResponseOp)),
  },
)

export interface CompactionRequest {
  readonly revision: number
  /** Whether to wait until the rows are gone from the file. */
  readonly physical: boolean
}
export const CompactionRequest: Message<CompactionRequest> = defineMessage<CompactionRequest>(
  'etcdserverpb.CompactionRequest',
  {
    revision: int64(1),
    physical: bool(2),
  },
)

export interface CompactionResponse {
  readonly header: ResponseHeader | undefined
}
export const CompactionResponse: Message<CompactionResponse> = defineMessage<CompactionResponse>(
  'etcdserverpb.CompactionResponse',
  {
    header: message(1, ResponseHeader),
  },
)

export const KVService: {
  readonly range: RpcMethod<RangeRequest, RangeResponse>
  readonly rangeStream: RpcMethod<RangeRequest, RangeStreamResponse>
  readonly put: RpcMethod<PutRequest, PutResponse>
  readonly deleteRange: RpcMethod<DeleteRangeRequest, DeleteRangeResponse>
  readonly txn: RpcMethod<TxnRequest, TxnResponse>
  readonly compact: RpcMethod<CompactionRequest, CompactionResponse>
} = {
  range: rpcMethod(
    'etcdserverpb.KV/Range',
    'unary',
    [RangeRequest, RangeResponse],
    ['/v3/kv/range'],
  ),
  rangeStream: rpcMethod(
    'etcdserverpb.KV/RangeStream',
    'serverStream',
    [RangeRequest, RangeStreamResponse],
    [],
  ),
  put: rpcMethod('etcdserverpb.KV/Put', 'unary', [PutRequest, PutResponse], ['/v3/kv/put']),
  deleteRange: rpcMethod(
    'etcdserverpb.KV/DeleteRange',
    'unary',
    [DeleteRangeRequest, DeleteRangeResponse],
    ['/v3/kv/deleterange'],
  ),
  txn: rpcMethod('etcdserverpb.KV/Txn', 'unary', [TxnRequest, TxnResponse], ['/v3/kv/txn']),
  compact: rpcMethod(
    'etcdserverpb.KV/Compact',
    'unary',
    [CompactionRequest, CompactionResponse],
    ['/v3/kv/compaction'],
  ),
}
