/**
 * Opening a file that has a log: the file stands at its last checkpoint, and what the log holds
 * beyond that is done again in memory.
 */

import { Logged } from './logged.ts'
import { replayGroup } from './checkpoint.ts'
import type { LogGroup } from '../base/log-group.ts'
import type { CommitLog } from './commit-log.ts'
import { openEngine } from './engine.ts'
import type { Engine } from './engine.ts'
import type { EngineOptions } from './options.ts'

export interface LoggedOptions extends EngineOptions {
  readonly log: CommitLog
  /** The mark that ties file and log together: u32, not 0. */
  readonly logId: number
  /** What the log holds, in order. Groups up to the file's own txid are passed over. */
  readonly groups: Iterable<LogGroup>
}

/** Opens the file and does what the log holds beyond it. */
export async function openLogged(path: string, options: LoggedOptions): Promise<Engine> {
  const { log, logId, groups, ...rest } = options
  const engine = await openEngine(path, rest)
  try {
    const { core } = engine
    const logged = new Logged(core, log, logId)
    core.logged = logged
    for (const group of groups) {
      if (group.txid > core.head.txid) await replayGroup(engine, group)
    }
    logged.isReplaying = false
    return engine
  } catch (error) {
    await engine.close()
    throw error
  }
}
