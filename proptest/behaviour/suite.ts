/**
 * The one behaviour suite: what every `Store` does, whatever is behind it.
 *
 * Each backend has a test file that calls this. The cases are etcd's documented ones and the
 * decisions of docs/decisions; golden scripts are in testdata/scripts.
 */
import { describe } from 'vitest'
import { argumentCases } from './arguments.ts'
import type { Backend } from './backend.ts'
import { encodingCases } from './encoding.ts'
import { leaseCases } from './lease.ts'
import { lifecycleCases } from './lifecycle.ts'
import { propertyCases } from './property.ts'
import { rangeCases } from './range.ts'
import { scanCases } from './scan.ts'
import { scriptCases } from './script.ts'
import { transactCases } from './transact.ts'
import { transactOutcomeCases } from './transact-outcome.ts'
import { txnCases } from './txn.ts'
import { watchCases } from './watch.ts'
import { watchPropertyCases } from './watch-property.ts'
import { writeCases } from './write.ts'

export function behaviourSuite(backend: Backend): void {
  describe(`Store: ${backend.name}`, () => {
    rangeCases(backend)
    writeCases(backend)
    txnCases(backend)
    transactCases(backend)
    transactOutcomeCases(backend)
    scanCases(backend)
    watchCases(backend)
    encodingCases(backend)
    argumentCases(backend)
    lifecycleCases(backend)
    leaseCases(backend)
    scriptCases(backend)
    propertyCases(backend)
    watchPropertyCases(backend)
  })
}
