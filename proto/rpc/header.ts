/**
 * What every response begins with.
 *
 * Source: etcd api/etcdserverpb/rpc.proto (names and numbers).
 */

import { int64, uid, uint64 } from '../field.ts'
import { type Message, defineMessage } from '../message.ts'

/** Of the answering member. */
export interface ResponseHeader {
  readonly clusterId: bigint
  readonly memberId: bigint
  /** The store's main revision when the request was carried out. */
  readonly revision: number
  readonly raftTerm: number
}
export const ResponseHeader: Message<ResponseHeader> = defineMessage<ResponseHeader>(
  'etcdserverpb.ResponseHeader',
  {
    clusterId: uid(1),
    memberId: uid(2),
    revision: int64(3),
    raftTerm: uint64(4),
  },
)
