/**
 * The service Lease and its messages. Times to live are in seconds.
 *
 * Source: etcd api/etcdserverpb/rpc.proto (names and numbers).
 */

import { bool, bytes, id, int64, message, repeated, string } from '../field.ts'
import { type Empty, type Message, defineMessage } from '../message.ts'
import { type RpcMethod, rpcMethod } from '../rpc-method.ts'
import { ResponseHeader } from './header.ts'

export interface LeaseGrantRequest {
  readonly ttl: number
  /** 0n: the server chooses. */
  readonly id: bigint
}
export const LeaseGrantRequest: Message<LeaseGrantRequest> = defineMessage<LeaseGrantRequest>(
  'etcdserverpb.LeaseGrantRequest',
  {
    ttl: int64(1, 'TTL'),
    id: id(2, 'ID'),
  },
)

export interface LeaseGrantResponse {
  readonly header: ResponseHeader | undefined
  readonly id: bigint
  /** What the server granted. */
  readonly ttl: number
  readonly error: string
}
export const LeaseGrantResponse: Message<LeaseGrantResponse> = defineMessage<LeaseGrantResponse>(
  'etcdserverpb.LeaseGrantResponse',
  {
    header: message(1, ResponseHeader),
    id: id(2, 'ID'),
    ttl: int64(3, 'TTL'),
    error: string(4),
  },
)

export interface LeaseRevokeRequest {
  readonly id: bigint
}
export const LeaseRevokeRequest: Message<LeaseRevokeRequest> = defineMessage<LeaseRevokeRequest>(
  'etcdserverpb.LeaseRevokeRequest',
  {
    id: id(1, 'ID'),
  },
)

export interface LeaseRevokeResponse {
  readonly header: ResponseHeader | undefined
}
export const LeaseRevokeResponse: Message<LeaseRevokeResponse> = defineMessage<LeaseRevokeResponse>(
  'etcdserverpb.LeaseRevokeResponse',
  {
    header: message(1, ResponseHeader),
  },
)

export interface LeaseCheckpoint {
  readonly id: bigint
  readonly remainingTtl: number
}
export const LeaseCheckpoint: Message<LeaseCheckpoint> = defineMessage<LeaseCheckpoint>(
  'etcdserverpb.LeaseCheckpoint',
  {
    id: id(1, 'ID'),
    remainingTtl: int64(2, 'remaining_TTL'),
  },
)

export interface LeaseCheckpointRequest {
  readonly checkpoints: readonly LeaseCheckpoint[]
}
export const LeaseCheckpointRequest: Message<LeaseCheckpointRequest> =
  defineMessage<LeaseCheckpointRequest>('etcdserverpb.LeaseCheckpointRequest', {
    checkpoints: repeated(message(1, LeaseCheckpoint)),
  })

export interface LeaseCheckpointResponse {
  readonly header: ResponseHeader | undefined
}
export const LeaseCheckpointResponse: Message<LeaseCheckpointResponse> =
  defineMessage<LeaseCheckpointResponse>('etcdserverpb.LeaseCheckpointResponse', {
    header: message(1, ResponseHeader),
  })

export interface LeaseKeepAliveRequest {
  readonly id: bigint
}
export const LeaseKeepAliveRequest: Message<LeaseKeepAliveRequest> =
  defineMessage<LeaseKeepAliveRequest>('etcdserverpb.LeaseKeepAliveRequest', {
    id: id(1, 'ID'),
  })

export interface LeaseKeepAliveResponse {
  readonly header: ResponseHeader | undefined
  readonly id: bigint
  /** 0: there is no such lease. */
  readonly ttl: number
}
export const LeaseKeepAliveResponse: Message<LeaseKeepAliveResponse> =
  defineMessage<LeaseKeepAliveResponse>('etcdserverpb.LeaseKeepAliveResponse', {
    header: message(1, ResponseHeader),
    id: id(2, 'ID'),
    ttl: int64(3, 'TTL'),
  })

