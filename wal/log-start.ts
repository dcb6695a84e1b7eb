/** What recovery hands to the log that goes on. */

import type { Disk } from '../disk/disk.ts'
import type { LogIdentity } from './format.ts'
import type { SegmentList } from './segment-list.ts'
import type { Segment } from './segment.ts'

/** Where the log begins to be written: recovery's result. */
export interface LogStart {
  readonly disk: Disk
  readonly directory: string
  readonly identity: LogIdentity
  readonly segment: Segment
  readonly segments: SegmentList
  /** Where the next frame goes. */
  readonly offset: number
  readonly chain: number
  /** All of it durable. */
  readonly lastTxid: number
  /** How much of it there is that the database doesn't have. */
  readonly heldBytes: number
}
