/**
 * The service v3electionpb.Election and its messages.
 *
 * Source: etcd v3election.proto (names and numbers).
 */

import { bytes, id, int64, message } from '../field.ts'
import { type Message, defineMessage } from '../message.ts'
import { type RpcMethod, rpcMethod } from '../rpc-method.ts'
import type { KeyValue } from '../mvccpb.ts'
import { ResponseHeader } from './header.ts'
import { KeyValueMessage } from './mvcc.ts'

/** What shows that its holder leads. */
export interface LeaderKey {
  readonly name: Uint8Array
  readonly key: Uint8Array
  /** The revision that created the key. */
  readonly rev: number
  readonly lease: bigint
}
export const LeaderKey: Message<LeaderKey> = defineMessage<LeaderKey>('v3electionpb.LeaderKey', {
  name: bytes(1),
  key: bytes(2),
  rev: int64(3),
  lease: id(4),
})

export interface CampaignRequest {
  readonly name: Uint8Array
  readonly lease: bigint
  readonly value: Uint8Array
}
export const CampaignRequest: Message<CampaignRequest> = defineMessage<CampaignRequest>(
  'v3electionpb.CampaignRequest',
  {
    name: bytes(1),
    lease: id(2),
    value: bytes(3),
  },
)

export interface CampaignResponse {
  readonly header: ResponseHeader | undefined
  readonly leader: LeaderKey | undefined
}
export const CampaignResponse: Message<CampaignResponse> = defineMessage<CampaignResponse>(
  'v3electionpb.CampaignResponse',
  {
    header: message(1, ResponseHeader),
    leader: message(2, LeaderKey),
  },
)

export interface LeaderRequest {
  readonly name: Uint8Array
}
export const LeaderRequest: Message<LeaderRequest> = defineMessage<LeaderRequest>(
  'v3electionpb.LeaderRequest',
  {
    name: bytes(1),
  },
)

export interface LeaderResponse {
  readonly header: ResponseHeader | undefined
  readonly kv: KeyValue | undefined
}
export const LeaderResponse: Message<LeaderResponse> = defineMessage<LeaderResponse>(
  'v3electionpb.LeaderResponse',
  {
    header: message(1, ResponseHeader),
    kv: message(2, KeyValueMessage),
  },
)

export interface ProclaimRequest {
  readonly leader: LeaderKey | undefined
  readonly value: Uint8Array
}
export const ProclaimRequest: Message<ProclaimRequest> = defineMessage<ProclaimRequest>(
  'v3electionpb.ProclaimRequest',
  {
    leader: message(1, LeaderKey),
    value: bytes(2),
  },
)

export interface ProclaimResponse {
  readonly header: ResponseHeader | undefined
}
export const ProclaimResponse: Message<ProclaimResponse> = defineMessage<ProclaimResponse>(
  'v3electionpb.ProclaimResponse',
  {
    header: message(1, ResponseHeader),
  },
)

export interface ResignRequest {
  readonly leader: LeaderKey | undefined
}
export const ResignRequest: Message<ResignRequest> = defineMessage<ResignRequest>(
  'v3electionpb.ResignRequest',
  {
    leader: message(1, LeaderKey),
  },
)

export interface ResignResponse {
  readonly header: ResponseHeader | undefined
}
export const ResignResponse: Message<ResignResponse> = defineMessage<ResignResponse>(
  'v3electionpb.ResignResponse',
  {
    header: message(1, ResponseHeader),
  },
)

export const ElectionService: {
  readonly campaign: RpcMethod<CampaignRequest, CampaignResponse>
  readonly proclaim: RpcMethod<ProclaimRequest, ProclaimResponse>
  readonly leader: RpcMethod<LeaderRequest, LeaderResponse>
  readonly observe: RpcMethod<LeaderRequest, LeaderResponse>
  readonly resign: RpcMethod<ResignRequest, ResignResponse>
} = {
  campaign: rpcMethod(
    'v3electionpb.Election/Campaign',
    'unary',
    [CampaignRequest, CampaignResponse],
    ['/v3/election/campaign'],
  ),
  proclaim: rpcMethod(
    'v3electionpb.Election/Proclaim',
    'unary',
    [ProclaimRequest, ProclaimResponse],
    ['/v3/election/proclaim'],
  ),
  leader: rpcMethod(
    'v3electionpb.Election/Leader',
    'unary',
    [LeaderRequest, LeaderResponse],
    ['/v3/election/leader'],
  ),
  observe: rpcMethod(
    'v3electionpb.Election/Observe',
    'serverStream',
    [LeaderRequest, LeaderResponse],
    ['/v3/election/observe'],
  ),
  resign: rpcMethod(
    'v3electionpb.Election/Resign',
    'unary',
    [ResignRequest, ResignResponse],
    ['/v3/election/resign'],
  ),
}
