/** The header `grpc-timeout`: up to eight digits and a unit. */

import { RpcError, STATUS } from './status.ts'

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
}

/** In ms; undefined where there is none. @throws {RpcError} */
export function readTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const [, digits, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? []
  const perUnit = MS_PER_UNIT[unit]
  if (digits !== undefined && perUnit !== undefined) return Number(digits) * perUnit
  throw new RpcError(STATUS.INTERNAL, `malformed grpc-timeout: ${JSON.stringify(header)}`)
}
