/**
 * The shape of a transaction: how many operations, and no key written twice.
 *
 * Counts. A list may have `opsMax` members; what a nested transaction may have is `opsMax` less its
 * parent's longest list.
 *
 * Keys. Within one list no key is put twice, and no put lies in a delete. A nested transaction
 * counts as the writes of both its lists, which may overlap each other, since only one of them
 * runs. As in etcd a nested put is held against this list's deletes and the writes of nested
 * transactions before it, and not against the deletes of those after it.
 */
import { KvError } from '../../base/errors.ts'
import type { Step, TxnQuery } from './request.ts'
import type { ByteString, KeySet } from './row.ts'

interface Written {
  readonly puts: readonly ByteString[]
  readonly deletes: readonly KeySet[]
}

export function checkTxnShape(query: TxnQuery, opsMax: number): void {
  checkCounts(query, opsMax)
  writtenBy(query.success)
  writtenBy(query.failure)
}

function checkCounts(query: TxnQuery, opsMax: number): void {
  const count = Math.max(query.conditions.length, query.success.length, query.failure.length)
  if (count > opsMax) {
    throw new KvError('KV_TXN_TOO_MANY_OPS', `${count} operations, at most ${opsMax} are allowed`)
  }
  for (const step of [...query.success, ...query.failure]) {
    if (step.type === 'txn') checkCounts(step, opsMax - count)
  }
}

/** What a list writes, nested ones included. Throws where it writes a key twice. */
function writtenBy(steps: readonly Step[]): Written {
  const deletes = steps.flatMap((step) => (step.type === 'delete' ? [step.keys] : []))
  const puts: ByteString[] = []
  const refuse = (key: ByteString, others: readonly ByteString[]): void => {
    if (others.includes(key) || deletes.some((keys) => keys(key))) {
      throw new KvError('KV_TXN_DUPLICATE_KEY', 'a transaction writes a key twice')
    }
  }
  for (const step of steps) {
    if (step.type !== 'txn') continue
    const success = writtenBy(step.success)
    const failure = writtenBy(step.failure)
    for (const key of [...success.puts, ...failure.puts]) refuse(key, puts)
    puts.push(...success.puts, ...failure.puts)
    deletes.push(...success.deletes, ...failure.deletes)
  }
  for (const step of steps) {
    if (step.type !== 'put') continue
    refuse(step.key, puts)
    puts.push(step.key)
  }
  return { puts, deletes }
}
