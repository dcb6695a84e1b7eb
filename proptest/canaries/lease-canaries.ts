/** Canaries of leases. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

export const LEASE_CANARIES: readonly Canary[] = [
  {
    name: 'a lease shortened by a restart',
    file: 'lease/lessor.ts',
    find: '    if (promisedSeconds(lease) < lease.ttlSeconds) this.#note(txn, lease, 0)\n',
    replace: '',
    test: 'proptest/lease/lease.test.ts',
    testName: 'leases hold what was promised',
  },
  {
    name: 'a lease that is given all of its time by every restart',
    file: 'store/leases.ts',
    find: '    await this.#note(1, () => true).catch(() => {})\n',
    replace: '',
    test: 'proptest/lease/lease.test.ts',
    testName: 'leases hold what was promised',
  },
  {
    name: 'detach forgotten on overwrite',
    file: 'mvcc/write-txn.ts',
    find: '    this.#mvcc.leases.attach(request.key, lease)\n',
    replace: '    if (lease !== 0n) this.#mvcc.leases.attach(request.key, lease)\n',
    test: 'proptest/lease/lease.test.ts',
    testName: 'leases hold what was promised',
  },
  {
    name: 'detach by a delete forgotten when history is read',
    file: 'mvcc/restore.ts',
    find: 'this.#leases.restore(kv.key, revision.isTombstone ? 0n : kv.lease)\n',
    replace: 'if (!revision.isTombstone) this.#leases.restore(kv.key, kv.lease)\n',
    test: 'proptest/lease/lease.test.ts',
    testName: 'leases hold what was promised',
  },
  {
    name: 'leases left as they were by a group that is rolled back',
    file: 'mvcc/mvcc.ts',
    find: '    this.#mvcc.leases.undo(this.#leaseMark)\n',
    replace: '',
    test: 'store/leases.test.ts',
    testName: 'takes back what it did to leases',
  },
  {
    name: 'a lease that no revision came with is not written',
    file: 'mvcc/mvcc.ts',
    find: '      if (txn.isDirty) this.#isChanged = true\n',
    replace: '      if (txn.revision > this.#before) this.#isChanged = true\n',
    test: 'proptest/lease/lease.test.ts',
    testName: 'leases hold what was promised',
  },
  {
    name: 'a renewed lease that ends at its old deadline',
    file: 'lease/expiry-queue.ts',
    find: '      entry.dueMs = dueMs\n      return\n',
    replace: '      return\n',
    test: 'lease/expiry-queue.test.ts',
    testName: 'is not due at the old one',
  },
  {
    name: 'keys that forget the lease whose end was taken back',
    file: 'lease/lessor.ts',
    find: 'for (const name of names) this.#holders.set(name, lease)',
    replace: '',
    test: 'lease/lessor.test.ts',
    testName: 'brings back a lease that was ended, with its keys and its deadline',
  },
]
