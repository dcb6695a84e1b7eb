/**
 * The service Cluster and its messages.
 *
 * Source: etcd api/etcdserverpb/rpc.proto (names and numbers).
 */

import { bool, message, repeated, string, uid } from '../field.ts'
import { type Message, defineMessage } from '../message.ts'
import { type RpcMethod, rpcMethod } from '../rpc-method.ts'
import { ResponseHeader } from './header.ts'

export interface Member {
  readonly id: bigint
  readonly name: string
  readonly peerUrls: readonly string[]
  readonly clientUrls: readonly string[]
  readonly isLearner: boolean
}
export const Member: Message<Member> = defineMessage<Member>('etcdserverpb.Member', {
  id: uid(1, 'ID'),
  name: string(2),
  peerUrls: repeated(string(3, 'peerURLs')),
  clientUrls: repeated(string(4, 'clientURLs')),
  isLearner: bool(5, 'isLearner'),
})

export interface MemberAddRequest {
  readonly peerUrls: readonly string[]
  readonly isLearner: boolean
}
export const MemberAddRequest: Message<MemberAddRequest> = defineMessage<MemberAddRequest>(
  'etcdserverpb.MemberAddRequest',
  {
    peerUrls: repeated(string(1, 'peerURLs')),
    isLearner: bool(2, 'isLearner'),
  },
)

export interface MemberAddResponse {
  readonly header: ResponseHeader | undefined
  readonly member: Member | undefined
  readonly members: readonly Member[]
}
export const MemberAddResponse: Message<MemberAddResponse> = defineMessage<MemberAddResponse>(
  'etcdserverpb.MemberAddResponse',
  {
    header: message(1, ResponseHeader),
    member: message(2, Member),
    members: repeated(message(3, Member)),
  },
)

export interface MemberRemoveRequest {
  readonly id: bigint
}
export const MemberRemoveRequest: Message<MemberRemoveRequest> = defineMessage<MemberRemoveRequest>(
  'etcdserverpb.MemberRemoveRequest',
  {
    id: uid(1, 'ID'),
  },
)

export interface MemberRemoveResponse {
  readonly header: ResponseHeader | undefined
  readonly members: readonly Member[]
}
export const MemberRemoveResponse: Message<MemberRemoveResponse> =
  defineMessage<MemberRemoveResponse>('etcdserverpb.MemberRemoveResponse', {
    header: message(1, ResponseHeader),
    members: repeated(message(2, Member)),
  })

export interface MemberUpdateRequest {
  readonly id: bigint
  readonly peerUrls: readonly string[]
}
export const MemberUpdateRequest: Message<MemberUpdateRequest> = defineMessage<MemberUpdateRequest>(
  'etcdserverpb.MemberUpdateRequest',
  {
    id: uid(1, 'ID'),
    peerUrls: repeated(string(2, 'peerURLs')),
  },
)

export interface MemberUpdateResponse {
  readonly header: ResponseHeader | undefined
  readonly members: readonly Member[]
}
export const MemberUpdateResponse: Message<MemberUpdateResponse> =
  defineMessage<MemberUpdateResponse>('etcdserverpb.MemberUpdateResponse', {
    header: message(1, ResponseHeader),
    members: repeated(message(2, Member)),
  })

export interface MemberListRequest {
  /** Since 3.5. */
  readonly linearizable: boolean
}
export const MemberListRequest: Message<MemberListRequest> = defineMessage<MemberListRequest>(
  'etcdserverpb.MemberListRequest',
  {
    linearizable: bool(1),
  },
)

export interface MemberListResponse {
  readonly header: ResponseHeader | undefined
  readonly members: readonly Member[]
}
export const MemberListResponse: Message<MemberListResponse> = defineMessage<MemberListResponse>(
  'etcdserverpb.MemberListResponse',
  {
    header: message(1, ResponseHeader),
    members: repeated(message(2, Member)),
  },
)

export interface MemberPromoteRequest {
  readonly id: bigint
}
export const MemberPromoteRequest: Message<MemberPromoteRequest> =
  defineMessage<MemberPromoteRequest>('etcdserverpb.MemberPromoteRequest', {
    id: uid(1, 'ID'),
  })

export interface MemberPromoteResponse {
  readonly header: ResponseHeader | undefined
  readonly members: readonly Member[]
}
export const MemberPromoteResponse: Message<MemberPromoteResponse> =
  defineMessage<MemberPromoteResponse>('etcdserverpb.MemberPromoteResponse', {
    header: message(1, ResponseHeader),
    members: repeated(message(2, Member)),
  })

export const ClusterService: {
  readonly memberAdd: RpcMethod<MemberAddRequest, MemberAddResponse>
  readonly memberRemove: RpcMethod<MemberRemoveRequest, MemberRemoveResponse>
  readonly memberUpdate: RpcMethod<MemberUpdateRequest, MemberUpdateResponse>
  readonly memberList: RpcMethod<MemberListRequest, MemberListResponse>
  readonly memberPromote: RpcMethod<MemberPromoteRequest, MemberPromoteResponse>
} = {
  memberAdd: rpcMethod(
    'etcdserverpb.Cluster/MemberAdd',
    'unary',
    [MemberAddRequest, MemberAddResponse],
    ['/v3/cluster/member/add'],
  ),
  memberRemove: rpcMethod(
    'etcdserverpb.Cluster/MemberRemove',
    'unary',
    [MemberRemoveRequest, MemberRemoveResponse],
    ['/v3/cluster/member/remove'],
  ),
  memberUpdate: rpcMethod(
    'etcdserverpb.Cluster/MemberUpdate',
    'unary',
    [MemberUpdateRequest, MemberUpdateResponse],
    ['/v3/cluster/member/update'],
  ),
  memberList: rpcMethod(
    'etcdserverpb.Cluster/MemberList',
    'unary',
    [MemberListRequest, MemberListResponse],
    ['/v3/cluster/member/list'],
  ),
  memberPromote: rpcMethod(
    'etcdserverpb.Cluster/MemberPromote',
    'unary',
    [MemberPromoteRequest, MemberPromoteResponse],
    ['/v3/cluster/member/promote'],
  ),
}
