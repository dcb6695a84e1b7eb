/** Ids of leases on the command line: hex digits, as etcdctl has them. */
import { UsageError } from '../arguments.ts'

const LEASE_BITS = 64

/** @throws {UsageError} */
export function readLease(word: string, name: string): bigint {
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(word)) {
    throw new UsageError(`${name}: expected up to 16 hex digits, got ${word}`)
  }
  const id = BigInt.asIntN(LEASE_BITS, BigInt(`0x${word.replace(/^0x/i, '')}`))
  if (id !== 0n) return id
  throw new UsageError(`${name}: 0 is no lease`)
}
