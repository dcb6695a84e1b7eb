/**
 * The service Maintenance and its messages.
 *
 * Source: etcd api/etcdserverpb/rpc.proto (names and numbers).
 */

import {
  bool,
  bytes,
  enumeration,
  int64,
  message,
  repeated,
  string,
  uid,
  uint32,
  uint64,
} from '../field.ts'
import { type Empty, type Message, defineMessage } from '../message.ts'
import { type RpcMethod, rpcMethod } from '../rpc-method.ts'
import { ResponseHeader } from './header.ts'

export const AlarmType = { NONE: 0, NOSPACE: 1, CORRUPT: 2 } as const

export const AlarmAction = { GET: 0, ACTIVATE: 1, DEACTIVATE: 2 } as const

export const DowngradeAction = { VALIDATE: 0, ENABLE: 1, CANCEL: 2 } as const

export interface AlarmRequest {
  readonly action: number
  readonly memberId: bigint
  readonly alarm: number
}
export const AlarmRequest: Message<AlarmRequest> = defineMessage<AlarmRequest>(
  'etcdserverpb.AlarmRequest',
  {
    action: enumeration(1, AlarmAction),
    memberId: uid(2, 'memberID'),
    alarm: enumeration(3, AlarmType),
  },
)

export interface AlarmMember {
  readonly memberId: bigint
  readonly alarm: number
}
export const AlarmMember: Message<AlarmMember> = defineMessage<AlarmMember>(
  'etcdserverpb.AlarmMember',
  {
    memberId: uid(1, 'memberID'),
    alarm: enumeration(2, AlarmType),
  },
)

export interface AlarmResponse {
  readonly header: ResponseHeader | undefined
  readonly alarms: readonly AlarmMember[]
}
export const AlarmResponse: Message<AlarmResponse> = defineMessage<AlarmResponse>(
  'etcdserverpb.AlarmResponse',
  {
    header: message(1, ResponseHeader),
    alarms: repeated(message(2, AlarmMember)),
  },
)

export type StatusRequest = Empty
export const StatusRequest: Message<StatusRequest> = defineMessage<StatusRequest>(
  'etcdserverpb.StatusRequest',
  {},
)

/** Since 3.6. */
export interface DowngradeInfo {
  readonly enabled: boolean
  readonly targetVersion: string
}
export const DowngradeInfo: Message<DowngradeInfo> = defineMessage<DowngradeInfo>(
  'etcdserverpb.DowngradeInfo',
  {
    enabled: bool(1),
    targetVersion: string(2, 'targetVersion'),
  },
)

/** Sizes are in bytes. */
export interface StatusResponse {
  readonly header: ResponseHeader | undefined
  readonly version: string
  readonly dbSize: number
  /** The id of the member that leads. */
  readonly leader: bigint
  readonly raftIndex: number
  readonly raftTerm: number
  readonly raftAppliedIndex: number
  readonly errors: readonly string[]
  readonly dbSizeInUse: number
  readonly isLearner: boolean
  /** This and the two that follow: since 3.6. */
  readonly storageVersion: string
  readonly dbSizeQuota: number
  readonly downgradeInfo: DowngradeInfo | undefined
}
export const StatusResponse: Message<StatusResponse> = defineMessage<StatusResponse>(
  'etcdserverpb.StatusResponse',
  {
    header: message(1, ResponseHeader),
    version: string(2),
    dbSize: int64(3, 'dbSize'),
    leader: uid(4),
    raftIndex: uint64(5, 'raftIndex'),
    raftTerm: uint64(6, 'raftTerm'),
    raftAppliedIndex: uint64(7, 'raftAppliedIndex'),
    errors: repeated(string(8)),
    dbSizeInUse: int64(9, 'dbSizeInUse'),
    isLearner: bool(10, 'isLearner'),
    storageVersion: string(11, 'storageVersion'),
    dbSizeQuota: int64(12, 'dbSizeQuota'),
    downgradeInfo: message(13, DowngradeInfo, 'downgradeInfo'),
  },
)

export type DefragmentRequest = Empty
export const DefragmentRequest: Message<DefragmentRequest> = defineMessage<DefragmentRequest>(
  'etcdserverpb.DefragmentRequest',
  {},
)

export interface DefragmentResponse {
  readonly header: ResponseHeader | undefined
}
export const DefragmentResponse: Message<DefragmentResponse> = defineMessage<DefragmentResponse>(
  'etcdserverpb.DefragmentResponse',
  {
    header: message(1, ResponseHeader),
  },
)

export type HashRequest = Empty
export const HashRequest: Message<HashRequest> = defineMessage<HashRequest>(
  'etcdserverpb.HashRequest',
  {},
)

export interface HashResponse {
  readonly header: ResponseHeader | undefined
  readonly hash: number
}
export const HashResponse: Message<HashResponse> = defineMessage<HashResponse>(
  'etcdserverpb.HashResponse',
  {
    header: message(1, ResponseHeader),
    hash: uint32(2),
  },
)

