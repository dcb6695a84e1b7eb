/** Going back: every moment of random histories gives what was there then. */

import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { readBases } from '../../snapshot/archive-files.ts'
import { openOn } from '../../store/open.ts'
import { restoreToOn } from '../../store/restore-to.ts'
import { DATA, LifeError, claim, openForm } from '../durability/life.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import {
  ARCHIVE,
  archivedForm,
  claimRestored,
  liveThrough,
  revisionsByTxid,
} from './archived-life.ts'

test('undo: every revision and every commit of a history can be gone back to', async () => {
  const tally = { moments: 0, hashes: 0, rebased: 0, kills: 0, withinCommit: 0, tooEarly: 0 }
  const cases = effort({ smoke: 250, ci: 3000, soak: 100_000 })
  for (let at = seed >>> 0; !isEnough(tally.moments, cases, tally); at++) {
    try {
      await goBackEverywhere(at, tally)
    } catch (error) {
      throw new LifeError(`seed ${at}: ${String(error)}`, { cause: error })
    }
  }
  expect(unmet(tally)).toEqual([])
})

type Tally = Record<
  'moments' | 'hashes' | 'rebased' | 'kills' | 'withinCommit' | 'tooEarly',
  number
>

async function goBackEverywhere(at: number, tally: Tally): Promise<void> {
  const random = new Random(at)
  const form = archivedForm(at)
  const lives = random.between(1, 4)
  const { disk: left, history } = await liveThrough(new MemoryDisk({ seed: at }), { form, lives })
  const store = await openForm(left, form, { random })
  const { revision } = await store.status()
  history.cut({ revision, compactedRevision: 0 })
  if (store.recovery.replayedCommits > 0) tally.kills++
  await store.close()
  const bases = readBases(left, ARCHIVE)
  if (bases.length > 1 || (bases[0]?.revision ?? 0) > 1) tally.rebased++
  const first = bases[0]?.revision ?? Infinity
  if (form.archive === true) claim(first === 1, 'the archive does not go back to the beginning')
  const byTxid = revisionsByTxid(left)
  const ends = new Set(byTxid.values())
  for (let to = first; to <= revision; to++) {
    await claimRestored(left, history, { to: { revision: to }, revision: to, random })
    tally.moments++
    if (!ends.has(to)) tally.withinCommit++
  }
  for (const [txid, made] of byTxid) {
    if (!random.chance(0.25)) continue
    await claimRestored(left, history, { to: { txid }, revision: made, random })
    tally.moments++
  }
  await claimRestored(left, history, { to: 'end', revision, random })
  await claimHashes(left, random, tally)
  if (first > 1) {
    const early = { source: DATA, directory: '/early', to: { revision: first - 1 } }
    await expect(restoreToOn({ disk: left, random }, early)).rejects.toMatchObject({
      code: 'KV_NOT_FOUND',
    })
    expect(left.exists('/early')).toBe(false)
    tally.tooEarly++
  }
}

/** The end, as another store: the same hash of every revision. */
async function claimHashes(disk: MemoryDisk, random: Random, tally: Tally): Promise<void> {
  const to = { source: DATA, directory: '/hashed', to: 'end' }
  await restoreToOn({ disk, random }, to)
  const [ours, theirs] = [await openOn(disk, DATA, {}), await openOn(disk, '/hashed', {})]
  const { revision, compactedRevision } = await ours.status()
  claim((await theirs.status()).compactedRevision === compactedRevision, 'compacted otherwise')
  for (let at = Math.max(1, compactedRevision ?? 1); at <= revision; at++) {
    const [a, b] = [await ours.hashKV({ revision: at }), await theirs.hashKV({ revision: at })]
    claim(a.hash === b.hash, () => `revision ${at} hashes otherwise`)
    tally.hashes++
  }
  await ours.close()
  await theirs.close()
}
