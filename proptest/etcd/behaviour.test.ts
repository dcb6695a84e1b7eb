/** A real etcd holds to the behaviour suite: what it asks for is what etcd does. */
import { afterAll, describe } from 'vitest'
import { behaviourSuite } from '../behaviour/suite.ts'
import { isWithoutEtcd } from '../interop/etcd.ts'
import { EtcdPool, etcdBackend } from './etcd-backend.ts'

describe.skipIf(isWithoutEtcd)('against etcd', () => {
  const pool = new EtcdPool(2)
  afterAll(async () => await pool.close())
  behaviourSuite(etcdBackend(pool))
})