export interface HashKVRequest {
  /** 0: the latest. */
  readonly revision: number
}
export const HashKVRequest: Message<HashKVRequest> = defineMessage<HashKVRequest>(
  'etcdserverpb.HashKVRequest',
  {
    revision: int64(1),
  },
)

export interface HashKVResponse {
  readonly header: ResponseHeader | undefined
  readonly hash: number
  readonly compactRevision: number
  /** Since 3.6. */
  readonly hashRevision: number
}
export const HashKVResponse: Message<HashKVResponse> = defineMessage<HashKVResponse>(
  'etcdserverpb.HashKVResponse',
  {
    header: message(1, ResponseHeader),
    hash: uint32(2),
    compactRevision: int64(3),
    hashRevision: int64(4),
  },
)

export type SnapshotRequest = Empty
export const SnapshotRequest: Message<SnapshotRequest> = defineMessage<SnapshotRequest>(
  'etcdserverpb.SnapshotRequest',
  {},
)

export interface SnapshotResponse {
  readonly header: ResponseHeader | undefined
  /** How many follow this part. */
  readonly remainingBytes: number
  readonly blob: Uint8Array
  /** Since 3.6. */
  readonly version: string
}
export const SnapshotResponse: Message<SnapshotResponse> = defineMessage<SnapshotResponse>(
  'etcdserverpb.SnapshotResponse',
  {
    header: message(1, ResponseHeader),
    remainingBytes: uint64(2),
    blob: bytes(3),
    version: string(4),
  },
)

export interface MoveLeaderRequest {
  readonly targetId: bigint
}
export const MoveLeaderRequest: Message<MoveLeaderRequest> = defineMessage<MoveLeaderRequest>(
  'etcdserverpb.MoveLeaderRequest',
  {
    targetId: uid(1, 'targetID'),
  },
)

export interface MoveLeaderResponse {
  readonly header: ResponseHeader | undefined
}
export const MoveLeaderResponse: Message<MoveLeaderResponse> = defineMessage<MoveLeaderResponse>(
  'etcdserverpb.MoveLeaderResponse',
  {
    header: message(1, ResponseHeader),
  },
)

/** Since 3.5. */
export interface DowngradeRequest {
  readonly action: number
  readonly version: string
}
export const DowngradeRequest: Message<DowngradeRequest> = defineMessage<DowngradeRequest>(
  'etcdserverpb.DowngradeRequest',
  {
    action: enumeration(1, DowngradeAction),
    version: string(2),
  },
)

export interface DowngradeResponse {
  readonly header: ResponseHeader | undefined
  readonly version: string
}
export const DowngradeResponse: Message<DowngradeResponse> = defineMessage<DowngradeResponse>(
  'etcdserverpb.DowngradeResponse',
  {
    header: message(1, ResponseHeader),
    version: string(2),
  },
)

export const MaintenanceService: {
  readonly alarm: RpcMethod<AlarmRequest, AlarmResponse>
  readonly status: RpcMethod<StatusRequest, StatusResponse>
  readonly defragment: RpcMethod<DefragmentRequest, DefragmentResponse>
  readonly hash: RpcMethod<HashRequest, HashResponse>
  readonly hashKV: RpcMethod<HashKVRequest, HashKVResponse>
  readonly snapshot: RpcMethod<SnapshotRequest, SnapshotResponse>
  readonly moveLeader: RpcMethod<MoveLeaderRequest, MoveLeaderResponse>
  readonly downgrade: RpcMethod<DowngradeRequest, DowngradeResponse>
} = {
  alarm: rpcMethod(
    'etcdserverpb.Maintenance/Alarm',
    'unary',
    [AlarmRequest, AlarmResponse],
    ['/v3/maintenance/alarm'],
  ),
  status: rpcMethod(
    'etcdserverpb.Maintenance/Status',
    'unary',
    [StatusRequest, StatusResponse],
    ['/v3/maintenance/status'],
  ),
  defragment: rpcMethod(
    'etcdserverpb.Maintenance/Defragment',
    'unary',
    [DefragmentRequest, DefragmentResponse],
    ['/v3/maintenance/defragment'],
  ),
  hash: rpcMethod(
    'etcdserverpb.Maintenance/Hash',
    'unary',
    [HashRequest, HashResponse],
    ['/v3/maintenance/hash'],
  ),
  hashKV: rpcMethod(
    'etcdserverpb.Maintenance/HashKV',
    'unary',
    [HashKVRequest, HashKVResponse],
    ['/v3/maintenance/hashkv'],
  ),
  snapshot: rpcMethod(
    'etcdserverpb.Maintenance/Snapshot',
    'serverStream',
    [SnapshotRequest, SnapshotResponse],
    ['/v3/maintenance/snapshot'],
  ),
  moveLeader: rpcMethod(
    'etcdserverpb.Maintenance/MoveLeader',
    'unary',
    [MoveLeaderRequest, MoveLeaderResponse],
    ['/v3/maintenance/transfer-leadership'],
  ),
  downgrade: rpcMethod(
    'etcdserverpb.Maintenance/Downgrade',
    'unary',
    [DowngradeRequest, DowngradeResponse],
    ['/v3/maintenance/downgrade'],
  ),
}
