/** How a file stands to its log. */

import type { Engine } from './engine.ts'

/** Whether commits were made that the file's newest generation doesn't have. */
export function isAheadOfFile({ core }: Engine): boolean {
  return core.head.txid > core.meta.txid
}

/** Whether the generation before the newest one, where it is kept, has the same log's mark. */
export function isPreviousStamped({ core: { meta, previous } }: Engine): boolean {
  return previous === undefined || previous.flags === meta.flags
}
