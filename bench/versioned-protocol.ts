/** What the processes of `npm run versioned` are asked, and what they answer. */

export const VERSIONED_CASES = [
  'reads',
  'ranges',
  'memory',
  'empty',
  'loop',
  'leases',
  'watches',
  'model',
  'flat',
] as const
export type VersionedCase = (typeof VERSIONED_CASES)[number]

export interface VersionedCommand {
  readonly name: VersionedCase
  /** Where its files go; it is there, empty, and the harness removes it. */
  readonly path: string
  /** What all sizes are multiplied by: 1 is a million keys. */
  readonly scale: number
}

export interface Figure {
  readonly name: string
  readonly unit: string
  readonly value: number
  /** What the project asks of itself. */
  readonly atLeast?: number
  readonly atMost?: number
  /** The curve of which it is a point: `name` says where. It is drawn, not put into the table. */
  readonly curve?: string
}

export interface VersionedAnswer {
  readonly figures: readonly Figure[]
  readonly error?: string
}

/** A case, as its file gives it. */
export type RunCase = (command: VersionedCommand) => Promise<readonly Figure[]>
