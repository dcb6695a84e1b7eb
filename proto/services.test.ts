import { describe, expect, test } from 'vitest'
import type { Init } from './message.ts'
import type { Method } from './method.ts'
import { KVService, type PutRequest, type PutResponse } from './rpc/kv.ts'
import { LeaseService } from './rpc/lease.ts'
import { METHODS } from './services.ts'

describe('services', () => {
  test('a method serves both ends', () => {
    const called: Method<Init<PutRequest>, PutResponse> = KVService.put
    const served: Method<PutRequest, Init<PutResponse>> = KVService.put
    const bytes = called.request.encode({ key: Buffer.from('a') })
    expect(bytes).toEqual(new Uint8Array([0x0a, 1, 0x61]))
    expect(served.request.decode(bytes)).toEqual({
      key: new Uint8Array([0x61]),
      value: new Uint8Array(0),
      lease: 0n,
      prevKv: false,
      ignoreValue: false,
      ignoreLease: false,
    })
    expect(served.response.encode({ header: { revision: 300 } })).toEqual(
      new Uint8Array([0x0a, 3, 0x18, 0xac, 2]),
    )
  })

  test('paths are as gRPC and the gateway spell them', () => {
    expect(KVService.deleteRange.path).toBe('/etcdserverpb.KV/DeleteRange')
    expect(LeaseService.leaseRevoke.gatewayPaths).toEqual([
      '/v3/lease/revoke',
      '/v3/kv/lease/revoke',
    ])
  })

  test('no two methods share a path', () => {
    for (const paths of [METHODS.map((m) => m.path), METHODS.flatMap((m) => m.gatewayPaths)]) {
      expect(new Set(paths).size).toBe(paths.length)
    }
    expect(METHODS).toHaveLength(51)
  })
})
