/** What the process of `npm run latency` is asked, and what it answers. */

import type { Latency } from './latency-summary.ts'

export const LATENCY_CASES = ['idle', 'quiet', 'hashes', 'checkpoint', 'writers', 'slow'] as const
export type LatencyCase = (typeof LATENCY_CASES)[number]

export interface LatencyCommand {
  /** Where its files go; it is there, empty, and the harness removes it. */
  readonly path: string
  readonly durationMs: number
  /** How many checkpoints are waited for. */
  readonly checkpoints: number
}

/** How long the event loop took from one look at it to the next, in ms; at least 1. */
export interface LoopDelay {
  readonly p99Ms: number
  readonly maxMs: number
}

export interface LatencySample {
  readonly name: LatencyCase
  readonly latency: Latency
  /** `checkpoint`: while one ran, its margins included; see checkpoint-spans.ts. */
  readonly loop: LoopDelay
  /** `checkpoint`: in between, and before the first. */
  readonly otherLoop?: LoopDelay
  /** `checkpoint`: how many there were, and how long they changed the data file, all in all. */
  readonly checkpoints?: number
  readonly checkpointMs?: number
  /** `checkpoint`: bytes of keys and values put in all. `slow`: syncs that were slowed down. */
  readonly putBytes?: number
  readonly slowedSyncs?: number
  /** `slow`: how many of these blocked the thread. */
  readonly blockedSyncs?: number
}

export interface LatencyAnswer {
  readonly samples: readonly LatencySample[]
  readonly error?: string
}
