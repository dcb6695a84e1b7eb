/** What a writer may call next: as data for the model, and as the call itself. */
import type { Random } from '../../base/random.ts'
import { compare, del, put, txnOp } from '../../store/op.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import type { TxnRequest } from '../../store/types/txn.ts'
import type { Written } from './written.ts'

/** Few, so that writers meet; some are prefixes of others. */
const KEYS = ['a', 'aa', 'ab', 'b', 'ba', 'c', 'd'] as const

interface WriteCall {
  readonly does: Written['does']
  readonly call: (store: BuiltLocalStore) => Promise<{ readonly revision: number }>
}

interface Known {
  /** The revision that the writer was told of last. */
  readonly newest: number
  readonly leases: readonly bigint[]
}

/** Every value is another one: what a revision holds then says which call made it. */
export function nextWriteCall(random: Random, { newest, leases }: Known): WriteCall {
  const [one, other, third] = random.shuffle([...KEYS])
  if (one === undefined || other === undefined || third === undefined) throw new Error('no keys')
  const value = `${random.u32()} ${'x'.repeat(random.pick([0, 0, 10, 300]))}`
  const kind = random.below(16)
  if (kind < 5) {
    const lease = leases.length > 0 && random.chance(0.4) ? random.pick(leases) : 0n
    return {
      does: { success: [put(one, value, { lease })] },
      call: (store) => store.put(one, value, { lease }),
    }
  }
  if (kind === 5) {
    const call = async (store: BuiltLocalStore): Promise<{ readonly revision: number }> =>
      store.putSync(one, value)
    return { does: { success: [put(one, value)] }, call }
  }
  if (kind < 8) {
    return { does: { success: [del(one)] }, call: (store) => store.delete(one) }
  }
  if (kind === 8) {
    return {
      does: { success: [del({ prefix: 'a' })] },
      call: (store) => store.delete({ prefix: 'a' }),
    }
  }
  if (kind === 9 && leases.length > 0) {
    const lease = random.pick(leases)
    return { does: { lease }, call: (store) => store.revoke(lease) }
  }
  const request = nextTxn(random, { keys: [one, other, third], value, newest })
  return { does: request, call: (store) => store.txn(request) }
}

interface TxnParts {
  readonly keys: readonly [string, string, string]
  readonly value: string
  readonly newest: number
}

function nextTxn(random: Random, { keys, value, newest }: TxnParts): TxnRequest {
  const [one, other, third] = keys
  switch (random.below(3)) {
    case 0:
      return { success: [put(one, value), del(other), put(third, value)] }
    case 1:
      return {
        compare: [compare(one).modRevision('<', newest + 1)],
        success: [put(one, value)],
        failure: [put(other, value), del(third)],
      }
    default: {
      const inner: TxnRequest = {
        compare: [compare(one).version('=', 0)],
        success: [put(one, value)],
        failure: [del(one), put(third, value)],
      }
      return { success: [put(other, value), txnOp(inner)] }
    }
  }
}
