/** The arguments of the calls about leases. */

import { describeType } from '../base/text.ts'
import { TTL_SECONDS_MAX } from '../lease/lease-rows.ts'
import { Fields } from './fields.ts'

export const GRANT_OPTIONS: ReadonlySet<string> = new Set(['ttlSeconds', 'id', 'signal'])
export const CALL_OPTIONS: ReadonlySet<string> = new Set(['signal'])
export const INFO_OPTIONS: ReadonlySet<string> = new Set(['keys', 'signal'])

/** How long a lease is to live, in seconds; at most `TTL_SECONDS_MAX`. */
export function readTtl(fields: Fields): number {
  const seconds = fields.integer('ttlSeconds', Number.MIN_SAFE_INTEGER)
  if (seconds === undefined) {
    throw new TypeError(`${fields.nameOf('ttlSeconds')}: expected a number, got undefined`)
  }
  if (seconds <= TTL_SECONDS_MAX) return seconds
  const name = fields.nameOf('ttlSeconds')
  throw new RangeError(`${name}: ${seconds} is too long; at most ${TTL_SECONDS_MAX} are allowed`)
}

/** The id that a lease is to have; undefined: any. */
export function readId(fields: Fields): bigint | undefined {
  if (!fields.has('id')) return undefined
  const value = fields.get('id')
  if (typeof value !== 'bigint') {
    throw new TypeError(`${fields.nameOf('id')}: expected a bigint, got ${describeType(value)}`)
  }
  const id = fields.lease('id')
  if (id === 0n) throw new RangeError(`${fields.nameOf('id')}: 0n stands for no lease`)
  return id
}

const REFERENCE: ReadonlySet<string> = new Set(['lease'])

/** The lease that a call is about. */
export function readReference(reference: unknown): bigint {
  if (reference === undefined) {
    throw new TypeError('lease: expected a bigint or an object with a bigint id, got undefined')
  }
  return new Fields({ lease: reference }, REFERENCE, { name: 'lease', path: '' }).lease('lease')
}
