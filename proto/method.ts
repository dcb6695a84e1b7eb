/** A remote procedure: where it is called, and what goes each way. */

import type { Codec } from './codec.ts'

export type MethodKind = 'unary' | 'serverStream' | 'bidiStream'

export interface Method<Req, Res> {
  /** As gRPC spells it: `/etcdserverpb.KV/Range`. */
  readonly path: string
  readonly kind: MethodKind
  readonly request: Codec<Req>
  readonly response: Codec<Res>
}
