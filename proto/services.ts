/**
 * The services of etcd's API, and gRPC's own for health.
 *
 * A gateway call is a POST to one of a method's `gatewayPaths`, whose body is the request in JSON.
 * A stream answers with one JSON object in each line.
 */

import type { RpcMethod } from './rpc-method.ts'
import { KVService } from './rpc/kv.ts'
import { WatchService } from './rpc/watch.ts'
import { LeaseService } from './rpc/lease.ts'
import { ClusterService } from './rpc/cluster.ts'
import { MaintenanceService } from './rpc/maintenance.ts'
import { AuthService } from './rpc/auth.ts'
import { LockService } from './rpc/lock.ts'
import { ElectionService } from './rpc/election.ts'
import { HealthService } from './rpc/health.ts'

/** The methods of each service by name. */
export const SERVICES: readonly Readonly<Record<string, RpcMethod<unknown, unknown>>>[] = [
  KVService,
  WatchService,
  LeaseService,
  ClusterService,
  MaintenanceService,
  AuthService,
  LockService,
  ElectionService,
  HealthService,
]

/** All methods. */
export const METHODS: readonly RpcMethod<unknown, unknown>[] = SERVICES.flatMap((service) =>
  Object.values(service),
)
