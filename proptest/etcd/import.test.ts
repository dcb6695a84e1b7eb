/**
 * What etcd holds, imported: a history that was made on a real etcd, compactions and leases
 * included, is answered by the store as etcd answered it, and the store goes on from there.
 */

import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { importEtcd, open } from '../../index.ts'
import type { StoreOf } from '../behaviour/backend.ts'
import { effort, seed, unmet } from '../effort.ts'
import { isWithoutEtcd, withEtcd } from '../interop/etcd.ts'
import type { EtcdServer } from '../interop/etcd.ts'
import { withTempDirectory } from '../interop/temp-directory.ts'
import { answersOf, goesOn } from './alike.ts'
import { connect } from './gateway-store.ts'
import { histories, live } from './histories.ts'
import type { PlannedHistory } from './histories.ts'

const RUNS = effort({ smoke: 8, ci: 30, soak: 1000 })

/** What the runs have met; without each of them they prove little. */
const met = { compacted: 0, leases: 0, deleted: 0, snapshots: 0, directories: 0 }

interface Told {
  readonly answers: readonly string[]
  readonly hash: number
  readonly compacted: number
}

/** The oldest revision that can be read; a gateway doesn't say. */
async function compactedOf({ ctl }: EtcdServer): Promise<number> {
  const answers: unknown = JSON.parse(await ctl('endpoint', 'hashkv', '--write-out', 'json'))
  const [first] = answers as readonly { readonly HashKV: { readonly compact_revision?: number } }[]
  return Math.max(0, first?.HashKV.compact_revision ?? 0)
}

async function tellAll(store: StoreOf<'bytes'>, compacted: number): Promise<Told> {
  const { hash } = await store.hashKV()
  return { hash, compacted, answers: await answersOf(store, Math.max(1, compacted)) }
}

async function compareImported(planned: PlannedHistory, byCopy: boolean): Promise<void> {
  await withTempDirectory(async (directory) => {
    const data = join(directory, 'etcd')
    const snapshot = join(directory, 'snapshot')
    const told: Told[] = []
    const further: string[] = []
    await withEtcd(data, async (etcd) => {
      const store = connect(etcd, 'bytes')
      await live(store, planned)
      told.push(await tellAll(store, await compactedOf(etcd)))
      await etcd.ctl('snapshot', 'save', snapshot)
      if (!byCopy) further.push(...(await goesOn(store)))
      await store.close()
    })
    const home = join(directory, 'ours')
    const result = await importEtcd(byCopy ? data : snapshot, home)
    expect(result.hadChecksum).toBe(!byCopy)
    const ours = await open(home, { encoding: 'bytes' })
    try {
      const { compactedRevision = 0, revision } = await ours.status()
      expect([result.revision, result.compactedRevision]).toEqual([revision, compactedRevision])
      expect([await tellAll(ours, compactedRevision)]).toEqual(told)
      if (!byCopy) expect(await goesOn(ours)).toEqual(further)
      if (compactedRevision > 0) met.compacted++
      if (result.leaseCount > 0) met.leases++
      if (told[0]?.answers.some((line) => line.startsWith('delete ')) === true) met.deleted++
      met[byCopy ? 'directories' : 'snapshots']++
    } finally {
      await ours.close()
    }
  })
}

describe.skipIf(isWithoutEtcd)('what etcd holds, imported', () => {
  test(`is answered as etcd did, in ${RUNS} random histories, seed ${seed}`, async () => {
    const property = fc.asyncProperty(histories, fc.boolean(), compareImported)
    await fc.assert(property, { numRuns: RUNS, seed })
    if (RUNS >= 30) expect(unmet(met)).toEqual([])
  })
})
