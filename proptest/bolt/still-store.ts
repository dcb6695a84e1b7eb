/**
 * A store for which no time passes: no turn takes long, so what is put in one is one group of the
 * log, however busy the machine is.
 */
import { systemClock } from '../../base/clock.ts'
import type { Clock } from '../../base/clock.ts'
import { RealDisk } from '../../disk/real-disk.ts'
import { openOn } from '../../store/open.ts'
import type { BuiltLocalStore } from '../../store/types.ts'

const STILL: Clock = {
  wallMs: () => systemClock.wallMs(),
  monotonicMs: () => 0,
  setTimer: (delayMs, callback) => systemClock.setTimer(delayMs, callback),
}

export async function openStillStore(path: string): Promise<BuiltLocalStore> {
  return await openOn(new RealDisk(), path, {}, { clock: STILL })
}
