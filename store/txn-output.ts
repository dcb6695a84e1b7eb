/** What a transaction's operations come to, as they were asked for. */

import { assert } from '../base/assert.ts'
import type { MakeResult } from '../mvcc/range-scan.ts'
import type { LeafRequest, OpResult, TxnResult } from '../mvcc/request.ts'
import type { Codec } from './codec.ts'
import { asResult, entryMaker } from './result.ts'
import type { Entry, OpOutput } from './result.ts'
import type { ReadLeaf, ReadOp, ReadTxnRequest } from './txn-arguments.ts'

/** What makes each operation's entries: without values for a range of keys only. */
export function opMakers(
  ops: readonly ReadLeaf[],
  codec: Codec,
): (op: LeafRequest) => MakeResult<Entry> {
  const whole = entryMaker(codec, false)
  const keysOnly = entryMaker(codec, true)
  const withoutValues = new Set(ops.filter((op) => op.shape === 'keys').map((op) => op.request))
  return (op) => (withoutValues.has(op) ? keysOnly : whole)
}

/** The results of the list that ran, each as it was asked for. */
export function showOps(result: TxnResult<Entry>, read: ReadTxnRequest): readonly OpOutput[] {
  const asked = result.succeeded ? read.success : read.failure
  return result.results.map((each, i) => showOp(each, asked[i]))
}

function showOp(result: OpResult<Entry>, asked: ReadOp | undefined): OpOutput {
  switch (result.type) {
    case 'put':
      return asResult({ type: 'put', previous: result.previous })
    case 'delete':
      return asResult({ type: 'delete', deleted: result.deleted, previous: result.previous })
    case 'range':
      if (asked?.shape === 'get') return asResult({ type: 'get', kv: result.kvs[0] })
      return asResult({ type: 'range', kvs: result.kvs, count: result.count, more: result.more })
    case 'txn': {
      assert(asked?.shape === 'txn', 'a result of another kind than was asked for')
      const { succeeded } = result
      return asResult({ type: 'txn', succeeded, results: showOps(result, asked) })
    }
  }
}
