/**
 * A data file of ours or a backup, served by etcd: brought there by etcd's own `snapshot restore`,
 * it answers as the store did, and goes on from there.
 */

import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { open } from '../../index.ts'
import type { StoreOf } from '../behaviour/backend.ts'
import { effort, seed, unmet } from '../effort.ts'
import { isWithoutEtcd, runEtcdctl, withEtcd } from '../interop/etcd.ts'
import { withTempDirectory } from '../interop/temp-directory.ts'
import { answersOf, goesOn } from './alike.ts'
import { connect } from './gateway-store.ts'
import { histories, live } from './histories.ts'
import type { PlannedHistory } from './histories.ts'

const RUNS = effort({ smoke: 8, ci: 30, soak: 1000 })

/** What the runs have met; without each of them they prove little. */
const met = { compacted: 0, leases: 0, deleted: 0, files: 0, backups: 0 }

interface Told {
  readonly answers: readonly string[]
  readonly hashes: readonly string[]
}

/** What a store says, and its hashes at each revision after the compacted one. */
async function tellAll(store: StoreOf<'bytes'>, compacted: number): Promise<Told> {
  const from = Math.max(1, compacted)
  const { revision: last } = await store.status()
  const hashes: string[] = []
  // etcd 3.4 tells none at the compacted one.
  for (let revision = compacted + 1; revision <= last; revision++) {
    const { hash, hashRevision, compactedRevision } = await store.hashKV({ revision })
    hashes.push(`${hash} at ${hashRevision}, compacted at ${compactedRevision}`)
  }
  return { hashes, answers: await answersOf(store, from) }
}

async function compareServed(planned: PlannedHistory, byBackup: boolean): Promise<void> {
  await withTempDirectory(async (directory) => {
    const home = join(directory, 'ours')
    const backup = join(directory, 'backup')
    const ours = await open(home, { encoding: 'bytes' })
    await live(ours, planned)
    if (byBackup) await ours.backup(backup)
    await ours.close()
    met[byBackup ? 'backups' : 'files']++

    const data = join(directory, 'etcd')
    // A backup has the checksum that etcd looks for.
    const from = byBackup ? [backup] : [join(home, 'db'), '--skip-hash-check']
    await runEtcdctl('snapshot', 'restore', ...from, '--data-dir', data)
    await withEtcd(data, async (etcd) => {
      const [store, served] = [await open(home, { encoding: 'bytes' }), connect(etcd, 'bytes')]
      try {
        const { compactedRevision = 0 } = await store.status()
        const wanted = await tellAll(store, compactedRevision)
        const got = await tellAll(served, compactedRevision)
        expect(got.answers).toEqual(wanted.answers)
        expect(got.hashes).toEqual(wanted.hashes)
        expect(await goesOn(served)).toEqual(await goesOn(store))
        if (compactedRevision > 0) met.compacted++
        if (wanted.answers.some((line) => line.startsWith('lease '))) met.leases++
        if (wanted.answers.some((line) => line.startsWith('delete '))) met.deleted++
      } finally {
        await store.close()
        await served.close()
      }
    })
  })
}

describe.skipIf(isWithoutEtcd)('a file of ours that etcd serves', () => {
  test(`answers as the store does, in ${RUNS} random histories, seed ${seed}`, async () => {
    await fc.assert(fc.asyncProperty(histories, fc.boolean(), compareServed), {
      numRuns: RUNS,
      seed,
    })
    if (RUNS >= 30) expect(unmet(met)).toEqual([])
  })
})
