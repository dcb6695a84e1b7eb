/** A method of etcd's API, as both of its ends and the JSON gateway know it. */

import type { Message } from './message.ts'
import type { MethodKind } from './method.ts'

/**
 * A `Method<Req, Res>`; to a caller also a `Method<Init<Req>, Res>`, to a server also a
 * `Method<Req, Init<Res>>`.
 */
export interface RpcMethod<Req, Res> {
  readonly path: string
  readonly kind: MethodKind
  readonly request: Message<Req>
  readonly response: Message<Res>
  /** As `/v3/kv/range`; the first is the usual one. None: the gateway doesn't have it. */
  readonly gatewayPaths: readonly string[]
}

/** Makes the method `name`, as `etcdserverpb.KV/Range`. */
export function rpcMethod<Req, Res>(
  name: string,
  kind: MethodKind,
  messages: readonly [Message<Req>, Message<Res>],
  gatewayPaths: readonly string[],
): RpcMethod<Req, Res> {
  const [request, response] = messages
  return { path: `/${name}`, kind, request, response, gatewayPaths }
}
