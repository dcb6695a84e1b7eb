/**
 * The service grpc.health.v1.Health and its messages.
 *
 * Source: gRPC's health.proto (names and numbers).
 */

import { enumeration, string } from '../field.ts'
import { type Message, defineMessage } from '../message.ts'
import { type RpcMethod, rpcMethod } from '../rpc-method.ts'

export const ServingStatus = {
  UNKNOWN: 0,
  SERVING: 1,
  NOT_SERVING: 2,
  SERVICE_UNKNOWN: 3,
} as const

export interface HealthCheckRequest {
  /** Empty: the whole server. */
  readonly service: string
}
export const HealthCheckRequest: Message<HealthCheckRequest> = defineMessage<HealthCheckRequest>(
  'grpc.health.v1.HealthCheckRequest',
  {
    service: string(1),
  },
)

export interface HealthCheckResponse {
  readonly status: number
}
export const HealthCheckResponse: Message<HealthCheckResponse> = defineMessage<HealthCheckResponse>(
  'grpc.health.v1.HealthCheckResponse',
  {
    status: enumeration(1, ServingStatus),
  },
)

export const HealthService: {
  readonly check: RpcMethod<HealthCheckRequest, HealthCheckResponse>
  readonly watch: RpcMethod<HealthCheckRequest, HealthCheckResponse>
} = {
  check: rpcMethod(
    'grpc.health.v1.Health/Check',
    'unary',
    [HealthCheckRequest, HealthCheckResponse],
    [],
  ),
  watch: rpcMethod(
    'grpc.health.v1.Health/Watch',
    'serverStream',
    [HealthCheckRequest, HealthCheckResponse],
    [],
  ),
}
