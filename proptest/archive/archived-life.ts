/**
 * A store with an archive through several lives, and what going back to a moment must give.
 *
 * Claims of each moment within the archive
 *   1. going back succeeds, and the store made opens at that revision, with the archive's own;
 *   2. at every revision that it can read the content is what the writes up to there add up to;
 *   3. where as much is compacted as in the original, the history hashes alike;
 *   4. it is on a timeline of its own, and can be written to.
 */

import { Random } from '../../base/random.ts'
import type { MemoryDisk } from '../../disk/memory-disk.ts'
import { readBases } from '../../snapshot/archive-files.ts'
import { openOn } from '../../store/open.ts'
import { restoreToOn } from '../../store/restore-to.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import type { MomentInput, RestoreResult } from '../../store/types/restore.ts'
import { newestHeader } from '../../wal/identity.ts'
import { findSegments } from '../../wal/segment-files.ts'
import { inspectLog } from '../../wal/inspect.ts'
import type { LogGroup } from '../../base/log-group.ts'
import { History, stateFault } from '../durability/history.ts'
import { DATA, claim, formOf, live } from '../durability/life.ts'
import type { Form } from '../durability/life.ts'

export const ARCHIVE: string = `${DATA}/archive`

export function archivedForm(seed: number): Form {
  const random = new Random(seed)
  const limits = random.pick([
    { maxSegments: random.between(1, 6) },
    { maxBytes: random.between(20_000, 200_000) },
    { maxAgeMs: random.between(1, 60) },
  ])
  return {
    ...formOf(random, seed),
    checkpointBytes: random.pick([600, 2000, 6000]),
    segmentBytes: random.pick([2048, 4096]),
    archive: random.chance(0.6) ? true : limits,
  }
}

/** Lives one after the other; what the last one left. */
export async function liveThrough(
  disk: MemoryDisk,
  { form, lives }: { readonly form: Form; readonly lives: number },
): Promise<{ readonly disk: MemoryDisk; readonly history: History }> {
  const random = new Random(form.seed).fork()
  let current = { disk, history: new History() }
  for (let left = lives; left > 0; left--) {
    const { disk: on, history } = current
    await live(on, history, { form, random, isLast: true })
    // What it left open is over; its calls may still be told of.
    const next = random.chance(0.5) ? on.processKilled() : on.afterPowerLoss(random)
    current = { disk: next, history: history.copy() }
  }
  return current
}

/** The newest revision that the commits up to each txid made; of what archive and log hold. */
export function revisionsByTxid(disk: MemoryDisk): Map<number, number> {
  const [base] = readBases(disk, ARCHIVE)
  const revisions = new Map<number, number>()
  if (base === undefined) return revisions
  revisions.set(base.txid, base.revision)
  let { revision } = base
  for (const { txid, entries } of groupsOf(disk)) {
    if (txid <= base.txid) continue
    for (const entry of entries) {
      const isOfKeys = entry.ops.some(
        ({ op, path }) => op === 'put' && Buffer.from(path[0] ?? []).toString() === 'key',
      )
      if (isOfKeys) revision = entry.revision
    }
    revisions.set(txid, revision)
  }
  return revisions
}

function* groupsOf(disk: MemoryDisk): Generator<LogGroup> {
  let next = 0
  for (const { path } of findSegments(disk, `${DATA}/wal`, ARCHIVE)) {
    for (const event of inspectLog(path, { disk }).walk()) {
      if (event.kind !== 'group' || event.group.txid < next) continue
      yield event.group
      next = event.group.txid + 1
    }
  }
}

interface Made {
  readonly to: MomentInput
  /** The revision that it must be at. */
  readonly revision: number
  readonly random: Random
}

let madeCount = 0

/** Goes back to a moment, in a directory of its own, and makes the claims. */
export async function claimRestored(
  disk: MemoryDisk,
  history: History,
  { to, revision, random }: Made,
): Promise<RestoreResult> {
  const directory = `/restored-${madeCount++}`
  const found = await restoreToOn({ disk, random }, { source: DATA, directory, to })
  claim(found.revision === revision, () => `${JSON.stringify(to)}: told ${found.revision}`)
  const store = await openOn(disk, directory, {}, { random })
  try {
    await claimHistory(store, history, revision)
    const before = newestHeader(disk, `${DATA}/wal`)
    const after = newestHeader(disk, `${directory}/wal`)
    claim(before?.timeline !== after?.timeline, 'the timeline is the one of before')
    claim(String(before?.storeId) === String(after?.storeId), 'it is another store')
    const { revision: next } = await store.put('later', 'x')
    claim(next === revision + 1, () => `went on with ${next}`)
  } finally {
    await store.close()
  }
  return found
}

/** The store's history up to where it stands is the one that was written. */
export async function claimHistory(
  store: BuiltLocalStore,
  history: History,
  revision: number,
): Promise<void> {
  const { revision: stands, compactedRevision = 0 } = await store.status()
  claim(stands === revision, () => `it stands at ${stands}, not ${revision}`)
  for (let at = Math.max(1, compactedRevision); at <= revision; at++) {
    const fault = await stateFault(store, history, at)
    claim(fault === undefined, () => fault ?? '')
  }
}
