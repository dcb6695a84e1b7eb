/**
 * The settings of a log.
 */

import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'

/**
 * When a group counts as done.
 *   full   when it is on the disk: it survives a power cut
 *   os     when the system has it: it survives the end of the process
 *   none   at once; it is written in the background
 * Segments are synced in all three before the next one is used, and by `flush()` and `close()`.
 */
export type SyncMode = 'full' | 'os' | 'none'

export interface LogOptions {
  readonly syncMode: SyncMode
  /** How long segments get; the first ones are shorter. Default 64 MiB. */
  readonly segmentBytes?: number | undefined
  /** How much may wait to be written before admission refuses. Default 64 MiB. */
  readonly maxPendingBytes?: number | undefined
  /** What only emergency reservations may use. Default 256 KiB, at most an eighth of a segment. */
  readonly emergencyBytes?: number | undefined
  /** For salts. */
  readonly random: Random
  /** For pauses between steps in the background. Default: the system's. */
  readonly clock?: Clock | undefined
}

export const SEGMENT_BYTES: number = 64 * 1024 * 1024
export const FIRST_SEGMENT_BYTES: number = 1024 * 1024
/** How much longer each segment is than the one before. */
export const GROWTH = 4
export const MAX_PENDING_BYTES: number = 64 * 1024 * 1024
export const EMERGENCY_BYTES: number = 256 * 1024
