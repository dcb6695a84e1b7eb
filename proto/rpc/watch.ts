/**
 * The service Watch and its messages.
 *
 * Source: etcd api/etcdserverpb/rpc.proto (names and numbers).
 */

import { bool, bytes, enumeration, int64, message, oneof, repeated, string } from '../field.ts'
import { type Empty, type Message, defineMessage } from '../message.ts'
import { type RpcMethod, rpcMethod } from '../rpc-method.ts'
import { ResponseHeader } from './header.ts'
import { Event } from './mvcc.ts'

export const FilterType = { NOPUT: 0, NODELETE: 1 } as const

export interface WatchCreateRequest {
  readonly key: Uint8Array
  /** As in `RangeRequest`. */
  readonly rangeEnd: Uint8Array
  /** 0: from now on. */
  readonly startRevision: number
  readonly progressNotify: boolean
  readonly filters: readonly number[]
  readonly prevKv: boolean
  /** 0: the server chooses. */
  readonly watchId: number
  /** Whether large responses may come in parts. */
  readonly fragment: boolean
}
export const WatchCreateRequest: Message<WatchCreateRequest> = defineMessage<WatchCreateRequest>(
  'etcdserverpb.WatchCreateRequest',
  {
    key: bytes(1),
    rangeEnd: bytes(2),
    startRevision: int64(3),
    progressNotify: bool(4),
    filters: repeated(enumeration(5, FilterType)),
    prevKv: bool(6),
    watchId: int64(7),
    fragment: bool(8),
  },
)

export interface WatchCancelRequest {
  readonly watchId: number
}
export const WatchCancelRequest: Message<WatchCancelRequest> = defineMessage<WatchCancelRequest>(
  'etcdserverpb.WatchCancelRequest',
  {
    watchId: int64(1),
  },
)

export type WatchProgressRequest = Empty
export const WatchProgressRequest: Message<WatchProgressRequest> =
  defineMessage<WatchProgressRequest>('etcdserverpb.WatchProgressRequest', {})

/** One of these. */
export interface WatchRequest {
  readonly createRequest: WatchCreateRequest | undefined
  readonly cancelRequest: WatchCancelRequest | undefined
  readonly progressRequest: WatchProgressRequest | undefined
}
export const WatchRequest: Message<WatchRequest> = defineMessage<WatchRequest>(
  'etcdserverpb.WatchRequest',
  {
    createRequest: oneof('request_union', message(1, WatchCreateRequest)),
    cancelRequest: oneof('request_union', message(2, WatchCancelRequest)),
    progressRequest: oneof('request_union', message(3, WatchProgressRequest)),
  },
)

export interface WatchResponse {
  readonly header: ResponseHeader | undefined
  /** -1: of the whole stream. */
  readonly watchId: number
  readonly created: boolean
  readonly canceled: boolean
  /** Where the watch began below it, and so ended. */
  readonly compactRevision: number
  readonly cancelReason: string
  /** Whether more of the same revision follows. */
  readonly fragment: boolean
  readonly events: readonly Event[]
}
export const WatchResponse: Message<WatchResponse> = defineMessage<WatchResponse>(
  'etcdserverpb.WatchResponse',
  {
    header: message(1, ResponseHeader),
    watchId: int64(2),
    created: bool(3),
    canceled: bool(4),
    compactRevision: int64(5),
    cancelReason: string(6),
    fragment: bool(7),
    events: repeated(message(11, Event)),
  },
)

export const WatchService: {
  readonly watch: RpcMethod<WatchRequest, WatchResponse>
} = {
  watch: rpcMethod(
    'etcdserverpb.Watch/Watch',
    'bidiStream',
    [WatchRequest, WatchResponse],
    ['/v3/watch'],
  ),
}