export interface LeaseTimeToLiveRequest {
  readonly id: bigint
  /** Whether the response shall have the keys. */
  readonly keys: boolean
}
export const LeaseTimeToLiveRequest: Message<LeaseTimeToLiveRequest> =
  defineMessage<LeaseTimeToLiveRequest>('etcdserverpb.LeaseTimeToLiveRequest', {
    id: id(1, 'ID'),
    keys: bool(2),
  })

export interface LeaseTimeToLiveResponse {
  readonly header: ResponseHeader | undefined
  readonly id: bigint
  /** What is left; -1: there is no such lease. */
  readonly ttl: number
  readonly grantedTtl: number
  readonly keys: readonly Uint8Array[]
}
export const LeaseTimeToLiveResponse: Message<LeaseTimeToLiveResponse> =
  defineMessage<LeaseTimeToLiveResponse>('etcdserverpb.LeaseTimeToLiveResponse', {
    header: message(1, ResponseHeader),
    id: id(2, 'ID'),
    ttl: int64(3, 'TTL'),
    grantedTtl: int64(4, 'grantedTTL'),
    keys: repeated(bytes(5)),
  })

export type LeaseLeasesRequest = Empty
export const LeaseLeasesRequest: Message<LeaseLeasesRequest> = defineMessage<LeaseLeasesRequest>(
  'etcdserverpb.LeaseLeasesRequest',
  {},
)

export interface LeaseStatus {
  readonly id: bigint
}
export const LeaseStatus: Message<LeaseStatus> = defineMessage<LeaseStatus>(
  'etcdserverpb.LeaseStatus',
  {
    id: id(1, 'ID'),
  },
)

export interface LeaseLeasesResponse {
  readonly header: ResponseHeader | undefined
  readonly leases: readonly LeaseStatus[]
}
export const LeaseLeasesResponse: Message<LeaseLeasesResponse> = defineMessage<LeaseLeasesResponse>(
  'etcdserverpb.LeaseLeasesResponse',
  {
    header: message(1, ResponseHeader),
    leases: repeated(message(2, LeaseStatus)),
  },
)

export const LeaseService: {
  readonly leaseGrant: RpcMethod<LeaseGrantRequest, LeaseGrantResponse>
  readonly leaseRevoke: RpcMethod<LeaseRevokeRequest, LeaseRevokeResponse>
  readonly leaseKeepAlive: RpcMethod<LeaseKeepAliveRequest, LeaseKeepAliveResponse>
  readonly leaseTimeToLive: RpcMethod<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse>
  readonly leaseLeases: RpcMethod<LeaseLeasesRequest, LeaseLeasesResponse>
} = {
  leaseGrant: rpcMethod(
    'etcdserverpb.Lease/LeaseGrant',
    'unary',
    [LeaseGrantRequest, LeaseGrantResponse],
    ['/v3/lease/grant'],
  ),
  leaseRevoke: rpcMethod(
    'etcdserverpb.Lease/LeaseRevoke',
    'unary',
    [LeaseRevokeRequest, LeaseRevokeResponse],
    ['/v3/lease/revoke', '/v3/kv/lease/revoke'],
  ),
  leaseKeepAlive: rpcMethod(
    'etcdserverpb.Lease/LeaseKeepAlive',
    'bidiStream',
    [LeaseKeepAliveRequest, LeaseKeepAliveResponse],
    ['/v3/lease/keepalive'],
  ),
  leaseTimeToLive: rpcMethod(
    'etcdserverpb.Lease/LeaseTimeToLive',
    'unary',
    [LeaseTimeToLiveRequest, LeaseTimeToLiveResponse],
    ['/v3/lease/timetolive', '/v3/kv/lease/timetolive'],
  ),
  leaseLeases: rpcMethod(
    'etcdserverpb.Lease/LeaseLeases',
    'unary',
    [LeaseLeasesRequest, LeaseLeasesResponse],
    ['/v3/lease/leases', '/v3/kv/lease/leases'],
  ),
}
