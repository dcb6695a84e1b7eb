/**
 * The service v3lockpb.Lock and its messages.
 *
 * Source: etcd v3lock.proto (names and numbers).
 */

import { bytes, id, message } from '../field.ts'
import { type Message, defineMessage } from '../message.ts'
import { type RpcMethod, rpcMethod } from '../rpc-method.ts'
import { ResponseHeader } from './header.ts'

export interface LockRequest {
  readonly name: Uint8Array
  readonly lease: bigint
}
export const LockRequest: Message<LockRequest> = defineMessage<LockRequest>(
  'v3lockpb.LockRequest',
  {
    name: bytes(1),
    lease: id(2),
  },
)

export interface LockResponse {
  readonly header: ResponseHeader | undefined
  /** It is there for as long as the lock is held. */
  readonly key: Uint8Array
}
export const LockResponse: Message<LockResponse> = defineMessage<LockResponse>(
  'v3lockpb.LockResponse',
  {
    header: message(1, ResponseHeader),
    key: bytes(2),
  },
)

export interface UnlockRequest {
  readonly key: Uint8Array
}
export const UnlockRequest: Message<UnlockRequest> = defineMessage<UnlockRequest>(
  'v3lockpb.UnlockRequest',
  {
    key: bytes(1),
  },
)

export interface UnlockResponse {
  readonly header: ResponseHeader | undefined
}
export const UnlockResponse: Message<UnlockResponse> = defineMessage<UnlockResponse>(
  'v3lockpb.UnlockResponse',
  {
    header: message(1, ResponseHeader),
  },
)

export const LockService: {
  readonly lock: RpcMethod<LockRequest, LockResponse>
  readonly unlock: RpcMethod<UnlockRequest, UnlockResponse>
} = {
  lock: rpcMethod('v3lockpb.Lock/Lock', 'unary', [LockRequest, LockResponse], ['/v3/lock/lock']),
  unlock: rpcMethod(
    'v3lockpb.Lock/Unlock',
    'unary',
    [UnlockRequest, UnlockResponse],
    ['/v3/lock/unlock'],
  ),
}
