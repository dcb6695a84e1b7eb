/** An engine with a log, opened in one go. */

import type { LogGroup } from '../../base/log-group.ts'
import type { CommitLog } from '../../engine/commit-log.ts'
import type { Engine, EngineOptions } from '../../engine/index.ts'
import { attachLog, openForLog } from '../../engine/open-logged.ts'

export interface LoggedOptions extends EngineOptions {
  readonly log: CommitLog | undefined
  readonly logId: number
  readonly groups: Iterable<LogGroup>
}

/** Opens the file and does what the log holds beyond it. */
export async function openLogged(path: string, options: LoggedOptions): Promise<Engine> {
  const { log, logId, groups, ...rest } = options
  const engine = await openForLog(path, rest)
  try {
    await attachLog(engine, { log, logId, groups })
    return engine
  } catch (error) {
    await engine.close()
    throw error
  }
}
