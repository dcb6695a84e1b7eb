/** A log that is durable at once, and the forms that tests open an engine with one in. */

import type { LogGroup } from '../../base/log-group.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { Engine, EngineOptions } from '../../engine/index.ts'
import { HeldLog } from './held-log.ts'
import { openLogged } from './logged-engine.ts'
import { DB_PATH } from './memory-engine.ts'

export const LOG_ID = 0xc0ffee

export class AutoLog extends HeldLog {
  /** Set: records become durable by `sync` only. */
  isHeld = false

  override append(group: LogGroup): Promise<void> {
    const durable = super.append(group)
    if (!this.isHeld) this.sync(Infinity)
    return durable
  }
}

export interface LoggedEngine {
  readonly disk: MemoryDisk
  readonly engine: Engine
  readonly log: AutoLog
}

/** An engine with a log on `disk`, or an empty one of its own, with pages of 1 KiB. */
export async function openWithLog(
  options: EngineOptions = {},
  disk: MemoryDisk = new MemoryDisk(),
  groups: readonly LogGroup[] = [],
): Promise<LoggedEngine> {
  const log = new AutoLog(groups)
  const rest = { disk, lock: 'none', pageSizeBytes: 1024, ...options } as const
  const engine = await openLogged(DB_PATH, { ...rest, log, logId: LOG_ID, groups })
  return { disk, engine, log }
}
