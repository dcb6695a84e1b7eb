/**
 * Makes a data file and its log of a plan (redo-plan.ts), in a directory that nobody opens yet.
 *
 *   1. db.new     the base, each of its bytes checked against its manifest
 *   2. wal/       a log that goes on behind the moment, of the same store, on a new timeline
 *   3. db.new     the plan's groups, done again; two checkpoints, so that both generations have
 *                 the log's mark
 *   4. all of it is checked: the file's structure, and what the caller checks
 *   5. db         the name by which it is found; everything is durable
 *
 * The new log's id is new, too: neither file nor segments pass for those of what was before.
 */

import { CorruptionError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { Disk } from '../disk/disk.ts'
import { checkpoint } from '../engine/checkpoint.ts'
import type { Engine } from '../engine/engine.ts'
import { attachLog, openForLog } from '../engine/open-logged.ts'
import type { LogIdentity } from '../wal/format.ts'
import { recoverLog } from '../wal/recovery.ts'
import { readBase } from './archive-files.ts'
import type { ArchivedBase } from './archive-files.ts'
import type { RedoPlan } from './redo-plan.ts'

export interface RedoTarget {
  readonly disk: Disk
  /** Is there, and holds neither file nor log. */
  readonly directory: string
  readonly random: Random
  readonly signal?: AbortSignal | undefined
  /** Told of bytes of the base as they are copied. */
  readonly onCopied: (doneBytes: number) => void
  /** Lets others run, every few milliseconds. */
  readonly pause: () => Promise<void>
  /** Throws where what was made is not what it should be. */
  readonly verify: (engine: Engine) => Promise<void>
}

/** Returns the new log's identity. */
export async function redo(plan: RedoPlan, target: RedoTarget): Promise<LogIdentity> {
  const { disk, directory, signal } = target
  const building = disk.join(directory, 'db.new')
  await copyBase(plan.base, building, target)
  const identity = nextIdentity(plan.base.identity, target.random)
  const engine = await openForLog(building, { disk, lock: 'none' })
  try {
    await doAgain(engine, { plan, target, identity })
    signal?.throwIfAborted()
    await mustBeSound(engine, signal)
    await target.verify(engine)
  } finally {
    await engine.close()
  }
  disk.rename(building, disk.join(directory, 'db'))
  await disk.syncDirectoryAsync(directory)
  return identity
}

async function copyBase(base: ArchivedBase, path: string, target: RedoTarget): Promise<void> {
  const { disk, signal } = target
  const file = disk.open(path, { mode: 'createNew' })
  try {
    await readBase(disk, base, {
      signal,
      take: async (bytes, position) => {
        await file.writeAsync(bytes, position)
        target.onCopied(position + bytes.length)
      },
    })
    await file.syncAsync('full')
  } finally {
    file.close()
  }
}

/** The same store; a timeline and a log that were never there. */
function nextIdentity({ storeId, logId, timeline }: LogIdentity, random: Random): LogIdentity {
  const other = (than: number): number => {
    let id = 0
    while (id === 0 || id === than) id = random.u32()
    return id
  }
  return { storeId, logId: other(logId), timeline: other(timeline) }
}

interface Work {
  readonly plan: RedoPlan
  readonly target: RedoTarget
  readonly identity: LogIdentity
}

async function doAgain(engine: Engine, { plan, target, identity }: Work): Promise<void> {
  const { disk, directory, random, pause } = target
  const { logId } = identity
  const log = recoverLog({
    ...identity,
    disk,
    directory: disk.join(directory, 'wal'),
    fromTxid: plan.lastTxid,
    log: { syncMode: 'full', random },
    isCreated: true,
  }).start()
  try {
    await attachLog(engine, { log, logId, groups: plan.groups(), pause })
    await checkpoint(engine)
    await checkpoint(engine)
  } finally {
    await log.close()
  }
}

async function mustBeSound(engine: Engine, signal: AbortSignal | undefined): Promise<void> {
  const options = signal === undefined ? {} : { signal }
  const [finding] = (await engine.checkAsync(options)).findings
  if (finding === undefined) return
  throw new CorruptionError(`what was made is damaged: ${JSON.stringify(finding)}`, {
    file: engine.path,
  })
}
